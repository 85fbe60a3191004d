//! A relay's reading of packets, without the relay.

use bytes::BytesMut;
use tidegate::protocol::{
    Boundary, Capabilities, Command, HEADER, Header, MAX_PAYLOAD, Part, ProtocolError, Want,
    write_packet,
};

/// Reads packets from bytes that come in pieces, as a relay does.
pub(crate) struct Walker {
    pub(crate) boundary: Boundary,
    unread: Vec<u8>,
    to_skip: usize,
    collected: Option<Vec<u8>>,
    pub(crate) shape: String,
}

impl Walker {
    pub(crate) fn new(command: Command, caps: Capabilities) -> Self {
        let boundary = Boundary::new(command, caps);
        Self {
            boundary,
            unread: Vec::new(),
            to_skip: 0,
            collected: None,
            shape: String::new(),
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.unread.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    fn step(&mut self) -> Result<bool, ProtocolError> {
        let skipped = self.to_skip.min(self.unread.len());
        self.unread.drain(..skipped);
        self.to_skip -= skipped;
        let Some((head, rest)) = self.unread.split_first_chunk() else {
            return Ok(false);
        };
        let header = Header::parse(*head);
        let first = rest.first().copied();
        if header.len > 0 && first.is_none() {
            return Ok(false);
        }
        if self.collected.is_none() && self.boundary.want(header.len, first) == Want::Pass {
            let part = self.boundary.pass(header.len, first)?;
            self.shape.push(letter(&part));
            self.to_skip = HEADER + header.len;
            return Ok(true);
        }
        let Some(payload) = rest.get(..header.len) else {
            return Ok(false);
        };
        let mut collected = self.collected.take().unwrap_or_default();
        collected.extend_from_slice(payload);
        self.unread.drain(..HEADER + header.len);
        if header.len == MAX_PAYLOAD {
            self.collected = Some(collected);
        } else {
            self.shape.push(letter(&self.boundary.whole(&collected)?));
        }
        Ok(true)
    }
}

pub(crate) fn letter(part: &Part<'_>) -> char {
    match part {
        Part::ColumnCount(_) => 'C',
        Part::Definition => 'D',
        Part::MetadataEnd(_) => 'M',
        Part::Row => 'R',
        Part::Ok(_) => 'O',
        Part::ResultEnd(_) => 'E',
        Part::Err(_) => 'X',
        Part::LocalInfile(_) => 'F',
        Part::PrepareOk(_) => 'P',
        Part::Text => 'T',
        Part::AuthSwitch(_) => 'S',
        Part::AuthMore(_) => 'A',
        Part::Continuation => '+',
    }
}

pub(crate) fn on_the_wire(payloads: &[Vec<u8>]) -> Vec<u8> {
    let (mut out, mut seq) = (BytesMut::new(), 1);
    payloads
        .iter()
        .for_each(|payload| write_packet(&mut out, &mut seq, payload));
    out.to_vec()
}

/// Walks whole payloads; gives the letters of the parts, then `.` if the response is over.
pub(crate) fn walk(
    command: Command,
    caps: Capabilities,
    payloads: &[&str],
) -> Result<String, ProtocolError> {
    let mut walker = Walker::new(command, caps);
    let payloads: Vec<_> = payloads.iter().map(|payload| hex(payload)).collect();
    walker.feed(&on_the_wire(&payloads))?;
    if walker.boundary.end().is_some() {
        walker.shape.push('.');
    }
    Ok(walker.shape)
}

/// Bytes from hexadecimal digits; spaces may stand between them.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let pairs = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}
