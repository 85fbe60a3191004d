//! The tables that a MariaDB server needs before it can start: its own `mariadb-install-db` does
//! the same, and needs programs of other packages for it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::files::Layout;
use super::programs::{Programs, first_file};
use super::{Error, tail};

/// The parts of the script, in their order, each with the schema that it is for.
const PARTS: [(&str, &str); 4] = [
    ("mysql", "system_tables.sql"),
    ("mysql", "performance_tables.sql"),
    ("mysql", "system_tables_data.sql"),
    ("sys", "sys_schema.sql"),
];

/// Fills an empty data directory, by a server that reads statements from its standard input.
pub(super) async fn make_tables(programs: &Programs, layout: &Layout) -> Result<(), Error> {
    let data = layout.data();
    fs::create_dir(&data).map_err(Error::path("making", &data))?;
    let script = data.with_extension("sql");
    fs::write(&script, statements(programs)?).map_err(Error::path("writing", &script))?;
    let input = File::open(&script).map_err(Error::path("reading", &script))?;
    let mut command = programs.mysqld.command();
    command
        .arg("--no-defaults")
        .args(&programs.mysqld_args)
        .args(layout.options())
        .arg("--bootstrap")
        .args(programs.flavour.storage())
        .stdin(input);
    let output = command.output().await;
    let output = output.map_err(Error::io("running the server"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Start {
        name: "the server's --bootstrap".to_owned(),
        why: output.status.to_string(),
        log: complaints(&output.stderr, layout),
    })
}

/// A server that has not come to opening its log tells what is wrong by itself.
fn complaints(stderr: &[u8], layout: &Layout) -> String {
    let said = String::from_utf8_lossy(stderr);
    match layout.complaints() {
        log if log.is_empty() => tail(said.lines().collect(), 12),
        log => log,
    }
}

/// The scripts that come with the server, each line of which ends a statement or goes on with it.
fn statements(programs: &Programs) -> Result<String, Error> {
    let mut statements = "SET @auth_root_socket = NULL;\n".to_owned();
    let mut schema = "";
    for (wanted, part) in PARTS {
        if wanted != schema {
            statements.push_str(&format!("CREATE DATABASE {wanted};\nUSE {wanted};\n"));
            schema = wanted;
        }
        let path = script(programs, part)?;
        let text = fs::read_to_string(&path).map_err(Error::path("reading", &path))?;
        statements.push_str(&text);
    }
    Ok(statements)
}

/// Where packages put them, under the old name or the new.
fn script(programs: &Programs, part: &str) -> Result<PathBuf, Error> {
    let server = &programs.mysqld.program;
    let root = server.parent().and_then(Path::parent);
    let root = root.unwrap_or(Path::new("/usr"));
    let folders = ["share/mysql", "share/mariadb"].map(|folder| root.join(folder));
    let folders = || folders.iter().map(PathBuf::as_path);
    let names = ["mariadb", "mysql"].map(|name| format!("{name}_{part}"));
    let mut found = names.iter().filter_map(|name| first_file(folders(), name));
    found.next().ok_or_else(|| Error::Unsuitable {
        path: server.clone(),
        flavour: programs.flavour,
        why: format!("has no mysql_{part} in {}/share", root.display()),
    })
}
