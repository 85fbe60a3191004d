//! `[auth]`, `[[user]]` and `[consistency]`.

use std::collections::HashMap;

use super::fault::{Faults, Located, Place};
use super::files::Surroundings;
use super::schema::{self, Key, keys};
use super::secrets::{self, Password};
use super::table::{Document, Table};
use super::value;
use crate::error::Secret;
use crate::routing::{Level, Policy, Reads};
use crate::session::AuthMode;

/// Who may log in, and what their reads must see.
pub(super) struct Accounts {
    pub(super) auth: AuthMode,
    pub(super) policy: Policy,
    pub(super) reads: Reads,
    pub(super) user_policies: HashMap<String, Policy>,
}

/// The keys that a policy comes from.
struct PolicyKeys {
    level: &'static Key,
    read_from: &'static Key,
    max_staleness: &'static Key,
    scope: &'static Key,
    wait: &'static Key,
    on_timeout: &'static Key,
    max_lag: &'static Key,
}

const CONSISTENCY: PolicyKeys = PolicyKeys {
    level: &keys::CONSISTENCY_LEVEL,
    read_from: &keys::CONSISTENCY_READ_FROM,
    max_staleness: &keys::CONSISTENCY_MAX_STALENESS,
    scope: &keys::CONSISTENCY_SCOPE,
    wait: &keys::CONSISTENCY_WAIT,
    on_timeout: &keys::CONSISTENCY_ON_TIMEOUT,
    max_lag: &keys::CONSISTENCY_MAX_LAG,
};

const USER: PolicyKeys = PolicyKeys {
    level: &keys::USER_LEVEL,
    read_from: &keys::USER_READ_FROM,
    max_staleness: &keys::USER_MAX_STALENESS,
    scope: &keys::USER_SCOPE,
    wait: &keys::USER_WAIT,
    on_timeout: &keys::USER_ON_TIMEOUT,
    max_lag: &keys::USER_MAX_LAG,
};

/// `[auth]`, `[[user]]` and `[consistency]`.
pub(super) fn accounts(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Accounts> {
    let auth = document.table(&schema::AUTH);
    let mode = auth.read(&keys::AUTH_MODE, value::word, faults);
    let reads =
        document
            .table(&schema::CONSISTENCY)
            .read(&keys::CONSISTENCY_READS, value::word, faults);
    let policy = policy(
        &document.table(&schema::CONSISTENCY),
        &CONSISTENCY,
        None,
        faults,
    );
    let tables = document.tables(&schema::USER);
    let mut names: Vec<Located<String>> = Vec::new();
    let mut passwords = Some(HashMap::new());
    let mut user_policies = Some(HashMap::new());
    for table in &tables {
        let name = table.read(&keys::USER_NAME, value::text, faults);
        let own_policy = self::policy(table, &USER, policy, faults);
        let password = user_password(table, mode.as_ref(), around, faults);
        let Some(name) = name else { continue };
        if names.iter().any(|earlier| earlier.value == name.value) {
            let wrong = format!(
                "{} is the name of another user already",
                value::quote(&name.value)
            );
            faults.fault(&name.place, wrong, "keep one [[user]] for each account");
        }
        collect(&mut passwords, &name.value, password);
        collect(&mut user_policies, &name.value, own_policy);
        names.push(name);
    }
    let mode = mode?;
    if mode.value == "users" && tables.is_empty() {
        let wrong = "is \"users\", but there is no [[user]], so nobody could log in";
        faults.fault(
            &mode.place,
            wrong,
            "write a [[user]] with a password, or \"passthrough\"",
        );
    }
    let auth = match mode.value {
        "users" => AuthMode::Users(passwords?),
        _ => AuthMode::Passthrough,
    };
    Some(Accounts {
        auth,
        policy: policy?,
        reads: reads?.value.parse().ok()?,
        user_policies: user_policies?,
    })
}

/// Where the policies' bound on lag stands, for whoever compares it.
pub(super) fn max_lag_place(document: &Document<'_>) -> Place {
    document
        .table(&schema::CONSISTENCY)
        .place(&keys::CONSISTENCY_MAX_LAG)
}

/// A map without one of its values is of no use.
fn collect<T>(map: &mut Option<HashMap<String, T>>, name: &str, value: Option<T>) {
    match (map.as_mut(), value) {
        (Some(map), Some(value)) => {
            map.insert(name.to_owned(), value);
        }
        _ => *map = None,
    }
}

/// A password that nobody compares would look like a protection that is not there, so outside
/// `users` it is a fault.
fn user_password(
    table: &Table<'_>,
    mode: Option<&Located<&'static str>>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Secret> {
    let is_users = mode.is_none_or(|mode| mode.value == "users");
    match secrets::password(table, &secrets::USER, around, faults) {
        Password::Given(secret, _) if is_users => Some(secret),
        Password::Given(_, place) => {
            faults.fault(
                &place,
                "has no effect under [auth] mode = \"passthrough\", where the server decides",
                "remove it, or set [auth] mode = \"users\"",
            );
            None
        }
        Password::Absent if is_users => {
            if mode.is_some() {
                secrets::missing(table, &secrets::USER, faults);
            }
            None
        }
        Password::Absent | Password::Faulty => None,
    }
}

fn policy(
    table: &Table<'_>,
    keys: &PolicyKeys,
    base: Option<Policy>,
    faults: &mut Faults<'_>,
) -> Option<Policy> {
    let place = table.place(keys.level);
    let level = table.read(keys.level, value::word, faults);
    let read_from = table.read(keys.read_from, value::word, faults);
    let max_staleness = table.read(keys.max_staleness, value::span, faults);
    let scope = table.read(keys.scope, value::word, faults);
    let wait = table.read(keys.wait, value::span, faults);
    let on_timeout = table.read(keys.on_timeout, value::word, faults);
    let max_lag = table.read(keys.max_lag, value::span, faults);
    // A value that is there and bad must not be replaced by the base's.
    let base = |key: &Key| base.filter(|_| !table.has(key));
    let policy = Policy {
        level: level
            .and_then(|level| level.value.parse().ok())
            .or(base(keys.level).map(|base| base.level))?,
        read_from: read_from
            .and_then(|read_from| read_from.value.parse().ok())
            .or(base(keys.read_from).map(|base| base.read_from))?,
        max_staleness: max_staleness
            .map(|bound| bound.value)
            .or(base(keys.max_staleness).and_then(|base| base.max_staleness)),
        scope: scope
            .and_then(|scope| scope.value.parse().ok())
            .or(base(keys.scope).map(|base| base.scope))?,
        wait: wait
            .map(|wait| wait.value)
            .or(base(keys.wait).map(|base| base.wait))?,
        on_timeout: on_timeout
            .and_then(|on_timeout| on_timeout.value.parse().ok())
            .or(base(keys.on_timeout).map(|base| base.on_timeout))?,
        max_lag: max_lag
            .map(|lag| lag.value)
            .or(base(keys.max_lag).map(|base| base.max_lag))?,
    };
    if policy.level == Level::Bounded && policy.max_staleness.is_none() {
        faults.fault(
            &place,
            "is \"bounded\", but no max_staleness says how much",
            "write max_staleness, such as \"500ms\", or another level",
        );
        return None;
    }
    Some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::Kind;
    use crate::routing::{OnLostWrites, OnTimeout, ReadFrom, Role, Scope};

    #[test]
    fn the_schema_names_every_choice_that_routing_has() {
        for (key, names) in [
            (&keys::CONSISTENCY_LEVEL, Level::NAMES),
            (&keys::CONSISTENCY_SCOPE, Scope::NAMES),
            (&keys::CONSISTENCY_READS, Reads::NAMES),
            (&keys::CONSISTENCY_ON_TIMEOUT, OnTimeout::NAMES),
            (&keys::CONSISTENCY_READ_FROM, ReadFrom::NAMES),
            (&keys::FAILOVER_ON_LOST_WRITES, OnLostWrites::NAMES),
            (&keys::BACKEND_ROLE, &[Role::NAMES, &["auto"]].concat()),
        ] {
            let Kind::Word { choices } = key.kind else {
                panic!("{}", key.path())
            };
            let mut known = choices.to_vec();
            let mut names = names.to_vec();
            known.sort_unstable();
            names.sort_unstable();
            assert_eq!(known, names, "{}", key.path());
        }
    }
}
