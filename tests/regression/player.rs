//! Runs MySQL's own driver.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tidegate::lab::fetch::TestSuite;
use tokio::process::Command;
use tokio::time::timeout;

use super::listed::Protocol;
use super::stage::Stage;

/// How long a test may take directly; through Tidegate twice as long.
const LIMIT: Duration = Duration::from_secs(45);

/// The driver's word that a test can't be played here.
const SKIPPED: i32 = 62;

/// Programs that tests call, each with the variable that names it and whether it stands there with
/// how to reach the server.
const CLIENTS: [(&str, &str, bool); 10] = [
    ("MYSQL", "mysql", true),
    ("EXE_MYSQL", "mysql", false),
    ("MYSQL_DUMP", "mysqldump", true),
    ("MYSQL_SHOW", "mysqlshow", true),
    ("MYSQL_IMPORT", "mysqlimport", true),
    ("MYSQL_CHECK", "mysqlcheck", true),
    ("MYSQL_SLAP", "mysqlslap", true),
    ("MYSQLADMIN", "mysqladmin", false),
    ("MYSQL_BINLOG", "mysqlbinlog", false),
    ("MYSQL_CONFIG_EDITOR", "mysql_config_editor", false),
];

/// Where a test's connections go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    Direct,
    Tidegate,
}

/// What came of it.
pub(crate) enum Play {
    /// What the driver printed, and how it ended.
    Printed(String),
    /// The test asks for something that is not here.
    Skipped,
    /// It did not end in time.
    Slow,
}

/// Plays one test.
pub(crate) async fn play(
    stage: &Stage,
    suite: &TestSuite,
    test: &str,
    protocol: Protocol,
    road: Road,
) -> Play {
    let port = stage.point_to(road);
    let mut command = suite.mysqltest().command();
    let variable = stage.variable();
    command
        .arg("--no-defaults")
        .args(["--silent", "--database=test", "--user=root", "--password="])
        .args([
            "--host=localhost",
            "--max-connections=128",
            "--tail-lines=20",
        ])
        .arg(format!("--port={port}"))
        .arg(joined("--socket=", &stage.socket()))
        .arg(joined("--tmpdir=", &variable.join("tmp")))
        .arg(joined("--logdir=", &variable.join("log")))
        .arg(format!("--basedir={}/", suite.directory().display()))
        .arg(joined("--character-sets-dir=", &charsets(suite)))
        .arg(joined(
            "--plugin_dir=",
            &suite.base().join("lib/mysql/plugin"),
        ))
        .arg(joined("--test-file=", &suite.test(test)))
        .args(protocol.options())
        .current_dir(suite.directory())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    environment(&mut command, stage, suite, port);
    let limit = match road {
        Road::Direct => LIMIT,
        Road::Tidegate => LIMIT * 2,
    };
    let child = command.spawn().expect("mysqltest runs");
    let Ok(output) = timeout(limit, child.wait_with_output()).await else {
        return Play::Slow;
    };
    let output = output.expect("mysqltest's output");
    if output.status.code() == Some(SKIPPED) {
        return Play::Skipped;
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let mut text = replace_word(&text, &port.to_string(), "PORT");
    let ended = output.status.code().unwrap_or(-1);
    text.push_str(&format!("\nended with {ended}\n"));
    Play::Printed(text)
}

fn charsets(suite: &TestSuite) -> std::path::PathBuf {
    suite.base().join("share/mysql/charsets")
}

fn joined(option: &str, path: &Path) -> String {
    format!("{option}{}", path.display())
}

/// What `mysql-test-run` would tell the driver and the tests.
fn environment(command: &mut Command, stage: &Stage, suite: &TestSuite, port: u16) {
    let variable = stage.variable();
    let socket = stage.socket();
    let reach = format!(
        "--no-defaults --user=root --password= --host=localhost --port={port} --socket={}",
        socket.display()
    );
    for (name, program, whole) in CLIENTS {
        let script = stage.script(suite, program);
        let value = match (whole, name) {
            (true, _) => format!("{} {reach}", script.display()),
            (false, "MYSQL_BINLOG") => format!("{} --no-defaults", script.display()),
            (false, _) => script.display().to_string(),
        };
        command.env(name, value);
    }
    let (directory, base) = (suite.directory(), suite.base());
    command
        .env("LC_ALL", "C")
        .env("TZ", "GMT-3")
        .env("USER", "root")
        .env("PLUGIN_SUFFIX", "so")
        .env("MYSQL_TEST_ROOT", "YES")
        .env("MYSQLTEST_FILE", "x")
        .env("DEFAULT_MASTER_PORT", "3306");
    for name in [
        "USE_RUNNING_SERVER",
        "VALGRIND_TEST",
        "VALGRIND_SERVER_TEST",
        "SECONDARY_ENGINE_TEST",
    ] {
        command.env(name, "0");
    }
    for name in ["MASTER_MYPORT", "MASTER_MYPORT1"] {
        command.env(name, port.to_string());
    }
    for name in ["MASTER_MYSOCK", "MASTER_MYSOCK1"] {
        command.env(name, &socket);
    }
    let paths = [
        ("MYSQL_TEST_DIR", directory.clone()),
        ("MYSQL_TEST_DIR_ABS", directory),
        ("MYSQLTEST_VARDIR", variable.clone()),
        ("MYSQLTEST_VARDIR_ABS", variable.clone()),
        ("MYSQL_TMP_DIR", variable.join("tmp")),
        ("SECURE_LOAD_PATH", variable.join("std_data")),
        ("MYSQL_BINDIR", base.clone()),
        ("MYSQL_BASEDIR", base.clone()),
        ("MYSQL_SHAREDIR", base.join("share/mysql")),
        ("MYSQL_CHARSETSDIR", charsets(suite)),
    ];
    command.envs(paths);
}

/// Replaces a word of digits where it stands alone.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let alone = !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.')
            && !after.starts_with(|c: char| c.is_ascii_alphanumeric());
        replaced.push_str(before);
        replaced.push_str(if alone { by } else { word });
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

#[test]
fn a_port_is_replaced_where_it_stands_alone() {
    let text = replace_word("port 1310, 0.1310 and 31310; 1310", "1310", "PORT");
    assert_eq!(text, "port PORT, 0.1310 and 31310; PORT");
}
