//! A table that grows while others read it. What is in it keeps its place and its address, so a
//! reader needs no lock, and an index that was given out stays good.

use std::fmt;
use std::sync::OnceLock;

/// So many there can be. Backends that are taken out leave their place behind for when they come
/// back, so this is far above what a configuration takes.
pub const SLOTS: usize = 1024;

/// A table of up to [`SLOTS`] values, which are added one by one and never taken out.
pub struct Slots<T>(Box<[OnceLock<T>]>);

impl<T> Slots<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self((0..SLOTS).map(|_| OnceLock::new()).collect())
    }

    /// What has this index.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index)?.get()
    }

    /// Adds a value and returns its index.
    ///
    /// # Errors
    /// The value, if there is no room for it.
    pub fn push(&self, value: T) -> Result<usize, T> {
        let mut value = value;
        for (index, cell) in self.0.iter().enumerate().skip(self.len()) {
            match cell.set(value) {
                Ok(()) => return Ok(index),
                // Somebody else was quicker.
                Err(back) => value = back,
            }
        }
        Err(value)
    }

    /// All of them, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map_while(OnceLock::get)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.get(0).is_none()
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<T> for Slots<T> {
    /// Those beyond [`SLOTS`] are left out.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let slots = Self::new();
        for (cell, value) in slots.0.iter().zip(values) {
            let _ = cell.set(value);
        }
        slots
    }
}

impl<T: fmt::Debug> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_stays_where_it_is() {
        let slots: Slots<&str> = ["a", "b"].into_iter().collect();
        let first = slots.get(0).unwrap();
        assert_eq!(slots.push("c"), Ok(2));
        assert!(std::ptr::eq(first, slots.get(0).unwrap()));
        assert_eq!(slots.iter().copied().collect::<String>(), "abc");
        assert_eq!((slots.len(), slots.get(3)), (3, None));
    }

    #[test]
    fn p9_a_full_table_gives_the_value_back() {
        let slots: Slots<usize> = (0..2 * SLOTS).collect();
        assert_eq!(slots.len(), SLOTS);
        assert_eq!(slots.push(7), Err(7));
    }
}
