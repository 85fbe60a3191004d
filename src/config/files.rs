//! The files that a configuration is in or names.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::fault::{Fault, position};
use super::value::Mistake;
use super::{Environment, Position};

/// The largest configuration file, in bytes.
const CONFIG_MAX: u64 = 1024 * 1024;
/// The largest password, certificate or key file, in bytes.
const NAMED_FILE_MAX: u64 = 1024 * 1024;
/// The permission that lets everyone read a file.
const READABLE_BY_ALL: u32 = 0o004;

/// What a configuration may refer to.
pub(super) struct Surroundings<'a> {
    /// Where relative paths start.
    pub(super) directory: &'a Path,
    /// Where `password_env` looks.
    pub(super) environment: Environment<'a>,
    /// Whether everyone can read the configuration itself.
    pub(super) shared: bool,
}

/// A file's content, wiped when dropped, for it may hold passwords.
pub(super) struct Content {
    pub(super) text: Zeroizing<String>,
    /// Whether everyone can read the file.
    pub(super) shared: bool,
}

impl Surroundings<'_> {
    /// The path as seen from the configuration file.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}

/// Reads the configuration file itself.
pub(super) fn read_config(path: &Path, name: &str) -> Result<Content, Fault> {
    let fault = |position: Option<Position>, wrong: String, right: &str| Fault {
        file: name.to_owned(),
        position,
        key: String::new(),
        wrong,
        right: right.to_owned(),
    };
    let (bytes, metadata) = read(path, CONFIG_MAX)
        .map_err(|mistake| fault(None, mistake.wrong, "give the path of a TOML file"))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Content {
            text: Zeroizing::new(text.to_owned()),
            shared: shared(&metadata),
        }),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(valid);
            let place = position(&before, before.len());
            Err(fault(
                Some(place),
                "is not UTF-8 from here on".to_owned(),
                "save it as UTF-8",
            ))
        }
    }
}

/// Reads a text file that the configuration names.
pub(super) fn read_named(path: &Path) -> Result<Content, Mistake> {
    let (bytes, metadata) = read(path, NAMED_FILE_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Mistake::new(
            format!("{} is not UTF-8", path.display()),
            "save it as UTF-8",
        )
    })?;
    Ok(Content {
        text: Zeroizing::new(text.to_owned()),
        shared: shared(&metadata),
    })
}

fn read(path: &Path, limit: u64) -> Result<(Zeroizing<Vec<u8>>, Metadata), Mistake> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        let right = match error.kind() {
            io::ErrorKind::NotFound => "give the path of a file that is there",
            io::ErrorKind::PermissionDenied => "let the account that runs tidegate read it",
            _ => "give the path of a readable file",
        };
        Mistake::new(format!("{shown} cannot be read: {error}"), right)
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Mistake::new(
            format!("{shown} is a directory"),
            "give the path of a file",
        ));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        let wrong = format!("{shown} is longer than {limit} bytes");
        return Err(Mistake::new(wrong, "give the path of a smaller file"));
    }
    Ok((bytes, metadata))
}

/// A pipe is nobody else's, whatever its permissions say.
fn shared(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & READABLE_BY_ALL != 0
}
