//! What sessions bear: peers that hang, vanish or come in crowds.

mod limits;
mod orphans;
mod patience;

use tokio::sync::Semaphore;

pub use self::limits::{Limits, OnClientGone};
pub(super) use self::patience::Patience;

/// What all sessions together count against their limits.
#[derive(Debug)]
pub struct Pressure {
    /// For killing what nobody waits for any more.
    kills: Semaphore,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            kills: Semaphore::new(orphans::KILLS),
        }
    }
}
