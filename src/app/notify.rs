//! Telling the service manager how it stands: systemd's protocol, a datagram to the socket that it
//! names (`sd_notify(3)`). Without one nobody is told.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where systemd listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Whoever is to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Manager(Option<OsString>);

impl Manager {
    /// The one that has started this process, if one has.
    pub(super) fn of_process() -> Self {
        Self(env::var_os(SOCKET).filter(|socket| !socket.is_empty()))
    }

    /// It takes clients.
    pub(super) fn ready(&self) {
        self.tell("READY=1\nSTATUS=serving");
    }

    /// It reads its configuration again.
    pub(super) fn reloading(&self) {
        self.tell("STATUS=reading the configuration");
    }

    /// It takes no more clients.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=draining");
    }

    /// Another process takes over.
    pub(super) fn succeeded_by(&self, pid: u32) {
        self.tell(&format!("MAINPID={pid}\nSTATUS=handed over, draining"));
    }

    fn tell(&self, state: &str) {
        let Some(socket) = &self.0 else {
            return;
        };
        if let Err(error) = send(socket, state) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

fn send(socket: &OsString, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    datagram.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_over_a_path_and_over_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("tidegate-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        for (socket, told) in [
            (path.into_os_string(), by_path),
            (format!("@{name}").into(), by_name),
        ] {
            let manager = Manager(Some(socket));
            manager.ready();
            manager.succeeded_by(7);
            let mut bytes = [0; 100];
            let length = told.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], b"READY=1\nSTATUS=serving");
            let length = told.recv(&mut bytes).unwrap();
            assert!(bytes[..length].starts_with(b"MAINPID=7\n"));
        }
        // Nobody is there, and nothing comes of it.
        Manager(Some("/nowhere/notify".into())).stopping();
        Manager::default().ready();
    }
}
