//! Who gets into a queue, who must leave it, and who keeps a place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::time::Duration;

use acd::{
    Attendance, By, Cause, Input, OperatorSettings, Output, Overflow, QueueSettings, StaffRule,
    Status, Unstaffed,
};
use floor::*;
use vocab::{OperatorId, QueueId, QueueOutcome};

const OTHER: QueueId = QueueId(2);
const THIRD: QueueId = QueueId(3);

fn dismissed(number: u32, queue: QueueId, cause: Cause, then: Overflow) -> Output {
    Output::Dismissed {
        call: call(number),
        queue,
        cause,
        then,
    }
}

fn moved(number: u32, from: QueueId, to: QueueId, cause: Cause) -> Output {
    Output::Moved {
        call: call(number),
        from,
        to,
        cause,
    }
}

#[test]
fn a_full_queue_overflows_into_another_with_the_waiting_time() {
    let small = QueueSettings {
        length_max: 1,
        on_full: Overflow::Queue(OTHER),
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![small, queue(OTHER)], vec![operator(A, &[])]);
    floor.paused(A, true);
    floor.enter(1, 0);
    assert_eq!(floor.enter(2, 0), [moved(2, Q, OTHER, Cause::Full)]);
    assert_eq!(
        (floor.acd.waiting_in(Q), floor.acd.waiting_in(OTHER)),
        (1, 1)
    );
    floor.arrives(3, OTHER, |_| {});
    floor.left(1);
    assert_eq!(offer(&floor.paused(A, false)).1, 2, "older than 3");
}

#[test]
fn queues_that_overflow_in_a_circle_end_with_the_plan() {
    let into = |id, to| QueueSettings {
        length_max: 0,
        on_full: Overflow::Queue(to),
        ..queue(id)
    };
    let table = vec![into(Q, OTHER), into(OTHER, THIRD), into(THIRD, Q)];
    let mut floor = Floor::with(table, vec![]);
    let outputs = floor.enter(1, 0);
    assert_eq!(outputs.len(), 4, "{outputs:?}");
    assert_eq!(outputs[3], dismissed(1, Q, Cause::Full, Overflow::Plan));
    assert_eq!(floor.acd.waiting(), 0);
}

#[test]
fn the_longest_wait_overflows_as_the_queue_has_it() {
    for (then, outcome) in [
        (Overflow::Voicemail, QueueOutcome::Overflowed),
        (Overflow::Number("112".to_owned()), QueueOutcome::Overflowed),
        (Overflow::Callback, QueueOutcome::CallbackTaken),
        (Overflow::Close, QueueOutcome::TimedOut),
        (Overflow::Plan, QueueOutcome::TimedOut),
    ] {
        let queue = QueueSettings {
            on_wait_max: then.clone(),
            ..queue(Q)
        };
        let mut floor = Floor::with(vec![queue], vec![]);
        floor.enter(1, 0);
        let outputs = floor.pass(WAIT_MAX);
        let cause = Cause::WaitedTooLong;
        assert_eq!(outputs, [dismissed(1, Q, cause, then.clone())]);
        assert_eq!(cause.outcome(&then), outcome);
    }
}

#[test]
fn a_moved_call_waits_its_longest_wait_from_the_move_on() {
    let first = QueueSettings {
        on_wait_max: Overflow::Queue(OTHER),
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![first, queue(OTHER)], vec![]);
    floor.enter(1, 0);
    assert_eq!(
        floor.pass(WAIT_MAX),
        [moved(1, Q, OTHER, Cause::WaitedTooLong)]
    );
    assert_eq!(floor.pass(WAIT_MAX - 10), []);
    let outputs = floor.pass(20);
    assert_eq!(
        outputs,
        [dismissed(1, OTHER, Cause::WaitedTooLong, Overflow::Plan)]
    );
}

fn rule(cause: Unstaffed, refuses: bool, leave_after: Option<u64>) -> StaffRule {
    StaffRule {
        cause,
        refuses,
        leave_after: leave_after.map(Duration::from_secs),
        then: Overflow::Voicemail,
    }
}

fn signs_in(id: OperatorId) -> OperatorSettings {
    OperatorSettings {
        attendance: Attendance::BySignIn,
        ..operator(id, &[])
    }
}

#[test]
fn who_may_enter_depends_on_why_nobody_serves() {
    let strict = QueueSettings {
        unstaffed: vec![
            rule(Unstaffed::NobodySignedIn, true, None),
            rule(Unstaffed::NobodyReachable, true, None),
            rule(Unstaffed::AllOnBreak, false, None),
        ],
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![strict], vec![signs_in(A)]);
    let refused = |number, cause| {
        [dismissed(
            number,
            Q,
            Cause::Unstaffed(cause),
            Overflow::Voicemail,
        )]
    };
    assert_eq!(floor.enter(1, 0), refused(1, Unstaffed::NobodySignedIn));
    let line = "101".to_owned();
    floor.tell(Input::SignedIn { operator: A, line });
    floor.reachable(A, false);
    assert_eq!(floor.enter(2, 0), refused(2, Unstaffed::NobodyReachable));
    floor.status(A, Status::on_break("lunch"), By::Operator);
    assert_eq!(floor.enter(3, 0), [], "one on a break comes back");
    floor.status(A, Status::Available, By::Operator);
    floor.reachable(A, true);
    floor.left(3);
    assert_eq!(offer(&floor.enter(4, 0)).1, 4);
}

#[test]
fn those_who_wait_leave_when_nobody_has_served_for_long_enough() {
    let patient = QueueSettings {
        unstaffed: vec![rule(Unstaffed::AllOnBreak, true, Some(30))],
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![patient], vec![operator(A, &[])]);
    floor.paused(A, true);
    floor.enter(1, 0);
    floor.pass(20_000);
    assert_eq!(
        floor.enter(2, 0),
        [],
        "whoever is inside may stay yet, and so may new ones"
    );
    let gone = |number| {
        let cause = Cause::Unstaffed(Unstaffed::AllOnBreak);
        dismissed(number, Q, cause, Overflow::Voicemail)
    };
    assert_eq!(floor.pass(10_000), [gone(1), gone(2)]);
    assert_eq!(floor.enter(3, 0), [gone(3)]);
    // One who comes back in time keeps them.
    let mut outputs = floor.paused(A, false);
    outputs.extend(floor.enter(4, 0));
    let (id, ..) = offer(&outputs);
    floor.accepted(id);
    floor.enter(5, 0);
    floor.paused(A, true);
    floor.pass(20_000);
    floor.paused(A, false);
    assert_eq!(floor.pass(30_000), []);
    assert_eq!(floor.acd.waiting(), 1);
}

#[test]
fn a_caller_who_calls_back_in_time_has_the_old_place() {
    let kind = QueueSettings {
        keep_place: Some(Duration::from_secs(60)),
        wait_max: None,
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![kind, queue(OTHER)], vec![]);
    let caller = |call: &mut acd::Arrival| call.caller = "7001".to_owned();
    floor.arrives(1, Q, caller);
    floor.enter(2, 0);
    floor.left(1);
    floor.pass(59_000);
    floor.arrives(3, OTHER, caller);
    assert_eq!(floor.acd.waiting_in(OTHER), 1, "the place is one of Q");
    floor.arrives(4, Q, caller);
    assert_eq!(floor.acd.position(call(4)), Some(1));
    floor.arrives(5, Q, caller);
    assert_eq!(floor.acd.position(call(5)), Some(3), "a place is kept once");
    floor.left(4);
    floor.pass(61_000);
    floor.arrives(6, Q, caller);
    assert_eq!(floor.acd.position(call(6)), Some(3), "too late");
}

#[test]
fn the_place_of_a_withheld_number_is_nobodys() {
    let kind = QueueSettings {
        keep_place: Some(Duration::from_secs(60)),
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![kind], vec![]);
    floor.enter(1, 0);
    floor.enter(2, 0);
    floor.left(1);
    floor.enter(3, 0);
    assert_eq!(floor.acd.position(call(3)), Some(2));
}

#[test]
fn the_order_of_calls_survives_a_reload_that_changes_everything_else() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    for (number, priority) in [(1, 0), (2, 5), (3, 0)] {
        floor.enter(number, priority);
    }
    let places = |floor: &Floor| [1, 2, 3].map(|number| floor.acd.position(call(number)));
    let before = places(&floor);
    let other = QueueSettings {
        strategy: acd::Strategy::RoundRobin,
        members_only: true,
        priority: 3,
        ..skilled(Q, "water")
    };
    floor.tell(Input::Queues(vec![other]));
    assert_eq!(places(&floor), before);
    floor.tell(Input::Queues(vec![queue(Q)]));
    assert_eq!(places(&floor), before);
    assert_eq!(offer(&floor.paused(A, false)).1, 2);
}
