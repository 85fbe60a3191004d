//! What goes wrong meanwhile: appliers stop and lag, connections are killed, readers die, hang,
//! forget, come back from old copies, change their addresses, the network is cut, acknowledgements
//! are held back, Tidegate is replaced, and another server becomes the writer.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use tempfile::TempDir;
use tokio::sync::{Mutex, watch};

use crate::deeds::{copy_of, forget_gtids, hang, hold_acks, kill_a_session};
use crate::fleet::Fleet;
use crate::house::House;
use crate::network::Network;
use crate::record::Record;
use crate::support;

/// A reader forgets its GTIDs.
pub(crate) const FORGETS: &str = "reader forgot its GTIDs";

/// All that it works on.
pub(crate) struct Nemesis<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) turn: &'a Mutex<()>,
    pub(crate) house: &'a House,
    pub(crate) network: &'a Network,
    pub(crate) record: &'a Record,
    pub(crate) chance: StdRng,
}

/// What takes long, and so is done once in a play, but always.
#[derive(Clone, Copy)]
enum Once {
    Restore,
    Restart,
    SwitchOver,
    FailOver,
}

/// What is left of that.
struct Left {
    once: Vec<Once>,
    /// A copy of the data of the first reader, from before the play.
    copy: Option<TempDir>,
    /// Whether each has forgotten its GTIDs, and so can't tell others what it has not seen itself.
    forgot: [bool; 3],
}

impl Nemesis<'_> {
    /// Breaks things until it is told to end, then mends them. Each is done in a turn of its own.
    pub(crate) async fn rage(mut self, mut end: watch::Receiver<bool>) {
        let own_turn = self.turn.lock().await;
        let mut left = self.plan().await;
        drop(own_turn);
        while !*end.borrow_and_update() {
            let own_turn = self.turn.lock().await;
            let deed = self.deed(&mut left).await;
            drop(own_turn);
            self.record.did(deed);
            // The chaos has a rhythm of its own; nobody waits for it.
            let pause = Duration::from_millis(self.chance.random_range(10..150));
            let _ = tokio::time::timeout(pause, end.wait_for(|end| *end)).await;
        }
        self.fleet.go_home().await;
        for reader in self.fleet.readers() {
            reader.set_delay(0).await.unwrap();
        }
    }

    async fn plan(&mut self) -> Left {
        let mut once = vec![
            Once::Restore,
            Once::Restart,
            Once::SwitchOver,
            Once::FailOver,
        ];
        once.shuffle(&mut self.chance);
        Left {
            once,
            copy: Some(copy_of(self.fleet.member(1)).await),
            forgot: [false; 3],
        }
    }

    async fn deed(&mut self, left: &mut Left) -> &'static str {
        let reader = *self
            .fleet
            .reader_indices()
            .choose(&mut self.chance)
            .unwrap();
        let member = self.fleet.member(reader);
        // Often enough that all of it comes in a play of the usual length.
        if !left.once.is_empty() && self.chance.random_bool(0.15) {
            return self.once(reader, left).await;
        }
        match self.chance.random_range(0..30) {
            0..5 => {
                member.stop_applier().await.unwrap();
                "applier stopped"
            }
            5..10 => {
                member.start_applier().await.unwrap();
                "applier started"
            }
            10..15 => kill_a_session(self.fleet.writer(), &mut self.chance).await,
            15..18 => kill_a_session(member, &mut self.chance).await,
            18 => {
                let delay = self.chance.random_range(0..2);
                member.set_delay(delay).await.unwrap();
                "delay set"
            }
            19..21 => hold_acks(self.fleet.writer(), &mut self.chance).await,
            21..23 => hang(member, &mut self.chance).await,
            23 => {
                forget_gtids(member).await;
                left.forgot[reader] = true;
                FORGETS
            }
            24 => {
                self.house.replace(self.record).await;
                "Tidegate replaced"
            }
            25..28 => self.network.cut(&mut self.chance).await,
            28 => {
                let readers = self.fleet.reader_indices();
                self.network.swap(&readers, &mut self.chance)
            }
            _ => self.change_writer(Once::SwitchOver, reader, left).await,
        }
    }

    async fn once(&mut self, reader: usize, left: &mut Left) -> &'static str {
        match left.once.pop() {
            Some(Once::Restart) => {
                self.fleet.member(reader).restart().await.unwrap();
                "reader restarted"
            }
            Some(Once::Restore) => self.restore(left).await,
            Some(change) => self.change_writer(change, reader, left).await,
            None => "nothing",
        }
    }

    /// An old copy knows nothing of what its own server did as the writer, and would take it from
    /// nobody else.
    async fn restore(&self, left: &mut Left) -> &'static str {
        let Some(copy) = left.copy.take() else {
            return "nothing";
        };
        let member = self.fleet.member(1);
        member.kill9().await.unwrap();
        std::fs::remove_dir_all(member.data()).unwrap();
        support::copy_tree(&copy.path().join("data"), &member.data()).await;
        member.restart().await.unwrap();
        if self.fleet.writer_index() != 0 {
            member.follow_from_now(self.fleet.writer()).await.unwrap();
        }
        "reader restored from an old copy"
    }

    async fn change_writer(&self, how: Once, to: usize, left: &mut Left) -> &'static str {
        if to == 1 || left.forgot[to] {
            // From now on the copy would have missed what nobody can tell it any more.
            let deed = self.restore(left).await;
            self.record.did(deed);
        }
        match how {
            Once::FailOver => {
                self.fleet.fail_over(to).await;
                "writer died, another one was promoted"
            }
            _ => {
                self.fleet.switch_over(to).await;
                "writer switched over"
            }
        }
    }
}
