//! Answers of the console, as MySQL writes them.

use std::io;

use crate::net::Wire;
use crate::protocol::{
    Capabilities, ErrPacket, OkPacket, Status, Translator, put_column_count, put_text_column,
    put_text_row,
};

/// The longest error text, in bytes: MySQL's clients read no more.
const ERROR_LIMIT: usize = 4096;

/// Columns of text, and rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Their names.
    pub(super) columns: Vec<String>,
    /// Each as long as the columns.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// One without rows.
    pub(super) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self {
            columns: columns.map(str::to_owned).into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Of pairs.
    pub(super) fn of_pairs(columns: [&str; 2], pairs: Vec<(String, String)>) -> Self {
        let mut table = Self::new(columns);
        pairs
            .into_iter()
            .for_each(|(one, other)| table.row([one, other]));
        table
    }

    /// Of one column.
    pub(super) fn of_lines(column: &str, lines: Vec<String>) -> Self {
        let mut table = Self::new([column]);
        lines.into_iter().for_each(|line| table.row([line]));
        table
    }

    /// Of one row; what is not known is empty.
    pub(super) fn of_values(values: Vec<(String, Option<String>)>) -> Self {
        let (columns, cells): (Vec<_>, Vec<_>) = values.into_iter().unzip();
        let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
        match columns.is_empty() {
            true => Self::of_lines("1", vec!["1".to_owned()]),
            false => Self {
                columns,
                rows: vec![cells],
            },
        }
    }

    /// The rows whose first cell is like this, as SQL's LIKE has it.
    pub(super) fn like(mut self, pattern: Option<&str>) -> Self {
        if let Some(pattern) = pattern {
            let fits = |row: &Vec<String>| row.first().is_some_and(|cell| is_like(cell, pattern));
            self.rows.retain(fits);
        }
        self
    }
}

/// `%` stands for any text, `_` for any letter; case does not count.
fn is_like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    // Which beginnings of the text the pattern so far fits.
    let mut fits = vec![false; text.len() + 1];
    fits.iter_mut().take(1).for_each(|it| *it = true);
    for sign in pattern {
        let mut next = vec![false; text.len() + 1];
        let mut any = false;
        for (place, fit) in fits.iter().enumerate() {
            any |= *fit;
            let here = sign == '%' && any;
            let one = text.get(place).is_some_and(|it| *it == sign || sign == '_');
            if let Some(it) = next.get_mut(place).filter(|_| here) {
                *it = true;
            }
            if let Some(it) = next
                .get_mut(place + 1)
                .filter(|_| sign != '%' && *fit && one)
            {
                *it = true;
            }
        }
        fits = next;
    }
    fits.last().copied().unwrap_or_default()
}

/// Sends OK.
pub(super) async fn send_ok(wire: &mut Wire, capabilities: Capabilities) -> io::Result<()> {
    let mut payload = Vec::new();
    Translator::new(capabilities).final_ok(&ended(), &[], &mut payload);
    wire.send(&payload).await
}

/// Sends an error.
pub(super) async fn send_error(
    wire: &mut Wire,
    (code, state): (u16, &str),
    text: &str,
) -> io::Result<()> {
    let ends = text
        .char_indices()
        .map(|(start, _)| start)
        .chain([text.len()]);
    let end = ends.take_while(|end| *end <= ERROR_LIMIT).last();
    let mut payload = Vec::new();
    ErrPacket {
        code,
        state: state.as_bytes().first_chunk::<5>().copied(),
        message: text
            .get(..end.unwrap_or_default())
            .unwrap_or_default()
            .as_bytes(),
    }
    .encode(&mut payload);
    wire.send(&payload).await
}

/// Sends a table.
pub(super) async fn send_table(
    wire: &mut Wire,
    capabilities: Capabilities,
    table: &Table,
) -> io::Result<()> {
    let translator = Translator::new(capabilities);
    let mut payload = Vec::new();
    put_column_count(&mut payload, table.columns.len(), capabilities);
    wire.queue(&payload);
    for column in &table.columns {
        payload.clear();
        put_text_column(&mut payload, column);
        wire.queue(&payload);
    }
    if translator.needs_metadata_eof() {
        payload.clear();
        Translator::metadata_eof(Status::AUTOCOMMIT).encode(&mut payload);
        wire.queue(&payload);
    }
    for row in &table.rows {
        payload.clear();
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        put_text_row(&mut payload, &cells);
        wire.queue(&payload);
    }
    payload.clear();
    translator.result_end(&ended(), &[], &mut payload);
    wire.queue(&payload);
    wire.flush().await
}

fn ended() -> OkPacket<'static> {
    OkPacket {
        status: Status::AUTOCOMMIT,
        ..OkPacket::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_sqls() {
        for (text, pattern, fits) in [
            ("backend[w1].role", "backend%", true),
            ("backend[w1].role", "%ROLE", true),
            ("backend[w1].role", "%w_].%", true),
            ("backend[w1].role", "role", false),
            ("", "%", true),
            ("", "_", false),
            ("ab", "a_", true),
            ("abc", "a_", false),
            ("aXbXc", "a%b%c", true),
        ] {
            assert_eq!(is_like(text, pattern), fits, "{text} LIKE {pattern}");
        }
    }
}
