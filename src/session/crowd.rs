//! How many statements and logins of one thread are on their way at backends at the same time.

use std::cell::Cell;

thread_local! {
    static CROWD: Crowd = const { Crowd::new() };
}

/// A mean of fewer than this says nothing.
const FEW: u32 = 32;

#[derive(Debug)]
struct Crowd {
    running: Cell<u32>,
    /// Since the last look: so many have begun.
    begun: Cell<u32>,
    /// And met so many others, in all.
    met: Cell<u64>,
}

impl Crowd {
    const fn new() -> Self {
        Self {
            running: Cell::new(0),
            begun: Cell::new(0),
            met: Cell::new(0),
        }
    }
}

/// A statement or a login that a backend is to answer, until this is dropped; its thread sees it to its
/// end.
#[derive(Debug)]
pub(super) struct Member(());

/// One begins.
pub(super) fn enter() -> Member {
    CROWD.with(|crowd| {
        let others = crowd.running.get();
        crowd.running.set(others + 1);
        crowd.begun.set(crowd.begun.get().saturating_add(1));
        crowd.met.set(crowd.met.get() + u64::from(others));
    });
    Member(())
}

/// One goes on that has begun before.
pub(super) fn come_back() -> Member {
    CROWD.with(|crowd| crowd.running.set(crowd.running.get() + 1));
    Member(())
}

impl Drop for Member {
    fn drop(&mut self) {
        CROWD.with(|crowd| crowd.running.set(crowd.running.get().saturating_sub(1)));
    }
}

/// How many others ran when one of this thread's began: the mean since this was asked last.
/// `None` where hardly any began.
pub fn met_since_last_look() -> Option<f64> {
    let (begun, met) = CROWD.with(|crowd| (crowd.begun.take(), crowd.met.take()));
    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 2^53 nobody asks for the last digit"
    )]
    let met = met as f64;
    (begun >= FEW).then(|| met / f64::from(begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_meets_those_that_run() {
        assert_eq!(met_since_last_look(), None);
        for _ in 0..FEW {
            drop(enter());
        }
        assert_eq!(met_since_last_look(), Some(0.0));
        let others = (enter(), enter());
        assert_eq!(met_since_last_look(), None, "two are not enough");
        for _ in 0..FEW {
            drop(enter());
        }
        assert_eq!(met_since_last_look(), Some(2.0));
        drop(others);
        for _ in 0..FEW {
            drop(enter());
        }
        assert_eq!(met_since_last_look(), Some(0.0));
    }
}
