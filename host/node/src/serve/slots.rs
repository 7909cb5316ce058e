//! How many conversations there may be at once, and whose.
//!
//! No user can have so many that another one can't have any, and whatever users do, root and the node's own user can ask and
//! drain: for that they have a reserve beyond all bounds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, geteuid, getrlimit};

use super::seldom::Seldom;

/// Bounds of a node's conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conversations of all users.
    pub total: usize,
    /// Conversations of one user.
    pub per_user: usize,
    /// Conversations beyond these, for questions and drains of root and the node's own user.
    pub reserve: usize,
    /// How long a conversation may take for its next request, unless it is a listener's, and for taking an answer.
    pub silence: Duration,
}

impl Limits {
    /// Most conversations of all users.
    const TOTAL: usize = 16384;
}

impl Default for Limits {
    /// As many as this process may have descriptors for: a conversation needs one, what comes in it another, and as many
    /// are left for the node and what arrives.
    fn default() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |n| n as usize);
        let total = (descriptors / 4).clamp(2, Self::TOTAL);
        Limits { total, per_user: total / 2, reserve: 16, silence: Duration::from_secs(10) }
    }
}

/// Whether a user may take what is another one's, and drain.
pub(super) fn is_privileged(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

/// Conversations under way.
#[derive(Debug)]
pub(super) struct Slots {
    pub limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    by_user: HashMap<u32, usize>,
    ordinary: usize,
    reserved: usize,
    refused: Seldom,
}

/// A conversation's. Dropping it makes room for another one.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    user: u32,
    /// Of the reserve.
    pub reserved: bool,
}

impl Slots {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Slots { limits, taken: Mutex::default() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: this user has as many as one may have, or all users have.
    pub fn take(self: &Arc<Self>, user: u32) -> Option<Slot> {
        let mut taken = self.taken();
        let theirs = taken.by_user.get(&user).copied().unwrap_or_default();
        let ordinary = theirs < self.limits.per_user && taken.ordinary < self.limits.total;
        if ordinary {
            taken.ordinary += 1;
            *taken.by_user.entry(user).or_default() += 1;
        } else if is_privileged(user) && taken.reserved < self.limits.reserve {
            taken.reserved += 1;
        } else {
            if let Some(times) = taken.refused.now() {
                let (Limits { total, per_user, .. }, all) = (self.limits, taken.ordinary);
                tracing::warn!(
                    "{times} conversations refused: user {user} has {theirs} of at most {per_user}, all users {all} of {total}"
                );
            }
            return None;
        }
        Some(Slot { slots: self.clone(), user, reserved: !ordinary })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        if self.reserved {
            taken.reserved -= 1;
            return;
        }
        taken.ordinary -= 1;
        if let Some(theirs) = taken.by_user.get_mut(&self.user) {
            *theirs -= 1;
            if *theirs == 0 {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_bound_and_the_privileged_a_reserve() {
        let slots = Slots::new(Limits { total: 5, per_user: 3, reserve: 2, silence: Duration::MAX });
        let own = geteuid().as_raw();
        let take = |user| slots.take(user).map(|slot| (slot.reserved, slot));
        let (one, other) = (own + 1000, own + 1001);
        let mut ones: Vec<_> = (0..3).map(|_| take(one).unwrap()).collect();
        assert!(take(one).is_none());
        let others: Vec<_> = (0..2).map(|_| take(other).unwrap()).collect();
        assert!(take(other).is_none(), "all users' bound");
        let reserve: Vec<_> = (0..2).map(|_| take(own).unwrap()).collect();
        assert!(ones.iter().chain(&others).all(|(reserved, _)| !reserved) && reserve.iter().all(|(r, _)| *r));
        assert!(take(own).is_none() && take(0).is_none());
        drop(reserve);
        drop(ones.pop());
        assert!(!take(own).unwrap().0, "there is room again, and it was given back");
        assert!(take(other).is_some() && take(one).is_some());
        drop((ones, others));
        assert!(slots.taken().by_user.is_empty() && slots.taken().ordinary == 0);
    }
}
