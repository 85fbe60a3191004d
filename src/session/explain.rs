//! `/* tidegate: explain */`: where a statement would run now, and why, without running it.

use std::sync::Arc;
use std::time::Instant;

use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::command::Request;
use super::deciding::Tried;
use super::job::Job;
use super::login::Claimed;
use super::session::Session;
use super::{Ended, Shared, Standing};
use crate::backend::{Credentials, LoginRequest};
use crate::error::ClientError;
use crate::gtid::Token;
use crate::net::{Stream, Wire};
use crate::protocol::{
    Capabilities, Command, OkPacket, Translator, put_column_count, put_text_column, put_text_row,
};
use crate::routing::{BackendView, Decision, Isolation, Role};

/// A set with more text than this is cut: it is for people to read.
const SET_LIMIT: usize = 400;

impl Session {
    /// Answers with a table of two columns. Nothing is asked of any backend, so a decision that
    /// has to ask one first says so.
    pub(super) async fn explain(&mut self, job: &Job) -> Result<(), Ended> {
        self.client.set_sequence(job.request.sequence);
        self.enter_scope(job);
        let rows = self.explanation(job);
        self.send_table(["name", "value"], &rows).await
    }

    pub(super) fn explanation(&self, job: &Job) -> Vec<(String, String)> {
        let now = Instant::now();
        let scope = self.scope.lock().clone();
        let token = scope.token();
        let decision = self.consider(job, &Tried::default(), now, self.is_switched(job), scope);
        let class = job
            .class()
            .map_or("not read".to_owned(), |class| format!("{class:?}"));
        let mut rows = vec![("statement".to_owned(), class)];
        let (what, reason) = match self.must_leave_reader(job) {
            true => (
                "take the read-only transaction to the writer, or end it with error 1213 if it \
                 has read"
                    .to_owned(),
                "read_only_transaction",
            ),
            false => self.in_words(&decision, now),
        };
        rows.push(("decision".to_owned(), what));
        rows.push(("reason".to_owned(), reason.to_owned()));
        let pin = self.pin(job).map_or("none", |pin| pin.label());
        rows.push(("pin".to_owned(), pin.to_owned()));
        let reads = self.shared.reads.now().name();
        rows.push(("reads".to_owned(), reads.to_owned()));
        let policy = self.standing_policy().narrowed(job.wishes.asks);
        rows.push(("level".to_owned(), policy.level.name().to_owned()));
        rows.push(("read_from".to_owned(), policy.read_from.name().to_owned()));
        let bound = policy.bound().map(humantime::format_duration);
        let bound = bound.map_or("none".to_owned(), |bound| bound.to_string());
        rows.push(("max_staleness".to_owned(), bound));
        let key = job
            .wishes
            .key
            .as_ref()
            .or(self.standing.wishes.key.as_ref());
        let scope = match key {
            Some(key) => format!("key {}", String::from_utf8_lossy(key)),
            None => policy.scope.name().to_owned(),
        };
        rows.push(("scope".to_owned(), scope));
        rows.push(("token".to_owned(), shown(&token)));
        for view in &self.shared.watch.snapshot().backends {
            if self.shared.roster.standing(view.id) == Standing::Gone {
                continue;
            }
            let name = format!("backend {}", self.shared.name(view.id));
            rows.push((name, described(view, &token, now)));
        }
        rows
    }

    fn in_words(&self, decision: &Decision, now: Instant) -> (String, &'static str) {
        match decision {
            Decision::Run { place, reason } => {
                let backend = self.shared.name(place.backend);
                (format!("run on {backend}"), reason.label())
            }
            Decision::Wait {
                place,
                until,
                reason,
                ..
            } => {
                let backend = self.shared.name(place.backend);
                let left = until.saturating_duration_since(now).as_millis();
                let what = format!("wait for {backend}, {left} ms at most, then decide again");
                (what, reason.label())
            }
            Decision::Probe { backends, reason } => {
                let names: Vec<&str> = backends.iter().map(|id| self.shared.name(*id)).collect();
                let names = names.join(" and ");
                let what = format!("ask {names} what was seen there, then decide again");
                (what, reason.label())
            }
            Decision::Refuse { reason, .. } => ("refuse".to_owned(), reason.label()),
        }
    }

    async fn send_table(
        &mut self,
        columns: [&str; 2],
        rows: &[(String, String)],
    ) -> Result<(), Ended> {
        let translator = Translator::new(self.capabilities);
        let end = OkPacket {
            status: self.status.lasting(),
            ..OkPacket::default()
        };
        let mut payload = Vec::new();
        put_column_count(&mut payload, columns.len(), self.capabilities);
        self.client.queue(&payload);
        for column in columns {
            payload.clear();
            put_text_column(&mut payload, column);
            self.client.queue(&payload);
        }
        if translator.needs_metadata_eof() {
            payload.clear();
            Translator::metadata_eof(end.status).encode(&mut payload);
            self.client.queue(&payload);
        }
        for (name, value) in rows {
            payload.clear();
            put_text_row(&mut payload, &[name, value]);
            self.client.queue(&payload);
        }
        payload.clear();
        translator.result_end(&end, &[], &mut payload);
        self.client.queue(&payload);
        self.flush().await
    }
}

/// Where a statement would run now, and why, for a new session of this account.
///
/// # Errors
/// What a client would be told of a hint or a setting that there is not.
pub fn explain_for(
    shared: &Arc<Shared>,
    user: &str,
    sql: &str,
) -> Result<Vec<(String, String)>, ClientError> {
    // A session that nobody is connected to, and that connects to nobody.
    let (stream, _) = UnixStream::pair().map_err(|_| ClientError::too_many_clients())?;
    let entry = shared.registry.enter(usize::MAX);
    let entry = entry.ok_or_else(ClientError::too_many_clients)?;
    let claimed = Claimed {
        wire: Wire::new(Stream::Plain(stream.into())),
        capabilities: Capabilities::default(),
        nonce: Default::default(),
        compression: None,
        request: LoginRequest {
            credentials: Credentials {
                user: user.as_bytes().to_vec(),
                password: Zeroizing::default(),
            },
            database: None,
            collation: shared.greeting.load().collation,
            attributes: None,
            origin: None,
            capabilities: Capabilities::default(),
            max_packet: 1 << 24,
        },
    };
    let mut session = Session::new(Arc::clone(shared), entry, claimed, String::new());
    session.default_isolation = Isolation::RepeatableRead;
    let payload = [&[Command::Query as u8], sql.as_bytes()].concat();
    let request = Request {
        command: Some(Command::Query),
        payload: payload.as_slice().into(),
        more: false,
        sequence: 0,
    };
    let hint = session.hint_of(sql.as_bytes(), false)?;
    let wishes = session.wishes_of(Command::Query, &request, &hint)?;
    let statement = Some(session.classify(sql.as_bytes()));
    let job = Job::new(Command::Query, request, statement, wishes);
    session.enter_scope(&job);
    Ok(session.explanation(&job))
}

fn described(view: &BackendView, token: &Token, now: Instant) -> String {
    let role = match view.role {
        Role::Writer if view.writable => "writer, proven writable",
        Role::Writer => "writer, not proven writable",
        Role::Reader => "reader",
    };
    let mut parts = vec![role.to_owned()];
    if !view.up {
        parts.push("down".to_owned());
    }
    if view.draining {
        parts.push("draining".to_owned());
    }
    if view.recovering {
        parts.push("not online in its group".to_owned());
    }
    if view.shunned_until.is_some_and(|until| until > now) {
        parts.push("shunned after an alarm".to_owned());
    }
    if let Some(lag) = view.lag.filter(|_| view.role == Role::Reader) {
        let lag = now.saturating_duration_since(lag.covered).as_millis();
        parts.push(format!("lag {lag} ms"));
    }
    if view.lagging {
        parts.push("beyond max_lag, and not at half of it again".to_owned());
    }
    if !view.near {
        parts.push("in another zone".to_owned());
    }
    if let Some(replication) = view.replication {
        if !replication.applies {
            parts.push("applier stopped".to_owned());
        }
        if !replication.receives {
            parts.push("receiver stopped".to_owned());
        }
        if !replication.delay.is_zero() {
            let delay = replication.delay.as_secs();
            parts.push(format!("{delay} s behind on purpose"));
        }
    }
    let covers = match token {
        Token::Known(set) if view.has_executed(set) => "covers the token",
        Token::Known(_) => "does not cover the token",
        Token::Unknown => "the token is unknown",
    };
    parts.push(covers.to_owned());
    match view.current_watermark() {
        Some(mark) => parts.push(format!("watermark {}", cut(mark.executed.to_string()))),
        None => parts.push("no watermark".to_owned()),
    }
    parts.join("; ")
}

fn shown(token: &Token) -> String {
    match token {
        Token::Known(set) if set.is_empty() => "nothing yet".to_owned(),
        Token::Known(set) => cut(set.to_string()),
        Token::Unknown => "unknown: the writer has to be asked first".to_owned(),
    }
}

fn cut(mut text: String) -> String {
    if text.len() > SET_LIMIT {
        let end = (0..=SET_LIMIT)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text.replace('\n', "")
}
