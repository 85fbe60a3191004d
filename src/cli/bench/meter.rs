//! What is measured beside the load: lag, statements at the backends, processor time.

use std::fs;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::error::Error;
use super::site::Site;
use crate::cli::local::{Metrics, Proxy};

/// Ticks of processor time in a second, as /proc counts them on every Linux (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Asks the backends what they have done.
#[derive(Debug)]
pub(super) struct Meter {
    /// The writer, then the readers.
    conns: Vec<Conn>,
    /// The writer's process, in a lab.
    process: Option<u32>,
}

/// What the counters said at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Statements at the writer.
    queries: Option<f64>,
    /// SELECTs at the writer, then at each reader.
    selects: Vec<f64>,
    /// Processor time of the writer, in seconds.
    cpu: Option<f64>,
    metrics: Metrics,
}

/// What happened between two moments.
#[derive(Clone, Debug, Default)]
pub(super) struct Rise {
    pub(super) queries: Option<f64>,
    pub(super) selects: Vec<f64>,
    pub(super) cpu: Option<f64>,
    pub(super) metrics: Metrics,
}

impl Meter {
    /// Connects.
    pub(super) async fn open(site: &Site) -> Result<Self, Error> {
        let mut conns = vec![site.connect("the writer", &site.writer).await?];
        for reader in &site.readers {
            conns.push(site.connect("a reader", reader).await?);
        }
        let process = match &site.lab {
            Some(lab) => lab.writer().pid().await,
            None => None,
        };
        Ok(Self { conns, process })
    }

    /// Reads all counters. What can't be read is left out.
    pub(super) async fn read(&mut self, proxy: Option<&Proxy>) -> Reading {
        let metrics = proxy.map(|proxy| Metrics::parse(&proxy.metrics().render()));
        let mut reading = Reading {
            metrics: metrics.unwrap_or_default(),
            cpu: self.process.and_then(processor_time),
            ..Reading::default()
        };
        for (index, conn) in self.conns.iter_mut().enumerate() {
            let asked = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_select', 'Questions')";
            let rows: mysql_async::Result<Vec<(String, String)>> = conn.query(asked).await;
            let rows = rows.unwrap_or_default();
            let value = |name: &str| {
                let found = rows
                    .iter()
                    .find(|(found, _)| found.eq_ignore_ascii_case(name));
                found.and_then(|(_, value)| value.parse::<f64>().ok())
            };
            if index == 0 {
                reading.queries = value("Questions");
            }
            reading.selects.extend(value("Com_select"));
        }
        reading
    }

    /// Ends it.
    pub(super) async fn close(self) {
        for conn in self.conns {
            // Nobody is left whom a failure would interest.
            let _ = conn.disconnect().await;
        }
    }
}

impl Reading {
    /// What happened since another reading.
    pub(super) fn since(&self, before: &Self) -> Rise {
        let rise = |now: Option<f64>, before: Option<f64>| Some(now? - before?);
        let selects = self.selects.iter().zip(&before.selects);
        Rise {
            queries: rise(self.queries, before.queries),
            selects: selects.map(|(now, before)| now - before).collect(),
            cpu: rise(self.cpu, before.cpu),
            metrics: self.metrics.since(&before.metrics),
        }
    }
}

impl Rise {
    /// The share of SELECTs that ran on readers, less what runs all the time (as SELECTs each
    /// second); none if that can't be told.
    pub(super) fn share_at_readers(&self, idle: &[f64], secs: f64) -> Option<f64> {
        let more = |(place, count): (usize, &f64)| {
            let idle = idle.get(place).copied().unwrap_or_default();
            (count - idle * secs).max(0.0)
        };
        let all: Vec<_> = self.selects.iter().enumerate().map(more).collect();
        let whole: f64 = all.iter().sum();
        let at_readers: f64 = all.iter().skip(1).sum();
        (whole > 0.0).then(|| at_readers / whole)
    }
}

/// How long a process has run, in its own and the system's code (proc(5), stat, fields 14 and 15).
fn processor_time(process: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything, but ends with the last parenthesis.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_all_the_time_is_taken_off() {
        let rise = Rise {
            selects: vec![30.0, 50.0, 40.0],
            ..Rise::default()
        };
        let share = rise.share_at_readers(&[10.0, 10.0, 10.0], 1.0).unwrap();
        assert!((share - 70.0 / 90.0).abs() < 1e-9, "{share}");
        assert_eq!(rise.share_at_readers(&[100.0; 3], 1.0), None);
    }

    #[test]
    fn this_process_has_used_the_processor() {
        let mut spent = 0_u64;
        while processor_time(std::process::id()).unwrap() == 0.0 {
            spent = spent.wrapping_add(1);
        }
        assert_eq!(processor_time(u32::MAX), None);
    }
}
