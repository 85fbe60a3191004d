//! A Tidegate as a process of its own, with a configuration file that tests write.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mysql_async::Conn;
use tempfile::TempDir;
use tidegate::lab::{Cluster, MONITOR};
use tokio::process::{Child, Command};

use crate::support::application;

/// Longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What it logs once it takes clients.
const SERVING: &str = "serving";

/// The process and its files. Dropped, it is killed.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) port: u16,
    pub(crate) http: u16,
    directory: TempDir,
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A configuration for a lab; `more` is added to it, and of its readers the first so many are in it.
pub(crate) fn configuration(
    lab: &Cluster,
    (port, http): (u16, u16),
    readers: usize,
    more: &str,
) -> String {
    let backend = |name: &str, port: u16, role: &str| {
        format!(
            "[[backend]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nrole = \"{role}\"\n"
        )
    };
    let mut text = format!(
        "[listen]\naddress = \"127.0.0.1:{port}\"\n[http]\naddress = \"127.0.0.1:{http}\"\n\
         [monitor]\nuser = \"{}\"\npassword = \"{}\"\n",
        MONITOR.user, MONITOR.password,
    );
    text.push_str(&backend("w1", lab.writer().port(), "writer"));
    for (reader, name) in lab.readers().iter().zip(["r1", "r2"]).take(readers) {
        text.push_str(&backend(name, reader.port(), "reader"));
    }
    text.push_str(more);
    text
}

impl Process {
    /// Starts one with this configuration, and waits until it takes clients.
    pub(crate) async fn start(lab: &Cluster, more: &str) -> Self {
        Self::with(|ports| configuration(lab, ports, 2, more)).await
    }

    /// The same with a configuration for the ports that it gets.
    pub(crate) async fn with(text: impl FnOnce((u16, u16)) -> String) -> Self {
        let ports = (free_port(), free_port());
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("tidegate.toml"), text(ports)).unwrap();
        let process = Self {
            child: spawn(directory.path()),
            port: ports.0,
            http: ports.1,
            directory,
        };
        process.until_log_says(SERVING, 1).await;
        process
    }

    /// Starts it again on the same ports, after it has ended.
    pub(crate) async fn start_again(&mut self) {
        let before = self.log().matches(SERVING).count();
        self.child = spawn(self.directory.path());
        self.until_log_says(SERVING, before + 1).await;
    }

    /// Where its configuration is.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.directory.path().join("tidegate.toml")
    }

    /// The directory of its files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes its configuration anew.
    pub(crate) fn configure(&self, lab: &Cluster, readers: usize, more: &str) {
        let text = configuration(lab, (self.port, self.http), readers, more);
        fs::write(self.config_path(), text).unwrap();
    }

    /// Sends it a signal.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("a process that runs").to_string();
        signal(&pid, name).await;
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Waits until its log has so many lines with this text.
    pub(crate) async fn until_log_says(&self, text: &str, times: usize) {
        let said = async {
            while self.log().matches(text).count() < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(LIMIT, said).await.is_err() {
            panic!("{text:?} is not there {times} times in\n{}", self.log());
        }
    }

    /// A connection of the application's.
    pub(crate) async fn client(&self) -> mysql_async::Result<Conn> {
        connect(self.port).await
    }
}

/// It runs on the files of this directory, and adds to the log there.
fn spawn(directory: &Path) -> Child {
    let mut log = fs::OpenOptions::new();
    let log = log.append(true).create(true);
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["serve", "--config"])
        .arg(directory.join("tidegate.toml"))
        .stdin(Stdio::null())
        .stderr(log.open(directory.join("log")).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Sends a signal to a process.
pub(crate) async fn signal(pid: &str, name: &str) {
    let kill = Command::new("kill").args(["-s", name, pid]).status().await;
    assert!(kill.unwrap().success());
}

/// A connection of the application's.
pub(crate) async fn connect(port: u16) -> mysql_async::Result<Conn> {
    Conn::new(application(port)).await
}
