//! What a routing decision costs, while the readers' watermarks are known: each read pays it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use tidegate::gtid::{Incarnation, Set, Token, Uuid, Watermark};
use tidegate::routing::{
    Asks, BackendId, BackendView, Causality, Isolation, Kind, Lag, LagClock, Need, Place, Policy,
    Probe, Role, SessionFacts, Snapshot, Transaction, decide,
};

const SOURCES: u8 = 4;

/// Sets of four sources with one interval each, and with two hundred together.
const SHAPES: [(&str, u64); 2] = [("4 uuids", 1), ("4 uuids, 200 intervals", 50)];

fn decisions(criterion: &mut Criterion) {
    for readers in [2, 8] {
        for (shape, intervals) in SHAPES {
            let name = format!("decide/{readers} readers/{shape}");
            decisions_among(&mut criterion.benchmark_group(name), readers, intervals);
        }
    }
}

fn decisions_among(group: &mut BenchmarkGroup<'_, WallTime>, readers: u16, intervals: u64) {
    let now = Instant::now();
    let executed = Arc::new(executed(intervals));
    let snapshot = snapshot(readers, &executed, now);
    let read = Kind::Read { tables: true };

    let mut wrote = scope(now);
    wrote.acknowledge(&one_write(intervals));
    group.bench_function("a read after a write", |b| {
        b.iter(|| run(read, &mut wrote, black_box(&snapshot), None, now));
    });

    let mut knows_all = scope(now);
    knows_all.acknowledge(&executed);
    group.bench_function("a read that must see everything", |b| {
        b.iter(|| run(read, &mut knows_all, black_box(&snapshot), None, now));
    });

    let home = place(&snapshot, readers);
    let mut stays = scope(now);
    stays.acknowledge(&one_write(intervals));
    group.bench_function("a read where the last one was, begun and ended", |b| {
        b.iter(|| {
            let home = home.map(|place| place.backend);
            run(read, &mut stays, black_box(&snapshot), home, now);
            if let Some(place) = place(&snapshot, readers) {
                let mark = stays.begin_read(place);
                stays.end_read(mark, now);
            }
        });
    });

    let mut writes = scope(now);
    group.bench_function("a write", |b| {
        b.iter(|| run(Kind::Write, &mut writes, black_box(&snapshot), None, now));
    });
}

fn run(
    kind: Kind<'_>,
    causality: &mut Causality,
    snapshot: &Snapshot,
    home: Option<BackendId>,
    now: Instant,
) {
    let facts = SessionFacts {
        policy: Policy::default(),
        session: 7,
        home,
        loads: &[],
        pin: None,
        transaction: Transaction::None,
        autocommit: true,
        isolation: Isolation::RepeatableRead,
        schema: Some("app"),
        last_statement: None,
        arrived: now,
        waits_from: now,
        excluded: &[],
        carried: None,
        waiting: None,
    };
    let need = Need {
        kind,
        asks: Asks::default(),
    };
    black_box(decide(&need, black_box(&facts), causality, snapshot, now));
}

fn scope(now: Instant) -> Causality {
    Causality::starting_from(Token::default(), now)
}

/// One writer and so many readers, all with the same set.
fn snapshot(readers: u16, executed: &Arc<Set>, now: Instant) -> Snapshot {
    let mut clock = LagClock::default();
    clock.observe(now, Arc::clone(executed), source(0));
    Snapshot {
        backends: (0..=readers).map(|id| view(id, executed, now)).collect(),
        samples: Arc::new(clock),
        ..Snapshot::default()
    }
}

fn view(id: u16, executed: &Arc<Set>, now: Instant) -> BackendView {
    let incarnation = Incarnation {
        server_uuid: match id {
            0 => source(0),
            _ => Uuid::from_bytes([id.to_le_bytes()[0].wrapping_add(100); 16]),
        },
        epoch: 1,
    };
    BackendView {
        id: BackendId(id),
        role: match id {
            0 => Role::Writer,
            _ => Role::Reader,
        },
        weight: 100,
        near: true,
        up: true,
        writable: id == 0,
        incarnation: Some(incarnation),
        watermark: Some(Watermark {
            executed: Arc::clone(executed),
            learned: now,
            incarnation,
        }),
        lag: Some(Lag {
            covered: now,
            behind: Duration::ZERO,
        }),
        lagging: false,
        replication: None,
        probe: Some(Arc::new(Probe {
            started: now,
            seen: Arc::clone(executed),
            executed: Arc::clone(executed),
            incarnation,
        })),
        shunned_until: None,
        draining: false,
        recovering: false,
    }
}

fn place(snapshot: &Snapshot, id: u16) -> Option<Place> {
    snapshot.backend(BackendId(id))?.place()
}

/// `SOURCES` UUIDs with `intervals` intervals each, as a cluster with a history has.
fn executed(intervals: u64) -> Set {
    let runs: Vec<_> = (0..intervals)
        .map(|run| format!("{}-{}", run * 100 + 1, run * 100 + 90))
        .collect();
    let runs = runs.join(":");
    let sets: Vec<_> = (0..SOURCES)
        .map(|number| format!("{}:{runs}", source(number)))
        .collect();
    Set::parse(&sets.join(",")).unwrap_or_default()
}

fn one_write(intervals: u64) -> Set {
    Set::parse(&format!("{}:{}", source(0), intervals * 100 - 20)).unwrap_or_default()
}

fn source(number: u8) -> Uuid {
    Uuid::from_bytes([number * 16 + 1; 16])
}

criterion_group!(benches, decisions);
criterion_main!(benches);
