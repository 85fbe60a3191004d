//! Slows down who tries passwords, and keeps failed logins away from the backends: those count
//! them by host, and all clients come from the proxy's.
//!
//! After so many failures in a row of one account from one address, one login of it is handed on
//! in each pause, which grows; the others are refused after a while, and no backend hears of them.
//! A password that was right before is handed on at once, so nobody is locked out by others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::RngCore;
use sha2::{Digest, Sha256};

use super::Ended;
use super::login::LoginFailure;
use super::session::Session;
use crate::error::ClientError;

/// So many accounts and addresses are remembered; then those of longest ago are forgotten.
const ENTRIES: usize = 10_000;

/// Who has not failed for so long has a clean slate.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// The first pause and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a refusal takes at most: the connection is held meanwhile.
const LONGEST_DELAY: Duration = Duration::from_secs(4);

/// What the server answers to a wrong password: ER_ACCESS_DENIED_ERROR, and
/// ER_ACCESS_DENIED_NO_PASSWORD_ERROR.
const DENIED: [u16; 2] = [1045, 1698];

/// Failed logins, by address and account.
#[derive(Debug)]
pub struct Failures {
    /// Makes what is kept of right passwords worthless to anybody else.
    salt: [u8; 32],
    entries: Mutex<HashMap<Name, Entry>>,
}

type Name = (String, Vec<u8>);

#[derive(Clone, Debug)]
struct Entry {
    failures: u32,
    /// When it last failed or was tried.
    last: Instant,
    /// A salted digest of the password that was right last.
    right: Option<[u8; 32]>,
}

impl Default for Failures {
    fn default() -> Self {
        let mut salt = [0; 32];
        rand::rng().fill_bytes(&mut salt);
        Self {
            salt,
            entries: Mutex::default(),
        }
    }
}

impl Failures {
    /// How long a login has to be refused for, instead of being handed on; none if it is not.
    /// Beyond `free` failures it counts as tried.
    pub(super) fn refusal(
        &self,
        (host, user): (&str, &[u8]),
        password: &[u8],
        free: u32,
        now: Instant,
    ) -> Option<Duration> {
        let right = self.digest(password);
        let mut entries = self.lock();
        let entry = entries.get_mut(&name(host, user))?;
        if entry.right == Some(right) {
            return None;
        }
        let pause = entry.pause(free, now)?;
        if now.saturating_duration_since(entry.last) < pause {
            return Some(pause.min(LONGEST_DELAY));
        }
        // The others that come in this pause are refused.
        entry.last = now;
        None
    }

    /// Puts an answer off where the proxy itself compares passwords, and `claiming` does.
    pub(super) async fn around<T>(
        &self,
        (host, user): (&str, &[u8]),
        free: u32,
        claiming: impl Future<Output = Result<T, LoginFailure>>,
    ) -> Result<T, LoginFailure> {
        let delay = self.delay((host, user), free, Instant::now());
        // A timer takes a millisecond at least, also for no time at all.
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let claimed = claiming.await;
        if let Err(LoginFailure::Refused(error)) = &claimed
            && DENIED.contains(&error.code)
        {
            self.failed((host, user), Instant::now());
        }
        claimed
    }

    fn delay(&self, (host, user): (&str, &[u8]), free: u32, now: Instant) -> Duration {
        let entries = self.lock();
        let entry = entries.get(&name(host, user));
        let pause = entry.and_then(|entry| entry.pause(free, now));
        pause.unwrap_or_default().min(LONGEST_DELAY)
    }

    /// A login has failed.
    pub(super) fn failed(&self, (host, user): (&str, &[u8]), now: Instant) {
        let mut entries = self.lock();
        let entry = entry(&mut entries, name(host, user), now);
        if now.saturating_duration_since(entry.last) > MEMORY {
            entry.failures = 0;
        }
        entry.failures = entry.failures.saturating_add(1);
        entry.last = now;
    }

    /// This password was right.
    pub(super) fn succeeded(&self, (host, user): (&str, &[u8]), password: &[u8], now: Instant) {
        let right = self.digest(password);
        let mut entries = self.lock();
        entry(&mut entries, name(host, user), now).right = Some(right);
    }

    /// A salted digest, which says nothing to whoever gets hold of it or measures how it is compared.
    pub(super) fn digest(&self, password: &[u8]) -> [u8; 32] {
        let digest = Sha256::new().chain_update(self.salt).chain_update(password);
        digest.finalize().into()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, Entry>> {
        // A map is whole between two statements that hold it.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The pause between two logins that are handed on; none while there is none.
    fn pause(&self, free: u32, now: Instant) -> Option<Duration> {
        let is_old = now.saturating_duration_since(self.last) > MEMORY;
        let beyond = self
            .failures
            .checked_sub(free)
            .filter(|_| free > 0 && !is_old)?;
        let pause = FIRST_PAUSE.saturating_mul(1 << beyond.min(16));
        Some(pause.min(LONGEST_PAUSE))
    }
}

fn entry(entries: &mut HashMap<Name, Entry>, name: Name, now: Instant) -> &mut Entry {
    if entries.len() >= ENTRIES && !entries.contains_key(&name) {
        let mut times: Vec<Instant> = entries.values().map(|entry| entry.last).collect();
        let quarter = times.len() / 4;
        let oldest = *times.select_nth_unstable(quarter).1;
        entries.retain(|_, entry| entry.last > oldest);
    }
    entries.entry(name).or_insert(Entry {
        failures: 0,
        last: now,
        right: None,
    })
}

/// The address without its port, and the account.
fn name(host: &str, user: &[u8]) -> Name {
    let address = match host.parse::<SocketAddr>() {
        Ok(address) => address.ip().to_string(),
        Err(_) => host.to_owned(),
    };
    (address, user.to_vec())
}

impl Session {
    /// Logs in as [`Session::log_in`] does, unless too many logins have failed before.
    ///
    /// # Errors
    /// As [`Session::log_in`].
    pub(super) async fn try_log_in(&mut self) -> Result<bool, Ended> {
        if self.is_slowed_down().await? {
            return Ok(false);
        }
        self.refused = None;
        let logged_in = self.log_in().await?;
        if logged_in || self.refused.is_some() {
            self.note_login(self.refused);
        }
        Ok(logged_in)
    }

    /// Refuses a login that follows on too many failed ones; true if it did.
    ///
    /// # Errors
    /// The client is gone.
    async fn is_slowed_down(&mut self) -> Result<bool, Ended> {
        let credentials = &self.request.credentials;
        let who = (self.host.as_str(), credentials.user.as_slice());
        let free = self.config.limits.login_failures;
        let failures = &self.shared.failures;
        let refusal = failures.refusal(who, &credentials.password, free, Instant::now());
        let Some(delay) = refusal else {
            return Ok(false);
        };
        let user = String::from_utf8_lossy(&credentials.user).into_owned();
        let with_password = !credentials.password.is_empty();
        self.shared.metrics.logins_slowed().inc();
        tracing::info!(
            client = self.entry.id,
            from = self.host,
            user,
            "login slowed down"
        );
        tokio::time::sleep(delay).await;
        self.refuse(&ClientError::access_denied(
            &user,
            &self.host,
            with_password,
        ))
        .await?;
        Ok(true)
    }

    /// A backend has decided about a login; the number of its error, if it has refused.
    fn note_login(&self, refused: Option<u16>) {
        let credentials = &self.request.credentials;
        let who = (self.host.as_str(), credentials.user.as_slice());
        let (failures, now) = (&self.shared.failures, Instant::now());
        match refused {
            None => failures.succeeded(who, &credentials.password, now),
            Some(code) if DENIED.contains(&code) => failures.failed(who, now),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: (&str, &[u8]) = ("10.0.0.1:4711", b"app");

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn p10_after_some_failures_one_login_is_handed_on_in_each_pause() {
        let failures = Failures::default();
        let start = Instant::now();
        let refused = |now| failures.refusal(WHO, b"guess", 3, now).is_some();
        for _ in 0..3 {
            assert!(!refused(start));
            failures.failed(WHO, start);
        }
        // One second, then two, then four.
        for (seconds, expected) in [(0, true), (1, false), (1, true)] {
            assert_eq!(refused(after(start, seconds)), expected, "{seconds}");
        }
        failures.failed(WHO, after(start, 1));
        for (seconds, expected) in [(2, true), (3, false), (3, true)] {
            assert_eq!(refused(after(start, seconds)), expected, "{seconds}");
        }
        let elsewhere = ("10.0.0.2:4711", WHO.1);
        assert!(failures.refusal(elsewhere, b"guess", 3, start).is_none());
        assert!(
            failures.refusal(WHO, b"guess", 0, start).is_none(),
            "switched off"
        );
        let other_port = ("10.0.0.1:1", WHO.1);
        assert!(
            failures
                .refusal(other_port, b"guess", 3, after(start, 3))
                .is_some()
        );
    }

    #[test]
    fn a_password_that_was_right_is_never_held_up_by_others_guesses() {
        let failures = Failures::default();
        let now = Instant::now();
        failures.succeeded(WHO, b"right", now);
        (0..9).for_each(|_| failures.failed(WHO, now));
        assert_eq!(failures.refusal(WHO, b"right", 3, now), None);
        assert!(failures.refusal(WHO, b"wrong", 3, now).is_some());
        assert!(
            !format!("{failures:?}").contains("right\""),
            "nothing is kept in clear"
        );
    }

    #[test]
    fn pauses_end_and_so_does_the_memory() {
        let failures = Failures::default();
        let now = Instant::now();
        (0..99).for_each(|_| failures.failed(WHO, now));
        assert!(failures.refusal(WHO, b"x", 3, after(now, 59)).is_some());
        assert_eq!(failures.delay(WHO, 3, now), LONGEST_DELAY);
        let later = now + MEMORY + FIRST_PAUSE;
        assert_eq!(failures.refusal(WHO, b"x", 3, later), None);
        failures.failed(WHO, later);
        assert_eq!(
            failures.refusal(WHO, b"x", 3, later),
            None,
            "it begins anew"
        );
    }

    #[test]
    fn p9_however_many_try_so_many_are_remembered() {
        let failures = Failures::default();
        let start = Instant::now();
        for number in 0..2 * ENTRIES {
            let host = format!("host{number}:1");
            let now = start + Duration::from_millis(u64::try_from(number).unwrap());
            failures.failed((&host, b"app"), now);
        }
        assert!(failures.lock().len() <= ENTRIES);
    }
}
