//! The TOML file, parsed once into the types that the modules define for themselves.
//!
//! Nothing stops at the first fault: all of them are reported at once, each with its place, what is
//! wrong and what would be right. [`schema`] is the one list of what a file may say.

mod addresses;
mod backends;
mod build;
mod consoles;
mod fault;
mod files;
mod flags;
mod front;
mod pool;
mod pressure;
pub mod schema;
mod secrets;
mod table;
mod tls;
mod users;
mod value;
mod written;

use std::ffi::OsString;
use std::path::Path;

use toml::de::DeTable;

pub use self::fault::{Fault, Position};
use self::fault::{Faults, Place, Source};
use self::files::Surroundings;
pub use self::flags::{Flags, from_flags};
use self::table::Document;
pub use self::written::Written;
use crate::{admin, backend, net, session, telemetry};

/// Everything that the file says.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients are awaited.
    pub listen: net::ListenConfig,
    /// The HTTP endpoint, if there is one.
    pub http: Option<admin::Config>,
    /// The console, if there is one.
    pub console: Option<admin::console::Config>,
    /// The backends.
    pub backend: backend::Config,
    /// Logins and reads.
    pub session: session::Config,
    /// Logging.
    pub log: telemetry::LogConfig,
    /// The same, key by key, as it stands in the file.
    pub written: Written,
}

/// A configuration and the warnings about it, or all its faults.
pub type Outcome = Result<(Config, Vec<Fault>), Vec<Fault>>;

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment that the process was started with.
pub fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Reads a configuration file, and the password and certificate files that it names.
///
/// # Errors
///
/// Every fault of the file, in its order; one without a position if it can't be read at all.
pub fn load(path: &Path) -> Outcome {
    let name = path.display().to_string();
    let file = files::read_config(path, &name).map_err(|fault| vec![fault])?;
    let around = Surroundings {
        directory: path.parent().unwrap_or(Path::new("")),
        environment: &process_environment,
        shared: file.shared,
    };
    parse_in(&file.text, &name, &around)
}

/// Reads a configuration from `text`, which stands in the file `name`: faults show that name, and
/// relative paths start at its directory.
///
/// # Errors
///
/// Every fault of the text, in its order.
pub fn parse(text: &str, name: &str) -> Outcome {
    parse_with(text, name, &process_environment)
}

/// [`parse`] with an environment other than the process's own.
///
/// # Errors
///
/// Every fault of the text, in its order.
pub fn parse_with(text: &str, name: &str, environment: Environment<'_>) -> Outcome {
    let directory = Path::new(name).parent().unwrap_or(Path::new(""));
    parse_in(
        text,
        name,
        &Surroundings {
            directory,
            environment,
            shared: false,
        },
    )
}

fn parse_in(text: &str, name: &str, around: &Surroundings<'_>) -> Outcome {
    let mut faults = Faults::new(Source::File { name, text });
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What a broken document seems to say is not worth a second list of faults.
        errors.iter().for_each(|error| syntax(error, &mut faults));
        return faults.finish(None);
    }
    let document = Document::open(root.get_ref(), &mut faults);
    let config = build::config(&document, around, &mut faults);
    faults.finish(config)
}

fn syntax(error: &toml::de::Error, faults: &mut Faults<'_>) {
    let place = Place {
        key: String::new(),
        offset: error.span().map_or(0, |unexpected| unexpected.start),
    };
    match error.message().split_once(", expected ") {
        Some((wrong, right)) => faults.fault(&place, wrong, format!("TOML expects {right} here")),
        None if error.message().contains("duplicate") => {
            faults.fault(&place, error.message(), "keep one of them");
        }
        None => faults.fault(&place, error.message(), "write it as TOML 1.0 asks"),
    }
}
