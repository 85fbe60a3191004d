//! When the system lets a thread run that serves sessions: at once, or when it is its turn.
//!
//! Under `SCHED_OTHER` a thread that wakes up takes the place of one that runs, often of a client or a
//! server that was about to give it more to do. Under `SCHED_BATCH` it does not
//! ([sched(7)](https://man7.org/linux/man-pages/man7/sched.7.html)): where many sessions are served it
//! finds more to do each time, and sleeps and wakes less often. One that serves a lone session would
//! only be later. `docs/performance.md` has the figures.

use libc::{SCHED_BATCH, SCHED_OTHER, c_int, sched_param};

/// With so many statements of other sessions on their way when one begins, a thread waits for its
/// turn.
const MANY: f64 = 0.5;

/// With fewer than this it does not any more.
const FEW: f64 = 0.3;

/// How the thread runs that this belongs to.
#[derive(Debug)]
pub(super) struct Pace {
    /// None if it is not to be changed: the operator has chosen something for the whole process
    /// (`chrt`), or the system does not allow it.
    policy: Option<c_int>,
}

impl Pace {
    /// That of the calling thread.
    pub(super) fn of_this_thread() -> Self {
        let own = policy().filter(|policy| *policy == SCHED_OTHER);
        Self {
            // A filter of system calls that kills for this one is to do it now, and not under load.
            policy: own.filter(|policy| set_policy(*policy)),
        }
    }

    /// Chooses by how many others a statement met, in the mean; `None` where hardly any began.
    pub(super) fn follow(&mut self, met: Option<f64>) {
        let Some(now) = self.policy else {
            return;
        };
        let wanted = match met {
            Some(met) if met >= MANY => SCHED_BATCH,
            Some(met) if met >= FEW => now,
            Some(_) | None => SCHED_OTHER,
        };
        if wanted == now {
            return;
        }
        self.policy = set_policy(wanted).then_some(wanted);
    }
}

/// The calling thread's policy.
#[expect(
    unsafe_code,
    reason = "the one crate that wraps it sets the niceness, too, which is the operator's"
)]
fn policy() -> Option<c_int> {
    let (mut policy, mut parameters) = (0, STATIC_PRIORITY);
    // SAFETY: the thread is the calling one, and both places are there for the call to write to.
    let error = unsafe {
        libc::pthread_getschedparam(libc::pthread_self(), &raw mut policy, &raw mut parameters)
    };
    (error == 0).then_some(policy)
}

/// Sets it; false if the system does not allow that.
#[expect(unsafe_code, reason = "as above")]
fn set_policy(policy: c_int) -> bool {
    // SAFETY: the thread is the calling one, and the parameters are only read.
    let error = unsafe {
        libc::pthread_setschedparam(libc::pthread_self(), policy, &raw const STATIC_PRIORITY)
    };
    error == 0
}

/// The only one that these policies have.
static STATIC_PRIORITY: sched_param = sched_param { sched_priority: 0 };

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A test has no thread of its own.
    fn apart(run: fn()) {
        thread::spawn(run).join().expect("it ends well");
    }

    #[test]
    fn a_crowd_is_served_in_turns_and_a_lone_session_at_once() {
        apart(|| {
            let mut pace = Pace::of_this_thread();
            let mut after = |met| {
                pace.follow(met);
                policy()
            };
            assert_eq!(after(Some(0.2)), Some(SCHED_OTHER));
            assert_eq!(after(Some(0.4)), Some(SCHED_OTHER));
            assert_eq!(after(Some(3.0)), Some(SCHED_BATCH));
            assert_eq!(after(Some(0.4)), Some(SCHED_BATCH));
            assert_eq!(after(Some(0.2)), Some(SCHED_OTHER));
            assert_eq!(after(Some(3.0)), Some(SCHED_BATCH));
            assert_eq!(after(None), Some(SCHED_OTHER));
        });
    }

    #[test]
    fn what_the_operator_has_chosen_stays() {
        apart(|| {
            assert!(set_policy(SCHED_BATCH));
            let mut pace = Pace::of_this_thread();
            pace.follow(Some(0.0));
            assert_eq!(policy(), Some(SCHED_BATCH));
        });
    }
}
