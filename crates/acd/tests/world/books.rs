//! What the checkers write down, and the rules by which they judge.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acd::{Acd, Need, Occasion, OperatorSettings, QueueSettings};
use vocab::{CallId, OfferId, OperatorId, OperatorState, QueueId, QueueOutcome, Time};

use crate::people::STICKY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Answered,
    Abandoned,
    Dismissed(QueueOutcome),
    CalledBack,
    GaveUp,
    Overtaken,
    Cancelled,
}

#[derive(Debug)]
pub struct Waiting {
    pub queue: QueueId,
    pub priority: u8,
    /// What the call itself brought.
    pub brought: u8,
    pub since: Time,
    pub entered: Time,
    pub caller: String,
    pub language: Option<&'static str>,
    pub offers: BTreeSet<OfferId>,
    /// Offers of it failed there; not again before.
    pub not_before: BTreeMap<OperatorId, Time>,
    /// It may wait for one operator alone.
    pub may_have_own: bool,
    /// A virtual caller, by number.
    pub callback: Option<String>,
}

impl Waiting {
    fn key(&self, id: CallId) -> (Reverse<u8>, Time, CallId) {
        (Reverse(self.priority), self.since, id)
    }

    /// Whether nothing but the order of service and the operators decides when it is served.
    fn is_plain(&self, now: Time) -> bool {
        let own = self.may_have_own && now.since(self.entered) <= STICKY;
        !own && self.callback.is_none() && self.offers.is_empty()
    }
}

#[derive(Debug, Default)]
pub struct Person {
    pub settings: Option<OperatorSettings>,
    pub reachable: bool,
    pub available: bool,
    pub offer: Option<OfferId>,
    pub talking: Option<CallId>,
    pub other_calls: u32,
}

#[derive(Debug)]
pub struct Ringing {
    pub call: CallId,
    pub operator: OperatorId,
    pub until: Time,
    pub dials: bool,
}

/// How often calls entered a queue, and how they left it: the identity of METRICS.md.
#[derive(Debug, Default)]
pub struct Ledger {
    pub offered: u64,
    pub left: u64,
}

#[derive(Default)]
pub struct Books {
    pub queues: BTreeMap<QueueId, QueueSettings>,
    pub waiting: BTreeMap<CallId, Waiting>,
    /// Callbacks whose number is being dialled after an operator answered.
    pub dialling: BTreeMap<CallId, (Waiting, OperatorId)>,
    pub ends: BTreeMap<CallId, End>,
    pub people: BTreeMap<OperatorId, Person>,
    pub offers: BTreeMap<OfferId, Ringing>,
    pub dead: BTreeSet<OfferId>,
    pub kept: BTreeMap<String, (QueueId, Time, Time)>,
    pub ledgers: BTreeMap<QueueId, Ledger>,
    pub seen: BTreeMap<&'static str, u64>,
}

impl Books {
    pub fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub fn end(&mut self, call: CallId, end: End) {
        let before = self.ends.insert(call, end);
        assert_eq!(before, None, "{call} ended twice");
    }

    pub fn enter(&mut self, call: CallId, waiting: Waiting) {
        self.ledgers.entry(waiting.queue).or_default().offered += 1;
        let before = self.waiting.insert(call, waiting);
        assert!(before.is_none(), "{call} entered twice");
    }

    pub fn leave(&mut self, call: CallId) -> Waiting {
        let waiting = self.waiting.remove(&call).expect("one that leaves waits");
        self.ledgers.entry(waiting.queue).or_default().left += 1;
        waiting
    }

    /// An offer is over; the operator is free of it.
    pub fn offer_over(&mut self, offer: OfferId) -> Option<Ringing> {
        let ringing = self.offers.remove(&offer)?;
        self.dead.insert(offer);
        self.people.get_mut(&ringing.operator).unwrap().offer = None;
        if let Some(waiting) = self.waiting.get_mut(&ringing.call) {
            waiting.offers.remove(&offer);
        }
        Some(ringing)
    }

    /// The priority of a call in a queue.
    pub fn priority(&self, queue: QueueId, brought: u8) -> u8 {
        brought + self.queues[&queue].priority
    }

    fn may_ring(&self, operator: OperatorId) -> bool {
        let person = &self.people[&operator];
        person.settings.is_some()
            && person.reachable
            && person.available
            && person.talking.is_none()
            && person.offer.is_none()
            && person.other_calls == 0
    }

    /// Whether an operator may have a call even before anything of it is eased, and at any time.
    fn fits(&self, now: Time, waiting: &Waiting, operator: OperatorId) -> bool {
        let Some(settings) = &self.people[&operator].settings else {
            return false;
        };
        let queue = &self.queues[&waiting.queue];
        let member = settings
            .queues
            .iter()
            .find(|one| one.queue == waiting.queue);
        let serves = match member {
            Some(member) => member.delay <= now.since(waiting.since) && !member.reserve,
            None => settings.queues.is_empty() && !queue.members_only,
        };
        let level = |skill: &str| settings.skills.get(skill).copied().unwrap_or(0);
        let skilled = queue.skills.iter().all(|one| match one.need {
            Need::Required(limits) => {
                level(&one.skill) > 0 && (limits.min..=limits.max).contains(&level(&one.skill))
            }
            Need::Preferred => true,
        });
        // At the very moment when a delay ends either answer is right.
        let not_barred = waiting
            .not_before
            .get(&operator)
            .is_none_or(|until| *until < now);
        serves && skilled && not_barred && waiting.language.is_none_or(|one| level(one) > 0)
    }

    /// An offer was made: to one who is bound by nothing, of a call whose turn it is.
    pub fn check_offer(&self, now: Time, call: CallId, operator: OperatorId, why: Occasion) {
        let waiting = self.waiting.get(&call).expect("an offered call waits");
        assert!(self.may_ring(operator), "{:?}", self.people[&operator]);
        if matches!(why, Occasion::Assigned | Occasion::Pulled) {
            return;
        }
        let until = waiting
            .not_before
            .get(&operator)
            .copied()
            .unwrap_or_default();
        assert!(until <= now, "asked again too early");
        let key = waiting.key(call);
        for (id, other) in &self.waiting {
            // Whoever may have a call may have an older one that asks for the same: it is eased
            // as far, or further.
            let alike = other.queue == waiting.queue
                && other.language == waiting.language
                && other.since <= waiting.since
                // One's own operator may be of another queue.
                && (why != Occasion::OwnOperator || self.fits(now, other, operator));
            let barred = other
                .not_before
                .get(&operator)
                .is_some_and(|until| *until >= now);
            if alike && !barred && other.is_plain(now) && waiting.callback.is_none() {
                assert!(
                    other.key(*id) >= key,
                    "{operator:?} at {now}: {id} {other:?} was to be served before {call} {waiting:?}"
                );
            }
        }
    }

    /// What must be true between events.
    pub fn check_rest(&self, acd: &Acd, now: Time, thoroughly: bool) {
        // Who is owed a callback waits on no line.
        let on_line = self.waiting.values().filter(|one| one.callback.is_none());
        assert_eq!(acd.waiting(), on_line.count());
        self.check_live(acd, now);
        let late = self.offers.values().find(|ringing| ringing.until < now);
        assert!(late.is_none(), "a reservation outlives its time: {late:?}");
        for (operator, person) in &self.people {
            let Some((state, _)) = acd.operator_state(*operator) else {
                assert!(person.settings.is_none() && person.offer.is_none());
                assert!(person.talking.is_none());
                continue;
            };
            let rings = matches!(state, OperatorState::Reserved | OperatorState::Ringing);
            assert_eq!(rings, person.offer.is_some(), "{operator:?} {state:?}");
            let talks = matches!(state, OperatorState::Talking | OperatorState::Held);
            assert_eq!(talks, person.talking.is_some(), "{operator:?} {state:?}");
            if state == OperatorState::Free && person.settings.is_some() {
                assert!(self.may_ring(*operator), "{state:?} but {person:?}");
                if thoroughly {
                    self.check_idle(now, *operator);
                }
            }
        }
    }

    /// The live picture says what the books say.
    fn check_live(&self, acd: &Acd, now: Time) {
        let live = acd.live_queues(now);
        assert!(live.len() >= self.queues.len());
        for (id, queue) in &self.queues {
            let shown = live.iter().find(|one| one.name == queue.name).unwrap();
            let here = || self.waiting.values().filter(|one| one.queue == *id);
            let on_line = || here().filter(|one| one.callback.is_none());
            let longest = on_line().map(|one| now.since(one.entered)).max();
            assert_eq!(shown.waiting as usize, on_line().count(), "{shown:?}");
            let owed = here().count() - on_line().count();
            assert_eq!(shown.callbacks as usize, owed, "{shown:?}");
            let longest = longest.unwrap_or_default().as_millis();
            assert_eq!(u128::from(shown.longest_wait_ms), longest, "{shown:?}");
            assert_eq!(shown.free > 0, acd.has_free(*id), "{shown:?}");
            let able = self.people.keys().filter(|one| self.may_ring(**one));
            assert!(shown.free as usize <= able.count(), "{shown:?}");
        }
    }

    /// Nobody waits whom a free operator may have.
    fn check_idle(&self, now: Time, operator: OperatorId) {
        for waiting in self.waiting.values().filter(|one| one.is_plain(now)) {
            let wasted = self.fits(now, waiting, operator);
            assert!(!wasted, "{operator:?} is free and {waiting:?} waits");
        }
    }

    /// The identity of METRICS.md, queue by queue.
    pub fn check_ledgers(&self) {
        for (queue, ledger) in &self.ledgers {
            let inside = self
                .waiting
                .values()
                .filter(|one| one.queue == *queue)
                .count();
            assert_eq!(ledger.offered, ledger.left + inside as u64, "{queue:?}");
        }
    }

    /// Since when a caller waits who is owed a callback.
    pub fn owed_since(&self, queue: QueueId, caller: &str) -> Option<Time> {
        let owed = |one: &&Waiting| one.queue == queue && one.callback.as_deref() == Some(caller);
        self.waiting.values().find(owed).map(|one| one.since)
    }

    /// Since when a caller who is back waits: from the place that was kept.
    pub fn kept_since(&mut self, now: Time, queue: QueueId, caller: &str) -> Option<Time> {
        let (kept_in, since, until) = *self.kept.get(caller)?;
        if until <= now {
            self.kept.remove(caller);
            return None;
        }
        if kept_in != queue {
            return None;
        }
        self.kept.remove(caller);
        Some(since)
    }
}

/// A bound on every reservation: the longest ring time, or twice that where a number is dialled
/// first.
pub fn ring_bound(ring: Duration) -> Duration {
    ring + Duration::from_millis(1)
}
