//! For how long a backend has left the monitor without an answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Since when a backend is silent. It has its own lock, held for an assignment: whoever looks is in
/// the middle of something.
#[derive(Debug, Default)]
pub(super) struct Silence(Mutex<Option<Instant>>);

impl Silence {
    /// The monitor asks now. A question that is still open counts from when it was asked.
    pub(super) fn asked(&self, now: Instant) {
        self.lock().get_or_insert(now);
    }

    /// There was an answer, were it an error: a server that answers is not dead.
    pub(super) fn answered(&self) {
        *self.lock() = None;
    }

    /// How long the oldest open question has been open.
    pub(super) fn length(&self, now: Instant) -> Option<Duration> {
        let since = *self.lock();
        since.map(|since| now.saturating_duration_since(since))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_first_question_without_an_answer() {
        let silence = Silence::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(silence.length(after(9)), None);
        silence.asked(start);
        silence.asked(after(3));
        assert_eq!(silence.length(after(5)), Some(Duration::from_secs(5)));
        silence.answered();
        assert_eq!(silence.length(after(5)), None);
        silence.asked(after(6));
        assert_eq!(silence.length(after(7)), Some(Duration::from_secs(1)));
    }
}
