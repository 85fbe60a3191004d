//! Ten thousand connections take as many file descriptors here, and some more in Tidegate.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{env, fs};

use crate::Error;

/// Set for the second of the two processes below.
const RAISED: &str = "TIDEGATE_BENCH_RAISED";

/// Descriptors that a process needs besides those of the clients.
const OTHERS: u64 = 500;

/// Takes as many as the system allows, for this process and those that it starts: what else runs here
/// is what the shell that is run first has become.
pub(crate) fn raise() -> Result<(), Error> {
    let (now, most) = limits()?;
    if now >= most || env::var_os(RAISED).is_some() {
        return Ok(());
    }
    let failed = Command::new("sh")
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""])
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(RAISED, "1")
        .exec();
    Err(failed.into())
}

/// How many of so many clients there can be, with a descriptor each in every process.
pub(crate) fn clients(wanted: usize) -> Result<usize, Error> {
    let room = limits()?.0.saturating_sub(OTHERS);
    Ok(wanted.min(usize::try_from(room)?))
}

/// What is allowed now and at most (proc(5), "Max open files").
fn limits() -> Result<(u64, u64), Error> {
    let text = fs::read_to_string("/proc/self/limits")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let mut values = line.unwrap_or_default().split_whitespace();
    let mut next = || match values.next() {
        Some("unlimited") => Ok(u64::MAX),
        Some(value) => Ok(value.parse()?),
        None => Err(Error::from("no limit of open files")),
    };
    Ok((next()?, next()?))
}
