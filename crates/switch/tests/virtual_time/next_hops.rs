//! Where requests within a dialog go when the peer names its next hop, in virtual time.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::world::session::{described, field};
use crate::world::{OFFER, World, phone, trunk};
use sip::{HeaderName, Message, Method};

const SECOND: Duration = Duration::from_secs(1);

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn world(names: &[(&str, &str)]) -> World {
    let mut world = World::new().with_operators(1);
    let known = |(name, address): &(&str, &str)| {
        let addresses = address.split(' ').map(|one| one.parse().unwrap());
        ((*name).to_owned(), addresses.collect())
    };
    world.names = Some(names.iter().map(known).collect::<BTreeMap<_, _>>());
    world
}

/// A caller whose INVITE has this Record-Route or Contact talks to operator 1, who hangs up.
fn hung_up_on(world: &mut World, name: HeaderName, value: &str) {
    let mut invite = world.invite("1300");
    invite.headers.set(name, value);
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
    let ring = world.request(phone(1), &Method::Invite);
    let accepted = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.clear();
    world.operator_hangs_up(1, &ring, &accepted);
}

#[test]
fn the_next_request_goes_where_the_name_of_the_route_leads() {
    let mut world = world(&[("proxy.example", "192.0.2.99")]);
    hung_up_on(
        &mut world,
        HeaderName::RecordRoute,
        "<sip:proxy.example;lr>",
    );
    let proxy = at("192.0.2.99:5060");
    let bye = world.request(proxy, &Method::Bye);
    assert_eq!(field(&bye, &HeaderName::Route), "<sip:proxy.example;lr>");
    assert!(world.try_next(trunk()).is_none());
    world.send(proxy, &bye.respond(200, None));
    world.assert_quiet();
}

#[test]
fn a_contact_by_name_is_located_as_well_and_with_its_port() {
    let mut world = world(&[("pbx.example", "192.0.2.98")]);
    hung_up_on(&mut world, HeaderName::Contact, "<sip:x@pbx.example:5099>");
    let target = at("192.0.2.98:5099");
    let bye = world.request(target, &Method::Bye);
    world.send(target, &bye.respond(200, None));
    world.assert_quiet();
}

#[test]
fn a_name_that_leads_nowhere_leads_to_where_the_peer_was_seen() {
    let mut world = world(&[]);
    hung_up_on(&mut world, HeaderName::Contact, "<sip:x@pc.local>");
    let bye = world.request(trunk(), &Method::Bye);
    world.send(trunk(), &bye.respond(200, None));
    world.assert_quiet();
}

#[test]
fn of_the_servers_of_a_name_the_one_that_was_seen_is_asked_first_and_then_the_others() {
    let mut world = world(&[("cluster.example", "192.0.2.97 192.0.2.10")]);
    hung_up_on(
        &mut world,
        HeaderName::RecordRoute,
        "<sip:cluster.example;lr>",
    );
    let other = at("192.0.2.97:5060");
    assert!(world.try_next(other).is_none());
    world.request(trunk(), &Method::Bye);
    world.pass(33 * SECOND);
    let bye = world.request(other, &Method::Bye);
    world.send(other, &bye.respond(200, None));
    world.assert_quiet();
}

#[test]
fn an_ack_does_not_wait_for_the_dns_and_later_requests_follow_the_name() {
    let mut world = world(&[("edge.example", "203.0.113.200")]);
    let caller = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    let accepted = |ring: &Message| {
        let mut accepted = ring.respond(200, Some("a"));
        let contact = format!("<sip:op1@{}>", phone(1));
        accepted.headers.push(HeaderName::Contact, contact);
        accepted
            .headers
            .push(HeaderName::RecordRoute, "<sip:edge.example;lr>");
        described(accepted, OFFER)
    };
    world.send(phone(1), &accepted(&ring));
    world.request(phone(1), &Method::Ack);
    world.caller_hangs_up(&caller.0, &caller.1);
    let edge = at("203.0.113.200:5060");
    let bye = world.request(edge, &Method::Bye);
    world.send(edge, &bye.respond(200, None));
    // What was asked is known: the next ACK goes there, too.
    let caller = world.waiting_caller();
    world.clear();
    world.pass(30 * SECOND);
    let ring = loop {
        let message = world.next(phone(1));
        if message.method() == Some(&Method::Invite) {
            break message;
        }
    };
    world.send(phone(1), &accepted(&ring));
    world.request(edge, &Method::Ack);
    world.caller_hangs_up(&caller.0, &caller.1);
    let bye = world.request(edge, &Method::Bye);
    world.send(edge, &bye.respond(200, None));
    world.assert_quiet();
}
