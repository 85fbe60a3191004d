//! Waiting for what hardly ever comes, beside what comes with each statement.
//!
//! To be told of a change, or of a time, costs an entry in somebody's list, and taking it out again:
//! more than most of what a statement does. So those entries are made once and stay, and a future is
//! looked at only when its own waker has been called. A wake-up that comes while the session does
//! something else is seen when it waits again.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::net::Timers;

/// A future that is looked at only when it has called.
pub(super) struct Aside<F: Future + ?Sized> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// Rings it.
    ringer: Waker,
    /// Whom it calls, as it was told last.
    listener: Option<Waker>,
}

/// What a future calls instead of its task.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    fn listen(&self, listener: Waker) {
        *self.lock() = Some(listener);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before the task is called, which would find nothing else.
        self.rung.store(true, Ordering::Release);
        let listener = self.lock().clone();
        if let Some(listener) = listener {
            listener.wake();
        }
    }
}

impl<F: Future + ?Sized> Aside<F> {
    /// It is looked at once, the first time that it is waited for.
    pub(super) fn new(future: Pin<Box<F>>) -> Self {
        let bell = Arc::new(Bell::default());
        bell.rung.store(true, Ordering::Relaxed);
        Self {
            future,
            ringer: Waker::from(Arc::clone(&bell)),
            bell,
            listener: None,
        }
    }

    /// Another one in its place.
    pub(super) fn replace(&mut self, future: Pin<Box<F>>) {
        self.future = future;
        self.look_again();
    }

    /// Waits for it. It must not be waited for again once it has ended, unless it was replaced.
    ///
    /// Cancel safe.
    pub(super) async fn wait(&mut self) -> F::Output {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn look_again(&self) {
        self.bell.rung.store(true, Ordering::Release);
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<F::Output> {
        let known = self.listener.as_ref();
        if !known.is_some_and(|known| known.will_wake(cx.waker())) {
            self.listener = Some(cx.waker().clone());
            self.bell.listen(cx.waker().clone());
        }
        // Whoever rings from here on calls the listener, who looks again.
        if !self.bell.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.bell.rung.swap(false, Ordering::AcqRel);
        let mut cx = Context::from_waker(&self.ringer);
        self.future.as_mut().poll(&mut cx)
    }
}

/// A timer for one wait after the other, of which hardly any takes so long that it goes off: it is
/// left as it is while it goes off in time, and goes off once too often then.
pub(super) struct Alarm {
    timers: Timers,
    sleep: Option<Aside<Sleep>>,
}

impl Alarm {
    /// One that is set there.
    pub(super) fn new(timers: &Timers) -> Self {
        Self {
            timers: timers.clone(),
            sleep: None,
        }
    }

    /// Waits for so long; beyond the end of time, for ever.
    ///
    /// Cancel safe.
    pub(super) async fn after(&mut self, pause: Duration) {
        match Instant::now().checked_add(pause) {
            Some(until) => self.at(until).await,
            None => pending().await,
        }
    }

    /// Waits until then.
    ///
    /// Cancel safe.
    pub(super) async fn at(&mut self, until: Instant) {
        let timers = &self.timers;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Aside::new(Box::pin(timers.sleep_until(until))));
        if sleep.future.deadline() > until || sleep.future.is_elapsed() {
            sleep.set(until);
        }
        poll_fn(|cx| {
            loop {
                ready!(sleep.poll(cx));
                if sleep.future.deadline() >= until {
                    return Poll::Ready(());
                }
                sleep.set(until);
            }
        })
        .await;
    }
}

impl Aside<Sleep> {
    fn set(&mut self, until: Instant) {
        self.future.as_mut().reset(until);
        self.look_again();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    const STEP: Duration = Duration::from_millis(5);

    /// Is it over within no time?
    async fn is_over(waiting: impl Future) -> bool {
        timeout(Duration::ZERO, waiting).await.is_ok()
    }

    #[tokio::test]
    async fn what_happens_while_nobody_waits_is_seen_by_who_waits_next() {
        let (tell, told) = oneshot::channel();
        let mut aside = Aside::new(Box::pin(told));
        assert!(!is_over(aside.wait()).await);
        tell.send(7).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(aside.wait().await, Ok(7));
    }

    #[tokio::test]
    async fn who_waits_is_called_from_whichever_task_that_is() {
        let (tell, told) = oneshot::channel();
        let mut aside = Aside::new(Box::pin(told));
        assert!(!is_over(aside.wait()).await);
        let elsewhere = tokio::spawn(async move { aside.wait().await });
        tokio::task::yield_now().await;
        tell.send(7).unwrap();
        assert_eq!(elsewhere.await.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn another_one_is_looked_at_anew() {
        type Either = dyn Future<Output = u8> + Send;
        let first: Pin<Box<Either>> = Box::pin(pending());
        let mut aside = Aside::new(first);
        assert!(!is_over(aside.wait()).await);
        aside.replace(Box::pin(async { 7 }));
        assert_eq!(aside.wait().await, 7);
    }

    #[tokio::test]
    async fn an_alarm_goes_off_no_earlier_than_it_should_whatever_it_was_set_to_before() {
        let mut alarm = Alarm::new(&Timers::here());
        let begun = Instant::now();
        // To be later, earlier, and over already while nobody waited.
        for before in [9, 1, 0] {
            is_over(alarm.at(Instant::now() + before * STEP)).await;
            tokio::time::sleep(STEP).await;
            let due = Instant::now() + 3 * STEP;
            alarm.at(due).await;
            assert!(Instant::now() >= due);
        }
        alarm.at(begun).await;
        alarm.at(begun).await;
    }
}
