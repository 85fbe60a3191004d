//! `[http]` and `[console]`: where operators look, and how they show that they are operators.

use super::addresses::is_loopback;
use super::fault::{Faults, Located};
use super::files::Surroundings;
use super::schema::{self, keys};
use super::secrets::{self, Password};
use super::table::Document;
use super::value;
use crate::admin::{self, Login, console};
use crate::error::Secret;
use crate::net::Endpoint;

/// `[http]`: `Some(None)` without the table.
pub(super) fn http(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Option<Located<admin::Config>>> {
    let table = document.table(&schema::HTTP);
    if !table.is_present() {
        return Some(None);
    }
    let address = table.read(&keys::HTTP_ADDRESS, value::address, faults);
    let allow_remote = table
        .read(&keys::HTTP_ALLOW_REMOTE, value::flag, faults)?
        .value;
    let user = table.read(&keys::HTTP_USER, value::text, faults);
    let login = match secrets::password(&table, &secrets::HTTP, around, faults) {
        Password::Absent => None,
        Password::Faulty => return None,
        Password::Given(password, _) => Some(Login {
            user: user?.value,
            password,
        }),
    };
    let Located { value, place } = address?;
    if login.is_none() && !allow_remote && !is_loopback(&value) {
        faults.fault(
            &place,
            format!("{value} can be reached from other machines, without a login"),
            "listen on 127.0.0.1, give [http] a password, or set [http] allow_remote = true",
        );
    }
    let config = admin::Config {
        is_local: is_loopback(&value),
        address: value,
        login,
    };
    Some(Some(Located {
        value: config,
        place,
    }))
}

/// `[console]`: `Some(None)` without the table.
pub(super) fn console(
    document: &Document<'_>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Option<Option<Located<console::Config>>> {
    let table = document.table(&schema::CONSOLE);
    if !table.is_present() {
        return Some(None);
    }
    let address = table.read(&keys::CONSOLE_ADDRESS, value::address, faults);
    let user = table.read(&keys::CONSOLE_USER, value::text, faults);
    let password = match secrets::password(&table, &secrets::CONSOLE, around, faults) {
        Password::Absent => Secret::default(),
        Password::Faulty => return None,
        Password::Given(password, _) => password,
    };
    let Located { value, place } = address?;
    if password.expose().is_empty() && !is_loopback(&value) {
        faults.fault(
            &place,
            format!("{value} can be reached from other machines, without a password"),
            "listen on 127.0.0.1 or a unix socket, or give [console] a password",
        );
    }
    let config = console::Config {
        address: value,
        user: user?.value,
        password,
    };
    Some(Some(Located {
        value: config,
        place,
    }))
}

/// Where one of them listens.
pub(super) fn endpoint<T>(
    config: Option<&Located<T>>,
    address: impl Fn(&T) -> &Endpoint,
) -> Option<Located<Endpoint>> {
    config.map(|config| Located {
        value: address(&config.value).clone(),
        place: config.place.clone(),
    })
}
