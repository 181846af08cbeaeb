//! Messages that cross, strangers, and other cases that a review or a field trial brought up. Each
//! is named for what went wrong once.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::world::{OFFER, World, phone, settings, trunk};
use sip::{HeaderName, Message, Method};
use vocab::media::PromptId;
use vocab::{EndedBy, Fact, OfferResult, OperatorState, Outcome};

const SECOND: Duration = Duration::from_secs(1);

/// A talk with operator 1: the caller's INVITE and answer, the operator's INVITE and answer.
fn talk(world: &mut World) -> [Message; 4] {
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    let accepted = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    [invite, answer, ring, accepted]
}

#[test]
fn an_answer_at_the_end_of_the_ring_time_is_an_answer() {
    let mut world = World::new().with_operators(1);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    // The 200 is the first thing to happen after the deadline.
    world.now = world.now + settings().queues[0].ring_time;
    world.answer(1, &ring, 200);
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
    let state = world.switch.snapshot().operators[0].state;
    assert_eq!(state, OperatorState::Talking);
    world.clear();
    world.waiting_caller();
    world.pass(60 * SECOND);
    assert!(
        world.try_next(phone(1)).is_none(),
        "a second offer during the talk"
    );
    assert_eq!(world.switch.snapshot().counts.bugs, 0);
}

#[test]
fn an_answer_at_the_end_of_the_longest_wait_is_an_answer() {
    let mut settings = settings();
    settings.queues[0].wait_max = Some(10 * SECOND);
    let mut world = World::with(settings).with_operators(1);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.now = world.now + 10 * SECOND;
    world.answer(1, &ring, 200);
    assert_eq!(
        world.switch.snapshot().operators[0].state,
        OperatorState::Talking
    );
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
}

#[test]
fn byes_that_cross_leave_nothing_behind() {
    let mut world = World::new().with_operators(1);
    let [invite, answer, ring, accepted] = talk(&mut world);
    world.caller_hangs_up(&invite, &answer);
    let ours = world.request(phone(1), &Method::Bye);
    world.operator_hangs_up(1, &ring, &accepted);
    assert_eq!(
        world.switch.calls(),
        0,
        "the call waits for nothing any more"
    );
    world.send(phone(1), &ours.respond(481, None));
    world.assert_quiet();

    let mut world = World::new().with_operators(1);
    let [invite, answer, ring, accepted] = talk(&mut world);
    world.operator_hangs_up(1, &ring, &accepted);
    world.request(trunk(), &Method::Bye);
    world.caller_hangs_up(&invite, &answer);
    assert_eq!(world.switch.calls(), 0);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn strangers_cost_no_memory_and_get_one_answer() {
    let mut world = World::new();
    let uri = "sip:1300@198.51.100.1:5060";
    let mut in_no_dialog = world.out_of_dialog(phone(9), Method::Invite, uri);
    in_no_dialog
        .headers
        .set(HeaderName::To, format!("<{uri}>;tag=x"));
    let mut guess = world.out_of_dialog(phone(9), Method::Invite, uri);
    guess.headers.push(
        HeaderName::Authorization,
        "Digest username=\"a\", realm=\"hotline\", nonce=\"1\", uri=\"sip:1300@x\", response=\"2\"",
    );
    let options = world.out_of_dialog(phone(9), Method::Options, uri);
    let unknown = world.out_of_dialog(phone(9), Method::Other("FROB".into()), uri);
    for (request, status) in [
        (in_no_dialog, 481),
        // Not with a nonce of ours: the password is not looked at.
        (guess, 401),
        (options, 200),
        (unknown, 501),
    ] {
        world.send(phone(9), &request);
        assert_eq!(world.response(phone(9)).status(), Some(status));
        world.pass(40 * SECOND);
        while let Some(more) = world.try_next(phone(9)) {
            assert_eq!(more.status(), Some(100), "a second answer to a stranger");
        }
        let tables = world.switch.tables();
        assert!(tables.iter().all(|(_, size)| *size == 0), "{tables:?}");
    }
}

#[test]
fn a_flood_of_strangers_does_not_keep_the_trunk_out() {
    let mut settings = settings();
    settings.transactions_max = 100;
    let mut world = World::with(settings);
    for _ in 0..1_000 {
        let uri = "sip:1300@198.51.100.1:5060";
        let options = world.out_of_dialog(phone(9), Method::Options, uri);
        world.send(phone(9), &options);
    }
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(200));
}

#[test]
fn a_telephone_that_says_trying_is_not_dead() {
    let mut world = World::new().with_operators(1);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 100);
    world.pass(settings().unreachable_after + SECOND);
    assert!(world.offer_results().is_empty());
    world.answer(1, &ring, 180);
    world.answer(1, &ring, 200);
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
}

#[test]
fn a_dead_telephone_is_registered_no_more_until_it_speaks() {
    let mut world = World::new().with_operators(1);
    world.waiting_caller();
    world.pass(settings().unreachable_after);
    assert_eq!(
        world.switch.snapshot().operators[0].state,
        OperatorState::Unreachable
    );
    world.clear();
    assert_eq!(world.register(1, "secret"), 200);
    world.pass(settings().queues[0].failures.busy.retry);
    world.request(phone(1), &Method::Invite);
}

#[test]
fn a_caller_who_hangs_up_after_the_queue_let_go_was_timed_out() {
    let mut settings = settings();
    settings.queues[0].wait_max = Some(30 * SECOND);
    let mut world = World::with(settings);
    let plan = crate::world::PLAN.replace(
        "[[step]]\nhangup = {}",
        "[[step]]\nsay = { name = \"sorry\", text = { en = \"Sorry.\" } }\n\n[[step]]\nhangup = {}",
    );
    let plan = dialplan::parse("sorry.toml", &plan).unwrap();
    let plans = dialplan::Plans::new(vec![Arc::new(plan)]).unwrap();
    let prompts = BTreeMap::from([(("sorry".to_owned(), "en".to_owned()), PromptId(3))]);
    world.input(switch::Input::Plans { plans, prompts });
    world.plays_end = false;
    let (invite, answer) = world.waiting_caller();
    world.pass(31 * SECOND);
    world.caller_hangs_up(&invite, &answer);
    assert_eq!(world.ended(), [(Outcome::TimedOut, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn a_second_telephone_that_answers_gets_ack_and_bye() {
    let mut world = World::new().with_operators(1);
    let [invite, answer, ring, _] = talk(&mut world);
    let mut fork = ring.respond(200, Some("other"));
    fork.headers
        .push(HeaderName::Contact, format!("<sip:op1@{}>", phone(77)));
    world.send(phone(1), &fork.with_body("application/sdp", OFFER.into()));
    world.request(phone(77), &Method::Ack);
    world.take_bye(phone(77));
    assert_eq!(
        world.switch.snapshot().counts.talking,
        1,
        "the talk goes on"
    );
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn an_offer_while_ours_is_open_is_491_and_a_request_after_the_end_481() {
    let mut world = World::new().with_operators(1);
    let [invite, answer, ring, accepted] = talk(&mut world);
    let mut modify = world.in_dialog(&invite, &answer, Method::Invite);
    modify
        .headers
        .set(HeaderName::Contact, "<sip:192.0.2.10:5060>");
    world.send(trunk(), &modify);
    let offered = world.response(trunk());
    assert_eq!(offered.status(), Some(200));
    let mut update = world.in_dialog(&invite, &answer, Method::Update);
    update.headers.set(HeaderName::CSeq, "3 UPDATE");
    world.send(trunk(), &update.with_body("application/sdp", OFFER.into()));
    assert_eq!(world.response(trunk()).status(), Some(491));
    let ack = world.in_dialog(&modify, &offered, Method::Ack);
    world.send(trunk(), &ack.with_body("application/sdp", OFFER.into()));
    world.operator_hangs_up(1, &ring, &accepted);
    world.request(trunk(), &Method::Bye);
    let mut late = world.in_dialog(&invite, &answer, Method::Invite);
    late.headers.set(HeaderName::CSeq, "4 INVITE");
    world.send(trunk(), &late.with_body("application/sdp", OFFER.into()));
    assert_eq!(world.response(trunk()).status(), Some(481));
}

#[test]
fn the_asserted_identity_counts_and_privacy_hides_the_number_from_the_operator() {
    let mut world = World::new().with_operators(1);
    let mut invite = world.invite("1300");
    let asserted = "<sip:+79001112233@carrier>, <tel:+79001112233>";
    invite.headers.push(HeaderName::PAssertedIdentity, asserted);
    invite.headers.push(HeaderName::Privacy, "id");
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    let ack = world.in_dialog(&invite, &answer, Method::Ack);
    world.send(trunk(), &ack);
    let known = world.facts.iter().find_map(|event| match &event.fact {
        Fact::CallArrived { caller, .. } => Some(caller.as_str()),
        _ => None,
    });
    assert_eq!(known, Some("+79001112233"));
    let ring = world.request(phone(1), &Method::Invite);
    assert_eq!(World::from_of(&ring).uri.user.as_deref(), Some("anonymous"));
}

#[test]
fn the_first_fact_has_the_time_of_the_clock_and_the_last_is_the_stop() {
    let mut world = World::new().with_operators(1);
    let first = &world.facts[0];
    assert!(matches!(first.fact, Fact::EngineStarted { .. }));
    assert!(first.at.as_unix_millis() > 1_700_000_000_000, "{first:?}");
    world.waiting_caller();
    world.input(switch::Input::Stop);
    world.pass(5 * SECOND);
    world.input(switch::Input::Exit);
    assert!(matches!(
        world.facts.last().unwrap().fact,
        Fact::EngineStopped
    ));
}

#[test]
fn a_dead_telephone_does_not_hide_the_operators_other_one() {
    let mut world = World::new().with_operators(1);
    // Operator 1 has a desk telephone, too, which is to ring after the one that is dead now.
    assert_eq!(world.register_with(1, phone(50), "q=0.5"), 200);
    let (invite, answer) = world.waiting_caller();
    let dead = world.request(phone(1), &Method::Invite);
    world.pass(settings().unreachable_after);
    let ring = world.request(phone(50), &Method::Invite);
    world.answer_from(phone(50), 1, &ring, 200);
    world.request(phone(50), &Method::Ack);
    // The dead one wakes up and answers, too late.
    world.clear();
    world.answer(1, &dead, 200);
    world.request(phone(1), &Method::Ack);
    world.take_bye(phone(1));
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(50));
    world.assert_quiet();
}

#[test]
fn a_journal_that_is_far_behind_takes_no_new_calls_and_keeps_those_that_are_up() {
    let mut world = World::new();
    let (invite, answer) = world.waiting_caller();
    world.input(switch::Input::JournalBehind(true));
    let second = world.invite("1300");
    world.send(trunk(), &second);
    assert_eq!(world.response(trunk()).status(), Some(503));
    world.input(switch::Input::JournalBehind(false));
    let third = world.waiting_caller();
    world.caller_hangs_up(&third.0, &third.1);
    world.caller_hangs_up(&invite, &answer);
    world.assert_quiet();
}

/// A caller on a TCP connection that goes away in mid-call gets the BYE at its Contact.
#[test]
fn a_call_outlives_the_callers_connection_and_its_bye_goes_to_the_contact() {
    let mut w = World::new().with_operators(1);
    let seen: core::net::SocketAddr = "192.0.2.10:40000".parse().unwrap();
    let on_tcp = |remote| sip::Flow {
        transport: sip::Transport::Tcp,
        ..crate::world::flow(remote)
    };
    let mut invite = w.invite("1300");
    invite
        .headers
        .set(HeaderName::Contact, "<sip:192.0.2.10:5060;transport=tcp>");
    w.input(switch::Input::Datagram {
        flow: on_tcp(seen),
        bytes: invite.to_bytes(),
    });
    let ok = w.response(seen);
    assert_eq!(ok.status(), Some(200));
    let contact = ok.headers.first(&HeaderName::Contact);
    assert_eq!(contact, Some("<sip:198.51.100.1:5060;transport=tcp>"));
    let mut ack = w.out_of_dialog(seen, Method::Ack, "sip:1300@198.51.100.1");
    for name in [HeaderName::From, HeaderName::To, HeaderName::CallId] {
        ack.headers
            .set(name.clone(), ok.headers.first(&name).unwrap());
    }
    w.input(switch::Input::Datagram {
        flow: on_tcp(seen),
        bytes: ack.to_bytes(),
    });
    w.input(switch::Input::FlowClosed { flow: on_tcp(seen) });
    w.input(switch::Input::Stop);
    let bye = w.request(trunk(), &Method::Bye);
    assert_eq!(bye.via().unwrap().transport, "TCP");
}
