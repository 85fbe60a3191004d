//! A Tidegate before the lab, in this process.

use std::net::Ipv4Addr;

use mysql_async::{Conn, Opts, OptsBuilder};

use super::{Error, metrics};
use crate::app::{self, Running};
use crate::config::{self, Config, Fault, Flags};
use crate::lab::{APP, APP_SCHEMA, Cluster, MONITOR};
use crate::net::Endpoint;
use crate::routing::{Role, Scope};

/// A port that the system chooses.
const ANY_PORT: &str = "127.0.0.1:0";

/// A Tidegate that serves. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Proxy {
    running: Running,
    scope: Scope,
    port: u16,
    metrics_port: u16,
    readers: Vec<String>,
}

impl Proxy {
    /// Starts one with the defaults of the command line, but for its scope.
    pub(super) async fn start(cluster: &Cluster, scope: Scope) -> Result<Self, Error> {
        let mut config = configuration(cluster)?;
        config.session.policy.scope = scope;
        let backends = config.backend.backends.iter();
        let readers = backends
            .filter(|backend| backend.role == Role::Reader)
            .map(|backend| backend.name.clone())
            .collect();
        let running = app::start(config).await?;
        let port = |endpoint: Option<&Endpoint>| match endpoint {
            Some(Endpoint::Tcp { port, .. }) => Ok(*port),
            _ => Err(Error::Config("no port is listened on".to_owned())),
        };
        Ok(Self {
            port: port(running.addresses.first())?,
            metrics_port: port(running.http.as_ref())?,
            running,
            scope,
            readers,
        })
    }

    /// Whose writes its reads see.
    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    /// Where it takes clients, on loopback.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Where it shows its metrics.
    pub(super) fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.metrics_port)
    }

    /// How many statements it has sent to readers so far.
    pub(super) async fn at_readers(&self) -> Result<u64, Error> {
        let text = metrics::fetch(self.metrics_port).await?;
        Ok(metrics::statements(&text, &self.readers))
    }

    /// A new connection of the application's.
    pub(super) async fn connect(&self) -> Result<Conn, Error> {
        let opts = OptsBuilder::default()
            .ip_or_hostname(Ipv4Addr::LOCALHOST.to_string())
            .tcp_port(self.port)
            .user(Some(APP.user))
            .pass(Some(APP.password))
            .db_name(Some(APP_SCHEMA))
            .prefer_socket(false);
        Ok(Conn::new(Opts::from(opts)).await?)
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        self.running.drain().await;
    }
}

fn configuration(cluster: &Cluster) -> Result<Config, Error> {
    let readers = cluster.readers().iter();
    let flags = Flags {
        writer: cluster.writer().address().to_string(),
        readers: readers.map(|reader| reader.address().to_string()).collect(),
        monitor_user: MONITOR.user.to_owned(),
        monitor_password_env: "PASSWORD".to_owned(),
        listen: vec![ANY_PORT.to_owned()],
        http: Some(ANY_PORT.to_owned()),
    };
    let environment = |_: &str| Some(MONITOR.password.into());
    let join = |faults: Vec<Fault>| {
        let lines: Vec<_> = faults.iter().map(Fault::to_string).collect();
        Error::Config(lines.join("\n"))
    };
    config::from_flags(&flags, &environment)
        .map(|(config, _)| config)
        .map_err(join)
}
