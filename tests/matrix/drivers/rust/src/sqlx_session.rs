use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{Connection, Executor, Row};

use crate::{LARGE, Outcome, Place, TEXT, sum, table, told};

pub(crate) async fn play(place: &Place) -> Outcome {
    let mode = if place.tls { MySqlSslMode::Required } else { MySqlSslMode::Disabled };
    let options = MySqlConnectOptions::new()
        .host(&place.host)
        .port(place.port)
        .username(&place.user)
        .password(&place.password)
        .database(&place.schema)
        .ssl_mode(mode);
    let pool = MySqlPoolOptions::new().max_connections(3).connect_with(options).await?;
    let served: Vec<String> = sqlx::query_scalar("SELECT name FROM whoami").fetch_all(&pool).await?;
    told("served", served);
    let served: String = sqlx::query_scalar("SELECT name FROM whoami WHERE id = ?")
        .bind(1)
        .fetch_one(&pool)
        .await?;
    told("served", served);
    for sql in table("sqlx") {
        pool.execute(&*sql).await?;
    }
    values(&pool).await?;
    transactions(&pool).await?;
    failures(&pool).await;
    large(&pool).await?;
    own_writes(&pool).await?;
    pool.close().await;
    Ok(())
}

async fn values(pool: &MySqlPool) -> Outcome {
    let insert = "INSERT INTO m_sqlx (n, big, ratio, moment, body, raw) VALUES (?, ?, ?, ?, ?, ?)";
    let done = sqlx::query(insert)
        .bind(-7)
        .bind(u64::MAX)
        .bind(0.1)
        .bind("2024-02-29 23:59:58.123456")
        .bind(TEXT)
        .bind((0..=255).collect::<Vec<u8>>())
        .execute(pool)
        .await?;
    told("insert", (done.rows_affected(), done.last_insert_id()));
    let all = "SELECT n, big, ratio, CAST(moment AS CHAR) AS moment, body, raw FROM m_sqlx";
    for row in sqlx::query(all).fetch_all(pool).await? {
        let numbers: (Option<i32>, u64, f64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let rest: (String, String, Vec<u8>) = (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
        told("prepared", (numbers, rest));
    }
    let text = pool.fetch_all("SELECT body, n FROM m_sqlx").await?;
    told("text", text.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?);
    let mut many = sqlx::QueryBuilder::new("INSERT INTO m_sqlx (n, body) ");
    many.push_values(0..200, |mut row, n| {
        row.push_bind(n).push_bind(format!("row {n}"));
    });
    told("many", many.build().execute(pool).await?.rows_affected());
    let total: (i64, i64) =
        sqlx::query_as("SELECT COUNT(*), CAST(SUM(n) AS SIGNED) FROM m_sqlx").fetch_one(pool).await?;
    told("total", total);
    Ok(())
}

async fn transactions(pool: &MySqlPool) -> Outcome {
    let read = "SELECT n FROM m_sqlx WHERE id = 1";
    let mut transaction = pool.begin().await?;
    sqlx::query("UPDATE m_sqlx SET n = 40 WHERE id = 1").execute(&mut *transaction).await?;
    let inside: i32 = sqlx::query_scalar(read).fetch_one(&mut *transaction).await?;
    transaction.rollback().await?;
    let back: i32 = sqlx::query_scalar(read).fetch_one(pool).await?;
    told("rolled back", (inside, back));
    let mut conn = pool.acquire().await?;
    let mut transaction = conn.begin().await?;
    sqlx::query("UPDATE m_sqlx SET n = ? WHERE id = ?").bind(41).bind(1).execute(&mut *transaction).await?;
    let mut nested = transaction.begin().await?;
    sqlx::query("DELETE FROM m_sqlx").execute(&mut *nested).await?;
    nested.rollback().await?;
    transaction.commit().await?;
    let committed: i32 = sqlx::query_scalar(read).fetch_one(pool).await?;
    told("committed", committed);
    Ok(())
}

async fn failures(pool: &MySqlPool) {
    for sql in [
        "INSERT INTO m_sqlx (id) VALUES (1)",
        "SELECT * FROM nowhere_to_be_found",
        "SELEC 1",
        "SELECT (SELECT id FROM m_sqlx)",
        "SELECT * FROM mysql.user",
    ] {
        for error in [sqlx::query(sql).fetch_all(pool).await.err(), pool.execute(sql).await.err()] {
            let error = error.as_ref().and_then(|error| error.as_database_error());
            told("failure", error.map(|error| (error.code(), error.message())));
        }
    }
}

async fn large(pool: &MySqlPool) -> Outcome {
    for length in LARGE {
        let value = vec![b'\''; length];
        sqlx::query("UPDATE m_sqlx SET raw = ? WHERE id = 1").bind(&value).execute(pool).await?;
        let back: Vec<u8> =
            sqlx::query_scalar("SELECT raw FROM m_sqlx WHERE id = ?").bind(1).fetch_one(pool).await?;
        told("large", sum(&back));
    }
    sqlx::query("UPDATE m_sqlx SET raw = NULL").execute(pool).await?;
    Ok(())
}

async fn own_writes(pool: &MySqlPool) -> Outcome {
    for i in 0..20 {
        pool.execute(&*format!("UPDATE m_sqlx SET n = {} WHERE id = 1", 100 + i)).await?;
        let row = pool.fetch_one("SELECT n FROM m_sqlx WHERE id = 1").await?;
        told("own", row.try_get::<i32, _>(0)?);
        sqlx::query("UPDATE m_sqlx SET n = ? WHERE id = ?").bind(200 + i).bind(1).execute(pool).await?;
        let read = "SELECT n FROM m_sqlx WHERE id = ?";
        let (one, other, third) = tokio::join!(
            sqlx::query_scalar::<_, i32>(read).bind(1).fetch_one(pool),
            sqlx::query_scalar::<_, i32>(read).bind(1).fetch_one(pool),
            sqlx::query_scalar::<_, i32>(read).bind(1).fetch_one(pool),
        );
        told("own", (one?, other?, third?));
    }
    Ok(())
}
