//! Reading a PROXY header from a connection, and not a byte more: what follows is the client's.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt;

use super::proxy_header::{
    PROXY_FIXED, PROXY_LINE_MAX, PROXY_START, ProxyVersion, parse_proxy_binary, parse_proxy_line,
    proxy_rest, proxy_version,
};
use super::{Plain, WireError};

/// Whose connection it is; `None` if the load balancer speaks for itself.
///
/// Not cancel safe: a caller that gives up closes the connection.
///
/// # Errors
/// [`WireError::Protocol`] for anything but a header.
pub async fn read_proxy_header(stream: &mut Plain) -> Result<Option<SocketAddr>, WireError> {
    let mut start = [0; PROXY_START];
    stream.read_exact(&mut start).await?;
    match proxy_version(&start)? {
        ProxyVersion::Two => {
            let mut fixed = [0; PROXY_FIXED];
            let (head, tail) = fixed.split_at_mut(PROXY_START);
            head.copy_from_slice(&start);
            stream.read_exact(tail).await?;
            let mut rest = vec![0; proxy_rest(&fixed)?];
            stream.read_exact(&mut rest).await?;
            Ok(parse_proxy_binary(&fixed, &rest)?)
        }
        ProxyVersion::One => {
            let mut line = start.to_vec();
            while !line.ends_with(b"\n") && line.len() < PROXY_LINE_MAX {
                let byte = stream.read_u8().await?;
                if byte == 0 {
                    return Err(io::Error::from(io::ErrorKind::InvalidData).into());
                }
                line.push(byte);
            }
            Ok(parse_proxy_line(&line)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::net::encode_proxy_header;

    async fn read(bytes: &[u8], piece: usize) -> (Result<Option<SocketAddr>, WireError>, Vec<u8>) {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut far = Plain::from(far);
        let write = async {
            for part in bytes.chunks(piece) {
                near.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            near.shutdown().await.unwrap();
        };
        let (read, ()) = tokio::join!(read_proxy_header(&mut far), write);
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
        (read, rest)
    }

    #[tokio::test]
    async fn a_header_is_read_to_its_end_and_no_further_whatever_pieces_it_comes_in() {
        let from: SocketAddr = "10.0.0.7:50000".parse().unwrap();
        let line = b"PROXY TCP4 10.0.0.7 10.0.0.1 50000 3306\r\n".to_vec();
        for header in [line, encode_proxy_header(Some(from), None)] {
            let bytes = [&header[..], b"\x01\0\0\0\x0e"].concat();
            for piece in [1, 5, bytes.len()] {
                let (read, rest) = read(&bytes, piece).await;
                assert_eq!(read.unwrap(), Some(from));
                assert_eq!(rest, b"\x01\0\0\0\x0e");
            }
            for cut in 0..header.len() {
                assert!(
                    super::tests::read(&header[..cut], 64).await.0.is_err(),
                    "{cut}"
                );
            }
        }
    }

    #[tokio::test]
    async fn p9_a_line_without_an_end_is_given_up() {
        let endless = [&b"PROXY TCP4 "[..], &[b'1'; 4000]].concat();
        let (result, rest) = read(&endless, 4096).await;
        assert!(result.is_err());
        assert_eq!(rest.len(), endless.len() - PROXY_LINE_MAX);
    }
}
