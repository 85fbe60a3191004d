//! The data directory that every instance begins with, made once for each version.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::time::timeout;

use super::fetch::{Lock, Unfinished, cache_directory};
use super::files::Layout;
use super::process::Process;
use super::programs::{Apart, Programs};
use super::{Error, Flavour, accounts, progress, system};

/// How long the server may take to make it.
const PATIENCE: Duration = Duration::from_secs(120);

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
    let storage = programs.flavour.storage();
    (programs.version.number, programs.mysqld.words(), storage).hash(&mut hasher);
    accounts::setup_sql(programs.flavour).hash(&mut hasher);
    let (major, minor, patch) = programs.version.number;
    format!("data-{major}.{minor}.{patch}-{:016x}", hasher.finish())
}

async fn make(programs: &Programs, target: &Path) -> Result<(), Error> {
    progress(&format!(
        "initialising a data directory of {} {} (once)",
        programs.flavour, programs.version
    ));
    let unfinished = Unfinished::begin(target)?;
    let layout = Layout::make(unfinished.path().to_owned())?;
    let setup = unfinished.path().join("setup.sql");
    let mut statements = accounts::setup_sql(programs.flavour);
    let mut arguments = vec![format!("--init-file={}", setup.display())];
    match programs.flavour {
        Flavour::MySql => arguments.push("--initialize-insecure".to_owned()),
        Flavour::MariaDb => {
            // Its server can't make the accounts before it has made its own tables.
            system::make_tables(programs, &layout).await?;
            statements.push_str("SHUTDOWN;\n");
            arguments.push("--skip-networking".to_owned());
            arguments.push(format!(
                "--socket={}",
                setup.with_extension("sock").display()
            ));
        }
    }
    fs::write(&setup, statements).map_err(Error::path("writing", &setup))?;
    arguments.extend(programs.flavour.storage().iter().map(|it| (*it).to_owned()));
    // Nobody waits for the other end: a run that is cut off leaves its directory to the next.
    let (_end, hold) = io::pipe().map_err(Error::io("making a pipe"))?;
    let mut process = Process::start(programs, &layout, &arguments, hold, Apart::Group)?;
    let why = match timeout(PATIENCE, process.wait()).await {
        Ok(status) => Some(status?)
            .filter(|it| !it.success())
            .map(|it| it.to_string()),
        // A statement of the setup failed, and the one that would end the server never came.
        Err(_) => Some("it does not end".to_owned()),
    };
    if let Some(why) = why {
        return Err(Error::Start {
            name: "the first run of the server".to_owned(),
            why,
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
