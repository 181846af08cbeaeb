//! A trunk's challenges to requests of ours within a dialog, in virtual time (RFC 3261 §22.2).

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::peers::{Peer, with_outer};
use crate::world::{World, phone, trunk};
use sip::{HeaderName, Message, Method};
use switch::trunk::{Account, Password};
use vocab::{EndedBy, Outcome};

const SECOND: Duration = Duration::from_secs(1);
const REALM: &str = "carrier.example";

/// A world whose trunk has an account.
fn world() -> World {
    let mut settings = with_outer();
    settings.trunks[0].account = Some(Account {
        user: "SIP01".into(),
        password: Password("key".into()),
        realm: REALM.into(),
    });
    World::with(settings).with_operators(1)
}

/// A refusal of the trunk with a challenge of this realm; `more`: as `, stale=true`.
fn challenge(request: &Message, status: u16, (realm, nonce): (&str, &str), more: &str) -> Message {
    let mut refusal = request.respond(status, Some("proxy"));
    let name = if status == 401 {
        HeaderName::WwwAuthenticate
    } else {
        HeaderName::ProxyAuthenticate
    };
    let value = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\"{more}");
    refusal.headers.push(name, value);
    refusal
}

/// The credentials of a request, for a proxy or for the peer itself.
fn shown(request: &Message) -> Option<String> {
    [HeaderName::Authorization, HeaderName::ProxyAuthorization]
        .iter()
        .find_map(|name| request.headers.first(name))
        .map(str::to_owned)
}

#[track_caller]
fn assert_shows(request: &Message, nonce: &str, count: u32) {
    let shown = shown(request).expect("credentials");
    let uri = request.request_uri().unwrap();
    for part in [
        "username=\"SIP01\"".to_owned(),
        format!("nonce=\"{nonce}\""),
        format!("nc={count:08x}"),
        format!("uri=\"{uri}\""),
    ] {
        assert!(shown.contains(&part), "{part} is not in {shown}");
    }
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

/// Operator 1 has called out; the trunk asked for the password of the INVITE with nonce `n1`.
/// The accepted INVITE, and the operator.
fn called_out(world: &mut World, contact: SocketAddr) -> (Message, Peer) {
    let invite = world.dials(1, "+74951112233");
    let ring = world.request(trunk(), &Method::Invite);
    world.send(trunk(), &challenge(&ring, 407, (REALM, "n1"), ""));
    world.request(trunk(), &Method::Ack);
    let again = world.request(trunk(), &Method::Invite);
    assert_shows(&again, "n1", 1);
    let mut accepted = again.respond(200, Some("callee"));
    accepted
        .headers
        .push(HeaderName::Contact, format!("<sip:{contact}>"));
    let accepted = accepted.with_body("application/sdp", crate::world::OFFER.into());
    world.send(trunk(), &accepted);
    let operator = world.dialled_through(1, &invite);
    (again, operator)
}

/// A caller of the trunk waits; nothing was asked of us yet.
fn brought(world: &mut World) -> (Message, Message) {
    let caller = world.waiting_caller();
    world.clear();
    caller
}

#[test]
fn a_bye_shows_at_once_what_the_invite_had_to_show_with_the_next_count() {
    let mut world = world();
    let (invite, mut operator) = called_out(&mut world, trunk());
    let ack = world.request(trunk(), &Method::Ack);
    assert_eq!(shown(&ack), shown(&invite), "RFC 3261 §22.1");
    operator.hang_up(&mut world);
    let bye = world.request(trunk(), &Method::Bye);
    assert_shows(&bye, "n1", 2);
    assert_eq!(number(&bye), number(&invite) + 1);
    world.send(trunk(), &bye.respond(200, None));
    world.assert_quiet();
}

#[test]
fn a_trunk_that_challenges_the_bye_of_a_call_it_brought_gets_it_again_with_credentials() {
    for status in [401, 407] {
        let mut world = world();
        let (mut caller, mut operator) = world.talk_with(1);
        operator.hang_up(&mut world);
        let bye = world.request(trunk(), &Method::Bye);
        assert_eq!(shown(&bye), None);
        world.send(trunk(), &challenge(&bye, status, (REALM, "n1"), ""));
        let again = world.request(trunk(), &Method::Bye);
        assert_shows(&again, "n1", 1);
        assert_eq!(number(&again), number(&bye) + 1);
        assert_ne!(again.via().unwrap().branch(), bye.via().unwrap().branch());
        world.send(trunk(), &again.respond(200, None));
        assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
        let _ = &mut caller;
        world.assert_quiet();
    }
}

/// An answer of the called party with a Contact at the trunk.
fn said(invite: &Message, status: u16) -> Message {
    let mut response = invite.respond(status, Some("callee"));
    let contact = format!("<sip:{}>", trunk());
    response.headers.push(HeaderName::Contact, contact);
    response.with_body("application/sdp", crate::world::OFFER.into())
}

#[test]
fn a_prack_and_the_bye_of_a_late_answer_show_at_once_what_the_invite_had_to_show() {
    let mut world = world();
    let dialled = world.dials(1, "+74951112233");
    let ring = world.request(trunk(), &Method::Invite);
    world.send(trunk(), &challenge(&ring, 407, (REALM, "n1"), ""));
    world.request(trunk(), &Method::Ack);
    let again = world.request(trunk(), &Method::Invite);
    let mut progress = said(&again, 183);
    progress.headers.push(HeaderName::Require, "100rel");
    progress.headers.push(HeaderName::parse("RSeq"), "1");
    world.send(trunk(), &progress);
    let prack = world.request(trunk(), &Method::Prack);
    assert_shows(&prack, "n1", 2);
    world.send(trunk(), &prack.respond(200, None));
    // The operator gives up, and the answer crosses our CANCEL.
    let mut cancel = dialled.clone();
    cancel.start = Message::request(Method::Cancel, dialled.request_uri().unwrap().clone()).start;
    let value = format!("{} CANCEL", number(&dialled));
    cancel.headers.set(HeaderName::CSeq, value);
    cancel.body.clear();
    cancel.headers.remove(&HeaderName::ContentType);
    cancel.headers.remove(&HeaderName::ContentLength);
    world.send(phone(1), &cancel);
    world.request(trunk(), &Method::Cancel);
    world.send(trunk(), &said(&again, 200));
    world.request(trunk(), &Method::Ack);
    let bye = world.request(trunk(), &Method::Bye);
    assert_shows(&bye, "n1", 3);
    world.send(trunk(), &bye.respond(200, None));
    world.clear();
    world.assert_quiet();
}

#[test]
fn a_second_challenge_that_does_not_say_stale_is_a_refusal_and_the_leg_ends_all_the_same() {
    let mut world = world();
    let (_, mut operator) = world.talk_with(1);
    operator.hang_up(&mut world);
    let bye = world.request(trunk(), &Method::Bye);
    world.send(trunk(), &challenge(&bye, 407, (REALM, "n1"), ""));
    let again = world.request(trunk(), &Method::Bye);
    world.send(trunk(), &challenge(&again, 407, (REALM, "n2"), ""));
    assert!(world.try_next(trunk()).is_none(), "a third attempt");
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn a_stale_nonce_is_replaced_once_and_then_the_leg_ends() {
    let mut world = world();
    let (_, mut operator) = world.talk_with(1);
    operator.hang_up(&mut world);
    for nonce in ["n1", "n2", "n3"] {
        let bye = world.request(trunk(), &Method::Bye);
        if nonce != "n1" {
            let last = if nonce == "n2" { "n1" } else { "n2" };
            assert_shows(&bye, last, 1);
        }
        world.send(
            trunk(),
            &challenge(&bye, 407, (REALM, nonce), ", stale=true"),
        );
    }
    assert!(world.try_next(trunk()).is_none(), "it never ends");
    world.assert_quiet();
}

#[test]
fn a_nonce_for_one_request_is_replaced_though_nobody_calls_it_stale() {
    let mut world = world();
    let (_, mut operator) = called_out(&mut world, trunk());
    operator.hang_up(&mut world);
    world.request(trunk(), &Method::Ack);
    let bye = world.request(trunk(), &Method::Bye);
    assert_shows(&bye, "n1", 2);
    world.send(trunk(), &challenge(&bye, 407, (REALM, "n2"), ""));
    let again = world.request(trunk(), &Method::Bye);
    assert_shows(&again, "n2", 1);
    world.send(trunk(), &challenge(&again, 407, (REALM, "n3"), ""));
    assert!(world.try_next(trunk()).is_none(), "a third attempt");
    world.assert_quiet();
}

#[test]
fn the_nonce_that_was_shown_is_refused_for_good_unless_it_is_stale() {
    let mut world = world();
    let (_, mut operator) = called_out(&mut world, trunk());
    operator.hang_up(&mut world);
    world.request(trunk(), &Method::Ack);
    let bye = world.request(trunk(), &Method::Bye);
    world.send(trunk(), &challenge(&bye, 407, (REALM, "n1"), ""));
    assert!(world.try_next(trunk()).is_none(), "the same once more");
    world.assert_quiet();
}

#[test]
fn a_challenge_of_another_realm_within_a_dialog_gets_no_credentials() {
    let mut world = world();
    let (_, mut operator) = called_out(&mut world, trunk());
    operator.hang_up(&mut world);
    world.request(trunk(), &Method::Ack);
    let bye = world.request(trunk(), &Method::Bye);
    world.send(trunk(), &challenge(&bye, 401, ("evil.example", "n1"), ""));
    assert!(world.try_next(trunk()).is_none());
    world.assert_quiet();
}

#[test]
fn a_contact_elsewhere_gets_no_credentials_neither_at_once_nor_when_it_asks() {
    let mut world = world();
    let elsewhere: SocketAddr = "203.0.113.99:5060".parse().unwrap();
    let (_, mut operator) = called_out(&mut world, elsewhere);
    let ack = world.request(elsewhere, &Method::Ack);
    assert_eq!(shown(&ack), None);
    operator.hang_up(&mut world);
    let bye = world.request(elsewhere, &Method::Bye);
    assert_eq!(shown(&bye), None);
    world.send(elsewhere, &challenge(&bye, 407, (REALM, "n1"), ""));
    assert!(world.try_next(elsewhere).is_none());
    world.assert_quiet();
}

#[test]
fn a_name_in_contact_gets_credentials_only_where_it_leads_to_the_trunk() {
    for (address, at_once) in [("192.0.2.77", true), ("203.0.113.99", false)] {
        let mut world = world();
        let named = [("gw.example".to_owned(), vec![address.parse().unwrap()])];
        world.names = Some(named.into());
        let invite = world.dials(1, "+74951112233");
        let ring = world.request(trunk(), &Method::Invite);
        world.send(trunk(), &challenge(&ring, 407, (REALM, "n1"), ""));
        world.request(trunk(), &Method::Ack);
        let again = world.request(trunk(), &Method::Invite);
        let mut accepted = again.respond(200, Some("callee"));
        accepted
            .headers
            .push(HeaderName::Contact, "<sip:x@gw.example>");
        let accepted = accepted.with_body("application/sdp", crate::world::OFFER.into());
        world.send(trunk(), &accepted);
        let mut operator = world.dialled_through(1, &invite);
        world.clear();
        operator.hang_up(&mut world);
        let place = SocketAddr::new(address.parse().unwrap(), 5060);
        let bye = world.request(place, &Method::Bye);
        assert_eq!(shown(&bye).is_some(), at_once, "{address}");
        world.send(place, &bye.respond(200, None));
        world.assert_quiet();
    }
}

#[test]
fn an_operators_telephone_that_challenges_gets_nothing() {
    let mut world = world();
    let (mut caller, _) = world.talk_with(1);
    caller.hang_up(&mut world);
    let bye = world.request(phone(1), &Method::Bye);
    world.send(phone(1), &challenge(&bye, 401, (REALM, "n1"), ""));
    assert!(world.try_next(phone(1)).is_none());
    world.assert_quiet();
}

#[test]
fn a_refresh_that_is_challenged_is_sent_again_and_its_ack_shows_the_same() {
    let mut world = world();
    let caller = brought(&mut world);
    world.pass(900 * SECOND);
    let refresh = world.request(trunk(), &Method::Invite);
    assert_eq!(shown(&refresh), None);
    world.send(trunk(), &challenge(&refresh, 407, (REALM, "n1"), ""));
    world.request(trunk(), &Method::Ack);
    let again = world.request(trunk(), &Method::Invite);
    assert_shows(&again, "n1", 1);
    assert_eq!(number(&again), number(&refresh) + 1);
    assert_eq!(again.body, refresh.body);
    let mut ok = again.respond(200, None);
    ok.headers
        .push(HeaderName::Contact, format!("<sip:{}>", trunk()));
    world.send(
        trunk(),
        &ok.with_body("application/sdp", crate::world::OFFER.into()),
    );
    let ack = world.request(trunk(), &Method::Ack);
    assert_eq!(shown(&ack), shown(&again));
    // The next one carries them at once.
    world.pass(900 * SECOND);
    let next = world.request(trunk(), &Method::Invite);
    assert_shows(&next, "n1", 2);
    world.send(trunk(), &next.respond(481, None));
    world.request(trunk(), &Method::Ack);
    let bye = world.request(trunk(), &Method::Bye);
    assert_shows(&bye, "n1", 3);
    world.send(trunk(), &bye.respond(200, None));
    let _ = caller;
    world.assert_quiet();
}

#[test]
fn an_update_that_is_challenged_is_sent_again_and_one_that_stays_refused_ends_nothing() {
    let mut world = world();
    let mut invite = world.invite("1300");
    let allow = "INVITE, ACK, BYE, CANCEL, UPDATE";
    invite.headers.push(HeaderName::Allow, allow);
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
    let mut operator = world.operator_takes(1);
    world.clear();
    world.pass(900 * SECOND);
    let update = world.request(trunk(), &Method::Update);
    world.send(trunk(), &challenge(&update, 401, (REALM, "n1"), ""));
    let again = world.request(trunk(), &Method::Update);
    assert_shows(&again, "n1", 1);
    assert_eq!(number(&again), number(&update) + 1);
    world.send(trunk(), &challenge(&again, 401, (REALM, "n2"), ""));
    assert!(world.try_next(trunk()).is_none(), "a third attempt");
    assert!(world.ended().is_empty(), "the caller was dropped");
    world.clear();
    operator.hang_up(&mut world);
    world.take_bye(trunk());
    world.assert_quiet();
}
