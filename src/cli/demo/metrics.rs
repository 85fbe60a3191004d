//! Reads Tidegate's metrics as a monitoring system does.

use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Asks a port of loopback for /metrics. HTTP 1.0 (RFC 1945): the answer ends with the connection.
pub(super) async fn fetch(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The statements that these backends have got, for whatever reason.
pub(super) fn statements(text: &str, backends: &[String]) -> u64 {
    let of_one = |backend: &String| {
        let start = format!("tidegate_statements_total{{backend=\"{backend}\",");
        text.lines()
            .filter(|line| line.starts_with(&start))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum::<u64>()
    };
    backends.iter().map(of_one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_of_the_named_backends_are_added_up() {
        let text = "# TYPE tidegate_statements_total counter\n\
                    tidegate_statements_total{backend=\"reader1\",reason=\"a\"} 3\n\
                    tidegate_statements_total{backend=\"reader1\",reason=\"b\"} 4\n\
                    tidegate_statements_total{backend=\"reader10\",reason=\"a\"} 100\n\
                    tidegate_statements_total{backend=\"writer\",reason=\"a\"} 1000\n\
                    tidegate_backend_up{backend=\"reader1\"} 1\n";
        let table: [(&[&str], u64); 3] = [
            (&["reader1"], 7),
            (&["reader1", "reader10"], 107),
            (&["reader2"], 0),
        ];
        for (backends, expected) in table {
            let backends: Vec<_> = backends.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(statements(text, &backends), expected, "{backends:?}");
        }
    }
}
