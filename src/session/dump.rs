//! Replication clients: COM_REGISTER_SLAVE and the commands that stream the binary log, for the
//! backend that `[replication]` names.
//!
//! Such a client first asks and sets things like any other, then registers itself, then asks for
//! the stream. From there on bytes pass as they come, in both directions (a replica may
//! acknowledge what it gets), until one end has enough; no other command follows.

use super::Ended;
use super::command::Request;
use super::connections::Held;
use super::session::Session;
use super::visible::tracking_on_reader;
use crate::backend::{ConnectError, question};
use crate::error::ClientError;
use crate::net::Wire;
use crate::protocol::{Command, ErrPacket};
use crate::routing::BackendId;
use crate::sql::ForEach;

/// The longest command of a replication client, in bytes: it may carry a set of GTIDs.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// The longest answer to COM_REGISTER_SLAVE, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What replication clients set before they ask for the stream, and the server looks at then.
const VARIABLES: [&str; 15] = [
    "@source_binlog_checksum",
    "@master_binlog_checksum",
    "@source_heartbeat_period",
    "@master_heartbeat_period",
    "@replica_uuid",
    "@slave_uuid",
    "@rpl_semi_sync_replica",
    "@rpl_semi_sync_slave",
    "@mariadb_slave_capability",
    "@slave_connect_state",
    "@slave_gtid_strict_mode",
    "@slave_gtid_ignore_duplicates",
    "@slave_until_gtid",
    "@slave_domain_filter",
    "@binlog_gtid_ignore",
];

/// Is this a command of a replication client?
pub(super) const fn is_replication(command: Command) -> bool {
    matches!(
        command,
        Command::RegisterSlave | Command::BinlogDump | Command::BinlogDumpGtid
    )
}

impl Session {
    /// Serves one, or says why not.
    pub(super) async fn replicate(
        &mut self,
        command: Command,
        mut request: Request,
    ) -> Result<(), Ended> {
        let whole = request.complete(&mut self.client, REQUEST_LIMIT).await;
        if !whole.map_err(|_| Ended::ClientGone)? {
            return Err(Ended::Protocol);
        }
        self.client.set_sequence(request.sequence);
        let named = self.config.replication.as_deref();
        let Some(backend) = named.and_then(|name| self.shared.roster.find(name)) else {
            return self.refuse(&ClientError::no_binary_log()).await;
        };
        let mut held = match self.for_replication(backend).await {
            Ok(held) => held,
            Err(error) => return self.refuse_connection(backend, &error).await,
        };
        held.wire.restart_sequence();
        let sent = held.wire.send(&request.payload).await;
        if sent.is_err() {
            return self
                .refuse_connection(backend, &ConnectError::Unexpected)
                .await;
        }
        if command == Command::RegisterSlave {
            return self.registered(held).await;
        }
        let user = String::from_utf8_lossy(&self.request.credentials.user).into_owned();
        let name = self.shared.name(backend).to_owned();
        tracing::info!(
            client = self.entry.id,
            user,
            backend = name,
            "binary log streams"
        );
        let mut draining = self.shared.draining.clone();
        let over = async {
            // The sender lives as long as the process serves.
            let _ = draining.wait_for(|draining| *draining).await;
        };
        let ended = tokio::select! {
            biased;
            () = self.entry.killed() => Ended::Killed,
            () = over => Ended::Drained,
            ended = pass_on(&mut self.client, &mut held.wire) => ended,
        };
        Err(ended)
    }

    /// Hands on the answer to COM_REGISTER_SLAVE.
    async fn registered(&mut self, mut held: Box<Held>) -> Result<(), Ended> {
        match held.wire.read_payload(ANSWER_LIMIT).await {
            Ok(answer) if answer.first() == Some(&ErrPacket::HEADER) => {
                self.connections.put(held);
                self.client.queue(&answer);
                self.flush().await
            }
            Ok(_) => {
                self.connections.put(held);
                self.send_ok().await
            }
            Err(error) => {
                let backend = held.backend;
                self.refuse_connection(backend, &ConnectError::Wire(error))
                    .await
            }
        }
    }

    /// The connection that the stream comes from, told what the client has set for it.
    async fn for_replication(&mut self, backend: BackendId) -> Result<Box<Held>, ConnectError> {
        let writer = self.writer;
        let mut held = match self.connections.take(backend) {
            Some(held) => held,
            None if backend == writer => {
                let tracking = self.tracking_for_each();
                self.connections
                    .open(backend, &self.request, &tracking, None)
                    .await?
            }
            None => {
                let tracking = ForEach::new(tracking_on_reader);
                self.connections
                    .open(backend, &self.request, &tracking, None)
                    .await?
            }
        };
        if backend == writer {
            return Ok(held);
        }
        let Some(told) = self.connections.look(writer) else {
            return Ok(held);
        };
        let values = told.ask(&question(VARIABLES)).await?;
        let known = VARIABLES.into_iter().zip(values);
        let sets: Vec<String> = known
            .filter_map(|(name, value)| Some(format!("{name} = X'{}'", hex(&value?))))
            .collect();
        if !sets.is_empty() {
            held.ask(&format!("SET {}", sets.join(", "))).await?;
        }
        Ok(held)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Passes bytes on, in both directions, until one end has closed.
///
/// Not cancel safe: whoever gives up closes both connections.
async fn pass_on(client: &mut Wire, backend: &mut Wire) -> Ended {
    loop {
        let (from, to) = (backend.input().split(), client.output());
        to.unsplit(from);
        let (from, to) = (client.input().split(), backend.output());
        to.unsplit(from);
        if client.flush().await.is_err() {
            return Ended::ClientGone;
        }
        if backend.flush().await.is_err() {
            return Ended::StateLost;
        }
        tokio::select! {
            read = backend.fill() => if !matches!(read, Ok(1..)) {
                return Ended::Quit;
            },
            read = client.fill() => if !matches!(read, Ok(1..)) {
                return Ended::ClientGone;
            },
        }
    }
}
