//! The drivers, and which of them this run plays.

use std::env;
use std::path::Path;
use std::time::Duration;

use tidegate::lab::Flavour;
use tokio::process::Command;
use tokio::time::timeout;

use super::play::scripts;
use super::support::flavour;

/// How long installing one may take.
const LIMIT: Duration = Duration::from_secs(900);

/// One driver. `setup.sh` installs it and `run.sh` plays its session.
pub(crate) struct Driver {
    /// Its name in the scripts.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// Whether `make test` plays it.
    short: bool,
    /// Whether it can log in without TLS to an account of `caching_sha2_password`.
    pub(crate) plain: bool,
    /// Whether it can be told to insist on TLS with a certificate that nobody has signed.
    pub(crate) tls: bool,
    /// Whose accounts it can log in to, if not everybody's.
    pub(crate) only: Option<Flavour>,
    /// At least so many steps has its session: a script that skips what it should play is noticed.
    pub(crate) steps: usize,
}

const fn driver(name: &'static str, what: &'static str, steps: usize) -> Driver {
    Driver {
        name,
        what,
        short: false,
        plain: true,
        tls: true,
        only: None,
        steps,
    }
}

impl Driver {
    const fn short(mut self) -> Self {
        self.short = true;
        self
    }

    const fn only(mut self, flavour: Flavour) -> Self {
        self.only = Some(flavour);
        self
    }

    const fn only_plain(mut self) -> Self {
        self.tls = false;
        self
    }

    const fn only_tls(mut self) -> Self {
        self.plain = false;
        self
    }
}

const DRIVERS: &[Driver] = &[
    driver("pymysql", "Python, PyMySQL", 60).short(),
    driver("connector-pure", "Python, mysql-connector-python, pure", 60).only_tls(),
    driver("connector-c", "Python, mysql-connector-python, C", 60).only_tls(),
    driver("mysqlclient", "Python, mysqlclient", 60),
    driver("asyncmy", "Python, asyncmy", 56),
    driver("sqlalchemy", "Python, SQLAlchemy with PyMySQL", 60),
    driver("django", "Python, Django with mysqlclient", 60),
    driver("node-mysql2", "Node, mysql2", 60).short(),
    // It knows no plugin but mysql_native_password.
    driver("node-mysql", "Node, mysql", 60).only(Flavour::MariaDb),
    driver("sequelize", "Node, Sequelize with mysql2", 60),
    driver("knex", "Node, Knex with mysql2", 35),
    driver("php-mysqli", "PHP, mysqli", 60),
    driver("php-pdo", "PHP, PDO", 60).short(),
    driver("perl-mysql", "Perl, DBD::mysql", 60).only_plain(),
    driver("perl-mariadb", "Perl, DBD::MariaDB", 60)
        .short()
        .only_plain(),
    driver("ruby-mysql2", "Ruby, mysql2", 60).only_plain(),
    driver("go", "Go, go-sql-driver", 58),
    driver("java-mariadb", "Java, MariaDB Connector/J", 60),
    driver("rust-sqlx", "Rust, sqlx", 55),
    driver("rust-mysql", "Rust, mysql", 70),
    driver("rust-diesel", "Rust, diesel with libmariadb", 55).only_plain(),
    driver(
        "mariadb-cli",
        "mariadb, mariadb-dump and restore, mariadb-slap",
        10,
    ),
    driver("mysql-cli", "mysql, mysqldump and restore, mysqlslap", 10),
    driver("wordpress", "WordPress, installed and clicked through", 50),
];

/// The drivers of this run, each with its version or why it is not there.
pub(crate) async fn chosen(tools: &Path) -> Vec<(&'static Driver, Result<String, String>)> {
    let wish = env::var("TIDEGATE_MATRIX").unwrap_or_default();
    let names: Vec<_> = wish.split_whitespace().collect();
    for name in &names {
        let known = *name == "all" || DRIVERS.iter().any(|driver| driver.name == *name);
        assert!(known, "TIDEGATE_MATRIX={wish}: no driver {name}");
    }
    let chosen = DRIVERS.iter().filter(|driver| match &names[..] {
        [] => driver.short,
        ["all"] => true,
        names => names.contains(&driver.name),
    });
    let mut found = Vec::new();
    for driver in chosen {
        found.push((driver, set_up(driver, tools).await));
    }
    found
}

async fn set_up(driver: &Driver, tools: &Path) -> Result<String, String> {
    if flavour() == Flavour::MariaDb && !driver.plain {
        return Err("played on MySQL".to_owned());
    }
    if driver.only.is_some_and(|only| only != flavour()) {
        return Err("no plugin of this server's; played on MariaDB".to_owned());
    }
    let mut command = Command::new("bash");
    command
        .arg(scripts().join("setup.sh"))
        .arg(driver.name)
        .env("MATRIX_TOOLS", tools)
        .kill_on_drop(true);
    let output = timeout(LIMIT, command.output()).await;
    let output = output.map_err(|_| format!("its installation took longer than {LIMIT:?}"))?;
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.trim().lines().last().unwrap_or_default().to_owned()
    };
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
