//! Callers who are called back and keep their place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::time::Duration;

use acd::{Arrival, CallbackEnd, CallbackMode, CallbackWish, Hours, Input, Output};
use floor::*;
use vocab::{OfferId, OfferResult, OperatorState, Time};

fn wish(number: u32, now: u64, mode: CallbackMode) -> CallbackWish {
    CallbackWish {
        arrival: Arrival::new(call(number), Q, Time::from_millis(now)),
        number: format!("700{number}"),
        mode,
        attempts: 2,
        pause: Duration::from_secs(60),
        hours: Vec::new(),
    }
}

fn wanted(floor: &mut Floor, wish: CallbackWish) -> Vec<Output> {
    floor.tell(Input::CallbackWanted(wish))
}

fn kept(number: u32) -> Output {
    Output::CallbackKept {
        call: call(number),
        queue: Q,
    }
}

fn over(number: u32, end: CallbackEnd) -> Output {
    Output::CallbackOver {
        call: call(number),
        end,
    }
}

/// The dialling among these.
fn dial(outputs: &[Output]) -> (OfferId, String) {
    let found = outputs.iter().find_map(|output| match output {
        Output::Dial { offer, number, .. } => Some((*offer, number.clone())),
        _ => None,
    });
    found.expect("something is dialled")
}

/// Two calls wait while the one operator is away; the first wants to be called back.
fn owed(mode: CallbackMode) -> Floor {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    floor.enter(1, 0);
    floor.enter(2, 0);
    let now = floor.now;
    assert_eq!(wanted(&mut floor, wish(1, now, mode)), [kept(1)]);
    assert_eq!(floor.acd.position(call(1)), Some(1), "the place is kept");
    floor
}

#[test]
fn operator_first_the_number_is_dialled_after_the_answer() {
    let mut floor = owed(CallbackMode::OperatorFirst);
    let outputs = floor.paused(A, false);
    let [
        Output::Offer {
            offer,
            call: of,
            callback,
            ..
        },
    ] = outputs.as_slice()
    else {
        panic!("one offer, found {outputs:?}")
    };
    assert_eq!((*of, callback.as_deref()), (call(1), Some("7001")));
    floor.accepted(*offer);
    let ended = Input::CallbackEnded {
        call: call(1),
        reached: true,
    };
    assert_eq!(floor.tell(ended), [over(1, CallbackEnd::Reached)]);
    floor.freed(A);
    assert_eq!(offer_of(&floor.pass(WRAP_UP)), 2);
}

fn offer_of(outputs: &[Output]) -> u32 {
    offer(outputs).1
}

#[test]
fn in_vain_it_is_tried_again_at_the_same_place_and_then_given_up() {
    let mut floor = owed(CallbackMode::OperatorFirst);
    let (id, number, _) = offer(&floor.paused(A, false));
    assert_eq!(number, 1);
    floor.accepted(id);
    let vain = || Input::CallbackEnded {
        call: call(1),
        reached: false,
    };
    assert_eq!(floor.tell(vain()), []);
    assert_eq!(floor.acd.position(call(1)), Some(1));
    // There was no talk, so there is no work after it.
    let (id, number, _) = offer(&floor.freed(A));
    assert_eq!(number, 2, "others are served meanwhile");
    floor.serve(id, A, 1_000);
    let (id, number, _) = offer(&floor.pass(WRAP_UP + 40_000));
    assert_eq!(number, 1);
    floor.accepted(id);
    assert_eq!(floor.tell(vain()), [over(1, CallbackEnd::GaveUp)]);
    assert_eq!(floor.acd.waiting(), 0);
}

#[test]
fn caller_first_the_operator_is_reserved_and_rings_when_the_caller_answers() {
    let mut floor = owed(CallbackMode::CallerFirst);
    let (id, number) = dial(&floor.paused(A, false));
    assert_eq!(number, "7001");
    assert_eq!(floor.state(A), OperatorState::Reserved);
    floor.pass(RING - 1_000);
    let outputs = floor.tell(Input::CallbackReached { offer: id });
    assert_eq!(outputs[0], over(1, CallbackEnd::Reached));
    assert!(matches!(&outputs[1], Output::Offer { offer, callback: None, .. } if *offer == id));
    assert_eq!(floor.pass(RING - 1_000), [], "the ring time begins anew");
    floor.accepted(id);
    assert_eq!(floor.state(A), OperatorState::Talking);
}

#[test]
fn a_caller_who_was_reached_waits_at_the_head_if_the_operator_does_not_answer() {
    let mut floor = owed(CallbackMode::CallerFirst);
    let (id, _) = dial(&floor.paused(A, false));
    floor.tell(Input::CallbackReached { offer: id });
    floor.failed(id, OfferResult::Rejected);
    assert_eq!(floor.acd.position(call(1)), Some(1));
    assert!(
        floor
            .pass(WAIT_MAX - 60_000)
            .iter()
            .all(|one| !matches!(one, Output::Dial { .. }))
    );
}

#[test]
fn dialling_in_vain_is_not_the_operators_fault_and_bound_in_time() {
    let mut floor = owed(CallbackMode::CallerFirst);
    let (id, _) = dial(&floor.paused(A, false));
    let outputs = floor.pass(RING);
    assert_eq!(withdrawal(outputs.first()), (id, OfferResult::NoAnswer));
    assert_eq!(offers(&outputs)[0].1, 2, "at once for the next");
}

#[test]
fn one_callback_for_a_number_and_the_caller_who_calls_first_has_its_place() {
    let mut floor = owed(CallbackMode::OperatorFirst);
    let now = floor.now;
    let mut second = wish(3, now, CallbackMode::OperatorFirst);
    second.number = "7001".to_owned();
    let duplicate = over(3, CallbackEnd::Duplicate(call(1)));
    assert_eq!(wanted(&mut floor, second), [duplicate]);
    let outputs = floor.arrives(4, Q, |call| call.caller = "7001".to_owned());
    assert_eq!(outputs, [over(1, CallbackEnd::CallerCalled(call(4)))]);
    assert_eq!(floor.acd.position(call(4)), Some(1));
    assert_eq!(floor.acd.waiting(), 2);
}

#[test]
fn nobody_is_called_outside_the_hours_and_nobody_before_the_clock_is_known() {
    let mut floor = Floor::new(&[A]);
    let mut night = wish(1, 0, CallbackMode::CallerFirst);
    night.hours = vec![Hours {
        from: Duration::from_secs(9 * 3_600),
        to: Duration::from_secs(20 * 3_600),
    }];
    assert_eq!(wanted(&mut floor, night), [kept(1)]);
    let outputs = floor.tell(Input::Clock {
        day: 1,
        time: Duration::from_secs(8 * 3_600),
    });
    assert_eq!(outputs, []);
    assert_eq!(floor.pass(3_599_000), []);
    assert_eq!(dial(&floor.pass(1_000)).1, "7001");
}

#[test]
fn a_callback_of_before_the_restart_has_the_place_since_when_it_is_owed() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    floor.pass(30_000);
    floor.enter(2, 0);
    assert_eq!(
        wanted(&mut floor, wish(1, 5, CallbackMode::OperatorFirst)),
        [kept(1)]
    );
    assert_eq!(floor.acd.position(call(1)), Some(1));
    assert_eq!(floor.left(1), [over(1, CallbackEnd::Cancelled)]);
}
