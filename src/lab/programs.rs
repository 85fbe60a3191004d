//! The MySQL programs that a lab runs, wherever they come from.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{Error, Flavour, shell};

/// The variable that tells MariaDB's client library where its plugins are.
const CLIENT_PLUGINS: &str = "MARIADB_PLUGIN_DIR";

/// The programs of one version of MySQL or MariaDB.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Whose they are.
    pub flavour: Flavour,
    /// The server's version.
    pub version: Version,
    /// The server.
    pub mysqld: Launcher,
    /// The options without which this server doesn't find its own files.
    pub mysqld_args: Vec<OsString>,
    /// The command line client, where there is one.
    pub mysql: Option<Launcher>,
}

/// How a program is run: by itself, or by a dynamic loader that finds the libraries which came
/// with it and leaves the system's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The program.
    pub program: PathBuf,
    /// The loader that starts it, if it isn't the system's own.
    pub loader: Option<PathBuf>,
    /// Where that loader looks for libraries, separated by colons.
    pub library_path: Option<OsString>,
}

impl Launcher {
    /// Runs a program as it is.
    pub fn plain(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            loader: None,
            library_path: None,
        }
    }

    /// The words of the command line, up to and with the program.
    pub fn words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        if let Some(loader) = &self.loader {
            words.push(loader.into());
            if let Some(path) = &self.library_path {
                words.push("--library-path".into());
                words.push(path.clone());
            }
        }
        words.push(self.program.clone().into());
        words
    }

    /// A command that runs the program and is killed when it is dropped.
    pub fn command(&self) -> Command {
        self.run_by(Command::new)
    }

    /// The same as a service: in a session of its own.
    pub fn service(&self) -> Command {
        self.run_by(|program| Apart::Session.command(program))
    }

    fn run_by(&self, run: impl FnOnce(OsString) -> Command) -> Command {
        let mut words = self.words().into_iter();
        let mut command = run(words.next().unwrap_or_default());
        command.args(words).kill_on_drop(true);
        if let Some(plugins) = self.client_plugins() {
            command.env(CLIENT_PLUGINS, plugins);
        }
        command
    }

    /// A shell script that runs the program with the script's own arguments.
    pub fn script(&self) -> String {
        let words: Vec<_> = self.words().iter().map(shell::quote).collect();
        let plugins = self.client_plugins().map(|plugins| {
            let plugins = shell::quote(plugins);
            format!("export {CLIENT_PLUGINS}={plugins}\n")
        });
        format!(
            "#!/bin/sh\n{}exec {} \"$@\"\n",
            plugins.unwrap_or_default(),
            words.join(" ")
        )
    }

    /// Where MariaDB's client finds the plugins that came with it, `caching_sha2_password` among
    /// them: it looks where its package would have put them.
    fn client_plugins(&self) -> Option<PathBuf> {
        let libraries = std::env::split_paths(self.library_path.as_ref()?);
        let mut plugins = libraries.map(|path| path.join("libmariadb3/plugin"));
        plugins.find(|plugins| plugins.is_dir())
    }

    /// Asks the program for its version.
    ///
    /// # Errors
    /// [`Error::Unsuitable`] if it can't be run, is not of this flavour, or is too old for a lab.
    pub async fn version(&self, flavour: Flavour) -> Result<Version, Error> {
        let unsuitable = |why: String| Error::Unsuitable {
            path: self.program.clone(),
            flavour,
            why,
        };
        let output = self.command().arg("--version").output().await;
        let output = output.map_err(|error| unsuitable(format!("can't be run ({error})")))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(unsuitable(format!("--version failed ({})", text.trim())));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let (found, version) =
            Version::parse(&text).ok_or_else(|| unsuitable("prints no version".to_owned()))?;
        if found != flavour || version.number < flavour.oldest() {
            return Err(unsuitable(format!("is {found} {version}")));
        }
        Ok(version)
    }
}

/// A version of MySQL or MariaDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major, minor and patch.
    pub number: (u32, u32, u32),
    /// As the program writes it, with the vendor's suffix: `9.7.4-2`.
    pub text: String,
}

impl Programs {
    /// Whose servers, and of which version: `MySQL 9.7.1`, `MariaDB 11.8.2-MariaDB`.
    pub fn product(&self) -> String {
        format!("{} {}", self.flavour, self.version)
    }
}

impl Version {
    /// Reads what `mysqld --version`, `mysql --version` or their kin of MariaDB print: the word
    /// behind `Ver`, or in MariaDB's newer clients, behind `from`. `None` if it is something else.
    pub fn parse(text: &str) -> Option<(Flavour, Self)> {
        let flavour = match text.contains("MariaDB") {
            true => Flavour::MariaDb,
            false => Flavour::MySql,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let behind = |mark: &str| {
            let at = words.iter().position(|word| *word == mark)?;
            words.get(at + 1)
        };
        let word = match flavour {
            Flavour::MySql => behind("Ver"),
            // `mysql  Ver 15.1 Distrib 10.11.14-MariaDB, …`: the client counts apart.
            Flavour::MariaDb => behind("Distrib").or(behind("from")).or(behind("Ver")),
        }?;
        let word = word.trim_end_matches(',');
        let end = word
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(word.len());
        let (digits, _) = word.split_at(end);
        let mut numbers = digits.split('.').map(|part| part.parse().ok());
        match (
            numbers.next().flatten(),
            numbers.next().flatten(),
            numbers.next().flatten(),
        ) {
            (Some(major), Some(minor), Some(patch)) => {
                let (number, text) = ((major, minor, patch), word.to_owned());
                Some((flavour, Self { number, text }))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What keeps a Ctrl-C at our terminal from a process that we start: we decide when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Apart {
    /// A process group of its own.
    #[default]
    Group,
    /// A session of its own, as the services have that a service manager starts: Linux shares the
    /// processor out between sessions before it does between their processes (autogroup, sched(7)).
    Session,
}

impl Apart {
    /// A command that runs a program so.
    pub(super) fn command(self, program: impl AsRef<OsStr>) -> Command {
        let setsid = match self {
            Self::Group => None,
            Self::Session => setsid(),
        };
        match setsid {
            Some(setsid) => {
                let mut command = Command::new(setsid);
                command.arg(program);
                command
            }
            None => {
                let mut command = Command::new(program);
                command.process_group(0);
                command
            }
        }
    }
}

/// The program of setsid(1), which makes a session and becomes the program that it is to run. A system
/// without it has no sessions to give.
fn setsid() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    first_file(directories.iter().map(PathBuf::as_path), "setsid")
}

/// The first of `names` under `directories` that is a file.
pub(super) fn first_file<'a>(
    directories: impl IntoIterator<Item = &'a Path>,
    name: &str,
) -> Option<PathBuf> {
    directories
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_each_vendor_prints() {
        let (mysql, mariadb) = (Flavour::MySql, Flavour::MariaDb);
        let table = [
            (
                "/r/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))",
                Some((mysql, (9, 7, 4))),
            ),
            (
                "mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))",
                Some((mysql, (8, 0, 36))),
            ),
            (
                "mysql  Ver 8.4.0 for Linux on aarch64 (MySQL Community Server - GPL)",
                Some((mysql, (8, 4, 0))),
            ),
            (
                "mysqld  Ver 10.11.14-MariaDB-0+deb12u2 for debian-linux-gnu",
                Some((mariadb, (10, 11, 14))),
            ),
            (
                "mariadb  Ver 15.1 Distrib 10.11.14-MariaDB, for debian-linux-gnu (x86_64)",
                Some((mariadb, (10, 11, 14))),
            ),
            (
                "mysql from 11.8.2-MariaDB, client 15.2 for debian-linux-gnu",
                Some((mariadb, (11, 8, 2))),
            ),
            ("mysqld  Ver 8 for Linux", None),
            ("", None),
        ];
        for (text, expected) in table {
            let found = Version::parse(text).map(|(flavour, it)| (flavour, it.number));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_service_leads_a_group_of_its_own() {
        let mut command = Launcher::plain("/bin/sh").service();
        // The fifth field of stat is the group (proc(5)); the name stands in parentheses.
        command.args([
            "-c",
            "read -r _ _ _ _ group _ < /proc/$$/stat; echo $$ $group",
        ]);
        let output = command.output().await.expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (own, group) = text.trim().split_once(' ').expect("two numbers");
        assert_eq!(own, group);
    }

    #[test]
    fn a_launcher_puts_its_loader_before_the_program() {
        let launcher = Launcher {
            program: "/root dir/mysql".into(),
            loader: Some("/l/ld.so".into()),
            library_path: Some("/l:/m".into()),
        };
        assert_eq!(
            launcher.words(),
            ["/l/ld.so", "--library-path", "/l:/m", "/root dir/mysql"]
        );
        let script = "#!/bin/sh\nexec /l/ld.so --library-path /l:/m '/root dir/mysql' \"$@\"\n";
        assert_eq!(launcher.script(), script);
        assert_eq!(Launcher::plain("/bin/x").words(), ["/bin/x"]);
    }

    #[tokio::test]
    async fn a_program_that_is_not_mysql_is_refused_by_name() {
        let error = Launcher::plain("/bin/true")
            .version(Flavour::MySql)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/bin/true: prints no version; "),
            "{error}"
        );
        let error = Launcher::plain("/nowhere/mysqld")
            .version(Flavour::MySql)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/nowhere/mysqld: can't be run"),
            "{error}"
        );
    }
}
