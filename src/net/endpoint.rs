//! Where something listens or is reached.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A TCP address, not resolved yet, or a unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A host name or address, and a port.
    Tcp {
        /// A name, an IPv4 address or an IPv6 address without brackets.
        host: String,
        /// 0 lets the system choose, for listeners only.
        port: u16,
    },
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// Why a text is not an [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected \"host:port\", \"[ipv6]:port\" or \"unix:/path\"")]
pub struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(EndpointError),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(EndpointError)?,
            None if host.contains(':') => return Err(EndpointError),
            None => host,
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(EndpointError);
        }
        let port = port.parse().map_err(|_| EndpointError)?;
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_back_as_it_is_shown() {
        for text in [
            "127.0.0.1:3307",
            "db.example:3306",
            "[::1]:3306",
            "unix:/run/t.sock",
        ] {
            assert_eq!(
                text.parse::<Endpoint>().map(|e| e.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in [
            "",
            "host",
            ":3306",
            "host:",
            "host:x",
            "host:65536",
            "::1:3306",
            "unix:rel",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(EndpointError), "{text}");
        }
    }
}
