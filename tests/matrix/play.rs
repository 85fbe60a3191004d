//! One play of a driver's session.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tidegate::lab::{APP, APP_SCHEMA, Cluster, Launcher};
use tokio::process::Command;
use tokio::time::timeout;

use super::drivers::Driver;

/// Longer than any session takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// Where a session connects.
pub(crate) struct Place {
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// Where [`tools`] has put the server's.
    pub(crate) tools: PathBuf,
}

/// What a session has printed.
pub(crate) struct Play {
    /// Which backends answered the reads that ask for it.
    pub(crate) served: Vec<String>,
    /// Everything else, to be compared.
    pub(crate) told: Vec<String>,
}

/// The scripts of this directory.
pub(crate) fn scripts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix"))
}

/// A directory with the command line tools that came with the lab's servers; those that did not come
/// with them can't be started there.
pub(crate) fn tools(lab: &Cluster) -> io::Result<PathBuf> {
    let directory = lab.directory().join("tools");
    fs::create_dir_all(&directory)?;
    let Some(client) = &lab.programs().mysql else {
        return Ok(directory);
    };
    for tool in ["mysql", "mysqldump", "mysqlslap"] {
        let launcher = Launcher {
            program: client.program.with_file_name(tool),
            ..client.clone()
        };
        let path = directory.join(tool);
        fs::write(&path, launcher.script())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(directory)
}

/// Plays a session to its end.
pub(crate) async fn play(driver: &Driver, place: Place) -> Result<Play, String> {
    let name = driver.name;
    let mut command = Command::new("bash");
    command
        .arg(scripts().join("run.sh"))
        .arg(name)
        .env("MATRIX_HOST", "127.0.0.1")
        .env("MATRIX_PORT", place.port.to_string())
        .env("MATRIX_USER", APP.user)
        .env("MATRIX_PASSWORD", APP.password)
        .env("MATRIX_SCHEMA", APP_SCHEMA)
        .env("MATRIX_TOOLS", &place.tools)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if place.tls {
        command.env("MATRIX_TLS", "1");
    }
    let output = timeout(LIMIT, command.output()).await;
    let output = output.map_err(|_| format!("{name}: no end after {LIMIT:?}"))?;
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().last().unwrap_or("nothing");
        return Err(format!(
            "{name} ended with {}, after {last:?}:\n{errors}",
            output.status
        ));
    }
    let lines = text.lines().map(str::to_owned);
    let (served, told) = lines.partition(|line| line.starts_with("served"));
    Ok(Play { served, told })
}
