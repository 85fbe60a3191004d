//! What reading a statement costs on its way: the lexer alone, and the whole classification.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::sql::{LexMode, Lexer, classify};

/// A statement with so many rows of two values.
fn insert(rows: usize) -> String {
    let row = |number: usize| format!("({number}, 'some text of row {number}')");
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO app.orders (id, note) VALUES {}",
        rows.join(", ")
    )
}

/// A report of about 2 KiB: joins, functions, conditions.
fn report() -> String {
    let terms: Vec<String> = (0..30)
        .map(|number| format!("COALESCE(o.amount_{number}, 0) * p.factor_{number} > {number}"))
        .collect();
    format!(
        "SELECT c.name, COUNT(*) AS n, SUM(o.total) FROM customers c JOIN orders o ON o.c_id = c.id \
         JOIN products p USING (p_id) WHERE {} GROUP BY c.name ORDER BY n DESC LIMIT 10",
        terms.join(" AND ")
    )
}

/// Each with a name; the last is one literal, as large as a packet may be.
fn statements() -> Vec<(&'static str, String)> {
    vec![
        (
            "point select",
            "SELECT c FROM sbtest1 WHERE id=4711".to_owned(),
        ),
        ("set", "SET NAMES utf8mb4, time_zone = '+00:00'".to_owned()),
        ("begin", "BEGIN".to_owned()),
        ("select of 2 KiB", report()),
        ("insert of 64 KiB", insert(1700)),
        (
            "insert of one literal of 16 MiB",
            format!("INSERT INTO t VALUES ('{}')", "x".repeat(16 << 20)),
        ),
    ]
}

fn sql(criterion: &mut Criterion) {
    for (name, sql) in statements() {
        let mut group = criterion.benchmark_group(format!("sql/{name}"));
        group.throughput(Throughput::Bytes(sql.len() as u64));
        group.bench_function("lexer", |b| {
            b.iter(|| Lexer::new(black_box(sql.as_bytes()), LexMode::default()).count());
        });
        group.bench_function("classify", |b| {
            b.iter(|| classify(black_box(sql.as_bytes()), LexMode::default()));
        });
        group.finish();
    }
}

criterion_group!(benches, sql);
criterion_main!(benches);
