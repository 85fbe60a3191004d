//! The values that metric labels take: closed sets, so that every child exists from the start and
//! nothing that a client sends becomes a label.

/// Gives an enum its list, its labels and what each means.
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $label:literal: $doc:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $doc] $variant,)+
        }

        impl $name {
            /// Every value, in the order of [`Self::index`].
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value of the metric label.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// What it means, as the metric's help text says it.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc),+ }
            }

            /// Its position in [`Self::ALL`].
            pub fn index(self) -> usize {
                self as usize
            }
        }
    };
}

labels! {
    /// Where a backend connection is in its life.
    ConnectionState {
        Connecting = "connecting": "being connected and logged in",
        Idle = "idle": "logged in, and no session has it",
        Active = "active": "a session has it",
    }
}

labels! {
    /// What became of a connection that one session had given back and another one wanted.
    Handover {
        AsItWas = "as_it_was": "another session has it, told at most what it lacked of the session's state",
        Done = "done": "another session has it, after a login of its own",
        Refused = "refused": "the backend refused that session's account or password, or wanted to be told it anew",
        Failed = "failed": "the connection was of no use any more",
    }
}

labels! {
    /// Which side of the proxy bytes pass.
    Side {
        Client = "client": "between clients and Tidegate",
        Backend = "backend": "between Tidegate and the backends",
    }
}

labels! {
    /// Which way bytes pass, as seen from Tidegate.
    Direction {
        In = "in": "received by Tidegate",
        Out = "out": "sent by Tidegate",
    }
}

labels! {
    /// What went wrong. Errors that a backend answers to a statement are the client's affair and
    /// are relayed, not counted here.
    ErrorKind {
        ClientProtocol = "client_protocol": "a client broke the protocol",
        ClientLost = "client_lost": "a client's connection broke in the middle of something",
        ClientStalled = "client_stalled": "a client stopped in the middle of a command, or did not read its answer",
        ClientTls = "client_tls": "a TLS handshake with a client failed",
        LoginTimeout = "login_timeout": "a client did not log in in time",
        TooManyClients = "too_many_clients": "a client more than the limit was refused",
        UnknownCommand = "unknown_command": "a client sent a command that Tidegate does not know",
        BackendConnect = "backend_connect": "a backend could not be reached",
        BackendLogin = "backend_login": "a backend refused a login that should have worked",
        BackendLost = "backend_lost": "a backend's connection broke",
        BackendProtocol = "backend_protocol": "a backend broke the protocol",
        BackendIdentity = "backend_identity": "an address answered as another server than before",
        NoWriter = "no_writer": "a statement needed the writer, and there was none",
        NoBackend = "no_backend": "no backend at all could take a read",
        WaitTimeout = "wait_timeout": "a read's wait ran out, and its policy wants an error",
        UnknownOutcome = "unknown_outcome": "a statement may or may not have taken effect",
        Limit = "limit": "a named limit was reached",
        Internal = "internal": "a bug in Tidegate",
    }
}

labels! {
    /// Why a read was sent again, to another backend.
    RetryCause {
        BackendLost = "backend_lost": "its reader's connection broke before the first byte",
        Lag = "lag": "its reader answered with an error that only lag explains",
        NotCovered = "not_covered": "its reader's answer did not cover its token",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_label_is_its_own_and_at_its_index() {
        macro_rules! check {
            ($($name:ident),+) => {$(
                let mut seen = HashSet::new();
                for (index, value) in $name::ALL.iter().enumerate() {
                    assert_eq!(value.index(), index);
                    assert!(seen.insert(value.label()), "{}", value.label());
                    assert!(value.label().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
                }
            )+};
        }
        check!(
            ConnectionState,
            Handover,
            Side,
            Direction,
            ErrorKind,
            RetryCause
        );
    }
}
