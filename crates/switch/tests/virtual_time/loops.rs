//! Calls of ours that come back through other exchanges, in virtual time.

use crate::world::session::field;
use crate::world::{PLAN, World, phone, settings, trunk};
use sip::{HeaderName, Message, Method};

fn name() -> HeaderName {
    HeaderName::parse("Session-ID")
}

/// The status of a call to a number that says to be of this session, and its INVITE and answer.
fn call(world: &mut World, number: &str, session: &str) -> (u16, (Message, Message)) {
    let mut invite = world.invite(number);
    invite.headers.set(name(), session);
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    let status = answer.status().unwrap();
    if status < 300 {
        let ack = world.in_dialog(&invite, &answer, Method::Ack);
        world.send(trunk(), &ack);
    }
    (status, (invite, answer))
}

fn numbers() -> World {
    let numbers = PLAN.replace("[\"1300\"]", "[\"1300\", \"1301\", \"1302\", \"1303\"]");
    World::with_plan(settings(), &numbers)
}

#[test]
fn a_call_that_comes_back_unchanged_is_482_while_it_is_up() {
    let mut world = World::new().with_operators(1);
    let (caller, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    // An exchange behind which the line is forwarded to us hands the name of the session on.
    let session = field(&ring, &name()).to_owned();
    assert_eq!(session.len(), 32 + ";remote=".len() + 32, "{session}");
    let (status, _) = call(&mut world, "1300", &session);
    assert_eq!(status, 482);
    world.answer(1, &ring, 482);
    world.clear();
    world.caller_hangs_up(&caller, &answer);
    world.assert_quiet();
    // Copies of what was not acknowledged.
    world.clear();
    let (status, (invite, answer)) = call(&mut world, "1300", &session);
    assert_eq!(status, 200);
    world.clear();
    world.caller_hangs_up(&invite, &answer);
}

#[test]
fn a_call_that_is_forwarded_to_other_numbers_of_ours_may_come_back_three_times() {
    let mut world = numbers();
    let session = "ab30317f1a784dc48ff824d0d3715d86";
    let statuses = ["1300", "1301", "1302", "1303"].map(|number| {
        let (status, _) = call(&mut world, number, session);
        status
    });
    assert_eq!(statuses, [200, 200, 200, 482]);
    let other = "ab30317f1a784dc48ff824d0d3715d87";
    assert_eq!(call(&mut world, "1303", other).0, 200);
}

#[test]
fn the_name_of_the_callers_session_is_handed_on_and_calls_without_one_get_one_each() {
    let mut world = World::new().with_operators(3);
    let session = "ab30317f1a784dc48ff824d0d3715d86";
    call(&mut world, "1300", &format!("{session};remote=ff"));
    let ring = world.request(phone(1), &Method::Invite);
    assert!(field(&ring, &name()).starts_with(session));
    world.waiting_caller();
    world.waiting_caller();
    let [second, third] = [2, 3].map(|n| world.request(phone(n), &Method::Invite));
    assert_ne!(field(&second, &name()), field(&third, &name()));
}
