//! How log lines look and which of them are written.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How log lines look.
    pub format: LogFormat,
    /// A filter in `tracing`'s syntax, such as `info` or `info,tidegate::session=debug`.
    pub filter: String,
}

/// Why a text is no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It does not follow the syntax.
    #[error("is not a log filter: {0}")]
    Syntax(#[from] tracing_subscriber::filter::ParseError),
    /// A word that is neither a level nor has one. `tracing` would take it for a module and log
    /// everything of it, and nothing else: a misspelt level would silence the log.
    #[error("{0:?} is not a level")]
    Level(String),
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is bad.
    #[error("the log filter {0}")]
    Filter(#[from] FilterError),
    /// Something else in this process logs already.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// The words that stand for a level; `tracing` takes them in any case, and numbers too.
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// Changes what is logged while the process runs.
pub struct LogHandle(Box<dyn Fn(EnvFilter) + Send + Sync>);

impl std::fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogHandle")
    }
}

impl LogHandle {
    /// From now on what passes this filter is logged.
    ///
    /// # Errors
    ///
    /// If it is none; nothing changes then.
    pub fn set_filter(&self, filter: &str) -> Result<(), FilterError> {
        (self.0)(parse_filter(filter)?);
        Ok(())
    }
}

/// Starts logging to standard error, coloured only on a terminal.
///
/// # Errors
///
/// If the filter is bad, or if the process logs already.
pub fn init(config: &LogConfig) -> Result<LogHandle, InitError> {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (subscriber, handle) = subscriber(config, std::io::stderr, colour)?;
    subscriber.try_init()?;
    Ok(handle)
}

/// Says whether a filter is one, without using it.
///
/// # Errors
///
/// If it is not.
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    parse_filter(filter).map(drop)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, FilterError> {
    if filter.trim().is_empty() {
        return Err(FilterError::Empty);
    }
    for directive in filter.split(',').map(str::trim) {
        let is_word = directive
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_word
            && !LEVELS
                .iter()
                .any(|level| level.eq_ignore_ascii_case(directive))
        {
            return Err(FilterError::Level(directive.to_owned()));
        }
    }
    Ok(EnvFilter::try_new(filter)?)
}

type Boxed = Box<dyn tracing::Subscriber + Send + Sync>;

fn subscriber<W>(
    config: &LogConfig,
    writer: W,
    colour: bool,
) -> Result<(Boxed, LogHandle), FilterError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parse_filter(&config.filter)?)
        .with_writer(writer)
        .with_ansi(colour);
    // Fails only where nothing logs any more.
    Ok(match config.format {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            let set = move |filter| drop(handle.reload(filter));
            (Box::new(builder.finish()), LogHandle(Box::new(set)))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            let set = move |filter| drop(handle.reload(filter));
            (Box::new(builder.finish()), LogHandle(Box::new(set)))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let config = LogConfig {
            format,
            filter: filter.to_owned(),
        };
        let (subscriber, _) =
            subscriber(&config, move || writer.clone(), false).expect("a subscriber");
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(client = 7, "connected");
            tracing::debug!("detail");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_is_one_line_without_colour_codes() {
        let text = logged(LogFormat::Text, "info");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("connected client=7") && !text.contains('\u{1b}'),
            "{text}"
        );
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(LogFormat::Json, "debug");
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["client"], &lines[0]["message"]),
            (&7.into(), &"connected".into())
        );
    }

    #[test]
    fn the_filter_changes_while_the_process_runs_unless_it_is_none() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = Lines::default();
            let writer = lines.clone();
            let config = LogConfig {
                format,
                filter: "warn".to_owned(),
            };
            let (subscriber, handle) =
                subscriber(&config, move || writer.clone(), false).expect("a subscriber");
            tracing::subscriber::with_default(subscriber, || {
                tracing::debug!("before");
                handle.set_filter("debug").unwrap();
                tracing::debug!("between");
                assert!(handle.set_filter("loud").is_err());
                tracing::debug!("still");
                handle.set_filter("off").unwrap();
                tracing::error!("after");
            });
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            let said = |word: &str| text.contains(word);
            assert!(said("between") && said("still"), "{text}");
            assert!(!said("before") && !said("after"), "{text}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_refused_before_it_silences_the_log() {
        for good in [
            "info",
            "INFO",
            "off",
            "warn,tidegate=debug",
            "tidegate::session=trace",
        ] {
            assert!(check_filter(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            " ",
            "inof",
            "info,",
            "info,verbose",
            "tidegate=loud",
            "a=b=c",
        ] {
            assert!(check_filter(bad).is_err(), "{bad}");
        }
    }
}
