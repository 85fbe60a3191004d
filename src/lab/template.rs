//! The data directory that every instance begins with, made once for each version of MySQL.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::fetch::{Lock, Unfinished, cache_directory};
use super::files::Layout;
use super::process::Process;
use super::programs::Programs;
use super::{Error, accounts, progress};

/// Options that shape a data directory, or that speed both its making and its use: what a lab
/// holds need not survive a power cut.
pub(super) const STORAGE: [&str; 5] = [
    "--innodb-buffer-pool-size=64M",
    "--loose-innodb-redo-log-capacity=64M",
    "--innodb-flush-method=fsync",
    "--innodb-use-native-aio=OFF",
    "--mysqlx=OFF",
];

/// A data directory with the lab's accounts, to be copied.
pub(super) async fn prepare(programs: &Programs) -> Result<PathBuf, Error> {
    let cache = cache_directory()?;
    let target = cache.join(name(programs));
    if !target.is_dir() {
        let _lock = Lock::acquire(&cache).await?;
        if !target.is_dir() {
            make(programs, &target).await?;
        }
    }
    Ok(target)
}

/// Another version, another way of running it or other contents make another directory.
fn name(programs: &Programs) -> String {
    let mut hasher = DefaultHasher::new();
    (programs.version.number, programs.mysqld.words(), STORAGE).hash(&mut hasher);
    accounts::setup_sql().hash(&mut hasher);
    let (major, minor, patch) = programs.version.number;
    format!("data-{major}.{minor}.{patch}-{:016x}", hasher.finish())
}

async fn make(programs: &Programs, target: &Path) -> Result<(), Error> {
    progress(&format!(
        "initialising a data directory of MySQL {} (once)",
        programs.version
    ));
    let unfinished = Unfinished::begin(target)?;
    let layout = Layout::make(unfinished.path().to_owned())?;
    let setup = unfinished.path().join("setup.sql");
    fs::write(&setup, accounts::setup_sql()).map_err(Error::path("writing", &setup))?;
    let mut arguments = vec!["--initialize-insecure".to_owned()];
    arguments.push(format!("--init-file={}", setup.display()));
    arguments.extend(STORAGE.map(str::to_owned));
    // Nobody waits for the other end: a run that is cut off leaves its directory to the next.
    let (_end, hold) = io::pipe().map_err(Error::io("making a pipe"))?;
    let mut process = Process::start(programs, &layout, &arguments, hold)?;
    let status = process.wait().await?;
    if !status.success() {
        return Err(Error::Start {
            name: "mysqld --initialize-insecure".to_owned(),
            why: status.to_string(),
            log: layout.complaints(),
        });
    }
    // The server's identity: each copy makes its own.
    let identity = layout.data().join("auto.cnf");
    if identity.exists() {
        fs::remove_file(&identity).map_err(Error::path("removing", &identity))?;
    }
    unfinished.finish(&layout.data(), target)
}
