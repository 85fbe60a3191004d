//! Runs the benchmark, and reads what it wrote.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// What was killed is gone by then.
const GONE_BY: Duration = Duration::from_secs(10);

/// A benchmark whose files have a place of their own, which also marks its processes: each inherits
/// its name in the environment.
pub(crate) struct Bench {
    place: Arc<TempDir>,
    child: Child,
    told: Vec<u8>,
}

/// What is known at its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Its files go with this.
    place: Arc<TempDir>,
}

impl Ended {
    /// What it has written.
    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.place.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}: {self:?}"))
    }

    /// What it has told.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl Bench {
    /// Starts it; nobody is there to answer its questions.
    pub(crate) fn start(arguments: &[&[&str]]) -> Self {
        let place = Arc::new(tempfile::tempdir().unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .arg("bench")
            .args(arguments.concat())
            .current_dir(place.path())
            .env("TMPDIR", place.path())
            .env("BENCH_PASSWORD", tidegate::lab::APP.password)
            .env("MONITOR_PASSWORD", tidegate::lab::MONITOR.password)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            place,
            child,
            told: Vec::new(),
        }
    }

    /// Reads what it tells the person who waits, up to a line that begins with this.
    pub(crate) fn await_progress(&mut self, last: &str) {
        // Byte by byte, so that nothing beyond the line is taken.
        let source = self.child.stderr.as_mut().unwrap();
        let mut lines = BufReader::with_capacity(1, source);
        loop {
            let mut line = String::new();
            let read = lines.read_line(&mut line).unwrap();
            let told = String::from_utf8_lossy(&self.told).into_owned();
            assert!(read > 0, "it ended before {last:?}: {told}");
            self.told.extend(line.bytes());
            if line.starts_with(last) {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end, and looks at what it leaves behind besides these files, which go with
    /// what this gives back.
    pub(crate) fn end_keeping(mut self, files: &[&str]) -> (Ended, Vec<String>) {
        let mut stdout = Vec::new();
        let mut source = self.child.stdout.take().unwrap();
        let reading = std::thread::spawn(move || {
            source.read_to_end(&mut stdout).unwrap();
            stdout
        });
        let mut told = std::mem::take(&mut self.told);
        let mut errors = self.child.stderr.take().unwrap();
        errors.read_to_end(&mut told).unwrap();
        let status = self.child.wait().unwrap();
        let ended = Ended {
            status,
            stdout: reading.join().unwrap(),
            stderr: told,
            place: Arc::clone(&self.place),
        };
        let deadline = Instant::now() + GONE_BY;
        let left = loop {
            let mut left = entries(self.place.path());
            left.retain(|name| !files.contains(&name.as_str()));
            left.extend(processes_of(self.place.path()));
            if left.is_empty() || Instant::now() > deadline {
                break left;
            }
            std::thread::yield_now();
        };
        (ended, left)
    }
}

/// A test that fails must not leave a lab behind.
impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The JSON report.
pub(crate) struct Found(Value);

impl Found {
    pub(crate) fn read(ended: &Ended) -> Self {
        Self(serde_json::from_str(&ended.file("found.json")).unwrap())
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.0["interrupted"] == true
    }

    /// How many measurements there were.
    pub(crate) fn slices(&self) -> usize {
        self.0["slices"].as_array().unwrap().len()
    }

    fn targets(&self) -> Vec<String> {
        let targets = self.0["targets"].as_array().unwrap().iter();
        let names = targets.map(|target| target["name"].as_str().unwrap().to_owned());
        names.collect()
    }

    /// Every lag, by its position, with every target.
    pub(crate) fn all(&self) -> Vec<(usize, String)> {
        let lags = self.0["plan"]["lags_s"].as_array().unwrap().len();
        let targets = self.targets();
        let pairs = (0..lags).flat_map(|lag| targets.iter().map(move |it| (lag, it.clone())));
        pairs.collect()
    }

    /// What was found for a target.
    pub(crate) fn cell(&self, lag: usize, target: &str) -> &Value {
        let position = self.targets().iter().position(|name| name == target);
        let position = position.unwrap_or_else(|| panic!("no {target}"));
        let mut cells = self.0["cells"].as_array().unwrap().iter();
        let cell = cells.find(|cell| cell["lag"] == lag && cell["target"] == position);
        cell.unwrap_or_else(|| panic!("nothing of {target} at {lag}"))
    }

    /// How far the furthest reader was behind: the median and the most.
    pub(crate) fn lag(&self, lag: usize, target: &str) -> (f64, f64) {
        let measured = &self.cell(lag, target)["lag_measured_s"];
        let at = |index: usize| measured[index].as_f64().unwrap();
        (at(0), at(1))
    }

    /// Whether Tidegate gave a reason for some statement of a target.
    pub(crate) fn has_reason(&self, target: &str, reason: &str) -> bool {
        let reasons = self.cell(0, target)["reasons"].as_array().unwrap();
        reasons.iter().any(|it| it["reason"] == reason)
    }
}

fn entries(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// The command lines of all processes that have this place in their environment.
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
