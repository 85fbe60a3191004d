//! What came of the played application, and the table that shows it.

use std::time::Duration;

/// The results of one road.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    name: String,
    /// Reads that did not show what had been written before.
    stale: u64,
    /// Statements and resets that failed.
    errors: u64,
    /// How long each read took, in the order of the reads; failed ones are not in here.
    latencies: Vec<Duration>,
    /// Reads that readers answered.
    pub(super) at_readers: u64,
}

impl Tally {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// Records something that ought to work.
    pub(super) fn ran<T>(&mut self, result: &mysql_async::Result<T>) {
        self.errors += u64::from(result.is_err());
    }

    /// Records a read of a row that is there.
    pub(super) fn read<T>(&mut self, result: &mysql_async::Result<Option<T>>, took: Duration) {
        self.ran(result);
        if let Ok(row) = result {
            self.stale += u64::from(row.is_none());
            self.latencies.push(took);
        }
    }

    fn cells(&self) -> [String; 6] {
        let reads = self.latencies.len();
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        [
            self.name.clone(),
            format!("{} of {reads}", self.stale),
            self.errors.to_string(),
            milliseconds(percentile(&sorted, 50)),
            milliseconds(percentile(&sorted, 99)),
            share(self.at_readers, reads as u64),
        ]
    }
}

/// Shows the results, a line each.
pub(super) fn table(tallies: &[Tally]) -> String {
    let head = [
        "",
        "stale reads",
        "errors",
        "read p50",
        "read p99",
        "reads at readers",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(tallies.iter().map(Tally::cells));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let line = |row: &[String; 6]| {
        let [name, numbers @ ..] = row;
        let [first, others @ ..] = widths;
        let cells = numbers.iter().zip(others);
        let cells = cells.map(|(cell, width)| format!("  {cell:>width$}"));
        format!("{name:<first$}{}\n", cells.collect::<String>())
    };
    rows.iter().map(line).collect()
}

/// The smallest value that so many percent of all do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

fn milliseconds(latency: Option<Duration>) -> String {
    latency.map_or_else(
        || "-".to_owned(),
        |latency| format!("{:.2} ms", latency.as_secs_f64() * 1e3),
    )
}

fn share(part: u64, whole: u64) -> String {
    match (part * 100 + whole / 2).checked_div(whole) {
        Some(percent) => format!("{percent} %"),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> mysql_async::Error {
        std::io::Error::other("gone").into()
    }

    #[test]
    fn the_table_shows_what_was_recorded() {
        let mut tally = Tally::new("naive splitter".to_owned());
        for n in 1..=98 {
            tally.read(&Ok(Some("row")), Duration::from_micros(n * 10));
        }
        tally.read::<&str>(&Ok(None), Duration::from_millis(7));
        tally.read::<&str>(&Ok(None), Duration::from_millis(9));
        tally.read::<&str>(&Err(failure()), Duration::from_secs(5));
        tally.ran::<()>(&Err(failure()));
        tally.at_readers = 33;
        let nothing = Tally::new("no reads at all".to_owned());
        let expected = [
            "                 stale reads  errors  read p50  read p99  reads at readers\n",
            "naive splitter      2 of 100       2   0.50 ms   7.00 ms              33 %\n",
            "no reads at all       0 of 0       0         -         -                 -\n",
        ];
        assert_eq!(table(&[tally, nothing]), expected.concat());
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        for (count, percent, expected) in [(200, 50, 100), (200, 99, 198), (1, 99, 1), (3, 50, 2)] {
            let found = percentile(&values[..count], percent);
            assert_eq!(
                found,
                Some(Duration::from_millis(expected)),
                "{count} {percent}"
            );
        }
        assert_eq!(percentile(&[], 50), None);
    }
}
