//! Runs sysbench and reads what it prints.

use std::future::Future;
use std::path::PathBuf;
use std::process::Stdio;

use tidegate::lab::fetch::Tool;
use tidegate::lab::{APP, APP_SCHEMA};
use tokio::process::Command;

use crate::Error;
use crate::workload::Workload;

/// Rows of the table that is read from; small enough to stay in memory.
pub(crate) const ROWS: u32 = 10_000;

/// What sysbench measured in one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Queries per second.
    pub(crate) qps: f64,
    /// The median latency, in milliseconds.
    pub(crate) p50_ms: f64,
    /// The latency that one query of a hundred exceeds, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// sysbench.
#[derive(Debug)]
pub(crate) struct Load {
    sysbench: Tool,
    /// The script of workloads that send one statement.
    script: PathBuf,
}

impl Load {
    pub(crate) fn new(sysbench: Tool, script: PathBuf) -> Self {
        Self { sysbench, script }
    }

    /// Makes the table.
    pub(crate) async fn prepare(&self, writer: u16) -> Result<(), Error> {
        let output = self
            .command(writer, Workload::Text, 1)
            .arg("prepare")
            .output()
            .await?;
        match output.status.success() {
            true => Ok(()),
            false => Err(failure(&output)),
        }
    }

    /// Plays a workload for some seconds, while `beside` runs.
    pub(crate) async fn run<T>(
        &self,
        port: u16,
        (workload, threads): (Workload, usize),
        seconds: u64,
        beside: impl Future<Output = T>,
    ) -> Result<(Sample, T), Error> {
        let mut command = self.command(port, workload, threads);
        command.arg(format!("--time={seconds}")).arg("run");
        let (output, beside) = tokio::join!(command.output(), beside);
        let output = output?;
        let sample = output.status.success().then(|| {
            let text = String::from_utf8_lossy(&output.stdout);
            sample(&text)
        });
        match sample.flatten() {
            Some(sample) => Ok((sample, beside)),
            None => Err(failure(&output)),
        }
    }

    fn command(&self, port: u16, workload: Workload, threads: usize) -> Command {
        let mut command = self.sysbench.launcher.command();
        // Its scripts load each other from where it stands.
        command.current_dir(self.sysbench.root.join("usr/share/sysbench"));
        if let Some(plugins) = self.sysbench.library_folder("libmariadb3/plugin") {
            command.env("MARIADB_PLUGIN_DIR", plugins);
        }
        command.args(workload.arguments(&self.script)).args([
            "--db-driver=mysql".to_owned(),
            "--mysql-host=127.0.0.1".to_owned(),
            format!("--mysql-port={port}"),
            format!("--mysql-user={}", APP.user),
            format!("--mysql-password={}", APP.password),
            format!("--mysql-db={APP_SCHEMA}"),
            format!("--threads={threads}"),
            "--histogram=on".to_owned(),
        ]);
        command.stdin(Stdio::null());
        command
    }
}

fn failure(output: &std::process::Output) -> Error {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&all);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| {
            ["FATAL", "rror", "nvalid"]
                .iter()
                .any(|it| line.contains(it))
        })
        .take(5)
        .collect();
    format!(
        "sysbench ended with {}:\n{}",
        output.status,
        lines.join("\n")
    )
    .into()
}

/// Reads `queries: N (Q per sec.)` and the histogram, whose lines are `latency |**** count`.
fn sample(text: &str) -> Option<Sample> {
    let queries = text
        .lines()
        .find(|line| line.trim().starts_with("queries:"))?;
    let (_, rate) = queries.split_once('(')?;
    let qps = rate.split_whitespace().next()?.parse().ok()?;
    let counts: Vec<(f64, u64)> = text
        .lines()
        .filter_map(|line| {
            let (latency, count) = line.split_once('|')?;
            let count = count.split_whitespace().last()?;
            Some((latency.trim().parse().ok()?, count.parse().ok()?))
        })
        .collect();
    Some(Sample {
        qps,
        p50_ms: percentile(&counts, 50)?,
        p99_ms: percentile(&counts, 99)?,
    })
}

fn percentile(counts: &[(f64, u64)], percent: u64) -> Option<f64> {
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let rank = (all * percent).div_ceil(100);
    let mut so_far = 0;
    let reached = |(_, count): &&(f64, u64)| {
        so_far += count;
        so_far >= rank
    };
    counts.iter().find(reached).map(|(latency, _)| *latency)
}
