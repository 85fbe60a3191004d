//! What MySQL gave the client with all capabilities, translated, is what it gave the others.

use tidegate::protocol::{Boundary, Capabilities, Command, EofPacket, Part, Status, Translator};

use crate::captures::{COMMON, Case, cases};

const BOTH: Capabilities =
    Capabilities(Capabilities::SESSION_TRACK.0 | Capabilities::DEPRECATE_EOF.0);

/// The cases in which the EOF before the rows counts warnings of parsing, which nothing in the
/// other form of the response tells.
const WARNINGS_OF_PARSING: [&str; 1] = ["warning from parsing"];

#[test]
fn p3_a_translated_response_has_the_bytes_that_mysql_gives_to_such_a_client() {
    // The state at login, then that of the last response.
    let mut status = Status::AUTOCOMMIT;
    for case in cases() {
        for (client, expected) in &case.clients {
            let (translated, _) = translate(&case, *client, status);
            if WARNINGS_OF_PARSING.contains(&case.name.as_str())
                && !client.contains(Capabilities::DEPRECATE_EOF)
            {
                let mut expected = expected.clone();
                expected[2][1] = 0;
                assert_ne!(
                    expected,
                    case.payloads(*client & BOTH),
                    "{} is no exception",
                    case.name
                );
                assert_eq!(translated, expected, "{} for {client:?}", case.name);
            } else {
                assert_eq!(&translated, expected, "{} for {client:?}", case.name);
            }
        }
        let (_, last) = translate(&case, COMMON | BOTH, status);
        status = last.unwrap_or(status);
    }
}

/// The payloads for `client`, made from those for the client that has both, and the last status.
/// `status` is what the connection had before.
fn translate(case: &Case, client: Capabilities, status: Status) -> (Vec<Vec<u8>>, Option<Status>) {
    let payloads = case.payloads(BOTH);
    let mut boundary = Boundary::new(case.command, COMMON | BOTH);
    let parts = payloads
        .iter()
        .map(|payload| (payload, boundary.whole(payload).unwrap()));
    let parts: Vec<_> = parts.collect();
    let mut translator = Translator::new(client);
    let mut out = Vec::new();
    let eof = |eof: EofPacket| {
        let mut bytes = Vec::new();
        eof.encode(&mut bytes);
        bytes
    };
    for (at, (payload, part)) in parts.iter().enumerate() {
        // As a relay does that still has the EOF before the rows when their end comes.
        let known = parts[at..].iter().find_map(|(_, part)| match part {
            Part::ResultEnd(end) => Some(end.status),
            Part::Err(_) => Some(status),
            _ => None,
        });
        let around = translator.around(part, known.unwrap_or(status));
        out.extend(around.before.map(eof));
        let mut bytes = Vec::new();
        match part {
            Part::Ok(ok) => translator.final_ok(ok, ok.session, &mut bytes),
            Part::ResultEnd(end) => translator.result_end(end, end.session, &mut bytes),
            _ => bytes.extend_from_slice(payload),
        }
        out.push(bytes);
        out.extend(around.after.map(eof));
    }
    (out, boundary.end().and_then(|end| end.status()))
}

#[test]
fn the_captures_show_every_form_that_a_translation_has() {
    // Otherwise the test above could pass without having asked much.
    let cases = cases();
    let differing = cases
        .iter()
        .filter(|case| case.payloads(BOTH) != case.payloads(Capabilities(0)));
    assert!(differing.count() > 40);
    for command in [
        Command::Query,
        Command::StmtPrepare,
        Command::StmtExecute,
        Command::StmtFetch,
    ] {
        assert!(
            cases.iter().any(|case| case.command == command),
            "{command:?}"
        );
    }
}
