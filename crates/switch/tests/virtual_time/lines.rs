//! Operators' lines in virtual time: which telephone rings, and lines with a fixed address.

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::{World, flow, operators, phone};
use sip::{HeaderName, Message, Method};
use switch::{FixedAddress, Input, Operator};
use vocab::{Fact, OfferResult, OperatorState};

const SECOND: Duration = Duration::from_secs(1);

fn exchange() -> SocketAddr {
    "192.0.2.77:5060".parse().unwrap()
}

/// Operator 1 behind another exchange.
fn fixed() -> Vec<Operator> {
    let mut operators = operators(1);
    operators[0].address = Some(FixedAddress {
        uri: sip::Uri::parse("sip:201@192.0.2.77").unwrap(),
        flow: flow(exchange()),
    });
    operators
}

fn reachable(world: &World) -> Vec<bool> {
    world
        .facts
        .iter()
        .filter_map(|event| match event.fact {
            Fact::OperatorReachable { reachable, .. } => Some(reachable),
            _ => None,
        })
        .collect()
}

fn state(world: &World) -> OperatorState {
    world.switch.snapshot().operators[0].state
}

/// Answers the probe that has come.
fn answer_probe(world: &mut World, status: u16) {
    let probe = world.request(exchange(), &Method::Options);
    assert_eq!(
        probe.request_uri().unwrap().to_string(),
        "sip:201@192.0.2.77"
    );
    world.send(exchange(), &probe.respond(status, Some("x")));
}

#[test]
fn a_line_with_an_address_is_reachable_from_its_first_answer_and_rings_there() {
    let mut world = World::new();
    world.input(Input::Operators(fixed()));
    assert_eq!(state(&world), OperatorState::Unreachable);
    answer_probe(&mut world, 200);
    assert_eq!(reachable(&world), [true]);
    world.waiting_caller();
    let ring = world.request(exchange(), &Method::Invite);
    assert_eq!(
        ring.request_uri().unwrap().to_string(),
        "sip:201@192.0.2.77"
    );
    let answer = world.answer_from(exchange(), 1, &ring, 200);
    world.request(exchange(), &Method::Ack);
    assert!(answer.status().is_some());
}

#[test]
fn a_line_with_an_address_goes_with_a_silent_or_bad_probe_and_comes_back() {
    let mut world = World::new();
    world.input(Input::Operators(fixed()));
    answer_probe(&mut world, 405);
    for (status, expected) in [(404, false), (401, true), (503, false), (486, true)] {
        world.clear();
        world.pass(30 * SECOND);
        answer_probe(&mut world, status);
        assert_eq!(reachable(&world).last(), Some(&expected), "{status}");
    }
    world.clear();
    world.pass(30 * SECOND);
    world.pass(3 * SECOND);
    assert_eq!(
        reachable(&world).last(),
        Some(&true),
        "it may be on its way"
    );
    world.pass(SECOND);
    assert_eq!(reachable(&world).last(), Some(&false));
    world.clear();
    world.pass(26 * SECOND);
    answer_probe(&mut world, 200);
    assert_eq!(reachable(&world).last(), Some(&true));
}

#[test]
fn a_line_with_an_address_that_is_silent_to_an_invite_is_unreachable_until_a_probe_is_answered() {
    let mut world = World::new();
    world.input(Input::Operators(fixed()));
    answer_probe(&mut world, 200);
    world.waiting_caller();
    world.request(exchange(), &Method::Invite);
    world.pass(4 * SECOND);
    assert_eq!(world.offer_results(), [OfferResult::Unreachable]);
    assert_eq!(state(&world), OperatorState::Unreachable);
    world.clear();
    world.pass(26 * SECOND);
    let probe = loop {
        let message = world.next(exchange());
        if message.method() == Some(&Method::Options) {
            break message;
        }
    };
    world.send(exchange(), &probe.respond(200, Some("x")));
    assert_eq!(reachable(&world), [true, false, true]);
}

#[test]
fn an_address_that_is_taken_away_or_changed_is_not_asked_any_more() {
    let mut world = World::new();
    world.input(Input::Operators(fixed()));
    answer_probe(&mut world, 200);
    world.input(Input::Operators(operators(1)));
    assert_eq!(reachable(&world), [true, false]);
    world.clear();
    world.pass(120 * SECOND);
    assert!(world.try_next(exchange()).is_none());
}

#[test]
fn registered_telephones_ring_by_their_q_and_the_fixed_address_last() {
    let mut world = World::new();
    world.input(Input::Operators(fixed()));
    answer_probe(&mut world, 200);
    let (desk, mobile) = (phone(11), phone(12));
    assert_eq!(world.register_with(1, desk, "q=0.2"), 200);
    assert_eq!(world.register_with(1, mobile, "q=0.9"), 200);
    world.waiting_caller();
    let refuse = |world: &mut World, at: SocketAddr| {
        let ring: Message = world.request(at, &Method::Invite);
        world.answer_from(at, 1, &ring, 480);
        world.request(at, &Method::Ack);
    };
    refuse(&mut world, mobile);
    refuse(&mut world, desk);
    let ring = world.request(exchange(), &Method::Invite);
    assert!(
        world.offer_results().is_empty(),
        "one offer, three telephones"
    );
    world.answer_from(exchange(), 1, &ring, 404);
    assert_eq!(world.offer_results(), [OfferResult::Unreachable]);
}

#[test]
fn busy_is_the_operators_word_and_no_later_telephone_rings() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    assert_eq!(world.register_with(1, phone(11), "q=0.5"), 200);
    assert_eq!(world.register_at(1, phone(12), "secret"), 200);
    world.waiting_caller();
    let ring = world.request(phone(12), &Method::Invite);
    world.answer_from(phone(12), 1, &ring, 486);
    assert_eq!(world.offer_results(), [OfferResult::Busy]);
    assert!(
        world
            .try_next(phone(11))
            .is_none_or(|m| m.method() != Some(&Method::Invite))
    );
}

#[test]
fn a_second_telephone_has_its_own_time_to_say_a_word() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    assert_eq!(world.register_with(1, phone(11), "q=0.5"), 200);
    assert_eq!(world.register_at(1, phone(12), "secret"), 200);
    world.waiting_caller();
    world.pass(3 * SECOND);
    let ring = world.request(phone(12), &Method::Invite);
    world.answer_from(phone(12), 1, &ring, 480);
    let ring = world.request(phone(11), &Method::Invite);
    world.pass(3 * SECOND);
    assert!(world.offer_results().is_empty(), "its own four seconds");
    world.answer_from(phone(11), 1, &ring, 200);
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
}

#[test]
fn a_telephone_may_be_set_to_the_number_of_its_line_as_account() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    let register = |world: &mut World, account: &str| {
        let mut request = world.register_request(1, phone(1));
        let address = format!("<sip:{account}@198.51.100.1:5060>");
        request.headers.set(HeaderName::To, address);
        world.authorised(1, phone(1), request, "secret")
    };
    assert_eq!(register(&mut world, "101"), 200);
    assert_eq!(register(&mut world, "op1"), 200);
    assert_eq!(register(&mut world, "102"), 403);
}

#[test]
fn a_registration_may_require_path_and_outbound_and_nothing_else() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    let mut request = world.register_request(1, phone(1));
    request.headers.set(HeaderName::Require, "path, outbound");
    assert_eq!(
        world.authorised(1, phone(1), request.clone(), "secret"),
        200
    );
    request.headers.set(HeaderName::Require, "path, gruu");
    world.send(phone(1), &request);
    assert_eq!(world.response(phone(1)).status(), Some(420));
}
