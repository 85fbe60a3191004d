//! MySQL's own regression tests and their driver, fetched as MySQL is. The package is large: 420 MB
//! are downloaded and some 250 MB stay, so it comes on request only.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::apt::Tree;
use super::cache::{Lock, Unfinished, cache_directory};
use super::release::{self, Architecture};
use super::{architecture, broken, keep, keep_libraries, launcher, unpack_all};
use crate::lab::programs::Launcher;
use crate::lab::{Error, Flavour, progress};

/// Where the package has them, below the root.
const HOME: &str = "usr/lib/mysql-test";

/// What of them is kept. Expected results are not: a comparison makes its own.
const PARTS: [&str; 5] = ["common", "include", "std_data", "suite", "t"];

/// Larger files are data directories of old versions, for tests of upgrades; in bytes.
const LARGEST: u64 = 1 << 20;

/// The tests, and the programs that play them.
#[derive(Clone, Debug)]
pub struct TestSuite {
    root: PathBuf,
    architecture: Architecture,
}

impl TestSuite {
    /// The directory that tests name their files by.
    pub fn directory(&self) -> PathBuf {
        self.root.join(HOME)
    }

    /// The driver, where either of Debian and Ubuntu has it.
    pub fn mysqltest(&self) -> Launcher {
        let own = format!("{HOME}/bin/mysqltest");
        match self.root.join(&own).exists() {
            true => self.program(&own),
            false => self.client("mysqltest"),
        }
    }

    /// A client program that tests call, such as `mysqldump`.
    pub fn client(&self, name: &str) -> Launcher {
        self.program(&format!("usr/bin/{name}"))
    }

    /// What the server's other files are below.
    pub fn base(&self) -> PathBuf {
        self.root.join("usr")
    }

    /// The file of a test: `NAME`, or `SUITE.NAME`.
    pub fn test(&self, name: &str) -> PathBuf {
        let folder = match name.split_once('.') {
            Some((suite, _)) => format!("suite/{suite}/t"),
            None => "t".to_owned(),
        };
        let name = name.split_once('.').map_or(name, |(_, name)| name);
        self.directory().join(folder).join(format!("{name}.test"))
    }

    fn program(&self, path: &str) -> Launcher {
        launcher(&self.root, self.root.join(path), self.architecture)
    }
}

/// The tests of the version that [`super::programs`] would fetch, fetched once.
///
/// # Errors
/// [`Error::Fetch`] if they can't be fetched.
pub async fn test_suite() -> Result<TestSuite, Error> {
    let cache = cache_directory()?;
    let architecture = architecture()?;
    let root = cache.join(format!("mysql-test-{}", env::consts::ARCH));
    if !root.is_dir() {
        let _lock = Lock::acquire(&cache).await?;
        if !root.is_dir() {
            fetch(&root, architecture).await?;
        }
    }
    let suite = TestSuite { root, architecture };
    let runs = suite.mysqltest().version(Flavour::MySql).await;
    runs.map_err(|error| broken(&suite.root, &error))?;
    Ok(suite)
}

async fn fetch(target: &Path, architecture: Architecture) -> Result<(), Error> {
    let sources = release::mysql_sources()?;
    let unfinished = Unfinished::begin(target)?;
    let tree = Tree::open(unfinished.path().join("apt"), &sources).await?;
    let package = tree.package("mysql-testsuite").await?;
    progress("downloading MySQL's regression tests, about 420 MB (once)");
    let archives = tree.download(&[&package]).await?;
    progress("unpacking");
    let unpacked = unfinished.path().join("unpacked");
    unpack_all(&archives, &unpacked).await?;
    let root = unfinished.path().join("root");
    keep(&unpacked, &root, HOME, |name| PARTS.contains(&name))?;
    keep(&unpacked, &root, &format!("{HOME}/bin"), |name| {
        name == "mysqltest"
    })?;
    keep(&unpacked, &root, "usr/bin", |name| {
        name.starts_with("mysql")
    })?;
    keep(&unpacked, &root, "usr/share", |name| {
        name.starts_with("mysql")
    })?;
    keep_libraries(&unpacked, &root, architecture.triplet)?;
    for part in PARTS {
        thin_out(&root.join(HOME).join(part))?;
    }
    let suite = TestSuite {
        root: root.clone(),
        architecture,
    };
    suite.mysqltest().version(Flavour::MySql).await?;
    unfinished.finish(&root, target)
}

/// Removes expected results, and what is too large.
fn thin_out(directory: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(directory).map_err(Error::path("reading", directory))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.metadata() else {
            continue;
        };
        let done = match kind.is_dir() {
            true if path.file_name().is_some_and(|name| name == "r") => fs::remove_dir_all(&path),
            true => {
                thin_out(&path)?;
                Ok(())
            }
            false if kind.len() > LARGEST => fs::remove_file(&path),
            false => Ok(()),
        };
        done.map_err(Error::path("removing", &path))?;
    }
    Ok(())
}
