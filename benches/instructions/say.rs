//! What is said to a Tidegate whose instructions are counted, and where.

use std::iter::repeat_n;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tidegate::lab::fetch::{self, Tool};
use tidegate::lab::{self, APP, APP_SCHEMA, Cluster};
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::count::Counted;

/// How long the reader may take to get the table, and Tidegate to let the client in.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two attempts to log in.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
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

impl Statement {
    const ALL: [Self; 5] = [
        Self::Write,
        Self::Transaction,
        Self::Text,
        Self::Prepared,
        Self::Rows,
    ];

    /// What callgrind's files are called.
    fn file(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A writer and a reader, and callgrind.
pub(crate) struct Stage {
    cluster: Cluster,
    valgrind: Tool,
    folder: PathBuf,
    /// How often each statement is said before it is counted, so that nothing is done for the first
    /// time any more.
    warm_up: usize,
}

impl Stage {
    /// Leaves callgrind's files in the folder, if one is given.
    pub(crate) async fn new(warm_up: usize, keep: Option<&Path>) -> Result<Self, Error> {
        let valgrind = fetch::tool("valgrind").await?;
        let cluster = Cluster::start(lab::Options::with_delays([0])).await?;
        prepare(&cluster).await?;
        let folder = keep.unwrap_or(cluster.directory()).to_owned();
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            cluster,
            valgrind,
            folder,
            warm_up,
        })
    }

    /// What Tidegate runs until a client has logged in and warmed it up; what is said beyond that is
    /// more than this.
    pub(crate) async fn login(&self) -> Result<u64, Error> {
        self.run("login", &[]).await
    }

    /// The same, and a statement so many times.
    pub(crate) async fn said(&self, statement: Statement, times: usize) -> Result<u64, Error> {
        let said: Vec<_> = repeat_n(statement, times).collect();
        self.run(&statement.file(), &said).await
    }

    pub(crate) async fn end(self) {
        self.cluster.stop().await;
    }

    async fn run(&self, name: &str, statements: &[Statement]) -> Result<u64, Error> {
        let file = self.folder.join(name);
        let counted = Counted::start(&self.cluster, &self.valgrind, &file).await?;
        say(counted.socket(), self.warm_up, statements).await?;
        counted.end().await
    }
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

/// Logs in, says everything some times, then these.
async fn say(socket: &Path, warm_up: usize, statements: &[Statement]) -> Result<(), Error> {
    let mut conn = connect(socket).await?;
    let one = "SELECT v FROM counted WHERE id = 500";
    let rows = "SELECT * FROM counted WHERE id BETWEEN 101 AND 200";
    let write = "UPDATE counted SET v = v + 1 WHERE id = 501";
    let prepared = conn.prep("SELECT v FROM counted WHERE id = ?").await?;
    let warm_up = Statement::ALL.iter().flat_map(|it| repeat_n(it, warm_up));
    for statement in warm_up.chain(statements) {
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
            Err(_) if since.elapsed() < PATIENCE => sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}
