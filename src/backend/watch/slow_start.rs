//! A reader that comes back gets its share little by little: its caches are cold, and all sessions
//! that look for a reader would choose it at once.

use std::time::{Duration, Instant};

/// One part in so many of its weight a reader has at once.
const FIRST_PART: u64 = 10;

/// The weight of a reader that has been back since then.
pub(super) fn weight(full: u32, back: Option<Instant>, slow_start: Duration, now: Instant) -> u32 {
    let Some(back) = back.filter(|_| full > 0) else {
        return full;
    };
    let age = now.saturating_duration_since(back).as_millis();
    let (age, all) = match (u64::try_from(age), u64::try_from(slow_start.as_millis())) {
        (Ok(age), Ok(all)) if age < all => (age, all),
        _ => return full,
    };
    let whole = u64::from(full);
    let first = whole / FIRST_PART;
    let part = first + (whole - first).saturating_mul(age) / all;
    u32::try_from(part.max(1)).unwrap_or(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_comes_back_grows_from_a_tenth_to_all_of_its_weight() {
        let back = Instant::now();
        let slow = Duration::from_secs(30);
        let at = |seconds, full| {
            let now = back + Duration::from_secs(seconds);
            weight(full, Some(back), slow, now)
        };
        let shares: Vec<u32> = [0, 10, 20, 29, 30, 99].map(|it| at(it, 100)).into();
        assert_eq!(shares, [10, 40, 70, 97, 100, 100]);
        assert_eq!([at(0, 0), at(0, 1), at(0, 5)], [0, 1, 1]);
        assert_eq!(weight(100, None, slow, back), 100, "never was down");
        assert_eq!(weight(100, Some(back), Duration::ZERO, back), 100);
    }
}
