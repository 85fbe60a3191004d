//! KILL of this proxy's clients; as SQL also of an id that a user variable holds: `SET @id =
//! 3221225473; KILL QUERY @id`.

use std::time::Duration;

use super::Ended;
use super::connections::Held;
use super::job::Job;
use super::registry::{Peer, Registry, Thread};
use super::session::Session;
use super::visible::tracking_on_reader;
use crate::backend::{ConnectError, question};
use crate::error::ClientError;
use crate::protocol::{Command, query_text};
use crate::routing::BackendId;
use crate::sql::{Class, Flavour, ForEach, Kill, killed_variable};

impl Session {
    /// KILL: a client of this proxy, or a thread of the writer.
    pub(super) async fn kill(&mut self, job: &mut Job) -> Result<(), Ended> {
        if let Some((id, query_only)) = self.client_to_kill(job).await? {
            self.client.set_sequence(job.request.sequence);
            return self.kill_client(id, query_only).await;
        }
        self.run_own_statement(job).await
    }

    /// The client of this proxy that a statement is to kill, if it is one; other ids mean threads
    /// of the writer, which is asked for the value of a variable. Whether only its query.
    async fn client_to_kill(&mut self, job: &Job) -> Result<Option<(u64, bool)>, Ended> {
        let Some(Class::Kill(Kill { id, query_only })) = job.class() else {
            return Ok(None);
        };
        let id = match id {
            Some(id) => Some(*id),
            None => self.id_in_variable(job).await?,
        };
        let client = id.filter(|id| Registry::is_client_id(*id));
        Ok(client.map(|id| (id, *query_only)))
    }

    async fn id_in_variable(&mut self, job: &Job) -> Result<Option<u64>, Ended> {
        let sql = match job.command {
            Command::Query => query_text(&job.request.payload, self.capabilities),
            _ => Ok(job.text()),
        };
        let Some(name) = sql.ok().and_then(|sql| killed_variable(sql, self.lex)) else {
            return Ok(None);
        };
        // Without a connection there is no variable either.
        let Some(mut held) = self.connections.take(self.writer) else {
            return Ok(None);
        };
        let name = format!("@{name}");
        let row = match held.ask(&question([name.as_str()])).await {
            Ok(row) => row,
            Err(ConnectError::Refused(_)) => Vec::new(),
            Err(_) => {
                self.refuse(&ClientError::connection_lost("the writer"))
                    .await?;
                return Err(Ended::StateLost);
            }
        };
        self.connections.put(held);
        let value = row.into_iter().next().flatten();
        let digits = value.and_then(|value| String::from_utf8(value).ok());
        Ok(digits.and_then(|digits| digits.parse().ok()))
    }

    /// KILL of a client of this proxy: each backend thread that serves it is killed where it runs,
    /// as this session's account, so that the backends decide whether it may.
    pub(super) async fn kill_client(&mut self, id: u64, query_only: bool) -> Result<(), Ended> {
        let Some(peer) = self.shared.registry.find(id) else {
            return self.refuse(&ClientError::no_such_thread(id)).await;
        };
        let _hunt = peer.hunt();
        if !query_only {
            peer.ask_kill();
        }
        let what = if query_only { "QUERY" } else { "CONNECTION" };
        let mut killed = Killed::default();
        let mut refused = self.kill_threads(&peer, what, &mut killed).await;
        let mut allowed = killed.by_a_backend;
        if refused.is_none() && !allowed {
            let writer = self.shared.writer();
            match self.may_kill(&peer, writer).await {
                Ok(may) => allowed = may,
                Err(error) => refused = Some((writer, error)),
            }
        }
        match (&refused, query_only) {
            (None, false) if allowed => {
                peer.kill();
                // It may have opened another connection meanwhile. Whoever opens one looks whether
                // it was killed after it has entered the thread, so that none is left over.
                let _ = self.kill_threads(&peer, what, &mut killed).await;
            }
            (_, false) => peer.spare(),
            (_, true) => {}
        }
        match refused {
            None if allowed => self.send_ok().await,
            None => self.refuse(&ClientError::not_its_owner(id)).await,
            Some((backend, error)) => self.refuse_connection(backend, &error).await,
        }
    }

    /// May the session kill a client that no backend knows of, such as one that has only logged in?
    /// MySQL lets accounts of the same name, and who has the privilege (manual, "KILL Statement"): here
    /// one that was granted to the account itself.
    ///
    /// # Errors
    /// As [`crate::backend::Dialer::connect`], and what the writer says to the question.
    async fn may_kill(&self, peer: &Peer, writer: BackendId) -> Result<bool, ConnectError> {
        let own = &self.request.credentials.user;
        if !own.is_empty() && peer.about().user.as_bytes() == own {
            return Ok(true);
        }
        let tracking = ForEach::new(tracking_on_reader);
        let opening = self
            .connections
            .open_beside(writer, &self.request, &tracking);
        let mut held = opening.await?;
        let granted = held.ask(granted(held.flavour())).await;
        held.quit().await;
        Ok(!granted?.is_empty())
    }

    /// Kills the threads that are not among the `killed` yet; the first refusal, if there is one.
    async fn kill_threads(
        &self,
        peer: &Peer,
        what: &str,
        killed: &mut Killed,
    ) -> Option<(BackendId, ConnectError)> {
        let tracking = ForEach::new(tracking_on_reader);
        for thread in peer.threads() {
            if killed.threads.contains(&thread) {
                continue;
            }
            killed.threads.push(thread);
            let backend = thread.backend;
            let opened = self
                .connections
                .open_beside(backend, &self.request, &tracking)
                .await;
            let mut held = match opened {
                Ok(held) => held,
                Err(error) => return Some((backend, error)),
            };
            match is_there(&mut held, &thread).await {
                Ok(true) => {}
                Ok(false) => {
                    // Another life of the backend has threads of its own by this id.
                    held.quit().await;
                    continue;
                }
                Err(error) => return Some((backend, error)),
            }
            match held.ask(&format!("KILL {what} {}", thread.id)).await {
                // Gone already: nothing is left to kill there.
                Err(ConnectError::Refused(refusal)) if refusal.code == NO_SUCH_THREAD => {}
                Err(error @ ConnectError::Refused(_)) => return Some((backend, error)),
                Ok(_) => killed.by_a_backend = true,
                Err(_) => {}
            }
            held.quit().await;
        }
        None
    }
}

/// What KILL of a client has reached.
#[derive(Debug, Default)]
struct Killed {
    threads: Vec<Thread>,
    /// A backend has done it, and so the account may.
    by_a_backend: bool,
}

/// A question with one row for an account that may kill others. Names are compared byte by byte: an
/// account may see the privileges of others.
fn granted(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::MySql => {
            "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE CONVERT(GRANTEE USING binary) = \
             CONVERT(CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') USING binary) \
             AND PRIVILEGE_TYPE IN ('SUPER', 'CONNECTION_ADMIN') LIMIT 1"
        }
        Flavour::MariaDb => {
            "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE CONVERT(GRANTEE USING binary) = \
             CONVERT(CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') USING binary) \
             AND PRIVILEGE_TYPE = 'CONNECTION ADMIN' LIMIT 1"
        }
    }
}

/// MySQL's error "Unknown thread id".
const NO_SUCH_THREAD: u16 = 1094;

/// Is this a thread of the very life of the backend that `held` leads to? In doubt it is not: a
/// stranger must not be hit.
pub(super) async fn is_there(held: &mut Held, thread: &Thread) -> Result<bool, ConnectError> {
    if thread.server_uuid != held.proof.server_uuid {
        return Ok(false);
    }
    let row = held.ask("SHOW GLOBAL STATUS LIKE 'Uptime'").await?;
    let seconds = text(row.into_iter().nth(1)).and_then(|text| text.parse().ok());
    let uptime = Duration::from_secs(seconds.ok_or(ConnectError::Unexpected)?);
    if let Some(sure) = thread.is_of(uptime) {
        return Ok(sure);
    }
    let list = "SELECT HOST FROM information_schema.PROCESSLIST WHERE ID =";
    let row = held.ask(&format!("{list} {}", thread.id)).await?;
    Ok(text(row.into_iter().next()).is_some_and(|host| thread.is_from(&host)))
}

fn text(cell: Option<Option<Vec<u8>>>) -> Option<String> {
    String::from_utf8(cell??).ok()
}
