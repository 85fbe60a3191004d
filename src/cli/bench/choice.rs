//! What one user does next, by a seed. Pure.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::workload::Workload;

/// A user's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Writes a row of the user's own, and reads it at once or not.
    Write { row: u32, read_back: bool },
    /// Reads a row.
    Read { row: u32 },
}

/// How often each rank of a user's rows is taken, added up.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    sums: Vec<f64>,
    users: u32,
}

impl Ranks {
    /// Each user has the same number of rows; what is left over stays unused.
    pub(super) fn new(workload: &Workload) -> Self {
        let users = u32::try_from(workload.threads).unwrap_or(u32::MAX).max(1);
        let each = (workload.rows / users).max(1);
        let mut sum = 0.0;
        let sums = (1..=each).map(|rank| {
            sum += f64::from(rank).powf(-workload.skew);
            sum
        });
        Self {
            sums: sums.collect(),
            users,
        }
    }

    /// A rank, by a number from 0 to below 1.
    fn at(&self, chance: f64) -> u32 {
        let whole = self.sums.last().copied().unwrap_or_default();
        let rank = self.sums.partition_point(|sum| *sum <= chance * whole);
        let rank = rank.min(self.sums.len().saturating_sub(1));
        u32::try_from(rank).unwrap_or_default()
    }

    /// The rows of one rank lie beside each other, one for each user.
    fn row(&self, rank: u32, user: u32) -> u32 {
        rank * self.users + user
    }

    /// One more than the highest row.
    pub(super) fn rows(&self) -> u32 {
        u32::try_from(self.sums.len()).unwrap_or_default() * self.users
    }
}

/// One user's requests. The same seed gives the same ones, whatever road they go.
#[derive(Debug)]
pub(super) struct Choice {
    random: StdRng,
    ranks: Arc<Ranks>,
    user: u32,
    writes: f64,
    read_back: f64,
    own: f64,
    last_written: Option<u32>,
}

impl Choice {
    /// The requests of a user, the first of whom is 0.
    pub(super) fn new(workload: &Workload, ranks: Arc<Ranks>, user: u32, seed: u64) -> Self {
        let own_seed = seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(u64::from(user));
        Self {
            random: StdRng::seed_from_u64(own_seed),
            ranks,
            user,
            writes: workload.writes,
            read_back: workload.read_back,
            own: workload.own,
            last_written: None,
        }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Request {
        let rank = self.ranks.at(self.random.random());
        let [kind, detail]: [f64; 2] = self.random.random();
        let anybody = self.random.random_range(0..self.ranks.users);
        if kind < self.writes {
            let row = self.ranks.row(rank, self.user);
            self.last_written = Some(row);
            let read_back = detail < self.read_back;
            return Request::Write { row, read_back };
        }
        let row = match self.last_written {
            Some(row) if detail < self.own => row,
            _ => self.ranks.row(rank, anybody),
        };
        Request::Read { row }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(skew: f64) -> Workload {
        Workload {
            threads: 4,
            rows: 403,
            skew,
            writes: 0.25,
            own: 0.5,
            ..Workload::named("web").unwrap()
        }
    }

    fn requests(workload: &Workload, user: u32, seed: u64, count: usize) -> Vec<Request> {
        let ranks = Arc::new(Ranks::new(workload));
        let mut choice = Choice::new(workload, ranks, user, seed);
        (0..count).map(|_| choice.next()).collect()
    }

    #[test]
    fn a_user_writes_rows_of_its_own_only() {
        for user in 0..4 {
            for request in requests(&workload(0.0), user, 1, 2000) {
                match request {
                    Request::Write { row, .. } => assert_eq!(row % 4, user),
                    Request::Read { row } => assert!(row < 400),
                }
            }
        }
    }

    #[test]
    fn shares_are_as_asked() {
        let all = requests(&workload(0.0), 0, 7, 20_000);
        let writes = all.iter().filter(|it| matches!(it, Request::Write { .. }));
        let share = writes.count() as f64 / 20_000.0;
        assert!((0.23..0.27).contains(&share), "{share}");
    }

    #[test]
    fn skew_prefers_low_ranks_and_none_treats_all_alike() {
        for (skew, least, most) in [(0.0, 0.0, 0.03), (1.0, 0.15, 0.25), (2.0, 0.55, 0.65)] {
            let ranks = Ranks::new(&workload(skew));
            let hits = (0..10_000).filter(|n| ranks.at(f64::from(*n) / 10_000.0) == 0);
            let share = hits.count() as f64 / 10_000.0;
            assert!((least..most).contains(&share), "{skew}: {share}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_requests_and_another_one_others() {
        let one = requests(&workload(0.8), 2, 5, 100);
        assert_eq!(one, requests(&workload(0.8), 2, 5, 100));
        assert_ne!(one, requests(&workload(0.8), 2, 6, 100));
        assert_ne!(one, requests(&workload(0.8), 1, 5, 100));
    }
}
