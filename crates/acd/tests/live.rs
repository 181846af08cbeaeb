//! What the live picture tells of queues.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::time::Duration;

use acd::{
    Arrival, By, CallbackMode, CallbackWish, Command, Input, Membership, OperatorSettings,
    Overflow, QueueSettings, Status,
};
use floor::*;
use vocab::{LiveQueue, OperatorId, QueueId, QueueOutcome, Time};

const OTHER: QueueId = QueueId(2);
const C: OperatorId = OperatorId(3);

fn live(floor: &Floor) -> Vec<LiveQueue> {
    floor.acd.live_queues(Time::from_millis(floor.now))
}

fn calm(name: &str) -> LiveQueue {
    LiveQueue {
        name: name.to_owned(),
        open: true,
        refuses: None,
        waiting: 0,
        longest_wait_ms: 0,
        callbacks: 0,
        free: 0,
        serving: 0,
    }
}

#[test]
fn each_queue_tells_who_waits_how_long_and_who_is_free_for_it() {
    let table = vec![operator(A, &[]), operator(B, &[("health", 10)])];
    let mut floor = Floor::with(vec![queue(Q), skilled(OTHER, "health")], table);
    let idle = [
        LiveQueue {
            free: 2,
            serving: 2,
            ..calm("queue1")
        },
        LiveQueue {
            free: 1,
            serving: 1,
            ..calm("queue2")
        },
    ];
    assert_eq!(live(&floor), idle);
    floor.arrives(1, OTHER, |_| {});
    floor.pass(3_000);
    floor.arrives(2, OTHER, |_| {});
    floor.pass(2_000);
    let rings = LiveQueue {
        waiting: 2,
        longest_wait_ms: 5_001,
        serving: 1,
        ..calm("queue2")
    };
    let free = LiveQueue {
        free: 1,
        serving: 2,
        ..calm("queue1")
    };
    assert_eq!(live(&floor), [free, rings]);
    floor.left(1);
    assert_eq!(live(&floor)[1].longest_wait_ms, 2_001, "of who still waits");
}

#[test]
fn a_caller_who_was_moved_waits_in_the_new_queue_from_the_move_on() {
    let first = QueueSettings {
        on_wait_max: Overflow::Queue(OTHER),
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![first, queue(OTHER)], vec![]);
    floor.enter(1, 0);
    floor.pass(WAIT_MAX + 700);
    let waits = |shown: &LiveQueue| (shown.waiting, shown.longest_wait_ms);
    let live = live(&floor);
    assert_eq!([waits(&live[0]), waits(&live[1])], [(0, 0), (1, 700)]);
}

#[test]
fn a_queue_that_is_closed_or_full_says_so() {
    let small = QueueSettings {
        length_max: 1,
        ..queue(OTHER)
    };
    let mut floor = Floor::with(vec![queue(Q), small], vec![]);
    floor.arrives(1, OTHER, |_| {});
    let close = Command::Close { queue: Q };
    assert_eq!(floor.command(close).0, None);
    let told = |shown: &LiveQueue| (shown.open, shown.refuses);
    let shown = live(&floor);
    assert_eq!(told(&shown[0]), (false, Some(QueueOutcome::Closed)));
    assert_eq!(told(&shown[1]), (true, Some(QueueOutcome::RefusedFull)));
    // Taken out of the settings, it stays until its last call has left.
    floor.tell(Input::Queues(vec![queue(Q)]));
    let shown = live(&floor);
    assert_eq!((shown[1].open, shown[1].waiting), (false, 1));
    floor.left(1);
    assert_eq!(live(&floor).len(), 1);
}

#[test]
fn who_helps_late_is_not_free_for_a_queue_yet() {
    let member = |id, change: fn(&mut Membership)| {
        let mut membership = Membership::of(Q);
        change(&mut membership);
        OperatorSettings {
            queues: vec![membership],
            ..operator(id, &[])
        }
    };
    let table = vec![
        member(A, |_| {}),
        member(B, |one| one.delay = Duration::from_secs(10)),
        member(C, |one| one.reserve = true),
    ];
    let mut floor = Floor::with(vec![queue(Q)], table);
    let shown = live(&floor);
    assert_eq!((shown[0].free, shown[0].serving), (1, 3));
    floor.status(A, Status::Training, By::Operator);
    let shown = live(&floor);
    assert_eq!((shown[0].free, shown[0].serving), (0, 2));
}

#[test]
fn who_is_owed_a_callback_waits_on_no_line() {
    let mut floor = Floor::new(&[]);
    floor.arrives(1, Q, |_| {});
    floor.arrives(2, Q, |_| {});
    floor.tell(Input::CallbackWanted(CallbackWish {
        arrival: Arrival::new(call(1), Q, Time::from_millis(1)),
        number: "+74242123401".to_owned(),
        mode: CallbackMode::OperatorFirst,
        attempts: 3,
        pause: Duration::from_secs(60),
        hours: Vec::new(),
    }));
    floor.pass(1_000);
    let shown = live(&floor);
    let told = (shown[0].waiting, shown[0].callbacks);
    assert_eq!(told, (1, 1));
    assert_eq!(shown[0].longest_wait_ms, 1_001, "of the second alone");
}
