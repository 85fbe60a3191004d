//! The cluster that is measured, and how it is reached.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use tokio::time::timeout;

use super::arguments::{Own, Place};
use super::error::Error;
use super::target::Target;
use crate::backend::online::{self, Severity};
use crate::cli::local::{before_lab, opts};
use crate::config::Config;
use crate::lab::{self, APP, Cluster};
use crate::net::Endpoint;

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A cluster.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) writer: Endpoint,
    pub(super) readers: Vec<Endpoint>,
    /// For a Tidegate before it; none if none is wanted.
    pub(super) config: Option<Config>,
    /// Whose servers, and of which version.
    pub(super) product: String,
    /// The throwaway cluster, if it is one.
    pub(super) lab: Option<Arc<Cluster>>,
    user: String,
    password: String,
}

impl Site {
    /// Starts a lab, or finds out whether the user's cluster is there and fit.
    pub(super) async fn open(place: &Place, targets: &[Target]) -> Result<Self, Error> {
        let site = match place {
            Place::Lab { readers, flavour } => {
                super::progress("starting a lab");
                let delays = std::iter::repeat_n(0, *readers);
                let options = lab::Options {
                    flavour: *flavour,
                    ..lab::Options::with_delays(delays)
                };
                Self::of_lab(Cluster::start(options).await?)?
            }
            Place::Own(own) => Self::of_own(own).await?,
        };
        for target in targets {
            if let Target::Other { name, address } = target {
                site.connect(name, address).await?;
            }
        }
        Ok(site)
    }

    fn of_lab(cluster: Cluster) -> Result<Self, Error> {
        let endpoint = |instance: &lab::Instance| Endpoint::Tcp {
            host: instance.address().ip().to_string(),
            port: instance.port(),
        };
        Ok(Self {
            writer: endpoint(cluster.writer()),
            readers: cluster.readers().iter().map(endpoint).collect(),
            config: Some(before_lab(&cluster).map_err(Error::Usage)?),
            product: cluster.programs().product(),
            user: APP.user.to_owned(),
            password: APP.password.to_owned(),
            lab: Some(Arc::new(cluster)),
        })
    }

    async fn of_own(own: &Own) -> Result<Self, Error> {
        let mut site = Self {
            writer: own.writer.clone(),
            readers: own.readers.clone(),
            config: own.config.clone(),
            product: String::new(),
            lab: None,
            user: own.user.clone(),
            password: own.password.clone(),
        };
        let mut conn = site.connect("the writer", &site.writer).await?;
        let version: Option<String> = conn
            .query_first("SELECT VERSION()")
            .await
            .map_err(Error::statement("asking the writer for its version"))?;
        site.product = version.unwrap_or_default();
        for reader in &site.readers {
            site.connect("a reader", reader).await?;
        }
        if let Some(config) = &site.config {
            let findings = online::check(&config.backend).await;
            let faults = findings.iter().filter(|it| it.severity == Severity::Fault);
            let faults: Vec<_> = faults.map(ToString::to_string).collect();
            if !faults.is_empty() {
                return Err(Error::Unfit(faults.join("\n")));
            }
        }
        Ok(site)
    }

    /// How the load reaches an address.
    pub(super) fn opts(&self, address: &Endpoint) -> Opts {
        opts(address, &self.user, &self.password).into()
    }

    /// A connection of the load's account.
    pub(super) async fn connect(&self, what: &str, address: &Endpoint) -> Result<Conn, Error> {
        let unreachable = |why: String| Error::Unreachable {
            what: what.to_owned(),
            address: address.clone(),
            why,
        };
        match timeout(CONNECT_LIMIT, Conn::new(self.opts(address))).await {
            Ok(connected) => connected.map_err(|error| unreachable(error.to_string())),
            Err(_) => Err(unreachable(format!(
                "no answer in {} s",
                CONNECT_LIMIT.as_secs()
            ))),
        }
    }

    /// Ends what was started.
    pub(super) async fn close(self) {
        if let Some(cluster) = self.lab.and_then(Arc::into_inner) {
            cluster.stop().await;
        }
    }
}
