//! The demo as a person runs it: what its table says, that the line it prints works, and that
//! nothing of it is left whenever it is ended.

#![cfg(test)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long each step of a demo may take, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(120);

/// What was killed is gone by then.
const GONE_BY: Duration = Duration::from_secs(10);

/// A demo whose temporary files have a place of their own, which also marks its processes: each
/// inherits its name in the environment.
struct Demo {
    place: TempDir,
    child: Child,
}

impl Demo {
    fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .arg("demo")
            .env("TMPDIR", place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { place, child }
    }

    /// Reads standard output up to a line that begins with this; gives back all lines so far.
    fn output_until(&mut self, last: &str) -> Vec<String> {
        until(self.child.stdout.as_mut().unwrap(), last)
    }

    /// Reads what it tells the person who waits, up to a line that begins with this.
    fn await_progress(&mut self, last: &str) {
        until(self.child.stderr.as_mut().unwrap(), last);
    }

    fn await_that(&self, what: &str, holds: impl Fn(&Path) -> bool) {
        let since = Instant::now();
        while !holds(self.place.path()) {
            assert!(since.elapsed() < LIMIT, "{what}: never");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(sh(&kill).status.success());
    }

    /// Waits for its end, and looks at what it leaves behind.
    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        // A process that has been killed is on the list until the system has cleared it away, and
        // nobody but its parent, which is gone, could wait for that.
        let deadline = Instant::now() + GONE_BY;
        loop {
            let mut left = entries(self.place.path());
            left.extend(processes_of(self.place.path()));
            if left.is_empty() || Instant::now() > deadline {
                return (status, left);
            }
            std::thread::yield_now();
        }
    }
}

/// A test that fails must not leave a lab behind.
impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_table_shows_what_each_road_gets_wrong_and_the_printed_line_works() {
    let mut demo = Demo::start();
    let lines = demo.output_until("Ctrl-C ends it");
    let [splitter, connection, user] = [
        "naive splitter",
        "Tidegate, scope connection",
        "Tidegate, scope user",
    ]
    .map(|road| Row::of(road, &lines));

    assert!(splitter.stale > 0, "{lines:?}");
    // The connection that did not write knows nothing of the write.
    assert!(connection.stale > 0, "{lines:?}");
    assert_eq!(user.stale, 0, "p1: {lines:?}");
    for row in [splitter, connection, user] {
        assert!(row.reads > 100 && row.errors == 0, "{lines:?}");
        assert!(row.percent_at_readers > 10, "{lines:?}");
    }

    // A server of the user's own may come without a client.
    let line = lines.iter().find(|line| line.contains("--port=")).unwrap();
    if !line.trim_start().starts_with("mysql ") {
        let query = "SELECT body FROM notes3 WHERE id = 13";
        let output = sh(&format!("{line} --skip-column-names -e '{query}'"));
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "new note\n",
            "{output:?}"
        );
    }

    demo.signal("INT");
    let (status, left) = demo.end();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
}

#[test]
fn ended_at_any_moment_it_leaves_no_process_and_no_file() {
    type Moment = fn(&mut Demo);
    let moments: [(&str, &str, Moment); 4] = [
        ("files appear", "INT", |demo| {
            demo.await_that("files", |place| !entries(place).is_empty());
        }),
        ("the servers start", "TERM", |demo| {
            let is_mysqld = |line: &String| line.contains("mysqld");
            demo.await_that("mysqld", |place| processes_of(place).iter().any(is_mysqld));
        }),
        ("MySQL is up", "INT", |demo| {
            demo.await_progress("demo: MySQL")
        }),
        ("it plays", "TERM", |demo| {
            demo.await_progress("demo: round 1")
        }),
    ];
    for (name, signal, moment) in moments {
        let mut demo = Demo::start();
        moment(&mut demo);
        demo.signal(signal);
        let (status, left) = demo.end();
        assert_eq!(status.code(), Some(1), "{name}");
        assert_eq!(left, [""; 0], "{name}");
    }
}

/// A line of the table.
#[derive(Clone, Copy)]
struct Row {
    stale: u64,
    reads: u64,
    errors: u64,
    percent_at_readers: u64,
}

impl Row {
    fn of(road: &str, lines: &[String]) -> Self {
        let cells = lines.iter().find_map(|line| line.strip_prefix(road));
        let cells = cells.unwrap_or_else(|| panic!("no {road} in {lines:?}"));
        let words: Vec<_> = cells.split_whitespace().collect();
        let [
            stale,
            "of",
            reads,
            errors,
            _,
            "ms",
            _,
            "ms",
            percent_at_readers,
            "%",
        ] = words[..]
        else {
            panic!("{cells}");
        };
        Self {
            stale: stale.parse().unwrap(),
            reads: reads.parse().unwrap(),
            errors: errors.parse().unwrap(),
            percent_at_readers: percent_at_readers.parse().unwrap(),
        }
    }
}

/// Reads lines, byte by byte so that nothing beyond the last one is taken.
fn until(source: &mut impl std::io::Read, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in BufReader::with_capacity(1, source).lines() {
        let line = line.unwrap();
        let found = line.starts_with(last);
        lines.push(line);
        if found {
            return lines;
        }
    }
    panic!("it ended before {last:?}: {lines:?}");
}

fn sh(script: &str) -> Output {
    Command::new("sh").args(["-c", script]).output().unwrap()
}

fn entries(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// The command lines of all processes that have this place in their environment, but not this one.
fn processes_of(place: &Path) -> Vec<String> {
    let mark = place.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let text = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let marked = processes.filter(|one| text(&one.path().join("environ")).contains(&mark));
    marked
        .map(|one| text(&one.path().join("cmdline")))
        .collect()
}
