//! For tests: answers, and who learns of them.

use std::time::{Duration, Instant};

use super::super::{BackendConfig, Config, MonitorConfig};
use super::publish::{Answer, Publisher};
use crate::backend::client::Life;
use crate::error::Secret;
use crate::gtid::{Set, Uuid};
use crate::net::{BackendTls, Endpoint};
use crate::routing::Role;
use crate::sql::Flavour;

pub(super) fn set(text: &str) -> Set {
    Set::parse(text).unwrap()
}

/// Of a MariaDB server, which takes writes.
pub(super) fn maria(server: u32, role: Role, executed: &str, at: Instant) -> Answer {
    Answer {
        started: at,
        learned: at + Duration::from_millis(1),
        life: Life {
            server_uuid: Uuid::of_mariadb(server, 0),
            flavour: Flavour::MariaDb,
            started: None,
        },
        seen: set(executed),
        executed: set(executed),
        read_only: false,
        recovering: false,
        ordered: true,
        role,
    }
}

/// Of backends with these roles.
pub(super) fn publisher(roles: [Option<Role>; 2]) -> Publisher {
    let backend = |role| BackendConfig {
        name: String::new(),
        address: Endpoint::Unix("/nowhere".into()),
        role,
        weight: 100,
        max_lag: None,
        zone: None,
        tls: BackendTls::default(),
        proxy_protocol: false,
    };
    let config = Config {
        backends: roles.map(backend).into(),
        zone: None,
        monitor: MonitorConfig {
            user: String::new(),
            password: Secret::new(String::new()),
            interval: Duration::from_secs(1),
        },
        connect_timeout: Duration::from_secs(1),
        slow_start: Duration::ZERO,
    };
    Publisher::new(&config, Box::new(|_| {}))
}
