//! A server that is on the machine already.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::lab::programs::{Launcher, Programs};
use crate::lab::{Error, Flavour};

/// Where packages and MySQL's own archives put the server, beside what PATH names.
const USUAL: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/mysql/bin"];

/// The first installed server of this flavour that can serve; else what was found and why it
/// can't. MariaDB's may go by MySQL's name.
pub(super) async fn search(flavour: Flavour) -> Result<Programs, Vec<Error>> {
    let names: &[&str] = match flavour {
        Flavour::MySql => &["mysqld"],
        Flavour::MariaDb => &["mariadbd", "mysqld"],
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(USUAL.map(PathBuf::from));
    let mut refused = Vec::new();
    let mut seen = Vec::new();
    for mysqld in folders
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .filter(|path| path.is_file())
    {
        let real = fs::canonicalize(&mysqld).unwrap_or(mysqld);
        if seen.contains(&real) {
            continue;
        }
        match programs_of(flavour, &real).await {
            Ok(programs) => return Ok(programs),
            Err(error) => refused.push(error),
        }
        seen.push(real);
    }
    Err(refused)
}

/// The programs that belong to a server.
pub(super) async fn programs_of(flavour: Flavour, mysqld: &Path) -> Result<Programs, Error> {
    let resolved = fs::canonicalize(mysqld);
    let mysqld = resolved.unwrap_or_else(|_| mysqld.to_owned());
    let (mysqld, mysqld_args) = unconfined(mysqld);
    let version = mysqld.version(flavour).await?;
    let mysql = client_of(flavour, &mysqld.program).await;
    Ok(Programs {
        flavour,
        version,
        mysqld,
        mysqld_args,
        mysql,
    })
}

/// Ubuntu's AppArmor profile for /usr/sbin/mysqld forbids it every data directory but the
/// system's. The profile binds what is executed under that path; run by the loader, the server
/// may read what its user may read. It then has to be told where it lives.
fn unconfined(mysqld: PathBuf) -> (Launcher, Vec<OsString>) {
    let profiled = mysqld == Path::new("/usr/sbin/mysqld")
        && Path::new("/etc/apparmor.d/usr.sbin.mysqld").is_file();
    let loaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let loader = loaders
        .into_iter()
        .map(PathBuf::from)
        .find(|loader| loader.is_file());
    match loader {
        Some(loader) if profiled => (
            Launcher {
                program: mysqld,
                loader: Some(loader),
                library_path: None,
            },
            vec!["--basedir=/usr".into()],
        ),
        _ => (Launcher::plain(mysqld), Vec::new()),
    }
}

/// The client beside a server, else one on PATH, as long as it is of the same flavour: MariaDB's
/// may lack caching_sha2_password.
async fn client_of(flavour: Flavour, mysqld: &Path) -> Option<Launcher> {
    let path = env::var_os("PATH").unwrap_or_default();
    let bin = mysqld.parent()?;
    let beside = [bin.to_owned(), bin.with_file_name("bin")];
    for folder in beside.into_iter().chain(env::split_paths(&path)) {
        let client = folder.join(flavour.client());
        if !client.is_file() {
            continue;
        }
        let launcher = Launcher::plain(client);
        if launcher.version(flavour).await.is_ok() {
            return Some(launcher);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Another process writes the program: were it open here for writing, a test that forks at
    /// that moment would make it impossible to run (ETXTBSY).
    fn program(folder: &Path, name: &str, prints: &str) -> PathBuf {
        let path = folder.join(name);
        let script = r#"printf '#!/bin/sh\necho "%s"\n' "$2" >"$1" && chmod +x "$1""#;
        let mut writer = Command::new("sh");
        writer.args(["-c", script, "sh"]).arg(&path).arg(prints);
        assert!(writer.status().unwrap().success());
        path
    }

    #[tokio::test]
    async fn a_named_server_is_used_with_the_client_beside_it() {
        let kept = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(kept.path()).unwrap();
        let mysqld = program(&folder, "mysqld", "mysqld  Ver 8.0.36 for Linux on x86_64");
        let mysql = program(&folder, "mysql", "mysql  Ver 8.0.36 for Linux on x86_64");
        let programs = programs_of(Flavour::MySql, &mysqld).await.unwrap();
        assert_eq!(programs.version.number, (8, 0, 36));
        assert_eq!(programs.mysqld, Launcher::plain(mysqld));
        assert_eq!(programs.mysql, Some(Launcher::plain(mysql)));
    }

    #[tokio::test]
    async fn a_named_server_that_cannot_serve_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let table = [
            ("mysqld  Ver 8.0.25 for Linux on x86_64", "is MySQL 8.0.25"),
            (
                "mysqld  Ver 10.11.14-MariaDB for debian-linux-gnu",
                "is MariaDB 10.11.14",
            ),
        ];
        for (prints, why) in table {
            let mysqld = program(folder.path(), "mysqld", prints);
            let error = programs_of(Flavour::MySql, &mysqld)
                .await
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(why) && error.contains("MySQL 8.0.26 or later"),
                "{error}"
            );
        }
    }
}
