//! The Tidegate that is broken: a process of its own, which is restarted, crashes, hands over to
//! another one and reads other configurations while clients are there.

use std::fs;
use std::time::Duration;

use tidegate::config::Config;
use tidegate::lab::Cluster;
use tidegate::net::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::process::{Process, configuration, signal};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Reloads of one storm.
const RELOADS: u32 = 12;

const SETTINGS: &str = "[consistency]\nscope = \"user\"\n[limits]\nsilent_timeout = \"10s\"\n\
                        slow_start = \"0s\"\n";

/// The process that takes clients now; those that it took over from end by themselves.
pub(crate) struct Front {
    process: Process,
    pid: String,
    handovers: usize,
    reloads: usize,
    text: String,
}

impl Front {
    /// Starts one that reaches the backends at the addresses of `laid`, and finds out who the writer
    /// is.
    pub(crate) async fn start(lab: &Cluster, laid: &Config) -> Self {
        let mut kept = String::new();
        let process = Process::with(|ports| {
            kept = configuration(lab, ports, 2, SETTINGS);
            for (instance, backend) in lab.instances().zip(&laid.backend.backends) {
                let Endpoint::Tcp { host, port } = &backend.address else {
                    panic!("a cable is reached by TCP");
                };
                let own = format!("\"127.0.0.1:{}\"", instance.port());
                kept = kept.replace(&own, &format!("\"{host}:{port}\""));
            }
            for role in ["writer", "reader"] {
                kept = kept.replace(&format!("role = \"{role}\""), "role = \"auto\"");
            }
            kept.clone()
        });
        let process = process.await;
        let pid = process.child.id().expect("it runs").to_string();
        Self {
            process,
            pid,
            handovers: 0,
            reloads: 0,
            text: kept,
        }
    }

    /// Where clients find it, whichever process that is.
    pub(crate) fn port(&self) -> u16 {
        self.process.port
    }

    /// Asked to end, it drains; then another one is started.
    pub(crate) async fn restart(&mut self) {
        signal(&self.pid, "TERM").await;
        self.start_again().await;
    }

    /// Killed, and started again.
    pub(crate) async fn crash(&mut self) {
        signal(&self.pid, "KILL").await;
        self.start_again().await;
    }

    async fn start_again(&mut self) {
        // One that nobody waits for stays on the list of processes.
        let _ = timeout(Duration::ZERO, self.process.child.wait()).await;
        let ended = async {
            while is_there(&self.pid) {
                let _ = self.process.child.try_wait();
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, ended).await.expect("it ends");
        self.process.start_again().await;
        self.pid = self.process.child.id().expect("it runs").to_string();
    }

    /// Hands the listeners over to a process of its own making, and drains.
    pub(crate) async fn upgrade(&mut self) {
        const HANDED: &str = " handed over pid=";
        self.handovers += 1;
        let old = self.pid.clone();
        signal(&old, "USR2").await;
        self.process.until_log_says(HANDED, self.handovers).await;
        let log = self.process.log();
        let (_, pid) = log.rsplit_once(HANDED).expect("a line");
        let pid = pid.split_whitespace().next().expect("a number");
        self.pid = pid.to_owned();
        let ended = async {
            while is_there(&old) {
                let _ = self.process.child.try_wait();
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, ended).await.expect("the old one ends");
    }

    /// One configuration after the other: a reader goes and comes, weights and limits change.
    pub(crate) async fn storm(&mut self) {
        for round in 0..RELOADS {
            let text = match round % 3 {
                0 => without_last_backend(&self.text),
                1 => {
                    let weight = format!("role = \"auto\"\nweight = {}", round + 1);
                    self.text.replace("role = \"auto\"", &weight)
                }
                _ => self.text.clone(),
            };
            fs::write(self.process.config_path(), text).unwrap();
            self.reloads += 1;
            signal(&self.pid, "HUP").await;
            const TAKEN: &str = "the configuration was taken up";
            self.process.until_log_says(TAKEN, self.reloads).await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it has found each backend up, and a writer.
    pub(crate) async fn all_up(&self) {
        let all = async {
            loop {
                let metrics = self.metrics().await.unwrap_or_default();
                let has = |line: &str| metrics.lines().any(|it| it == line);
                let up = |name| has(&format!("tidegate_backend_up{{backend=\"{name}\"}} 1"));
                if ["w1", "r1", "r2"].into_iter().all(up)
                    && metrics.contains("tidegate_backend_writer{backend=\"w1\"} 1")
                {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LIMIT, all)
            .await
            .expect("every backend is up again");
    }

    async fn metrics(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.process.http)).await?;
        let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Ends it; what none of its processes may have said is a fault.
    pub(crate) async fn end(self) {
        signal(&self.pid, "TERM").await;
        let ended = async {
            while is_there(&self.pid) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(LIMIT, ended).await;
        let log = self.process.log();
        for unwanted in ["panicked", "is older than the backend's watermark"] {
            let lines: Vec<_> = log.lines().filter(|it| it.contains(unwanted)).collect();
            assert!(lines.is_empty(), "{lines:#?}");
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may be no child of ours.
        let kill = std::process::Command::new("kill");
        let _ = { kill }.args(["-s", "KILL", &self.pid]).output();
    }
}

fn without_last_backend(text: &str) -> String {
    let (before, last) = text.rsplit_once("[[backend]]").expect("a backend");
    let (_, rest) = last.split_once("[consistency]").expect("settings");
    format!("{before}[consistency]{rest}")
}

/// Whether a process is there, and not only its number.
fn is_there(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status.rsplit_once(") ").map(|(_, state)| state);
    state.is_some_and(|state| !state.starts_with('Z'))
}
