//! The files of a lab: directories claimed and copied, and where an instance keeps what.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use super::{Error, tail};

const TEMPORARY_PREFIX: &str = "tidegate-lab-";

/// The longest path of a Unix socket, without its closing zero (unix(7)).
const SOCKET_PATH_MAX: usize = 107;

/// Where one mysqld has its files.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    directory: PathBuf,
}

impl Layout {
    /// A layout below a directory, which is made if it isn't there. Its `data` is not.
    pub(super) fn make(directory: PathBuf) -> Result<Self, Error> {
        let layout = Self { directory };
        for folder in [layout.directory.join("tmp"), layout.files()] {
            fs::create_dir_all(&folder).map_err(Error::path("making", &folder))?;
        }
        Ok(layout)
    }

    /// The data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The only place that statements may read and write files in: the server may run as root,
    /// and anybody on this machine may log in.
    pub(super) fn files(&self) -> PathBuf {
        self.directory.join("files")
    }

    /// The error log.
    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("error.log")
    }

    /// What the error log tells of a failure: its last errors, else its last lines.
    pub(super) fn complaints(&self) -> String {
        let text = self.log_text();
        let errors: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("[ERROR]"))
            .collect();
        tail(
            if errors.is_empty() {
                text.lines().collect()
            } else {
                errors
            },
            12,
        )
    }

    /// The error log's last lines.
    pub(super) fn log_tail(&self, lines: usize) -> String {
        tail(self.log_text().lines().collect(), lines)
    }

    fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// What tells a mysqld to use these files and no others.
    pub(super) fn options(&self) -> Vec<OsString> {
        let option = |name: &str, path: PathBuf| {
            let mut option = OsString::from(format!("--{name}="));
            option.push(path);
            option
        };
        let mut options = vec![
            option("datadir", self.data()),
            option("tmpdir", self.directory.join("tmp")),
            option("secure-file-priv", self.files()),
            option("log-error", self.log()),
            option("pid-file", self.directory.join("mysqld.pid")),
        ];
        // mysqld runs as root only when told to; whose files we make shows who we are.
        if fs::metadata(&self.directory).is_ok_and(|directory| directory.uid() == 0) {
            options.push("--user=root".into());
        }
        options
    }
}

/// Makes a directory that belongs to the caller alone: it is new, or was there and empty.
pub(super) fn claim(path: &Path) -> Result<PathBuf, Error> {
    let path = std::path::absolute(path).map_err(Error::path("resolving", path))?;
    // An empty one is made anew, since only making it tells who was first.
    match fs::remove_dir(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => {
            let why = "is no empty directory; choose another one".to_owned();
            return Err(Error::Directory { path, why });
        }
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::path("making", parent))?;
    }
    fs::create_dir(&path).map_err(Error::path("making", &path))?;
    fs::canonicalize(&path).map_err(Error::path("resolving", &path))
}

/// Makes a new directory among the system's temporary files.
pub(super) fn claim_temporary() -> Result<PathBuf, Error> {
    claim_below(&env::temp_dir())
}

/// A directory for sockets, if this one's path is too long for them.
pub(super) fn claim_for_sockets(directory: &Path, longest_name: &str) -> Result<PathBuf, Error> {
    if directory.join(longest_name).as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok(directory.to_owned());
    }
    claim_below(Path::new("/tmp"))
}

/// Whether a directory has a name as [`claim_temporary`] gives it.
pub(super) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(TEMPORARY_PREFIX))
}

fn claim_below(parent: &Path) -> Result<PathBuf, Error> {
    let name = format!(
        "{TEMPORARY_PREFIX}{}-{:08x}",
        process::id(),
        rand::random::<u32>()
    );
    claim(&parent.join(name))
}

/// Copies a directory with all that is in it. Where the file system can share the blocks of both
/// copies, it does.
pub(super) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Writes a program that anybody may run.
pub(super) fn write_program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_holds_something_is_not_claimed() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("precious"), "").unwrap();
        let error = claim(parent.path()).unwrap_err().to_string();
        assert!(error.contains("is no empty directory"), "{error}");
        let error = claim(&parent.path().join("precious"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("is no empty directory"), "{error}");
        assert!(parent.path().join("precious").is_file());
    }

    #[test]
    fn a_missing_and_an_empty_directory_are_claimed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        assert!(claim(&path).unwrap().is_dir());
        assert!(claim(&path).unwrap().is_dir());
    }

    #[test]
    fn sockets_go_elsewhere_when_the_path_is_too_long_for_them() {
        let parent = tempfile::tempdir().unwrap();
        assert_eq!(
            claim_for_sockets(parent.path(), "x.sock").unwrap(),
            parent.path()
        );
        let long = parent.path().join("d".repeat(SOCKET_PATH_MAX));
        let short = claim_for_sockets(&long, "x.sock").unwrap();
        assert!(short.join("x.sock").as_os_str().len() <= SOCKET_PATH_MAX);
        fs::remove_dir(short).unwrap();
    }

    #[test]
    fn a_copy_has_every_file_of_every_depth() {
        let parent = tempfile::tempdir().unwrap();
        let (from, to) = (parent.path().join("from"), parent.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/c"), "deep").unwrap();
        fs::write(from.join("d"), "flat").unwrap();
        copy_tree(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/b/c")).unwrap(), "deep");
        assert_eq!(fs::read_to_string(to.join("d")).unwrap(), "flat");
    }
}
