//! The part of `[limits]` that guards against peers that hang, vanish or come in crowds.

use super::fault::Faults;
use super::schema::{self, Key, keys};
use super::table::Document;
use super::value;
use crate::session::{self, OnClientGone};

pub(super) fn limits(document: &Document<'_>, faults: &mut Faults<'_>) -> Option<session::Limits> {
    let table = document.table(&schema::LIMITS);
    let mut count = |key: &'static Key| {
        let read = table.read(key, value::count, faults)?;
        usize::try_from(read.value).ok()
    };
    let login_failures = count(&keys::LIMITS_LOGIN_FAILURES).and_then(|it| u32::try_from(it).ok());
    let clients_per_user = count(&keys::LIMITS_CLIENTS_PER_USER);
    let backend_connections = count(&keys::LIMITS_BACKEND_CONNECTIONS);
    let backend_connections_total = count(&keys::LIMITS_BACKEND_CONNECTIONS_TOTAL);
    let queued_statements = count(&keys::LIMITS_QUEUED_STATEMENTS);
    let queued_statements_per_user = count(&keys::LIMITS_QUEUED_STATEMENTS_PER_USER);
    let mut span = |key: &'static Key| Some(table.read(key, value::span, faults)?.value);
    let connection_wait = span(&keys::LIMITS_CONNECTION_WAIT);
    let first_byte_timeout = span(&keys::LIMITS_FIRST_BYTE_TIMEOUT);
    let silent_timeout = span(&keys::LIMITS_SILENT_TIMEOUT);
    let idle_timeout = span(&keys::LIMITS_IDLE_TIMEOUT);
    let read_timeout = span(&keys::LIMITS_READ_TIMEOUT);
    let write_timeout = span(&keys::LIMITS_WRITE_TIMEOUT);
    let dead_peer_timeout = span(&keys::LIMITS_DEAD_PEER_TIMEOUT);
    let on_client_gone = table.read(&keys::LIMITS_ON_CLIENT_GONE, value::word, faults);
    Some(session::Limits {
        login_failures: login_failures?,
        clients_per_user,
        backend_connections,
        backend_connections_total,
        connection_wait: connection_wait?,
        queued_statements: queued_statements?,
        queued_statements_per_user,
        first_byte_timeout: first_byte_timeout?,
        silent_timeout: silent_timeout?,
        idle_timeout,
        read_timeout: read_timeout?,
        write_timeout: write_timeout?,
        dead_peer_timeout: dead_peer_timeout?,
        on_client_gone: match on_client_gone?.value {
            "kill" => OnClientGone::Kill,
            _ => OnClientGone::Finish,
        },
    })
}
