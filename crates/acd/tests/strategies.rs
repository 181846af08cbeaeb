//! Whom a queue takes: strategies, ringing at several, operators' own orders, delays and reserve.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::time::Duration;

use acd::{
    CallerSettings, Input, Membership, OperatorSettings, QueueSettings, Reserve, Ringing, Strategy,
    WhyNot,
};
use floor::*;
use vocab::{OfferResult, OperatorId, QueueId, Time};

const C: OperatorId = OperatorId(3);
const OTHER: QueueId = QueueId(2);

fn by(strategy: Strategy) -> QueueSettings {
    QueueSettings {
        strategy,
        ..queue(Q)
    }
}

fn three() -> Vec<OperatorSettings> {
    [A, B, C].map(|id| operator(id, &[])).to_vec()
}

/// Serves calls one after another and tells who took them; the talk is `talk` ms long.
fn took(floor: &mut Floor, talks: &[u64]) -> Vec<OperatorId> {
    let mut took = Vec::new();
    for (number, talk) in (100..).zip(talks) {
        let (id, _, to) = offer(&floor.enter(number, 0));
        took.push(to);
        floor.serve(id, to, *talk);
    }
    took
}

#[test]
fn fewest_calls_and_least_talk_count_the_day() {
    let mut floor = Floor::with(vec![by(Strategy::FewestCalls)], three());
    assert_eq!(took(&mut floor, &[9, 1, 1, 1, 1, 1]), [A, B, C, A, B, C]);
    let mut floor = Floor::with(vec![by(Strategy::LeastTalk)], three());
    assert_eq!(
        took(&mut floor, &[900, 100, 500, 100, 100, 100]),
        [A, B, C, B, B, B]
    );
    // A new day begins.
    let clock = |day| Input::Clock {
        day,
        time: Duration::from_secs(60),
    };
    floor.tell(clock(1));
    floor.tell(clock(2));
    assert_eq!(took(&mut floor, &[1]), [A], "idle longest of three alike");
}

#[test]
fn linear_begins_at_the_first_and_round_robin_after_the_last() {
    let mut floor = Floor::with(vec![by(Strategy::Linear)], three());
    assert_eq!(took(&mut floor, &[1; 3]), [A, A, A]);
    let mut floor = Floor::with(vec![by(Strategy::RoundRobin)], three());
    assert_eq!(took(&mut floor, &[1; 4]), [A, B, C, A]);
    // B's turn is not lost by C's being free longer.
    floor.paused(C, true);
    assert_eq!(took(&mut floor, &[1; 2]), [B, A]);
}

#[test]
fn lots_are_drawn_by_weight_and_the_same_each_time() {
    let mut table = three();
    table[1].weight = 3;
    table[2].weight = 6;
    let draws = |table: &[OperatorSettings]| {
        let mut floor = Floor::with(vec![by(Strategy::WeightedRandom)], table.to_vec());
        took(&mut floor, &[1; 3_000])
    };
    let drawn = draws(&table);
    let count = |id| drawn.iter().filter(|one| **one == id).count();
    assert!((240..360).contains(&count(A)), "{}", count(A));
    assert!((840..960).contains(&count(B)), "{}", count(B));
    assert!((1_700..1_900).contains(&count(C)), "{}", count(C));
    assert_eq!(drawn, draws(&table));
}

#[test]
fn ringing_at_all_ends_with_the_first_answer_and_frees_the_others() {
    let all = QueueSettings {
        ringing: Ringing::All(10),
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![all], three());
    let rings = offers(&floor.enter(1, 0));
    assert_eq!(rings.iter().map(|one| one.2).collect::<Vec<_>>(), [A, B, C]);
    assert_eq!(floor.enter(2, 0), [], "everybody rings");
    let outputs = floor.tell(Input::Accepted { offer: rings[1].0 });
    assert_eq!(
        withdrawal(outputs.first()),
        (rings[0].0, OfferResult::Withdrawn)
    );
    assert_eq!(
        withdrawal(outputs.get(1)),
        (rings[2].0, OfferResult::Withdrawn)
    );
    let rings = offers(&outputs);
    assert_eq!(
        rings.iter().map(|one| (one.1, one.2)).collect::<Vec<_>>(),
        [(2, A), (2, C)]
    );
}

#[test]
fn a_call_that_rings_nowhere_comes_before_one_that_could_ring_at_more() {
    let all = QueueSettings {
        ringing: Ringing::All(10),
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![all], three());
    for id in [B, C] {
        floor.paused(id, true);
    }
    assert_eq!(offer(&floor.enter(1, 0)).1, 1);
    assert_eq!(floor.enter(2, 0), []);
    assert_eq!(
        offer(&floor.paused(B, false)).1,
        2,
        "not a second ringing of 1"
    );
    assert_eq!(offer(&floor.paused(C, false)).1, 1);
}

#[test]
fn a_progressive_call_rings_at_one_more_after_each_step() {
    let progressive = QueueSettings {
        ringing: Ringing::Progressive {
            every: Duration::from_secs(3),
            max: 2,
        },
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![progressive], three());
    assert_eq!(offer(&floor.enter(1, 0)).2, A);
    assert_eq!(floor.pass(2_990), []);
    let outputs = floor.pass(20);
    assert_eq!(offer(&outputs).2, B);
    assert!(
        outputs
            .iter()
            .all(|one| !matches!(one, acd::Output::Withdraw { .. }))
    );
    assert_eq!(floor.pass(5_000), [], "two at most");
}

fn member(queue: QueueId, order: u8, delay: u64, reserve: bool) -> Membership {
    Membership {
        queue,
        order,
        delay: Duration::from_secs(delay),
        reserve,
        ring_time: None,
    }
}

fn serving(id: OperatorId, queues: Vec<Membership>) -> OperatorSettings {
    OperatorSettings {
        queues,
        ..operator(id, &[])
    }
}

#[test]
fn an_operators_own_order_of_queues_comes_before_the_age_of_calls() {
    let queues = vec![member(OTHER, 0, 0, false), member(Q, 1, 0, false)];
    let mut floor = Floor::with(vec![queue(Q), queue(OTHER)], vec![serving(A, queues)]);
    floor.paused(A, true);
    floor.arrives(1, Q, |_| {});
    floor.arrives(2, OTHER, |_| {});
    assert_eq!(offer(&floor.paused(A, false)).1, 2);
}

#[test]
fn an_operator_with_a_delay_gets_calls_only_after_it() {
    let late = serving(A, vec![member(Q, 0, 8, false)]);
    let mut floor = Floor::with(vec![queue(Q)], vec![late]);
    assert_eq!(floor.enter(1, 0), []);
    assert_eq!(floor.pass(7_990), []);
    assert_eq!(offer(&floor.pass(20)).2, A);
}

#[test]
fn operators_who_name_queues_serve_no_others_and_members_only_admits_nobody_else() {
    let closed = QueueSettings {
        members_only: true,
        ..queue(OTHER)
    };
    let named = serving(A, vec![member(Q, 0, 0, false)]);
    let mut floor = Floor::with(vec![queue(Q), closed], vec![named, operator(B, &[])]);
    assert_eq!(floor.arrives(1, OTHER, |_| {}), [], "neither is a member");
    assert_eq!(offer(&floor.arrives(2, Q, |_| {})).2, A);
    assert_eq!(
        offer(&floor.arrives(3, Q, |_| {})).2,
        B,
        "who names none serves it too"
    );
}

#[test]
fn the_reserve_helps_when_the_queue_is_long_or_a_call_has_waited() {
    let crowded = QueueSettings {
        reserve: Reserve {
            length: Some(3),
            wait: Some(Duration::from_secs(60)),
        },
        ..queue(Q)
    };
    let table = || {
        vec![
            serving(A, vec![member(Q, 0, 0, false)]),
            serving(B, vec![member(Q, 0, 0, true)]),
        ]
    };
    let mut floor = Floor::with(vec![crowded.clone()], table());
    let (id, ..) = offer(&floor.enter(1, 0));
    floor.accepted(id);
    assert_eq!(floor.enter(2, 0), []);
    assert_eq!(floor.enter(3, 0), []);
    let (_, number, to) = offer(&floor.enter(4, 0));
    assert_eq!(
        (number, to),
        (2, B),
        "the third that waits calls for help; the oldest gets it"
    );
    let mut floor = Floor::with(vec![crowded], table());
    floor.paused(A, true);
    assert_eq!(floor.enter(1, 0), []);
    assert_eq!(floor.pass(59_990), []);
    assert_eq!(offer(&floor.pass(20)).2, B);
}

#[test]
fn priority_comes_from_the_call_its_queue_and_its_caller() {
    let urgent = QueueSettings {
        priority: 3,
        ..queue(OTHER)
    };
    let mut floor = Floor::with(vec![queue(Q), urgent], vec![operator(A, &[])]);
    let known = CallerSettings {
        priority: 5,
        ..CallerSettings::default()
    };
    floor.tell(Input::Callers(vec![("112".to_owned(), known)]));
    floor.paused(A, true);
    floor.arrives(1, Q, |call| call.priority = 4);
    floor.arrives(2, OTHER, |call| call.priority = 2);
    floor.arrives(3, Q, |call| call.caller = "112".to_owned());
    floor.arrives(4, Q, |_| {});
    let mut outputs = floor.paused(A, false);
    let mut served = Vec::new();
    while let Some((id, number, _)) = offers(&outputs).first().copied() {
        served.push(number);
        outputs = floor.serve(id, A, 1);
    }
    assert_eq!(served, [2, 3, 1, 4]);
}

#[test]
fn a_credit_of_waiting_time_moves_a_call_ahead_of_older_ones() {
    let mut floor = Floor::with(vec![queue(Q)], vec![operator(A, &[])]);
    let known = CallerSettings {
        credit: Duration::from_secs(30),
        ..CallerSettings::default()
    };
    floor.tell(Input::Callers(vec![("700".to_owned(), known)]));
    floor.paused(A, true);
    floor.pass(60_000);
    floor.enter(1, 0);
    floor.pass(10_000);
    floor.arrives(2, Q, |call| call.caller = "700".to_owned());
    floor.pass(40_000);
    assert_eq!(offer(&floor.paused(A, false)).1, 2);
    let now = Time::from_millis(floor.now);
    assert_eq!(
        floor.acd.longest_wait(now),
        Duration::from_millis(50_002),
        "a true figure"
    );
}

#[test]
fn a_caller_waits_for_the_own_operator_for_a_while_and_then_for_anybody() {
    let sticky = QueueSettings {
        sticky: Some(Duration::from_secs(20)),
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![sticky], vec![operator(A, &[]), operator(B, &[])]);
    let caller = |call: &mut acd::Arrival| call.caller = "7001".to_owned();
    let (id, _, to) = offer(&floor.arrives(1, Q, caller));
    assert_eq!(to, A);
    floor.serve(id, A, 1_000);
    // B is idle longer, but A talked to this caller last.
    let (id, _, to) = offer(&floor.arrives(2, Q, caller));
    assert_eq!(to, A);
    floor.accepted(id);
    assert_eq!(
        floor.arrives(3, Q, caller),
        [],
        "B is free, and 3 waits for A"
    );
    assert_eq!(floor.pass(19_990), []);
    assert_eq!(offer(&floor.pass(20)).2, B);
    // One whom a customer's file names, and who goes: nobody waits for that one.
    floor.left(3);
    floor.arrives(4, Q, |call| call.owner = Some(A));
    assert_eq!(offer(&floor.paused(A, true)).1, 4);
}

#[test]
fn an_operators_own_ring_time_wins_over_the_queues() {
    let quick = OperatorSettings {
        ring_time: Some(Duration::from_secs(3)),
        ..operator(A, &[])
    };
    let mut floor = Floor::with(vec![queue(Q)], vec![quick, operator(B, &[])]);
    let (id, _, to) = offer(&floor.enter(1, 0));
    assert_eq!(to, A);
    let outputs = floor.pass(3_000);
    assert_eq!(withdrawal(outputs.first()), (id, OfferResult::NoAnswer));
    assert_eq!(offers(&outputs)[0].2, B);
}

#[test]
fn a_decision_names_who_else_was_considered_and_why_not() {
    let table = vec![
        serving(A, vec![member(Q, 0, 0, false)]),
        serving(B, vec![member(Q, 0, 0, false)]),
        serving(C, vec![member(Q, 0, 30, false)]),
    ];
    let mut floor = Floor::with(vec![queue(Q)], table);
    let (id, ..) = offer(&floor.enter(1, 0));
    let outputs = floor.failed(id, OfferResult::Busy);
    assert_eq!(offer(&outputs).2, B);
    assert_eq!(why_not(&outputs), [(C, WhyNot::Delayed)]);
}
