//! `[pool]`.

use super::fault::Faults;
use super::schema::{self, keys};
use super::table::Document;
use super::value;
use crate::session::{Keeping, Limits, PoolPolicy};

pub(super) fn pool(
    document: &Document<'_>,
    limits: Option<&Limits>,
    faults: &mut Faults<'_>,
) -> Option<(PoolPolicy, Keeping)> {
    let table = document.table(&schema::POOL);
    let mode = table.read(&keys::POOL_MODE, value::word, faults);
    let idle_time = table.read(&keys::POOL_IDLE_TIME, value::span, faults);
    let max_age = table.read(&keys::POOL_MAX_AGE, value::span, faults);
    let min_idle = table.read(&keys::POOL_MIN_IDLE, value::count, faults);
    let prepared = table.read(&keys::POOL_PREPARED_STATEMENTS, value::count, faults);
    let mode = mode?;
    let policy = match mode.value {
        "transaction" => PoolPolicy::Lend,
        _ => PoolPolicy::Keep,
    };
    let endless = limits.is_some_and(|limits| {
        limits.backend_connections.is_none() && limits.backend_connections_total.is_none()
    });
    if policy == PoolPolicy::Lend && endless {
        faults.fault(
            &mode.place,
            "lends connections where others wait for one, and nobody ever does without a limit",
            "set [limits] backend_connections",
        );
    }
    let min_idle = min_idle?;
    let kept = usize::try_from(min_idle.value).unwrap_or(usize::MAX);
    let most = limits.and_then(|limits| limits.backend_connections);
    if most.is_some_and(|most| kept > most) {
        faults.fault(
            &min_idle.place,
            "keeps more connections to a backend than there may be",
            "set it to [limits] backend_connections at most",
        );
    }
    let keeping = Keeping {
        idle_time: idle_time?.value,
        max_age: max_age?.value,
        min_idle: kept,
        prepared_statements: usize::try_from(prepared?.value).unwrap_or(usize::MAX),
    };
    Some((policy, keeping))
}
