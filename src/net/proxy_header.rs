//! The PROXY protocol, versions 1 and 2: with which a load balancer says, before anything else,
//! whose connection it hands on.
//!
//! Version 1 is a line, `PROXY TCP4 10.0.0.7 10.0.0.1 50000 3306\r\n`. Version 2:
//!
//! | bytes | field |
//! |---|---|
//! | 12 | signature |
//! | 1 | version 2 and command: 0x20 LOCAL, 0x21 PROXY |
//! | 1 | family and transport: 0x11 TCP over IPv4, 0x21 over IPv6; others carry no address |
//! | 2 | length of the rest, big endian |
//! | 12, 36 | source and destination address, then their ports, big endian |
//! | rest | extensions, which nobody needs here |
//!
//! <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::protocol::{ErrorKind, ProtocolError};

/// The shortest header of version 1 has more bytes, and version 2 begins with so many.
pub(super) const PROXY_START: usize = 12;

/// The longest line of version 1, in bytes.
pub(super) const PROXY_LINE_MAX: usize = 107;

/// What precedes the addresses in version 2, in bytes.
pub(super) const PROXY_FIXED: usize = 16;

/// The longest rest of version 2 that is read, in bytes: addresses, and extensions such as a
/// certificate's name.
pub(super) const PROXY_REST_MAX: usize = 4096;

const SIGNATURE: [u8; PROXY_START] = *b"\r\n\r\n\0\r\nQUIT\n";
const LOCAL: u8 = 0x20;
const PROXIED: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// How a header goes on, by its first [`PROXY_START`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyVersion {
    /// A line.
    One,
    /// Binary.
    Two,
}

/// The version, or an error for bytes that begin no header.
pub(super) fn proxy_version(start: &[u8; PROXY_START]) -> Result<ProxyVersion, ProtocolError> {
    match start {
        &SIGNATURE => Ok(ProxyVersion::Two),
        _ if start.starts_with(b"PROXY ") => Ok(ProxyVersion::One),
        _ => Err(ProtocolError::unexpected("PROXY header")),
    }
}

/// The length of the rest of a header of version 2.
pub(super) fn proxy_rest(fixed: &[u8; PROXY_FIXED]) -> Result<usize, ProtocolError> {
    let &[.., high, low] = fixed;
    match usize::from(u16::from_be_bytes([high, low])) {
        length @ ..=PROXY_REST_MAX => Ok(length),
        _ => Err(fault(ErrorKind::BadLength)),
    }
}

/// Whose connection it is, by a whole header of version 1 with its line end; `None` if the load
/// balancer does not know, or speaks for itself.
pub(super) fn parse_proxy_line(line: &[u8]) -> Result<Option<SocketAddr>, ProtocolError> {
    let text = line.strip_suffix(b"\r\n");
    let text = text.filter(|_| line.len() <= PROXY_LINE_MAX);
    let text = text.ok_or_else(|| fault(ErrorKind::Unterminated))?;
    let text = std::str::from_utf8(text).map_err(|_| fault(ErrorKind::NotText))?;
    let mut words = text.split(' ');
    let unexpected = || fault(ErrorKind::Unexpected);
    if words.next() != Some("PROXY") {
        return Err(unexpected());
    }
    let family = words.next().ok_or_else(unexpected)?;
    if family == "UNKNOWN" {
        return Ok(None);
    }
    let mut address = || words.next()?.parse::<IpAddr>().ok();
    let (source, destination) = (address(), address());
    let mut port = || {
        let word = words.next()?;
        // `parse` takes a sign, too.
        word.starts_with(|c: char| c.is_ascii_digit())
            .then(|| word.parse::<u16>().ok())?
    };
    let (source_port, destination_port) = (port(), port());
    let (Some(source), Some(destination), Some(port), Some(_), None) = (
        source,
        destination,
        source_port,
        destination_port,
        words.next(),
    ) else {
        return Err(unexpected());
    };
    match (family, source.is_ipv4(), destination.is_ipv4()) {
        ("TCP4", true, true) | ("TCP6", false, false) => Ok(Some(SocketAddr::new(source, port))),
        _ => Err(unexpected()),
    }
}

/// The same of version 2: its fixed part and its rest.
pub(super) fn parse_proxy_binary(
    fixed: &[u8; PROXY_FIXED],
    rest: &[u8],
) -> Result<Option<SocketAddr>, ProtocolError> {
    let &[.., command, family, _, _] = fixed;
    let short = || fault(ErrorKind::Truncated);
    match (command, family) {
        (LOCAL, _) => Ok(None),
        (PROXIED, TCP4) => {
            let (ip, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
            let port = rest.get(4..8).and_then(<[u8]>::first_chunk::<2>);
            let port = u16::from_be_bytes(*port.ok_or_else(short)?);
            Ok(Some(SocketAddr::new(Ipv4Addr::from(*ip).into(), port)))
        }
        (PROXIED, TCP6) => {
            let (ip, rest) = rest.split_first_chunk::<16>().ok_or_else(short)?;
            let port = rest.get(16..20).and_then(<[u8]>::first_chunk::<2>);
            let port = u16::from_be_bytes(*port.ok_or_else(short)?);
            Ok(Some(SocketAddr::new(Ipv6Addr::from(*ip).into(), port)))
        }
        (PROXIED, _) => Ok(None),
        _ => Err(fault(ErrorKind::Unexpected)),
    }
}

/// A header of version 2 for a connection from `source` to `destination`; one that says nothing
/// where that is not known, or not of one family.
pub fn encode_proxy_header(source: Option<SocketAddr>, destination: Option<SocketAddr>) -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    let (source_ip, source_port) = match source {
        Some(source) => (source.ip().to_canonical(), source.port()),
        None => (Ipv4Addr::UNSPECIFIED.into(), 0),
    };
    let to_port = destination.map_or(0, |it| it.port());
    let to = destination.map(|it| it.ip().to_canonical());
    let mut put = |family: u8, addresses: &[&[u8]]| {
        let rest = addresses.concat();
        out.extend([PROXIED, family]);
        out.extend(
            u16::try_from(rest.len() + 4)
                .unwrap_or_default()
                .to_be_bytes(),
        );
        out.extend(rest);
        out.extend(source_port.to_be_bytes());
        out.extend(to_port.to_be_bytes());
    };
    match (source.map(|_| source_ip), to) {
        (Some(IpAddr::V4(from)), Some(IpAddr::V4(to))) => {
            put(TCP4, &[&from.octets(), &to.octets()])
        }
        (Some(IpAddr::V4(from)), None) => put(TCP4, &[&from.octets(), &[0; 4]]),
        (Some(from), to) => {
            let wide = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            let to = to.map_or([0; 16], wide);
            put(TCP6, &[&wide(from), &to]);
        }
        (None, _) => out.extend([LOCAL, 0, 0, 0]),
    }
    out
}

const fn fault(kind: ErrorKind) -> ProtocolError {
    ProtocolError::new(kind, "PROXY header", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(bytes: &[u8]) -> Result<Option<SocketAddr>, ProtocolError> {
        let (fixed, rest) = bytes.split_first_chunk().expect("a whole fixed part");
        assert_eq!(proxy_rest(fixed), Ok(rest.len()));
        parse_proxy_binary(fixed, rest)
    }

    #[test]
    fn lines_tell_whose_connection_it_is() {
        for (line, expected) in [
            (
                "PROXY TCP4 10.0.0.7 10.0.0.1 50000 3306\r\n",
                Some("10.0.0.7:50000"),
            ),
            (
                "PROXY TCP6 2001:db8::7 ::1 1 2\r\n",
                Some("[2001:db8::7]:1"),
            ),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(parse_proxy_line(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn lines_that_are_cut_or_made_up_are_errors() {
        let good = b"PROXY TCP4 10.0.0.7 10.0.0.1 50000 3306\r\n";
        for length in 0..good.len() {
            assert!(parse_proxy_line(&good[..length]).is_err(), "{length} bytes");
        }
        for line in [
            "PROXY TCP4 10.0.0.7 10.0.0.1 50000 3306\n",
            "PROXY TCP4 10.0.0.7 10.0.0.1 50000 3306 more\r\n",
            "PROXY TCP4 10.0.0.7 10.0.0.1 50000 65536\r\n",
            "PROXY TCP4 10.0.0.7 10.0.0.1 +5 3306\r\n",
            "PROXY TCP4  10.0.0.7 10.0.0.1 5 3306\r\n",
            "PROXY TCP6 10.0.0.7 10.0.0.1 50000 3306\r\n",
            "PROXY TCP4 10.0.0.7 ::1 50000 3306\r\n",
            "PROXY UDP4 10.0.0.7 10.0.0.1 50000 3306\r\n",
            "proxy TCP4 10.0.0.7 10.0.0.1 50000 3306\r\n",
            "PROXY\r\n",
        ] {
            assert!(parse_proxy_line(line.as_bytes()).is_err(), "{line}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(PROXY_LINE_MAX));
        assert!(parse_proxy_line(long.as_bytes()).is_err());
        assert!(parse_proxy_line(b"PROXY UNKNOWN \xff\r\n").is_err());
    }

    #[test]
    fn what_is_written_reads_back() {
        for (from, to) in [
            ("10.0.0.7:50000", "10.0.0.1:3306"),
            ("[2001:db8::7]:50000", "[::1]:3306"),
            ("[2001:db8::7]:50000", "10.0.0.1:3306"),
        ] {
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            let bytes = encode_proxy_header(Some(from), Some(to));
            assert_eq!(binary(&bytes), Ok(Some(from)));
            assert_eq!(
                binary(&encode_proxy_header(Some(from), None)),
                Ok(Some(from))
            );
        }
        assert_eq!(binary(&encode_proxy_header(None, None)), Ok(None));
    }

    #[test]
    fn binary_headers_say_whose_connection_it_is_or_nothing() {
        let header = |command, family, rest: &[u8]| {
            let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
            [&SIGNATURE[..], &[command, family], &length, rest].concat()
        };
        let v4 = [10, 0, 0, 7, 10, 0, 0, 1, 0xc3, 0x50, 0x0c, 0xea];
        let from = "10.0.0.7:50000".parse().unwrap();
        assert_eq!(binary(&header(0x21, 0x11, &v4)), Ok(Some(from)));
        let extended = [&v4[..], &[4, 0, 1, 0]].concat();
        assert_eq!(binary(&header(0x21, 0x11, &extended)), Ok(Some(from)));
        assert_eq!(binary(&header(0x20, 0x11, &v4)), Ok(None), "LOCAL");
        assert_eq!(
            binary(&header(0x21, 0x31, &[0; 216])),
            Ok(None),
            "a unix socket"
        );
        for length in 0..8 {
            assert!(
                binary(&header(0x21, 0x11, &v4[..length])).is_err(),
                "{length}"
            );
        }
        for length in 0..20 {
            assert!(
                binary(&header(0x21, 0x21, &[1; 36][..length])).is_err(),
                "{length}"
            );
        }
        assert!(binary(&header(0x31, 0x11, &v4)).is_err(), "another version");
        assert!(binary(&header(0x22, 0x11, &v4)).is_err(), "another command");
    }

    #[test]
    fn p9_a_header_is_read_no_further_than_the_limit() {
        let mut fixed = [0; PROXY_FIXED];
        fixed[14..].copy_from_slice(&4096_u16.to_be_bytes());
        assert_eq!(proxy_rest(&fixed), Ok(PROXY_REST_MAX));
        fixed[14..].copy_from_slice(&4097_u16.to_be_bytes());
        assert!(proxy_rest(&fixed).is_err());
        assert!(proxy_version(b"GET / HTTP/1").is_err());
        assert_eq!(proxy_version(&SIGNATURE), Ok(ProxyVersion::Two));
        assert_eq!(proxy_version(b"PROXY UNKNOW"), Ok(ProxyVersion::One));
    }
}
