//! Owns the checkers: what must be true of a world that was lived to its end, whatever went wrong
//! in it. They judge the facts of the journal, not the engine's own view of itself.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use vocab::{
    CallId, Event, Fact, OfferId, OperatorId, Order, QueueOutcome, Time, TransferResult,
    TransferTarget,
};

use crate::callers::Placed;

/// A segment's time may leave the sum by this much.
const ROUNDING: Duration = Duration::from_millis(20);

/// A telephone that hears nothing repeats its INVITE for so long (RFC 3261 §17.1.1.2: 64 times T1, and what
/// the network takes): a process that comes after a crash takes it for a call of its own.
const REPEATED: Duration = Duration::from_secs(33);

/// All that the facts must say; the first thing that is wrong.
pub(crate) fn facts(events: &[Event]) -> Result<(), String> {
    ids(events)?;
    let calls = by_call(events);
    for (call, events) in &calls {
        one_call(*call, events).map_err(|wrong| format!("{call}: {wrong}"))?;
    }
    offers(events)?;
    queues(events)?;
    order_of_service(events)?;
    Ok(())
}

fn by_call(events: &[Event]) -> BTreeMap<CallId, Vec<&Event>> {
    let mut calls: BTreeMap<CallId, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Some(call) = event.fact.call() {
            calls.entry(call).or_default().push(event);
        }
    }
    calls
}

/// Ids of one boot are consecutive: nothing between two events is lost.
fn ids(events: &[Event]) -> Result<(), String> {
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    for event in events {
        let (boot, number) = (event.id.boot(), event.id.counter());
        let before = last.insert(boot, number).unwrap_or(0);
        if number != before + 1 {
            return Err(format!(
                "event {number} of boot {boot} comes after {before}"
            ));
        }
    }
    Ok(())
}

/// One arrival first, one end, nothing but recordings after it; each talk has an end and its audio.
fn one_call(call: CallId, events: &[&Event]) -> Result<(), String> {
    let is_arrival = |event: &&&Event| matches!(event.fact, Fact::CallArrived { .. });
    let is_end = |event: &&&Event| matches!(event.fact, Fact::CallEnded { .. });
    let arrivals = events.iter().filter(is_arrival).count();
    let ends = events.iter().filter(is_end).count();
    if (arrivals, ends) != (1, 1) {
        return Err(format!("{arrivals} arrivals and {ends} outcomes"));
    }
    if !events.first().is_some_and(|event| is_arrival(&event)) {
        return Err("something happened before it arrived".to_owned());
    }
    let end = events.iter().position(|event| is_end(&event)).unwrap_or(0);
    // Audio is finished, and the operator goes on working, when the caller is gone.
    let may_follow = |event: &Event| {
        matches!(
            event.fact,
            Fact::RecordingStored { .. }
                | Fact::RecordingMissing { .. }
                | Fact::LegMeasured { .. }
                | Fact::WrapUpEnded { .. }
        )
    };
    if let Some(late) = events.iter().skip(end + 1).find(|event| !may_follow(event)) {
        return Err(format!("after its end: {:?}", late.fact));
    }
    let entry = journal::Entry::of(call, events.iter().copied());
    let entry = entry.ok_or("its events make no entry")?;
    if !entry.is_settled() {
        return Err("its entry is not settled".to_owned());
    }
    recordings(events)?;
    segments(&entry)
}

/// Each recorded segment has its audio, or the reason why not; once.
fn recordings(events: &[&Event]) -> Result<(), String> {
    let mut wanted = BTreeSet::new();
    let mut known = BTreeSet::new();
    for event in events {
        match &event.fact {
            Fact::SegmentStarted {
                segment, recorded, ..
            } if *recorded => {
                wanted.insert(*segment);
            }
            Fact::WaitRecorded { segment, .. } => {
                wanted.insert(*segment);
            }
            Fact::RecordingStored { segment, .. } | Fact::RecordingMissing { segment, .. }
                if !known.insert(*segment) =>
            {
                return Err(format!("segment {segment} has two recordings"));
            }
            _ => {}
        }
    }
    if wanted == known {
        return Ok(());
    }
    Err(format!(
        "segments {wanted:?} are recorded, of {known:?} it is known"
    ))
}

/// Segments follow each other within the call, and sum up to the talk.
fn segments(entry: &journal::Entry) -> Result<(), String> {
    let mut sum = Duration::ZERO;
    let mut before = None;
    for segment in &entry.segments {
        let (ended, _) = segment.ended.ok_or("a talk without an end")?;
        if ended.up < segment.started.up || before.is_some_and(|end| end > segment.started.up) {
            return Err(format!(
                "segment {} overlaps the one before",
                segment.number
            ));
        }
        before = Some(ended.up);
        sum += segment.started.until(ended);
    }
    let talk = entry.talk().unwrap_or_default();
    let apart = talk.max(sum).saturating_sub(talk.min(sum));
    if apart > ROUNDING {
        return Err(format!(
            "segments sum up to {sum:?}, the call says {talk:?}"
        ));
    }
    let whole = entry.duration().unwrap_or_default();
    if sum > whole + ROUNDING {
        return Err(format!("it talks for {sum:?} and lasts {whole:?}"));
    }
    Ok(())
}

/// Never two offers to one operator; each offer has one end.
fn offers(events: &[Event]) -> Result<(), String> {
    let mut open: BTreeMap<OperatorId, OfferId> = BTreeMap::new();
    let mut operator_of: BTreeMap<OfferId, OperatorId> = BTreeMap::new();
    for event in events {
        match &event.fact {
            Fact::OfferMade {
                offer, operator, ..
            } => {
                if let Some(other) = open.insert(operator.id, *offer) {
                    let login = &operator.login;
                    return Err(format!("{login} has {offer} while {other} is open"));
                }
                operator_of.insert(*offer, operator.id);
            }
            Fact::OfferEnded { offer, .. } => {
                let operator = operator_of.remove(offer);
                let operator = operator.ok_or(format!("{offer} ends twice, or never began"))?;
                open.remove(&operator);
            }
            _ => {}
        }
    }
    match open.values().next() {
        Some(offer) => Err(format!("{offer} has no end")),
        None => Ok(()),
    }
}

/// METRICS.md: offered = the sum of the outcomes, when nobody waits any more.
fn queues(events: &[Event]) -> Result<(), String> {
    let mut offered: BTreeMap<&str, u64> = BTreeMap::new();
    let mut left: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    let mut waits: BTreeSet<CallId> = BTreeSet::new();
    for event in events {
        match &event.fact {
            Fact::QueueEntered { call, queue, .. } => {
                *offered.entry(queue).or_default() += 1;
                if !waits.insert(*call) {
                    return Err(format!("{call} waits in two queues"));
                }
            }
            Fact::QueueLeft {
                call,
                queue,
                outcome,
            } => {
                let outcome = format!("{outcome:?}");
                *left.entry(queue).or_default().entry(outcome).or_default() += 1;
                if !waits.remove(call) {
                    return Err(format!("{call} leaves a queue in which it does not wait"));
                }
            }
            _ => {}
        }
    }
    for (queue, offered) in offered {
        let outcomes = left.remove(queue).unwrap_or_default();
        let sum: u64 = outcomes.values().sum();
        if offered != sum {
            return Err(format!("{queue}: {offered} offered, but {outcomes:?}"));
        }
    }
    Ok(())
}

/// A waiting call as the order of service sees it.
struct Waiting {
    queue: String,
    priority: u8,
    since: Time,
    /// When it came to this queue, be it at an old place.
    entered: Time,
    ringing: bool,
    /// A supervisor gives it to somebody, or an operator takes it: its turn does not count.
    out_of_turn: bool,
    /// It was transferred to a plan or a queue: whom the operator there drops out of a consultation has the
    /// place from before, whom the plan leads here a new one. The facts are alike.
    has_two_places: bool,
    /// Who had the call offered already, and did not take it.
    refused: BTreeSet<OperatorId>,
}

/// Within one queue the higher priority is served first, and of equals the one who came first; a call
/// that comes back has its old place. Who did not take a call may be given another one before it.
fn order_of_service(events: &[Event]) -> Result<(), String> {
    let mut waiting: BTreeMap<CallId, Waiting> = BTreeMap::new();
    let mut entered: BTreeMap<(CallId, &str), Time> = BTreeMap::new();
    // Whether the transfer under way leads to another queue or plan.
    let mut requeued: BTreeMap<CallId, bool> = BTreeMap::new();
    let mut transferred: BTreeSet<CallId> = BTreeSet::new();
    let mut boot = 0;
    for event in events {
        if event.id.boot() != boot {
            boot = event.id.boot();
            waiting.clear();
        }
        match &event.fact {
            Fact::QueueEntered {
                call,
                queue,
                priority,
                ..
            } => {
                let one = Waiting {
                    queue: queue.clone(),
                    priority: *priority,
                    since: *entered.entry((*call, queue)).or_insert(event.up),
                    entered: event.up,
                    ringing: false,
                    out_of_turn: false,
                    has_two_places: transferred.contains(call),
                    refused: BTreeSet::new(),
                };
                waiting.insert(*call, one);
            }
            Fact::QueueLeft {
                call,
                queue,
                outcome,
            } => {
                waiting.remove(call);
                // Where the plan leads it next, be it the same queue, it has a new place.
                if *outcome == QueueOutcome::TimedOut {
                    entered.remove(&(*call, queue.as_str()));
                }
            }
            Fact::TransferRequested { call, target, .. } => {
                let to_person = matches!(
                    target,
                    TransferTarget::Operator { .. } | TransferTarget::Outer { .. }
                );
                requeued.insert(*call, !to_person);
            }
            // It is another call for those who get it: its place is a new one. Who was given to a person and
            // is left by that one has the old place.
            Fact::TransferEnded {
                call,
                result: TransferResult::Done,
                ..
            } if requeued.remove(call) == Some(true) => {
                entered.retain(|(one, _), _| one != call);
                transferred.insert(*call);
            }
            Fact::OfferMade {
                call,
                queue,
                operator,
                ..
            } if !queue.is_empty() => {
                served_in_turn(&waiting, *call, operator.id, event.up)?;
                if let Some(one) = waiting.get_mut(call) {
                    one.ringing = true;
                    one.refused.insert(operator.id);
                }
            }
            Fact::OfferEnded { call, .. } => {
                if let Some(one) = waiting.get_mut(call) {
                    one.ringing = false;
                    one.out_of_turn = false;
                }
            }
            Fact::Ordered { order, .. } => {
                let Some(call) = order.call() else { continue };
                let Some(one) = waiting.get_mut(&call) else {
                    continue;
                };
                match order {
                    Order::Priority { priority, .. } => one.priority = *priority,
                    Order::Pull { .. } | Order::Assign { .. } => one.out_of_turn = true,
                    // It takes the time that it has waited along.
                    Order::Move { queue, .. } => {
                        entered.insert((call, queue), one.since);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn served_in_turn(
    waiting: &BTreeMap<CallId, Waiting>,
    call: CallId,
    operator: OperatorId,
    now: Time,
) -> Result<(), String> {
    let Some(served) = waiting.get(&call) else {
        return Err(format!("{call} is offered and does not wait"));
    };
    if served.out_of_turn || served.has_two_places {
        return Ok(());
    }
    let first = |other: &Waiting| {
        other.queue == served.queue
            && !other.ringing
            // What happens in one moment has no order that a caller could feel.
            && other.entered < now
            && !other.refused.contains(&operator)
            && (other.priority, core::cmp::Reverse(other.since))
                > (served.priority, core::cmp::Reverse(served.since))
    };
    match waiting.iter().find(|(_, other)| first(other)) {
        Some((passed, _)) => Err(format!("{call} is offered before {passed}")),
        None => Ok(()),
    }
}

/// Every call that a caller saw answered is in the journal; and none is there that nobody placed.
pub(crate) fn callers<'a>(
    events: &[Event],
    placed: impl IntoIterator<Item = &'a Placed>,
    lossy_disk: bool,
) -> Result<(), String> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut first: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in events {
        if let Fact::CallArrived { sip_call_id, .. } = &event.fact {
            let before = *first.entry(sip_call_id).or_insert(event);
            let again = before.id.boot() != event.id.boot() && event.up < before.up + REPEATED;
            if !again {
                *known.entry(sip_call_id).or_default() += 1;
            }
        }
    }
    for call in placed {
        let call_id = call.sip_call_id.as_str();
        let entries = known.get(call_id).copied().unwrap_or(0);
        if entries > 1 {
            return Err(format!("{} has {entries} entries", call.sip_call_id));
        }
        // An answer that waited for the disk for too long went out without its event; a crash
        // right then loses it.
        if call.answered && !first.contains_key(call_id) && !lossy_disk {
            return Err(format!(
                "{} was answered and has no entry",
                call.sip_call_id
            ));
        }
    }
    Ok(())
}

/// How calls left the queues, for the report.
pub(crate) fn served(events: &[Event]) -> (u64, u64) {
    let left = |wanted: QueueOutcome| {
        let is = |event: &&Event| match event.fact {
            Fact::QueueLeft { outcome, .. } => outcome == wanted,
            _ => false,
        };
        events.iter().filter(is).count() as u64
    };
    (left(QueueOutcome::Answered), left(QueueOutcome::Abandoned))
}

#[cfg(test)]
mod tests;
