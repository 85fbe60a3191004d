//! Finds MySQL or MariaDB on this machine, or gets it: from the system's own package archive into a directory
//! of the user's, where its own loader runs it. The system stays as it is.

mod apt;
mod cache;
mod installed;
mod release;
mod sources;
mod suite;
mod tools;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use apt::Tree;
pub use cache::cache_directory;
pub(super) use cache::{Lock, Unfinished};
use release::Architecture;
pub use suite::{TestSuite, test_suite};
pub use tools::{Tool, tool};

use super::programs::{Launcher, Programs, first_file};
use super::{Error, Flavour, progress};

/// The programs of a flavour: those of the server that is named, else of the one that
/// `TIDEGATE_MYSQLD` or `TIDEGATE_MARIADBD` names, else of one that is installed, else fetched ones
/// (once; later runs find them in the [`cache_directory`]).
///
/// # Errors
/// [`Error::Unsuitable`] if the server that was named can't serve; [`Error::Server`] if there is
/// none and it can't be fetched.
pub async fn programs(flavour: Flavour, mysqld: Option<&Path>) -> Result<Programs, Error> {
    let set = env::var_os(flavour.variable()).filter(|path| !path.is_empty());
    if let Some(mysqld) = mysqld
        .map(Path::to_owned)
        .or_else(|| set.map(PathBuf::from))
    {
        return installed::programs_of(flavour, &mysqld).await;
    }
    let refused = match installed::search(flavour).await {
        Ok(programs) => return Ok(programs),
        Err(refused) => refused,
    };
    fetched(flavour, &refused)
        .await
        .map_err(|error| match error {
            Error::Fetch { why } => Error::Server { flavour, why },
            other => other,
        })
}

async fn fetched(flavour: Flavour, refused: &[Error]) -> Result<Programs, Error> {
    let cache = cache_directory()?;
    let architecture = architecture()?;
    let root = cache.join(format!("{}-{}", flavour.client(), env::consts::ARCH));
    if !root.is_dir() {
        let _lock = Lock::acquire(&cache).await?;
        if !root.is_dir() {
            refused
                .iter()
                .for_each(|error| progress(&format!("not used: {error}")));
            fetch_root(flavour, &root, architecture).await?;
        }
    }
    programs_in(flavour, &root, architecture)
        .await
        .map_err(|error| broken(&root, &error))
}

fn architecture() -> Result<Architecture, Error> {
    Architecture::here().ok_or_else(|| Error::Fetch {
        why: format!(
            "only amd64 and arm64 are known, and this is {}",
            env::consts::ARCH
        ),
    })
}

fn broken(root: &Path, error: &Error) -> Error {
    Error::Directory {
        path: root.to_owned(),
        why: format!("the cached copy is broken ({error}); remove it, and it is fetched anew"),
    }
}

async fn fetch_root(
    flavour: Flavour,
    target: &Path,
    architecture: Architecture,
) -> Result<(), Error> {
    progress(&format!(
        "no {flavour} server here: fetching one from the system's package archive (once)"
    ));
    let sources = match flavour {
        Flavour::MySql => release::mysql_sources()?,
        Flavour::MariaDb => release::own_sources()?,
    };
    let unfinished = Unfinished::begin(target)?;
    let tree = Tree::open(unfinished.path().join("apt"), &sources).await?;
    let [server, client] = ["server", "client"].map(|it| format!("{}-{it}-core", flavour.client()));
    let server = tree.package(&server).await?;
    let client = tree.package(&client).await?;
    progress("downloading about 70 MB");
    let mut archives = tree.download(&[&server, &client]).await?;
    if flavour == Flavour::MariaDb {
        // Plugins that the server may load, authentication among them. It runs without.
        match tree.download_alone("mariadb-server").await {
            Ok(plugins) => archives.extend(plugins),
            Err(error) => progress(&format!("without the server's plugins: {error}")),
        }
    }
    progress("unpacking");
    let unpacked = unfinished.path().join("unpacked");
    unpack_all(&archives, &unpacked).await?;
    let root = unfinished.path().join("root");
    let lib = architecture.triplet;
    keep(&unpacked, &root, "usr/sbin", |name| {
        name == flavour.server()
    })?;
    keep(&unpacked, &root, "usr/bin", |name| {
        name.starts_with(flavour.client())
    })?;
    let ours = |name: &str| name.starts_with("mysql") || name.starts_with("mariadb");
    keep(&unpacked, &root, "usr/lib", ours)?;
    keep(&unpacked, &root, "usr/share", ours)?;
    keep_libraries(&unpacked, &root, lib)?;
    let programs = programs_in(flavour, &root, architecture).await?;
    unfinished.finish(&root, target)?;
    progress(&format!(
        "{flavour} {} is in {}",
        programs.version,
        target.display()
    ));
    Ok(())
}

async fn unpack_all(archives: &[PathBuf], directory: &Path) -> Result<(), Error> {
    for archive in archives {
        apt::unpack(archive, directory).await?;
    }
    Ok(())
}

/// Both places that libraries may be in, without Perl's modules, which are most of their size.
fn keep_libraries(unpacked: &Path, root: &Path, triplet: &str) -> Result<(), Error> {
    for lib in ["lib", "usr/lib"] {
        let folder = format!("{lib}/{triplet}");
        keep(unpacked, root, &folder, |name| !name.starts_with("perl"))?;
    }
    Ok(())
}

/// Moves the entries of a folder that are wanted. What isn't is thrown away: 200 MB, and programs
/// that would run as root whoever starts them.
fn keep(from: &Path, to: &Path, folder: &str, wanted: impl Fn(&str) -> bool) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(from.join(folder)) else {
        return Ok(());
    };
    let target = to.join(folder);
    fs::create_dir_all(&target).map_err(Error::path("making", &target))?;
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
    {
        let path = entry.path();
        fs::rename(&path, target.join(entry.file_name())).map_err(Error::path("moving", &path))?;
    }
    Ok(())
}

async fn programs_in(
    flavour: Flavour,
    root: &Path,
    architecture: Architecture,
) -> Result<Programs, Error> {
    let run = |program: PathBuf| launcher(root, program, architecture);
    let mysqld = run(root.join("usr/sbin").join(flavour.server()));
    let version = mysqld.version(flavour).await?;
    let option = |name: &str, folder: &str| {
        let mut option = OsString::from(format!("--{name}="));
        option.push(root.join(folder));
        option
    };
    // MariaDB has long used MySQL's names, and on some systems still does.
    let home = |below: &str, folder: &str| {
        let names = ["mysql", "mariadb"].map(|name| format!("usr/{below}/{name}{folder}"));
        let [first, second] = names;
        let is_there = root.join(&first).is_dir();
        if is_there { first } else { second }
    };
    let mysqld_args = vec![
        option("basedir", "usr"),
        option("lc-messages-dir", &home("share", "")),
        option("plugin-dir", &home("lib", "/plugin")),
    ];
    let mysql = first_file([root.join("usr/bin").as_path()], flavour.client()).map(run);
    Ok(Programs {
        flavour,
        version,
        mysqld,
        mysqld_args,
        mysql,
    })
}

fn launcher(root: &Path, program: PathBuf, architecture: Architecture) -> Launcher {
    let folders = ["usr/lib", "lib"].map(|lib| root.join(lib).join(architecture.triplet));
    let loader = first_file(folders.iter().map(PathBuf::as_path), architecture.loader);
    let library_path = env::join_paths(folders.iter().filter(|folder| folder.is_dir())).ok();
    Launcher {
        program,
        loader,
        library_path,
    }
}
