//! Skills, their limits, and how they are eased while a call waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::time::Duration;

use acd::{Levels, Limits, QueueSettings, Relaxation, Ringing, SkillNeed, WhyNot};
use floor::*;
use vocab::OperatorId;

const C: OperatorId = OperatorId(3);

fn after(seconds: u64) -> Relaxation {
    Relaxation {
        after: Duration::from_secs(seconds),
        ..Relaxation::default()
    }
}

fn asks(skills: Vec<SkillNeed>) -> QueueSettings {
    QueueSettings { skills, ..queue(Q) }
}

#[test]
fn all_required_skills_are_needed_and_the_weakest_decides() {
    let both = asks(vec![
        SkillNeed::required("health"),
        SkillNeed::required("uk"),
    ]);
    let mut floor = Floor::with(
        vec![both],
        vec![
            operator(A, &[("health", 100)]),
            operator(B, &[("health", 100), ("uk", 20)]),
            operator(C, &[("health", 60), ("uk", 50)]),
        ],
    );
    assert_eq!(offer(&floor.enter(1, 0)).2, C);
    assert_eq!(offer(&floor.enter(2, 0)).2, B);
    assert_eq!(floor.enter(3, 0), [], "A has one of two");
}

#[test]
fn levels_below_the_minimum_and_above_the_maximum_are_spared() {
    let limits = Limits { min: 40, max: 80 };
    let mut floor = Floor::with(
        vec![asks(vec![SkillNeed::within("health", limits)])],
        vec![
            operator(A, &[("health", 30)]),
            operator(B, &[("health", 90)]),
            operator(C, &[("health", 80)]),
        ],
    );
    let outputs = floor.enter(1, 0);
    assert_eq!(offer(&outputs).2, C);
    assert_eq!(floor.enter(2, 0), []);
    assert_eq!(
        why_not(&outputs),
        [(B, WhyNot::LevelTooHigh), (A, WhyNot::LowerLevel)]
    );
}

#[test]
fn preferred_skills_come_first_but_are_not_needed() {
    let wish = SkillNeed::preferred("uk");
    let mut floor = Floor::with(
        vec![asks(vec![SkillNeed::required("health"), wish])],
        vec![
            operator(A, &[("health", 90)]),
            operator(B, &[("health", 10), ("uk", 10)]),
        ],
    );
    let outputs = floor.enter(1, 0);
    assert_eq!(offer(&outputs).2, B);
    assert_eq!(why_not(&outputs), [(A, WhyNot::LessPreferred)]);
    assert_eq!(offer(&floor.enter(2, 0)).2, A);
}

#[test]
fn a_call_may_ask_for_a_language_besides_what_its_queue_asks_for() {
    let mut floor = Floor::with(
        vec![skilled(Q, "health")],
        vec![
            operator(A, &[("health", 90), ("ru", 100)]),
            operator(B, &[("health", 10), ("uk", 100)]),
        ],
    );
    let speaks = |language: &str| vec![SkillNeed::required(language)];
    let outputs = floor.arrives(1, Q, |call| call.skills = speaks("uk"));
    assert_eq!(offer(&outputs).2, B);
    assert_eq!(floor.arrives(2, Q, |call| call.skills = speaks("uk")), []);
    assert_eq!(
        offer(&floor.enter(3, 0)).2,
        A,
        "others are served meanwhile"
    );
    floor.left(3);
    let outputs = floor.arrives(4, Q, |call| call.skills = speaks("ru"));
    assert_eq!(offer(&outputs).2, A);
}

#[test]
fn where_levels_are_alike_only_the_idle_time_counts() {
    let alike = QueueSettings {
        levels: Levels::Alike,
        skills: vec![SkillNeed::within("health", Limits { min: 20, max: 100 })],
        ..queue(Q)
    };
    let mut floor = Floor::with(
        vec![alike],
        vec![
            operator(A, &[("health", 10)]),
            operator(B, &[("health", 20)]),
            operator(C, &[("health", 100)]),
        ],
    );
    let outputs = floor.enter(1, 0);
    assert_eq!(offer(&outputs).2, B, "idle longer than C");
    assert_eq!(why_not(&outputs)[0], (A, WhyNot::LevelTooLow));
}

#[test]
fn demands_are_eased_step_by_step_until_anyone_will_do() {
    let limits = Limits { min: 70, max: 100 };
    let eased = QueueSettings {
        skills: vec![
            SkillNeed::within("health", limits),
            SkillNeed::required("uk"),
        ],
        relaxation: vec![
            Relaxation {
                levels_by: 30,
                ..after(10)
            },
            Relaxation {
                drop: vec!["uk".to_owned()],
                ..after(20)
            },
            Relaxation {
                anyone: true,
                ..after(30)
            },
        ],
        ..queue(Q)
    };
    let table = vec![
        operator(A, &[("health", 40), ("uk", 80)]),
        operator(B, &[("health", 90)]),
        operator(C, &[]),
    ];
    let mut floor = Floor::with(vec![eased], table);
    for number in 1..=3 {
        assert_eq!(floor.enter(number, 0), []);
    }
    let took = |outputs: &[acd::Output]| {
        let offers = offers(outputs).into_iter();
        offers
            .map(|(_, number, to)| (number, to))
            .collect::<Vec<_>>()
    };
    assert_eq!(took(&floor.pass(9_990)), []);
    assert_eq!(took(&floor.pass(20)), [(1, A)]);
    assert_eq!(took(&floor.pass(9_970)), []);
    let outputs = floor.pass(30);
    assert_eq!(took(&outputs), [(2, B)], "2 is the oldest that waits");
    let [acd::Output::Offer { why, .. }, ..] = outputs.as_slice() else {
        panic!("one offer")
    };
    assert_eq!(why.steps, 2);
    assert!(
        why.to_string().ends_with("Its demands were eased 2 times."),
        "{why}"
    );
    // Call 1 rang at A in vain meanwhile, and is the oldest again.
    let outputs = floor.pass(10_000);
    assert!(
        took(&outputs).contains(&(3, C)) || took(&outputs).contains(&(1, C)),
        "{outputs:?}"
    );
}

#[test]
fn a_call_that_rings_is_eased_too_and_rings_at_those_who_join() {
    let all = QueueSettings {
        skills: vec![SkillNeed::required("health")],
        ringing: Ringing::All(5),
        relaxation: vec![Relaxation {
            anyone: true,
            ..after(5)
        }],
        ..queue(Q)
    };
    let table = vec![operator(A, &[("health", 50)]), operator(B, &[])];
    let mut floor = Floor::with(vec![all], table);
    assert_eq!(offer(&floor.enter(1, 0)).2, A);
    let outputs = floor.pass(5_000);
    assert_eq!(offer(&outputs).2, B);
}

#[test]
fn skills_that_nobody_asked_for_before_find_who_is_free_and_who_becomes_free() {
    let mut floor = Floor::with(
        vec![queue(Q)],
        vec![operator(A, &[("sign language", 5)]), operator(B, &[])],
    );
    let (first, ..) = offer(&floor.enter(1, 0));
    floor.accepted(first);
    let rare = |call: &mut acd::Arrival| call.skills = vec![SkillNeed::required("sign language")];
    assert_eq!(floor.arrives(2, Q, rare), []);
    floor.freed(A);
    assert_eq!(
        offer(&floor.pass(WRAP_UP)),
        (vocab::OfferId::new(1, 1), 2, A)
    );
}
