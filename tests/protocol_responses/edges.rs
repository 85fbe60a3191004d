//! Where a response is rare, long or wrong.

use tidegate::protocol::{
    Boundary, Capabilities, Command, MAX_PAYLOAD, OkPacket, Part, Status, Want,
};

use crate::captures::COMMON;
use crate::walker::{Walker, hex, letter, on_the_wire, walk};

const PLAIN: Capabilities = Capabilities(0);
const DEPRECATE: Capabilities = Capabilities::DEPRECATE_EOF;
const OPTIONAL: Capabilities = Capabilities::OPTIONAL_RESULTSET_METADATA;
const TRACK: Capabilities = Capabilities::SESSION_TRACK;

#[test]
fn definitions_may_be_left_out_if_the_client_allows_it() {
    // MySQL 9.7.4 after SET resultset_metadata = NONE; first with it on FULL.
    use Command::{Query, StmtExecute, StmtPrepare};
    let definition = "03 64 65 66 00 00 00 01 61 00 0c 3f 00 02 00 00 00 08 81 00 00 00 00";
    let end = "fe 00 00 02 00 00 00";
    let eof = "fe 00 00 02 00";
    let (row, cursor) = ("04 01 31 01 32", "fe 00 00 42 00 00 00");
    let binary = "00 00 05 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00";
    let none = "00 02 00 00 00 02 00 01 00 00 00 00 00";
    let table: [(Command, Capabilities, &[&str], &str); 8] = [
        (
            Query,
            DEPRECATE,
            &["02 01", definition, definition, row, end],
            "CDDRE.",
        ),
        (Query, DEPRECATE, &["02 00", row, end], "CRE."),
        (Query, PLAIN, &["02 00", eof, row, eof], "CMRE."),
        (StmtExecute, DEPRECATE, &["02 00", binary, end], "CRE."),
        (StmtExecute, DEPRECATE, &["02 00", cursor], "CE."),
        (StmtExecute, PLAIN, &["02 00", "fe 00 00 42 00"], "CE."),
        (StmtPrepare, DEPRECATE, &[none], "P."),
        (StmtPrepare, PLAIN, &[none, eof, eof], "PMM."),
    ];
    for (command, caps, payloads, expected) in table {
        let shape = walk(command, COMMON | OPTIONAL | caps, payloads);
        assert_eq!(shape.as_deref(), Ok(expected), "{command:?} {caps:?}");
    }
}

#[test]
fn a_change_of_user_goes_on_until_an_ok_or_an_error() {
    // MySQL 9.7.4.
    let switch = "fe 63 61 63 68 69 6e 67 5f 73 68 61 32 5f 70 61 73 73 77 6f 72 64 00
        1c 2c 7f 64 6e 01 0b 04 2a 5e 1a 44 12 72 0f 46 57 27 4c 69 00";
    let ok = "00 00 00 02 40 00 00 00 04 01 02 01 64";
    let err = "ff 19 04 23 34 32 30 30 30 55 6e 6b 6e 6f 77 6e";
    let table: [(&[&str], &str); 5] = [
        (&[switch, "01 03", ok], "SAO."),
        (&[switch, "01 04", "01 2d 2d 2d", ok], "SAAO."),
        (&[switch, err], "SX."),
        (&[ok], "O."),
        (&[switch], "S"),
    ];
    for (payloads, expected) in table {
        let shape = walk(Command::ChangeUser, COMMON | DEPRECATE | TRACK, payloads);
        assert_eq!(shape.as_deref(), Ok(expected));
    }
}

#[test]
fn a_result_that_a_handler_cuts_short_ends_with_an_eof_for_everybody() {
    // MySQL 9.7.4: a procedure whose SELECT fails after its definitions, and whose handler selects.
    let definition = "03 64 65 66 00 00 00 01 61 00 0c 3f 00 02 00 00 00 08 81 00 00 00 00";
    let (eof, end, ok) = (
        "fe 00 00 0a 00",
        "fe 00 00 0a 00 00 00",
        "00 00 00 02 00 00 00",
    );
    let count = ["01", definition];
    let payloads = [&count[..], &[eof], &count, &["02 34 32", end, ok]].concat();
    let shape = walk(Command::Query, COMMON | DEPRECATE, &payloads);
    assert_eq!(shape.as_deref(), Ok("CDECDREO."));
}

#[test]
fn statistics_are_one_packet_of_text() {
    let caps = COMMON | DEPRECATE;
    let shape = walk(
        Command::Statistics,
        caps,
        &["55 70 74 69 6d 65 3a 20 32 32 38"],
    );
    assert_eq!(shape.as_deref(), Ok("T."));
    let shape = walk(Command::Statistics, caps, &["ff 17 04 23 30 38 53 30 31"]);
    assert_eq!(shape.as_deref(), Ok("X."));
}

#[test]
fn mariadb_keeps_the_flags_of_out_parameters_and_ends_where_mysql_does() {
    // MariaDB 10.11.19, without CLIENT_DEPRECATE_EOF; MySQL 9.7.4 is among the captures.
    let definition = "03 64 65 66 01 64 02 70 32 02 70 32 01 78 01 78 0c 3f 00 0b 00 00 00 03 00 00
        00 00 00";
    let flags = "fe 00 00 0a 10";
    let payloads = [
        "01",
        definition,
        flags,
        "00 00 07 00 00 00",
        flags,
        "00 00 00 02 00 00 00",
    ];
    assert_eq!(
        walk(Command::StmtExecute, COMMON, &payloads).as_deref(),
        Ok("CDMREO.")
    );
}

#[test]
fn a_packet_without_a_place_is_an_error() {
    use Command::{
        BinlogDump, FieldList, Ping, Query, SetOption, StmtExecute, StmtFetch, StmtPrepare,
    };
    let definition = "03 64 65 66 00";
    let (ok, end, eof) = (
        "00 00 00 02 00 00 00",
        "fe 00 00 02 00 00 00",
        "fe 00 00 02 00",
    );
    let prepared = "00 01 00 00 00 01 00 01 00 00 00 00";
    let table: [(Command, Capabilities, &[&str], &str); 25] = [
        (Query, DEPRECATE, &[""], "an empty packet"),
        (Query, DEPRECATE, &["fb"], "a file without LOCAL_FILES"),
        (Query, DEPRECATE, &[end], "an end at the start"),
        (Query, DEPRECATE, &["01 02"], "more than a count"),
        (Query, DEPRECATE, &["fc 00 00"], "no columns"),
        (Query, DEPRECATE, &["fd 00 00 01"], "too many columns"),
        (Query, DEPRECATE, &["01", "01 31"], "a row for a definition"),
        (Query, DEPRECATE, &["01", end], "an end for a definition"),
        (
            Query,
            DEPRECATE,
            &["01", definition, eof],
            "an EOF for an OK packet",
        ),
        (
            Query,
            DEPRECATE,
            &["01", definition, ""],
            "an empty packet for a row",
        ),
        (
            Query,
            PLAIN,
            &["01", definition, "01 31"],
            "a row for the EOF",
        ),
        (
            Query,
            PLAIN,
            &["01", definition, end],
            "an OK packet for the EOF",
        ),
        (
            Query,
            PLAIN,
            &["01", definition, eof, end],
            "an OK packet for the last EOF",
        ),
        (
            Query,
            PLAIN,
            &["01", definition, eof, "fe 01 02 03 04 05 06 07 08 09"],
            "a short fe",
        ),
        (Query, DEPRECATE, &[ok, ok], "a second OK packet"),
        (
            StmtExecute,
            DEPRECATE,
            &["01", definition, "01 31"],
            "a text row",
        ),
        (
            StmtExecute,
            DEPRECATE,
            &["fb 61"],
            "a file for a prepared statement",
        ),
        (
            StmtFetch,
            DEPRECATE,
            &[definition],
            "a definition for a row",
        ),
        (
            StmtPrepare,
            DEPRECATE,
            &[prepared, end],
            "an end for a definition",
        ),
        (
            StmtPrepare,
            DEPRECATE,
            &[prepared, definition, end],
            "an EOF that is not due",
        ),
        (
            StmtPrepare,
            PLAIN,
            &[prepared, definition, definition],
            "the EOF is missing",
        ),
        (FieldList, DEPRECATE, &[ok], "an OK packet for a definition"),
        (Ping, DEPRECATE, &["01"], "a count for a ping"),
        (SetOption, PLAIN, &[end], "an OK packet for an EOF"),
        (BinlogDump, DEPRECATE, &[ok], "a stream that is not spoken"),
    ];
    let caps = COMMON.without(Capabilities::LOCAL_FILES);
    for (command, with, payloads, fault) in table {
        let (last, before) = payloads.split_last().unwrap();
        walk(command, caps | with, before).unwrap_or_else(|error| panic!("{fault}: {error}"));
        let shape = walk(command, caps | with, payloads);
        assert!(shape.is_err(), "{fault}: {last} gave {shape:?}");
    }
}

#[test]
fn what_has_to_be_collected_does_not_pass_and_what_may_pass_may_be_collected() {
    let mut boundary = Boundary::new(Command::Query, COMMON | DEPRECATE);
    assert!(boundary.pass(7, Some(0)).is_err());
    assert_eq!(letter(&boundary.whole(&hex("01")).unwrap()), 'C');
    assert_eq!(
        letter(&boundary.whole(&hex("03 64 65 66 00")).unwrap()),
        'D'
    );
    assert_eq!(boundary.want(2, Some(b'1')), Want::Pass);
    assert_eq!(letter(&boundary.whole(&hex("01 31")).unwrap()), 'R');
    let mut long = vec![0xfe, 0, 0, 0, 1, 0, 0, 0, 0];
    long.resize(9 + (1 << 24), b'x');
    assert_eq!(letter(&boundary.whole(&long).unwrap()), 'R');
    assert_eq!(boundary.end(), None);
    assert_eq!(
        letter(&boundary.whole(&hex("fe 00 00 02 00 00 00")).unwrap()),
        'E'
    );
    assert_eq!(boundary.end().unwrap().status(), Some(Status::AUTOCOMMIT));
}

#[test]
fn a_long_row_passes_in_pieces_whatever_their_first_bytes() {
    let definition = hex("03 64 65 66 00");
    // A first column of 32 MiB - 11 bytes: the row fills two packets, so an empty one follows.
    let length = 2 * MAX_PAYLOAD - 9;
    let mut row = vec![0xfe];
    row.extend_from_slice(&(length as u64).to_le_bytes());
    row.resize(2 * MAX_PAYLOAD, 0xff);
    let longer = [&row[..], &[0xfe]].concat();
    let table = [
        (DEPRECATE, "CDR++R++E", "fe0000020000 00"),
        (PLAIN, "CDMR++R++E", "fe00000200"),
    ];
    for (caps, expected, end) in table {
        let mut payloads = vec![hex("01"), definition.clone()];
        payloads.extend((caps == PLAIN).then(|| hex(end)));
        payloads.extend([row.clone(), longer.clone(), hex(end)]);
        let bytes = on_the_wire(&payloads);
        let mut walker = Walker::new(Command::Query, COMMON | caps);
        walker.feed(&bytes).unwrap();
        assert_eq!(walker.shape, expected);
        assert!(walker.boundary.end().is_some());
    }
}

#[test]
fn an_end_longer_than_a_packet_is_collected_and_read() {
    let session = vec![9; MAX_PAYLOAD];
    let status = Status::SESSION_STATE_CHANGED | Status::IN_TRANS;
    let ok = OkPacket {
        status,
        session: &session,
        ..OkPacket::default()
    };
    let mut payload = Vec::new();
    ok.encode(OkPacket::HEADER, TRACK, &mut payload);
    let mut walker = Walker::new(Command::Ping, TRACK);
    walker.feed(&on_the_wire(&[payload])).unwrap();
    assert_eq!(walker.shape, "O");
    assert_eq!(walker.boundary.end().unwrap().status(), Some(status));
}

#[test]
fn only_statements_have_more_than_one_result() {
    let caps = COMMON | DEPRECATE;
    let (ok, end) = ("00 00 00 0a 00 00 00", "fe 00 00 0a 00 00 00");
    let table = [
        (Command::Ping, ok, "O."),
        (Command::ChangeUser, ok, "O."),
        (Command::SetOption, end, "E."),
        (Command::StmtFetch, end, "E."),
        (Command::FieldList, end, "E."),
        (Command::Query, ok, "O"),
        (Command::StmtExecute, ok, "O"),
    ];
    for (command, payload, expected) in table {
        assert_eq!(
            walk(command, caps, &[payload]).as_deref(),
            Ok(expected),
            "{command:?}"
        );
    }
}

#[test]
fn a_response_is_not_over_before_its_last_packet_is() {
    // A definition of 16 MiB as the last packet; no server sends one.
    let definition = [&hex("03 64 65 66")[..], &vec![0; MAX_PAYLOAD]].concat();
    let prepared = hex("00 01 00 00 00 01 00 00 00 00 00 00");
    let bytes = on_the_wire(&[prepared, definition]);
    let mut walker = Walker::new(Command::StmtPrepare, COMMON | DEPRECATE);
    let all_but_the_last = bytes.len() - 8;
    walker.feed(&bytes[..all_but_the_last]).unwrap();
    assert_eq!((&walker.shape[..], walker.boundary.end()), ("PD", None));
    assert!(
        walker.boundary.whole(&hex("00 00 00 00")).is_err(),
        "a continuation passes"
    );
    walker.feed(&bytes[all_but_the_last..]).unwrap();
    assert_eq!(walker.shape, "PD+");
    assert!(walker.boundary.end().is_some());
}

#[test]
fn a_continuation_is_never_taken_for_a_packet() {
    let mut boundary = Boundary::new(Command::StmtFetch, COMMON | DEPRECATE);
    let end = hex("fe 00 00 02 00 00 00");
    assert_eq!(boundary.pass(MAX_PAYLOAD, Some(0)), Ok(Part::Row));
    for first in [Some(0xfe), Some(0xff), Some(0), None] {
        assert_eq!(boundary.want(7, first), Want::Pass);
    }
    assert!(boundary.whole(&hex("00 00 01")).is_err());
    assert_eq!(
        boundary.pass(MAX_PAYLOAD, Some(0xfe)),
        Ok(Part::Continuation)
    );
    assert_eq!(boundary.pass(0, None), Ok(Part::Continuation));
    assert_eq!(boundary.want(7, Some(0xfe)), Want::Whole);
    assert!(matches!(boundary.whole(&end), Ok(Part::ResultEnd(_))));
}
