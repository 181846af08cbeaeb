//! Owns what is remembered of callers who are not here: the place of one who hung up, and the
//! operator who talked to one last. Both are bounded; the oldest is forgotten first.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use vocab::{OperatorId, QueueId, Time};

/// Places kept at once: a queue of that length that hangs up as one.
const PLACES_MAX: usize = 10_000;

/// Callers whose last operator is remembered: those of about a month at 3,000 calls a day.
const REGULARS_MAX: usize = 100_000;

/// Places of callers who hung up.
#[derive(Debug, Default)]
pub(crate) struct KeptPlaces {
    by_number: BTreeMap<String, Kept>,
    by_end: BTreeSet<(Time, String)>,
}

#[derive(Debug)]
struct Kept {
    queue: QueueId,
    since: Time,
    until: Time,
}

impl KeptPlaces {
    /// Keeps the place of a caller for so long. A withheld number has none.
    pub(crate) fn keep(
        &mut self,
        now: Time,
        long: Duration,
        queue: QueueId,
        caller: &str,
        since: Time,
    ) {
        if caller.is_empty() {
            return;
        }
        self.forget_old(now);
        self.remove(caller);
        if self.by_number.len() >= PLACES_MAX
            && let Some((_, oldest)) = self.by_end.pop_first()
        {
            self.by_number.remove(&oldest);
        }
        let until = now + long;
        self.by_end.insert((until, caller.to_owned()));
        let kept = Kept {
            queue,
            since,
            until,
        };
        self.by_number.insert(caller.to_owned(), kept);
    }

    /// Since when a caller who is back has waited, if the place was kept.
    pub(crate) fn take(&mut self, now: Time, queue: QueueId, caller: &str) -> Option<Time> {
        self.forget_old(now);
        if self.by_number.get(caller)?.queue != queue {
            return None;
        }
        self.remove(caller)
    }

    fn remove(&mut self, caller: &str) -> Option<Time> {
        let (number, kept) = self.by_number.remove_entry(caller)?;
        self.by_end.remove(&(kept.until, number));
        Some(kept.since)
    }

    fn forget_old(&mut self, now: Time) {
        while self.by_end.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, number)) = self.by_end.pop_first() {
                self.by_number.remove(&number);
            }
        }
    }
}

/// Who talked to a caller last.
#[derive(Debug, Default)]
pub(crate) struct Regulars {
    by_number: BTreeMap<String, (OperatorId, Time)>,
    by_time: BTreeSet<(Time, String)>,
}

impl Regulars {
    pub(crate) fn of(&self, caller: &str) -> Option<OperatorId> {
        self.by_number.get(caller).map(|(operator, _)| *operator)
    }

    pub(crate) fn served(&mut self, now: Time, caller: &str, operator: OperatorId) {
        if caller.is_empty() {
            return;
        }
        if let Some((number, (_, at))) = self.by_number.remove_entry(caller) {
            self.by_time.remove(&(at, number));
        }
        if self.by_number.len() >= REGULARS_MAX
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.by_number.remove(&oldest);
        }
        self.by_number.insert(caller.to_owned(), (operator, now));
        self.by_time.insert((now, caller.to_owned()));
    }

    /// A talk that is older than all that is known: it counts for a number of which nothing is known, as
    /// far as there is room, and is forgotten before all others.
    pub(crate) fn served_before(&mut self, caller: String, operator: OperatorId) {
        let known = caller.is_empty() || self.by_number.contains_key(&caller);
        if known || self.by_number.len() >= REGULARS_MAX {
            return;
        }
        self.by_time.insert((Time::ZERO, caller.clone()));
        self.by_number.insert(caller, (operator, Time::ZERO));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_talk_counts_where_none_is_known_and_takes_the_room_of_none() {
        let (now, mut regulars) = (Time::from_millis(5), Regulars::default());
        regulars.served(now, "1", OperatorId(1));
        regulars.served_before("1".to_owned(), OperatorId(2));
        regulars.served_before("2".to_owned(), OperatorId(2));
        regulars.served_before("2".to_owned(), OperatorId(3));
        regulars.served_before(String::new(), OperatorId(3));
        let of = |number: &str, regulars: &Regulars| regulars.of(number);
        assert_eq!(of("1", &regulars), Some(OperatorId(1)));
        assert_eq!(of("2", &regulars), Some(OperatorId(2)));
        assert_eq!(regulars.by_number.len(), 2);
        for number in 3..=REGULARS_MAX {
            regulars.served(now, &number.to_string(), OperatorId(4));
        }
        regulars.served_before("more".to_owned(), OperatorId(5));
        assert_eq!(of("more", &regulars), None, "there is no room");
        regulars.served(now, "new", OperatorId(6));
        assert_eq!(
            of("2", &regulars),
            None,
            "the oldest talk is forgotten first"
        );
        assert_eq!(of("1", &regulars), Some(OperatorId(1)));
        assert_eq!(regulars.by_number.len(), regulars.by_time.len());
    }

    #[test]
    fn the_oldest_kept_places_are_forgotten_first() {
        let mut kept = KeptPlaces::default();
        let minute = Duration::from_secs(60);
        for number in 0..=PLACES_MAX as u64 {
            let now = Time::from_micros(number);
            kept.keep(now, minute, QueueId(1), &number.to_string(), now);
        }
        let now = Time::from_millis(100);
        assert_eq!(kept.take(now, QueueId(1), "0"), None);
        assert_eq!(kept.take(now, QueueId(1), "1"), Some(Time::from_micros(1)));
        assert_eq!(kept.take(now, QueueId(1), "1"), None, "taken once");
        assert_eq!(kept.by_number.len(), kept.by_end.len());
    }
}
