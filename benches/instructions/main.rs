//! How many instructions of its own Tidegate spends on a statement, counted by callgrind: a figure
//! that repeats where time does not, and so can have a limit.
//!
//! The release build runs under callgrind before a writer and a reader, and a client says the same
//! statement so often. A run that only logs in is taken away, and so is all that other threads than
//! the sessions' do. What the kernel does for a statement is not counted: those are the same calls
//! for everybody (docs/performance.md).

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is there to print"
)]

mod count;
mod say;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use say::{Stage, Statement};

/// What goes wrong ends the count; the text is for a person.
type Error = Box<dyn std::error::Error>;

/// How often each statement is said before.
const WARM_UP: usize = 50;

/// What is counted, and how many instructions it may take: a tenth more than it took when that was
/// written down.
#[derive(Clone, Copy, Debug)]
struct Script {
    name: &'static str,
    statement: Statement,
    limit: u64,
}

const SCRIPTS: [Script; 5] = [
    Script {
        name: "point select, text",
        statement: Statement::Text,
        limit: 6_900,
    },
    Script {
        name: "point select, prepared",
        statement: Statement::Prepared,
        limit: 6_500,
    },
    Script {
        name: "100 rows, text",
        statement: Statement::Rows,
        limit: 36_100,
    },
    Script {
        name: "update, text",
        statement: Statement::Write,
        limit: 17_300,
    },
    Script {
        name: "transaction of 4 statements",
        statement: Statement::Transaction,
        limit: 81_500,
    },
];

/// Counts instructions for each statement.
#[derive(Debug, Parser)]
struct Options {
    /// How often each statement is said.
    #[arg(long, default_value_t = 1000)]
    statements: usize,
    /// Ends with a failure where a statement takes more than its limit.
    #[arg(long)]
    limit: bool,
    /// Leaves callgrind's files here, for callgrind_annotate.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match count_all(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a statement takes more instructions than its limit");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything stayed below its limit, if that is asked for.
async fn count_all(options: &Options) -> Result<bool, Error> {
    let stage = Stage::new(WARM_UP, options.keep.as_deref()).await?;
    let login = stage.login().await?;
    let mut within = true;
    println!("instructions of Tidegate's own for each:");
    for script in SCRIPTS {
        let all = stage.said(script.statement, options.statements).await?;
        let each = all.saturating_sub(login) / u64::try_from(options.statements.max(1))?;
        let over = each > script.limit;
        within &= !over;
        println!(
            "  {:<30}{each:>8}  (limit {}{})",
            script.name,
            script.limit,
            if over { ", exceeded" } else { "" }
        );
    }
    stage.end().await;
    Ok(within || !options.limit)
}
