//! The Tidegate that is checked, which may be replaced by another one at the same port.

use std::time::Duration;

use tidegate::app::Running;
use tidegate::config::Config;
use tidegate::net::Endpoint;
use tokio::sync::Mutex;

use crate::nemesis::FORGETS;
use crate::record::Record;
use crate::wire;

pub(crate) struct House {
    pub(crate) port: u16,
    config: Config,
    running: Mutex<Option<Running>>,
}

impl House {
    pub(crate) async fn open(mut config: Config) -> Self {
        // Who is in the middle of something when it ends is cut off.
        config.session.drain_timeout = Duration::from_millis(20);
        let (running, port) = wire::proxy(config.clone()).await;
        config.listen.addresses = vec![Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        }];
        Self {
            port,
            config,
            running: Mutex::new(Some(running)),
        }
    }

    /// Ends the process and starts another, which remembers nothing.
    pub(crate) async fn replace(&self, record: &Record) {
        let mut running = self.running.lock().await;
        if let Some(running) = running.take() {
            drain(running, record).await;
        }
        record.new_process();
        *running = Some(wire::proxy(self.config.clone()).await.0);
    }

    pub(crate) async fn close(self, record: &Record) {
        if let Some(running) = self.running.into_inner() {
            drain(running, record).await;
        }
    }
}

/// Ends a process. A reader that was made to forget its GTIDs is believed until its next answer;
/// otherwise nothing may have been believed that was wrong.
async fn drain(running: Running, record: &Record) {
    for backend in 0..3 {
        let alarms = running.metrics.consistency_alarms(backend).get();
        assert!(
            alarms == 0 || record.has_done(FORGETS),
            "Tidegate broke what it believed of backend {backend}"
        );
    }
    running.drain().await;
}
