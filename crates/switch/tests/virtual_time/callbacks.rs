//! Callers who are called back, in virtual time: the promise, the attempts, the place, the next life.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::world::peers::{Peer, with_outer};
use crate::world::session::told;
use crate::world::{World, operators, phone, trunk};
use sip::{HeaderName, Message, Method};
use switch::{CallbackRules, Input, Settings};
use vocab::{
    CallId, Callback, CallbackResult, Direction, Fact, Instruction, OperatorState, Order, Outcome,
    Party, QueueId, QueueOutcome, Rank, Standing,
};

const MINUTE: Duration = Duration::from_secs(60);
const CALLER: &str = "+74242123456";

/// Whoever waits for a minute is offered a callback, and takes it without a key.
const PLAN: &str = r#"
name = "test"
numbers = ["1300"]
languages = ["en"]

[[step]]
answer = {}

[[step]]
say = { name = "greeting", notice = true, text = { en = "Calls are recorded." } }

[[step]]
queue = { name = "operators", music = "music/waiting.wav", recorded = true }

[[step]]
callback = { name = "offer", queue = "operators", text = { en = "Press 1 to be called back." } }

[[step]]
hangup = {}
"#;

fn rules() -> CallbackRules {
    CallbackRules {
        attempts: 2,
        pause: 5 * MINUTE,
        hours: Vec::new(),
        first: acd::CallbackMode::CallerFirst,
    }
}

/// The operator is asked before the caller is called.
fn operator_first() -> Settings {
    let mut settings = settings();
    let first = acd::CallbackMode::OperatorFirst;
    let rules = CallbackRules { first, ..rules() };
    settings.callbacks = BTreeMap::from([(QueueId(0), rules)]);
    settings
}

fn settings() -> Settings {
    let mut settings = with_outer();
    settings.queues[0].wait_max = Some(MINUTE);
    settings.callbacks = BTreeMap::from([(QueueId(0), rules())]);
    settings
}

/// A caller who waited in vain, and presses 1.
fn missed(world: &mut World) {
    let (invite, answer) = world.waiting_caller();
    world.pass(MINUTE);
    press(world, &invite, &answer);
    world.take_bye(trunk());
}

fn press(world: &mut World, invite: &Message, answer: &Message) {
    let info = world.in_dialog(invite, answer, Method::Info);
    let info = info.with_body(
        "application/dtmf-relay",
        b"Signal=1\r\nDuration=100\r\n".to_vec(),
    );
    world.send(trunk(), &info);
    assert_eq!(world.response(trunk()).status(), Some(200));
}

fn results(world: &World) -> Vec<CallbackResult> {
    told(world, |fact| match fact {
        Fact::CallbackSettled { result, .. } => Some(*result),
        _ => None,
    })
}

fn owed(world: &World) -> Vec<(CallId, Callback)> {
    let mut owed: BTreeMap<CallId, Callback> = BTreeMap::new();
    for event in &world.facts {
        match &event.fact {
            Fact::CallbackOwed { call, callback } => {
                owed.insert(*call, (**callback).clone());
            }
            Fact::CallbackSettled { call, .. } => {
                owed.remove(call);
            }
            _ => {}
        }
    }
    owed.into_iter().collect()
}

/// The outer network answers our call.
fn outer_answers(world: &mut World) -> Peer {
    let ring = world.request(trunk(), &Method::Invite);
    let mut answer = ring.respond(200, Some("outer"));
    let contact = format!("<sip:outer@{}>", trunk());
    answer.headers.push(HeaderName::Contact, contact);
    let answer = answer.with_body("application/sdp", crate::world::OFFER.into());
    world.send(trunk(), &answer);
    world.request(trunk(), &Method::Ack);
    Peer::called(trunk(), &ring, &answer)
}

fn comes(world: &mut World) {
    assert_eq!(world.register(1, "secret"), 200);
}

fn state(world: &World) -> OperatorState {
    world.switch.snapshot().operators[0].state
}

#[test]
fn a_missed_caller_is_called_when_an_operator_is_free_and_the_call_names_the_missed_one() {
    let mut world = World::with_plan(settings(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    let promised = owed(&world);
    assert_eq!(promised.len(), 1);
    assert_eq!(promised[0].1.number, CALLER);
    world.pass(10 * MINUTE);
    assert!(world.try_next(trunk()).is_none(), "nobody is there to talk");
    comes(&mut world);
    assert_eq!(state(&world), OperatorState::Reserved);
    let mut caller = outer_answers(&mut world);
    world.operator_takes(1);
    assert_eq!(results(&world), [CallbackResult::Reached]);
    let dialled = told(&world, |fact| match fact {
        Fact::CallbackDialled { call, of } => Some((*call, *of)),
        _ => None,
    });
    assert_eq!(dialled.len(), 1);
    assert_eq!(dialled[0].1, promised[0].0);
    let arrived = told(&world, |fact| match fact {
        Fact::CallArrived {
            call,
            number,
            caller,
            direction: Direction::Outbound,
            ..
        } => Some((*call, number.clone(), caller.clone())),
        _ => None,
    });
    assert_eq!(
        arrived,
        [(dialled[0].0, CALLER.to_owned(), "1300".to_owned())]
    );
    let talks = told(&world, |fact| match fact {
        Fact::SegmentStarted {
            party: Party::Operator(operator),
            recorded,
            ..
        } => Some((operator.login.clone(), *recorded)),
        _ => None,
    });
    assert_eq!(
        talks,
        [("op1".to_owned(), true)],
        "recorded, as the caller was told"
    );
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    assert_eq!(
        world.ended().last().map(|end| end.0),
        Some(Outcome::Answered)
    );
    world.pass(MINUTE);
    world.assert_quiet();
}

#[test]
fn attempts_are_calls_of_their_own_and_after_the_last_it_is_given_up() {
    let mut world = World::with_plan(settings(), PLAN).with_operators(1);
    // Nobody is there while the caller waits.
    world.input(Input::Operators(Vec::new()));
    missed(&mut world);
    world.input(Input::Operators(operators(1)));
    comes(&mut world);
    for attempt in 0..2 {
        let ring = world.request(trunk(), &Method::Invite);
        world.send(trunk(), &ring.respond(486, Some("busy")));
        world.request(trunk(), &Method::Ack);
        assert_eq!(
            state(&world),
            OperatorState::Free,
            "the operator was not disturbed"
        );
        let left: Vec<u8> = owed(&world).iter().map(|one| one.1.attempts_left).collect();
        if attempt == 0 {
            assert_eq!(left, [1]);
            world.pass(4 * MINUTE);
            assert!(
                world.try_next(trunk()).is_none(),
                "not before the pause is over"
            );
            world.pass(MINUTE);
        }
    }
    assert_eq!(results(&world), [CallbackResult::GaveUp]);
    let unreached = world
        .ended()
        .iter()
        .filter(|end| end.0 == Outcome::Unreached)
        .count();
    assert_eq!(unreached, 2);
    world.pass(10 * MINUTE);
    assert!(world.try_next(trunk()).is_none());
    world.assert_quiet();
}

#[test]
fn who_rings_in_vain_is_hung_up_on_and_tried_again() {
    let mut world = World::with_plan(settings(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    comes(&mut world);
    let ring = world.request(trunk(), &Method::Invite);
    world.send(trunk(), &ring.respond(180, Some("rings")));
    world.pass(Duration::from_secs(20));
    let cancel = world.request(trunk(), &Method::Cancel);
    world.send(trunk(), &cancel.respond(200, Some("rings")));
    world.send(trunk(), &ring.respond(487, Some("rings")));
    world.request(trunk(), &Method::Ack);
    assert_eq!(state(&world), OperatorState::Free);
    assert_eq!(owed(&world)[0].1.attempts_left, 1);
    world.pass(5 * MINUTE);
    outer_answers(&mut world);
    world.operator_takes(1);
    assert_eq!(results(&world), [CallbackResult::Reached]);
}

#[test]
fn a_caller_who_calls_first_has_the_old_place_and_is_owed_nothing_more() {
    let mut world = World::with_plan(settings(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    world.waiting_caller();
    assert_eq!(results(&world), [CallbackResult::CallerCalled]);
    comes(&mut world);
    world.operator_takes(1);
    assert!(owed(&world).is_empty());
}

#[test]
fn one_number_is_owed_one_callback() {
    let mut world = World::with_plan(settings(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    let call_back = |number: &str| Instruction {
        by: "petrova".to_owned(),
        rank: Rank::Supervisor,
        order: Order::CallBack {
            call: CallId::new(1, 77),
            queue: "operators".to_owned(),
            number: number.to_owned(),
            line: "1300".to_owned(),
        },
    };
    let now = world.now;
    world.switch.order(now, &call_back(CALLER)).unwrap();
    world.input(Input::Deadline);
    assert_eq!(results(&world), [CallbackResult::Duplicate]);
    world.switch.order(now, &call_back("+74242999999")).unwrap();
    world.input(Input::Deadline);
    assert_eq!(
        owed(&world).len(),
        2,
        "a missed call of any day becomes a task"
    );
    assert!(world.switch.order(now, &call_back("anna")).is_err());
}

#[test]
fn callbacks_outlast_a_restart_in_their_order_and_before_whoever_calls_later() {
    let mut world = World::with_plan(settings(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    let mut callbacks = owed(&world);
    let mut older = callbacks[0].1.clone();
    older.number = "+74242000001".to_owned();
    older.since = vocab::WallTime::from_unix_millis(1);
    callbacks.push((CallId::new(1, 900), older));

    let mut again = World::with_plan(settings(), PLAN);
    again.input(Input::Operators(operators(1)));
    again.input(Input::Standing(Standing {
        callbacks,
        ..Standing::default()
    }));
    comes(&mut again);
    let ring = again.request(trunk(), &Method::Invite);
    let dialled = ring.request_uri().unwrap().user.clone();
    assert_eq!(dialled.as_deref(), Some("+74242000001"));
    again.send(trunk(), &ring.respond(486, Some("busy")));
    again.request(trunk(), &Method::Ack);
    let ring = again.request(trunk(), &Method::Invite);
    assert_eq!(ring.request_uri().unwrap().user.as_deref(), Some(CALLER));
}

#[test]
fn the_stay_of_who_never_waited_is_in_the_identity_as_callback_taken() {
    let mut settings = settings();
    settings.queues[0].on_wait_max = acd::Overflow::Callback;
    let mut world = World::with_plan(settings, PLAN);
    world.input(Input::Operators(operators(1)));
    world.waiting_caller();
    world.pass(MINUTE);
    world.take_bye(trunk());
    let left = told(&world, |fact| match fact {
        Fact::QueueLeft { outcome, .. } => Some(*outcome),
        _ => None,
    });
    assert_eq!(left, [QueueOutcome::CallbackTaken]);
    assert_eq!(owed(&world).len(), 1);
}

#[test]
fn operator_first_the_operator_answers_and_then_the_missed_caller_is_called() {
    let mut world = World::with_plan(operator_first(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    let promised = owed(&world);
    comes(&mut world);
    assert!(
        world.try_next(trunk()).is_none(),
        "the operator comes first"
    );
    world.operator_takes(1);
    assert_eq!(state(&world), OperatorState::Talking);
    let ring = world.request(trunk(), &Method::Invite);
    assert_eq!(ring.request_uri().unwrap().user.as_deref(), Some(CALLER));
    let mut answer = ring.respond(200, Some("outer"));
    let contact = format!("<sip:outer@{}>", trunk());
    answer.headers.push(HeaderName::Contact, contact);
    let answer = answer.with_body("application/sdp", crate::world::OFFER.into());
    world.send(trunk(), &answer);
    world.request(trunk(), &Method::Ack);
    let mut caller = Peer::called(trunk(), &ring, &answer);
    assert_eq!(results(&world), [CallbackResult::Reached]);
    let dialled = told(&world, |fact| match fact {
        Fact::CallbackDialled { call, of } => Some((*call, *of)),
        _ => None,
    });
    assert_eq!(
        dialled[0].1, promised[0].0,
        "the entry names the missed call"
    );
    let talks = told(&world, |fact| match fact {
        Fact::SegmentStarted {
            party: Party::Outer { number, .. },
            with,
            recorded,
            ..
        } => Some((number.clone(), with.clone().unwrap().login, *recorded)),
        _ => None,
    });
    assert_eq!(talks, [(CALLER.to_owned(), "op1".to_owned(), true)]);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    assert_eq!(
        world.ended().last().map(|end| end.0),
        Some(Outcome::Answered)
    );
    assert_eq!(
        state(&world),
        OperatorState::WrapUp,
        "a talk like any other"
    );
    world.pass(MINUTE);
    world.assert_quiet();
}

#[test]
fn operator_first_an_operator_who_does_not_take_it_costs_no_attempt_and_the_next_is_asked() {
    let mut world = World::with_plan(operator_first(), PLAN);
    world.input(Input::Operators(operators(2)));
    missed(&mut world);
    comes(&mut world);
    let ring = world.request(phone(1), &Method::Invite);
    assert_eq!(world.register(2, "secret"), 200);
    world.answer(1, &ring, 486);
    world.request(phone(1), &Method::Ack);
    world.operator_takes(2);
    assert_eq!(owed(&world)[0].1.attempts_left, 2);
    world.request(trunk(), &Method::Invite);
    let attempts = told(&world, |fact| match fact {
        Fact::CallbackDialled { .. } => Some(()),
        _ => None,
    });
    assert_eq!(attempts.len(), 1, "one attempt is one call of the journal");
}

#[test]
fn operator_first_a_number_that_does_not_answer_is_tried_again_and_the_operator_is_free() {
    let mut world = World::with_plan(operator_first(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    comes(&mut world);
    for attempt in 0..2 {
        world.operator_takes(1);
        let ring = world.request(trunk(), &Method::Invite);
        world.send(trunk(), &ring.respond(486, Some("busy")));
        world.request(trunk(), &Method::Ack);
        world.take_bye(phone(1));
        assert_eq!(
            state(&world),
            OperatorState::Free,
            "no talk, so no work after it"
        );
        if attempt == 0 {
            assert_eq!(owed(&world)[0].1.attempts_left, 1);
            world.pass(4 * MINUTE);
            assert!(
                world.try_next(phone(1)).is_none(),
                "not before the pause is over"
            );
            world.pass(MINUTE);
        }
    }
    assert_eq!(results(&world), [CallbackResult::GaveUp]);
    world.pass(10 * MINUTE);
    assert!(world.try_next(phone(1)).is_none());
    world.assert_quiet();
}

#[test]
fn operator_first_an_operator_who_hangs_up_while_it_rings_leaves_it_to_another_attempt() {
    let mut world = World::with_plan(operator_first(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    comes(&mut world);
    let mut operator = world.operator_takes(1);
    let ring = world.request(trunk(), &Method::Invite);
    world.send(trunk(), &ring.respond(180, Some("rings")));
    operator.hang_up(&mut world);
    let cancel = world.request(trunk(), &Method::Cancel);
    world.send(trunk(), &cancel.respond(200, Some("rings")));
    world.send(trunk(), &ring.respond(487, Some("rings")));
    world.request(trunk(), &Method::Ack);
    assert!(results(&world).is_empty());
    assert_eq!(owed(&world)[0].1.attempts_left, 1);
    world.pass(5 * MINUTE);
    world.operator_takes(1);
    world.request(trunk(), &Method::Invite);
}

#[test]
fn operator_first_a_caller_who_calls_while_an_operator_is_asked_has_the_place_and_is_offered() {
    let mut world = World::with_plan(operator_first(), PLAN);
    world.input(Input::Operators(operators(1)));
    missed(&mut world);
    comes(&mut world);
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.waiting_caller();
    assert_eq!(results(&world), [CallbackResult::CallerCalled]);
    let cancel = world.request(phone(1), &Method::Cancel);
    world.answer_plain(1, &cancel);
    world.answer(1, &ring, 487);
    world.clear();
    world.pass(Duration::from_secs(1));
    let unreached = world.ended();
    assert_eq!(unreached.last().map(|end| end.0), Some(Outcome::Unreached));
}

#[test]
fn a_queue_that_overflows_into_callbacks_says_so_and_hangs_up() {
    let mut settings = settings();
    settings.queues[0].on_wait_max = acd::Overflow::Callback;
    let mut world = World::with_plan(settings, PLAN);
    world.input(Input::Operators(operators(1)));
    world.waiting_caller();
    let before = world.commands.len();
    world.pass(MINUTE);
    let said = world.commands[before..]
        .iter()
        .filter(|command| {
            matches!(
                command,
                vocab::media::MediaCommand::Play { repeat: false, .. }
            )
        })
        .count();
    assert_eq!(said, 1, "the promise, and nothing of the plan's");
    world.take_bye(trunk());
    assert_eq!(owed(&world).len(), 1);
    world.pass(MINUTE);
    world.assert_quiet();
}
