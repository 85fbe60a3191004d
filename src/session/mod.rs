//! One client's session: login, command loop, relay, session state.

mod account;
mod aside;
mod asking;
mod awaiting;
mod by_id;
mod collation;
mod command;
mod config;
mod connections;
mod crowd;
mod deciding;
mod diagnostics;
mod dump;
mod entering;
mod expired;
mod explain;
mod failures;
mod following;
mod foreign;
mod found_rows;
mod guest;
mod held;
mod hold;
mod idling;
mod ids;
mod job;
mod keys;
mod killing;
mod known;
mod lending;
mod loads;
mod login;
mod losing;
mod naming;
mod observe;
mod own;
mod pins;
mod pool;
mod prepared;
mod pressure;
mod reaching;
mod read_only;
mod reader;
mod registry;
mod relay;
mod release;
mod reload;
mod role;
mod roster;
mod scopes;
mod second_run;
mod serve;
#[expect(
    clippy::module_inception,
    reason = "the room is named after its main inhabitant"
)]
mod session;
mod settle;
mod shared;
mod shortcut;
mod standing;
mod state;
mod statement;
mod switch;
mod tracking;
mod trail;
mod visible;
mod vouching;
mod waiting;
mod wishes;
mod word;
mod writer;

pub use config::{AuthMode, Config, FrontConfig, PoolPolicy};
pub use crowd::met_since_last_look;
pub use explain::explain_for;
pub use failures::Failures;
pub use guest::{Guest, GuestError, admit};
pub use hold::Hold;
pub use keys::LoginKeys;
pub use loads::Loads;
pub use pool::{Keeping, Pool};
pub use prepared::{PreparedCount, PreparedLimits};
pub use pressure::{Limits, OnClientGone, Pressure};
pub use registry::{About, Entry, Peer, Registry, Thread};
pub use roster::{Leave, Roster, Standing};
pub use scopes::{ScopeHandle, Scopes};
pub use serve::serve;
pub use shared::Shared;
pub use switch::ReadsSwitch;

use crate::error::{ClientError, Fault};
use crate::telemetry::ErrorKind;

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// COM_QUIT.
    Quit,
    /// COMMIT RELEASE, or ROLLBACK RELEASE.
    Released,
    /// The client closed the connection or it broke.
    ClientGone,
    /// The client broke the protocol.
    Protocol,
    /// COM_CHANGE_USER was refused.
    Refused,
    /// KILL.
    Killed,
    /// It sent no command for as long as it may.
    Idle,
    /// The process drains.
    Drained,
    /// The backend connection that held the session's state is gone.
    StateLost,
}

/// Under which kind an error of the proxy's own is counted.
fn error_kind(error: &ClientError) -> ErrorKind {
    match (error.code, error.fault) {
        (1047, _) => ErrorKind::UnknownCommand,
        (1836, _) => ErrorKind::NoWriter,
        (1203 | 1226 | 4031, _) | (1040, Fault::Backend) => ErrorKind::Limit,
        (1040, _) => ErrorKind::TooManyClients,
        (_, Fault::Client) => ErrorKind::ClientProtocol,
        (_, Fault::Backend) => ErrorKind::BackendLost,
        (_, Fault::Promise) => ErrorKind::WaitTimeout,
    }
}
