//! The responses that MySQL gave end with their last packet.

use tidegate::protocol::Capabilities;

use crate::captures::cases;
use crate::walker::{Walker, hex, on_the_wire};

const DEPRECATE: Capabilities = Capabilities::DEPRECATE_EOF;

/// Name of the case, parts with CLIENT_DEPRECATE_EOF, parts without.
const SHAPES: &[(&str, &str, &str)] = &[
    ("use", "O", "O"),
    ("do", "O", "O"),
    ("select without a table", "CDRE", "CDMRE"),
    ("select rows, one NULL, one empty", "CDDRRRE", "CDDMRRRE"),
    ("select no rows", "CDE", "CDME"),
    ("insert", "O", "O"),
    ("insert with an info text", "O", "O"),
    ("delete", "O", "O"),
    ("update of nothing", "O", "O"),
    ("begin", "O", "O"),
    ("select in a transaction", "CDRE", "CDMRE"),
    ("commit", "O", "O"),
    ("start read only", "O", "O"),
    ("select in a read-only transaction", "CDRE", "CDMRE"),
    ("rollback", "O", "O"),
    ("autocommit off", "O", "O"),
    ("select at autocommit off", "CDRE", "CDMRE"),
    ("autocommit on", "O", "O"),
    ("two selects", "CDRECDRE", "CDMRECDMRE"),
    ("set and select", "OCDRE", "OCDMRE"),
    ("set names", "O", "O"),
    ("unknown column", "X", "X"),
    ("error in the second statement", "CDREX", "CDMREX"),
    ("error after the definitions", "CDX", "CDMX"),
    ("warning from parsing", "CDRE", "CDMRE"),
    ("warning while it runs", "CDRE", "CDMRE"),
    ("track the tracker", "O", "O"),
    ("track nothing", "O", "O"),
    ("tracker back", "O", "O"),
    ("call", "CDRECDREO", "CDMRECDMREO"),
    ("call with an out parameter", "CDREO", "CDMREO"),
    ("call that fails", "CDREX", "CDMREX"),
    ("call between statements", "OCDREOCDRE", "OCDMREOCDMRE"),
    ("empty query", "X", "X"),
    ("load data", "FO", "FO"),
    ("load data, then select", "FOCDRE", "FOCDMRE"),
    ("use a dropped database", "OOOCDREO", "OOOCDMREO"),
    ("slow query", "O", "O"),
    ("slow select", "CDRECDRE", "CDMRECDMRE"),
    ("slow off", "O", "O"),
    ("prepare select", "PD", "PDM"),
    ("prepare with a parameter", "PD", "PDM"),
    ("prepare with both", "PDDDD", "PDDMDDM"),
    ("prepare that warns", "PDD", "PDMDM"),
    ("prepare that fails", "X", "X"),
    ("prepare without any", "P", "P"),
    ("prepare insert", "PD", "PDM"),
    ("prepare call", "PD", "PDM"),
    ("prepare rows", "PDD", "PDDM"),
    ("prepare no rows", "PDD", "PDDM"),
    ("execute insert", "O", "O"),
    ("execute rows", "CDDRRRE", "CDDMRRRE"),
    ("execute no rows", "CDDE", "CDDME"),
    ("execute with a cursor", "CDDE", "CDDE"),
    ("fetch two", "RRE", "RRE"),
    ("fetch the rest", "RE", "RE"),
    ("fetch too far", "X", "X"),
    ("execute with a cursor, no rows", "CDDE", "CDDE"),
    ("fetch no rows", "E", "E"),
    (
        "execute call with an out parameter",
        "CDRECDREO",
        "CDMRECDMREO",
    ),
    ("execute an unknown statement", "X", "X"),
    ("reset statement", "O", "O"),
    ("send long data", "", ""),
    ("close", "", ""),
    ("ping", "O", "O"),
    ("init db", "O", "O"),
    ("init db that fails", "X", "X"),
    ("field list", "DDE", "DDE"),
    ("field list that fails", "X", "X"),
    ("process kill", "X", "X"),
    ("debug", "E", "E"),
    ("set option", "E", "E"),
    ("set option that fails", "X", "X"),
    ("reset connection", "O", "O"),
    ("connect out", "X", "X"),
];

#[test]
fn p3_every_captured_response_has_its_shape_and_ends_with_its_last_packet() {
    let mut names = Vec::new();
    for case in cases() {
        let (name, with, without) = SHAPES[names.len()];
        assert_eq!(case.name, name);
        for (caps, payloads) in &case.clients {
            let mut walker = Walker::new(case.command, *caps);
            for payload in payloads {
                assert_eq!(walker.boundary.end(), None, "{name} for {caps:?}");
                walker
                    .feed(&on_the_wire(std::slice::from_ref(payload)))
                    .unwrap();
            }
            let expected = if caps.contains(DEPRECATE) {
                with
            } else {
                without
            };
            assert_eq!(walker.shape, expected, "{name} for {caps:?}");
            let end = walker.boundary.end().unwrap();
            assert_eq!(end.is_error(), expected.ends_with('X'), "{name}");
            assert_eq!(
                end.status().is_some(),
                expected.ends_with(['O', 'E']),
                "{name}"
            );
            assert!(
                walker.feed(&hex("00 00 00 01")).is_err(),
                "{name}: an empty packet more"
            );
        }
        names.push(case.name);
    }
    assert_eq!(names.len(), SHAPES.len());
}

#[test]
fn p3_it_does_not_matter_where_the_stream_is_cut() {
    for (case, (name, with, without)) in cases().iter().zip(SHAPES) {
        for (caps, payloads) in &case.clients {
            let expected = if caps.contains(DEPRECATE) {
                with
            } else {
                without
            };
            let bytes = on_the_wire(payloads);
            for cut in 0..=bytes.len() {
                let mut walker = Walker::new(case.command, *caps);
                walker.feed(&bytes[..cut]).unwrap();
                assert!(cut == bytes.len() || walker.shape.len() <= expected.len());
                walker.feed(&bytes[cut..]).unwrap();
                assert_eq!(&walker.shape, expected, "{name}, cut at {cut}");
                assert!(walker.boundary.end().is_some());
            }
            let mut walker = Walker::new(case.command, *caps);
            bytes.iter().for_each(|byte| walker.feed(&[*byte]).unwrap());
            assert_eq!(&walker.shape, expected, "{name}, byte by byte");
        }
    }
}
