//! What `[listen]` says of clients before they log in.

use super::fault::Faults;
use super::schema::{self, keys};
use super::table::Document;
use super::value;
use crate::session::FrontConfig;

pub(super) fn front(document: &Document<'_>, faults: &mut Faults<'_>) -> Option<FrontConfig> {
    let table = document.table(&schema::LISTEN);
    let compression = table.read(&keys::LISTEN_COMPRESSION, value::flag, faults);
    let from = &keys::LISTEN_PROXY_PROTOCOL_FROM;
    let networks = match table.has(from) {
        true => table.read_list(from, value::network, faults),
        false => Some(Vec::new()),
    };
    let tls = document.table(&schema::TLS);
    let tls_required = tls.read(&keys::TLS_REQUIRED, value::flag, faults);
    Some(FrontConfig {
        tls_required: tls_required?.value,
        compression: compression?.value,
        proxy_protocol_from: networks?.into_iter().map(|network| network.value).collect(),
    })
}
