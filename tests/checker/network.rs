//! The network between Tidegate and its backends, which can be cut.
//!
//! Each backend is reached over a cable of its own: a process in the middle that passes bytes on
//! until it is told not to, and to whichever backend it is told. To Tidegate a cut one looks as a cut network does (nothing comes, and
//! nothing says that nothing will), and no test needs the right to make network namespaces.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use tidegate::config::Config;
use tidegate::lab::Cluster;
use tidegate::net::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    All,
    /// What Tidegate sends arrives, and is done. No answer comes back.
    Requests,
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct State {
    passes: Passes,
    /// Counts how often all connections were reset.
    resets: u64,
    /// How long everything takes on its way.
    delay: Duration,
    /// Where new connections lead.
    to: u16,
}

/// The way to one backend.
struct Cable {
    state: watch::Sender<State>,
}

/// The cables to all backends, in the order of the configuration. They are gone when it is dropped.
pub(crate) struct Network {
    cables: Vec<Cable>,
    _tasks: JoinSet<()>,
}

#[allow(dead_code, reason = "each test program uses its own part of this")]
impl Network {
    /// Lays the cables, and has Tidegate use them.
    pub(crate) async fn lay(lab: &Cluster, config: &mut Config) -> Self {
        let mut tasks = JoinSet::new();
        let mut cables = Vec::new();
        let instances = std::iter::once(lab.writer()).chain(lab.readers());
        for (instance, backend) in instances.zip(&mut config.backend.backends) {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let state = watch::Sender::new(State {
                passes: Passes::All,
                resets: 0,
                delay: Duration::ZERO,
                to: instance.port(),
            });
            tasks.spawn(pass_on(listener, state.subscribe()));
            backend.address = Endpoint::Tcp {
                host: "127.0.0.1".to_owned(),
                port,
            };
            cables.push(Cable { state });
        }
        Self {
            cables,
            _tasks: tasks,
        }
    }

    /// From now on everything takes so long on its way to a backend, and back.
    #[allow(dead_code, reason = "each test program uses its own part of this")]
    pub(crate) fn slow(&self, delay: Duration) {
        for cable in &self.cables {
            cable.state.send_modify(|state| state.delay = delay);
        }
    }

    /// Lets the address of a backend lead to another server. What is open stays where it is.
    #[allow(dead_code, reason = "each test program uses its own part of this")]
    pub(crate) fn lead(&self, backend: usize, port: u16) {
        let cable = &self.cables[backend].state;
        cable.send_modify(|state| state.to = port);
    }

    /// Resets every connection to a backend.
    #[allow(dead_code, reason = "each test program uses its own part of this")]
    pub(crate) fn reset(&self, backend: usize) {
        let cable = &self.cables[backend].state;
        cable.send_modify(|state| state.resets += 1);
    }

    /// Lets the addresses of two backends lead each to the other, as names and virtual addresses
    /// do. What is open stays where it is, or is reset.
    #[allow(dead_code, reason = "each test program uses its own part of this")]
    pub(crate) fn swap(&self, between: &[usize], chance: &mut StdRng) -> &'static str {
        let (one, other) = (
            &self.cables[between[0]].state,
            &self.cables[between[1]].state,
        );
        let ports = [other.borrow().to, one.borrow().to];
        let resets = chance.random_bool(0.5);
        for (state, port) in [one, other].into_iter().zip(ports) {
            state.send_modify(|state| {
                state.to = port;
                state.resets += u64::from(resets);
            });
        }
        match resets {
            true => "addresses swapped, connections reset",
            false => "addresses swapped",
        }
    }

    /// Cuts one of them for a while. What was under way arrives in the end, or never.
    pub(crate) async fn cut(&self, chance: &mut StdRng) -> &'static str {
        let cable = &self.cables[chance.random_range(0..self.cables.len())];
        let while_cut = Duration::from_millis(chance.random_range(20..700));
        let (passes, resets, deed) = match chance.random_range(0..4) {
            0 => (Passes::Nothing, false, "network cut"),
            1 => (Passes::Nothing, true, "network cut, connections reset"),
            2 => (Passes::Requests, true, "answers cut, connections reset"),
            _ => (Passes::All, true, "connections reset"),
        };
        if passes != Passes::All {
            cable.state.send_modify(|state| state.passes = passes);
            tokio::time::sleep(while_cut).await;
        }
        cable.state.send_modify(|state| {
            state.passes = Passes::All;
            state.resets += u64::from(resets);
        });
        deed
    }
}

/// Takes connections, and passes each on to the backend.
async fn pass_on(listener: TcpListener, state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connection(client, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(client: TcpStream, mut state: watch::Receiver<State>) {
    let begun = *state.borrow_and_update();
    // A backend that is down refuses, and so does the cable.
    let Ok(backend) = TcpStream::connect(("127.0.0.1", begun.to)).await else {
        return;
    };
    // As a reset: without a word more.
    let abrupt = [&client, &backend].map(|stream| stream.set_zero_linger());
    if abrupt.iter().any(Result::is_err) {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_backend, to_backend) = backend.into_split();
    tokio::select! {
        () = carry(from_client, to_backend, state.clone(), |passes| passes != Passes::Nothing) => {}
        () = carry(from_backend, to_client, state.clone(), |passes| passes == Passes::All) => {}
        _ = state.wait_for(|now| now.resets != begun.resets) => {}
    }
}

/// Carries bytes one way, as long as they may pass. What may not waits, as TCP would send it again.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    may_pass: fn(Passes) -> bool,
) {
    let mut buffer = vec![0; 1 << 14];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let delay = state.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if state.wait_for(|now| may_pass(now.passes)).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
