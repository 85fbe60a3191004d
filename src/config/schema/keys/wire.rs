//! How clients and backends are spoken to.

use super::super::Presence::{Default, Optional};
use super::super::{Key, Kind};
use super::key;

/// Whether clients may compress.
pub const LISTEN_COMPRESSION: Key = key(
    "listen",
    "compression",
    Kind::Flag,
    Default("true"),
    "Whether clients may have their connection compressed, by zlib or zstd. It costs processor time \
     here, for those that ask for it.",
)
.reloads();

/// From where a PROXY header is expected.
pub const LISTEN_PROXY_PROTOCOL_FROM: Key = key(
    "listen",
    "proxy_protocol_from",
    Kind::Networks,
    Optional {
        example: r#"["10.0.0.0/24"]"#,
        absent: "from nowhere",
    },
    "Networks of load balancers: a connection from there has to begin with a PROXY header, version \
     1 or 2, which says where the client is. Whoever can connect from there can claim any address.",
)
.reloads();

/// Whether clients have to use TLS.
pub const TLS_REQUIRED: Key = key(
    "tls",
    "required",
    Kind::Flag,
    Default("false"),
    "Whether clients that come by TCP have to use TLS; others get error 3159.",
)
.reloads();

/// The oldest version of TLS.
pub const TLS_MIN_VERSION: Key = key(
    "tls",
    "min_version",
    Kind::Word {
        choices: &["1.2", "1.3"],
    },
    Default(r#""1.2""#),
    "The oldest version of TLS that clients may speak.",
)
.reloads();

/// Whether clients show certificates.
pub const TLS_CLIENT_CERT: Key = key(
    "tls",
    "client_cert",
    Kind::Word {
        choices: &["off", "optional", "required"],
    },
    Default(r#""off""#),
    "Whether clients are asked for a certificate that client_ca vouches for. optional: one that \
     shows a wrong one is refused. required: one that shows none, too. It opens the door and says \
     nothing about the account.",
)
.reloads();

/// Who may vouch for clients.
pub const TLS_CLIENT_CA: Key = key(
    "tls",
    "client_ca",
    Kind::Path,
    Optional {
        example: r#""/etc/tidegate/client-ca.pem""#,
        absent: "only with client_cert",
    },
    "PEM file with the certificates that may vouch for clients.",
)
.reloads();

/// How a backend is reached by TLS.
pub const BACKEND_TLS: Key = key(
    "backend",
    "tls",
    Kind::Word {
        choices: &[
            "disabled",
            "preferred",
            "required",
            "verify-ca",
            "verify-identity",
        ],
    },
    Default(r#""disabled""#),
    "TLS to this backend, as mysql's --ssl-mode. preferred: where it offers it. required: always. \
     verify-ca: with a certificate that tls_ca vouches for. verify-identity: which is for the \
     host in address, too. Only the last two keep out somebody in between.",
);

/// Who may vouch for a backend.
pub const BACKEND_TLS_CA: Key = key(
    "backend",
    "tls_ca",
    Kind::Path,
    Optional {
        example: r#""/etc/tidegate/ca.pem""#,
        absent: "only with tls = \"verify-ca\" or \"verify-identity\"",
    },
    "PEM file with the certificates that may vouch for this backend.",
);

/// The certificate shown to a backend.
pub const BACKEND_TLS_CERT: Key = key(
    "backend",
    "tls_cert",
    Kind::Path,
    Optional {
        example: r#""/etc/tidegate/client.pem""#,
        absent: "none is shown",
    },
    "PEM file with the certificate chain that is shown to this backend, for accounts that REQUIRE \
     X509.",
);

/// Its private key.
pub const BACKEND_TLS_KEY: Key = key(
    "backend",
    "tls_key",
    Kind::Path,
    Optional {
        example: r#""/etc/tidegate/client-key.pem""#,
        absent: "only with tls_cert",
    },
    "PEM file with the private key of tls_cert.",
);

/// Whether a backend is told where clients are.
pub const BACKEND_PROXY_PROTOCOL: Key = key(
    "backend",
    "proxy_protocol",
    Kind::Flag,
    Default("false"),
    "Whether this backend is told by a PROXY header where the client is, so that accounts are bound \
     to the client's host. Only for servers that expect one from here: MariaDB with \
     proxy_protocol_networks.",
);

/// Who serves replication clients.
pub const REPLICATION_BACKEND: Key = key(
    "replication",
    "backend",
    Kind::Text {
        max: super::NAME_MAX,
    },
    Optional {
        example: r#""w1""#,
        absent: "they get error 1236",
    },
    "The name of the backend whose binary log is streamed to replication clients (replicas, \
     mysqlbinlog, Debezium and their kin). Those that go by file and position, not by GTIDs, need \
     the writer, since what they ask before is answered there.",
)
.reloads();
