//! What a server has not read yet, as the kernel tells.

use std::time::Instant;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tidegate::lab::Instance;

use crate::stage::LIMIT;

/// The server's end of a connection.
pub(crate) struct Socket {
    local: u16,
    remote: u16,
}

impl Socket {
    /// That of the transaction which this client has open there.
    pub(crate) async fn of_transaction(server: &Instance, client: &mut Conn) -> Self {
        // Where it is nested in an expression, the id is that of the server's connection.
        let question = "SELECT host FROM information_schema.processlist \
                        WHERE id = CONNECTION_ID()";
        let host: Option<String> = client.query_first(question).await.unwrap();
        let host = host.expect("a process of its own");
        let (_, port) = host.rsplit_once(':').expect("a port");
        Self {
            local: server.port(),
            remote: port.parse().unwrap(),
        }
    }

    /// Waits until something has arrived that the server has not read.
    pub(crate) async fn until_unread(&self) {
        let since = Instant::now();
        while !self.has_unread() {
            assert!(since.elapsed() < LIMIT, "nothing has arrived");
            tokio::task::yield_now().await;
        }
    }

    /// proc(5): local and remote address, state, and the lengths of the queues, all in hexadecimal.
    fn has_unread(&self) -> bool {
        let port = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let tables = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default());
        tables.iter().flat_map(|table| table.lines()).any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, _, queues, ..] = fields.as_slice() else {
                return false;
            };
            let is_it = port(local) == Some(self.local) && port(remote) == Some(self.remote);
            let unread = queues.rsplit_once(':').map(|(_, unread)| unread);
            is_it && unread.is_some_and(|unread| unread.contains(|digit| digit != '0'))
        })
    }
}
