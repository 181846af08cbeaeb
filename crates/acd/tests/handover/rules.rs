//! Each rule of the lease by itself.

use std::time::Duration;

use acd::{
    Arrival, By, CallbackMode, CallbackWish, Command, Input, Output, QueueSettings, Refusal,
    Status, Unstaffed, WrapUp,
};
use vocab::{CallId, OfferId, OfferResult, OperatorId, OperatorState, Time};

use crate::floor::{A, B, Floor, Q, RING, WRAP_UP, call, offer, offers, operator, queue};
use crate::pair::{Leaving, Pair, Side, Successor};

const C: OperatorId = OperatorId(3);

/// A new call at one side.
fn arrives(pair: &mut Pair, side: Side, number: u32) -> Vec<Output> {
    let arrival = Arrival::new(call(number), Q, Time::from_millis(pair.now + 1));
    pair.tell(side, Input::Queued(arrival))
}

fn offered(outputs: Vec<(Side, Output)>) -> Vec<(Side, OfferId, u32, OperatorId)> {
    let mut found = Vec::new();
    for (side, output) in outputs {
        let made = offers(&[output]);
        found.extend(
            made.into_iter()
                .map(|(offer, call, who)| (side, offer, call, who)),
        );
    }
    found
}

/// A floor of two, the first of whom talks: the offer that was taken.
fn talking() -> Pair {
    let mut floor = Floor::new(&[A, B]);
    let (first, _, who) = offer(&floor.enter(1, 0));
    assert_eq!(who, A);
    floor.accepted(first);
    Pair::begin(floor)
}

#[test]
fn the_free_go_over_at_once_and_the_busy_when_their_work_is_over() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    assert_eq!(pair.holder(B), None, "on the way");
    assert_eq!(pair.state(Successor, B), OperatorState::OtherCall);
    assert_eq!(arrives(&mut pair, Successor, 10), []);
    let made = offered(pair.settle());
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].0, made[0].2, made[0].3), (Successor, 10, B));
    assert_eq!(pair.holder(A), Some(Leaving));
    pair.tell(Leaving, Input::Freed { operator: A });
    assert_eq!(pair.settle(), []);
    assert_eq!(pair.holder(A), Some(Leaving), "in wrap-up");
    pair.pass(Duration::from_millis(WRAP_UP));
    arrives(&mut pair, Successor, 11);
    let made = offered(pair.settle());
    assert_eq!((made[0].0, made[0].2, made[0].3), (Successor, 11, A));
}

#[test]
fn one_in_another_call_goes_over_when_that_is_over() {
    let mut floor = Floor::new(&[A]);
    floor.tell(Input::OtherCallBegan { operator: A });
    let mut pair = Pair::begin(floor);
    pair.hand_over(&[A]);
    pair.settle();
    assert_eq!(pair.holder(A), Some(Leaving));
    let wrap_up = WrapUp::None;
    pair.tell(
        Leaving,
        Input::OtherCallEnded {
            operator: A,
            wrap_up,
        },
    );
    pair.settle();
    assert_eq!(pair.holder(A), Some(Successor));
    assert_eq!(pair.state(Successor, A), OperatorState::Free);
    assert_eq!(pair.state(Leaving, A), OperatorState::OtherCall);
}

#[test]
fn who_cannot_take_calls_goes_over_at_once_even_while_calls_wait() {
    let mut floor = Floor::new(&[A, B, C]);
    floor.paused(A, true);
    floor.reachable(B, false);
    let (first, ..) = offer(&floor.enter(1, 0));
    floor.accepted(first);
    floor.enter(2, 0);
    let mut pair = Pair::begin(floor);
    pair.hand_over(&[A, B, C]);
    pair.settle();
    // Both are free by what the successor knows, and are asked for; but B has no telephone here.
    assert_eq!(pair.holder(C), Some(Leaving));
    assert_eq!(pair.holder(B), Some(Successor));
    assert_eq!(pair.state(Successor, B), OperatorState::Free);
}

#[test]
fn while_a_call_waits_operators_come_back_and_they_go_over_when_none_does() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    pair.settle();
    assert_eq!(pair.holder(B), Some(Successor));
    // A call of the leaving core comes back into a queue.
    assert_eq!(arrives(&mut pair, Leaving, 2), []);
    let made = offered(pair.settle());
    assert_eq!(made.len(), 1);
    let (side, ring, number, who) = made[0];
    assert_eq!((side, number, who), (Leaving, 2, B));
    // Its caller is gone: nobody is wanted.
    pair.tell(Leaving, Input::Left { call: call(2) });
    pair.settle();
    assert_eq!(pair.holder(B), Some(Successor));
    assert_eq!(pair.tell(Leaving, Input::Accepted { offer: ring }).len(), 1);
    assert_eq!(pair.state(Successor, B), OperatorState::Free);
}

#[test]
fn the_successor_gives_who_becomes_free_before_its_own_calls() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    pair.settle();
    let (own, ..) = offer(&arrives(&mut pair, Successor, 10));
    pair.tell(Successor, Input::Accepted { offer: own });
    arrives(&mut pair, Successor, 11);
    arrives(&mut pair, Leaving, 2);
    assert_eq!(offered(pair.settle()), []);
    pair.tell(Successor, Input::Freed { operator: B });
    let mut made = offered(pair.pass(Duration::from_millis(WRAP_UP)));
    made.extend(offered(pair.settle()));
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].0, made[0].2, made[0].3), (Leaving, 2, B));
    pair.tell(Leaving, Input::Accepted { offer: made[0].1 });
    pair.tell(Leaving, Input::Freed { operator: B });
    pair.pass(Duration::from_millis(WRAP_UP));
    let made = offered(pair.settle());
    assert_eq!((made[0].0, made[0].2, made[0].3), (Successor, 11, B));
}

#[test]
fn a_break_chosen_meanwhile_holds_when_the_work_is_over() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    pair.settle();
    arrives(&mut pair, Leaving, 2);
    let (_, ring, ..) = offered(pair.settle())[0];
    pair.tell(Leaving, Input::Accepted { offer: ring });
    arrives(&mut pair, Leaving, 3);
    pair.settle();
    let status = Status::on_break("lunch");
    let by = By::Operator;
    pair.tell(
        Successor,
        Input::Status {
            operator: A,
            status,
            by,
        },
    );
    // A has the work of call 1 yet; call 3 waits all the while.
    pair.tell(Leaving, Input::Freed { operator: A });
    let mut made = offered(pair.pass(Duration::from_millis(WRAP_UP)));
    made.extend(offered(pair.settle()));
    assert_eq!(made, [], "who is on a break gets no call");
    assert_eq!(pair.holder(A), Some(Successor));
    assert_eq!(pair.state(Successor, A), OperatorState::Paused);
    let (status, by) = (Status::Available, By::Operator);
    pair.tell(
        Successor,
        Input::Status {
            operator: A,
            status,
            by,
        },
    );
    let made = offered(pair.settle());
    assert_eq!((made[0].0, made[0].2, made[0].3), (Leaving, 3, A));
}

#[test]
fn who_has_worked_for_a_call_takes_the_next_one_there_before_those_of_the_successor() {
    let mut pair = Pair::begin(Floor::new(&[A]));
    pair.hand_over(&[A]);
    pair.settle();
    arrives(&mut pair, Leaving, 1);
    let (_, ring, ..) = offered(pair.settle())[0];
    arrives(&mut pair, Leaving, 2);
    arrives(&mut pair, Successor, 10);
    pair.settle();
    pair.tell(Leaving, Input::Accepted { offer: ring });
    pair.tell(Leaving, Input::Freed { operator: A });
    let mut made = offered(pair.pass(Duration::from_millis(WRAP_UP)));
    made.extend(offered(pair.settle()));
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].0, made[0].2, made[0].3), (Leaving, 2, A));
}

#[test]
fn a_break_from_before_the_handover_that_has_ended_does_not_hold() {
    let mut floor = Floor::new(&[A]);
    floor.paused(A, true);
    let mut pair = Pair::begin(floor);
    pair.hand_over(&[A]);
    pair.settle();
    arrives(&mut pair, Leaving, 2);
    let outputs = pair.settle();
    let taken = |output: &(Side, Output)| matches!(output.1, Output::BreakTaken(_));
    assert!(
        !outputs.iter().any(taken),
        "that is the successor's to tell"
    );
    let made = offered(outputs);
    assert_eq!((made[0].0, made[0].2, made[0].3), (Leaving, 2, A));
}

#[test]
fn an_operator_who_is_of_no_use_is_not_sent_to_and_fro() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    pair.settle();
    // The telephone has a new connection, which leads to the successor alone.
    pair.reachable(Leaving, B, false);
    arrives(&mut pair, Leaving, 2);
    assert_eq!(offered(pair.settle()), []);
    assert_eq!(pair.holder(B), Some(Successor));
    let (ring, number, who) = offer(&arrives(&mut pair, Successor, 10));
    assert_eq!((number, who), (10, B), "so B serves here meanwhile");
    // When the work is done, the leaving core is asked again.
    pair.tell(Successor, Input::Accepted { offer: ring });
    pair.tell(Successor, Input::Freed { operator: B });
    pair.reachable(Leaving, B, true);
    let mut made = offered(pair.pass(Duration::from_millis(WRAP_UP)));
    made.extend(offered(pair.settle()));
    assert_eq!((made[0].0, made[0].2, made[0].3), (Leaving, 2, B));
}

#[test]
fn when_the_successor_dies_all_are_the_leaving_cores_again() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    pair.settle();
    assert_eq!(arrives(&mut pair, Leaving, 2), []);
    let (_, number, who) = offer(&pair.tell(Leaving, Input::TakenBack));
    assert_eq!((number, who), (2, B));
    assert!(pair.leaving.holds(A));
    // The next successor begins like the first.
    pair.to_leaving.clear();
    pair.to_successor.clear();
    pair.hand_over(&[A, B]);
    pair.settle();
    assert_eq!(
        (pair.holder(A), pair.holder(B)),
        (Some(Leaving), Some(Leaving))
    );
}

#[test]
fn when_the_leaving_core_is_gone_all_are_the_successors() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    pair.settle();
    let (ring, ..) = offer(&arrives(&mut pair, Successor, 10));
    pair.tell(Successor, Input::Accepted { offer: ring });
    assert_eq!(arrives(&mut pair, Successor, 11), []);
    let (_, number, who) = offer(&pair.tell(Successor, Input::PredecessorGone));
    assert_eq!((number, who), (11, A));
}

#[test]
fn who_is_new_after_the_handover_is_the_successors() {
    let mut pair = talking();
    pair.hand_over(&[A]);
    // B is missing in the table that the successor began with, and C in both.
    let table = || vec![operator(A, &[]), operator(B, &[]), operator(C, &[])];
    pair.settle();
    pair.tell(Successor, Input::Operators(table()));
    pair.tell(Leaving, Input::Operators(table()));
    for who in [B, C] {
        pair.reachable(Successor, who, true);
    }
    pair.reachable(Leaving, C, true);
    pair.settle();
    assert_eq!(
        pair.holder(B),
        Some(Successor),
        "was lent before it was known"
    );
    assert_eq!(pair.holder(C), Some(Successor));
    assert_eq!(pair.state(Successor, C), OperatorState::Free);
    assert_eq!(pair.state(Leaving, C), OperatorState::OtherCall);
}

#[test]
fn before_the_leaving_core_has_named_its_own_nobody_is_the_successors() {
    let mut pair = Pair::begin(Floor::new(&[A]));
    pair.tell(Successor, Input::Queues(vec![queue(Q)]));
    pair.tell(Successor, Input::Predecessor);
    pair.tell(Successor, Input::Operators(vec![operator(B, &[])]));
    pair.reachable(Successor, B, true);
    assert_eq!(arrives(&mut pair, Successor, 10), []);
    pair.tell(Leaving, Input::HandedOver);
    let made = offered(pair.settle());
    assert_eq!(
        (made[0].2, made[0].3),
        (10, B),
        "whom the other one does not know"
    );
}

#[test]
fn nobody_who_is_elsewhere_is_given_a_call_by_name() {
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    pair.settle();
    arrives(&mut pair, Successor, 10);
    let (ring, ..) = (OfferId::new(2, 0), ());
    pair.tell(
        Successor,
        Input::Failed {
            offer: ring,
            result: OfferResult::Rejected,
        },
    );
    let command = Command::Assign {
        call: call(10),
        operator: A,
    };
    let outputs = pair.tell(Successor, Input::Command { number: 7, command });
    let refusal = Some(Refusal::NotFree);
    assert_eq!(outputs, [Output::Commanded { number: 7, refusal }]);
}

#[test]
fn a_queue_is_staffed_by_operators_who_are_elsewhere() {
    let leave = |settings: &mut QueueSettings| {
        let rule = acd::StaffRule {
            cause: Unstaffed::NobodySignedIn,
            leave_after: Some(Duration::ZERO),
            refuses: true,
            then: acd::Overflow::Close,
        };
        settings.unstaffed = vec![rule];
    };
    let mut pair = talking();
    pair.hand_over(&[A, B]);
    let mut strict = queue(Q);
    leave(&mut strict);
    pair.tell(Successor, Input::Queues(vec![strict]));
    assert_eq!(arrives(&mut pair, Successor, 10), []);
    assert_eq!(pair.pass(Duration::from_millis(RING)), []);
    assert_eq!(pair.successor.refusal(Q), None);
}

fn wish(number: u32, now: u64, mode: CallbackMode) -> CallbackWish {
    CallbackWish {
        arrival: Arrival::new(call(number), Q, Time::from_millis(now)),
        number: "74951111111".to_owned(),
        mode,
        attempts: 3,
        pause: Duration::from_secs(60),
        hours: Vec::new(),
    }
}

#[test]
fn callbacks_that_wait_are_left_and_those_under_way_go_on() {
    let mut floor = Floor::new(&[A]);
    let first = wish(1, floor.now, CallbackMode::CallerFirst);
    let outputs = floor.tell(Input::CallbackWanted(first));
    let dialled = |output: &Output| match output {
        Output::Dial { offer, .. } => Some(*offer),
        _ => None,
    };
    let dialling = outputs.iter().find_map(dialled).expect("A is reserved");
    let second = CallbackWish {
        number: "74952222222".to_owned(),
        ..wish(2, floor.now, CallbackMode::CallerFirst)
    };
    floor.tell(Input::CallbackWanted(second));
    let mut pair = Pair::begin(floor);
    pair.hand_over(&[A]);
    pair.settle();
    let left = |call: CallId, attempts_left| Output::CallbackLeft {
        call,
        attempts_left,
    };
    assert!(pair.leaving.is_callback(call(1)) && !pair.leaving.is_callback(call(2)));
    assert_eq!(pair.holder(A), Some(Leaving));
    // Dialled in vain: the next attempt is the successor's.
    let result = OfferResult::Unreachable;
    let outputs = pair.tell(
        Leaving,
        Input::Failed {
            offer: dialling,
            result,
        },
    );
    assert_eq!(outputs, [left(call(1), 2)]);
    // One that is promised now waits here no moment.
    let third = wish(3, pair.now, CallbackMode::OperatorFirst);
    let outputs = pair.tell(Leaving, Input::CallbackWanted(third));
    let kept = Output::CallbackKept {
        call: call(3),
        queue: Q,
    };
    assert_eq!(outputs, [kept, left(call(3), 3)]);
    pair.settle();
    assert_eq!(pair.holder(A), Some(Successor));
}

#[test]
fn a_callback_that_rang_at_an_operator_in_vain_is_left() {
    let mut floor = Floor::new(&[A]);
    let first = wish(1, floor.now, CallbackMode::OperatorFirst);
    let outputs = floor.tell(Input::CallbackWanted(first));
    let (ring, ..) = offers(&outputs)[0];
    let mut pair = Pair::begin(floor);
    pair.hand_over(&[A]);
    pair.settle();
    let result = OfferResult::Busy;
    let outputs = pair.tell(
        Leaving,
        Input::Failed {
            offer: ring,
            result,
        },
    );
    let left = Output::CallbackLeft {
        call: call(1),
        attempts_left: 3,
    };
    assert_eq!(outputs, [left]);
}
