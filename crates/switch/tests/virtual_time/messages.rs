//! Text messages in virtual time: refused by default, passed on between operators where the settings
//! say so, one copy to each telephone, one answer to the sender.

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::{World, phone, settings, trunk};
use sip::{HeaderName, Message, Method};
use switch::Messages;

const SECOND: Duration = Duration::from_secs(1);

fn open() -> World {
    let mut settings = settings();
    settings.messages = Messages::Operators;
    World::with(settings).with_operators(2)
}

/// A MESSAGE from a place, without credentials.
fn message(world: &mut World, from: SocketAddr, to: &str, kind: &str, body: &str) -> Message {
    let uri = format!("sip:{to}@198.51.100.1:5060");
    let mut request = world.out_of_dialog(from, Method::Message, &uri);
    request.headers.remove(&HeaderName::Contact);
    request.with_body(kind, body.as_bytes().to_vec())
}

/// Operator 1 sends it, with the password.
fn send(world: &mut World, request: Message) {
    let at = phone(1);
    world.send(at, &request);
    let challenge = world.response(at);
    assert_eq!(challenge.status(), Some(401));
    let request = world.signed(1, at, request, &challenge, "secret");
    world.send(at, &request);
}

fn send_text(world: &mut World, to: &str) {
    let request = message(world, phone(1), to, "text/plain;charset=UTF-8", "Обед?");
    send(world, request);
}

#[track_caller]
fn status(world: &mut World) -> u16 {
    world.response(phone(1)).status().unwrap()
}

#[test]
fn messages_are_refused_unless_the_settings_say_otherwise() {
    let mut world = World::new().with_operators(1);
    for from in [phone(1), trunk(), phone(50)] {
        let request = message(&mut world, from, "101", "text/plain", "hello");
        world.send(from, &request);
        let response = world.response(from);
        assert_eq!(response.status(), Some(405));
        let allow = response.headers.first(&HeaderName::Allow).unwrap();
        assert!(!allow.contains("MESSAGE"), "{allow}");
    }
    assert!(world.try_next(phone(1)).is_none());
}

#[test]
fn a_message_reaches_the_line_with_its_true_sender_and_the_answer_comes_back() {
    let mut world = open();
    let text = "text/plain;charset=UTF-8";
    let mut request = message(&mut world, phone(1), "102", text, "Обед?");
    let forged = "\"Director\" <sip:boss@example.com>;tag=1";
    request.headers.set(HeaderName::From, forged);
    request.headers.set(HeaderName::MaxForwards, "9");
    send(&mut world, request);
    let copy = world.request(phone(2), &Method::Message);
    assert_eq!(copy.body, "Обед?".as_bytes());
    assert_eq!(copy.headers.first(&HeaderName::ContentType), Some(text));
    assert_eq!(
        copy.request_uri().unwrap().to_string(),
        "sip:op2@203.0.113.2:5060"
    );
    let from = copy.from().unwrap();
    assert_eq!(from.uri.user.as_deref(), Some("101"));
    assert_eq!(from.display.as_deref(), Some("Operator 1"));
    assert_eq!(copy.max_forwards(), Some(8));
    assert!(copy.headers.first(&HeaderName::Contact).is_none());
    assert!(
        world.try_next(phone(1)).is_none(),
        "not before the telephone has it"
    );
    world.send(phone(2), &copy.respond(200, Some("x")));
    assert_eq!(status(&mut world), 200);
    world.assert_quiet();
}

#[test]
fn each_telephone_of_a_line_gets_one_copy_and_the_first_that_takes_it_decides() {
    let mut world = open();
    assert_eq!(world.register_at(2, phone(22), "secret"), 200);
    send_text(&mut world, "op2");
    let first = world.request(phone(2), &Method::Message);
    let second = world.request(phone(22), &Method::Message);
    assert_ne!(first.call_id(), second.call_id());
    world.send(phone(2), &first.respond(486, Some("x")));
    assert!(world.try_next(phone(1)).is_none(), "the other may take it");
    world.send(phone(22), &second.respond(200, Some("y")));
    assert_eq!(status(&mut world), 200);
    // A late one changes nothing.
    world.send(phone(2), &first.respond(200, Some("x")));
    world.assert_quiet();
    assert!(world.try_next(phone(1)).is_none());
}

#[test]
fn when_no_telephone_takes_it_the_sender_hears_the_best_reason() {
    for (answers, expected) in [
        ([404, 486], 486),
        ([486, 603], 603),
        ([501, 401], 480),
        ([415, 500], 415),
        ([603, 600], 603),
    ] {
        let mut world = open();
        assert_eq!(world.register_at(2, phone(22), "secret"), 200);
        send_text(&mut world, "op2");
        for (at, answer) in [phone(2), phone(22)].into_iter().zip(answers) {
            let copy = world.request(at, &Method::Message);
            world.send(at, &copy.respond(answer, Some("x")));
        }
        assert_eq!(status(&mut world), expected, "{answers:?}");
        world.assert_quiet();
    }
}

#[test]
fn a_silent_telephone_is_given_up_before_the_sender_gives_up() {
    let mut world = open();
    send_text(&mut world, "102");
    world.pass(15 * SECOND);
    assert!(world.try_next(phone(1)).is_none());
    world.pass(SECOND);
    assert_eq!(status(&mut world), 480);
    world.assert_quiet();
}

#[test]
fn what_is_no_short_plain_text_is_refused_and_goes_nowhere() {
    let mut world = open();
    let long = "x".repeat(1_301);
    for (to, kind, body, status) in [
        ("102", "text/html", "<b>hi</b>", 415),
        ("102", "message/cpim", "hi", 415),
        ("102", "text/plain", long.as_str(), 413),
        ("nobody", "text/plain", "hi", 404),
        ("1300", "text/plain", "hi", 404),
    ] {
        let request = message(&mut world, phone(1), to, kind, body);
        send(&mut world, request);
        let response = world.response(phone(1));
        assert_eq!(response.status(), Some(status), "{to} {kind}");
        let accept = response.headers.first(&HeaderName::Accept);
        assert_eq!(accept, (status == 415).then_some("text/plain"));
    }
    let mut spent = message(&mut world, phone(1), "102", "text/plain", "hi");
    spent.headers.set(HeaderName::MaxForwards, "0");
    send(&mut world, spent);
    assert_eq!(status(&mut world), 483);
    let mut packed = message(&mut world, phone(1), "102", "text/plain", "hi");
    packed.headers.push(HeaderName::ContentEncoding, "gzip");
    send(&mut world, packed);
    assert_eq!(status(&mut world), 415);
    let mut world = open();
    let mut leaves = world.register_request(2, phone(2));
    leaves.headers.set(HeaderName::Expires, "0");
    assert_eq!(world.authorised(2, phone(2), leaves, "secret"), 200);
    send_text(&mut world, "102");
    assert_eq!(status(&mut world), 480, "no telephone");
    assert!(world.try_next(phone(2)).is_none());
}

#[test]
fn a_message_of_exactly_the_bound_goes_through() {
    let mut world = open();
    let body = "x".repeat(1_300);
    let request = message(&mut world, phone(1), "102", "text/plain", &body);
    send(&mut world, request);
    let copy = world.request(phone(2), &Method::Message);
    assert_eq!(copy.body.len(), 1_300);
}

#[test]
fn strangers_and_wrong_passwords_send_nothing() {
    let mut world = open();
    for from in [trunk(), phone(50)] {
        let request = message(&mut world, from, "102", "text/plain", "hi");
        world.send(from, &request);
        assert_eq!(world.response(from).status(), Some(401));
        assert_eq!(world.authorised(1, from, request, "wrong"), 403);
    }
    assert!(world.try_next(phone(2)).is_none());
}

#[test]
fn one_sender_may_have_so_many_under_way_and_no_more() {
    let mut world = open();
    for _ in 0..20 {
        send_text(&mut world, "102");
    }
    assert!(world.try_next(phone(1)).is_none());
    send_text(&mut world, "102");
    let response = world.response(phone(1));
    assert_eq!(response.status(), Some(503));
    assert!(response.headers.first(&HeaderName::RetryAfter).is_some());
    world.clear();
    world.assert_quiet();
}
