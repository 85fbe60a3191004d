//! The text of GTID sets, against what MySQL 9.7.4 prints and takes.

use tidegate::gtid::{MAX_TEXT_BYTES, ParseErrorKind, Set};

const A: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const B: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn spell(text: &str) -> String {
    text.replace('A', A).replace('B', B)
}

#[test]
fn a_set_is_shown_as_mysql_shows_it() {
    for (text, shown) in [
        ("", ""),
        (" \n", ""),
        (",A:1,", "A:1"),
        ("A:1-2:1-4", "A:1-4"),
        ("A:7:1-3:4-5:9", "A:1-5:7:9"),
        (" A : 1 - 3 , ,B:5-5:t:1:T:2 ", "B:5:t:1-2,\nA:1-3"),
        ("A:1-2:t:1-2:2-4", "A:1-2:t:1-4"),
        ("A:t:1,A:1", "A:1:t:1"),
        ("A:01-0002", "A:1-2"),
        (
            "A:zz:3,\nA:b:3,\nA:1-2:4,\nB:zz:4:1",
            "B:zz:1:4,\nA:1-2:4:b:3:zz:3",
        ),
        ("A:5,A:3,A:1,A:4,A:2", "A:1-5"),
        ("A:9223372036854775806", "A:9223372036854775806"),
        ("A:1-7:tag:1-5", "A:1-7:tag:1-5"),
        ("A:_x9:1", "A:_x9:1"),
    ] {
        let set = Set::parse(&spell(text)).unwrap();
        assert_eq!(set.to_string(), spell(shown), "{text}");
        assert_eq!(Set::parse(&set.to_string()).unwrap(), set, "{text}");
        let upper = spell(text).to_ascii_uppercase();
        assert_eq!(Set::parse(&upper).unwrap(), set, "{text} in upper case");
    }
}

#[test]
fn what_is_no_set_is_refused_with_the_place() {
    use ParseErrorKind as Kind;
    let uuid = A.len();
    for (text, kind, offset) in [
        ("x", Kind::ExpectedUuid, 0),
        ("0-1", Kind::ExpectedUuid, 0),
        ("0-1-x", Kind::ExpectedUuid, 0),
        ("0-1-", Kind::ExpectedUuid, 0),
        ("0-a-1", Kind::ExpectedNumber, 2),
        ("0-1-0", Kind::OutOfRange, 4),
        ("0-4294967296-1", Kind::OutOfRange, 2),
        ("0-1-5-6", Kind::ExpectedUuid, 0),
        ("0-1-5:6", Kind::ExpectedComma, 5),
        ("aaaaaaaa000000000000000000000001:1", Kind::ExpectedUuid, 0),
        ("A", Kind::ExpectedColon, uuid),
        ("A,A:1", Kind::ExpectedColon, uuid),
        ("A:t", Kind::ExpectedColon, uuid + 2),
        ("A:t:1:c", Kind::ExpectedColon, uuid + 6),
        ("A:1:", Kind::ExpectedNumber, uuid + 3),
        ("A::1", Kind::ExpectedNumber, uuid + 1),
        ("A:1-", Kind::ExpectedNumber, uuid + 3),
        ("A:-1", Kind::ExpectedNumber, uuid + 1),
        ("A:0", Kind::OutOfRange, uuid + 1),
        ("A:9223372036854775807", Kind::OutOfRange, uuid + 1),
        ("A:99999999999999999999999", Kind::OutOfRange, uuid + 1),
        ("A:5-3", Kind::Reversed, uuid + 3),
        ("A:1 B:2", Kind::ExpectedComma, uuid + 3),
        ("A:1x", Kind::ExpectedComma, uuid + 2),
        ("A:1\u{e9}", Kind::ExpectedComma, uuid + 2),
        (
            "A:a23456789012345678901234567890123:1",
            Kind::TagTooLong,
            uuid + 1 + 32,
        ),
    ] {
        let error = Set::parse(&spell(text)).expect_err(text);
        assert_eq!(
            (error.kind(), error.offset()),
            (kind, offset),
            "{text}: {error}"
        );
    }
}

#[test]
fn p9_a_text_beyond_the_limit_is_refused_unread() {
    let text = ",".repeat(MAX_TEXT_BYTES + 1);
    assert_eq!(
        Set::parse(&text).unwrap_err().kind(),
        ParseErrorKind::TooLong
    );
    assert_eq!(
        Set::parse_owned(&text).unwrap_err().kind(),
        ParseErrorKind::TooLong
    );
    assert!(Set::parse(&text[1..]).unwrap().is_empty());
}

/// The first line is what MySQL 9.7.4 printed with six transactions open: no comma and no space
/// between a thread and the next UUID.
#[test]
fn owned_identifiers_are_read_as_mysql_runs_them_together() {
    for (text, set) in [
        (
            "B:3#12B:tag_b:8#14B:taga:4#13A:9#11:7#10:5#9",
            "B:3:tag_b:8:taga:4,A:5:7:9",
        ),
        ("", ""),
        ("A:24#123:25#124", "A:24-25"),
        ("A:24#123,\nB:25#124", "A:24,B:25"),
        ("B:1#7B:2#123456789", "B:1-2"),
        (
            "12345678-0000-0000-0000-000000000001:5#912345678-0000-0000-0000-000000000002:6#8",
            "12345678-0000-0000-0000-000000000001:5,12345678-0000-0000-0000-000000000002:6",
        ),
    ] {
        let owned = Set::parse_owned(&spell(text)).unwrap();
        assert_eq!(owned, Set::parse(&spell(set)).unwrap(), "{text}");
    }
}

#[test]
fn what_is_not_owned_text_is_refused_with_the_place() {
    use ParseErrorKind as Kind;
    let uuid = A.len();
    for (text, kind, offset) in [
        ("A:24", Kind::ExpectedThread, uuid + 3),
        ("A:24#", Kind::ExpectedThread, uuid + 4),
        ("A:24#x", Kind::ExpectedThread, uuid + 4),
        ("A:24#B:1#1", Kind::ExpectedThread, uuid + 4),
        ("A:24#1a", Kind::ExpectedThread, uuid + 4),
        ("A:1-2#3", Kind::ExpectedThread, uuid + 2),
        ("A:0#3", Kind::OutOfRange, uuid + 1),
        ("A:1#3 x", Kind::ExpectedUuid, uuid + 5),
    ] {
        let error = Set::parse_owned(&spell(text)).expect_err(text);
        assert_eq!(
            (error.kind(), error.offset()),
            (kind, offset),
            "{text}: {error}"
        );
    }
}
