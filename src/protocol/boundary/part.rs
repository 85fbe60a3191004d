use crate::protocol::{
    AuthMore, AuthSwitch, EofPacket, ErrPacket, OkPacket, PrepareOk, Status, Terminator,
};

/// What the caller does with the packet whose header it has just read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Tell [`Boundary::pass`](super::Boundary::pass), then forward the bytes as they stream.
    Pass,
    /// Collect the payload, all of its packets joined, and give it to
    /// [`Boundary::whole`](super::Boundary::whole).
    Whole,
}

/// What a packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// A result with so many columns begins.
    ColumnCount(u64),
    /// The definition of a column or a parameter.
    Definition,
    /// The EOF after definitions; only without `CLIENT_DEPRECATE_EOF`.
    MetadataEnd(EofPacket),
    /// A row.
    Row,
    /// The command, or one statement of it, succeeded without a result.
    Ok(OkPacket<'a>),
    /// A result is over. An EOF packet shows as an OK packet without counts.
    ResultEnd(Terminator<'a>),
    /// The command failed. It ends the response, whatever was to follow.
    Err(ErrPacket<'a>),
    /// The server asks for the file of that name. The client sends it, with an empty packet at its
    /// end, before the response goes on.
    LocalInfile(&'a [u8]),
    /// A statement was prepared; definitions follow.
    PrepareOk(PrepareOk),
    /// The line of COM_STATISTICS.
    Text,
    /// COM_CHANGE_USER: the client has to answer before the response goes on.
    AuthSwitch(AuthSwitch<'a>),
    /// COM_CHANGE_USER: the client may have to answer before the response goes on.
    AuthMore(AuthMore<'a>),
    /// More of a packet of 16 MiB - 1 bytes that was passed.
    Continuation,
}

/// The proof that a response is over. Only [`Boundary`](super::Boundary) makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    status: Option<Status>,
    is_error: bool,
}

impl End {
    /// The flags of the last OK or EOF packet. `None` where none came, and after an error: it
    /// carries none, and those before it may no longer hold.
    pub const fn status(self) -> Option<Status> {
        self.status
    }

    /// Whether an ERR packet ended it. After a failed COM_CHANGE_USER the server closes the
    /// connection.
    pub const fn is_error(self) -> bool {
        self.is_error
    }

    pub(super) const fn new(status: Option<Status>, is_error: bool) -> Self {
        Self { status, is_error }
    }
}
