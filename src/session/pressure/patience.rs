//! What ends the wait for a backend's answer before the answer comes.

use std::io::ErrorKind;
use std::time::Duration;

use super::Limits;
use crate::backend::ConnectError;
use crate::net::{Wire, WireError};
use crate::routing::BackendId;
use crate::session::Shared;
use crate::session::aside::Alarm;
use crate::session::relay::RelayError;

/// What was put off while this process itself stood still is done first: the monitor's answer may
/// have been here for long.
const SECOND_LOOK: Duration = Duration::from_millis(100);

/// For how long, and for whom, an answer is waited for.
pub(in crate::session) struct Patience<'a> {
    shared: &'a Shared,
    alarm: &'a mut Alarm,
    backend: BackendId,
    /// While nothing has reached the client.
    first: Duration,
    /// After that.
    later: Duration,
    /// Nobody needs the answer once the client is gone.
    for_client: bool,
}

impl<'a> Patience<'a> {
    /// For a statement that can run elsewhere as long as nothing has reached the client.
    pub(in crate::session) fn with_reader(
        shared: &'a Shared,
        backend: BackendId,
        limits: &Limits,
        alarm: &'a mut Alarm,
    ) -> Self {
        Self {
            shared,
            alarm,
            backend,
            first: limits.first_byte_timeout,
            later: limits.silent_timeout.max(limits.first_byte_timeout),
            for_client: true,
        }
    }

    /// For a statement that can't.
    pub(in crate::session) fn with_writer(
        shared: &'a Shared,
        backend: BackendId,
        limits: &Limits,
        alarm: &'a mut Alarm,
    ) -> Self {
        Self {
            first: limits.silent_timeout,
            later: limits.silent_timeout,
            ..Self::with_reader(shared, backend, limits, alarm)
        }
    }

    /// Is the answer waited for also when the client is gone?
    pub(in crate::session) fn unless(mut self, finishes: bool) -> Self {
        self.for_client = !finishes;
        self
    }

    /// Reads more of the answer.
    ///
    /// Cancel safe: what was read is in the buffers.
    ///
    /// # Errors
    /// [`RelayError::Client`] if the client went away meanwhile; [`RelayError::Backend`] if the
    /// connection broke, or the backend answers nobody any more.
    pub(in crate::session) async fn fill(
        &mut self,
        backend: &mut Wire,
        client: &mut Wire,
        flushed: bool,
    ) -> Result<usize, RelayError> {
        let limit = if flushed { self.later } else { self.first };
        tokio::select! {
            biased;
            filled = backend.fill() => filled.map_err(|error| RelayError::Backend(error.into())),
            () = client.gone(), if self.for_client => Err(RelayError::Client(WireError::Closed)),
            () = silence(self.shared, self.backend, limit, self.alarm) => {
                Err(RelayError::Backend(WireError::Io(ErrorKind::TimedOut.into())))
            }
        }
    }

    /// Waits for what comes before the statement itself, as long as for its first byte.
    ///
    /// # Errors
    /// [`ConnectError::TimedOut`] if the backend answers nobody any more; `waited` is dropped then,
    /// and the connection with it.
    pub(in crate::session) async fn before<T, E: From<ConnectError>>(
        shared: &Shared,
        backend: BackendId,
        limit: Duration,
        waited: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut alarm = Alarm::new(&shared.timers);
        tokio::select! {
            biased;
            done = waited => done,
            () = silence(shared, backend, limit, &mut alarm) => Err(ConnectError::TimedOut.into()),
        }
    }
}

/// Resolves when so much time has passed and the monitor has been without an answer for as long.
async fn silence(shared: &Shared, backend: BackendId, limit: Duration, alarm: &mut Alarm) {
    let mut pause = limit;
    loop {
        alarm.after(pause).await;
        let silent = shared.watch.silent_for(backend).unwrap_or_default();
        pause = limit.saturating_sub(silent).max(SECOND_LOOK);
        if silent >= limit {
            alarm.after(SECOND_LOOK).await;
            if shared
                .watch
                .silent_for(backend)
                .is_some_and(|it| it >= limit)
            {
                return;
            }
        }
    }
}
