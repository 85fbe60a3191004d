//! What really is on the servers: one writer that numbers its transactions, and readers that have
//! a prefix of them.

use tidegate::gtid::{Set, Uuid};

/// Seconds are too long here: all times are in microseconds of virtual time.
pub(crate) type Micros = u64;

/// Transactions that every server and every copy has from the start. Without any, a reader that is
/// made to forget its GTIDs could not be told from one that never had some.
const HISTORY: u64 = 10;

/// One server. `executed <= visible <= owned <= received`, and on the writer `owned == received`.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Its server_uuid in short.
    pub(crate) letter: u8,
    pub(crate) up: bool,
    /// Counts its restarts and whatever else breaks all connections to it.
    pub(crate) generation: u64,
    /// Reader: has come over the wire. Writer: is in the binlog, and may be sent.
    pub(crate) received: u64,
    /// Is being applied or committed.
    pub(crate) owned: u64,
    /// Reads see it.
    pub(crate) visible: u64,
    /// `@@gtid_executed` has it.
    pub(crate) executed: u64,
    /// RESET BINARY LOGS AND GTIDS has taken all up to this out of `@@gtid_executed`.
    pub(crate) forgotten: u64,
    /// Writes with sql_log_bin=0: on the writer alone, and without a GTID.
    pub(crate) unlogged: u64,
    /// Transactions of its own that nobody else has.
    pub(crate) errant: u64,
    /// The applier stands still; on the writer: no semi-sync ack comes.
    pub(crate) held: bool,
    /// Mean time between two steps of the applier, or of the commit queue.
    pub(crate) step: Micros,
}

impl Server {
    pub(crate) fn new(letter: u8, step: Micros) -> Self {
        Self {
            letter,
            up: true,
            generation: 1,
            received: HISTORY,
            owned: HISTORY,
            visible: HISTORY,
            executed: HISTORY,
            forgotten: 0,
            unlogged: 0,
            errant: 0,
            held: false,
            step,
        }
    }

    pub(crate) fn uuid(&self) -> Uuid {
        Uuid::from_bytes([self.letter; 16])
    }

    /// One step: rows become visible first, and only then do their GTIDs count as executed.
    pub(crate) fn advance(&mut self, batch: u64) {
        if !self.up {
            return;
        }
        if self.visible > self.executed {
            self.executed = self.visible;
        } else if self.held {
            // Nothing new becomes visible.
        } else if self.owned > self.visible {
            self.visible = self.owned;
        } else {
            self.owned = self.received.min(self.visible + batch);
        }
    }

    /// Stops; every connection to it breaks.
    pub(crate) fn crash(&mut self) {
        self.up = false;
        self.generation += 1;
    }

    /// Comes back: what was in the binlog of the writer, or visible on a reader, is durable.
    pub(crate) fn recover(&mut self, is_writer: bool) {
        self.up = true;
        self.generation += 1;
        if is_writer {
            self.visible = self.received;
        }
        (self.owned, self.executed) = (self.visible, self.visible);
    }

    /// Comes back from an old copy.
    pub(crate) fn restore(&mut self, age: u64) {
        self.visible = self.visible.saturating_sub(age).max(HISTORY);
        self.received = self.visible;
        (self.errant, self.forgotten) = (0, 0);
        self.recover(false);
    }

    pub(crate) fn executed_set(&self) -> Set {
        self.up_to(self.executed)
    }

    pub(crate) fn owned_set(&self) -> Set {
        numbers(b'w', self.executed + 1, self.owned)
    }

    /// What a binlog stream would make one believe.
    pub(crate) fn received_set(&self) -> Set {
        self.up_to(self.received)
    }

    fn up_to(&self, last: u64) -> Set {
        let mut set = numbers(b'w', self.forgotten + 1, last);
        set.union(&numbers(self.letter, 1, self.errant));
        set
    }
}

/// The transactions `first..=last` of one source.
pub(crate) fn numbers(letter: u8, first: u64, last: u64) -> Set {
    if first > last {
        return Set::default();
    }
    let uuid = Uuid::from_bytes([letter; 16]);
    Set::parse(&format!("{uuid}:{first}-{last}")).unwrap()
}
