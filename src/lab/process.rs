//! One mysqld as a process that can't outlive us by accident.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeWriter, Write as _};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::Error;
use super::files::Layout;
use super::programs::{Apart, Programs};

/// Becomes the program. Before that it leaves a reader behind, which kills it when the other end
/// of the standard input closes: when we are gone, for whatever reason. The word `keep` sends the
/// reader away instead. It makes sure of the process by its command line, since a process id is
/// given out again after a crash. Standard output is a hold on the lab's directory, which both
/// keep as long as they live.
const WATCHED: &str = r#"
exec 3<&0 4>&1 </dev/null >&2
( (
    read -r word <&3
    [ "$word" = keep ] && exit
    case "$(tr '\0' ' ' <"/proc/$$/cmdline")" in *"$1"*) kill -s KILL $$ ;; esac
) 2>/dev/null & )
exec 3<&-
shift
exec "$@"
"#;

/// A running mysqld, or one whose end has not been asked for yet. It is killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    lifeline: Option<PipeWriter>,
    kept: bool,
}

impl Process {
    /// How long dropping waits for a killed process to be gone.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Starts a mysqld on a layout's files. `hold` keeps the directory that the layout is in.
    pub(super) fn start<A: AsRef<OsStr>>(
        programs: &Programs,
        layout: &Layout,
        arguments: impl IntoIterator<Item = A>,
        hold: PipeWriter,
        apart: Apart,
    ) -> Result<Self, Error> {
        let (reader, lifeline) = io::pipe().map_err(Error::io("making a pipe"))?;
        let log = layout.log();
        let file = File::options().append(true).create(true).open(&log);
        let file = file.map_err(Error::path("opening", &log))?;
        let mut command = apart.command("/bin/sh");
        command
            .args(["-c", WATCHED, "lab-mysqld"])
            .arg(layout.data());
        command
            .args(programs.mysqld.words())
            .arg("--no-defaults")
            .args(&programs.mysqld_args);
        command.args(layout.options()).args(arguments);
        command.stdin(reader).stdout(hold).stderr(file);
        // What a user or a service manager has set for another mysqld is not meant for this one.
        for name in [
            "MYSQL_HOME",
            "MYSQL_TCP_PORT",
            "MYSQL_UNIX_PORT",
            "NOTIFY_SOCKET",
        ] {
            command.env_remove(name);
        }
        command.current_dir("/");
        let child = command.spawn().map_err(Error::io("running /bin/sh"))?;
        let pid = child.id().unwrap_or_default();
        Ok(Self {
            child,
            pid,
            lifeline: Some(lifeline),
            kept: false,
        })
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it ends by itself.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        self.child
            .wait()
            .await
            .map_err(Error::io("waiting for mysqld"))
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub(super) async fn kill(mut self) -> Result<(), Error> {
        self.child.kill().await.map_err(Error::io("killing mysqld"))
    }

    /// Sends a signal by its name.
    pub(super) async fn signal(&self, name: &str) -> Result<(), Error> {
        signal(self.pid, name).await
    }

    /// Lets it outlive us.
    pub(super) fn keep(mut self) -> Result<(), Error> {
        let lifeline = self.lifeline.as_mut();
        let told = lifeline.map_or(Ok(()), |lifeline| lifeline.write_all(b"keep\n"));
        told.map_err(Error::io("detaching mysqld"))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.kept || self.ended().is_some() {
            return;
        }
        let _ = self.child.start_kill();
        let since = Instant::now();
        while since.elapsed() < Self::PATIENCE && self.ended().is_none() {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Sends a signal by its name (the shell has `kill` built in; a small system may lack the program).
pub(super) async fn signal(pid: u32, name: &str) -> Result<(), Error> {
    let mut command = Command::new("/bin/sh");
    command.args([
        "-c",
        r#"kill -s "$1" "$2""#,
        "lab-signal",
        name,
        &pid.to_string(),
    ]);
    let output = command
        .output()
        .await
        .map_err(Error::io("running /bin/sh"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let what = format!("sending SIG{name} to process {pid}");
    Err(Error::Io {
        what,
        source: io::Error::other(said),
    })
}

/// Are all threads of a process stopped by a signal? True also where it is gone.
pub(super) fn is_stopped(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    threads.flatten().all(|thread| {
        let Ok(stat) = std::fs::read_to_string(thread.path().join("stat")) else {
            return true;
        };
        // The state follows the name, which stands in parentheses and may hold any letter.
        stat.rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X']))
    })
}
