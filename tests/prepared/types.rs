//! P3: every type of parameter and column reads the same as from the writer itself.

use tidegate::lab::Flavour;
use tidegate::protocol::{Capabilities, Command, put_lenenc_bytes};

use crate::binary::Binary;
use crate::stage::Stage;
use crate::wire::MODERN;
use crate::{support, wire};

/// A parameter: its type, whether it is unsigned, and its value in binary form.
type Parameter = (u8, bool, &'static [u8]);

/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>
const PARAMETERS: &[Parameter] = &[
    (0x01, false, &[0xff]),
    (0x01, true, &[0xff]),
    (0x02, false, &[0x34, 0x12]),
    (0x02, true, &[0xff, 0xff]),
    (0x03, false, &[1, 2, 3, 4]),
    (0x03, true, &[0xff; 4]),
    (0x04, false, &[0, 0, 0xc0, 0x3f]),
    (0x05, false, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
    (0x06, false, &[]),
    (0x07, false, &[7, 0xe8, 7, 2, 29, 12, 30, 59]),
    (0x08, false, &[0xff; 8]),
    (0x08, true, &[0xff; 8]),
    (0x09, false, &[1, 2, 3, 0]),
    (0x0a, false, &[4, 0xe8, 7, 2, 29]),
    (0x0a, false, &[0]),
    (0x0b, false, &[8, 1, 1, 0, 0, 0, 2, 3, 4]),
    (0x0b, false, &[12, 0, 0, 0, 0, 0, 2, 3, 4, 1, 0, 0, 0]),
    (0x0c, false, &[11, 0xe8, 7, 2, 29, 12, 30, 59, 1, 0, 0, 0]),
    (0x0d, false, &[0xe8, 7]),
    (0x00, false, &[4, b'1', b'.', b'2', b'5']),
    (0x0f, false, &[1, b'a']),
    (0xf5, false, &[2, b'{', b'}']),
    (0xf6, false, &[2, b'-', b'7']),
    (0xf9, false, &[1, b'a']),
    (0xfb, false, &[0]),
    (0xfc, false, &[3, 0, 1, 0xff]),
    (0xfd, false, &[2, 0xc3, 0xa4]),
    (0xfe, false, &[1, b'x']),
    (0x20, false, &[1]),
];

/// One column of each type.
const TABLE: &[&str] = &[
    "DROP TABLE IF EXISTS app.prep_types",
    "CREATE TABLE app.prep_types (a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d INT UNSIGNED \
     ZEROFILL, e BIGINT UNSIGNED, f FLOAT, g DOUBLE, h DECIMAL(30, 10), i BIT(13), j DATE, \
     k TIME(3), l DATETIME(6), m TIMESTAMP(2) NULL, n YEAR, o CHAR(5), p VARCHAR(300) COLLATE \
     latin1_bin, q BINARY(3), r VARBINARY(9), s TINYBLOB, t TEXT, u LONGTEXT, v ENUM('x', 'y'), \
     w SET('p', 'q'), x JSON, y GEOMETRY, z BOOL)",
    "INSERT INTO app.prep_types VALUES (-1, 2, -3, 4, 18446744073709551615, 1.5, -2.25, \
     '12345.0000000001', b'1010101010101', '2024-02-29', '-838:59:58.125', \
     '9999-12-31 23:59:59.999999', '2024-01-01 00:00:00.25', 2155, 'abc', 'ä', 0x000102, 0xff00, \
     'blob', 'text', REPEAT('long', 200), 'y', 'p,q', '{\"a\": [1, null]}', \
     ST_GeomFromText('POINT(1 2)'), TRUE)",
    "INSERT INTO app.prep_types (a) VALUES (NULL)",
];

/// What MariaDB has in later versions only.
const TABLE_OF_MYSQL: &[&str] = &[
    "ALTER TABLE app.prep_types ADD v1 VECTOR(2)",
    "UPDATE app.prep_types SET v1 = TO_VECTOR('[1,2]') WHERE a IS NOT NULL",
];

#[tokio::test]
async fn p3_every_type_reads_the_same_through_tidegate() {
    let stage = Stage::new().await;
    let own = match support::flavour() {
        Flavour::MySql => TABLE_OF_MYSQL,
        Flavour::MariaDb => &[],
    };
    stage.prepare(TABLE.iter().chain(own)).await;
    for bits in [0, Capabilities::DEPRECATE_EOF.0] {
        let capabilities = Capabilities(MODERN.0 & !(Capabilities::SESSION_TRACK.0 | bits));
        let mut direct = Binary::with(stage.lab.writer().port(), capabilities).await;
        let mut through = Binary::with(stage.port, capabilities).await;
        through.until_on_a_reader().await;
        let columns = "SELECT * FROM app.prep_types ORDER BY a";
        let ids = [
            direct.prepare(columns).await,
            through.prepare(columns).await,
        ];
        let argument = |id: u32| [&id.to_le_bytes()[..], &[0, 1, 0, 0, 0]].concat();
        let one = direct
            .client
            .ask(Command::StmtExecute, &argument(ids[0]))
            .await;
        let other = through
            .client
            .ask(Command::StmtExecute, &argument(ids[1]))
            .await;
        assert_eq!(one, other, "columns");
        assert_eq!(
            direct.client.query(columns).await,
            through.client.query(columns).await
        );
        let echo = "SELECT ?, name IS NULL FROM app.whoami";
        let mut ids = [direct.prepare(echo).await, through.prepare(echo).await];
        for (kind, unsigned, value) in PARAMETERS {
            if wire::changes_hands() {
                // MySQL goes on to read a number as the date that the same statement had before; one
                // that another connection has prepared anew does not.
                ids = [direct.prepare(echo).await, through.prepare(echo).await];
            }
            for tail in [[*kind, u8::from(*unsigned) << 7].to_vec(), Vec::new()] {
                // With the type, then relying on it.
                let argument = |id: u32| {
                    let told = u8::from(!tail.is_empty());
                    let head = [&id.to_le_bytes()[..], &[0, 1, 0, 0, 0, 0, told]].concat();
                    [&head, &tail, *value].concat()
                };
                let one = direct
                    .client
                    .ask(Command::StmtExecute, &argument(ids[0]))
                    .await;
                let other = through
                    .client
                    .ask(Command::StmtExecute, &argument(ids[1]))
                    .await;
                assert_eq!(one, other, "{kind:#x}, unsigned: {unsigned}, {value:?}");
                if one[0][0] == 0xff {
                    // MySQL takes no parameter of this type; whether it keeps it is its own affair.
                    break;
                }
            }
        }
    }
    stage.end().await;
}

#[tokio::test]
async fn p3_query_attributes_reach_the_backend() {
    if support::skips(
        Flavour::MySql,
        "MariaDB has no query attributes, so none are offered",
    ) {
        return;
    }
    let stage = Stage::new().await;
    let capabilities = Capabilities(
        (MODERN.0 & !Capabilities::SESSION_TRACK.0) | Capabilities::QUERY_ATTRIBUTES.0,
    );
    let mut direct = Binary::with(stage.lab.writer().port(), capabilities).await;
    let mut through = Binary::with(stage.port, capabilities).await;
    // COM_QUERY with one attribute, and without any.
    let mut attribute = vec![1, 1, 0, 1, 0xfd, 0];
    put_lenenc_bytes(&mut attribute, b"trace");
    put_lenenc_bytes(&mut attribute, b"abc");
    for head in [attribute, vec![0, 1]] {
        for sql in [
            "SELECT v, a FROM (SELECT 'x' AS v, 1 AS a) AS t",
            "SELECT 1; SELECT 2",
            "nonsense",
        ] {
            let argument = [&head[..], sql.as_bytes()].concat();
            let one = direct.client.ask(Command::Query, &argument).await;
            let other = through.client.ask(Command::Query, &argument).await;
            assert_eq!(one, other, "{sql}");
        }
    }
    // COM_STMT_EXECUTE with a parameter and an attribute, and relying on their types.
    let sql = "SELECT CONCAT(?, '!')";
    let ids = [direct.prepare(sql).await, through.prepare(sql).await];
    for told in [true, false] {
        let argument = |id: u32| {
            let mut argument = id.to_le_bytes().to_vec();
            argument.extend([8, 1, 0, 0, 0, 2, 0, u8::from(told)]);
            if told {
                argument.extend([0xfd, 0, 0, 0xfd, 0]);
                put_lenenc_bytes(&mut argument, b"trace");
            }
            put_lenenc_bytes(&mut argument, b"value");
            put_lenenc_bytes(&mut argument, b"abc");
            argument
        };
        let one = direct
            .client
            .ask(Command::StmtExecute, &argument(ids[0]))
            .await;
        let other = through
            .client
            .ask(Command::StmtExecute, &argument(ids[1]))
            .await;
        assert_eq!(one, other, "types told: {told}");
    }
    // What was told of the attribute is no type of the parameter, on whichever connection.
    for lock in ["", " FOR UPDATE"] {
        let sql = format!("SELECT CONCAT(?, '?'){lock}");
        let ids = [direct.prepare(&sql).await, through.prepare(&sql).await];
        for told in [true, false] {
            let argument = |id: u32| {
                let mut argument = id.to_le_bytes().to_vec();
                argument.extend([8, 1, 0, 0, 0, 1 + u8::from(told), 0, u8::from(told)]);
                if told {
                    argument.extend([0xfd, 0, 0, 0xfd, 0]);
                    put_lenenc_bytes(&mut argument, b"trace");
                }
                put_lenenc_bytes(&mut argument, b"value");
                if told {
                    put_lenenc_bytes(&mut argument, b"abc");
                }
                argument
            };
            let execute = Command::StmtExecute;
            let one = direct.client.ask(execute, &argument(ids[0])).await;
            let other = through.client.ask(execute, &argument(ids[1])).await;
            assert_eq!(one, other, "an attribute: {told}");
            through.client.ask(Command::Query, b"\x00\x01DO 1").await;
        }
    }
    stage.end().await;
}
