use crate::protocol::flags::flags;

flags! {
    /// What a client and a server agreed to speak, MySQL's `CLIENT_…` flags.
    ///
    /// <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>
    Capabilities(u32);
    /// The improved version of old password authentication; always set.
    LONG_PASSWORD = 1;
    /// An UPDATE reports the rows it found, not those it changed.
    FOUND_ROWS = 1 << 1;
    /// Column flags of two bytes; always set.
    LONG_FLAG = 1 << 2;
    /// The login names a database.
    CONNECT_WITH_DB = 1 << 3;
    /// `database.table.column` is not allowed; obsolete.
    NO_SCHEMA = 1 << 4;
    /// Packets travel compressed with zlib.
    COMPRESS = 1 << 5;
    /// An ODBC client; without meaning.
    ODBC = 1 << 6;
    /// LOAD DATA LOCAL may ask the client for a file.
    LOCAL_FILES = 1 << 7;
    /// Spaces may stand before a function's `(`.
    IGNORE_SPACE = 1 << 8;
    /// The protocol since 4.1, the only one spoken here.
    PROTOCOL_41 = 1 << 9;
    /// `interactive_timeout` instead of `wait_timeout` counts.
    INTERACTIVE = 1 << 10;
    /// The connection turns to TLS after a short request.
    SSL = 1 << 11;
    /// The client ignores SIGPIPE; without meaning to a server.
    IGNORE_SIGPIPE = 1 << 12;
    /// Status flags tell of transactions.
    TRANSACTIONS = 1 << 13;
    /// Unused.
    RESERVED = 1 << 14;
    /// Authentication by nonce, since 4.1; always set.
    SECURE_CONNECTION = 1 << 15;
    /// Several statements in one COM_QUERY.
    MULTI_STATEMENTS = 1 << 16;
    /// Several results of one COM_QUERY.
    MULTI_RESULTS = 1 << 17;
    /// Several results of one COM_STMT_EXECUTE, OUT parameters among them.
    PS_MULTI_RESULTS = 1 << 18;
    /// Authentication by named plugins.
    PLUGIN_AUTH = 1 << 19;
    /// The login carries connection attributes.
    CONNECT_ATTRS = 1 << 20;
    /// The login's authentication data may be longer than 255 bytes.
    PLUGIN_AUTH_LENENC_CLIENT_DATA = 1 << 21;
    /// An account with an expired password may log in to change it.
    CAN_HANDLE_EXPIRED_PASSWORDS = 1 << 22;
    /// An OK packet tells what changed in the session.
    SESSION_TRACK = 1 << 23;
    /// A result ends with an OK packet instead of an EOF packet.
    DEPRECATE_EOF = 1 << 24;
    /// `resultset_metadata = NONE` may leave out column definitions.
    OPTIONAL_RESULTSET_METADATA = 1 << 25;
    /// Packets travel compressed with zstd.
    ZSTD = 1 << 26;
    /// COM_QUERY and COM_STMT_EXECUTE carry query attributes.
    QUERY_ATTRIBUTES = 1 << 27;
    /// Authentication in up to three steps.
    MULTI_FACTOR = 1 << 28;
    /// Reserved for a longer set of capabilities.
    CAPABILITY_EXTENSION = 1 << 29;
    /// The client checks the server's certificate; it never travels.
    SSL_VERIFY_SERVER_CERT = 1 << 30;
    /// The client keeps its options after a failed login; it never travels.
    REMEMBER_OPTIONS = 1 << 31;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capabilities_of_the_stock_client_print_by_name() {
        // The mysql client 9.7.4 with a database and without TLS.
        let caps = Capabilities(0x19bf_a28d);
        for flag in [
            Capabilities::CONNECT_WITH_DB,
            Capabilities::SESSION_TRACK | Capabilities::DEPRECATE_EOF,
            Capabilities::QUERY_ATTRIBUTES,
        ] {
            assert!(caps.contains(flag), "{flag:?}");
        }
        for flag in [Capabilities::SSL, Capabilities::OPTIONAL_RESULTSET_METADATA] {
            assert!(!caps.contains(flag), "{flag:?}");
        }
        assert!(
            !caps.contains(Capabilities::SSL | Capabilities::PROTOCOL_41),
            "needs both"
        );
        let text = format!("{:?}", caps & Capabilities(0x1f << 23));
        assert_eq!(text, "{SESSION_TRACK, DEPRECATE_EOF, QUERY_ATTRIBUTES}");
    }

    #[test]
    fn flags_are_set_and_cleared_one_by_one() {
        let mut caps = Capabilities::default();
        caps.insert(Capabilities::SSL | Capabilities::ZSTD);
        caps.remove(Capabilities::SSL);
        assert_eq!(caps, Capabilities::ZSTD);
        assert_eq!(caps.without(Capabilities::ZSTD), Capabilities(0));
    }
}
