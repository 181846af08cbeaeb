//! What telephones behind a forking proxy say in virtual time: reliable provisional answers, early
//! descriptions, several 2xx, another session timer.

use crate::world::session::{described, field};
use crate::world::{OFFER, World, phone, trunk};
use sip::{HeaderName, Message, Method};
use vocab::media::MediaCommand;
use vocab::{EndedBy, OfferResult, Outcome};

/// A provisional answer of a branch of telephone 1.
fn progress(invite: &Message, tag: &str, rseq: u32, port: u16) -> Message {
    let mut progress = invite.respond(183, Some(tag));
    let contact = format!("<sip:{tag}@{}>", phone(1));
    progress.headers.push(HeaderName::Contact, contact);
    progress.headers.push(HeaderName::Require, "100rel");
    progress.headers.push(HeaderName::RSeq, rseq.to_string());
    described(progress, &there(port))
}

fn there(port: u16) -> String {
    OFFER
        .replace("192.0.2.10", "203.0.113.1")
        .replace("4000", &port.to_string())
        .replace("8 0 101", "8 101")
}

fn accepted(invite: &Message, tag: &str, body: &str) -> Message {
    let mut accepted = invite.respond(200, Some(tag));
    let contact = format!("<sip:{tag}@{}>", phone(1));
    accepted.headers.push(HeaderName::Contact, contact);
    if body.is_empty() {
        return accepted;
    }
    described(accepted, body)
}

fn ringing() -> (World, (Message, Message), Message) {
    let mut world = World::new().with_operators(1);
    let caller = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    (world, caller, ring)
}

/// Where the operator's audio goes.
fn operator_port(world: &World) -> Option<u16> {
    let remotes = world
        .commands
        .iter()
        .rev()
        .filter_map(|command| match command {
            MediaCommand::SetRemote { remote, .. } => Some(remote.address.port()),
            _ => None,
        });
    remotes.into_iter().next()
}

#[test]
fn each_branch_is_acknowledged_in_order_and_its_description_holds_with_a_bare_200() {
    let (mut world, caller, ring) = ringing();
    assert!(ring.headers.lists(&HeaderName::Supported, "100rel"));
    for (tag, rseq, port, rack) in [
        ("a", 10, 5_000, Some("10 1 INVITE")),
        ("b", 70, 5_002, Some("70 1 INVITE")),
        // A copy, and one before its turn.
        ("a", 10, 5_000, None),
        ("a", 12, 5_004, None),
        ("a", 11, 5_006, Some("11 1 INVITE")),
    ] {
        world.send(phone(1), &progress(&ring, tag, rseq, port));
        let prack = world.try_next(phone(1));
        assert_eq!(
            prack.as_ref().map(|prack| field(prack, &HeaderName::RAck)),
            rack
        );
        if let Some(prack) = prack {
            assert_eq!(prack.to().unwrap().tag(), Some(tag));
            world.send(phone(1), &prack.respond(200, None));
        }
    }
    world.send(phone(1), &accepted(&ring, "a", ""));
    let ack = world.request(phone(1), &Method::Ack);
    assert_eq!(ack.cseq().unwrap().number, 1);
    assert_eq!(operator_port(&world), Some(5_006));
    // Two PRACKs went before in this dialog.
    world.caller_hangs_up(&caller.0, &caller.1);
    let bye = world.request(phone(1), &Method::Bye);
    assert_eq!(bye.cseq().unwrap().number, 4);
    world.send(phone(1), &bye.respond(200, None));
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn of_two_branches_that_answer_one_is_kept_and_199_changes_nothing() {
    let (mut world, caller, ring) = ringing();
    let gone = ring.respond(199, Some("c"));
    world.send(phone(1), &gone);
    world.send(phone(1), &accepted(&ring, "a", &there(5_000)));
    let ack = world.request(phone(1), &Method::Ack);
    assert_eq!(ack.to().unwrap().tag(), Some("a"));
    world.send(phone(1), &accepted(&ring, "b", &there(5_002)));
    let ack = world.request(phone(1), &Method::Ack);
    assert_eq!(ack.to().unwrap().tag(), Some("b"));
    let bye = world.request(phone(1), &Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("b"));
    world.send(phone(1), &bye.respond(200, None));
    assert_eq!(operator_port(&world), Some(5_000));
    world.caller_hangs_up(&caller.0, &caller.1);
    let bye = world.request(phone(1), &Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("a"));
    world.send(phone(1), &bye.respond(200, None));
    world.assert_quiet();
}

#[test]
fn a_telephone_that_wants_longer_sessions_is_asked_again_once() {
    let (mut world, caller, ring) = ringing();
    let refuse = |invite: &Message| {
        let mut refused = invite.respond(422, Some("a"));
        refused.headers.push(HeaderName::MinSe, "3600");
        refused
    };
    world.send(phone(1), &refuse(&ring));
    world.request(phone(1), &Method::Ack);
    let again = world.request(phone(1), &Method::Invite);
    assert_eq!(field(&again, &HeaderName::SessionExpires), "3600");
    assert_eq!(field(&again, &HeaderName::MinSe), "3600");
    world.send(phone(1), &refuse(&again));
    world.request(phone(1), &Method::Ack);
    assert_eq!(world.offer_results(), [OfferResult::Unreachable]);
    world.clear();
    world.caller_hangs_up(&caller.0, &caller.1);
    let _ = trunk();
    world.assert_quiet();
}
