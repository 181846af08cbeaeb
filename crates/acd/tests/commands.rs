//! Commands of supervisors and operators.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::collections::BTreeMap;

use acd::{Cause, Command, Occasion, Output, Overflow, Refusal, Status};
use floor::*;
use vocab::{OfferResult, OperatorId, OperatorState, QueueId};

const OTHER: QueueId = QueueId(2);

#[test]
fn a_call_is_assigned_whatever_the_skills_and_what_it_rings_at_is_withdrawn() {
    let table = vec![operator(A, &[("health", 50)]), operator(B, &[])];
    let mut floor = Floor::with(vec![skilled(Q, "health")], table);
    let (first, ..) = offer(&floor.enter(1, 0));
    let (refusal, outputs) = floor.command(Command::Assign {
        call: call(1),
        operator: B,
    });
    assert_eq!(refusal, None);
    assert_eq!(withdrawal(outputs.first()), (first, OfferResult::Withdrawn));
    assert_eq!(offers(&outputs)[0].2, B);
    assert!(matches!(&outputs[1], Output::Offer { why, .. } if why.occasion == Occasion::Assigned));
    assert_eq!(floor.state(A), OperatorState::Free);
    let again = Command::Assign {
        call: call(1),
        operator: B,
    };
    assert_eq!(
        floor.command(again),
        (None, vec![]),
        "it rings there already"
    );
}

#[test]
fn a_call_is_pulled_out_of_its_turn_by_one_who_is_free() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    for number in 1..=3 {
        floor.enter(number, 0);
    }
    let pull = || Command::Pull {
        call: call(3),
        operator: A,
    };
    assert_eq!(floor.command(pull()).0, Some(Refusal::NotFree));
    let (first, ..) = offer(&floor.paused(A, false));
    floor.failed(first, OfferResult::Rejected);
    // A is offered 2 by now; not free for 3.
    assert_eq!(floor.command(pull()).0, Some(Refusal::NotFree));
    floor.left(2);
    floor.left(1);
    assert_eq!(floor.command(pull()).0, None);
}

#[test]
fn a_moved_call_keeps_its_waiting_time_and_is_refused_by_a_closed_queue() {
    let mut floor = Floor::with(vec![queue(Q), queue(OTHER)], vec![]);
    floor.enter(1, 0);
    floor.arrives(2, OTHER, |_| {});
    let to = |queue| Command::Move {
        call: call(1),
        queue,
    };
    assert_eq!(floor.command(to(QueueId(9))).0, Some(Refusal::NoSuchQueue));
    floor.command(Command::Close { queue: OTHER });
    assert_eq!(floor.command(to(OTHER)).0, Some(Refusal::QueueRefuses));
    floor.command(Command::Open { queue: OTHER });
    let moved = Output::Moved {
        call: call(1),
        from: Q,
        to: OTHER,
        cause: Cause::Commanded,
    };
    assert_eq!(floor.command(to(OTHER)), (None, vec![moved]));
    assert_eq!(
        floor.acd.position(call(1)),
        Some(1),
        "it waits longer than 2"
    );
}

#[test]
fn a_closed_queue_takes_no_calls_and_serves_those_it_has() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    floor.enter(1, 0);
    floor.command(Command::Close { queue: Q });
    let closed = Output::Dismissed {
        call: call(2),
        queue: Q,
        cause: Cause::Closed,
        then: Overflow::Plan,
    };
    assert_eq!(floor.enter(2, 0), [closed]);
    assert_eq!(offer(&floor.paused(A, false)).1, 1);
}

#[test]
fn another_priority_counts_at_once() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    floor.enter(1, 0);
    floor.enter(2, 0);
    let command = Command::Priority {
        call: call(2),
        priority: 9,
    };
    assert_eq!(floor.command(command).0, None);
    assert_eq!(floor.acd.position(call(2)), Some(1));
    assert_eq!(offer(&floor.paused(A, false)).1, 2);
}

#[test]
fn other_skills_give_other_calls_at_once() {
    let mut floor = Floor::with(vec![skilled(Q, "health")], vec![operator(A, &[])]);
    assert_eq!(floor.enter(1, 0), []);
    let skills: BTreeMap<String, u8> = [("health".to_owned(), 70)].into();
    let (refusal, outputs) = floor.command(Command::Skills {
        operator: A,
        skills,
    });
    assert_eq!(refusal, None);
    assert_eq!(offers(&outputs)[0].2, A);
    let unknown = Command::Skills {
        operator: OperatorId(77),
        skills: BTreeMap::new(),
    };
    assert_eq!(floor.command(unknown).0, Some(Refusal::NoSuchOperator));
}

#[test]
fn a_supervisor_sets_a_status_without_leave() {
    let mut floor = Floor::new(&[A]);
    let (refusal, _) = floor.command(Command::Status {
        operator: A,
        status: Status::on_break("anything"),
    });
    assert_eq!(refusal, None);
    assert_eq!(floor.state(A), OperatorState::Paused);
}

#[test]
fn a_queue_has_somebody_free_only_for_calls_that_they_may_get() {
    let table = vec![operator(A, &[]), operator(B, &[("health", 10)])];
    let mut floor = Floor::with(vec![skilled(Q, "health")], table);
    assert!(floor.acd.has_free(Q));
    floor.enter(1, 0);
    assert!(!floor.acd.has_free(Q), "A is free, and has not the skill");
    assert!(!floor.acd.has_free(OTHER));
}
