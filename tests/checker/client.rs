//! A client that bumps its counter in every way there is, reads, resets and changes its user.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn, Error};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use tidegate::lab::Account;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::cluster::connect;
use crate::fleet::Fleet;
use crate::history::{Key, Level, What};
use crate::record::Record;
use crate::ways::{BUMPS, Bump, ON_THE_WRITER, READS, Read, STRONG, fill, is_wanted};

/// What a client is, and what it plays with.
pub(crate) struct Client {
    pub(crate) port: u16,
    pub(crate) fleet: Arc<Fleet>,
    /// Who changes something about the readers takes this, one after the other.
    pub(crate) turn: Arc<Mutex<()>>,
    /// Whom it logs in as, and whom it may become; the scope stays the same.
    pub(crate) accounts: Vec<Account>,
    pub(crate) record: Arc<Record>,
    pub(crate) chance: StdRng,
    /// Rows that a stranger counts in.
    pub(crate) shared: Vec<Key>,
    /// How many reads come one after the other.
    pub(crate) burst: u32,
    /// One scope for each connection, or one for all of them.
    pub(crate) fixed_scope: Option<u32>,
    /// What it says on each connection, after a reset again.
    pub(crate) begins: Vec<String>,
}

/// The first of the kinds of steps that may leave what no ROLLBACK ends.
const SHADOW: u32 = 80;

/// The step failed and the connection with it, or it can't be told what holds on it now.
pub(crate) struct Broken;

impl Client {
    /// Plays so many steps.
    pub(crate) async fn play(mut self, steps: usize) {
        let mut left = steps;
        let mut carried: Option<(u32, String)> = None;
        while left > 0 {
            let Some(mut conn) = connect(self.port, self.accounts[0]).await else {
                tokio::time::sleep(Duration::from_millis(2)).await;
                left -= 1;
                continue;
            };
            let mut scope = self.fixed_scope.unwrap_or_else(|| self.record.new_scope());
            if let Some((of, token)) = carried.take() {
                let set = format!("SET @tidegate_token = '{token}'");
                if self.take(&mut conn, &set).await.is_ok() {
                    scope = of;
                    self.record.did("token carried along");
                }
            }
            if self.begin(&mut conn).await.is_err() {
                continue;
            }
            // A row of its own for each scope: nobody else counts there.
            while left > 0 {
                left -= 1;
                let kind = self.chance.random_range(0..100);
                if self.step(&mut conn, scope, kind).await.is_err()
                    && !self.goes_on(&mut conn, kind).await
                {
                    break;
                }
                if self.chance.random_ratio(1, 60) {
                    carried = self.token(&mut conn).await.map(|token| (scope, token));
                    break;
                }
            }
        }
    }

    async fn begin(&self, conn: &mut Conn) -> Result<(), Broken> {
        for statement in &self.begins {
            self.take(conn, statement).await?;
        }
        Ok(())
    }

    /// What the next connection has to see.
    async fn token(&self, conn: &mut Conn) -> Option<String> {
        let row: Option<Option<String>> = conn.query_first("SELECT @tidegate_token").await.ok()?;
        row?
    }

    /// After a step that failed: rolls back and goes on, as applications do that hold on to their
    /// connection. False if that is not possible, or nobody knows what the step has left.
    async fn goes_on(&mut self, conn: &mut Conn, kind: u32) -> bool {
        if kind >= SHADOW || self.chance.random_bool(0.3) {
            return false;
        }
        for step in ["ROLLBACK", "SET autocommit = 1"] {
            if self.take(conn, step).await.is_err() {
                return false;
            }
        }
        // A reset that went well before may have been the last that did: its key is gone.
        if self.begin(conn).await.is_err() {
            return false;
        }
        self.record.did("went on after an error");
        true
    }

    async fn step(&mut self, conn: &mut Conn, scope: u32, kind: u32) -> Result<(), Broken> {
        match kind {
            0..23 => {
                let way = BUMPS.choose(&mut self.chance).unwrap();
                self.bump(conn, scope, way).await
            }
            23..27 => self.append(conn, scope).await,
            27..35 => self.bump_behind(conn, scope).await,
            kind @ (35..55 | 60..73) => {
                for _ in 0..self.burst {
                    self.read_one(conn, scope, kind).await?;
                }
                Ok(())
            }
            55..60 => self.see_a_stranger(conn, scope).await,
            73..80 => self.look_twice(conn, scope).await,
            SHADOW..83 => self.shadow(conn).await,
            83..93 => self.reset(conn).await,
            93..99 => {
                let account = *self.accounts.choose(&mut self.chance).unwrap();
                let to = ChangeUserOpts::default()
                    .with_user(Some(account.user.to_owned()))
                    .with_pass(Some(account.password.to_owned()))
                    .with_db_name(Some("app".to_owned()));
                conn.change_user(to).await.map_err(|_| Broken)?;
                self.record.did("user changed");
                self.begin(conn).await
            }
            // Hangs up.
            _ => Err(Broken),
        }
    }

    /// Reads a row of its own, a list, or a row that everybody reads.
    async fn read_one(&mut self, conn: &mut Conn, scope: u32, kind: u32) -> Result<(), Broken> {
        match kind {
            35..48 => self.read(conn, scope, own_row(scope)).await,
            48..55 => self.read_list(conn, scope).await,
            _ => {
                let key = *self.shared.choose(&mut self.chance).unwrap();
                self.read(conn, scope, key).await
            }
        }
    }

    /// Waits until a reader has everything of the scope, bumps, and reads at once, now and then
    /// with appliers that stand still: the moment at which a proxy that has missed it takes the
    /// reader.
    async fn bump_behind(&mut self, conn: &mut Conn, scope: u32) -> Result<(), Broken> {
        let plain = &READS[0];
        let session = || (Level::Session, String::new());
        let mut on_reader = false;
        for _ in 0..5 {
            let read = self.read_at(conn, scope, own_row(scope), plain, session());
            on_reader = read.await? != self.fleet.writer_name();
            if on_reader {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let standstill = match on_reader && self.chance.random_bool(0.4) {
            true => self.stop_appliers().await,
            false => None,
        };
        let done = self.bump_and_look(conn, scope).await;
        if let Some(turn) = standstill {
            self.start_appliers(turn).await;
        }
        done
    }

    /// Unless somebody else is about to change something.
    async fn stop_appliers(&self) -> Option<OwnedMutexGuard<()>> {
        let turn = Arc::clone(&self.turn).try_lock_owned().ok()?;
        for reader in self.fleet.readers() {
            reader.stop_applier().await.unwrap();
        }
        Some(turn)
    }

    async fn start_appliers(&self, _turn: OwnedMutexGuard<()>) {
        for reader in self.fleet.readers() {
            reader.start_applier().await.unwrap();
        }
    }

    async fn bump_and_look(&mut self, conn: &mut Conn, scope: u32) -> Result<(), Broken> {
        let plain = &READS[0];
        let fails = self.chance.random_bool(0.5);
        let mut ways: Vec<&Bump> = BUMPS.iter().filter(|way| way.2 == fails).collect();
        ways.shuffle(&mut self.chance);
        self.bump(conn, scope, ways[0]).await?;
        if self.chance.random_bool(0.7) {
            self.reset(conn).await?;
        }
        let session = (Level::Session, String::new());
        let read = self.read_at(conn, scope, own_row(scope), plain, session);
        read.await.map(|_| ())
    }

    /// Somebody else writes past Tidegate, and at once this session reads at level strong.
    async fn see_a_stranger(&mut self, conn: &mut Conn, scope: u32) -> Result<(), Broken> {
        let Some(mut direct) = connect(self.fleet.writer().port(), self.accounts[0]).await else {
            return Ok(());
        };
        let (plain, key) = (&READS[0], *self.shared.choose(&mut self.chance).unwrap());
        let stranger = self.record.new_scope();
        let sent = self.record.now();
        let what = match direct.query_drop(fill("{bump}", key)).await {
            Ok(()) => What::Bumped,
            Err(_) => What::MayHaveBumped,
        };
        let how = "a stranger of its own";
        self.record.add(stranger, key, sent, what, how);
        let strong = (Level::Strong, STRONG.to_owned());
        let read = self.read_at(conn, scope, key, plain, strong).await;
        let _ = direct.disconnect().await;
        read.map(|_| ())
    }

    /// Reads what a stranger writes on the writer, and then where a plain select goes.
    async fn look_twice(&mut self, conn: &mut Conn, scope: u32) -> Result<(), Broken> {
        let (plain, key) = (&READS[0], *self.shared.choose(&mut self.chance).unwrap());
        self.read_by(conn, scope, key, plain).await?;
        let way = &READS[self.chance.random_range(ON_THE_WRITER)];
        self.read_by(conn, scope, key, way).await?;
        let read = self.read_by(conn, scope, key, plain).await;
        read.map(|_| ())
    }

    async fn bump(&mut self, conn: &mut Conn, scope: u32, way: &Bump) -> Result<(), Broken> {
        let (how, steps, fails) = way;
        let key = own_row(scope);
        let sent = self.record.now();
        for (index, step) in steps.iter().enumerate() {
            let step = fill(step, key);
            let done = match step.strip_prefix('?') {
                Some(sql) => conn.exec_drop(sql, ()).await,
                None => conn.query_drop(&step).await,
            };
            let last = index + 1 == steps.len();
            let as_expected = match &done {
                Ok(()) => !(last && *fails),
                Err(Error::Server(error)) => last && *fails && is_wanted(error.code),
                Err(_) => false,
            };
            if !as_expected {
                self.record.add(scope, key, sent, What::MayHaveBumped, how);
                self.record.failed(how, &done);
                return Err(Broken);
            }
        }
        self.record.add(scope, key, sent, What::Bumped, how);
        Ok(())
    }

    async fn read(&mut self, conn: &mut Conn, scope: u32, key: Key) -> Result<(), Broken> {
        let way = READS.choose(&mut self.chance).unwrap();
        self.read_by(conn, scope, key, way).await.map(|_| ())
    }

    /// A level, and the hint that asks for it.
    pub(crate) fn some_level(&mut self) -> (Level, String) {
        match self.chance.random_range(0..10) {
            0..2 => (Level::Strong, STRONG.to_owned()),
            2..4 => bounded(&mut self.chance),
            4 => (Level::Eventual, "/* tidegate: level=eventual */".to_owned()),
            _ => (Level::Session, String::new()),
        }
    }

    /// Reads, and says where.
    async fn read_by(
        &mut self,
        conn: &mut Conn,
        scope: u32,
        key: Key,
        way: &Read,
    ) -> Result<String, Broken> {
        let level = self.some_level();
        self.read_at(conn, scope, key, way, level).await
    }

    /// The same at a level, which the hint asks for.
    async fn read_at(
        &mut self,
        conn: &mut Conn,
        scope: u32,
        key: Key,
        way: &Read,
        (level, hint): (Level, String),
    ) -> Result<String, Broken> {
        let (how, steps, after) = way;
        let (last, before) = steps.split_last().unwrap();
        // A transaction's first read fixes what it shows.
        let mut sent = self.record.now();
        for step in before {
            let step = fill(step, key);
            let anew = step.strip_prefix('!');
            if anew.is_some() {
                sent = self.record.now();
            }
            self.take(conn, anew.unwrap_or(&step)).await?;
        }
        let sql = fill(&format!("{last} {hint}"), key);
        let place;
        let row: Result<Option<(u64, String)>, Error> = match sql.strip_prefix('?') {
            Some(sql) => conn.exec_first(sql, ()).await,
            None => conn.query_first(&sql).await,
        };
        match row {
            Ok(Some((value, seen_on))) => {
                place = seen_on;
                let how = format!("{how} on {place}");
                self.record.read_on(&place, &self.fleet);
                let read = What::Read(value);
                self.record.add_read(scope, key, sent, read, (level, &how));
            }
            Ok(None) => panic!("{sql}: no row"),
            Err(error) => {
                self.record.failed(how, &Err(error));
                return Err(Broken);
            }
        }
        for step in *after {
            self.take(conn, &fill(step, key)).await?;
        }
        Ok(place)
    }

    /// A temporary table stands before a real one of the same name.
    async fn shadow(&mut self, conn: &mut Conn) -> Result<(), Broken> {
        self.take(
            conn,
            "CREATE TEMPORARY TABLE app.shadowed AS SELECT 'mine' AS v",
        )
        .await?;
        match conn.query_first("SELECT v FROM app.shadowed").await {
            Ok(seen) => {
                let seen: Option<String> = seen;
                if seen.as_deref() != Some("mine") {
                    self.record
                        .broke("P3", format!("a temporary table is not seen: {seen:?}"));
                }
            }
            Err(error) => {
                self.record.failed("a temporary table", &Err(error));
                return Err(Broken);
            }
        }
        self.take(conn, "DROP TEMPORARY TABLE app.shadowed").await?;
        self.reset(conn).await
    }

    async fn reset(&self, conn: &mut Conn) -> Result<(), Broken> {
        conn.reset().await.map_err(|_| Broken)?;
        self.record.did("session reset by its client");
        self.begin(conn).await
    }

    async fn take(&self, conn: &mut Conn, step: &str) -> Result<(), Broken> {
        let done = conn.query_drop(step).await;
        self.record.failed(step, &done);
        done.map_err(|_| Broken)
    }
}

/// Every scope has a row that only it counts in.
pub(crate) fn own_row(scope: u32) -> Key {
    1000 + scope
}

fn bounded(chance: &mut StdRng) -> (Level, String) {
    let bound = [0, 50, 300, 1500][chance.random_range(0..4)];
    let hint = format!("/* tidegate: level=bounded, max_staleness={bound}ms */");
    (Level::Bounded(Duration::from_millis(bound)), hint)
}
