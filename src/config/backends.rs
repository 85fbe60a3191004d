//! `[[backend]]` and `[monitor]`.

use std::time::Duration;

use super::addresses;
use super::fault::{Faults, Located, Place};
use super::files::Surroundings;
use super::schema::{self, keys};
use super::secrets::{self, Password};
use super::table::Document;
use super::tls;
use super::value;
use crate::backend::{BackendConfig, MonitorConfig};
use crate::net::{BackendTls, Endpoint};
use crate::routing::Role;

/// The most backends there may be.
const BACKENDS_MAX: usize = 256;
/// The role that is found out.
const AUTO: &str = "auto";
/// Metrics use it for what reached no backend.
const RESERVED_NAME: &str = "none";

/// One backend, as far as it could be read.
pub(super) struct Draft {
    name: Option<Located<String>>,
    pub(super) address: Option<Located<Endpoint>>,
    /// Without a role of its own it is found out.
    role: Option<Located<Option<Role>>>,
    weight: Option<Located<u64>>,
    weight_is_written: bool,
    max_lag: Option<Located<Duration>>,
    zone: Option<Located<String>>,
    tls: Option<BackendTls>,
    proxy_protocol: Option<Located<bool>>,
}

/// Every `[[backend]]`, each checked by itself and against the others.
pub(super) fn backends(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Vec<Draft> {
    let tables = document.tables(&schema::BACKEND);
    if let Some(table) = tables.get(BACKENDS_MAX) {
        let wrong = format!("there are {} backends", tables.len());
        faults.fault(
            &table.header(),
            wrong,
            format!("keep at most {BACKENDS_MAX}"),
        );
    }
    let mut drafts = Vec::new();
    for table in tables {
        let role = table.read(&keys::BACKEND_ROLE, value::word, faults);
        let address = table.read(&keys::BACKEND_ADDRESS, value::address, faults);
        drafts.push(Draft {
            name: table.read(&keys::BACKEND_NAME, value::text, faults),
            tls: tls::backend(&table, address.as_ref().map(|at| &at.value), around, faults),
            proxy_protocol: table.read(&keys::BACKEND_PROXY_PROTOCOL, value::flag, faults),
            address,
            role: role.and_then(|Located { value, place }| {
                let value = match value {
                    AUTO => None,
                    role => Some(role.parse().ok()?),
                };
                Some(Located { value, place })
            }),
            weight: table.read(&keys::BACKEND_WEIGHT, value::count, faults),
            weight_is_written: table.has(&keys::BACKEND_WEIGHT),
            max_lag: table.read(&keys::BACKEND_MAX_LAG, value::span, faults),
            zone: table.read(&keys::BACKEND_ZONE, value::text, faults),
        });
    }
    check_names(&drafts, faults);
    check_addresses(&drafts, faults);
    check_roles(&drafts, faults);
    drafts
}

/// The backends, unless one of them could not be read; `max_lag` is that of the readers that have
/// none of their own.
pub(super) fn finish(drafts: Vec<Draft>, max_lag: Duration) -> Option<Vec<BackendConfig>> {
    let finish = |draft: Draft| {
        let role = draft.role?.value;
        let own = draft.max_lag.map_or(max_lag, |own| own.value);
        Some(BackendConfig {
            name: draft.name?.value,
            address: draft.address?.value,
            role,
            weight: u32::try_from(draft.weight?.value).ok()?,
            max_lag: (role != Some(Role::Writer)).then_some(own),
            zone: draft.zone.map(|zone| zone.value),
            tls: draft.tls?,
            proxy_protocol: draft.proxy_protocol?.value,
        })
    };
    drafts.into_iter().map(finish).collect()
}

/// The backend that `[replication]` names, as an index; `Some(None)` without it.
pub(super) fn replication(
    document: &Document<'_>,
    drafts: &[Draft],
    faults: &mut Faults<'_>,
) -> Option<Option<String>> {
    let table = document.table(&schema::REPLICATION);
    let Some(wanted) = table.read(&keys::REPLICATION_BACKEND, value::text, faults) else {
        return Some(None);
    };
    let is_it = |draft: &Draft| {
        draft
            .name
            .as_ref()
            .is_some_and(|name| name.value == wanted.value)
    };
    if !drafts.iter().any(is_it) {
        let wrong = format!("no backend has the name {}", value::quote(&wanted.value));
        faults.fault(&wanted.place, wrong, "give the name of a [[backend]]");
        return None;
    }
    Some(Some(wanted.value))
}

/// A zone that nothing is compared with, or that no reader is in, is likely a slip.
pub(super) fn warn_about_zones(
    drafts: &[Draft],
    own: Option<&Located<String>>,
    faults: &mut Faults<'_>,
) {
    let zones = || drafts.iter().filter_map(|draft| draft.zone.as_ref());
    match own {
        None => {
            for zone in zones() {
                let wrong = "has no effect, since [listen] has no zone";
                let right = "write the zone of this Tidegate into [listen], or remove this one";
                faults.warn(&zone.place, wrong, right);
            }
        }
        Some(own) if zones().all(|zone| zone.value != own.value) => {
            let wrong = format!("no backend is in the zone {}", value::quote(&own.value));
            let right = "give each [[backend]] its zone, or remove this one";
            faults.warn(&own.place, wrong, right);
        }
        Some(_) => {}
    }
}

/// `[monitor]`.
pub(super) fn monitor(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<MonitorConfig> {
    let table = document.table(&schema::MONITOR);
    let user = table.read(&keys::MONITOR_USER, value::text, faults);
    let interval = table.read(&keys::MONITOR_INTERVAL, value::span, faults);
    let password = match secrets::password(&table, &secrets::MONITOR, around, faults) {
        Password::Given(secret, _) => Some(secret),
        Password::Faulty => None,
        Password::Absent => {
            secrets::missing(&table, &secrets::MONITOR, faults);
            None
        }
    };
    Some(MonitorConfig {
        user: user?.value,
        password: password?,
        interval: interval?.value,
    })
}

fn check_names(drafts: &[Draft], faults: &mut Faults<'_>) {
    let names: Vec<_> = drafts
        .iter()
        .filter_map(|draft| draft.name.as_ref())
        .collect();
    for (index, name) in names.iter().enumerate() {
        let shown = value::quote(&name.value);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !name.value.chars().all(plain) {
            let wrong = format!("{shown} holds more than letters, digits, '.', '-' and '_'");
            faults.fault(&name.place, wrong, "use only these");
        }
        if name.value == RESERVED_NAME {
            let wrong = format!("{shown} stands for no backend in the metrics");
            faults.fault(&name.place, wrong, "use another name");
        }
        if names
            .iter()
            .take(index)
            .any(|earlier| earlier.value == name.value)
        {
            let wrong = format!("{shown} is the name of another backend already");
            faults.fault(&name.place, wrong, "give each backend a name of its own");
        }
    }
}

fn check_addresses(drafts: &[Draft], faults: &mut Faults<'_>) {
    let addresses: Vec<_> = drafts
        .iter()
        .filter_map(|draft| draft.address.as_ref())
        .collect();
    for (index, address) in addresses.iter().enumerate() {
        let is_same =
            |earlier: &&&Located<Endpoint>| addresses::same(&earlier.value, &address.value);
        if addresses
            .iter()
            .take(index)
            .any(|earlier| is_same(&earlier))
        {
            let wrong = format!(
                "{} is the address of another backend already",
                address.value
            );
            faults.fault(
                &address.place,
                wrong,
                "give each backend an address of its own",
            );
        }
        if matches!(address.value, Endpoint::Tcp { port: 0, .. }) {
            faults.fault(
                &address.place,
                "has the port 0",
                "write the database server's port",
            );
        }
    }
}

fn check_roles(drafts: &[Draft], faults: &mut Faults<'_>) {
    let name = |draft: &Draft| {
        draft
            .name
            .as_ref()
            .map_or("?".to_owned(), |name| name.value.clone())
    };
    let with = |role| {
        drafts.iter().filter_map(move |draft: &Draft| {
            draft
                .role
                .as_ref()
                .filter(|found| found.value == role)
                .map(|found| (draft, found))
        })
    };
    let mut writers = with(Some(Role::Writer));
    if let Some((first, _)) = writers.next() {
        for (draft, role) in writers {
            let wrong = format!(
                "{:?} is a second writer beside {:?}",
                name(draft),
                name(first)
            );
            faults.fault(
                &role.place,
                wrong,
                "keep exactly one writer, make the others readers",
            );
        }
        for (draft, role) in with(None) {
            let wrong = format!(
                "{:?} is auto beside the writer {:?}",
                name(draft),
                name(first)
            );
            let right = "make it a reader, or make all that may become the writer auto";
            faults.fault(&role.place, wrong, right);
        }
    } else if with(None).next().is_none() && drafts.iter().all(|draft| draft.role.is_some()) {
        let place = Place {
            key: keys::BACKEND_ROLE.path(),
            offset: 0,
        };
        let right =
            "write a [[backend]] with role = \"writer\", or \"auto\" where it is to be found out";
        faults.fault(&place, "no backend is the writer", right);
    }
    for (draft, _) in with(Some(Role::Writer)).filter(|(draft, _)| draft.weight_is_written) {
        if let Some(weight) = &draft.weight {
            let wrong = "has no effect on the writer";
            faults.warn(
                &weight.place,
                wrong,
                "remove it; weights share reads among the readers",
            );
        }
    }
    let takes_reads =
        |(draft, _): (&Draft, _)| draft.weight.as_ref().is_none_or(|weight| weight.value > 0);
    if !with(Some(Role::Reader))
        .chain(with(None).skip(1))
        .any(takes_reads)
        && drafts.iter().all(|draft| draft.role.is_some())
    {
        let place = Place {
            key: keys::BACKEND_ROLE.path(),
            offset: 0,
        };
        let wrong = "no reader takes reads, so every read runs on the writer";
        faults.warn(
            &place,
            wrong,
            "write a [[backend]] with role = \"reader\" and a weight",
        );
    }
}
