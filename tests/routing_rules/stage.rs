//! One writer, two readers, one session, and a clock that the test moves.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tidegate::gtid::{Incarnation, Set, Token, Uuid, Watermark};
use tidegate::routing::{
    Asks, BackendId, BackendView, Causality, Decision, Exclusion, Isolation, Kind, Lag, LagClock,
    Level, Load, Need, Place, Policy, Probe, ReadMark, Reason, RefuseKind, Role, SessionFacts,
    Snapshot, Transaction, Waiting, decide,
};

pub(crate) const W: usize = 0;
pub(crate) const A: usize = 1;
pub(crate) const B: usize = 2;

pub(crate) const READ: Kind<'static> = Kind::Read { tables: true };

/// What the lag clock says a reader needs to catch up, until a test says otherwise.
pub(crate) const BEHIND: Duration = Duration::from_millis(20);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time so many milliseconds into the test.
pub(crate) fn at(ms: u64) -> Instant {
    *START + Duration::from_millis(ms)
}

/// A set in short: `w:1-5 a:7`, where w, a, b are the backends' own UUIDs and any other letter a
/// stranger's.
pub(crate) fn set(short: &str) -> Set {
    let long = short.split_whitespace().map(|part| {
        let (letter, rest) = part.split_once(':').unwrap();
        format!("{}:{rest}", uuid(letter.as_bytes()[0]))
    });
    Set::parse(&long.collect::<Vec<_>>().join(",")).unwrap()
}

pub(crate) fn uuid(letter: u8) -> Uuid {
    Uuid::from_bytes([letter; 16])
}

pub(crate) struct Stage {
    pub(crate) snapshot: Snapshot,
    pub(crate) clock: LagClock,
    pub(crate) causality: Causality,
    pub(crate) now: Instant,
    pub(crate) arrived: Instant,
    pub(crate) failed: Option<Instant>,
    pub(crate) policy: Policy,
    pub(crate) level: Option<Level>,
    pub(crate) max_staleness: Option<Duration>,
    pub(crate) session: u64,
    pub(crate) home: Option<BackendId>,
    pub(crate) loads: Vec<Load>,
    pub(crate) carried: Option<Arc<Set>>,
    pub(crate) pin: Option<Reason>,
    pub(crate) transaction: Transaction,
    pub(crate) autocommit: bool,
    pub(crate) isolation: Isolation,
    pub(crate) last_statement: Option<Place>,
    pub(crate) excluded: Vec<(BackendId, Exclusion)>,
    pub(crate) waiting: Option<Waiting>,
}

/// Everybody has `w:1-100`, nothing has been read or written, and no wait has begun.
pub(crate) fn stage() -> Stage {
    let view = |index: usize, role| BackendView {
        id: BackendId(u16::try_from(index).unwrap()),
        role,
        weight: 100,
        near: true,
        up: true,
        writable: role == Role::Writer,
        incarnation: Some(Incarnation {
            server_uuid: uuid(b"wab"[index]),
            epoch: 1,
        }),
        watermark: None,
        lag: None,
        lagging: false,
        replication: None,
        probe: None,
        shunned_until: None,
        draining: false,
        recovering: false,
    };
    let backends = vec![
        view(W, Role::Writer),
        view(A, Role::Reader),
        view(B, Role::Reader),
    ];
    let mut stage = Stage {
        snapshot: Snapshot {
            backends,
            ..Snapshot::default()
        },
        clock: LagClock::default(),
        causality: Causality::starting_from(Token::default(), at(0)),
        now: at(1000),
        arrived: at(1000),
        failed: None,
        policy: Policy::default(),
        level: None,
        max_staleness: None,
        session: 1,
        home: Some(BackendId(1)),
        loads: Vec::new(),
        carried: None,
        pin: None,
        transaction: Transaction::None,
        autocommit: true,
        isolation: Isolation::RepeatableRead,
        last_statement: None,
        excluded: Vec::new(),
        waiting: None,
    };
    stage.sample("w:1-100");
    for index in [W, A, B] {
        stage.executes(index, "w:1-100");
    }
    stage
}

impl Stage {
    pub(crate) fn view(&mut self, index: usize) -> &mut BackendView {
        &mut self.snapshot.backends[index]
    }

    pub(crate) fn place(&self, index: usize) -> Place {
        let view = &self.snapshot.backends[index];
        Place {
            backend: view.id,
            incarnation: view.incarnation.expect("a life"),
        }
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    /// The lag clock asks the writer now.
    pub(crate) fn sample(&mut self, executed: &str) {
        self.clock
            .observe(self.now, Arc::new(set(executed)), uuid(b'w'));
        self.snapshot.samples = Arc::new(self.clock.clone());
    }

    /// A backend's watermark and lag become known now.
    pub(crate) fn executes(&mut self, index: usize, executed: &str) {
        let executed = Arc::new(set(executed));
        let covered = self.clock.covered(&executed);
        let now = self.now;
        let view = self.view(index);
        view.lag = covered.map(|covered| Lag {
            covered,
            behind: BEHIND,
        });
        let incarnation = view.incarnation.expect("a life");
        view.watermark = Some(Watermark {
            executed,
            learned: now,
            incarnation,
        });
    }

    /// A backend answers a probe that was sent now: with transactions beyond `executed` that it
    /// owns.
    pub(crate) fn answers(&mut self, index: usize, executed: &str, owned: &str) {
        let started = self.now;
        let executed = set(executed);
        let mut seen = executed.clone();
        seen.union(&set(owned));
        let view = self.view(index);
        let incarnation = view.incarnation.expect("a life");
        let (seen, executed) = (Arc::new(seen), Arc::new(executed));
        view.probe = Some(Arc::new(Probe {
            started,
            seen,
            executed,
            incarnation,
        }));
    }

    /// A backend is lost and comes back as another incarnation, of which nothing is known.
    pub(crate) fn restarts(&mut self, index: usize) {
        let view = self.view(index);
        if let Some(incarnation) = view.incarnation.as_mut() {
            incarnation.epoch += 1;
        }
        (view.watermark, view.lag, view.probe) = (None, None, None);
    }

    pub(crate) fn goes_down(&mut self, index: usize) {
        self.view(index).up = false;
        self.view(index).incarnation = None;
        self.view(index).watermark = None;
    }

    /// A write runs on the writer and is acknowledged with these GTIDs.
    pub(crate) fn acknowledges(&mut self, gtids: &str) {
        self.arrives(Kind::Write);
        self.causality.acknowledge(&set(gtids));
    }

    /// A new statement arrives and is decided about.
    pub(crate) fn arrives(&mut self, kind: Kind<'_>) -> Decision {
        self.arrived = self.now;
        self.waiting = None;
        self.decide(kind)
    }

    /// The same statement is decided about again.
    pub(crate) fn decide(&mut self, kind: Kind<'_>) -> Decision {
        let facts = SessionFacts {
            policy: self.policy,
            session: self.session,
            home: self.home,
            loads: &self.loads,
            pin: self.pin,
            transaction: self.transaction,
            autocommit: self.autocommit,
            isolation: self.isolation,
            schema: Some("app"),
            last_statement: self.last_statement,
            arrived: self.arrived,
            waits_from: self.failed.unwrap_or(self.arrived),
            excluded: &self.excluded,
            carried: self.carried.as_ref(),
            waiting: self.waiting.as_ref(),
        };
        let need = Need {
            kind,
            asks: Asks {
                level: self.level,
                max_staleness: self.max_staleness,
            },
        };
        let decision = decide(&need, &facts, &mut self.causality, &self.snapshot, self.now);
        if let Decision::Wait {
            place,
            token,
            until,
            ..
        } = &decision
        {
            self.waiting = Some(Waiting {
                place: *place,
                token: Arc::clone(token),
                until: *until,
            });
        }
        decision
    }

    pub(crate) fn begins(&mut self, index: usize) -> ReadMark {
        let place = self.place(index);
        self.causality.begin_read(place)
    }

    /// A whole read on a backend, which ends now.
    pub(crate) fn reads(&mut self, index: usize) {
        let mark = self.begins(index);
        self.causality.end_read(mark, self.now);
    }

    #[track_caller]
    pub(crate) fn assert_runs(&mut self, kind: Kind<'_>, index: usize, reason: Reason) {
        let decision = self.arrives(kind);
        assert_eq!(decision, self.run(index, reason));
    }

    pub(crate) fn run(&self, index: usize, reason: Reason) -> Decision {
        Decision::Run {
            place: self.place(index),
            reason,
        }
    }
}

pub(crate) fn probe(indexes: &[usize], reason: Reason) -> Decision {
    let backends = indexes
        .iter()
        .map(|index| BackendId(u16::try_from(*index).unwrap()));
    Decision::Probe {
        backends: backends.collect(),
        reason,
    }
}

pub(crate) fn refuse(kind: RefuseKind) -> Decision {
    Decision::Refuse {
        kind,
        reason: kind.reason(),
    }
}

/// For whom the decision waits, for what, and how long in milliseconds from `now`.
#[track_caller]
pub(crate) fn wait_of(stage: &Stage, decision: &Decision) -> (usize, Set, u128) {
    match decision {
        Decision::Wait {
            place,
            token,
            until,
            ..
        } => {
            let left = until.duration_since(stage.now).as_millis();
            (place.backend.index(), (**token).clone(), left)
        }
        other => panic!("expected a wait, got {other:?}"),
    }
}
