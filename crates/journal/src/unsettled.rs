//! Owns the calls that are not settled: up, or ended with a recording still awaited. Knows which
//! file holds their first event, and how to close those that a crash cut off.

use std::collections::BTreeMap;
use std::time::Duration;

use vocab::media::RecordingKey;
use vocab::{
    CallId, EndedBy, Event, EventId, Fact, MessageEnd, OfferResult, Outcome, QueueOutcome, Time,
    TransferResult, WallTime,
};

use crate::entry::Entry;
use crate::files::FileId;

/// What `CallEnded` says of a call that a crash cut off.
pub(crate) const INTERRUPTED: &str =
    "the engine stopped without closing the call (crash, kill or power loss)";

/// Calls remembered at most, in all. Those that are up are bounded by the engine; beyond this
/// number the oldest ended ones are let go, whose recording never became known. Only
/// `Recovery::recordings_awaited` would have named them.
const CALLS_MAX: usize = 20_000;

/// The calls that are not settled.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    calls: BTreeMap<CallId, Open>,
}

#[derive(Debug)]
struct Open {
    since: FileId,
    ended: bool,
    events: Vec<Event>,
}

/// A call without an end.
pub(crate) struct Up {
    /// What is known of it.
    pub(crate) entry: Entry,
    /// Its newest event.
    pub(crate) newest: EventId,
    /// When it began, by the wall clock and by the clock of its boot.
    began: (WallTime, Time),
}

impl Up {
    pub(crate) const fn call(&self) -> CallId {
        self.entry.call
    }

    /// What the clock of its boot read at a wall time: as far on as the wall clock is, which is all that
    /// another process can know.
    pub(crate) fn up_at(&self, at: WallTime) -> Time {
        let (began_at, began_up) = self.began;
        let ms = at.as_unix_millis() - began_at.as_unix_millis();
        began_up + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

impl Unsettled {
    /// Takes note of an event that stands in `file`.
    pub(crate) fn note(&mut self, file: FileId, event: Event) {
        let Some(call) = event.fact.call() else {
            return;
        };
        let arrives = matches!(event.fact, Fact::CallArrived { .. });
        // A recording of a call that is settled or was let go opens nothing.
        if !arrives && !self.calls.contains_key(&call) {
            return;
        }
        let ends = matches!(event.fact, Fact::CallEnded { .. });
        let open = Open {
            since: file,
            ended: false,
            events: Vec::new(),
        };
        let open = self.calls.entry(call).or_insert(open);
        open.events.push(event);
        open.ended |= ends;
        if ends {
            // What is still of interest is which recordings are awaited.
            open.events.retain(|event| is_of_recordings(&event.fact));
        }
        if open.ended && Entry::of(call, &open.events).is_some_and(|entry| entry.is_settled()) {
            self.calls.remove(&call);
        }
        if self.calls.len() > CALLS_MAX {
            let oldest = self
                .calls
                .iter()
                .find(|(_, open)| open.ended)
                .map(|(call, _)| *call);
            oldest.and_then(|call| self.calls.remove(&call));
        }
    }

    /// The oldest file with an event of such a call; `otherwise` if there are none.
    pub(crate) fn oldest(&self, otherwise: FileId) -> FileId {
        self.calls
            .values()
            .map(|open| open.since)
            .min()
            .unwrap_or(otherwise)
    }

    /// The calls without an end.
    pub(crate) fn up(&self) -> Vec<Up> {
        let ups = self.calls.iter().filter_map(|(call, open)| {
            let entry = Entry::of(*call, &open.events)?;
            let first = open.events.iter().min_by_key(|event| event.id)?;
            let newest = open.events.iter().map(|event| event.id).max()?;
            entry.end.is_none().then_some(Up {
                entry,
                newest,
                began: (first.at, first.up),
            })
        });
        ups.collect()
    }

    /// Recordings of which nothing is known yet.
    pub(crate) fn recordings_awaited(&self) -> Vec<RecordingKey> {
        self.entries()
            .flat_map(|entry| {
                let call = entry.call;
                let segments: Vec<u16> = entry.recordings_awaited().collect();
                segments
                    .into_iter()
                    .map(move |segment| RecordingKey { call, segment })
            })
            .collect()
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.calls
            .iter()
            .filter_map(|(call, open)| Entry::of(*call, &open.events))
    }
}

const fn is_of_recordings(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::SegmentStarted { .. }
            | Fact::MessageStarted { .. }
            // A wait that is recorded is one of a stay.
            | Fact::QueueEntered { .. }
            | Fact::WaitRecorded { .. }
            | Fact::CallEnded { .. }
            | Fact::RecordingStored { .. }
            | Fact::RecordingMissing { .. }
    )
}

/// The facts that close a call which a crash cut off.
///
/// A queue that the call was waiting in is left as `Closed`: METRICS.md knows no outcome for an
/// engine that died, and this is the one which keeps its identity (offered = sum of outcomes)
/// without counting the call as the caller's choice (abandoned) or as reached (answered). The
/// call's own outcome, `Interrupted`, tells such entries apart.
pub(crate) fn closing_facts(entry: &Entry) -> Vec<Fact> {
    let call = entry.call;
    let mut facts = Vec::new();
    for offer in entry.offers.iter().filter(|offer| offer.ended.is_none()) {
        facts.push(Fact::OfferEnded {
            call,
            offer: offer.offer,
            result: OfferResult::Withdrawn,
            status: None,
        });
    }
    for queue in entry.queues.iter().filter(|queue| queue.left.is_none()) {
        facts.push(Fact::QueueLeft {
            call,
            queue: queue.queue.clone(),
            outcome: QueueOutcome::Closed,
        });
    }
    for segment in entry
        .segments
        .iter()
        .filter(|segment| segment.ended.is_none())
    {
        facts.push(Fact::SegmentEnded {
            call,
            segment: segment.number,
            ended_by: EndedBy::Engine,
        });
    }
    // What was said is repaired out of the spool, and somebody is to hear it.
    for message in entry.messages.iter().filter(|one| one.ended.is_none()) {
        facts.push(Fact::MessageEnded {
            call,
            segment: message.segment,
            ended_by: MessageEnd::Engine,
            kept: true,
        });
    }
    for transfer in entry.transfers.iter().filter(|t| t.ended.is_none()) {
        facts.push(Fact::TransferEnded {
            call,
            transfer: transfer.number,
            result: TransferResult::Withdrawn,
            status: None,
        });
    }
    facts.push(Fact::CallEnded {
        call,
        outcome: Outcome::Interrupted,
        ended_by: EndedBy::Engine,
        status: None,
        reason: INTERRUPTED.to_owned(),
    });
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{BOOT, History, answered_call};

    const FILE: FileId = FileId {
        boot: BOOT,
        number: 3,
    };

    #[test]
    fn calls_whose_recording_never_comes_are_let_go_before_those_that_are_up() {
        let mut unsettled = Unsettled::default();
        let id = |n| CallId::new(BOOT, n);
        for n in 0..=u32::try_from(CALLS_MAX).unwrap() {
            let mut history = History::new(BOOT);
            answered_call(&mut history, id(n));
            history.events.pop(); // the recording
            if n == 0 {
                history.events.pop(); // the end
            }
            for event in history.events {
                unsettled.note(FILE, event);
            }
        }
        assert_eq!(unsettled.calls.len(), CALLS_MAX);
        assert_eq!(unsettled.up().len(), 1);
        assert!(!unsettled.calls.contains_key(&id(1)));
        assert_eq!(unsettled.oldest(FILE.next()), FILE);
    }

    #[test]
    fn a_settled_call_is_forgotten() {
        let mut unsettled = Unsettled::default();
        let mut history = History::new(BOOT);
        answered_call(&mut history, CallId::new(BOOT, 1));
        for event in history.events.clone() {
            unsettled.note(FILE, event);
        }
        assert!(unsettled.calls.is_empty());
        unsettled.note(FILE, history.events.pop().unwrap());
        assert!(
            unsettled.calls.is_empty(),
            "a doubled recording opens nothing"
        );
    }
}
