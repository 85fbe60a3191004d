//! Byte streams: plain and TLS, packet reading and writing, listeners.

mod endpoint;
mod listener;
mod stream;
mod tls;
mod vitality;
mod wire;

use std::path::PathBuf;

pub use endpoint::{Endpoint, EndpointError};
pub use listener::{Accepted, Listener, connect};
pub use stream::{Plain, Stream};
pub use tls::{TlsError, acceptor};
pub use wire::{READ_SIZE, Wire, WireError};

/// Where clients are awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// At least one.
    pub addresses: Vec<Endpoint>,
    /// What the TCP listeners offer to clients that ask for TLS.
    pub tls: TlsConfig,
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
