//! One test per rule of the queue, in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::time::Duration;

use acd::{Cause, Failures, Input, Output, Overflow, QueueSettings, WrapUp};
use floor::*;
use vocab::{OfferId, OfferResult, OperatorId, OperatorState, QueueId, Time};

#[test]
fn a_call_is_offered_at_once_to_a_free_operator() {
    let mut floor = Floor::new(&[A]);
    let (id, number, to) = offer(&floor.enter(1, 0));
    assert_eq!((number, to), (1, A));
    assert_eq!(floor.state(A), OperatorState::Reserved);
    assert_eq!(floor.tell(Input::Ringing { offer: id }), []);
    assert_eq!(floor.state(A), OperatorState::Ringing);
    floor.accepted(id);
    assert_eq!(floor.state(A), OperatorState::Talking);
    assert_eq!(floor.acd.waiting(), 0);
}

#[test]
fn the_one_idle_longest_gets_the_call() {
    let mut floor = Floor::new(&[A, B]);
    let (first, _, to) = offer(&floor.enter(1, 0));
    assert_eq!(to, A);
    floor.accepted(first);
    floor.freed(A);
    floor.pass(WRAP_UP);
    // A worked meanwhile, B did not.
    assert_eq!(offer(&floor.enter(2, 0)).2, B);
}

#[test]
fn a_higher_level_wins_over_a_longer_idle_time() {
    let mut floor = Floor::new(&[]);
    floor.tell(Input::Queues(vec![skilled(Q, "health")]));
    floor.tell(Input::Operators(vec![
        operator(A, &[("health", 40)]),
        operator(B, &[("health", 80)]),
        operator(OperatorId(3), &[("health", 0)]),
        operator(OperatorId(4), &[("water", 100)]),
    ]));
    for id in 1..=4 {
        floor.reachable(OperatorId(id), true);
    }
    let outputs = floor.enter(1, 0);
    assert_eq!(offer(&outputs).2, B);
    let [Output::Offer { why, .. }] = outputs.as_slice() else {
        panic!("one offer")
    };
    assert_eq!(
        why.to_string(),
        "Highest level, then longest idle: level 80 in \"health\", idle 0.0 s, 1 other free."
    );
    assert_eq!(offer(&floor.enter(2, 0)).2, A);
    assert_eq!(
        floor.enter(3, 0),
        [],
        "levels 0 and other skills do not serve"
    );
    assert_eq!(
        floor
            .acd
            .explain(Time::from_millis(floor.now + 2_500), call(3))
            .unwrap(),
        "Number 3 of 3 in \"queue1\", waits after 2.5 s; operators with \"health\": 2 reserved."
    );
}

#[test]
fn calls_are_served_by_priority_then_by_arrival() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    for (number, priority) in [(1, 0), (2, 5), (3, 0), (4, 5)] {
        assert_eq!(floor.enter(number, priority), []);
    }
    assert_eq!(
        (1..=4)
            .map(|n| floor.acd.position(call(n)).unwrap())
            .collect::<Vec<_>>(),
        [3, 1, 4, 2]
    );
    let mut outputs = floor.paused(A, false);
    let mut served = Vec::new();
    for _ in 0..4 {
        let (id, number, _) = offer(&outputs);
        served.push(number);
        floor.accepted(id);
        floor.freed(A);
        outputs = floor.pass(WRAP_UP);
    }
    assert_eq!(served, [2, 4, 1, 3]);
    assert_eq!(outputs, []);
}

#[test]
fn an_operator_of_two_queues_takes_the_oldest_call_of_both() {
    let other = QueueId(2);
    let mut floor = Floor::new(&[]);
    floor.tell(Input::Queues(vec![
        skilled(Q, "health"),
        skilled(other, "water"),
    ]));
    floor.tell(Input::Operators(vec![operator(
        A,
        &[("health", 90), ("water", 10)],
    )]));
    floor.tell(arrival(call(1), other, floor.now + 1));
    floor.enter(2, 0);
    let outputs = floor.reachable(A, true);
    assert_eq!(offer(&outputs).1, 1);
    let [Output::Offer { queue, why, .. }] = outputs.as_slice() else {
        panic!("one offer")
    };
    assert_eq!(*queue, other);
    assert!(
        why.to_string()
            .starts_with("Became free for the next call: level 10 in \"water\""),
        "{why}"
    );
}

#[test]
fn ringing_too_long_moves_the_call_on_and_lets_the_operator_rest() {
    let mut floor = Floor::new(&[A, B]);
    let (first, _, _) = offer(&floor.enter(1, 0));
    let outputs = floor.pass(RING);
    assert_eq!(withdrawal(outputs.first()), (first, OfferResult::NoAnswer));
    assert_eq!(offer(&outputs[1..]).2, B);
    assert_eq!(floor.state(A), OperatorState::Resting);
    let (second, _, _) = offer(&outputs[1..]);
    floor.accepted(second);
    assert_eq!(floor.enter(2, 0), [], "A rests, B talks");
    floor.pass(REST - 10);
    assert_eq!(floor.state(A), OperatorState::Resting);
    assert_eq!(offer(&floor.pass(10)), (OfferId::new(1, 2), 2, A));
}

#[test]
fn a_call_keeps_its_place_when_offers_fail() {
    for result in [
        OfferResult::Busy,
        OfferResult::Rejected,
        OfferResult::Unreachable,
    ] {
        let mut floor = Floor::new(&[A]);
        let (id, _, _) = offer(&floor.enter(1, 0));
        floor.paused(A, true);
        floor.enter(2, 0);
        floor.failed(id, result);
        assert_eq!(floor.acd.position(call(1)), Some(1), "{result:?}");
        floor.pass(REST);
        assert_eq!(offer(&floor.paused(A, false)).1, 1, "{result:?}");
    }
}

#[test]
fn who_declined_gets_other_calls_but_not_that_one_until_the_delay_has_passed() {
    for result in [OfferResult::Busy, OfferResult::Rejected] {
        let mut floor = Floor::new(&[A]);
        let (id, _, _) = offer(&floor.enter(1, 0));
        assert_eq!(floor.failed(id, result), [], "{result:?}");
        assert_eq!(floor.state(A), OperatorState::Free);
        let (second, number, _) = offer(&floor.enter(2, 0));
        assert_eq!(number, 2);
        floor.left(2);
        assert_eq!(
            floor.tell(Input::Accepted { offer: second }),
            [Output::Stale { offer: second }]
        );
        assert_eq!(floor.pass(RETRY - 10), []);
        assert_eq!(
            offer(&floor.pass(10)).1,
            1,
            "the only operator is asked again"
        );
    }
}

#[test]
fn a_declined_call_goes_at_once_to_somebody_else() {
    let mut floor = Floor::new(&[A, B]);
    let (id, _, to) = offer(&floor.enter(1, 0));
    assert_eq!(to, A);
    assert_eq!(offer(&floor.failed(id, OfferResult::Rejected)).2, B);
}

#[test]
fn who_keeps_declining_is_set_aside_instead_of_refusing_every_call() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    for number in 1..=4 {
        floor.enter(number, 0);
    }
    let (first, _, _) = offer(&floor.paused(A, false));
    let (second, number, _) = offer(&floor.failed(first, OfferResult::Busy));
    assert_eq!(number, 2);
    assert_eq!(floor.failed(second, OfferResult::Busy), []);
    assert_eq!(floor.state(A), OperatorState::Resting);
    let (third, number, _) = offer(&floor.pass(RETRY));
    assert_eq!(number, 1, "the oldest call is asked first again");
    assert_eq!(
        floor.failed(third, OfferResult::Busy),
        [],
        "one more is enough now"
    );
    assert_eq!(floor.state(A), OperatorState::Resting);
    let (fourth, _, _) = offer(&floor.pass(RETRY));
    floor.accepted(fourth);
    floor.freed(A);
    let (fifth, _, _) = offer(&floor.pass(WRAP_UP));
    offer(&floor.failed(fifth, OfferResult::Busy));
}

#[test]
fn an_unreachable_telephone_rests_until_it_registers_again() {
    let mut floor = Floor::new(&[A]);
    let (id, _, _) = offer(&floor.enter(1, 0));
    assert_eq!(floor.failed(id, OfferResult::Unreachable), []);
    assert_eq!(floor.state(A), OperatorState::Resting);
    floor.left(1);
    floor.reachable(A, false);
    assert_eq!(floor.state(A), OperatorState::Unreachable);
    assert_eq!(floor.enter(2, 0), []);
    assert_eq!(offer(&floor.reachable(A, true)).1, 2);
}

#[test]
fn who_did_not_answer_rests_on_through_a_new_registration_but_not_through_the_persons_word() {
    let mut floor = Floor::new(&[A]);
    floor.enter(1, 0);
    floor.pass(RING);
    floor.left(1);
    floor.enter(2, 0);
    floor.reachable(A, false);
    assert_eq!(floor.reachable(A, true), []);
    assert_eq!(floor.state(A), OperatorState::Resting);
    floor.paused(A, true);
    assert_eq!(floor.state(A), OperatorState::Paused);
    assert_eq!(offer(&floor.paused(A, false)).1, 2);
}

#[test]
fn losing_the_telephone_ends_no_offer_and_shows_after_it() {
    let mut floor = Floor::new(&[A]);
    let (id, _, _) = offer(&floor.enter(1, 0));
    assert_eq!(floor.reachable(A, false), []);
    assert_eq!(floor.state(A), OperatorState::Reserved);
    floor.accepted(id);
    assert_eq!(floor.state(A), OperatorState::Talking);
    floor.freed(A);
    assert_eq!(floor.pass(WRAP_UP), []);
    assert_eq!(floor.state(A), OperatorState::Unreachable);
    assert_eq!(floor.enter(2, 0), []);
    assert_eq!(offer(&floor.reachable(A, true)).1, 2);
}

#[test]
fn who_pauses_while_ringing_may_answer_and_gets_nothing_after() {
    let mut floor = Floor::new(&[A]);
    let (id, _, _) = offer(&floor.enter(1, 0));
    floor.paused(A, true);
    floor.accepted(id);
    floor.freed(A);
    floor.enter(2, 0);
    assert_eq!(floor.state(A), OperatorState::WrapUp);
    assert_eq!(floor.pass(WRAP_UP), []);
    assert_eq!(floor.state(A), OperatorState::Paused);
    assert_eq!(offer(&floor.paused(A, false)).1, 2);
}

#[test]
fn wrap_up_lasts_its_time_and_no_signal_shortens_or_restarts_it() {
    let mut floor = Floor::new(&[A]);
    let (id, _, _) = offer(&floor.enter(1, 0));
    floor.accepted(id);
    floor.freed(A);
    let began = floor.now;
    assert_eq!(floor.enter(2, 0), []);
    floor.pass(WRAP_UP / 2);
    floor.reachable(A, false);
    floor.reachable(A, true);
    floor.paused(A, true);
    floor.paused(A, false);
    floor.freed(A);
    assert_eq!(
        floor.acd.operator_state(A),
        Some((OperatorState::WrapUp, Time::from_millis(began)))
    );
    let rest = began + WRAP_UP - floor.now;
    assert_eq!(floor.pass(rest - 1), []);
    assert_eq!(offer(&floor.pass(1)).1, 2);
}

#[test]
fn a_caller_who_hangs_up_frees_the_operator_who_keeps_the_place() {
    let mut floor = Floor::new(&[A, B]);
    let (id, _, to) = offer(&floor.enter(1, 0));
    assert_eq!(to, A);
    let outputs = floor.left(1);
    assert_eq!(outputs.len(), 1);
    assert_eq!(withdrawal(outputs.first()), (id, OfferResult::CallerGone));
    assert_eq!(
        offer(&floor.enter(2, 0)).2,
        A,
        "A is still the one idle longest"
    );
}

#[test]
fn an_answer_after_the_end_of_the_offer_is_stale_and_binds_nobody() {
    let mut floor = Floor::new(&[A]);
    let (id, _, _) = offer(&floor.enter(1, 0));
    floor.left(1);
    assert_eq!(
        floor.tell(Input::Accepted { offer: id }),
        [Output::Stale { offer: id }]
    );
    assert_eq!(floor.failed(id, OfferResult::CallerGone), []);
    assert_eq!(floor.tell(Input::Ringing { offer: id }), []);
    assert_eq!(floor.state(A), OperatorState::Free);
    let (second, _, _) = offer(&floor.enter(2, 0));
    floor.accepted(second);
    assert_eq!(
        floor.tell(Input::Accepted { offer: second }),
        [Output::Stale { offer: second }]
    );
    assert_eq!(floor.state(A), OperatorState::Talking);
}

#[test]
fn the_longest_wait_counts_from_entry_and_withdraws_the_offer_first() {
    let mut floor = Floor::new(&[A]);
    let (first, _, _) = offer(&floor.enter(1, 0));
    floor.paused(A, true);
    floor.failed(first, OfferResult::Busy);
    floor.pass(WAIT_MAX - 1_000);
    let (second, _, _) = offer(&floor.paused(A, false));
    let outputs = floor.pass(1_000);
    assert_eq!(
        withdrawal(outputs.first()),
        (second, OfferResult::Withdrawn)
    );
    assert_eq!(
        outputs[1..],
        [Output::Dismissed {
            call: call(1),
            queue: Q,
            cause: Cause::WaitedTooLong,
            then: Overflow::Plan,
        }]
    );
    assert_eq!(floor.acd.waiting(), 0);
    assert_eq!(floor.state(A), OperatorState::Free);
    assert_eq!(floor.acd.next_deadline(), None, "nothing is left behind");
}

#[test]
fn a_full_queue_refuses_and_a_queue_that_is_not_there_is_closed() {
    let mut floor = Floor::new(&[]);
    for number in 1..=5 {
        assert_eq!(floor.enter(number, 0), []);
    }
    let refused = |number, queue, cause| {
        [Output::Dismissed {
            call: call(number),
            queue,
            cause,
            then: Overflow::Plan,
        }]
    };
    assert_eq!(floor.enter(6, 9), refused(6, Q, Cause::Full));
    let unknown = QueueId(9);
    let outputs = floor.tell(arrival(call(7), unknown, floor.now + 1));
    assert_eq!(outputs, refused(7, unknown, Cause::Closed));
    floor.left(3);
    assert_eq!(floor.enter(6, 0), []);
    assert_eq!(floor.acd.waiting(), 5);
    assert_eq!(floor.acd.longest_wait(Time::from_millis(1_000_000)), {
        Time::from_millis(1_000_000).since(Time::from_millis(3))
    });
}

#[test]
fn a_call_said_to_be_queued_twice_keeps_its_place() {
    let mut floor = Floor::new(&[]);
    floor.enter(1, 0);
    floor.enter(2, 0);
    assert_eq!(floor.enter(1, 0), []);
    assert_eq!(floor.acd.position(call(1)), Some(1));
    assert_eq!(floor.acd.waiting(), 2);
}

#[test]
fn a_call_moved_to_another_queue_leaves_its_offer() {
    let other = QueueId(2);
    let mut floor = Floor::new(&[]);
    floor.tell(Input::Queues(vec![queue(Q), skilled(other, "water")]));
    floor.tell(Input::Operators(vec![
        operator(A, &[]),
        operator(B, &[("water", 1)]),
    ]));
    floor.reachable(A, true);
    let (id, _, _) = offer(&floor.enter(1, 0));
    floor.reachable(B, true);
    let outputs = floor.tell(arrival(call(1), other, floor.now + 1));
    assert_eq!(withdrawal(outputs.first()), (id, OfferResult::Withdrawn));
    assert_eq!(offer(&outputs[1..]).2, B);
    assert_eq!(
        (floor.acd.waiting_in(Q), floor.acd.waiting_in(other)),
        (0, 1)
    );
}

#[test]
fn an_operator_taken_off_the_table_finishes_the_talk_first() {
    let mut floor = Floor::new(&[A, B]);
    let (id, _, _) = offer(&floor.enter(1, 0));
    assert_eq!(floor.tell(Input::Operators(vec![operator(B, &[])])), []);
    assert_eq!(floor.state(A), OperatorState::Reserved);
    floor.accepted(id);
    floor.freed(A);
    assert_eq!(floor.state(A), OperatorState::WrapUp);
    floor.pass(WRAP_UP);
    assert_eq!(floor.acd.operator_state(A), None);
    offer(&floor.enter(2, 0));
    assert_eq!(floor.enter(3, 0), [], "A is not asked");
    // Back on the table, the registration that never ended still holds.
    assert_eq!(
        offer(&floor.tell(Input::Operators(vec![operator(A, &[])]))).2,
        A
    );
}

#[test]
fn waiting_calls_survive_a_reload_and_follow_the_new_settings() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    for number in 1..=3 {
        floor.enter(number, 0);
    }
    floor.paused(A, false);
    let closed = floor.tell(Input::Queues(vec![]));
    assert_eq!(closed, []);
    assert_eq!(floor.acd.waiting(), 3);
    assert_eq!(floor.enter(4, 0).len(), 1, "no new calls");
    let shorter = QueueSettings {
        wait_max: Some(Duration::from_secs(20)),
        ..skilled(Q, "water")
    };
    floor.tell(Input::Queues(vec![shorter]));
    let outputs = floor.tell(Input::Operators(vec![operator(B, &[("water", 9)])]));
    assert_eq!(outputs, [], "B has no telephone yet");
    assert_eq!(
        offer(&floor.reachable(B, true)).1,
        2,
        "call 1 rings at A still"
    );
    let timed_out = floor.pass(20_000);
    let ended = timed_out
        .iter()
        .filter(|output| matches!(output, Output::Dismissed { .. }));
    assert_eq!(ended.count(), 3, "the new limit counts from entry");
}

#[test]
fn a_delay_of_zero_does_not_ask_again_in_the_same_instant() {
    let mut floor = Floor::new(&[]);
    let hasty = QueueSettings {
        failures: Failures::new(Duration::ZERO, Duration::ZERO),
        ..queue(Q)
    };
    floor.tell(Input::Queues(vec![hasty]));
    floor.tell(Input::Operators(vec![operator(A, &[])]));
    floor.reachable(A, true);
    for result in [OfferResult::Busy, OfferResult::Unreachable] {
        let (id, _, _) = offer(&floor.enter(1, 0));
        assert_eq!(floor.failed(id, result), []);
        assert_eq!(offer(&floor.pass(100)).1, 1, "{result:?}");
        floor.left(1);
    }
}

#[test]
fn without_wrap_up_the_next_call_comes_with_the_end_of_the_talk() {
    let mut floor = Floor::new(&[]);
    floor.tell(Input::Queues(vec![QueueSettings {
        wrap_up: WrapUp::None,
        ..queue(Q)
    }]));
    floor.tell(Input::Operators(vec![operator(A, &[])]));
    floor.reachable(A, true);
    let (id, _, _) = offer(&floor.enter(1, 0));
    floor.accepted(id);
    floor.enter(2, 0);
    assert_eq!(
        floor.left(1),
        [],
        "a call in talk is not the queue's any more"
    );
    assert_eq!(floor.state(A), OperatorState::Talking);
    assert_eq!(offer(&floor.freed(A)).1, 2);
}

#[test]
fn an_operator_in_another_call_gets_no_offer_until_the_last_one_ends() {
    let mut floor = Floor::new(&[A]);
    assert_eq!(floor.tell(Input::OtherCallBegan { operator: A }), []);
    floor.tell(Input::OtherCallBegan { operator: A });
    assert_eq!(floor.state(A), OperatorState::OtherCall);
    assert_eq!(floor.enter(1, 0), []);
    let ended = |wrap_up| Input::OtherCallEnded {
        operator: A,
        wrap_up,
    };
    assert_eq!(floor.tell(ended(WrapUp::None)), []);
    let wrap_up = WrapUp::Fixed(Duration::from_secs(3));
    assert_eq!(floor.tell(ended(wrap_up)), []);
    assert_eq!(floor.state(A), OperatorState::WrapUp);
    assert_eq!(offer(&floor.pass(3_000)).1, 1);
}

#[test]
fn another_call_in_a_talk_changes_nothing_but_what_follows() {
    let mut floor = Floor::new(&[A]);
    let (id, _, _) = offer(&floor.enter(1, 0));
    floor.tell(Input::Accepted { offer: id });
    floor.tell(Input::OtherCallBegan { operator: A });
    assert_eq!(floor.state(A), OperatorState::Talking);
    floor.freed(A);
    assert_eq!(floor.state(A), OperatorState::OtherCall);
    assert_eq!(floor.enter(2, 0), []);
    floor.pass(60_000);
    let ended = Input::OtherCallEnded {
        operator: A,
        wrap_up: WrapUp::None,
    };
    assert_eq!(offer(&floor.tell(ended)).1, 2);
}

#[test]
fn a_call_that_comes_back_has_its_old_place_even_in_a_full_queue() {
    let mut floor = Floor::new(&[A]);
    floor.tell(Input::OtherCallBegan { operator: A });
    floor.tell(Input::Queues(vec![QueueSettings {
        length_max: 2,
        ..queue(Q)
    }]));
    floor.pass(10_000);
    floor.enter(2, 0);
    floor.enter(3, 0);
    let back = arrival(call(1), Q, 5);
    assert_eq!(floor.tell(back), []);
    assert_eq!(floor.acd.position(call(1)), Some(1));
    let ended = Input::OtherCallEnded {
        operator: A,
        wrap_up: WrapUp::None,
    };
    assert_eq!(offer(&floor.tell(ended)).1, 1);
}
