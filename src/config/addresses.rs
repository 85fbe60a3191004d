//! Where Tidegate listens, and what it shows there.

use std::net::{IpAddr, Ipv4Addr};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::fault::{Faults, Located};
use super::files::{self, Content, Surroundings};
use super::schema::{self, Key, keys};
use super::table::{Document, Table};
use super::value::{self, Mistake};
use crate::net::{Endpoint, TlsConfig};

/// `[listen]`.
pub(super) fn listen(
    document: &Document<'_>,
    faults: &mut Faults<'_>,
) -> Option<Vec<Located<Endpoint>>> {
    document
        .table(&schema::LISTEN)
        .read_list(&keys::LISTEN_ADDRESS, value::address, faults)
}

/// `[tls]`, and whether the files that it names can be used.
pub(super) fn tls(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<TlsConfig> {
    let table = document.table(&schema::TLS);
    let mode = table.read(&keys::TLS_MODE, value::word, faults)?.value;
    if mode == "files" {
        let cert = pem(&table, &keys::TLS_CERT, around, has_certificate, faults);
        let key = pem(&table, &keys::TLS_KEY, around, has_key, faults);
        return Some(TlsConfig::Files {
            cert: cert?,
            key: key?,
        });
    }
    for key in [&keys::TLS_CERT, &keys::TLS_KEY] {
        if table.has(key) {
            let wrong = format!("has no effect under mode = \"{mode}\"");
            faults.fault(
                &table.place(key),
                wrong,
                "set mode = \"files\", or remove it",
            );
        }
    }
    Some(if mode == "off" {
        TlsConfig::Off
    } else {
        TlsConfig::SelfSigned
    })
}

/// No two listeners on one address, and none where a backend is said to be.
pub(super) fn check_distinct<'l>(
    listeners: impl Iterator<Item = &'l Located<Endpoint>> + Clone,
    backends: impl Iterator<Item = &'l Located<Endpoint>>,
    faults: &mut Faults<'_>,
) {
    for (index, listener) in listeners.clone().enumerate() {
        if listeners
            .clone()
            .take(index)
            .any(|earlier| collide(&earlier.value, &listener.value))
        {
            let wrong = format!("{} is listened on already", listener.value);
            faults.fault(
                &listener.place,
                wrong,
                "give each listener an address of its own",
            );
        }
    }
    for backend in backends {
        let is_loop = |listener: &Located<Endpoint>| {
            collide(&listener.value, &backend.value) && is_local(&listener.value, &backend.value)
        };
        if listeners.clone().any(is_loop) {
            let wrong = format!("{} is where tidegate itself listens", backend.value);
            faults.fault(&backend.place, wrong, "give the database server's address");
        }
    }
}

/// Whether two addresses are the same one, as far as their text can tell.
pub(super) fn same(one: &Endpoint, other: &Endpoint) -> bool {
    match (one, other) {
        (
            Endpoint::Tcp { host, port },
            Endpoint::Tcp {
                host: other_host,
                port: other_port,
            },
        ) => {
            let equal = match (ip(host), ip(other_host)) {
                (Some(one), Some(other)) => one == other,
                _ => host.eq_ignore_ascii_case(other_host),
            };
            equal && port == other_port
        }
        (Endpoint::Unix(one), Endpoint::Unix(other)) => one == other,
        _ => false,
    }
}

/// Whether only this machine reaches it. A name other than `localhost` may mean anything.
pub(super) fn is_loopback(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix(_) => true,
        Endpoint::Tcp { host, .. } => ip(host).is_some_and(|ip| ip.is_loopback()),
    }
}

/// Whether listening on both fails. Port 0 is a different port each time.
fn collide(one: &Endpoint, other: &Endpoint) -> bool {
    let (
        Endpoint::Tcp { host, port },
        Endpoint::Tcp {
            host: other_host,
            port: other_port,
        },
    ) = (one, other)
    else {
        return same(one, other);
    };
    let everywhere = |host: &str| ip(host).is_some_and(|ip| ip.is_unspecified());
    *port != 0
        && port == other_port
        && (same(one, other) || everywhere(host) || everywhere(other_host))
}

/// Whether a connection to `backend` stays on this machine, given that `listener` is on it.
fn is_local(listener: &Endpoint, backend: &Endpoint) -> bool {
    same(listener, backend) || is_loopback(backend)
}

fn ip(host: &str) -> Option<IpAddr> {
    match host.eq_ignore_ascii_case("localhost") {
        true => Some(Ipv4Addr::LOCALHOST.into()),
        false => host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()),
    }
}

/// The path in `key`, once `check` has found what it looks for in that file.
fn pem(
    table: &Table<'_>,
    key: &'static Key,
    around: &Surroundings<'_>,
    check: fn(&Content) -> Result<Option<&'static str>, &'static str>,
    faults: &mut Faults<'_>,
) -> Option<std::path::PathBuf> {
    if !table.has(key) {
        let right = format!(
            "write {} = {}, for example",
            key.name,
            key.presence.literal()
        );
        faults.fault(
            &table.place(key),
            "is missing under mode = \"files\"",
            right,
        );
        return None;
    }
    let written = table.read(key, value::path, faults)?;
    let path = around.resolve(&written.value);
    let content = match files::read_named(&path) {
        Ok(content) => content,
        Err(Mistake { wrong, right }) => {
            faults.fault(&written.place, wrong, right);
            return None;
        }
    };
    match check(&content) {
        Ok(None) => {}
        Ok(Some(warning)) => {
            let wrong = format!("{} {warning}", path.display());
            faults.warn(
                &written.place,
                wrong,
                "take that permission away (chmod o-r)",
            );
        }
        Err(lacks) => {
            let wrong = format!("{} holds no {lacks}", path.display());
            faults.fault(
                &written.place,
                wrong,
                format!("give a PEM file with a {lacks}"),
            );
        }
    }
    Some(path)
}

fn has_certificate(content: &Content) -> Result<Option<&'static str>, &'static str> {
    let mut certificates = CertificateDer::pem_slice_iter(content.text.as_bytes()).peekable();
    match certificates.peek().is_some() && certificates.all(|certificate| certificate.is_ok()) {
        true => Ok(None),
        false => Err("certificate"),
    }
}

fn has_key(content: &Content) -> Result<Option<&'static str>, &'static str> {
    match PrivateKeyDer::from_pem_slice(content.text.as_bytes()) {
        Ok(_) => Ok(content.shared.then_some("can be read by everyone")),
        Err(_) => Err("private key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().expect(text)
    }

    #[test]
    fn only_this_machine_reaches_loopback_and_sockets() {
        for (text, expected) in [
            ("127.0.0.1:1", true),
            ("127.8.9.1:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("LocalHost:1", true),
            ("unix:/run/t.sock", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
            ("localhost.example:1", false),
        ] {
            assert_eq!(is_loopback(&endpoint(text)), expected, "{text}");
        }
    }

    #[test]
    fn addresses_collide_where_one_of_them_is_everywhere() {
        for (one, other, expected) in [
            ("127.0.0.1:1", "localhost:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("db:1", "DB:1", true),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("unix:/a", "unix:/a", true),
            ("unix:/a", "127.0.0.1:1", false),
        ] {
            assert_eq!(
                collide(&endpoint(one), &endpoint(other)),
                expected,
                "{one} {other}"
            );
        }
    }
}
