//! Owns the calls that are not settled: up, or ended with a recording still awaited. Knows which
//! file holds their first event, and how to close those that a crash cut off.

use std::collections::BTreeMap;

use vocab::media::RecordingKey;
use vocab::{CallId, EndedBy, Event, Fact, OfferResult, Outcome, QueueOutcome};

use crate::entry::Entry;
use crate::files::FileId;

/// What `CallEnded` says of a call that a crash cut off.
pub(crate) const INTERRUPTED: &str =
    "the engine stopped without closing the call (crash, kill or power loss)";

/// Calls remembered at most. A call up is tens of events; more calls than this are not up at
/// once, so the oldest are ended ones whose recording never became known. They are let go: only
/// `Recovery::recordings_awaited` would name them.
const CALLS_MAX: usize = 100_000;

/// The calls that are not settled.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    calls: BTreeMap<CallId, Open>,
}

#[derive(Debug)]
struct Open {
    since: FileId,
    events: Vec<Event>,
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
        let may_settle = matches!(
            event.fact,
            Fact::CallEnded { .. } | Fact::RecordingStored { .. } | Fact::RecordingMissing { .. }
        );
        let open = self.calls.entry(call).or_insert(Open {
            since: file,
            events: Vec::new(),
        });
        open.events.push(event);
        if may_settle && Entry::of(call, &open.events).is_some_and(|entry| entry.is_settled()) {
            self.calls.remove(&call);
        }
        while self.calls.len() > CALLS_MAX {
            self.calls.pop_first();
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
    pub(crate) fn up(&self) -> Vec<Entry> {
        self.entries().filter(|entry| entry.end.is_none()).collect()
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
    facts.push(Fact::CallEnded {
        call,
        outcome: Outcome::Interrupted,
        ended_by: EndedBy::Engine,
        status: None,
        reason: INTERRUPTED.to_owned(),
    });
    facts
}
