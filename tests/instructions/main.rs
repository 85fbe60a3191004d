//! How many instructions of its own Tidegate spends on a statement: a figure that repeats where time
//! does not, so that a statement can't get dearer unseen. The bench of the same name counts the
//! release build; this counts the build that is there when tests run, which has limits of its own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

#[path = "../../benches/instructions/count.rs"]
mod count;
#[path = "../../benches/instructions/say.rs"]
mod say;

use std::io::{Write, stderr};

use say::{Stage, Statement};

type Error = Box<dyn std::error::Error>;

/// How often each statement is said.
const TIMES: usize = 200;

/// And so often before it is counted.
const WARM_UP: usize = 10;

/// How many instructions of a build without optimisation each may take: an eighth more than it took
/// when that was written down.
const LIMITS: [(&str, Statement, u64); 3] = [
    ("point select, text", Statement::Text, 101_200),
    ("point select, prepared", Statement::Prepared, 99_700),
    ("update, text", Statement::Write, 187_700),
];

#[tokio::test]
async fn no_statement_takes_more_instructions_than_its_limit() {
    let stage = Stage::new(WARM_UP, None).await.unwrap();
    let login = stage.login().await.unwrap();
    let mut over = Vec::new();
    for (name, statement, limit) in LIMITS {
        let all = stage.said(statement, TIMES).await.unwrap();
        let each = (all - login) / TIMES as u64;
        // Also where tests pass: it is a figure to follow.
        writeln!(stderr(), "instructions: {name}: {each} (limit {limit})").unwrap();
        if each > limit {
            over.push(format!(
                "{name} takes {each} instructions, and its limit is {limit}"
            ));
        }
    }
    stage.end().await;
    assert!(
        over.is_empty(),
        "{}.\nWhat they are: cargo bench --bench instructions -- --keep FOLDER, then callgrind_annotate \
         on its files. If they are worth it, docs/performance.md says so and the limits are raised.",
        over.join("; ")
    );
}
