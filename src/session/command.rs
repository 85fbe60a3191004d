//! Reading a client's next command.

use bytes::BytesMut;

use crate::net::{Wire, WireError};
use crate::protocol::{Command, HEADER, MAX_PAYLOAD};

/// What a client asks for.
pub(super) struct Request {
    /// The command; `None` for a byte that names none.
    pub command: Option<Command>,
    /// The payload, the command's byte included; only its first packet if `more` is set.
    pub payload: BytesMut,
    /// The payload filled its packet, so that it goes on in the next one.
    pub more: bool,
    /// The number of the response's first packet.
    pub sequence: u8,
}

impl Request {
    /// Reads a command's first packet, which for nearly all is the whole command.
    ///
    /// A larger one is not collected: it is sent on as it comes, and nobody reads its SQL.
    ///
    /// Cancel safe while no byte of the command has come.
    ///
    /// # Errors
    /// [`WireError::Closed`] when the client left between two commands.
    pub(super) async fn read(client: &mut Wire) -> Result<Self, WireError> {
        client.restart_sequence();
        let header = client.read_header().await?;
        client.fill_rest(header.len).await?;
        let payload = client.input().split_to(header.len);
        Ok(Self::of(payload, client))
    }

    /// The same, if all of it has come already, as it nearly always has.
    pub(super) fn at_hand(client: &mut Wire) -> Option<Self> {
        client.restart_sequence();
        let payload = client.take_packet()?;
        Some(Self::of(payload, client))
    }

    fn of(payload: BytesMut, client: &Wire) -> Self {
        Self {
            command: payload.first().copied().and_then(Command::from_byte),
            more: payload.len() == MAX_PAYLOAD,
            payload,
            sequence: client.sequence(),
        }
    }

    /// Reads the rest of a long command into the payload; false if it is longer than `limit`
    /// bytes, and not read to its end then.
    ///
    /// # Errors
    /// As [`Wire::read_header`].
    pub(super) async fn complete(
        &mut self,
        client: &mut Wire,
        limit: usize,
    ) -> Result<bool, WireError> {
        while self.more {
            let mut whole = std::mem::take(&mut self.payload);
            self.read_more(client).await?;
            whole.extend_from_slice(&self.payload);
            self.payload = whole;
            if self.payload.len() > limit {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads one more packet of a long command; false once it was the last.
    pub(super) async fn read_more(&mut self, client: &mut Wire) -> Result<bool, WireError> {
        client.fill_rest(HEADER).await?;
        let header = client.read_header().await?;
        client.fill_rest(header.len).await?;
        self.payload = client.input().split_to(header.len);
        self.more = header.len == MAX_PAYLOAD;
        self.sequence = client.sequence();
        Ok(self.more)
    }
}

/// Commands that a backend answers; MySQL knows no other from a client, but for replication.
pub(super) fn is_relayed(command: Command) -> bool {
    matches!(
        command,
        Command::Query
            | Command::Ping
            | Command::InitDb
            | Command::Statistics
            | Command::FieldList
            | Command::ProcessInfo
            | Command::Debug
            | Command::SetOption
    )
}
