//! A tree of apt's own beside the system's: its own sources, lists and archives, and an empty
//! status file, so that a whole closure of packages comes (libc included) and nothing is installed.
//! It needs no root.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::lab::{Error, tail};

/// The tree. Everything in it may be thrown away after use.
#[derive(Debug)]
pub(super) struct Tree {
    directory: PathBuf,
}

impl Tree {
    /// Makes the tree below a directory and reads what the sources offer.
    pub(super) async fn open(directory: PathBuf, sources: &str) -> Result<Self, Error> {
        for part in ["state/lists/partial", "archives/partial", "parts"] {
            let part = directory.join(part);
            fs::create_dir_all(&part).map_err(Error::path("making", &part))?;
        }
        let files = [
            ("status", String::new()),
            ("parts/mysql.sources", sources.to_owned()),
            ("apt.conf", configuration(&directory)),
        ];
        for (name, text) in files {
            let path = directory.join(name);
            fs::write(&path, text).map_err(Error::path("writing", &path))?;
        }
        let tree = Self { directory };
        tree.apt("apt-get", ["-q", "update"]).await?;
        Ok(tree)
    }

    /// The newest of the packages that are named `stem` or `stem-VERSION`: Debian has the first
    /// form, Ubuntu's older releases the second.
    pub(super) async fn package(&self, stem: &str) -> Result<String, Error> {
        let pattern = format!("^{stem}(-[0-9.]+)?$");
        let found = self
            .apt("apt-cache", ["search", "--names-only", &pattern])
            .await?;
        let names = found
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        names
            .max_by_key(|name| package_version(name))
            .map(str::to_owned)
            .ok_or_else(|| Error::Fetch {
                why: format!("the system's archive has no package {stem}"),
            })
    }

    /// Downloads packages with all that they depend on; gives back the archives.
    pub(super) async fn download(&self, packages: &[&str]) -> Result<Vec<PathBuf>, Error> {
        let words = ["-q", "-y", "install", "--download-only"];
        self.apt("apt-get", words.iter().chain(packages)).await?;
        archives_in(&self.directory.join("archives"))
    }

    /// Downloads one package without what it depends on; gives back its archive.
    pub(super) async fn download_alone(&self, package: &str) -> Result<Vec<PathBuf>, Error> {
        let folder = self.directory.join("alone");
        fs::create_dir_all(&folder).map_err(Error::path("making", &folder))?;
        self.apt_in(&folder, "apt-get", ["-q", "download", package])
            .await?;
        archives_in(&folder)
    }

    async fn apt<W: AsRef<OsStr>>(
        &self,
        program: &str,
        words: impl IntoIterator<Item = W>,
    ) -> Result<String, Error> {
        self.apt_in(&self.directory, program, words).await
    }

    async fn apt_in<W: AsRef<OsStr>>(
        &self,
        folder: &Path,
        program: &str,
        words: impl IntoIterator<Item = W>,
    ) -> Result<String, Error> {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .arg("-c")
            .arg(self.directory.join("apt.conf"))
            .args(words);
        output(&mut command).await
    }
}

fn archives_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::path("reading", folder))?;
    let is_archive = |path: &PathBuf| path.extension().is_some_and(|e| e == "deb");
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_archive)
        .collect())
}

/// Unpacks an archive below a directory.
pub(super) async fn unpack(archive: &Path, directory: &Path) -> Result<(), Error> {
    output(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(archive)
            .arg(directory),
    )
    .await
    .map(drop)
}

/// Runs a program of the fetch in the C locale, since [`hint`] reads what it says.
async fn output(command: &mut Command) -> Result<String, Error> {
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let output = command
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| Error::Fetch {
            why: format!("{name} can't be run ({error})"),
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let hint = hint(&text)
        .map(|hint| format!("\n{hint}"))
        .unwrap_or_default();
    Err(Error::Fetch {
        why: format!("{name} failed:\n{}{hint}", tail(text.lines().collect(), 6)),
    })
}

/// What the end of apt's or dpkg's output most likely means.
fn hint(text: &str) -> Option<&'static str> {
    let table: [(&[&str], &str); 3] = [
        (
            &["No space left", "enough free space"],
            "the disk is full: about 600 MB are needed for a while; TIDEGATE_LAB_CACHE names \
             another directory",
        ),
        (
            &[
                "Could not resolve",
                "Temporary failure",
                "Could not connect",
                "Unable to connect",
                "Network is unreachable",
                "Connection timed out",
            ],
            "the archive can't be reached: is this machine offline?",
        ),
        (
            &["NO_PUBKEY", "EXPKEYSIG", "is not signed"],
            "the archive's key is unknown here: bring debian-archive-keyring up to date",
        ),
    ];
    let said = |words: &[&str]| words.iter().any(|word| text.contains(word));
    table
        .into_iter()
        .find(|(words, _)| said(words))
        .map(|(_, hint)| hint)
}

/// The numbers at the end of a package's name; none comes last, since unnumbered names are newer.
fn package_version(name: &str) -> (bool, Vec<u32>) {
    let suffix = name.rsplit('-').next().unwrap_or_default();
    let numbers: Option<Vec<u32>> = suffix.split('.').map(|part| part.parse().ok()).collect();
    (numbers.is_none(), numbers.unwrap_or_default())
}

/// apt.conf(5) for the tree. It is read after the system's, whose proxies stay in force; its hooks
/// do not, as they are meant for the system's own lists.
fn configuration(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "Dir::State \"{directory}/state\";\n\
         Dir::State::lists \"{directory}/state/lists\";\n\
         Dir::State::status \"{directory}/status\";\n\
         Dir::Cache \"{directory}\";\n\
         Dir::Cache::archives \"{directory}/archives\";\n\
         Dir::Etc::sourcelist \"/dev/null\";\n\
         Dir::Etc::sourceparts \"{directory}/parts\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Update::Error-Mode \"any\";\n\
         APT::Keep-Downloaded-Packages \"true\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"2\";\n\
         Acquire::http::Timeout \"20\";\n\
         Acquire::https::Timeout \"20\";\n\
         #clear Acquire::IndexTargets::deb::DEP-11;\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         #clear DPkg::Post-Invoke;\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_packages_forms_is_taken() {
        let table = [
            (
                &["mysql-server-core-5.7", "mysql-server-core-8.0"][..],
                "mysql-server-core-8.0",
            ),
            (
                &["mysql-server-core", "mysql-server-core-8.0"],
                "mysql-server-core",
            ),
            (
                &["mysql-server-core-8.0", "mysql-server-core-10.1"],
                "mysql-server-core-10.1",
            ),
        ];
        for (names, expected) in table {
            let newest = names.iter().max_by_key(|name| package_version(name));
            assert_eq!(newest, Some(&expected));
        }
    }

    #[test]
    fn a_failure_is_explained_by_what_apt_says() {
        let table = [
            ("E: Could not resolve 'archive.example'", Some("offline")),
            (
                "E: Temporary failure resolving 'archive.example'",
                Some("offline"),
            ),
            ("W: not enough free space in /x", Some("disk is full")),
            (
                "dpkg-deb: error: write error: No space left on device",
                Some("disk is full"),
            ),
            (
                "GPG error: sid InRelease: NO_PUBKEY 6ED0E7B82643E131",
                Some("key is unknown"),
            ),
            ("E: something new", None),
        ];
        for (text, expected) in table {
            match (hint(text), expected) {
                (Some(hint), Some(word)) => assert!(hint.contains(word), "{text}: {hint}"),
                (hint, expected) => assert_eq!(hint, expected, "{text}"),
            }
        }
    }
}
