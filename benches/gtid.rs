//! What GTID sets cost on the way of a statement: is a token covered, and add a write to it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate::gtid::{Set, Uuid};

/// `sources` UUIDs with `intervals` intervals each, as a cluster with a history has.
fn executed(sources: u8, intervals: u64) -> Set {
    let text: Vec<String> = (0..sources)
        .map(|source| {
            let uuid = Uuid::from_bytes([source * 16 + 1; 16]);
            let runs: Vec<_> = (0..intervals)
                .map(|run| format!("{}-{}", run * 100 + 1, run * 100 + 90))
                .collect();
            format!("{uuid}:{}", runs.join(":"))
        })
        .collect();
    Set::parse(&text.join(",")).unwrap_or_default()
}

fn write(number: u64) -> Set {
    let uuid = Uuid::from_bytes([33; 16]);
    Set::parse(&format!("{uuid}:{number}")).unwrap_or_default()
}

fn gtid(criterion: &mut Criterion) {
    for (sources, intervals) in [(4, 1), (4, 50), (4, 2_500)] {
        let mut group = criterion.benchmark_group(format!("gtid/{sources}x{intervals}"));
        let whole = executed(sources, intervals);
        let same = whole.clone();
        let small = write(intervals * 100 - 20);
        let text = whole.to_string();
        group.bench_function("contains one write", |b| {
            b.iter(|| black_box(&whole).contains(black_box(&small)));
        });
        group.bench_function("contains an equal set", |b| {
            b.iter(|| black_box(&whole).contains(black_box(&same)));
        });
        let mut token = whole.clone();
        let next: Vec<Set> = (0..1024)
            .map(|more| write(intervals * 100 + more))
            .collect();
        let mut next = next.iter().cycle();
        group.bench_function("add the next write", |b| {
            b.iter(|| token.union(black_box(next.next().unwrap_or(&small))));
        });
        group.bench_function("parse", |b| b.iter(|| Set::parse(black_box(&text))));
        group.finish();
    }
}

criterion_group!(benches, gtid);
criterion_main!(benches);
