//! The directory that all labs of a user share: fetched programs and a data directory to copy.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::lab::{Error, progress};

/// `$TIDEGATE_LAB_CACHE`, else `$XDG_CACHE_HOME/tidegate`, else `~/.cache/tidegate`; made if it
/// isn't there.
///
/// # Errors
/// [`Error`] if none of them is set, or if the directory can't be made.
pub fn cache_directory() -> Result<PathBuf, Error> {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let directory = set("TIDEGATE_LAB_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|path| path.join("tidegate")))
        .or_else(|| set("HOME").map(|path| path.join(".cache/tidegate")))
        .ok_or_else(|| {
            Error::Usage("no place for the lab's cache: set TIDEGATE_LAB_CACHE=DIRECTORY".into())
        })?;
    fs::create_dir_all(&directory).map_err(Error::path("making", &directory))?;
    fs::canonicalize(&directory).map_err(Error::path("resolving", &directory))
}

/// The right to change the cache. A run that waits for it learns when the holder lets go, or dies.
///
/// It is held by a child that runs until this end of its standard input closes.
#[derive(Debug)]
pub(in crate::lab) struct Lock {
    _holder: Child,
}

impl Lock {
    /// How long the lock may take before the user is told what is waited for.
    const SILENT: Duration = Duration::from_millis(500);

    /// Waits until no other run changes the cache.
    pub(in crate::lab) async fn acquire(cache: &Path) -> Result<Self, Error> {
        let path = cache.join("lock");
        let mut holder = Command::new("flock")
            .arg(&path)
            .args(["sh", "-c", "echo held; read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(Error::io(
                "running flock, which keeps two runs apart (package util-linux)",
            ))?;
        let output = holder.stdout.take().ok_or_else(|| broken(&path))?;
        let mut lines = BufReader::new(output).lines();
        let line = match timeout(Self::SILENT, lines.next_line()).await {
            Ok(line) => line,
            Err(_) => {
                progress("waiting for another run that is filling the cache");
                lines.next_line().await
            }
        };
        match line.map_err(Error::path("locking", &path))? {
            Some(_) => Ok(Self { _holder: holder }),
            None => Err(broken(&path)),
        }
    }
}

fn broken(path: &Path) -> Error {
    Error::Directory {
        path: path.to_owned(),
        why: "can't be locked".to_owned(),
    }
}

/// A directory that is filled under a name of its own and appears under its real one complete or
/// not at all. Dropped before that, it is gone.
#[derive(Debug)]
pub(in crate::lab) struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// Begins anew, and clears away what a run left that was cut off. The caller holds the lock.
    pub(in crate::lab) fn begin(target: &Path) -> Result<Self, Error> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".unfinished");
        let path = target.with_file_name(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(Error::path("removing", &path))?;
        }
        fs::create_dir(&path).map_err(Error::path("making", &path))?;
        Ok(Self { path })
    }

    /// Where to put things.
    pub(in crate::lab) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives a directory inside of this one its real name, and drops the rest.
    pub(in crate::lab) fn finish(self, part: &Path, target: &Path) -> Result<(), Error> {
        fs::rename(part, target).map_err(Error::path("naming", target))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_to_come_gets_the_lock_when_the_first_lets_go() {
        let cache = tempfile::tempdir().unwrap();
        let first = Lock::acquire(cache.path()).await.unwrap();
        let mut second = Box::pin(Lock::acquire(cache.path()));
        assert!(
            timeout(Duration::from_millis(200), &mut second)
                .await
                .is_err()
        );
        drop(first);
        timeout(Duration::from_secs(10), second)
            .await
            .unwrap()
            .unwrap();
    }

    #[test]
    fn a_directory_appears_complete_or_not_at_all() {
        let cache = tempfile::tempdir().unwrap();
        let target = cache.path().join("data");
        let unfinished = Unfinished::begin(&target).unwrap();
        fs::write(unfinished.path().join("half"), "").unwrap();
        drop(unfinished);
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);

        // A run that was killed leaves its directory; the next one starts empty.
        std::mem::forget(Unfinished::begin(&target).unwrap());
        fs::write(cache.path().join("data.unfinished/half"), "").unwrap();
        let unfinished = Unfinished::begin(&target).unwrap();
        let part = unfinished.path().join("part");
        fs::create_dir(&part).unwrap();
        fs::write(part.join("whole"), "").unwrap();
        unfinished.finish(&part, &target).unwrap();
        let entries: Vec<_> = fs::read_dir(cache.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        assert_eq!(entries, std::slice::from_ref(&target));
        assert!(target.join("whole").is_file() && !target.join("half").exists());
    }
}
