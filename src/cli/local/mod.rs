//! What `demo` and `bench` share: a Tidegate in this process, and the splitter that it is compared
//! with.

mod metrics;
mod proxy;
mod splitter;

use mysql_async::OptsBuilder;

pub(super) use self::metrics::{Metrics, count, fetch};
pub(super) use self::proxy::{ANY_PORT, Proxy, before_lab};
pub(super) use self::splitter::Splitter;
use crate::net::Endpoint;

/// How a client of an account reaches an address.
pub(super) fn opts(address: &Endpoint, user: &str, password: &str) -> OptsBuilder {
    let opts = OptsBuilder::default()
        .user(Some(user))
        .pass(Some(password).filter(|password| !password.is_empty()))
        .prefer_socket(false);
    match address {
        Endpoint::Tcp { host, port } => opts.ip_or_hostname(host).tcp_port(*port),
        Endpoint::Unix(path) => opts.socket(Some(path.to_string_lossy())),
    }
}
