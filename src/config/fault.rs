//! What is wrong with a configuration, where, and what would be right.

use std::fmt;

/// A place in a file, as editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// One thing that is wrong with a configuration (or, as a warning, probably not meant).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file as it was named, or "command line".
    pub file: String,
    /// Where in the file; `None` for the command line and for a file that could not be read.
    pub position: Option<Position>,
    /// The dotted key or the flag; empty where the text as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

/// `file:line:column: key: what is wrong; what would be right`, without the parts there are none of.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}; {}", self.wrong, self.right)
    }
}

/// Where a value came from, for the faults that only show when it is compared with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The dotted key.
    pub(super) key: String,
    /// Into the text of the file; on the command line, the number of the flag.
    pub(super) offset: usize,
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// What offsets mean.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// Bytes of a file's text.
    File { name: &'a str, text: &'a str },
    /// Indices into the flags' names.
    Flags(&'a [&'static str]),
}

/// Everything found so far; nothing stops at the first fault.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    source: Source<'a>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Records what makes the configuration unusable.
    pub(super) fn fault(
        &mut self,
        place: &Place,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        self.faults
            .push(self.source.fault(place, wrong.into(), right.into()));
    }

    /// Records what is legal and probably not meant.
    pub(super) fn warn(
        &mut self,
        place: &Place,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        self.warnings
            .push(self.source.fault(place, wrong.into(), right.into()));
    }

    /// The value with its warnings, or all faults, each in the file's order.
    ///
    /// There is a fault for every value that could not be built, so `None` without one is a bug of
    /// this module; it is reported as a fault too rather than taken for a configuration.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<(T, Vec<Fault>), Vec<Fault>> {
        self.faults.sort_by_key(|fault| fault.position);
        self.warnings.sort_by_key(|fault| fault.position);
        match value {
            Some(value) if self.faults.is_empty() => Ok((value, self.warnings)),
            None if self.faults.is_empty() => {
                let place = Place {
                    key: String::new(),
                    offset: 0,
                };
                self.fault(
                    &place,
                    "could not be understood",
                    "report this as a bug of Tidegate",
                );
                Err(self.faults)
            }
            _ => Err(self.faults),
        }
    }
}

impl Source<'_> {
    fn fault(self, place: &Place, wrong: String, right: String) -> Fault {
        match self {
            Self::File { name, text } => Fault {
                file: name.to_owned(),
                position: Some(position(text, place.offset)),
                key: place.key.clone(),
                wrong,
                right,
            },
            Self::Flags(flags) => Fault {
                file: "command line".to_owned(),
                position: None,
                key: flags
                    .get(place.offset)
                    .map_or(place.key.as_str(), |flag| flag)
                    .to_owned(),
                wrong,
                right,
            },
        }
    }
}

/// The line and column of a byte of `text`; an offset beyond its end means the end.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before
            .get(line_start..)
            .map_or(0, |line| line.chars().count())
            + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let text = "a = 1\nü = 2\r\n\nlast";
        for (offset, line, column) in [
            (0, 1, 1),
            (4, 1, 5),
            (6, 2, 1),
            (8, 2, 2),
            (14, 3, 1),
            (15, 4, 1),
            (99, 4, 5),
        ] {
            assert_eq!(
                position(text, offset),
                Position { line, column },
                "byte {offset}"
            );
        }
    }

    #[test]
    fn a_fault_is_one_line_that_editors_can_jump_to() {
        let mut faults = Faults::new(Source::File {
            name: "t.toml",
            text: "[auth]\nmode = 1\n",
        });
        faults.fault(
            &Place {
                key: "auth.mode".into(),
                offset: 14,
            },
            "is 1",
            "write a word",
        );
        let found = faults.finish(Some(())).unwrap_err();
        assert_eq!(
            found[0].to_string(),
            "t.toml:2:8: auth.mode: is 1; write a word"
        );
    }

    #[test]
    fn faults_come_in_the_order_of_the_file() {
        let mut faults = Faults::new(Source::File {
            name: "t.toml",
            text: "a\nb\n",
        });
        faults.fault(
            &Place {
                key: "b".into(),
                offset: 2,
            },
            "",
            "",
        );
        faults.fault(
            &Place {
                key: "a".into(),
                offset: 0,
            },
            "",
            "",
        );
        let keys: Vec<_> = faults
            .finish(None::<()>)
            .unwrap_err()
            .into_iter()
            .map(|f| f.key)
            .collect();
        assert_eq!(keys, ["a", "b"]);
    }

    #[test]
    fn a_value_that_was_lost_without_a_fault_is_not_taken_for_a_configuration() {
        let faults = Faults::new(Source::Flags(&[]));
        assert_eq!(faults.finish(None::<()>).unwrap_err().len(), 1);
    }
}
