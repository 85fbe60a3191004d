//! What `tidegate lab up` writes down for `tidegate lab down`, and for scripts.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{Cluster, Error, Instance, files};

/// `lab.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whose servers, and of which version: `MySQL 9.7.1`.
    pub version: String,
    /// The writer.
    pub writer: InstanceRecord,
    /// The readers.
    pub readers: Vec<InstanceRecord>,
    /// Directories beside the lab's own that go with it.
    pub extra_directories: Vec<PathBuf>,
}

/// One instance in `lab.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// `writer`, `reader1`, …
    pub name: String,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The Unix socket.
    pub socket: PathBuf,
    /// The process id.
    pub pid: u32,
    /// The data directory.
    pub data: PathBuf,
    /// How far it stays behind the writer, in seconds.
    pub delay_secs: u32,
}

impl Record {
    pub(super) const NAME: &str = "lab.json";

    /// Describes a cluster.
    pub(super) async fn of(cluster: &Cluster) -> Result<Self, Error> {
        let mut readers = Vec::new();
        for reader in cluster.readers() {
            readers.push(InstanceRecord::of(reader).await?);
        }
        Ok(Self {
            version: cluster.programs().product(),
            writer: InstanceRecord::of(cluster.writer()).await?,
            readers,
            extra_directories: cluster.extra_directories(),
        })
    }

    /// The writer, then the readers.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceRecord> {
        [&self.writer].into_iter().chain(&self.readers)
    }

    /// Reads the record of a lab; None if the directory has none.
    ///
    /// # Errors
    /// [`Error::Directory`] if it can't be read.
    pub fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(Self::NAME);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::path("reading", &path))?,
        };
        let broken = |why: String| Error::Directory {
            why: format!("is no record of a lab ({why})"),
            path: path.clone(),
        };
        let record: Self =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        match record.stray_path() {
            None => Ok(Some(record)),
            Some(stray) => Err(broken(format!("it names {stray}"))),
        }
    }

    /// A path that no lab writes: what is read here is removed later.
    fn stray_path(&self) -> Option<String> {
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric());
        let names = self.instances().map(|instance| instance.name.clone());
        let directories = self
            .extra_directories
            .iter()
            .filter(|path| !files::is_temporary(path));
        names
            .filter(|name| name.is_empty() || !plain(name))
            .chain(directories.map(|path| path.display().to_string()))
            .next()
    }

    /// Writes the record into the lab's directory.
    pub(super) fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(Self::NAME);
        let text = serde_json::to_string_pretty(self).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text + "\n"))
            .map_err(Error::path("writing", &path))
    }
}

impl InstanceRecord {
    async fn of(instance: &Instance) -> Result<Self, Error> {
        let dead = || Error::Usage(format!("{} is dead", instance.name()));
        Ok(Self {
            name: instance.name().to_owned(),
            address: instance.address().to_string(),
            socket: instance.socket().to_owned(),
            pid: instance.pid().await.ok_or_else(dead)?,
            data: instance.data(),
            delay_secs: instance.delay().await?,
        })
    }

    /// Whether the process is still this mysqld: its id may belong to another one by now.
    pub(super) fn runs(&self) -> bool {
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&command_line).contains(&*self.data.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_only_has_the_same_id_is_not_the_mysqld() {
        let mut record = InstanceRecord {
            name: "writer".to_owned(),
            address: "127.0.0.1:1".to_owned(),
            socket: "/x/writer.sock".into(),
            pid: std::process::id(),
            data: "/x/writer/data".into(),
            delay_secs: 0,
        };
        assert!(!record.runs());
        record.data = std::env::args().next().unwrap().into();
        assert!(record.runs());
        record.pid = u32::MAX;
        assert!(!record.runs());
    }

    #[test]
    fn a_directory_without_a_record_has_no_lab_and_a_broken_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(directory.path()).unwrap(), None);
        let text = |name: &str, extra: &str| {
            format!(
                r#"{{"version": "9", "writer": {{"name": "{name}", "address": "", "socket": "",
                "pid": 1, "data": "", "delay_secs": 0}}, "readers": [],
                "extra_directories": [{extra}]}}"#
            )
        };
        for (text, why) in [
            ("{}".to_owned(), "missing field"),
            (text("../home", ""), "it names ../home"),
            (text("", ""), "it names "),
            (text("writer", r#""/home""#), "it names /home"),
        ] {
            fs::write(directory.path().join("lab.json"), text).unwrap();
            let error = Record::read(directory.path()).unwrap_err().to_string();
            assert!(error.contains("lab.json: is no record of a lab"), "{error}");
            assert!(error.contains(why), "{error}");
        }
        let good = text("writer", r#""/tmp/tidegate-lab-1-0""#);
        fs::write(directory.path().join("lab.json"), good).unwrap();
        assert!(Record::read(directory.path()).unwrap().is_some());
    }
}
