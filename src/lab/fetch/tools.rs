//! Programs beside MySQL's that a comparison needs: one on this machine, else one from the
//! system's package archive, fetched as MySQL is.

use std::env;
use std::path::{Path, PathBuf};

use super::apt::Tree;
use super::cache::{Lock, Unfinished, cache_directory};
use super::release::{self, Architecture};
use super::{architecture, broken, keep, keep_libraries, launcher, unpack_all};
use crate::lab::programs::{Launcher, first_file};
use crate::lab::{Error, progress};

/// Where packages put programs, below the root.
const FOLDERS: [&str; 3] = ["usr/bin", "usr/sbin", "usr/local/sbin"];

/// A program, with the file system's root that its other files are below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// How it is run.
    pub launcher: Launcher,
    /// `/` for one that is installed.
    pub root: PathBuf,
}

impl Tool {
    /// A folder of the libraries that came with it: `usr/lib/TRIPLET/NAME`. None if it is
    /// installed, and finds them by itself.
    pub fn library_folder(&self, name: &str) -> Option<PathBuf> {
        let triplet = Architecture::here()?.triplet;
        let folder = self.root.join("usr/lib").join(triplet).join(name);
        (self.root != Path::new("/")).then_some(folder)
    }
}

/// A program whose package has its name: `haproxy`, `sysbench`, `valgrind`.
///
/// # Errors
/// [`Error::Package`] if it is not here and can't be fetched.
pub async fn tool(name: &str) -> Result<Tool, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    let root = Path::new("/");
    let folders: Vec<_> = env::split_paths(&path)
        .chain(FOLDERS.map(|folder| root.join(folder)))
        .collect();
    if let Some(program) = first_file(folders.iter().map(PathBuf::as_path), name) {
        return Ok(Tool {
            launcher: Launcher::plain(program),
            root: root.to_owned(),
        });
    }
    fetched(name).await.map_err(|error| match error {
        Error::Fetch { why } => Error::Package {
            name: name.to_owned(),
            why,
        },
        other => other,
    })
}

async fn fetched(name: &str) -> Result<Tool, Error> {
    let cache = cache_directory()?;
    let architecture = architecture()?;
    let target = cache.join(format!("{name}-{}", env::consts::ARCH));
    if !target.is_dir() {
        let _lock = Lock::acquire(&cache).await?;
        if !target.is_dir() {
            fetch(name, &target, architecture).await?;
        }
    }
    tool_in(&target, name, architecture)
}

async fn fetch(name: &str, target: &Path, architecture: Architecture) -> Result<(), Error> {
    progress(&format!(
        "no {name} here: fetching it from the system's package archive (once)"
    ));
    let sources = release::mysql_sources()?;
    let unfinished = Unfinished::begin(target)?;
    let tree = Tree::open(unfinished.path().join("apt"), &sources).await?;
    let package = tree.package(name).await?;
    let archives = tree.download(&[&package]).await?;
    let unpacked = unfinished.path().join("unpacked");
    unpack_all(&archives, &unpacked).await?;
    let root = unfinished.path().join("root");
    for folder in FOLDERS {
        keep(&unpacked, &root, folder, |file| file == name)?;
    }
    for folder in ["usr/share", "usr/libexec"] {
        keep(&unpacked, &root, folder, |entry| entry == name)?;
    }
    keep_libraries(&unpacked, &root, architecture.triplet)?;
    tool_in(&root, name, architecture)?;
    unfinished.finish(&root, target)
}

fn tool_in(root: &Path, name: &str, architecture: Architecture) -> Result<Tool, Error> {
    let folders = FOLDERS.map(|folder| root.join(folder));
    let Some(program) = first_file(folders.iter().map(PathBuf::as_path), name) else {
        let why = Error::Usage(format!("it has no program {name}"));
        return Err(broken(root, &why));
    };
    Ok(Tool {
        launcher: launcher(root, program, architecture),
        root: root.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_installed_program_is_run_as_it_is() {
        let tool = tool("sh").await.unwrap();
        assert_eq!(tool.launcher.loader, None);
        assert_eq!(tool.root, Path::new("/"));
        assert_eq!(tool.library_folder("x"), None);
    }
}
