//! Noticing that a peer's machine is gone, which no packet tells.

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::{Plain, Stream};

/// Keepalive probes that may stay unanswered.
const PROBES: u32 = 3;

/// The shortest pause before and between probes that the system takes.
const LEAST: Duration = Duration::from_secs(1);

impl Stream {
    /// Ends the connection once the peer's machine has answered nothing for `dead`: while nothing is
    /// sent by keepalive, else by the system's own limit on what is not acknowledged. The latter
    /// also counts against a peer that has no room, so it is `stalled` at least.
    pub fn expect_life(&self, dead: Duration, stalled: Duration) {
        let plain = match self {
            Self::Plain(plain) => plain,
            Self::Tls(tls) => tls.get_ref().0,
        };
        let Plain::Tcp(stream) = plain else {
            return;
        };
        let socket = SockRef::from(stream);
        let pause = (dead / (PROBES + 1)).max(LEAST);
        let probes = TcpKeepalive::new()
            .with_time(pause)
            .with_interval(pause)
            .with_retries(PROBES);
        // Without them the connection works, and its end is noticed later.
        let _ = socket.set_tcp_keepalive(&probes);
        let _ = socket.set_tcp_user_timeout(Some(dead.max(stalled)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn the_system_is_told_when_a_peer_counts_as_gone() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = Stream::Plain(TcpStream::connect(address).await.unwrap().into());
        stream.expect_life(Duration::from_secs(60), Duration::from_secs(90));
        let Stream::Plain(Plain::Tcp(tcp)) = &stream else {
            panic!("it is plain");
        };
        let socket = SockRef::from(tcp);
        assert!(socket.keepalive().unwrap());
        assert_eq!(
            socket.tcp_keepalive_time().unwrap(),
            Duration::from_secs(15)
        );
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
        let limit = socket.tcp_user_timeout().unwrap();
        assert_eq!(limit, Some(Duration::from_secs(90)));
    }
}
