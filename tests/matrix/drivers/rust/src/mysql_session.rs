use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, Pool, SslOpts, TxOpts, Value, params};

use crate::{LARGE, Outcome, Place, TEXT, sum, table, told};

pub(crate) fn play(place: &Place) -> Outcome {
    let tls = SslOpts::default().with_danger_accept_invalid_certs(true);
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(&place.host))
        .tcp_port(place.port)
        .user(Some(&place.user))
        .pass(Some(&place.password))
        .db_name(Some(&place.schema))
        .prefer_socket(false)
        .ssl_opts(place.tls.then_some(tls));
    let mut conn = Conn::new(options.clone())?;
    told("served", conn.query::<String, _>("SELECT name FROM whoami")?);
    told("served", conn.exec::<String, _, _>("SELECT name FROM whoami WHERE id = ?", (1,))?);
    for sql in table("mysql") {
        conn.query_drop(sql)?;
    }
    values(&mut conn)?;
    transactions(&mut conn)?;
    failures(&mut conn);
    large(&mut conn)?;
    own_writes(&mut conn)?;
    pooled(&Pool::new(options)?)
}

fn values(conn: &mut Conn) -> Outcome {
    let insert = "INSERT INTO m_mysql (n, big, ratio, moment, body, raw) \
                  VALUES (:n, :big, :ratio, :moment, :body, :raw)";
    let raw: Vec<u8> = (0..=255).collect();
    conn.exec_drop(
        insert,
        params! { "n" => -7, "big" => u64::MAX, "ratio" => 0.1,
        "moment" => Value::Date(2024, 2, 29, 23, 59, 58, 123_456), "body" => TEXT, "raw" => raw },
    )?;
    told("insert", (conn.affected_rows(), conn.last_insert_id(), conn.warnings()));
    let all = "SELECT n, big, ratio, moment, body, raw FROM m_mysql";
    type Row = (i32, u64, f64, Value, String, Vec<u8>);
    told("prepared", conn.exec::<Row, _, _>(all, ())?);
    told("text", conn.query::<Row, _>(all)?);
    conn.exec_batch(
        "INSERT INTO m_mysql (n, body) VALUES (?, ?)",
        (0..100).map(|n| (n, format!("row {n}"))),
    )?;
    told("many", conn.query_first::<(i64, Value), _>("SELECT COUNT(*), SUM(n) FROM m_mysql")?);
    let mut results = conn.query_iter(
        "UPDATE m_mysql SET n = 41 WHERE id = 1; SELECT n FROM m_mysql WHERE id = 1; SELECT 2",
    )?;
    while let Some(set) = results.iter() {
        told("batch", (set.affected_rows(), set.map(|row| row.map(|row| row.unwrap())).collect::<Result<Vec<_>, _>>()?));
    }
    Ok(())
}

fn transactions(conn: &mut Conn) -> Outcome {
    let read = "SELECT n FROM m_mysql WHERE id = 1";
    let mut transaction = conn.start_transaction(TxOpts::default())?;
    transaction.query_drop("UPDATE m_mysql SET n = 50 WHERE id = 1")?;
    told("inside", transaction.query_first::<i32, _>(read)?);
    transaction.rollback()?;
    told("rolled back", conn.query_first::<i32, _>(read)?);
    let mut transaction = conn.start_transaction(TxOpts::default().set_with_consistent_snapshot(true))?;
    transaction.exec_drop("UPDATE m_mysql SET n = ? WHERE id = 1", (51,))?;
    transaction.commit()?;
    told("committed", conn.exec_first::<i32, _, _>(read, ())?);
    Ok(())
}

fn failures(conn: &mut Conn) {
    for sql in [
        "INSERT INTO m_mysql (id) VALUES (1)",
        "SELECT * FROM nowhere_to_be_found",
        "SELEC 1",
        "SELECT (SELECT id FROM m_mysql)",
        "SELECT * FROM mysql.user",
    ] {
        told("failure", conn.query_drop(sql).map_err(|error| error.to_string()));
        told("failure", conn.exec_drop(sql, ()).map_err(|error| error.to_string()));
    }
}

fn large(conn: &mut Conn) -> Outcome {
    for length in LARGE {
        conn.exec_drop("UPDATE m_mysql SET raw = ? WHERE id = 1", (vec![0_u8; length],))?;
        let back: Option<Vec<u8>> = conn.query_first("SELECT raw FROM m_mysql WHERE id = 1")?;
        told("large", back.as_deref().map(sum));
    }
    conn.query_drop("UPDATE m_mysql SET raw = NULL")?;
    Ok(())
}

fn own_writes(conn: &mut Conn) -> Outcome {
    for i in 0..20 {
        conn.query_drop(format!("UPDATE m_mysql SET n = {} WHERE id = 1", 100 + i))?;
        told("own", conn.query_first::<i32, _>("SELECT n FROM m_mysql WHERE id = 1")?);
        conn.exec_drop("UPDATE m_mysql SET n = ? WHERE id = ?", (200 + i, 1))?;
        told("own", conn.exec_first::<i32, _, _>("SELECT n FROM m_mysql WHERE id = ?", (1,))?);
    }
    Ok(())
}

/// The pool resets a connection before it is lent again.
fn pooled(pool: &Pool) -> Outcome {
    for i in 0..5 {
        let mut conn = pool.get_conn()?;
        told("pool", conn.query_first::<Option<i32>, _>("SELECT @mine")?);
        conn.query_drop("SET @mine = 1")?;
        conn.exec_drop("UPDATE m_mysql SET n = ? WHERE id = 1", (300 + i,))?;
        let mut other = pool.get_conn()?;
        told("pool", other.query_first::<i32, _>("SELECT n FROM m_mysql WHERE id = 1")?);
    }
    Ok(())
}
