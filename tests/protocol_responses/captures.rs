//! The responses in `mysql-9.7.4.txt`, which says how they came about.
use tidegate::protocol::{Capabilities, Command};

use crate::walker::hex;

/// The capabilities that every one of the clients had.
pub(crate) const COMMON: Capabilities = Capabilities(0x002f_a285);

/// One response, as each of four clients read it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) command: Command,
    /// The client's capabilities and the payloads.
    pub(crate) clients: Vec<(Capabilities, Vec<Vec<u8>>)>,
}

impl Case {
    /// The payloads for a client with exactly these of the two capabilities.
    pub(crate) fn payloads(&self, of: Capabilities) -> &[Vec<u8>] {
        let wanted = COMMON | of;
        let (_, payloads) = self
            .clients
            .iter()
            .find(|(caps, _)| *caps == wanted)
            .unwrap();
        payloads
    }
}

/// All cases, in the order in which one connection of each client went through them.
pub(crate) fn cases() -> Vec<Case> {
    let (session, deprecate) = (Capabilities::SESSION_TRACK, Capabilities::DEPRECATE_EOF);
    let clients = [
        ("both", session | deprecate),
        ("track", session),
        ("deprecate", deprecate),
        ("plain", Capabilities(0)),
    ];
    let text = include_str!("mysql-9.7.4.txt");
    let cases = text.split("\n= ").skip(1).map(|case| {
        let mut lines = case.lines();
        let name = lines.next().unwrap().to_owned();
        let byte = lines.next().unwrap().strip_prefix("command ").unwrap();
        let command = Command::from_byte(u8::from_str_radix(byte, 16).unwrap()).unwrap();
        let mut read: Vec<(&str, Vec<Vec<u8>>)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            match (line.strip_prefix("  "), read.last_mut()) {
                (None, _) => read.push((line, Vec::new())),
                (Some(payload), Some((_, payloads))) => payloads.push(hex(payload)),
                (Some(_), None) => panic!("{name}: a payload of no client"),
            }
        }
        let clients = clients.map(|(client, caps)| {
            let own = read
                .iter()
                .find(|(name, _)| *name == client)
                .or(read.first());
            (COMMON | caps, own.unwrap().1.clone())
        });
        Case {
            name,
            command,
            clients: clients.into(),
        }
    });
    cases.collect()
}
