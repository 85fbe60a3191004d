//! A writer and its readers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::accounts::{APP, APP_SCHEMA};
use super::instance::{Instance, Plan};
use super::janitor::Janitor;
use super::programs::{Apart, Programs};
use super::{Error, Flavour, fetch, files, shell, template};
use crate::routing::Role;

/// What a cluster is to be like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The readers, in the order of [`Cluster::readers`].
    pub readers: Vec<ReaderOptions>,
    /// Where it lives: a directory that is empty or not there. None: among the system's temporary
    /// files.
    pub directory: Option<PathBuf>,
    /// Whose servers; a [`Options::mysqld`] that is named has to be of this flavour.
    pub flavour: Flavour,
    /// The server to run. None: see [`fetch::programs`].
    pub mysqld: Option<PathBuf>,
    /// More options for every mysqld, such as `--mysql-native-password=ON`.
    pub mysqld_args: Vec<String>,
    /// What each server has of its own. A lab that is to be measured gives them sessions.
    pub apart: Apart,
}

impl Options {
    /// Readers that stay behind by these numbers of seconds.
    pub fn with_delays(delays: impl IntoIterator<Item = u32>) -> Self {
        let readers = delays
            .into_iter()
            .map(|delay_secs| ReaderOptions { delay_secs })
            .collect();
        Self {
            readers,
            ..Self::default()
        }
    }
}

/// What one reader is to be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderOptions {
    /// How far it stays behind the writer (`SOURCE_DELAY`). MySQL counts whole seconds: a row
    /// shows up to two seconds later than this says; with 1, after 2.0 s when all is quiet.
    pub delay_secs: u32,
}

/// A running cluster. Dropped, it is gone, with its processes and its directory; dropping waits
/// for that. The same happens when this process dies, however it dies.
#[derive(Debug)]
pub struct Cluster {
    // In this order: the janitor can only end when the instances are gone.
    writer: Instance,
    readers: Vec<Instance>,
    directory: PathBuf,
    programs: Arc<Programs>,
    janitor: Janitor,
}

impl Cluster {
    /// Name of the longest socket of a lab.
    const LONGEST_SOCKET: &str = "reader65535.sock";

    /// Starts a cluster; it is complete when this returns: every instance answers, and every
    /// reader is connected to the writer and refuses writes (`super_read_only`, MariaDB: `read_only`).
    ///
    /// The cluster belongs to the runtime that it was started on.
    ///
    /// # Errors
    /// [`Error`], with the end of the error log where a mysqld is to blame. Nothing is left behind.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let programs = Arc::new(fetch::programs(options.flavour, options.mysqld.as_deref()).await?);
        let template = template::prepare(&programs).await?;
        let directory = match &options.directory {
            Some(directory) => files::claim(directory)?,
            None => files::claim_temporary()?,
        };
        let mut owned = vec![directory.clone()];
        let sockets = files::claim_for_sockets(&directory, Self::LONGEST_SOCKET);
        owned.extend(
            sockets
                .as_ref()
                .ok()
                .filter(|path| **path != directory)
                .cloned(),
        );
        let janitor = Janitor::employ(&owned)?;
        let plans = plans(&options, &directory, &sockets?);
        let (writer, readers) = start_all(plans, &programs, &template, &janitor).await?;
        for (reader, ReaderOptions { delay_secs }) in readers.iter().zip(&options.readers) {
            reader.follow(&writer, *delay_secs).await?;
        }
        let cluster = Self {
            writer,
            readers,
            directory,
            programs,
            janitor,
        };
        cluster.write_client()?;
        Ok(cluster)
    }

    /// The writer.
    pub fn writer(&self) -> &Instance {
        &self.writer
    }

    /// The readers, in the order of the options.
    pub fn readers(&self) -> &[Instance] {
        &self.readers
    }

    /// The writer, then the readers.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        [&self.writer].into_iter().chain(&self.readers)
    }

    /// The programs that it runs.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The directory that holds everything. Files put here go with it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A command line that works as it stands: the flavour's client, logged in as the application at a
    /// port of loopback. None if there is no client.
    pub fn mysql_line(&self, port: u16) -> Option<String> {
        self.programs.mysql.as_ref()?;
        let client = shell::quote(self.directory.join("mysql"));
        let (user, password) = (APP.user, APP.password);
        Some(format!(
            "{client} --host=127.0.0.1 --port={port} --user={user} --password={password} \
             {APP_SCHEMA}"
        ))
    }

    /// Waits until every reader has executed all that the writer had when this was called; false
    /// if that takes longer than the limit.
    ///
    /// # Errors
    /// [`Error::Query`] if an instance can't be asked.
    pub async fn settle(&self, limit: Duration) -> Result<bool, Error> {
        let executed = self.writer.executed().await?;
        for reader in &self.readers {
            if !reader.wait_executed(&executed, limit).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends it, as dropping does, without holding up the runtime.
    pub async fn stop(self) {
        // The closure can't panic, and a runtime that is ending drops it all the same.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    /// Lets it outlive us.
    pub(super) fn keep(self) -> Result<(), Error> {
        self.janitor.dismiss()?;
        self.writer.keep()?;
        self.readers.into_iter().try_for_each(Instance::keep)
    }

    /// The directories beside its own that go with it.
    pub(super) fn extra_directories(&self) -> Vec<PathBuf> {
        let sockets = self.writer.socket().parent().map(Path::to_owned);
        sockets
            .into_iter()
            .filter(|path| *path != self.directory)
            .collect()
    }

    fn write_client(&self) -> Result<(), Error> {
        let Some(mysql) = &self.programs.mysql else {
            return Ok(());
        };
        let path = self.directory.join("mysql");
        files::write_program(&path, &mysql.script()).map_err(Error::path("writing", &path))
    }
}

fn plans(options: &Options, directory: &Path, sockets: &Path) -> Vec<Plan> {
    let readers = (1..=options.readers.len()).map(|n| (format!("reader{n}"), Role::Reader));
    let all = [("writer".to_owned(), Role::Writer)]
        .into_iter()
        .chain(readers);
    let plan = |(server_id, (name, role)): (u32, (String, Role))| Plan {
        directory: directory.join(&name),
        socket: sockets.join(format!("{name}.sock")),
        name,
        role,
        server_id,
        mysqld_args: options.mysqld_args.clone(),
        apart: options.apart,
    };
    (1..).zip(all).map(plan).collect()
}

/// Starts all before waiting for the first. If one fails, those that are up end with the error.
async fn start_all(
    plans: Vec<Plan>,
    programs: &Arc<Programs>,
    template: &Path,
    janitor: &Janitor,
) -> Result<(Instance, Vec<Instance>), Error> {
    let mut instances = Vec::new();
    for plan in plans {
        instances.push(Instance::start(plan, programs.clone(), template, janitor.hold()?).await?);
    }
    for instance in &mut instances {
        instance.settle_port().await?;
    }
    let mut instances = instances.into_iter();
    let writer = instances
        .next()
        .ok_or_else(|| Error::Usage("a lab without a writer".into()))?;
    Ok((writer, instances.collect()))
}
