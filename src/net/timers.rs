//! Timers that stay, or that hardly ever go off: limits.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, Timeout, sleep, sleep_until, timeout};

/// Where limits are set: with a runtime that outlives those that wait, on whatever thread they do.
///
/// A thread that has timers of its own looks for the next one each time that it rests, and is woken up
/// once more by each that is due before all others. So what each session and each thread has for good
/// is set with one runtime for all, which is never without a timer that is due soon.
#[derive(Clone, Debug)]
pub struct Timers(Handle);

impl Timers {
    /// With the runtime that this is called in, which has to have timers.
    ///
    /// # Panics
    /// Outside of a runtime, as [`Handle::current`].
    pub fn here() -> Self {
        Self(Handle::current())
    }

    /// So long may something take.
    pub fn limit<F: Future>(&self, limit: Duration, what: F) -> Timeout<F> {
        let _there = self.0.enter();
        timeout(limit, what)
    }

    /// Ends after so long.
    pub fn sleep(&self, pause: Duration) -> Sleep {
        let _there = self.0.enter();
        sleep(pause)
    }

    /// Ends then.
    pub fn sleep_until(&self, until: Instant) -> Sleep {
        let _there = self.0.enter();
        sleep_until(until)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::thread;

    use tokio::runtime::Builder;

    use super::*;

    #[tokio::test]
    async fn who_waits_needs_no_timers_of_its_own() {
        let timers = Timers::here();
        let bare = Builder::new_current_thread().build().unwrap();
        let (tell, told) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            bare.block_on(async {
                timers.sleep(Duration::from_millis(1)).await;
                timers.sleep_until(Instant::now()).await;
                let limit = Duration::from_millis(1);
                tell.send(timers.limit(limit, pending::<()>()).await)
            })
        });
        assert!(told.await.unwrap().is_err());
    }
}
