//! Reads Tidegate's metrics as a monitoring system does.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Asks a port of loopback for /metrics. HTTP 1.0 (RFC 1945): the answer ends with the connection.
pub(crate) async fn fetch(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The samples of one moment: for each the name with its labels, as it stands in the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the text of /metrics; what is no sample is left out.
    pub(crate) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// How much each counter has risen since then; gauges make no sense in here.
    pub(crate) fn since(&self, then: &Self) -> Self {
        let rise = |(name, now): (&String, &f64)| {
            let then = then.0.get(name).copied().unwrap_or_default();
            (name.clone(), now - then)
        };
        Self(self.0.iter().map(rise).collect())
    }

    /// The statements that these backends have got, for whatever reason.
    pub(crate) fn statements(&self, backends: &[String]) -> u64 {
        let of_one = |(labels, value): (Labels<'_>, f64)| {
            let backend = labels.get("backend");
            backend
                .is_some_and(|name| backends.iter().any(|one| one == name))
                .then(|| count(value))
        };
        self.family("tidegate_statements_total")
            .filter_map(of_one)
            .sum()
    }

    /// Every sample of a name, with its labels.
    pub(crate) fn family<'m>(&'m self, name: &'m str) -> impl Iterator<Item = (Labels<'m>, f64)> {
        self.0.iter().filter_map(move |(sample, value)| {
            let labels = sample.strip_prefix(name)?;
            let labels = match labels.strip_prefix('{') {
                Some(rest) => rest.strip_suffix('}')?,
                None if labels.is_empty() => "",
                None => return None,
            };
            let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            let pairs = pairs.map(|(label, value)| (label, value.trim_matches('"')));
            Some((pairs.collect(), *value))
        })
    }
}

/// The labels of a sample. Tidegate's own have neither commas nor quotation marks in them.
pub(crate) type Labels<'m> = BTreeMap<&'m str, &'m str>;

/// A counter's value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole numbers from 0, and clamped here"
)]
pub(crate) fn count(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE tidegate_statements_total counter\n\
        tidegate_statements_total{backend=\"reader1\",reason=\"a\"} 3\n\
        tidegate_statements_total{backend=\"reader1\",reason=\"b\"} 4\n\
        tidegate_statements_total{backend=\"reader10\",reason=\"a\"} 100\n\
        tidegate_statements_total{backend=\"writer\",reason=\"a\"} 1000\n\
        tidegate_backend_up{backend=\"reader1\"} 1\n\
        tidegate_reads_split 1\n";

    #[test]
    fn only_statements_of_the_named_backends_are_added_up() {
        let metrics = Metrics::parse(TEXT);
        let table: [(&[&str], u64); 3] = [
            (&["reader1"], 7),
            (&["reader1", "reader10"], 107),
            (&["reader2"], 0),
        ];
        for (backends, expected) in table {
            let backends: Vec<_> = backends.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(metrics.statements(&backends), expected, "{backends:?}");
        }
    }

    #[test]
    fn what_was_counted_before_is_taken_off() {
        let before = "tidegate_statements_total{backend=\"reader1\",reason=\"a\"} 2\n";
        let rise = Metrics::parse(TEXT).since(&Metrics::parse(before));
        assert_eq!(rise.statements(&["reader1".to_owned()]), 5);
    }

    #[test]
    fn a_family_has_its_own_samples_only() {
        let metrics = Metrics::parse(TEXT);
        let split: Vec<_> = metrics.family("tidegate_reads_split").collect();
        assert_eq!(split, [(Labels::new(), 1.0)]);
        assert_eq!(metrics.family("tidegate_reads").count(), 0);
    }
}
