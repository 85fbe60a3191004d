//! What a client does, one step after the other, in a notation that fits into tables.

use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn};
use tidegate::lab::APP;

/// Takes a step. Besides SQL there are
///
/// - `! SQL`: it must fail,
/// - `? SQL`: by the binary protocol,
/// - `#reset` and `#change_user`: the commands of these names.
pub(crate) async fn take(conn: &mut Conn, step: &str) {
    let done = match step {
        "#reset" => conn.reset().await.map(|supported| assert!(supported)),
        "#change_user" => conn.change_user(app()).await,
        _ if step.starts_with("! ") => {
            let failed = conn.query_drop(&step[2..]).await;
            assert!(failed.is_err(), "{step}: no error");
            Ok(())
        }
        _ if step.starts_with("? ") => conn.exec_drop(&step[2..], ()).await,
        sql => conn.query_drop(sql).await,
    };
    if let Err(error) = done {
        panic!("{step}: {error}");
    }
}

fn app() -> ChangeUserOpts {
    ChangeUserOpts::default()
        .with_user(Some(APP.user.to_owned()))
        .with_pass(Some(APP.password.to_owned()))
        .with_db_name(Some("app".to_owned()))
}
