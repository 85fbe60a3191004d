//! Who of the cluster is the writer now, and how another one becomes it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tidegate::lab::{Cluster, Instance};

/// How each calls itself, in the order of [`Cluster::instances`].
const NAMES: [&str; 3] = ["w1", "r1", "r2"];

/// How long readers may take until they have all that a writer had.
const PATIENCE: Duration = Duration::from_secs(60);

/// The cluster whose writer changes.
pub(crate) struct Fleet {
    lab: &'static Cluster,
    writer: AtomicUsize,
}

impl Fleet {
    /// As it starts.
    pub(crate) fn new(lab: &'static Cluster) -> Self {
        Self {
            lab,
            writer: AtomicUsize::new(0),
        }
    }

    pub(crate) fn member(&self, index: usize) -> &'static Instance {
        self.lab.instances().nth(index).expect("a member")
    }

    /// Its number. Who changes it holds the turn.
    pub(crate) fn writer_index(&self) -> usize {
        self.writer.load(Ordering::SeqCst)
    }

    pub(crate) fn writer(&self) -> &'static Instance {
        self.member(self.writer_index())
    }

    /// How the writer calls itself.
    pub(crate) fn writer_name(&self) -> &'static str {
        NAMES[self.writer_index()]
    }

    /// The numbers of the others.
    pub(crate) fn reader_indices(&self) -> Vec<usize> {
        let writer = self.writer_index();
        (0..NAMES.len()).filter(|index| *index != writer).collect()
    }

    pub(crate) fn readers(&self) -> impl Iterator<Item = &'static Instance> {
        let indices = self.reader_indices();
        indices.into_iter().map(|index| self.member(index))
    }

    /// As an operator does it: no write is lost.
    pub(crate) async fn switch_over(&self, to: usize) {
        self.let_readers_run().await;
        let old = self.writer();
        old.demote().await.unwrap();
        self.let_readers_have_all().await;
        self.promote(to).await;
        old.follow_from_now(self.member(to)).await.unwrap();
    }

    /// The writer dies. All that it had committed has reached the readers: it was kept from
    /// committing more a moment before. Who was in the middle of something finds out by himself.
    pub(crate) async fn fail_over(&self, to: usize) {
        self.let_readers_run().await;
        let old = self.writer();
        let mut holds = old.conn().await.unwrap();
        let hold = "FLUSH TABLES WITH READ LOCK";
        holds.query_drop(hold).await.unwrap();
        self.let_readers_have_all().await;
        old.kill9().await.unwrap();
        self.promote(to).await;
        old.come_back(self.member(to)).await.unwrap();
    }

    /// The writer is again who it was at the start.
    pub(crate) async fn go_home(&self) {
        if self.writer_index() != 0 {
            self.switch_over(0).await;
        }
    }

    async fn let_readers_run(&self) {
        for reader in self.readers() {
            reader.set_delay(0).await.unwrap();
        }
    }

    async fn let_readers_have_all(&self) {
        let position = self.writer().position().await.unwrap();
        for reader in self.readers() {
            let has = reader.wait_executed(&position, PATIENCE).await.unwrap();
            assert!(
                has,
                "{} does not catch up with {position}: {}",
                reader.name(),
                reader.replication().await.unwrap()
            );
        }
    }

    /// The other reader follows it; the old writer does not yet.
    async fn promote(&self, to: usize) {
        let others: Vec<usize> = self.reader_indices();
        self.member(to).promote().await.unwrap();
        self.writer.store(to, Ordering::SeqCst);
        for other in others.into_iter().filter(|other| *other != to) {
            let other = self.member(other);
            other.follow_from_now(self.member(to)).await.unwrap();
        }
    }
}
