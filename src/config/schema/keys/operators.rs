//! Where operators look: `[http]` and `[console]`.

use super::super::Presence::{Default, Optional, Required};
use super::super::{Key, Kind};
use super::{TEXT_MAX, USER_NAME_MAX, key};

/// Where the HTTP endpoint listens.
pub const HTTP_ADDRESS: Key = key(
    "http",
    "address",
    Kind::Address,
    Required(r#""127.0.0.1:9307""#),
    "Where the HTTP endpoint listens. It has no TLS.",
);

/// Whether the HTTP endpoint may listen beyond loopback.
pub const HTTP_ALLOW_REMOTE: Key = key(
    "http",
    "allow_remote",
    Kind::Flag,
    Default("false"),
    "Whether [http] address may be one that other machines reach although there is no password; \
     who comes from there may look and change nothing.",
);

/// The account of the HTTP endpoint.
pub const HTTP_USER: Key = key(
    "http",
    "user",
    Kind::Text { max: USER_NAME_MAX },
    Default(r#""tidegate""#),
    "The account that requests have to log in as (Basic authentication), where there is a password.",
);

/// Its password.
pub const HTTP_PASSWORD: Key = key(
    "http",
    "password",
    Kind::Secret,
    Optional {
        example: r#""secret""#,
        absent: "taken from password_env or password_file, or there is none",
    },
    "The account's password.",
);

/// Its password, from the environment.
pub const HTTP_PASSWORD_ENV: Key = key(
    "http",
    "password_env",
    Kind::Text { max: TEXT_MAX },
    Optional {
        example: r#""TIDEGATE_HTTP_PASSWORD""#,
        absent: "taken from password or password_file, or there is none",
    },
    "The environment variable that holds the password.",
);

/// Its password, from a file.
pub const HTTP_PASSWORD_FILE: Key = key(
    "http",
    "password_file",
    Kind::Path,
    Optional {
        example: r#""/run/secrets/http-password""#,
        absent: "taken from password or password_env, or there is none",
    },
    "The file whose only line is the password.",
);

/// Where the console listens.
pub const CONSOLE_ADDRESS: Key = key(
    "console",
    "address",
    Kind::Address,
    Required(r#""127.0.0.1:6032""#),
    "Where the console listens: on this machine, or anywhere with a password.",
);

/// The account of the console.
pub const CONSOLE_USER: Key = key(
    "console",
    "user",
    Kind::Text { max: USER_NAME_MAX },
    Default(r#""tidegate""#),
    "The account that operators log in as.",
);

/// Its password.
pub const CONSOLE_PASSWORD: Key = key(
    "console",
    "password",
    Kind::Secret,
    Optional {
        example: r#""secret""#,
        absent: "taken from password_env or password_file, or there is none",
    },
    "The account's password.",
);

/// Its password, from the environment.
pub const CONSOLE_PASSWORD_ENV: Key = key(
    "console",
    "password_env",
    Kind::Text { max: TEXT_MAX },
    Optional {
        example: r#""TIDEGATE_CONSOLE_PASSWORD""#,
        absent: "taken from password or password_file, or there is none",
    },
    "The environment variable that holds the password.",
);

/// Its password, from a file.
pub const CONSOLE_PASSWORD_FILE: Key = key(
    "console",
    "password_file",
    Kind::Path,
    Optional {
        example: r#""/run/secrets/console-password""#,
        absent: "taken from password or password_env, or there is none",
    },
    "The file whose only line is the password.",
);
