//! Where Tidegate listens, and what it shows there.

use std::net::{IpAddr, Ipv4Addr};

use super::fault::{Faults, Located};
use super::schema::{self, keys};
use super::table::Document;
use super::value;
use crate::net::Endpoint;

/// `[listen]`.
pub(super) fn listen(
    document: &Document<'_>,
    faults: &mut Faults<'_>,
) -> Option<Vec<Located<Endpoint>>> {
    document
        .table(&schema::LISTEN)
        .read_list(&keys::LISTEN_ADDRESS, value::address, faults)
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
