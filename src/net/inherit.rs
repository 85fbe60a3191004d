//! Listening sockets that another process hands over: systemd, or the Tidegate that this one takes
//! over from.

use std::env;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::parent_id;
use std::sync::{Mutex, PoisonError};

use socket2::Socket;

use super::Endpoint;

/// The first descriptor that systemd hands over (`sd_listen_fds(3)`).
const SYSTEMD_FIRST: RawFd = 3;

/// How many systemd hands over, and to which process.
const SYSTEMD_COUNT: &str = "LISTEN_FDS";
const SYSTEMD_PID: &str = "LISTEN_PID";

/// What a Tidegate hands over, a line each: the descriptor, and what it is for.
const LISTENERS: &str = "TIDEGATE_LISTENERS";
/// Which process does.
const PARENT: &str = "TIDEGATE_PARENT";

/// Variables that are good for the process that they were made for, and for no child of it.
pub const HANDED_OVER: [&str; 5] = [
    SYSTEMD_COUNT,
    SYSTEMD_PID,
    "LISTEN_FDNAMES",
    LISTENERS,
    PARENT,
];

/// Sockets that were handed over and are not used yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Mutex<Vec<(String, Socket)>>,
    predecessor: bool,
}

impl Inherited {
    /// What this process was given. To be called once, at its start.
    pub fn from_environment() -> Self {
        let number = |name: &str| env::var(name).ok()?.parse::<u32>().ok();
        let mut sockets = Vec::new();
        if number(SYSTEMD_PID) == Some(std::process::id()) {
            let count = number(SYSTEMD_COUNT).unwrap_or_default().min(64);
            let descriptors = (SYSTEMD_FIRST..).zip(0..count).map(|(fd, _)| fd);
            sockets.extend(descriptors.map(|fd| (String::new(), fd)));
        }
        let predecessor = number(PARENT) == Some(parent_id());
        if predecessor {
            let listed = env::var(LISTENERS).unwrap_or_default();
            let lines = listed.lines().filter_map(|line| line.split_once(' '));
            let read = |(fd, label): (&str, &str)| Some((label.to_owned(), fd.parse().ok()?));
            sockets.extend(lines.filter_map(read));
        }
        let adopted = sockets
            .into_iter()
            .filter_map(|(label, fd)| match adopt(fd) {
                Ok(socket) => Some((label, socket)),
                Err(error) => {
                    tracing::warn!(fd, %error, "what was handed over is no socket");
                    None
                }
            });
        Self {
            sockets: Mutex::new(adopted.collect()),
            predecessor,
        }
    }

    /// Does this process take over from another one, which still serves its clients?
    pub fn has_predecessor(&self) -> bool {
        self.predecessor
    }

    /// The socket that was handed over under this label, or, by systemd, with this address.
    pub fn take(&self, label: &str, wanted: &Endpoint) -> Option<Socket> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(of, socket): &(String, Socket)| match of.as_str() {
            "" => endpoint_of(socket).as_ref() == Some(wanted),
            of => of == label,
        };
        let index = sockets.iter().position(fits)?;
        Some(sockets.swap_remove(index).1)
    }

    /// Closes what nothing has asked for.
    pub fn close_rest(&self) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for (label, socket) in sockets.drain(..) {
            let at = endpoint_of(&socket).map(|at| at.to_string());
            tracing::warn!(
                label,
                at,
                "a listener that was handed over is in no configuration"
            );
        }
    }
}

/// Sockets for a child process, which inherits them.
#[derive(Debug, Default)]
pub struct Heritage {
    listed: String,
    kept: Vec<OwnedFd>,
}

impl Heritage {
    /// Adds a copy of a listening socket, which is open in every child from now on.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn add(&mut self, label: &str, listener: &super::Listener) -> io::Result<()> {
        let copy = listener.duplicate()?;
        copy.set_cloexec(false)?;
        let line = format!("{} {label}\n", copy.as_raw_fd());
        self.listed.push_str(&line);
        self.kept.push(copy.into());
        Ok(())
    }

    /// The variables that tell a child of them.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            (LISTENERS, self.listed.clone()),
            (PARENT, std::process::id().to_string()),
        ]
    }
}

/// The address that a socket listens on, as a configuration writes it.
fn endpoint_of(socket: &Socket) -> Option<Endpoint> {
    let address = socket.local_addr().ok()?;
    match address.as_socket() {
        Some(address) => Some(Endpoint::Tcp {
            host: address.ip().to_string(),
            port: address.port(),
        }),
        None => address
            .as_pathname()
            .map(|path| Endpoint::Unix(path.into())),
    }
}

#[expect(
    unsafe_code,
    reason = "a number is all that another process can hand over of a descriptor"
)]
fn adopt(fd: RawFd) -> io::Result<Socket> {
    // SAFETY: the environment says that this process, and no other, was given the descriptor, and
    // it is taken once: nothing else here owns it.
    let socket = unsafe { Socket::from_raw_fd(fd) };
    socket.set_cloexec(true)?;
    socket.set_nonblocking(true)?;
    socket.local_addr()?;
    Ok(socket)
}
