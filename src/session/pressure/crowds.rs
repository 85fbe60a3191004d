//! How many of something each account has. An account that has none is not remembered, so there
//! are never more than there are clients.

use std::sync::Arc;

use dashmap::{DashMap, Entry};

/// The counts, by account.
#[derive(Debug, Default)]
pub(super) struct Crowds(DashMap<Vec<u8>, usize>);

/// One of an account's; it is counted until this is dropped.
#[derive(Debug)]
pub(in crate::session) struct Member {
    crowds: Arc<Crowds>,
    user: Vec<u8>,
}

impl Crowds {
    /// One more, unless there are `limit` already; says how many there are then.
    pub(super) fn enter(self: &Arc<Self>, user: &[u8], limit: usize) -> Result<Member, usize> {
        let mut count = self.0.entry(user.to_vec()).or_insert(0);
        if *count >= limit {
            return Err(*count);
        }
        *count += 1;
        drop(count);
        Ok(Member {
            crowds: Arc::clone(self),
            user: user.to_vec(),
        })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.crowds.0.entry(std::mem::take(&mut self.user)) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_as_many_as_it_may_and_nobody_else_suffers() {
        let crowds = Arc::new(Crowds::default());
        let first = crowds.enter(b"a", 2).expect("room");
        let _second = crowds.enter(b"a", 2).expect("room");
        assert_eq!(crowds.enter(b"a", 2).err(), Some(2));
        assert!(crowds.enter(b"b", 2).is_ok());
        drop(first);
        assert!(crowds.enter(b"a", 2).is_ok());
        assert_eq!(crowds.0.len(), 1, "nobody is remembered who has none");
    }
}
