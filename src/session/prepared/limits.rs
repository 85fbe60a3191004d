//! How many prepared statements there may be, and how much of them is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::telemetry::Metrics;

/// Limits on prepared statements; one more gets MySQL's error 1461.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedLimits {
    /// Of one client.
    pub per_client: usize,
    /// Of all clients together.
    pub total: usize,
    /// The SQL of all of them together, in bytes: it is kept, since another backend connection may
    /// need it.
    pub bytes: u64,
}

impl Default for PreparedLimits {
    /// MySQL's own total, `max_prepared_stmt_count`, which one client alone may use up; 256 MiB.
    fn default() -> Self {
        Self {
            per_client: 16_382,
            total: 16_382,
            bytes: 256 << 20,
        }
    }
}

/// Counts the prepared statements of all clients.
#[derive(Debug, Default)]
pub struct PreparedCount {
    statements: AtomicUsize,
    bytes: AtomicU64,
    metrics: Option<Arc<Metrics>>,
}

impl PreparedCount {
    /// None yet; the numbers are shown in these metrics.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics: Some(metrics),
            ..Self::default()
        }
    }

    /// How many there are.
    pub fn statements(&self) -> usize {
        self.statements.load(Ordering::Relaxed)
    }

    /// The length of their SQL, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes a place for one of `bytes` of SQL, for a client that has `own` of them.
    pub(in crate::session) fn enter(
        self: &Arc<Self>,
        limits: &PreparedLimits,
        own: usize,
        bytes: u64,
    ) -> Result<Permit, TooMany> {
        // Counted first, so that two clients can't both take the last place.
        let before = self.statements.fetch_add(1, Ordering::Relaxed);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let permit = Permit {
            count: Arc::clone(self),
            bytes,
        };
        self.show();
        let refused = if own >= limits.per_client {
            Some(TooMany::OfClient(own))
        } else if before >= limits.total {
            Some(TooMany::InTotal(before))
        } else {
            let too_long = bytes_before.saturating_add(bytes) > limits.bytes;
            too_long.then_some(TooMany::Bytes(before))
        };
        refused.map_or(Ok(permit), Err)
    }

    fn show(&self) {
        if let Some(metrics) = &self.metrics {
            let statements = i64::try_from(self.statements()).unwrap_or(i64::MAX);
            metrics.prepared_statements().set(statements);
            let bytes = i64::try_from(self.bytes()).unwrap_or(i64::MAX);
            metrics.prepared_bytes().set(bytes);
        }
    }
}

/// One statement's place; given back when it is dropped.
#[derive(Debug)]
pub(in crate::session) struct Permit {
    count: Arc<PreparedCount>,
    bytes: u64,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.count.statements.fetch_sub(1, Ordering::Relaxed);
        self.count.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.count.show();
    }
}

/// Which limit is reached, with how many statements it counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum TooMany {
    /// [`PreparedLimits::per_client`].
    OfClient(usize),
    /// [`PreparedLimits::total`].
    InTotal(usize),
    /// [`PreparedLimits::bytes`].
    Bytes(usize),
}

impl TooMany {
    /// The key in the configuration that moves it.
    pub(in crate::session) fn key(self) -> &'static str {
        match self {
            Self::OfClient(_) => "prepared_statements_per_client",
            Self::InTotal(_) => "prepared_statements",
            Self::Bytes(_) => "prepared_mib",
        }
    }

    /// How many statements there are.
    pub(in crate::session) fn count(self) -> usize {
        match self {
            Self::OfClient(count) | Self::InTotal(count) | Self::Bytes(count) => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p9_one_more_than_each_limit_is_refused_until_one_goes() {
        let limits = PreparedLimits {
            per_client: 2,
            total: 3,
            bytes: 100,
        };
        let count = Arc::new(PreparedCount::default());
        let first = count.enter(&limits, 0, 10).unwrap();
        let _second = count.enter(&limits, 1, 10).unwrap();
        let refused = count.enter(&limits, 2, 10).unwrap_err();
        assert_eq!(refused, TooMany::OfClient(2));
        let refused = count.enter(&limits, 0, 81).unwrap_err();
        assert_eq!(refused, TooMany::Bytes(2));
        let _third = count.enter(&limits, 0, 80).unwrap();
        let refused = count.enter(&limits, 0, 0).unwrap_err();
        assert_eq!(refused, TooMany::InTotal(3));
        assert_eq!((count.statements(), count.bytes()), (3, 100));
        drop(first);
        assert!(count.enter(&limits, 0, 10).is_ok());
    }
}
