//! Removes a lab's directories when all that wrote into them is gone.

use std::io::{self, PipeWriter, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Error;

/// A shell that waits for the end of its standard input. Every process of the lab holds the other
/// end of that pipe, this one too, so the end comes when all of them are gone, however they went:
/// nothing is left behind after Ctrl-C or SIGKILL either.
#[derive(Debug)]
pub(super) struct Janitor {
    shell: Child,
    hold: Option<PipeWriter>,
}

impl Janitor {
    const SCRIPT: &str = r#"read -r word; [ "$word" = keep ] || rm -rf -- "$@""#;
    /// How long dropping waits for the shell to end.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Takes charge of directories that belong to the lab alone.
    pub(super) fn employ(directories: &[PathBuf]) -> Result<Self, Error> {
        let (reader, hold) = io::pipe().map_err(Error::io("making a pipe"))?;
        let shell = Command::new("/bin/sh")
            .args(["-c", Self::SCRIPT, "lab-janitor"])
            .args(directories)
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // A Ctrl-C at the terminal must not reach it.
            .process_group(0)
            .spawn()
            .map_err(Error::io("running /bin/sh"))?;
        Ok(Self {
            shell,
            hold: Some(hold),
        })
    }

    /// A hold on the directories, for one more process.
    pub(super) fn hold(&self) -> Result<PipeWriter, Error> {
        let hold = self.hold.as_ref().map(PipeWriter::try_clone);
        hold.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
            .map_err(Error::io("sharing a pipe"))
    }

    /// Leaves the directories where they are.
    pub(super) fn dismiss(mut self) -> Result<(), Error> {
        let mut hold = self.hold.take();
        let told = hold
            .as_mut()
            .map_or(Ok(()), |hold| hold.write_all(b"keep\n"));
        told.map_err(Error::io("dismissing the janitor"))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.hold = None;
        let since = Instant::now();
        while since.elapsed() < Self::PATIENCE && matches!(self.shell.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_directories_stay_until_the_last_hold_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        let (one, two) = (parent.path().join("one"), parent.path().join("two words"));
        fs::create_dir_all(one.join("deep")).unwrap();
        fs::create_dir(&two).unwrap();
        let janitor = Janitor::employ(&[one.clone(), two.clone()]).unwrap();
        let mut sleeper = Command::new("sleep")
            .arg("100")
            .stdout(janitor.hold().unwrap())
            .spawn()
            .unwrap();
        let dropped = thread::spawn(move || drop(janitor));
        thread::sleep(Duration::from_millis(100));
        assert!(!dropped.is_finished() && one.is_dir() && two.is_dir());
        sleeper.kill().unwrap();
        dropped.join().unwrap();
        assert!(!one.exists() && !two.exists());
        sleeper.wait().unwrap();
    }

    #[test]
    fn a_janitor_that_is_dismissed_removes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        Janitor::employ(&[parent.path().to_owned()])
            .unwrap()
            .dismiss()
            .unwrap();
        assert!(parent.path().is_dir());
    }
}
