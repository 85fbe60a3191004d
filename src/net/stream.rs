//! One type for every kind of byte stream, so that nothing above cares which it is.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::coop::poll_proceed;
use tokio_rustls::TlsStream;

/// A connection without encryption of its own.
#[derive(Debug)]
pub enum Plain {
    /// TCP, with `TCP_NODELAY`: a statement is one small write, and waiting for more to send
    /// would only delay it.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub enum Stream {
    /// As it came from the system.
    Plain(Plain),
    /// With TLS on top; boxed, since it is much larger and rarer.
    Tls(Box<TlsStream<Plain>>),
}

impl Stream {
    /// May a password travel in clear text here? By TLS or inside this machine.
    pub fn is_secure(&self) -> bool {
        !matches!(self, Self::Plain(Plain::Tcp(_)))
    }

    /// The address of the other end; none for a unix socket.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        match self.plain() {
            Plain::Tcp(stream) => stream.peer_addr().ok(),
            Plain::Unix(_) => None,
        }
    }

    /// What lies below.
    fn plain(&self) -> &Plain {
        match self {
            Self::Plain(plain) => plain,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Has the thread that calls this wake up for it, by the runtime that it runs, and no other one
    /// any more.
    ///
    /// # Errors
    /// As the system gives them; nothing has changed then.
    pub fn move_here(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(plain) => plain.move_here(),
            Self::Tls(tls) => tls.get_mut().0.move_here(),
        }
    }

    /// The port at this end; none for a unix socket.
    pub fn local_port(&self) -> Option<u16> {
        let Plain::Tcp(stream) = self.plain() else {
            return None;
        };
        Some(stream.local_addr().ok()?.port())
    }

    /// Sends what the system has room for, in bytes, without waiting for more; nothing by TLS, which
    /// has bytes of its own to send.
    ///
    /// # Errors
    /// As the system gives them.
    pub(super) fn send_now(&self, buf: &[u8]) -> io::Result<usize> {
        let Self::Plain(plain) = self else {
            return Ok(0);
        };
        match plain.send_now(buf) {
            Err(error) if is_to_come(&error) => Ok(0),
            sent => sent,
        }
    }

    /// Is TLS in use?
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl Plain {
    /// Sends what there is room for.
    fn send_now(&self, buf: &[u8]) -> io::Result<usize> {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
        };
        socket.send_with_flags(buf, libc::MSG_NOSIGNAL)
    }

    /// Takes it from the runtime, to be given to another one.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn detach(self) -> io::Result<Detached> {
        Ok(match self {
            Self::Tcp(stream) => Detached::Tcp(stream.into_std()?),
            Self::Unix(stream) => Detached::Unix(stream.into_std()?),
        })
    }

    /// A runtime wakes up for what was opened on it. The same socket by another number is opened here,
    /// and the one before is closed.
    fn move_here(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                let same = stream.as_fd().try_clone_to_owned()?;
                *stream = TcpStream::from_std(same.into())?;
            }
            Self::Unix(stream) => {
                let same = stream.as_fd().try_clone_to_owned()?;
                *stream = UnixStream::from_std(same.into())?;
            }
        }
        Ok(())
    }
}

/// A connection that no runtime has.
#[derive(Debug)]
pub enum Detached {
    /// On TCP.
    Tcp(std::net::TcpStream),
    /// On a unix socket.
    Unix(std::os::unix::net::UnixStream),
}

impl Detached {
    /// Gives it to the runtime that this is called on.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn attach(self) -> io::Result<Plain> {
        Ok(match self {
            Self::Tcp(stream) => Plain::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Plain::Unix(UnixStream::from_std(stream)?),
        })
    }
}

/// Not an error: what could not be done may be done later.
fn is_to_come(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

impl From<TcpStream> for Plain {
    fn from(stream: TcpStream) -> Self {
        // Without it the connection works, only slower.
        let _ = stream.set_nodelay(true);
        Self::Tcp(stream)
    }
}

impl From<UnixStream> for Plain {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let plain = self.get_mut();
        // As whatever tokio does itself: nobody keeps a thread busy for good.
        let turn = ready!(poll_proceed(cx));
        // There nearly always is room. The runtime need not be asked first, which for a while knows
        // nothing of what was just opened or moved here.
        match plain.send_now(buf) {
            Err(error) if is_to_come(&error) => {}
            sent => {
                turn.made_progress();
                return Poll::Ready(sent);
            }
        }
        match plain {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn what_was_opened_on_one_runtime_wakes_up_another() {
        let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let (mut near, mut far) = first.block_on(async {
            let (near, far) = UnixStream::pair().unwrap();
            (Stream::Plain(Plain::from(near)), far)
        });
        second.block_on(async { near.move_here() }).unwrap();
        first.block_on(far.write_all(b"word")).unwrap();
        // Nobody drives the first one any more.
        drop((first, far));
        let mut read = Vec::new();
        second.block_on(near.read_to_end(&mut read)).unwrap();
        assert_eq!(read, b"word");
    }
}
