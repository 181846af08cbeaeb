//! Lists of callers, and what is remembered of callers over a restart, in virtual time.

use core::time::Duration;

use sip::Method;
use switch::{Input, KnownCaller};
use vocab::{Fact, KeptPlace, OfferResult, Outcome, Regular, Remembered, Standing, WallTime};

use crate::world::session::told;
use crate::world::{World, operators, phone, settings, trunk};

/// The number of the world's caller.
const CALLER: &str = "+74242123456";

fn known(number: &str) -> KnownCaller {
    KnownCaller {
        number: number.to_owned(),
        list: "list".to_owned(),
        ..KnownCaller::default()
    }
}

/// Another caller, who comes to the queue.
pub(crate) fn calls_as(world: &mut World, number: &str) {
    let mut invite = world.invite("1300");
    let from = format!("<sip:{number}@192.0.2.10>;tag={number}");
    invite.headers.set(sip::HeaderName::From, from);
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    assert_eq!(answer.status(), Some(200));
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
}

/// Who talked, by the numbers of the callers.
pub(crate) fn talked_with(world: &World) -> Vec<String> {
    let calls = told(world, |fact| match fact {
        Fact::SegmentStarted { call, .. } => Some(*call),
        _ => None,
    });
    let number = |wanted: vocab::CallId| {
        let arrived = told(world, |fact| match fact {
            Fact::CallArrived { call, caller, .. } if *call == wanted => Some(caller.clone()),
            _ => None,
        });
        arrived[0].clone()
    };
    calls.into_iter().map(number).collect()
}

#[test]
fn a_blocked_caller_is_declined_with_an_entry_and_others_are_not() {
    let mut world = World::new();
    let blocked = KnownCaller {
        blocked: true,
        ..known(CALLER)
    };
    world.input(Input::Callers(vec![blocked]));
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(603));
    let reasons = told(&world, |fact| match fact {
        Fact::CallEnded {
            outcome: Outcome::Served,
            status,
            reason,
            ..
        } => Some((*status, reason.clone())),
        _ => None,
    });
    assert_eq!(reasons.len(), 1);
    assert_eq!(reasons[0].0, Some(603));
    assert!(reasons[0].1.contains("\"list\""), "{reasons:?}");
    world.input(Input::Callers(Vec::new()));
    world.waiting_caller();
    world.clear();
    world.pass(Duration::from_secs(1));
}

#[test]
fn a_caller_on_a_list_with_a_priority_is_served_before_those_who_came_earlier() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    let vip = KnownCaller {
        priority: 5,
        ..known(CALLER)
    };
    world.input(Input::Callers(vec![vip]));
    calls_as(&mut world, "+74212000001");
    world.pass(Duration::from_secs(30));
    world.waiting_caller();
    assert_eq!(world.register(1, "secret"), 200);
    world.operator_takes(1);
    assert_eq!(talked_with(&world), [CALLER]);
}

#[test]
fn a_caller_with_an_owner_rings_at_that_operator_first() {
    let mut settings = settings();
    settings.queues[0].sticky = Some(Duration::from_secs(20));
    let mut world = World::with(settings).with_operators(3);
    let owned = KnownCaller {
        owner: Some("op3".to_owned()),
        ..known(CALLER)
    };
    world.input(Input::Callers(vec![owned]));
    world.waiting_caller();
    world.request(phone(3), &Method::Invite);
    assert!(world.try_next(phone(1)).is_none());
}

#[test]
fn kept_places_and_regulars_outlast_a_restart() {
    after_a_restart("+74212000003");
}

#[test]
fn who_talked_to_a_number_longer_ago_is_known_after_a_restart_as_well() {
    after_a_restart("+74212000004");
}

/// Calls after a restart, the last of them by a number whose operator is the second.
fn after_a_restart(last: &str) {
    let mut settings = settings();
    settings.queues[0].keep_place = Some(Duration::from_secs(300));
    settings.queues[0].sticky = Some(Duration::from_secs(20));
    let mut world = World::with(settings);
    world.input(Input::Operators(operators(2)));
    let wall = |seconds: i64| WallTime::from_unix_millis(1_795_000_000_000 + seconds * 1_000);
    let place = |caller: &str, since: i64, left: i64| KeptPlace {
        caller: caller.to_owned(),
        queue: "operators".to_owned(),
        since: wall(since),
        left: Some(wall(left)),
    };
    let remembered = Remembered {
        places: vec![
            place("+74212000009", -2_000, -1_000),
            place(CALLER, -200, -100),
            place("+74212000002", -150, -10),
        ],
        regulars: vec![Regular {
            caller: "+74212000003".to_owned(),
            operator: "op2".to_owned(),
        }],
    };
    world.input(Input::Standing(Standing {
        remembered,
        ..Standing::default()
    }));
    // What the database has of longer ago comes later, and changes nothing that is known.
    let older = |caller: &str, operator: &str| Regular {
        caller: caller.to_owned(),
        operator: operator.to_owned(),
    };
    world.input(Input::Regulars(vec![
        older("+74212000003", "op1"),
        older("+74212000004", "op2"),
        older("+74212000005", "nobody"),
    ]));
    world.pass(Duration::from_secs(5));
    for number in ["+74212000001", "+74212000009", "+74212000002"] {
        calls_as(&mut world, number);
        world.pass(Duration::from_secs(1));
    }
    world.waiting_caller();
    assert_eq!(world.register(1, "secret"), 200);
    for _ in 0..4 {
        let mut operator = world.operator_takes(1);
        operator.hang_up(&mut world);
        world.clear();
        // The work after it, and not so long that the next INVITE would be sent again.
        world.pass(Duration::from_millis(10_100));
    }
    // Whose place was kept comes in its order; whose time is over waits like anybody.
    let order = [CALLER, "+74212000002", "+74212000001", "+74212000009"];
    assert_eq!(talked_with(&world), order);
    assert_eq!(world.register(2, "secret"), 200);
    world.clear();
    calls_as(&mut world, last);
    world.request(phone(2), &Method::Invite);
    assert!(
        world
            .offer_results()
            .iter()
            .all(|result| *result == OfferResult::Answered)
    );
}
