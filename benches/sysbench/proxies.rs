//! The roads that are compared, and what the process on each of them costs.

use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use tidegate::lab::fetch::Tool;
use tidegate::lab::{APP, APP_SCHEMA, Cluster, Instance, Launcher, MONITOR};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::load::{Load, Sample};
use crate::workload::Workload;

/// Ticks of /proc/PID/stat in a second; Linux shows all processes this value (proc(5), time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// How long a proxy may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// After this time all connections are open, and what logins cost is not counted.
pub(crate) const LOGINS: Duration = Duration::from_secs(1);

const NO_READER: &str = "a lab without a reader";

/// A way to the reader.
#[derive(Debug)]
pub(crate) struct Road {
    port: u16,
    proxy: Option<Child>,
}

/// One run by one road.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// What the client saw.
    pub(crate) sample: Sample,
    /// What the proxy used, in seconds of CPU for 100,000 queries; none without a proxy.
    pub(crate) cpu: Option<f64>,
    /// The share of the SELECTs that the first reader answered, from 0 to 1.
    pub(crate) at_reader: f64,
    /// The most memory that the proxy had meanwhile, in MiB; none without a proxy.
    pub(crate) memory: Option<f64>,
}

/// Counters at a point in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    /// CPU seconds of the proxy since its start; none without a proxy.
    pub(crate) cpu: Option<f64>,
    /// SELECTs that writer and readers have run since their start.
    pub(crate) selects: f64,
    /// Of these, the first reader.
    pub(crate) at_reader: f64,
}

impl Road {
    /// No proxy.
    pub(crate) fn direct(cluster: &Cluster) -> Result<Self, Error> {
        let port = reader(cluster)?;
        Ok(Self { port, proxy: None })
    }

    /// HAProxy in TCP mode before the reader, with a thread for each core.
    pub(crate) async fn haproxy(cluster: &Cluster, haproxy: &Tool) -> Result<Self, Error> {
        let port = free_port()?;
        let file = cluster.directory().join("haproxy.cfg");
        let text = format!(
            "global\n  maxconn 1000\n\
             defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5m\n  \
             timeout server 5m\n\
             listen reader\n  bind 127.0.0.1:{port}\n  server reader 127.0.0.1:{}\n",
            reader(cluster)?
        );
        fs::write(&file, text)?;
        let mut command = haproxy.launcher.service();
        command.arg("-db").arg("-f").arg(file);
        Self::start(command, port).await
    }

    /// Tidegate before all of the lab, at this level.
    pub(crate) async fn tidegate(cluster: &Cluster, level: &str) -> Result<Self, Error> {
        Self::other(cluster, Self::build(), level).await
    }

    /// The same with another build of it.
    pub(crate) async fn other(cluster: &Cluster, build: &Path, level: &str) -> Result<Self, Error> {
        let more = format!("[consistency]\nlevel = \"{level}\"\n");
        Self::tidegate_with(cluster, build, level, &more).await
    }

    /// The front by opensrv-mysql before the reader.
    pub(crate) async fn opensrv(cluster: &Cluster, front: &Path) -> Result<Self, Error> {
        let port = free_port()?;
        let mut command = Launcher::plain(front).service();
        command.arg(format!("127.0.0.1:{port}")).arg(format!(
            "mysql://{}:{}@127.0.0.1:{}/{APP_SCHEMA}",
            APP.user,
            APP.password,
            reader(cluster)?
        ));
        Self::start(command, port).await
    }

    /// This build of Tidegate.
    pub(crate) fn build() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_tidegate"))
    }

    /// A build of Tidegate before all of the lab, with what else its configuration says.
    pub(crate) async fn tidegate_with(
        cluster: &Cluster,
        build: &Path,
        name: &str,
        more: &str,
    ) -> Result<Self, Error> {
        let port = free_port()?;
        let mut text = format!(
            "[listen]\naddress = \"127.0.0.1:{port}\"\n[monitor]\nuser = \"{}\"\n\
             password_env = \"TIDEGATE_MONITOR_PASSWORD\"\n{more}",
            MONITOR.user
        );
        let writer = [("writer", cluster.writer())];
        let readers = cluster.readers().iter().map(|it| ("reader", it));
        for (role, instance) in writer.into_iter().chain(readers) {
            let (port, address) = (instance.port(), instance.address());
            writeln!(
                text,
                "[[backend]]\nname = \"b{port}\"\naddress = \"{address}\"\nrole = \"{role}\""
            )?;
        }
        let file = cluster.directory().join(format!("{name}.toml"));
        fs::write(&file, text)?;
        let mut command = Launcher::plain(build).service();
        command
            .env("TIDEGATE_MONITOR_PASSWORD", MONITOR.password)
            .args(["serve", "--config"])
            .arg(file);
        Self::start(command, port).await
    }

    async fn start(mut command: Command, port: u16) -> Result<Self, Error> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
        {
            let ended = child.try_wait()?;
            if ended.is_some() || since.elapsed() > PATIENCE {
                let program = command.as_std().get_program().to_string_lossy();
                return Err(format!("{program} doesn't listen ({ended:?})").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self {
            port,
            proxy: Some(child),
        })
    }

    /// Ends the proxy.
    pub(crate) async fn end(mut self) -> Result<(), Error> {
        match &mut self.proxy {
            Some(proxy) => Ok(proxy.kill().await?),
            None => Ok(()),
        }
    }

    /// Where clients connect, on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The proxy's process; none without one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.proxy.as_ref().and_then(Child::id)
    }

    /// Measures one run.
    pub(crate) async fn measure(
        &self,
        cluster: &Cluster,
        load: &Load,
        played: (Workload, usize),
        seconds: u64,
    ) -> Result<Measured, Error> {
        let pid = self.pid();
        pid.map(forget_most_memory).transpose()?;
        let warm = async {
            sleep(LOGINS).await;
            self.counters(cluster).await
        };
        let (sample, before) = load.run(self.port, played, seconds, warm).await?;
        let (before, after) = (before?, self.counters(cluster).await?);
        let at_reader = after.at_reader - before.at_reader;
        let queries = after.selects - before.selects;
        let cpu = before.cpu.zip(after.cpu);
        Ok(Measured {
            sample,
            cpu: cpu.map(|(before, after)| (after - before) / queries * 1e5),
            at_reader: at_reader / queries,
            memory: pid.map(most_memory).transpose()?,
        })
    }

    /// As they are now.
    pub(crate) async fn counters(&self, cluster: &Cluster) -> Result<Counters, Error> {
        let pid = self.pid();
        let cpu = pid.map(cpu_seconds).transpose()?;
        let mut all = selects(cluster.writer()).await?;
        let mut at_reader = None;
        for reader in cluster.readers() {
            let count = selects(reader).await?;
            all += count;
            at_reader.get_or_insert(count);
        }
        Ok(Counters {
            cpu,
            selects: all,
            at_reader: at_reader.ok_or(NO_READER)?,
        })
    }
}

async fn selects(instance: &Instance) -> Result<f64, Error> {
    let row = instance.row("SHOW GLOBAL STATUS LIKE 'Com_select'").await?;
    let count: Option<f64> = row.and_then(|mut row| row.take(1));
    count.ok_or_else(|| "no count of SELECTs".into())
}

fn reader(cluster: &Cluster) -> Result<u16, Error> {
    let reader = cluster.readers().first().ok_or(NO_READER)?;
    Ok(reader.port())
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// utime and stime of a process with all its threads: the 14th and 15th field of proc(5)'s stat.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Error> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field stands in parentheses and may hold spaces.
    let (_, rest) = stat.rsplit_once(") ").ok_or("no stat")?;
    let ticks = rest.split(' ').skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

/// From now on the most memory counts anew (proc(5), clear_refs).
fn forget_most_memory(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

/// VmHWM of proc(5)'s status, in MiB.
pub(crate) fn most_memory(pid: u32) -> Result<f64, Error> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmHWM")?.parse::<f64>()? / 1024.0)
}
