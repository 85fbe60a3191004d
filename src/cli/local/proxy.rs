//! A Tidegate in this process.

use std::net::Ipv4Addr;

use crate::app::{self, Running, StartError};
use crate::config::{self, Config, Fault, Flags};
use crate::lab::{Cluster, MONITOR};
use crate::net::Endpoint;
use crate::routing::Role;
use crate::telemetry;

/// A port that the system chooses.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// A Tidegate that serves. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Proxy {
    running: Running,
    address: Endpoint,
    readers: Vec<(usize, String)>,
}

impl Proxy {
    /// Starts one.
    pub(crate) async fn start(config: Config) -> Result<Self, StartError> {
        let backends = config.backend.backends.iter().enumerate();
        let readers = backends
            .filter(|(_, backend)| backend.role == Some(Role::Reader))
            .map(|(index, backend)| (index, backend.name.clone()))
            .collect();
        let running = app::start(config).await?;
        // A configuration has at least one address.
        let address = running.addresses.first().cloned();
        Ok(Self {
            address: address.unwrap_or_else(|| tcp(0)),
            running,
            readers,
        })
    }

    /// Where it takes clients.
    pub(crate) fn address(&self) -> &Endpoint {
        &self.address
    }

    /// The port where it takes clients, on loopback.
    pub(crate) fn port(&self) -> u16 {
        port(&self.address)
    }

    /// The port where it shows its metrics.
    pub(crate) fn metrics_port(&self) -> u16 {
        self.running.http.as_ref().map_or(0, port)
    }

    /// The readers' names.
    pub(crate) fn readers(&self) -> Vec<String> {
        self.readers.iter().map(|(_, name)| name.clone()).collect()
    }

    /// How far each reader is behind the writer, in seconds, where that is known.
    pub(crate) fn lags(&self) -> Vec<Option<f64>> {
        let lag = |(index, _): &(usize, String)| {
            let lag = self.metrics().backend_lag(*index).get();
            lag.is_finite().then_some(lag)
        };
        self.readers.iter().map(lag).collect()
    }

    /// What it counts.
    pub(crate) fn metrics(&self) -> &telemetry::Metrics {
        &self.running.metrics
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.running.drain().await;
    }
}

/// A configuration with the defaults of the command line, for a Tidegate before a lab.
///
/// # Errors
/// Every fault, a line each.
pub(crate) fn before_lab(cluster: &Cluster) -> Result<Config, String> {
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
        lines.join("\n")
    };
    config::from_flags(&flags, &environment)
        .map(|(config, _)| config)
        .map_err(join)
}

fn tcp(port: u16) -> Endpoint {
    Endpoint::Tcp {
        host: Ipv4Addr::LOCALHOST.to_string(),
        port,
    }
}

fn port(endpoint: &Endpoint) -> u16 {
    match endpoint {
        Endpoint::Tcp { port, .. } => *port,
        Endpoint::Unix(_) => 0,
    }
}
