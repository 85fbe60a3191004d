//! Tidegate under callgrind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tidegate::lab::fetch::Tool;
use tidegate::lab::{Cluster, MONITOR};
use tokio::process::{Child, Command};

use crate::Error;

/// The first of the threads that serve sessions, as valgrind numbers them: the main one, 1, starts
/// one for each core, and others only later.
const FIRST_WORKER: u64 = 2;

/// A Tidegate whose instructions are counted.
pub(crate) struct Counted {
    /// Where it listens. By TCP it would need an RSA key, which takes callgrind a minute to make.
    socket: PathBuf,
    process: Child,
    /// Where the counts go, without callgrind's endings.
    file: PathBuf,
}

impl Counted {
    pub(crate) async fn start(
        cluster: &Cluster,
        valgrind: &Tool,
        file: &Path,
    ) -> Result<Self, Error> {
        let socket = cluster.directory().join("counted.sock");
        // `valgrind` itself would look where it was built for.
        let folder = valgrind.root.join("usr/libexec/valgrind");
        let callgrind = folder.join(match std::env::consts::ARCH {
            "aarch64" => "callgrind-arm64-linux",
            _ => "callgrind-amd64-linux",
        });
        if !callgrind.is_file() {
            return Err(format!("no callgrind in {}", folder.display()).into());
        }
        let reader = cluster.readers().first().ok_or("a lab without a reader")?;
        let process = Command::new(&callgrind)
            .env("VALGRIND_LIB", &folder)
            .env("VALGRIND_LAUNCHER", &callgrind)
            .env("TIDEGATE_MONITOR_PASSWORD", MONITOR.password)
            .args(["--tool=callgrind", "--separate-threads=yes", "--vgdb=no"])
            .arg(format!("--callgrind-out-file={}", file.display()))
            .arg(env!("CARGO_BIN_EXE_tidegate"))
            .args(["serve", "--monitor-user", MONITOR.user])
            .arg(format!("--listen=unix:{}", socket.display()))
            .arg(format!("--writer={}", cluster.writer().address()))
            .arg(format!("--reader={}", reader.address()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            socket,
            process,
            file: file.to_owned(),
        })
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Ends it, and says how many instructions the threads that serve sessions have run.
    pub(crate) async fn end(mut self) -> Result<u64, Error> {
        let id = self.process.id().ok_or("Tidegate has ended")?;
        let ended = Command::new("kill").arg(id.to_string()).status().await?;
        if !ended.success() || !self.process.wait().await?.success() {
            return Err("Tidegate did not end as it should under callgrind".into());
        }
        let folder = self.file.parent().ok_or("no folder")?;
        let name = self.file.file_name().ok_or("no name")?.to_string_lossy();
        let mut sum = 0;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            // One for each thread: NAME-01.
            let part = path.file_name().map(|it| it.to_string_lossy().into_owned());
            let thread = part.as_deref().and_then(|part| part.strip_prefix(&*name));
            if thread.is_some_and(|thread| thread.starts_with('-')) {
                sum += instructions(&fs::read_to_string(&path)?).unwrap_or(0);
            }
        }
        match sum {
            0 => Err(format!("callgrind left no counts in {}", folder.display()).into()),
            sum => Ok(sum),
        }
    }
}

/// What one thread has run, if it serves sessions: its `thread:` and `totals:` lines (callgrind's
/// manual, "Callgrind Format Specification").
fn instructions(text: &str) -> Option<u64> {
    let field = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name))?;
        value.trim().parse::<u64>().ok()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = FIRST_WORKER..FIRST_WORKER + u64::try_from(cores).ok()?;
    workers
        .contains(&field("thread:")?)
        .then(|| field("totals:"))?
}
