//! Byte streams: plain and TLS, packet reading and writing, listeners.

mod connector;
mod cut;
mod endpoint;
mod inherit;
mod input;
mod listener;
mod network;
mod proxied;
mod proxy_header;
mod stalls;
mod stream;
mod timers;
mod tls;
mod vitality;
mod wire;

use std::path::PathBuf;

pub use connector::{BackendTls, TlsMode, connector};
pub use cut::Cut;
pub use endpoint::{Endpoint, EndpointError};
pub use inherit::{HANDED_OVER, Heritage, Inherited};
pub use input::READ_SIZE;
pub use listener::{Listener, Origin, connect};
pub use network::{Network, NetworkError};
pub use proxied::read_proxy_header;
pub use proxy_header::encode_proxy_header;
pub use stream::{Detached, Plain, Stream};
pub use timers::Timers;
pub use tls::{TlsError, acceptor};
pub use wire::{Wire, WireError};

/// Where clients are awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// At least one.
    pub addresses: Vec<Endpoint>,
    /// What the TCP listeners offer to clients that ask for TLS.
    pub tls: TlsConfig,
    /// What is asked of those that use it.
    pub tls_rules: TlsRules,
}

/// What is asked of clients that use TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsRules {
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// The certificates that they may or must show.
    pub client_certificates: Option<ClientCertificates>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2.
    #[default]
    Tls12,
    /// 1.3.
    Tls13,
}

/// Who may vouch for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM file with the certificates that may.
    pub ca: PathBuf,
    /// A client without one is refused; else only one with a wrong one is.
    pub required: bool,
}

/// The certificate shown to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsConfig {
    /// TLS is not offered.
    Off,
    /// A certificate made at start, which no client can verify.
    SelfSigned,
    /// PEM files.
    Files {
        /// The certificate chain, leaf first.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}
