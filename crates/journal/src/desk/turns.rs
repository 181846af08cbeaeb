//! Owns the order of what people write about one thing: each wish is judged against what the one before
//! left there, also while the database does not have that yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use vocab::{CallId, EventId};

/// What wishes are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// One entry.
    Entry(CallId),
    /// All cards of persons, since numbers go from one to another.
    Cards,
}

/// The turn of whoever writes about a subject. It holds the last event about it that the database may
/// not have.
pub(super) type Turn = OwnedMutexGuard<Option<EventId>>;

/// Who writes about what now. Knows only of subjects about which somebody does, or of which the database
/// does not have everything.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<Subject, Arc<tokio::sync::Mutex<Option<EventId>>>>>);

impl Turns {
    /// Waits until nobody else writes about a subject.
    pub(super) async fn take(&self, subject: Subject) -> Turn {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| {
                let idle = Arc::strong_count(turn) == 1;
                !idle || turn.try_lock().is_ok_and(|behind| behind.is_some())
            });
            Arc::clone(turns.entry(subject).or_default())
        };
        turn.lock_owned().await
    }
}
