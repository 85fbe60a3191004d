//! Keeps the readers of a lab behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::error::Error;
use crate::lab::{self, Cluster};

/// How long a reader may take to catch up before its applier is stopped again.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Holds the readers of a lab back. Dropped, it leaves them as they are.
#[derive(Debug)]
pub(super) struct Tide {
    cluster: Arc<Cluster>,
    ebbing: JoinSet<Result<(), lab::Error>>,
}

impl Tide {
    /// For the readers of this cluster.
    pub(super) fn new(cluster: Arc<Cluster>) -> Self {
        let ebbing = JoinSet::new();
        Self { cluster, ebbing }
    }

    /// Changes the lag. Whole seconds are a `SOURCE_DELAY`, with which rows show between that and a
    /// second later. For anything finer the appliers are stopped and started again, so that the
    /// lag rises from nothing to twice this and falls back.
    pub(super) async fn set(&mut self, lag: Duration) -> Result<(), Error> {
        self.ebbing.shutdown().await;
        let whole = lag.subsec_nanos() == 0;
        let delay = if whole { lag.as_secs() } else { 0 };
        for reader in self.cluster.readers() {
            // It starts the applier, too.
            reader
                .set_delay(u32::try_from(delay).unwrap_or(u32::MAX))
                .await?;
        }
        if !whole {
            let count = u32::try_from(self.cluster.readers().len()).unwrap_or(1);
            for index in 0..count {
                let cluster = Arc::clone(&self.cluster);
                // They take turns, as no two readers of a real cluster lag alike.
                let offset = lag * 2 * index / count;
                self.ebbing
                    .spawn(ebb(cluster, index as usize, lag * 2, offset));
            }
        }
        Ok(())
    }

    /// Something that went wrong meanwhile.
    pub(super) fn failed(&mut self) -> Option<lab::Error> {
        self.ebbing.try_join_next()?.ok()?.err()
    }
}

async fn ebb(
    cluster: Arc<Cluster>,
    index: usize,
    stopped: Duration,
    offset: Duration,
) -> Result<(), lab::Error> {
    let Some(reader) = cluster.readers().get(index) else {
        return Ok(());
    };
    sleep(offset).await;
    loop {
        reader.stop_applier().await?;
        sleep(stopped).await;
        let missing = cluster.writer().executed().await?;
        reader.start_applier().await?;
        reader.wait_executed(&missing, CATCH_UP).await?;
    }
}
