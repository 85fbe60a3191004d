//! Tidegate as a process of its own, so that its memory is its own.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mysql_async::{Conn, OptsBuilder};
use tidegate::lab::{APP, Cluster, MONITOR};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::sleep;

use crate::Error;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Child {
    port: u16,
    process: tokio::process::Child,
    _directory: tempfile::TempDir,
}

impl Child {
    pub(crate) async fn start(cluster: &Cluster) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("tidegate.toml");
        let mut text = format!(
            "[listen]\naddress = \"127.0.0.1:{port}\"\n\
             [monitor]\nuser = \"{}\"\npassword = \"{}\"\n\
             [consistency]\nwait = \"30s\"\n\
             [limits]\nclients = 3000\n[log]\nfilter = \"warn\"\n",
            MONITOR.user, MONITOR.password
        );
        for (instance, (name, role)) in cluster
            .instances()
            .zip([("w1", "writer"), ("r1", "reader")])
        {
            text.push_str(&format!(
                "[[backend]]\nname = \"{name}\"\naddress = \"{}\"\nrole = \"{role}\"\n",
                instance.address()
            ));
        }
        std::fs::write(&file, text)?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
        {
            if process.try_wait()?.is_some() || since.elapsed() > PATIENCE {
                return Err("Tidegate does not listen".into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self {
            port,
            process,
            _directory: directory,
        })
    }

    /// The application's connection through it.
    pub(crate) async fn client(&self) -> Result<Conn, Error> {
        let opts = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some(APP.user))
            .pass(Some(APP.password))
            .prefer_socket(false)
            .db_name(Some("app"));
        Ok(Conn::new(opts).await?)
    }

    /// Its memory, in bytes.
    pub(crate) fn resident(&self) -> Result<u64, Error> {
        let id = self.process.id().ok_or("Tidegate has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
    }

    pub(crate) async fn end(mut self) -> Result<(), Error> {
        Ok(self.process.kill().await?)
    }
}
