//! COM_STMT_EXECUTE: where the types of its parameters stand.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | 0x17 |
//! | 4 | statement id |
//! | 1 | flags |
//! | 4 | 1 |
//! | lenenc | number of parameters; only with `CLIENT_QUERY_ATTRIBUTES` and its flag |
//! | (n + 7) / 8 | which are NULL; this and the rest only if there are any |
//! | 1 | 1: types follow; 0: they are those of the execution before |
//! | n × 2 | types; with `CLIENT_QUERY_ATTRIBUTES` each with a name, a lenenc string, behind it |
//! | | values of those that are not NULL, as in a binary row |
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>

use std::ops::Range;

use super::attributes::{Attribute, AttributeValue};
use crate::protocol::{Capabilities, Command, ErrorKind, ProtocolError, Reader};

/// The rows of the result are fetched by COM_STMT_FETCH.
const CURSOR_TYPE_READ_ONLY: u8 = 1;

/// The number of parameters follows, since there may be query attributes among them.
const PARAMETER_COUNT_AVAILABLE: u8 = 8;

/// What a COM_STMT_EXECUTE is made of, as far as it has to be known to hand it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecuteHead {
    /// Whether a cursor is asked for.
    pub cursor: bool,
    /// Number of parameters, query attributes included.
    pub params: usize,
    /// Where the flag lies that says whether types follow; `None` without parameters.
    flag: Option<usize>,
    /// Where the types lie, if they are told.
    types: Option<Range<usize>>,
    /// Where those of the statement's own parameters end, which come first.
    own_types_end: usize,
    /// Number of query attributes.
    attributes: usize,
}

impl ExecuteHead {
    /// Reads the command up to its values. `params` is what the statement was prepared with,
    /// `caps` what the client that sent it has agreed to. The first packet of a longer payload is
    /// enough if the types end in it.
    ///
    /// # Errors
    /// [`ProtocolError`] for another command, or one that ends too early.
    pub fn parse(payload: &[u8], params: u16, caps: Capabilities) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        if reader.u8("command")? != Command::StmtExecute as u8 {
            return Err(ProtocolError::unexpected("COM_STMT_EXECUTE"));
        }
        reader.u32("statement id")?;
        let flags = reader.u8("execute flags")?;
        reader.u32("iteration count")?;
        let attributes = caps.contains(Capabilities::QUERY_ATTRIBUTES);
        let mut count = usize::from(params);
        if attributes && flags & PARAMETER_COUNT_AVAILABLE != 0 {
            let told = reader.lenenc_int("number of parameters")?;
            // Each takes three bytes at least where there are types, and a bit where there are
            // none, so a count far beyond the payload is a lie.
            count = usize::try_from(told)
                .ok()
                .filter(|count| count.div_ceil(8) <= reader.remaining())
                .ok_or_else(|| reader.error(ErrorKind::Truncated, "number of parameters"))?;
        }
        let mut head = Self {
            cursor: flags & CURSOR_TYPE_READ_ONLY != 0,
            params: count,
            flag: None,
            types: None,
            own_types_end: 0,
            attributes: count.saturating_sub(usize::from(params)),
        };
        if count == 0 {
            return Ok(head);
        }
        reader.bytes(count.div_ceil(8), "NULL parameters")?;
        head.flag = Some(reader.offset());
        if reader.u8("parameter types flag")? == 1 {
            let start = reader.offset();
            for at in 0..count {
                reader.u16("parameter type")?;
                if attributes {
                    reader.lenenc_bytes("parameter name")?;
                }
                if at < usize::from(params) {
                    head.own_types_end = reader.offset();
                }
            }
            head.types = Some(start..reader.offset());
        }
        Ok(head)
    }

    /// The types as they came, if they are told.
    pub fn types<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        payload.get(self.types.clone()?)
    }

    /// The types of the statement's own parameters as they came, if they are told: only these hold
    /// for the executions that follow.
    pub fn own_types<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.types.as_ref()?.start;
        payload.get(start..self.own_types_end.max(start))
    }

    /// The query attributes, which are the parameters beyond the statement's own `params`; none
    /// where the packet does not hold them whole. Of the parameters that came ahead as long data,
    /// `is_long`, there is no value here.
    pub fn attributes<'a>(
        &self,
        payload: &'a [u8],
        params: u16,
        is_long: impl Fn(usize) -> bool,
    ) -> Vec<Attribute<'a>> {
        let params = usize::from(params);
        match self.params > params {
            true => self.beyond(payload, params, is_long).unwrap_or_default(),
            false => Vec::new(),
        }
    }

    fn beyond<'a>(
        &self,
        payload: &'a [u8],
        params: usize,
        is_long: impl Fn(usize) -> bool,
    ) -> Option<Vec<Attribute<'a>>> {
        let flag = self.flag?;
        let nulls = payload.get(flag.checked_sub(self.params.div_ceil(8))?..flag)?;
        let mut values = Reader::new(payload.get(self.types.as_ref()?.end..)?);
        let mut types = Reader::new(self.types(payload)?);
        let mut found = Vec::new();
        for index in 0..self.params {
            let [kind, _unsigned] = types.array("parameter type").ok()?;
            let name = types.lenenc_bytes("parameter name").ok()?;
            let is_null = nulls.get(index / 8)? >> (index % 8) & 1 == 1;
            let value = match is_null || is_long(index) {
                true => AttributeValue::Null,
                false => AttributeValue::read(&mut values, kind).ok()?,
            };
            if index >= params {
                found.push(Attribute { name, value });
            }
        }
        Some(found)
    }

    /// Does it rely on types that were told before? For query attributes none ever hold: `MySQL`
    /// 9.7.4 refuses those without as malformed (error 1835).
    pub fn relies_on_types(&self) -> bool {
        self.flag.is_some() && self.types.is_none() && self.attributes == 0
    }

    /// Takes note that the command tells `len` bytes of types from now on.
    pub fn types_were_added(&mut self, len: usize) {
        if let Some(flag) = self.flag {
            self.types = Some(flag + 1..flag + 1 + len);
        }
    }

    /// The same command with types that were told before, for a connection that has not seen
    /// them.
    pub fn with_types(&self, payload: &[u8], types: &[u8]) -> Vec<u8> {
        let at = self.flag.unwrap_or(payload.len());
        let (before, from_flag) = payload.split_at_checked(at).unwrap_or((payload, &[]));
        let mut whole = Vec::with_capacity(payload.len() + types.len());
        whole.extend_from_slice(before);
        whole.push(1);
        whole.extend_from_slice(types);
        whole.extend_from_slice(from_flag.get(1..).unwrap_or_default());
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    const PLAIN: Capabilities = Capabilities(0);
    const ATTRIBUTES: Capabilities = Capabilities::QUERY_ATTRIBUTES;

    #[test]
    fn types_are_found_and_put_into_a_command_that_relies_on_them() {
        // Taken by MySQL 9.7.4: SELECT ? with 'x', and with 'y' of the same type.
        let told = hex("17 0b 00 00 00 00 01 00 00 00 00 01 fd 00 01 78");
        let relying = hex("17 0b 00 00 00 00 01 00 00 00 00 00 01 79");
        let first = ExecuteHead::parse(&told, 1, PLAIN).unwrap();
        assert_eq!(first.types(&told), Some(&hex("fd 00")[..]));
        assert!(!first.relies_on_types() && !first.cursor);
        let second = ExecuteHead::parse(&relying, 1, PLAIN).unwrap();
        assert!(second.relies_on_types());
        assert_eq!(second.types(&relying), None);
        let whole = second.with_types(&relying, first.types(&told).unwrap());
        assert_eq!(
            whole,
            hex("17 0b 00 00 00 00 01 00 00 00 00 01 fd 00 01 79")
        );
    }

    #[test]
    fn a_command_without_parameters_ends_early() {
        let head = ExecuteHead::parse(&hex("17 01 00 00 00 01 01 00 00 00"), 0, PLAIN).unwrap();
        assert!(head.cursor && !head.relies_on_types());
        assert_eq!(head.params, 0);
    }

    #[test]
    fn with_query_attributes_types_have_names_and_the_count_is_the_clients() {
        // From the page: one parameter without a name and an attribute n1.
        let bytes = hex("17 01 00 00 00 08 01 00 00 00 02 00 01 03 00 00 fd 00 02 6e 31 07 00 00");
        let head = ExecuteHead::parse(&bytes, 1, ATTRIBUTES).unwrap();
        assert_eq!(head.params, 2);
        assert_eq!(
            head.types(&bytes),
            Some(&hex("03 00 00 fd 00 02 6e 31")[..])
        );
        assert_eq!(head.own_types(&bytes), Some(&hex("03 00 00")[..]));
        // Types never hold for attributes, so a command that tells none must not get any.
        let untold = hex("17 01 00 00 00 08 01 00 00 00 02 00 00 07 00 00");
        let head = ExecuteHead::parse(&untold, 1, ATTRIBUTES).unwrap();
        assert!(!head.relies_on_types());
        // Without the flag the count is that of the statement.
        let bytes = hex("17 01 00 00 00 00 01 00 00 00 00 01 03 00 00 07 00 00 00");
        let head = ExecuteHead::parse(&bytes, 1, ATTRIBUTES).unwrap();
        assert_eq!(head.types(&bytes), Some(&hex("03 00 00")[..]));
    }

    #[test]
    fn what_is_too_short_is_refused() {
        let bytes = hex("17 0b 00 00 00 00 01 00 00 00 00 01 fd 00 01 78");
        for length in 0..14 {
            let parsed = ExecuteHead::parse(&bytes[..length], 1, PLAIN);
            assert!(parsed.is_err(), "{length}");
        }
        assert!(ExecuteHead::parse(&hex("16 0b 00 00 00 00 01 00 00 00"), 0, PLAIN).is_err());
        let lie = hex("17 01 00 00 00 08 01 00 00 00 fe ff ff ff ff ff ff ff 7f 00");
        assert!(ExecuteHead::parse(&lie, 1, ATTRIBUTES).is_err());
    }
}
