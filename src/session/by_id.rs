//! Tables by numbers that the proxy has given out itself.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Looked into several times for each execution. Nobody outside chooses which numbers are in it, so
/// nothing has to guard against numbers that are chosen to collide.
pub(super) type ById<V> = HashMap<u32, V, BuildHasherDefault<Spread>>;

/// Spreads numbers that count upwards over all bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread(u64);

/// 2^64 divided by the golden ratio: neighbours come to lie far apart.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(ODD);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(ODD);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_entered_is_found_and_nothing_else() {
        let table: ById<u32> = (1..2000).map(|id| (id, id + 1)).collect();
        assert!((1..2000).all(|id| table.get(&id) == Some(&(id + 1))));
        assert_eq!((table.get(&0), table.get(&2000)), (None, None));
    }
}
