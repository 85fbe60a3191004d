//! How an instance's mysqld is started, and when it counts as up.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::Error;
use super::instance::{Instance, Plan};
use super::process::Process;

/// How long a mysqld may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a port that somebody else took first is replaced.
const PORT_TRIES: u32 = 5;

/// Below the range that systems take outgoing connections' ports from, so that a port is still
/// free when its instance is started again.
const PORTS: Range<u16> = 15_000..30_000;

impl Instance {
    /// Starts mysqld; [`Instance::ready`] tells when it is up.
    pub(super) async fn spawn(&self) -> Result<(), Error> {
        let hold = self.hold.try_clone().map_err(Error::io("sharing a pipe"))?;
        let (programs, layout) = (&self.programs, &self.layout);
        let process = Process::start(programs, layout, self.arguments(), hold, self.plan.apart)?;
        *self.process.lock().await = Some(process);
        Ok(())
    }

    /// Waits for a mysqld that was started for the first time, and gives it another port if
    /// somebody else took its own first.
    pub(super) async fn settle_port(&mut self) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            match self.ready().await {
                Err(error) if tries < PORT_TRIES && self.port_taken(&error) => tries += 1,
                result => return result,
            }
            self.port = free_port()?;
            self.spawn().await?;
        }
    }

    /// Waits until mysqld answers. One that doesn't is gone afterwards.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        let mut slot = self.process.lock().await;
        let since = Instant::now();
        let why = loop {
            let why = match self.answer().await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            match slot.as_mut().map(Process::ended) {
                Some(None) if since.elapsed() > PATIENCE => break why,
                Some(None) => sleep(Duration::from_millis(20)).await,
                Some(Some(status)) => break status.to_string(),
                None => break "it was killed".to_owned(),
            }
        };
        *slot = None;
        Err(Error::Start {
            name: self.name().to_owned(),
            why,
            log: self.layout.complaints(),
        })
    }

    /// Whether the server that listens on the port is this one: only it has this data directory.
    async fn answer(&self) -> Result<(), String> {
        let row = timeout(Duration::from_secs(5), self.row("SELECT @@datadir")).await;
        let row = row
            .map_err(|_| "it doesn't answer".to_owned())?
            .map_err(|e| e.to_string())?;
        let data: Option<String> = row.and_then(|mut row| row.take(0));
        match data {
            Some(data) if Path::new(&data) == self.data() => Ok(()),
            _ => Err(format!("another server answers on its port ({data:?})")),
        }
    }

    /// Whether a start failed since somebody else took the port first.
    pub(super) fn port_taken(&self, error: &Error) -> bool {
        let mark = self.programs.flavour.port_taken();
        matches!(error, Error::Start { log, .. } if log.contains(mark))
    }

    fn arguments(&self) -> Vec<String> {
        let Plan {
            server_id,
            socket,
            mysqld_args,
            ..
        } = &self.plan;
        let flavour = self.programs.flavour;
        let mut arguments = vec![
            format!("--server-id={server_id}"),
            format!("--port={}", self.port),
            format!("--socket={}", socket.display()),
            flavour.read_only_option(self.role()),
        ];
        let options = flavour.storage().iter().chain(flavour.options());
        arguments.extend(options.map(|option| (*option).to_owned()));
        arguments.extend(mysqld_args.iter().cloned());
        arguments
    }
}

/// A port of loopback that nobody has right now.
pub(super) fn free_port() -> Result<u16, Error> {
    let taken = || Error::Usage("no free port on loopback".to_owned());
    let mut ports = (0..200).map(|_| rand::random_range(PORTS));
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(free).ok_or_else(taken)
}
