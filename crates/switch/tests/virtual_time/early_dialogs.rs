//! Requests in early dialogs, in virtual time: what a telephone sends before its 200, or before ours.

use core::time::Duration;

use crate::world::peers::Peer;
use crate::world::session::{body, described, field, of_operator};
use crate::world::{OFFER, World, phone, trunk};
use sip::{HeaderName, Message, Method};
use vocab::OfferResult;
use vocab::media::MediaCommand;

/// A provisional answer of telephone 1 that makes an early dialog.
fn progress(invite: &Message, status: u16, tag: &str) -> Message {
    let mut progress = invite.respond(status, Some(tag));
    let contact = format!("<sip:op1@{}>", phone(1));
    progress.headers.push(HeaderName::Contact, contact);
    progress
}

fn there(port: u16) -> String {
    OFFER
        .replace("192.0.2.10", "203.0.113.1")
        .replace("4000", &port.to_string())
        .replace("8 0 101", "8 101")
}

/// A reliable 183 with the answer; acknowledged.
fn answered_early(world: &mut World, ring: &Message) -> Message {
    let mut early = progress(ring, 183, "a");
    early.headers.push(HeaderName::Require, "100rel");
    early.headers.push(HeaderName::RSeq, "1");
    let early = described(early, &there(5_000));
    world.send(phone(1), &early);
    let prack = world.request(phone(1), &Method::Prack);
    world.send(phone(1), &prack.respond(200, None));
    early
}

fn ringing() -> (World, (Message, Message), Message) {
    let mut world = World::new().with_operators(1);
    let caller = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    (world, caller, ring)
}

/// What the engine says to a request of telephone 1 in its early dialog.
fn ask(
    world: &mut World,
    pair: (&Message, &Message),
    method: Method,
    number: u32,
    with: &str,
) -> Message {
    let request = of_operator(world, pair.0, pair.1, method, number);
    let request = if with.is_empty() {
        request
    } else {
        described(request, with)
    };
    world.send(phone(1), &request);
    world.response(phone(1))
}

fn remote_port(world: &World) -> Option<u16> {
    let remotes = world.commands.iter().rev();
    let mut ports = remotes.filter_map(|command| match command {
        MediaCommand::SetRemote { remote, .. } => Some(remote.address.port()),
        _ => None,
    });
    ports.next()
}

#[test]
fn an_update_of_a_ringing_telephone_is_answered_and_its_audio_goes_there_after_a_bare_200() {
    let (mut world, caller, ring) = ringing();
    let early = answered_early(&mut world, &ring);
    let moved = ask(
        &mut world,
        (&ring, &early),
        Method::Update,
        1,
        &there(5_008),
    );
    assert_eq!(moved.status(), Some(200));
    assert!(body(&moved).contains("m=audio"), "{}", body(&moved));
    // One session: its version may grow, its id may not change (RFC 3264 §8).
    let id = |message: &Message| {
        let body = body(message);
        let line = body.lines().find(|line| line.starts_with("o=")).unwrap();
        line.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(id(&moved), id(&ring));
    let mut accepted = ring.respond(200, Some("a"));
    let contact = format!("<sip:op1@{}>", phone(1));
    accepted.headers.push(HeaderName::Contact, contact);
    world.send(phone(1), &accepted);
    world.request(phone(1), &Method::Ack);
    assert_eq!(remote_port(&world), Some(5_008));
    // The dialog goes on counting where the early one was.
    let late = ask(&mut world, (&ring, &early), Method::Info, 1, "");
    assert_eq!(late.status(), Some(200));
    let late = ask(&mut world, (&ring, &early), Method::Options, 0, "");
    assert_eq!(late.status(), Some(500));
    world.caller_hangs_up(&caller.0, &caller.1);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn whoever_rings_may_update_without_an_offer_and_must_answer_ours_before_one() {
    let (mut world, caller, ring) = ringing();
    let early = progress(&ring, 180, "a");
    world.send(phone(1), &early);
    let pair = (&ring, &early);
    let target = ask(&mut world, pair, Method::Update, 1, "");
    assert_eq!(target.status(), Some(200));
    assert!(target.headers.first(&HeaderName::Contact).is_some());
    let glare = ask(&mut world, pair, Method::Update, 2, &there(5_000));
    assert_eq!(glare.status(), Some(491));
    for (number, method, status) in [
        (3, Method::Options, 200),
        (4, Method::Info, 200),
        (5, Method::Invite, 491),
        (6, Method::Prack, 481),
        (7, Method::Refer, 603),
        (8, Method::Subscribe, 403),
    ] {
        let answer = ask(&mut world, pair, method.clone(), number, "");
        assert_eq!(answer.status(), Some(status), "{method:?}");
        if method == Method::Invite {
            let mut ack = of_operator(&mut world, &ring, &early, Method::Ack, number);
            ack.headers
                .set(HeaderName::To, field(&answer, &HeaderName::To));
            world.send(phone(1), &ack);
        }
    }
    world.caller_hangs_up(&caller.0, &caller.1);
    world.clear();
    world.assert_quiet();
}

#[test]
fn a_ringing_telephone_that_hangs_up_has_refused() {
    let (mut world, caller, ring) = ringing();
    let early = progress(&ring, 180, "a");
    world.send(phone(1), &early);
    let bye = ask(&mut world, (&ring, &early), Method::Bye, 1, "");
    assert_eq!(bye.status(), Some(200));
    let cancel = world.request(phone(1), &Method::Cancel);
    world.send(phone(1), &cancel.respond(200, None));
    world.answer(1, &ring, 487);
    assert_eq!(world.offer_results(), [OfferResult::Unreachable]);
    world.clear();
    world.caller_hangs_up(&caller.0, &caller.1);
    world.assert_quiet();
}

#[test]
fn of_two_branches_the_one_that_hangs_up_leaves_the_other_ringing() {
    let (mut world, caller, ring) = ringing();
    let [first, second] = ["a", "b"].map(|tag| progress(&ring, 180, tag));
    world.send(phone(1), &first);
    world.send(phone(1), &second);
    let bye = ask(&mut world, (&ring, &first), Method::Bye, 1, "");
    assert_eq!(bye.status(), Some(200));
    assert!(
        world.try_next(phone(1)).is_none(),
        "the INVITE was cancelled"
    );
    let gone = ask(&mut world, (&ring, &first), Method::Update, 2, "");
    assert_eq!(gone.status(), Some(481));
    let alive = ask(&mut world, (&ring, &second), Method::Update, 1, "");
    assert_eq!(alive.status(), Some(200));
    world.caller_hangs_up(&caller.0, &caller.1);
    world.clear();
    world.assert_quiet();
}

#[test]
fn an_early_dialog_is_over_with_its_refusal_or_the_answer_of_another_branch() {
    let (mut world, caller, ring) = ringing();
    let [first, second] = ["a", "b"].map(|tag| progress(&ring, 180, tag));
    world.send(phone(1), &first);
    world.send(phone(1), &second);
    let accepted = {
        let mut accepted = ring.respond(200, Some("b"));
        let contact = format!("<sip:op1@{}>", phone(1));
        accepted.headers.push(HeaderName::Contact, contact);
        described(accepted, &there(5_000))
    };
    world.send(phone(1), &accepted);
    world.request(phone(1), &Method::Ack);
    let gone = ask(&mut world, (&ring, &first), Method::Update, 1, "");
    assert_eq!(gone.status(), Some(481));
    let alive = ask(&mut world, (&ring, &second), Method::Update, 1, "");
    assert_eq!(alive.status(), Some(200));
    world.caller_hangs_up(&caller.0, &caller.1);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn a_caller_whose_call_rings_updates_and_hangs_up_in_its_early_dialog() {
    let mut world = World::new().with_operators(2);
    let invite = world.dials(1, "102");
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 180);
    let ringing = world.response(phone(1));
    assert_eq!(ringing.status(), Some(180));
    let mut dialling = Peer::caller(phone(1), &invite, &ringing);
    for (method, status) in [
        (Method::Update, 200),
        (Method::Info, 200),
        (Method::Options, 200),
        (Method::Bye, 200),
    ] {
        let request = dialling.request(&mut world, method.clone());
        world.send(phone(1), &request);
        let answer = loop {
            let answer = world.response(phone(1));
            if answer.cseq().unwrap().method == method {
                break answer;
            }
        };
        assert_eq!(answer.status(), Some(status), "{method:?}");
    }
    world.request(phone(2), &Method::Cancel);
    world.answer(2, &ring, 487);
    world.assert_quiet();
}

#[test]
fn under_drop_a_request_of_a_ringing_trunk_is_heard() {
    let mut settings = crate::world::peers::with_outer();
    settings.strangers.policy = switch::trunk::StrangerPolicy::Drop;
    settings.trunks[0].source.networks = vec!["198.18.0.0/16".parse().unwrap()];
    let mut world = World::with(settings).with_operators(1);
    world.dials(1, "+74951112233");
    let ring = world.request(trunk(), &Method::Invite);
    let mut early = ring.respond(180, Some("a"));
    early
        .headers
        .push(HeaderName::Contact, format!("<sip:{}>", trunk()));
    world.send(trunk(), &early);
    let mut update = of_operator(&mut world, &ring, &early, Method::Update, 1);
    let via = format!("SIP/2.0/UDP {};branch=z9hG4bKearly", trunk());
    update.headers.set(HeaderName::Via, via);
    world.send(trunk(), &update);
    assert_eq!(world.response(trunk()).status(), Some(200));
}

#[test]
fn a_telephone_without_update_is_refreshed_by_an_invite_that_says_the_same_again() {
    let (mut world, _, ring) = ringing();
    let mut accepted = progress(&ring, 200, "a");
    accepted
        .headers
        .push(HeaderName::SessionExpires, "1800;refresher=uac");
    accepted.headers.push(HeaderName::Require, "timer");
    world.send(phone(1), &described(accepted, &there(5_000)));
    world.request(phone(1), &Method::Ack);
    world.pass(Duration::from_secs(900));
    let refresh = world.request(phone(1), &Method::Invite);
    assert_eq!(body(&refresh), body(&ring));
}
