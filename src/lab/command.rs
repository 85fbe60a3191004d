//! `tidegate lab up` and `tidegate lab down`: a cluster that outlives the command.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use tokio::time::sleep;

use super::accounts::MONITOR;
pub use super::record::{InstanceRecord, Record};
use super::{Cluster, Error, Flavour, Options, ReaderOptions, process, progress, shell};

/// The default directory of a lab.
pub const DIRECTORY: &str = ".lab";

/// More than a machine is good for.
const READERS_MAX: usize = 16;

/// Starts a writer and readers on loopback, to try things out on.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct UpOptions {
    /// How many readers [default: as many as there are delays, else 2]
    #[arg(long, value_name = "N")]
    pub readers: Option<usize>,
    /// How many seconds each reader stays behind [default: 1,2,…]
    #[arg(long, value_name = "SECONDS", value_delimiter = ',')]
    pub delays: Vec<u32>,
    /// Where the lab lives: a directory that is empty or not there yet
    #[arg(long, value_name = "DIRECTORY", default_value = DIRECTORY)]
    pub directory: PathBuf,
    /// Whose servers
    #[arg(long, value_name = "FLAVOUR", value_enum, default_value_t)]
    pub flavour: Flavour,
    /// The server to run [default: TIDEGATE_MYSQLD or TIDEGATE_MARIADBD, one on PATH, or one that
    /// is fetched]
    #[arg(long, value_name = "FILE")]
    pub mysqld: Option<PathBuf>,
}

/// Ends a lab and removes its directory.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct DownOptions {
    /// Where the lab lives
    #[arg(long, value_name = "DIRECTORY", default_value = DIRECTORY)]
    pub directory: PathBuf,
}

impl UpOptions {
    fn reader_options(&self) -> Result<Vec<ReaderOptions>, Error> {
        let given = self.delays.len();
        let count = self.readers.unwrap_or(if given > 0 { given } else { 2 });
        if count > READERS_MAX {
            return Err(Error::Usage(format!(
                "{count} readers: the most are {READERS_MAX}"
            )));
        }
        if given > 0 && given != count {
            return Err(Error::Usage(format!(
                "{count} readers need {count} delays, and {given} are given"
            )));
        }
        let delays = if given > 0 {
            self.delays.clone()
        } else {
            (1..).take(count).collect()
        };
        Ok(delays
            .into_iter()
            .map(|delay_secs| ReaderOptions { delay_secs })
            .collect())
    }
}

/// Starts a lab that goes on when this returns, and prints how to use it.
///
/// # Errors
/// [`Error`]: there is a lab already, or it could not be started; then nothing is left of it.
pub async fn up(options: UpOptions) -> Result<(), Error> {
    let readers = options.reader_options()?;
    let directory = &options.directory;
    if let Some(record) = Record::read(directory)? {
        let alive = record.instances().any(InstanceRecord::runs);
        let what = if alive {
            "a lab is up here already"
        } else {
            "here are remains of a lab"
        };
        let why = format!("{what}; `{}` ends it", own_command("down", directory));
        return Err(Error::Directory {
            path: directory.clone(),
            why,
        });
    }
    let cluster = Cluster::start(Options {
        readers,
        directory: Some(directory.clone()),
        flavour: options.flavour,
        mysqld: options.mysqld,
        ..Options::default()
    })
    .await?;
    let record = Record::of(&cluster).await?;
    record.write(cluster.directory())?;
    let mysql = cluster.mysql_line(cluster.writer().port());
    cluster.keep()?;
    let text = description(&record, directory, mysql.as_deref());
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(Error::io("writing to standard output"))
}

/// Ends the lab's processes, those and no others, and removes its directory.
///
/// # Errors
/// [`Error`]: there is no lab, or a process doesn't end, or files can't be removed.
pub async fn down(options: DownOptions) -> Result<(), Error> {
    let directory = options.directory;
    let Some(record) = Record::read(&directory)? else {
        return Err(Error::Directory {
            path: directory,
            why: "there is no lab here".to_owned(),
        });
    };
    for instance in record.instances() {
        end(instance).await?;
    }
    remove(&directory, &record)?;
    progress(&format!("the lab in {} is gone", directory.display()));
    Ok(())
}

async fn end(instance: &InstanceRecord) -> Result<(), Error> {
    const PATIENCE: Duration = Duration::from_secs(10);
    if !instance.runs() {
        return Ok(());
    }
    let sent = process::signal(instance.pid, "KILL").await;
    let since = Instant::now();
    while instance.runs() {
        if since.elapsed() > PATIENCE {
            sent?;
            let (name, pid) = (&instance.name, instance.pid);
            return Err(Error::Usage(format!("{name} (process {pid}) doesn't end")));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Removes what the lab made, and the directory itself unless there is something else in it.
fn remove(directory: &Path, record: &Record) -> Result<(), Error> {
    let names = || record.instances().map(|instance| instance.name.as_str());
    let parts = names().map(|name| directory.join(name));
    for part in parts
        .chain(record.extra_directories.iter().cloned())
        .filter(|part| part.exists())
    {
        fs::remove_dir_all(&part).map_err(Error::path("removing", &part))?;
    }
    let sockets = names().flat_map(|name| [format!("{name}.sock"), format!("{name}.sock.lock")]);
    let files = sockets.chain(["mysql".to_owned(), Record::NAME.to_owned()]);
    for file in files
        .map(|name| directory.join(name))
        .filter(|file| file.exists())
    {
        fs::remove_file(&file).map_err(Error::path("removing", &file))?;
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            progress(&format!(
                "{} stays: something else is in it",
                directory.display()
            ));
            Ok(())
        }
        result => result.map_err(Error::path("removing", directory)),
    }
}

fn description(record: &Record, directory: &Path, mysql: Option<&str>) -> String {
    let mut text = format!("{} in {}\n", record.version, directory.display());
    for InstanceRecord {
        name,
        address,
        delay_secs,
        ..
    } in record.instances()
    {
        let behind = match delay_secs {
            0 => String::new(),
            secs => format!("  delayed by {secs} s"),
        };
        text += &format!("  {name:<9} {address}{behind}\n");
    }
    if let Some(mysql) = mysql {
        text += &format!("\nA client on the writer:\n  {mysql}\n");
    }
    let readers = record
        .readers
        .iter()
        .map(|reader| format!(" --reader {}", reader.address));
    text += &format!(
        "\nTidegate before them:\n  TIDEGATE_MONITOR_PASSWORD={} {} serve --writer {}{} \
         --monitor-user {}\n",
        MONITOR.password,
        own_name(),
        record.writer.address,
        readers.collect::<String>(),
        MONITOR.user,
    );
    text + &format!("\nThe end of it:\n  {}\n", own_command("down", directory))
}

fn own_command(verb: &str, directory: &Path) -> String {
    let place = match directory == Path::new(DIRECTORY) {
        true => String::new(),
        false => format!(" --directory {}", shell::quote(directory)),
    };
    format!("{} lab {verb}{place}", own_name())
}

/// This program as the user called it, so that what is printed can be pasted.
fn own_name() -> String {
    env::args_os()
        .next()
        .map_or_else(|| "tidegate".to_owned(), shell::quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(readers: Option<usize>, delays: &[u32]) -> UpOptions {
        let directory = DIRECTORY.into();
        UpOptions {
            flavour: Flavour::default(),
            readers,
            delays: delays.to_vec(),
            directory,
            mysqld: None,
        }
    }

    #[test]
    fn readers_and_delays_complete_each_other() {
        let table: [(Option<usize>, &[u32], &[u32]); 6] = [
            (None, &[], &[1, 2]),
            (None, &[5], &[5]),
            (Some(0), &[], &[]),
            (Some(3), &[], &[1, 2, 3]),
            (Some(2), &[0, 7], &[0, 7]),
            (Some(16), &[0; 16], &[0; 16]),
        ];
        for (readers, delays, expected) in table {
            let found = options(readers, delays).reader_options().unwrap();
            let found: Vec<u32> = found.iter().map(|reader| reader.delay_secs).collect();
            assert_eq!(found, expected, "{readers:?} {delays:?}");
        }
    }

    #[test]
    fn readers_and_delays_that_contradict_each_other_are_refused() {
        let table: [(Option<usize>, &[u32], &str); 3] = [
            (Some(3), &[1, 2], "3 readers need 3 delays, and 2 are given"),
            (Some(0), &[1], "0 readers need 0 delays, and 1 are given"),
            (Some(17), &[], "17 readers: the most are 16"),
        ];
        for (readers, delays, expected) in table {
            let error = options(readers, delays).reader_options().unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn what_others_put_into_the_directory_stays() {
        let directory = tempfile::tempdir().unwrap();
        let text = r#"{"version": "9", "writer": {"name": "writer", "address": "", "socket": "",
            "pid": 1, "data": "", "delay_secs": 0}, "readers": [], "extra_directories": []}"#;
        fs::create_dir(directory.path().join("writer")).unwrap();
        for (name, text) in [("lab.json", text), ("writer.sock", ""), ("precious", "")] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let record = Record::read(directory.path()).unwrap().unwrap();
        remove(directory.path(), &record).unwrap();
        let left = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["precious"]);
        fs::remove_file(directory.path().join("precious")).unwrap();
        remove(directory.path(), &record).unwrap();
        assert!(!directory.path().exists());
    }

    #[tokio::test]
    async fn down_without_a_lab_says_so_and_touches_nothing() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("precious"), "").unwrap();
        let options = DownOptions {
            directory: directory.path().to_owned(),
        };
        let error = down(options).await.unwrap_err().to_string();
        assert!(error.contains("there is no lab here"), "{error}");
        assert!(directory.path().join("precious").is_file());
    }
}
