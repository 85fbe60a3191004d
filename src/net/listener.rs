//! Listening sockets, and connecting to a backend's address.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host};

use super::{Endpoint, Plain};

/// How many clients may wait for being accepted before the system refuses more.
const BACKLOG: i32 = 1024;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// On TCP.
    Tcp(TcpListener),
    /// On a unix socket; the file goes when the listener goes.
    Unix(UnixListener, SocketFile),
}

/// Removes a unix socket's file when dropped, unless another process listens there.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    stays: AtomicBool,
}

impl SocketFile {
    fn new(path: PathBuf, stays: bool) -> Self {
        Self {
            path,
            stays: AtomicBool::new(stays),
        }
    }

    /// Once: somebody else may listen there after that.
    fn remove(&self) {
        if !self.stays.swap(true, Ordering::Relaxed) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From this address.
    Tcp(SocketAddr),
    /// Over a unix socket.
    Unix,
}

impl Origin {
    /// Its address, if it has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix => None,
        }
    }

    /// The host, as MySQL names it.
    pub fn host(&self) -> String {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().to_string(),
            Self::Unix => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

impl Listener {
    /// Binds one address. A host name binds the first address it resolves to.
    ///
    /// # Errors
    /// As the system gives them; a unix socket in use, or another file in its place, is not
    /// touched.
    pub async fn bind(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp { host, port } => {
                let address = lookup_host((host.as_str(), *port))
                    .await?
                    .next()
                    .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
                let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
                socket.set_reuse_address(true)?;
                socket.set_nonblocking(true)?;
                socket.bind(&address.into())?;
                socket.listen(BACKLOG)?;
                Ok(Self::Tcp(TcpListener::from_std(socket.into())?))
            }
            Endpoint::Unix(path) => {
                let is_socket = |m: fs::Metadata| m.file_type().is_socket();
                if fs::symlink_metadata(path).is_ok_and(is_socket)
                    && UnixStream::connect(path).await.is_err()
                {
                    // Left behind by a process that is gone: nobody answers.
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                Ok(Self::Unix(listener, SocketFile::new(path.clone(), false)))
            }
        }
    }

    /// One that was handed over. The file of a unix socket stays if it is `shared` with whoever did.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn adopt(socket: Socket, shared: bool) -> io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(match address.as_pathname() {
            Some(path) => {
                let file = SocketFile::new(path.into(), shared);
                Self::Unix(UnixListener::from_std(socket.into())?, file)
            }
            None => Self::Tcp(TcpListener::from_std(socket.into())?),
        })
    }

    /// The same socket, for another process.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn duplicate(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => SockRef::from(listener).try_clone(),
            Self::Unix(listener, _) => SockRef::from(listener).try_clone(),
        }
    }

    /// Nobody is to come any more: the file of a unix socket goes, whoever still has the listener.
    pub fn remove_file(&self) {
        if let Self::Unix(_, file) = self {
            file.remove();
        }
    }

    /// Another process listens there from now on.
    pub fn leave_file(&self) {
        if let Self::Unix(_, file) = self {
            file.stays.store(true, Ordering::Relaxed);
        }
    }

    /// The address in use, with the port that the system chose.
    pub fn endpoint(&self) -> io::Result<Endpoint> {
        Ok(match self {
            Self::Tcp(listener) => {
                let address = listener.local_addr()?;
                Endpoint::Tcp {
                    host: address.ip().to_string(),
                    port: address.port(),
                }
            }
            Self::Unix(_, file) => Endpoint::Unix(file.path.clone()),
        })
    }

    /// Waits for the next client, which the runtime that the listener was opened on wakes up for.
    ///
    /// Cancel safe.
    pub async fn accept(&self) -> io::Result<(Plain, Origin)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((stream.into(), Origin::Tcp(address)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((stream.into(), Origin::Unix))
            }
        }
    }
}

/// Connects to a backend's address; names are resolved each time.
pub async fn connect(endpoint: &Endpoint) -> io::Result<Plain> {
    Ok(match endpoint {
        Endpoint::Tcp { host, port } => TcpStream::connect((host.as_str(), *port)).await?.into(),
        Endpoint::Unix(path) => UnixStream::connect(path).await?.into(),
    })
}
