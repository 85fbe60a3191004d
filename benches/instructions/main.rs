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

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tidegate::lab::fetch;
use tidegate::lab::{self, APP, APP_SCHEMA, Cluster};
use tokio::time::{Instant, sleep};

use count::Counted;

/// What goes wrong ends the count; the text is for a person.
type Error = Box<dyn std::error::Error>;

/// How long the reader may take to get the table.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is said before it is counted, so that nothing is done for the first time any more.
const WARM_UP: u32 = 50;

/// What is counted, and how many instructions it may take: a tenth more than it took when that was
/// written down.
#[derive(Clone, Copy, Debug)]
struct Script {
    name: &'static str,
    statement: Statement,
    limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Statement {
    /// A point select by COM_QUERY, which a reader answers, behind a write of its session.
    Text,
    /// The same by COM_STMT_EXECUTE.
    Prepared,
    /// 100 rows of some 100 bytes.
    Rows,
    /// A write outside a transaction.
    Write,
    /// BEGIN, a read, a write and COMMIT.
    Transaction,
}

const SCRIPTS: [Script; 5] = [
    Script {
        name: "point select, text",
        statement: Statement::Text,
        limit: 24_400,
    },
    Script {
        name: "point select, prepared",
        statement: Statement::Prepared,
        limit: 20_800,
    },
    Script {
        name: "100 rows, text",
        statement: Statement::Rows,
        limit: 54_000,
    },
    Script {
        name: "update, text",
        statement: Statement::Write,
        limit: 25_000,
    },
    Script {
        name: "transaction of 4 statements",
        statement: Statement::Transaction,
        limit: 98_700,
    },
];

/// Counts instructions for each statement.
#[derive(Debug, Parser)]
struct Options {
    /// How often each statement is said.
    #[arg(long, default_value_t = 1000)]
    statements: u32,
    /// Ends with a failure where a statement takes more than its limit.
    #[arg(long)]
    limit: bool,
    /// Leaves callgrind's files here, for callgrind_annotate.
    #[arg(long)]
    keep: Option<std::path::PathBuf>,
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
    let valgrind = fetch::tool("valgrind").await?;
    let cluster = Cluster::start(lab::Options::with_delays([0])).await?;
    prepare(&cluster).await?;
    let folder = match &options.keep {
        Some(folder) => folder.clone(),
        None => cluster.directory().to_owned(),
    };
    std::fs::create_dir_all(&folder)?;
    let run = async |script: Option<Script>| -> Result<u64, Error> {
        let name = script
            .map_or("login", |it| it.name)
            .replace([' ', ','], "-");
        let counted = Counted::start(&cluster, &valgrind, &folder.join(name)).await?;
        let times = script.map_or(0, |_| options.statements);
        let statement = script.map_or(Statement::Text, |it| it.statement);
        say(counted.socket(), statement, times).await?;
        counted.end().await
    };
    let login = run(None).await?;
    let mut within = true;
    println!("instructions of Tidegate's own for each:");
    for script in SCRIPTS {
        let all = run(Some(script)).await?;
        let each = all.saturating_sub(login) / u64::from(options.statements.max(1));
        let over = each > script.limit;
        within &= !over;
        println!(
            "  {:<30}{each:>8}  (limit {}{})",
            script.name,
            script.limit,
            if over { ", exceeded" } else { "" }
        );
    }
    cluster.stop().await;
    Ok(within || !options.limit)
}

async fn prepare(cluster: &Cluster) -> Result<(), Error> {
    let statements = [
        "CREATE TABLE app.counted (id INT PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL, \
         text CHAR(100) NOT NULL)",
        "SET SESSION cte_max_recursion_depth = 2000",
        "INSERT INTO app.counted (v, text) WITH RECURSIVE n AS \
         (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
         SELECT i, REPEAT('x', 100) FROM n",
    ];
    cluster.writer().execute(statements).await?;
    match cluster.settle(PATIENCE).await? {
        true => Ok(()),
        false => Err("the reader doesn't get the table".into()),
    }
}

/// Logs in, writes, says everything some times, then one thing so often.
async fn say(socket: &Path, statement: Statement, times: u32) -> Result<(), Error> {
    let mut conn = connect(socket).await?;
    let one = "SELECT v FROM counted WHERE id = 500";
    let rows = "SELECT * FROM counted WHERE id BETWEEN 101 AND 200";
    let write = "UPDATE counted SET v = v + 1 WHERE id = 501";
    let prepared = conn.prep("SELECT v FROM counted WHERE id = ?").await?;
    let all = [
        Statement::Write,
        Statement::Transaction,
        Statement::Text,
        Statement::Prepared,
        Statement::Rows,
    ];
    let warm_up = all
        .iter()
        .flat_map(|it| std::iter::repeat_n(*it, WARM_UP as usize));
    for statement in warm_up.chain(std::iter::repeat_n(statement, times as usize)) {
        match statement {
            Statement::Text => conn.query_drop(one).await?,
            Statement::Rows => conn.query_drop(rows).await?,
            Statement::Write => conn.query_drop(write).await?,
            Statement::Prepared => conn.exec_drop(&prepared, (500,)).await?,
            Statement::Transaction => {
                for each in ["BEGIN", one, write, "COMMIT"] {
                    conn.query_drop(each).await?;
                }
            }
        }
    }
    Ok(conn.disconnect().await?)
}

async fn connect(socket: &Path) -> Result<Conn, Error> {
    let opts = OptsBuilder::default()
        .socket(Some(socket.to_string_lossy()))
        .user(Some(APP.user))
        .pass(Some(APP.password))
        .db_name(Some(APP_SCHEMA));
    let since = Instant::now();
    loop {
        match Conn::new(opts.clone()).await {
            Ok(conn) => return Ok(conn),
            // It listens before it has found the writer.
            Err(_) if since.elapsed() < PATIENCE => sleep(Duration::from_millis(50)).await,
            Err(error) => return Err(error.into()),
        }
    }
}
