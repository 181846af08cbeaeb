//! Peers that use `sips:`, in virtual time (RFC 3261 §12.1.1, RFC 5630).

use core::net::SocketAddr;

use crate::world::session::{described, field};
use crate::world::{OFFER, World, flow, operators, phone, trunk};
use sip::{Flow, HeaderName, Message, Method, Transport};
use switch::Input;
use vocab::OfferResult;

fn tls(remote: SocketAddr) -> Flow {
    Flow {
        transport: Transport::Tls,
        ..flow(remote)
    }
}

fn send(world: &mut World, from: SocketAddr, message: &Message) {
    let mut message = message.clone();
    let via = field(&message, &HeaderName::Via).replace("/UDP ", "/TLS ");
    message.headers.set(HeaderName::Via, via);
    world.input(Input::Datagram {
        flow: tls(from),
        bytes: message.to_bytes(),
    });
}

/// The INVITE of a caller on TLS.
fn invite(world: &mut World, uri: &str, contact: &str) -> Message {
    let mut invite = world
        .out_of_dialog(trunk(), Method::Invite, uri)
        .with_body("application/sdp", OFFER.into());
    invite.headers.set(HeaderName::Contact, contact);
    invite
}

#[test]
fn our_contact_is_sips_where_the_peer_used_it_and_else_names_the_transport() {
    let plain = "<sip:192.0.2.10:5061;transport=tls>";
    let ours = [
        "<sips:198.51.100.1:5060>",
        "<sip:198.51.100.1:5060;transport=tls>",
    ];
    for (uri, contact, route, expected) in [
        ("sips:1300@198.51.100.1", plain, "", ours[0]),
        (
            "sip:1300@198.51.100.1",
            "<sips:192.0.2.10:5061>",
            "",
            ours[0],
        ),
        (
            "sip:1300@198.51.100.1",
            plain,
            "<sips:192.0.2.10:5061;lr>",
            ours[0],
        ),
        // The nearest proxy counts, not who is behind it.
        (
            "sip:1300@198.51.100.1",
            "<sips:192.0.2.10:5061>",
            "<sip:192.0.2.10:5061;transport=tls;lr>",
            ours[1],
        ),
        ("sip:1300@198.51.100.1", plain, "", ours[1]),
    ] {
        let mut world = World::new();
        let mut invite = invite(&mut world, uri, contact);
        if !route.is_empty() {
            invite.headers.set(HeaderName::RecordRoute, route);
        }
        send(&mut world, trunk(), &invite);
        let answer = world.response(trunk());
        assert_eq!(answer.status(), Some(200), "{uri}");
        assert_eq!(
            field(&answer, &HeaderName::Contact),
            expected,
            "{uri} {contact}"
        );
        let ack = world.in_dialog(&invite, &answer, Method::Ack);
        send(&mut world, trunk(), &ack);
        world.input(Input::Stop);
        let bye = world.request(trunk(), &Method::Bye);
        assert_eq!(bye.via().unwrap().transport, "TLS");
    }
}

#[test]
fn sips_without_tls_is_416() {
    let mut world = World::new();
    let invite = invite(&mut world, "sips:1300@198.51.100.1", "<sips:192.0.2.10>");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(416));
}

/// Registers telephone 1 with a `sips:` Contact, by TLS or not; the answer.
fn registered(transport: Transport, expires: &str) -> (World, sip::Message) {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    let put = |world: &mut World, request: &Message| match transport {
        Transport::Tls => send(world, phone(1), request),
        _ => world.send(phone(1), request),
    };
    let mut request = world.register_request(1, phone(1));
    let contact = format!("<sips:op1@{}>", phone(1));
    request.headers.set(HeaderName::Contact, contact);
    request.headers.set(HeaderName::Expires, expires);
    put(&mut world, &request);
    let challenge = world.response(phone(1));
    let request = world.signed(1, phone(1), request, &challenge, "secret");
    put(&mut world, &request);
    let answer = world.response(phone(1));
    (world, answer)
}

#[test]
fn a_telephone_with_a_sips_contact_is_rung_by_tls_from_a_sips_contact() {
    let (mut world, answer) = registered(Transport::Tls, "3600");
    assert_eq!(answer.status(), Some(200));
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    assert_eq!(ring.via().unwrap().transport, "TLS");
    assert_eq!(
        field(&ring, &HeaderName::Contact),
        "<sips:198.51.100.1:5060>"
    );
    let mut accepted = ring.respond(200, Some("a"));
    let contact = format!("<sips:op1@{}>", phone(1));
    accepted.headers.push(HeaderName::Contact, contact);
    send(&mut world, phone(1), &described(accepted, OFFER));
    let ack = world.request(phone(1), &Method::Ack);
    assert_eq!(ack.via().unwrap().transport, "TLS");
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
}

#[test]
fn a_sips_contact_without_tls_is_refused_at_its_registration_and_not_rung() {
    let (mut world, answer) = registered(Transport::Udp, "3600");
    assert_eq!(answer.status(), Some(400));
    let why = field(&answer, &HeaderName::Warning);
    assert!(
        why.contains("sips: Contact is taken over TLS only"),
        "{why}"
    );
    let (_, taken_out) = registered(Transport::Udp, "0");
    assert_eq!(taken_out.status(), Some(200));
    world.waiting_caller();
    assert!(world.try_next(phone(1)).is_none());
}
