//! What becomes of the backends when another configuration is taken up.
//!
//! A [`BackendId`] stays with the backend that it was given to for as long as the process lives:
//! sessions, metrics and snapshots know backends by it. One that is taken out of the configuration
//! keeps its place, and has it again when it comes back.

use super::{BackendConfig, Config};
use crate::routing::{BackendId, Role};
use crate::slots::SLOTS;

/// The backends of a new configuration, by the ids that they have and get.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The configuration, with every backend that there has been since the start at its id.
    pub config: Config,
    /// Those that were not there or are back; for a new one the next id.
    pub come: Vec<BackendId>,
    /// Those that were there and are no longer.
    pub go: Vec<BackendId>,
}

/// Why the backends can't be changed while the process runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too many have come and gone.
    #[error(
        "there have been {SLOTS} backends since the start; restart, which forgets those that went"
    )]
    Full,
}

/// Compares the backends that there have been with those of a new configuration; `gone` are those
/// that were taken out.
///
/// # Errors
/// [`PlanError`] says what takes a restart.
pub fn plan(running: &Config, gone: &[BackendId], wanted: &Config) -> Result<Plan, PlanError> {
    let mut backends = running.backends.clone();
    let mut there = vec![false; backends.len()];
    let mut come = Vec::new();
    for backend in &wanted.backends {
        match find(&backends, &there, backend) {
            Some(index) => {
                set(&mut backends, index, backend.clone());
                set(&mut there, index, true);
                come.extend(id(index).filter(|id| gone.contains(id)));
            }
            None if backends.len() >= SLOTS => return Err(PlanError::Full),
            None => {
                come.extend(id(backends.len()));
                backends.push(backend.clone());
                there.push(true);
            }
        }
    }
    let mut go = Vec::new();
    for (index, there) in there.iter().enumerate() {
        go.extend(id(index).filter(|id| !there && !gone.contains(id)));
    }
    // Who has gone is not the writer that a configuration of before has named.
    let gone = backends
        .iter_mut()
        .zip(&there)
        .filter(|(_, there)| !**there);
    let named = gone.filter(|(backend, _)| backend.role == Some(Role::Writer));
    named.for_each(|(backend, _)| backend.role = Some(Role::Reader));
    let config = Config {
        backends,
        ..wanted.clone()
    };
    Ok(Plan { config, come, go })
}

/// The place of a backend that was there before, in whichever role. Under another address it is
/// another server.
fn find(known: &[BackendConfig], taken: &[bool], wanted: &BackendConfig) -> Option<usize> {
    let same = |it: &BackendConfig| (&it.name, &it.address) == (&wanted.name, &wanted.address);
    let free = known.iter().zip(taken);
    free.enumerate()
        .find(|(_, (backend, taken))| !**taken && same(backend))
        .map(|(index, _)| index)
}

fn set<T>(values: &mut [T], index: usize, value: T) {
    if let Some(place) = values.get_mut(index) {
        *place = value;
    }
}

fn id(index: usize) -> Option<BackendId> {
    u16::try_from(index).ok().map(BackendId)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::MonitorConfig;
    use crate::error::Secret;
    use crate::net::BackendTls;

    /// A writer and readers, each a name and a port.
    fn config(readers: &[(&str, u16)]) -> Config {
        let backend = |(name, port): (&str, u16), role| BackendConfig {
            name: name.to_owned(),
            address: format!("127.0.0.1:{port}").parse().unwrap(),
            role: Some(role),
            weight: 100,
            max_lag: None,
            zone: None,
            tls: BackendTls::default(),
            proxy_protocol: false,
        };
        let readers = readers.iter().map(|it| backend(*it, Role::Reader));
        Config {
            backends: [backend(("w1", 1), Role::Writer)]
                .into_iter()
                .chain(readers)
                .collect(),
            zone: None,
            monitor: MonitorConfig {
                user: "m".to_owned(),
                password: Secret::default(),
                interval: Duration::from_millis(100),
            },
            connect_timeout: Duration::from_secs(1),
            slow_start: Duration::ZERO,
        }
    }

    fn names(config: &Config) -> Vec<&str> {
        config.backends.iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn a_backend_keeps_its_id_when_others_come_and_go() {
        let running = config(&[("r1", 2), ("r2", 3)]);
        let plan = plan(&running, &[], &config(&[("r3", 4), ("r2", 3)])).unwrap();
        assert_eq!(names(&plan.config), ["w1", "r1", "r2", "r3"]);
        assert_eq!(
            (plan.come, plan.go),
            (vec![BackendId(3)], vec![BackendId(1)])
        );
    }

    #[test]
    fn one_that_comes_back_has_its_id_again() {
        let with = config(&[("r1", 2)]);
        let out = plan(&with, &[], &config(&[])).unwrap();
        let back = plan(&out.config, &out.go, &with).unwrap();
        assert_eq!(
            (names(&back.config), back.come),
            (vec!["w1", "r1"], out.go.clone())
        );
        let again = plan(&out.config, &out.go, &config(&[])).unwrap();
        assert_eq!((again.come, again.go), (vec![], vec![]));
    }

    #[test]
    fn under_another_address_it_is_another_server() {
        let plan = plan(&config(&[("r1", 2)]), &[], &config(&[("r1", 9)])).unwrap();
        assert_eq!(names(&plan.config), ["w1", "r1", "r1"]);
        assert_eq!(
            (plan.come, plan.go),
            (vec![BackendId(2)], vec![BackendId(1)])
        );
    }

    #[test]
    fn a_change_of_weight_changes_nothing_else() {
        let mut wanted = config(&[("r1", 2)]);
        wanted.backends[1].weight = 7;
        let plan = plan(&config(&[("r1", 2)]), &[], &wanted).unwrap();
        assert_eq!(plan.config.backends[1].weight, 7);
        assert!(plan.come.is_empty() && plan.go.is_empty());
    }

    fn roles(plan: &Plan) -> Vec<Option<Role>> {
        plan.config.backends.iter().map(|it| it.role).collect()
    }

    #[test]
    fn p5_a_backend_that_gets_another_role_is_the_same_one() {
        let mut wanted = config(&[("r1", 2)]);
        wanted.backends[0].role = Some(Role::Reader);
        wanted.backends[1].role = Some(Role::Writer);
        let plan = plan(&config(&[("r1", 2)]), &[], &wanted).unwrap();
        assert_eq!(roles(&plan), [Some(Role::Reader), Some(Role::Writer)]);
        assert!(plan.come.is_empty() && plan.go.is_empty());
    }

    #[test]
    fn p5_a_writer_that_is_taken_out_is_none_any_more() {
        let mut wanted = config(&[("r1", 2)]);
        wanted.backends[0].address = "127.0.0.1:9".parse().unwrap();
        let plan = plan(&config(&[("r1", 2)]), &[], &wanted).unwrap();
        let (reader, writer) = (Some(Role::Reader), Some(Role::Writer));
        assert_eq!(roles(&plan), [reader, reader, writer]);
        assert_eq!(plan.come, [BackendId(2)]);
        assert_eq!(plan.go, [BackendId(0)]);
    }

    #[test]
    fn p9_backends_that_come_and_go_for_ever_end_in_a_clear_error() {
        let mut running = config(&[]);
        let mut gone = Vec::new();
        for port in 10.. {
            let wanted = config(&[("r", port)]);
            match plan(&running, &gone, &wanted) {
                Ok(plan) => {
                    gone.extend(plan.go);
                    running = plan.config;
                }
                Err(error) => {
                    assert_eq!((error, running.backends.len()), (PlanError::Full, SLOTS));
                    return;
                }
            }
        }
    }
}
