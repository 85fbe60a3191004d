use diesel::mysql::MysqlConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorInformation, Error};
use diesel::sql_types::{Integer, Text};

use crate::{LARGE, Outcome, Place, TEXT, sum, table, told};

diesel::table! {
    m_diesel (id) {
        id -> Integer,
        n -> Nullable<Integer>,
        big -> Nullable<Unsigned<Bigint>>,
        ratio -> Nullable<Double>,
        body -> Nullable<Text>,
        raw -> Nullable<Longblob>,
    }
}

#[derive(Debug, Insertable, Queryable, Selectable)]
#[diesel(table_name = m_diesel)]
struct Written {
    n: Option<i32>,
    big: Option<u64>,
    ratio: Option<f64>,
    body: Option<String>,
    raw: Option<Vec<u8>>,
}

#[derive(Debug, QueryableByName)]
#[allow(dead_code, reason = "read by its Debug only")]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

pub(crate) fn play(place: &Place) -> Outcome {
    let Place { host, port, user, password, schema, .. } = place;
    let url = format!("mysql://{user}:{password}@{host}:{port}/{schema}");
    let mut conn = MysqlConnection::establish(&url)?;
    let conn = &mut conn;
    told("served", diesel::sql_query("SELECT name FROM whoami").load::<Named>(conn)?);
    let by_id = diesel::sql_query("SELECT name FROM whoami WHERE id = ?").bind::<Integer, _>(1);
    told("served", by_id.load::<Named>(conn)?);
    for sql in table("diesel") {
        diesel::sql_query(sql).execute(conn)?;
    }
    values(conn)?;
    transactions(conn)?;
    failures(conn);
    large(conn)?;
    own_writes(conn)
}

fn values(conn: &mut MysqlConnection) -> Outcome {
    let one = Written {
        n: Some(-7),
        big: Some(u64::MAX),
        ratio: Some(0.1),
        body: Some(TEXT.to_owned()),
        raw: Some((0..=255).collect()),
    };
    told("insert", diesel::insert_into(m_diesel::table).values(&one).execute(conn)?);
    let many: Vec<_> = (0..200)
        .map(|n| (m_diesel::n.eq(n), m_diesel::body.eq(format!("row {n}"))))
        .collect();
    told("many", diesel::insert_into(m_diesel::table).values(&many).execute(conn)?);
    told("first", m_diesel::table.select(Written::as_select()).first(conn)?);
    told("count", m_diesel::table.count().get_result::<i64>(conn)?);
    let some = m_diesel::table
        .filter(m_diesel::n.between(10, 20).and(m_diesel::body.like("row 1%")))
        .order(m_diesel::id.desc())
        .select((m_diesel::id, m_diesel::body));
    told("some", some.load::<(i32, Option<String>)>(conn)?);
    told("deleted", diesel::delete(m_diesel::table.filter(m_diesel::n.gt(150))).execute(conn)?);
    told("left", m_diesel::table.count().get_result::<i64>(conn)?);
    Ok(())
}

fn transactions(conn: &mut MysqlConnection) -> Outcome {
    let first = m_diesel::table.find(1);
    let outcome = conn.transaction(|conn| {
        diesel::update(first).set(m_diesel::n.eq(40)).execute(conn)?;
        told("inside", first.select(m_diesel::n).first::<Option<i32>>(conn)?);
        let nested = conn.transaction(|conn| {
            diesel::delete(m_diesel::table).execute(conn)?;
            Err::<(), _>(Error::RollbackTransaction)
        });
        told("nested", nested);
        Err::<(), _>(Error::RollbackTransaction)
    });
    told("rolled back", (outcome, first.select(m_diesel::n).first::<Option<i32>>(conn)?));
    conn.transaction(|conn| diesel::update(first).set(m_diesel::n.eq(41)).execute(conn))?;
    told("committed", first.select(m_diesel::n).first::<Option<i32>>(conn)?);
    Ok(())
}

fn failures(conn: &mut MysqlConnection) {
    for sql in [
        "INSERT INTO m_diesel (id) VALUES (1)",
        "SELECT * FROM nowhere_to_be_found",
        "SELEC 1",
        "SELECT * FROM mysql.user",
    ] {
        let error = diesel::sql_query(sql).execute(conn).err();
        let words = |info: &dyn DatabaseErrorInformation| info.message().to_owned();
        match error {
            Some(Error::DatabaseError(kind, info)) => told("failure", (kind, words(&*info))),
            other => told("failure", other),
        }
    }
}

fn large(conn: &mut MysqlConnection) -> Outcome {
    for length in LARGE {
        let value = vec![b'x'; length];
        diesel::update(m_diesel::table.find(1)).set(m_diesel::raw.eq(&value)).execute(conn)?;
        let back = m_diesel::table.find(1).select(m_diesel::raw).first::<Option<Vec<u8>>>(conn)?;
        told("large", back.as_deref().map(sum));
    }
    diesel::update(m_diesel::table).set(m_diesel::raw.eq(None::<Vec<u8>>)).execute(conn)?;
    Ok(())
}

fn own_writes(conn: &mut MysqlConnection) -> Outcome {
    for i in 0..40 {
        diesel::update(m_diesel::table.find(1)).set(m_diesel::n.eq(100 + i)).execute(conn)?;
        told("own", m_diesel::table.find(1).select(m_diesel::n).first::<Option<i32>>(conn)?);
    }
    Ok(())
}
