//! The MySQL client/server protocol as pure functions over bytes: no sockets, no clock.
//!
//! One packet, one file, each with its layout, a link to its page and a test on captured bytes.
//! [`boundary`] is the only code that knows where a response ends; [`translate`] is the only code
//! that knows what a client reads differently from what a backend wrote.
//!
//! Every decoder checks its bounds and returns a [`ProtocolError`] that names the field.

pub mod attributes;
pub mod auth;
mod auth_more;
mod auth_switch;
mod boundary;
mod capabilities;
mod change_user;
mod command;
pub mod compression;
mod eof;
mod err;
mod error;
mod execute;
mod flags;
mod frame;
mod handshake;
mod handshake_response;
mod lenenc;
mod ok;
mod prepare;
mod query;
mod reader;
mod ssl_request;
mod statement;
mod status;
mod table;
#[cfg(test)]
mod testing;
pub mod track;
pub mod translate;

pub use attributes::{Attribute, AttributeValue, connection_attributes};
pub use auth_more::{AuthMore, FAST_AUTH_OK, FULL_AUTH, REQUEST_PUBLIC_KEY};
pub use auth_switch::AuthSwitch;
pub use boundary::{Boundary, End, Part, Want, WholeResult};
pub use capabilities::Capabilities;
pub use change_user::ChangeUser;
pub use command::Command;
pub use eof::EofPacket;
pub use err::ErrPacket;
pub use error::{ErrorKind, ProtocolError};
pub use execute::ExecuteHead;
pub use frame::{HEADER, Header, MAX_PAYLOAD, write_packet};
pub use handshake::{Handshake, NONCE};
pub use handshake_response::HandshakeResponse;
pub use lenenc::{put_lenenc_bytes, put_lenenc_int};
pub use ok::{OkPacket, Terminator};
pub use prepare::PrepareOk;
pub use query::{put_query, query_attributes, query_text, skip_binary_value};
pub use reader::Reader;
pub use ssl_request::{SslRequest, is_ssl_request};
pub use statement::{execute_statement_id, set_statement_id, statement_id};
pub use status::Status;
pub use table::{put_column_count, put_text_column, put_text_row};
pub use translate::{Around, Translator};
