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
    let keeping = Keeping {
        idle_time: idle_time?.value,
        max_age: max_age?.value,
    };
    Some((policy, keeping))
}
