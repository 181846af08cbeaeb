//! Each checker finds what it is there for: a good history with one thing wrong in it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use vocab::{
    Direction, EndedBy, EventId, MissingReason, OfferResult, OperatorRef, Outcome, Party,
    QueueOutcome, WallTime,
};

use super::*;

const FIRST: CallId = CallId::new(1, 1);
const SECOND: CallId = CallId::new(1, 2);
const OFFERS: [OfferId; 2] = [OfferId::new(1, 1), OfferId::new(1, 2)];

fn operator() -> OperatorRef {
    OperatorRef {
        id: OperatorId(1),
        login: "op1".to_owned(),
        name: "Operator 1".to_owned(),
        line: "101".to_owned(),
    }
}

fn arrives(call: CallId) -> Fact {
    Fact::CallArrived {
        call,
        number: "1300".to_owned(),
        caller: String::new(),
        caller_name: String::new(),
        trunk: "carrier".to_owned(),
        plan: "hotline".to_owned(),
        sip_call_id: format!("{call}@sim"),
        direction: Direction::Inbound,
        operator: None,
        consults: None,
    }
}

fn queues(call: CallId) -> Fact {
    Fact::QueueEntered {
        call,
        queue: "operators".to_owned(),
        priority: 0,
        skills: Vec::new(),
    }
}

fn is_offered(call: CallId, offer: OfferId) -> Fact {
    Fact::OfferMade {
        call,
        offer,
        queue: "operators".to_owned(),
        operator: operator(),
        why: String::new(),
        considered: Vec::new(),
    }
}

/// From the answer of the operator to the end of the call.
fn talk(call: CallId, offer: OfferId) -> Vec<Fact> {
    vec![
        Fact::OfferEnded {
            call,
            offer,
            result: OfferResult::Answered,
            status: Some(200),
        },
        Fact::QueueLeft {
            call,
            queue: "operators".to_owned(),
            outcome: QueueOutcome::Answered,
        },
        Fact::SegmentStarted {
            call,
            segment: 1,
            party: Party::Operator(operator()),
            with: None,
            offer: Some(offer),
            recorded: true,
        },
        Fact::SegmentEnded {
            call,
            segment: 1,
            ended_by: EndedBy::Caller,
        },
        Fact::CallEnded {
            call,
            outcome: Outcome::Answered,
            ended_by: EndedBy::Caller,
            status: None,
            reason: String::new(),
        },
        Fact::RecordingMissing {
            call,
            segment: 1,
            reason: MissingReason::NoAudio,
        },
    ]
}

/// Two calls, one operator: the first is served first.
fn good() -> Vec<Fact> {
    let mut facts = vec![
        arrives(FIRST),
        queues(FIRST),
        is_offered(FIRST, OFFERS[0]),
        arrives(SECOND),
        queues(SECOND),
    ];
    facts.extend(talk(FIRST, OFFERS[0]));
    facts.push(is_offered(SECOND, OFFERS[1]));
    facts.extend(talk(SECOND, OFFERS[1]));
    facts
}

/// A second apart.
fn history(facts: Vec<Fact>) -> Vec<Event> {
    let event = |(number, fact): (u32, Fact)| Event {
        id: EventId::new(1, number),
        at: WallTime::from_unix_millis(i64::from(number) * 1_000),
        up: Time::from_millis(u64::from(number) * 1_000),
        fact,
    };
    (1..).zip(facts).map(event).collect()
}

#[track_caller]
fn finds(facts: Vec<Fact>, wrong: &str) {
    let found = super::facts(&history(facts)).unwrap_err();
    assert!(found.contains(wrong), "{found}");
}

fn position(facts: &[Fact], is: impl Fn(&Fact) -> bool) -> usize {
    facts.iter().position(is).unwrap()
}

#[test]
fn a_good_history_is_good() {
    assert_eq!(super::facts(&history(good())), Ok(()));
}

#[test]
fn an_event_that_is_lost() {
    let mut events = history(good());
    events.remove(3);
    let found = super::facts(&events).unwrap_err();
    assert!(found.contains("comes after"), "{found}");
}

#[test]
fn a_call_without_an_end_and_one_with_two() {
    let mut facts = good();
    let end = position(&facts, |fact| matches!(fact, Fact::CallEnded { .. }));
    let again = facts[end].clone();
    facts.remove(end);
    finds(facts, "0 outcomes");
    let mut facts = good();
    facts.push(again);
    finds(facts, "2 outcomes");
}

#[test]
fn something_after_the_end() {
    let mut facts = good();
    facts.push(Fact::CallAnswered { call: FIRST });
    finds(facts, "after its end");
}

#[test]
fn a_recorded_talk_without_audio_or_reason_and_one_with_two() {
    let mut facts = good();
    let last = facts.pop().unwrap();
    finds(facts, "not settled");
    let mut facts = good();
    facts.push(last);
    finds(facts, "two recordings");
}

#[test]
fn two_offers_to_one_operator() {
    let mut facts = good();
    let second = is_offered(SECOND, OFFERS[1]);
    facts.retain(|fact| *fact != second);
    let answered = position(&facts, |fact| matches!(fact, Fact::OfferEnded { .. }));
    facts.insert(answered, second);
    finds(facts, "while");
}

#[test]
fn a_call_that_stays_in_a_queue() {
    let mut facts = good();
    let left = position(&facts, |fact| matches!(fact, Fact::QueueLeft { .. }));
    facts.remove(left);
    let found = super::queues(&history(facts)).unwrap_err();
    assert!(found.contains("2 offered"), "{found}");
}

#[test]
fn one_who_is_served_before_those_who_came_earlier() {
    let mut facts = vec![
        arrives(FIRST),
        queues(FIRST),
        arrives(SECOND),
        queues(SECOND),
        is_offered(SECOND, OFFERS[1]),
    ];
    facts.extend(talk(SECOND, OFFERS[1]));
    facts.push(is_offered(FIRST, OFFERS[0]));
    facts.extend(talk(FIRST, OFFERS[0]));
    finds(facts, "is offered before");
}

#[test]
fn a_caller_who_was_answered_and_left_no_trace() {
    let placed = |sip_call_id: String| Placed {
        sip_call_id,
        answered: true,
    };
    let events = history(good());
    let known = placed(format!("{FIRST}@sim"));
    assert_eq!(callers(&events, &[known], false), Ok(()));
    let unknown = placed("nobody@sim".to_owned());
    let found = callers(&events, &[unknown], false).unwrap_err();
    assert!(found.contains("has no entry"), "{found}");
}
