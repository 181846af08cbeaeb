//! Transfers (INTEROP.md, case 7): the caller is never dropped because one fails, each operator has a
//! segment of their own, and nobody stays busy.

use core::time::Duration;

use crate::world::peers::{Peer, with_outer};
use crate::world::{OFFER, World, phone, trunk};
use sip::{HeaderName, Method};
use vocab::media::{MediaCommand, RecordingKey};
use vocab::{
    CallId, EndedBy, Fact, OperatorState, Outcome, Party, TransferKind, TransferResult,
    TransferTarget,
};

const SECOND: Duration = Duration::from_secs(1);

fn world(operators: u8) -> World {
    World::with(with_outer()).with_operators(operators)
}

/// Call, number, and who talked: an operator's login or an outer number.
fn segments(world: &World) -> Vec<(u32, u16, String)> {
    world
        .facts
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::SegmentStarted {
                call,
                segment,
                party,
                ..
            } => Some((
                call.counter(),
                *segment,
                match party {
                    Party::Operator(operator) => operator.login.clone(),
                    Party::Outer { number, .. } => number.clone(),
                },
            )),
            _ => None,
        })
        .collect()
}

fn results(world: &World) -> Vec<TransferResult> {
    world
        .facts
        .iter()
        .filter_map(|event| match event.fact {
            Fact::TransferEnded { result, .. } => Some(result),
            _ => None,
        })
        .collect()
}

fn state(world: &World, n: usize) -> OperatorState {
    world.switch.snapshot().operators[n - 1].state
}

fn recorded(world: &World) -> Vec<RecordingKey> {
    world
        .commands
        .iter()
        .filter_map(|command| match command {
            MediaCommand::Bridge { record, .. } => *record,
            _ => None,
        })
        .collect()
}

fn key(segment: u16) -> RecordingKey {
    RecordingKey {
        call: CallId::new(1, 1),
        segment,
    }
}

#[track_caller]
fn expect_news(world: &mut World, n: u8, lines: &[&str]) {
    for line in lines {
        let (news, more) = world.news(phone(n));
        assert_eq!(news, format!("SIP/2.0 {line}"));
        assert_eq!(more, line.starts_with('1'), "{line}");
    }
}

#[test]
fn a_blind_transfer_to_a_line_makes_a_second_segment_and_frees_the_first_operator() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    world.pass(10 * SECOND);
    assert_eq!(first.refer(&mut world, "<sip:102@198.51.100.1>"), 202);
    expect_news(&mut world, 1, &["100 Trying"]);
    let ring = world.request(phone(2), &Method::Invite);
    let referrer = ring.headers.first(&HeaderName::ReferredBy);
    assert_eq!(referrer, Some("<sip:101@198.51.100.1>"));
    assert_eq!(
        World::from_of(&ring).uri.user.as_deref(),
        Some("+74242123456")
    );
    assert_eq!(state(&world, 2), OperatorState::OtherCall);
    world.answer(2, &ring, 180);
    expect_news(&mut world, 1, &["180 Ringing"]);
    let accepted = world.answer(2, &ring, 200);
    expect_news(&mut world, 1, &["200 OK"]);
    world.take_bye(phone(1));
    world.request(phone(2), &Method::Ack);
    assert_eq!(state(&world, 1), OperatorState::WrapUp);
    assert_eq!(world.switch.snapshot().counts.talking, 1);
    world.pass(5 * SECOND);
    Peer::called(phone(2), &ring, &accepted).hang_up(&mut world);
    world.take_bye(trunk());
    assert_eq!(state(&world, 2), OperatorState::WrapUp);
    assert_eq!(
        segments(&world),
        [(1, 1, "op1".into()), (1, 2, "op2".into())]
    );
    assert_eq!(recorded(&world), [key(1), key(2)]);
    assert_eq!(results(&world), [TransferResult::Done]);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    let _ = &mut caller;
    world.assert_quiet();
    assert_eq!(state(&world, 1), OperatorState::Free);
    assert_eq!(state(&world, 2), OperatorState::Free);
}

#[test]
fn a_change_of_the_session_that_crosses_our_bye_is_481() {
    let mut world = world(2);
    let (_caller, mut first) = world.talk_with(1);
    assert_eq!(first.refer(&mut world, "<sip:102@198.51.100.1>"), 202);
    expect_news(&mut world, 1, &["100 Trying"]);
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 200);
    expect_news(&mut world, 1, &["200 OK"]);
    let bye = world.request(phone(1), &Method::Bye);
    let before = world.commands.len();
    let invite = first.request(&mut world, Method::Invite);
    let invite = invite.with_body("application/sdp", OFFER.into());
    world.send(phone(1), &invite);
    assert_eq!(world.response(phone(1)).status(), Some(481));
    world.send(phone(1), &bye.respond(200, None));
    let told = &world.commands[before..];
    let moved = |command: &MediaCommand| matches!(command, MediaCommand::SetRemote { .. });
    assert!(!told.iter().any(moved), "{told:?}");
}

#[test]
fn a_blind_transfer_to_a_queue_waits_there_at_the_priority_asked_for() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    let (mut waiting, second) = world.talk_with(2);
    assert_eq!(
        first.refer(&mut world, "<sip:operators@198.51.100.1;priority=7>"),
        202
    );
    expect_news(&mut world, 1, &["100 Trying", "200 OK"]);
    world.take_bye(phone(1));
    let entered = world
        .facts
        .iter()
        .rev()
        .find_map(|event| match &event.fact {
            Fact::QueueEntered { priority, .. } => Some(*priority),
            _ => None,
        });
    assert_eq!(entered, Some(7));
    waiting.hang_up(&mut world);
    world.take_bye(second.at);
    world.pass(10 * SECOND);
    // The first one to be free again is the first operator: both had a wrap-up of ten seconds.
    world.operator_takes(1);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    assert_eq!(
        segments(&world),
        [
            (1, 1, "op1".into()),
            (2, 1, "op2".into()),
            (1, 2, "op1".into())
        ]
    );
    world.assert_quiet();
}

#[test]
fn a_blind_transfer_to_a_plans_number_begins_that_plan() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    assert_eq!(first.refer(&mut world, "<sip:1300@198.51.100.1>"), 202);
    expect_news(&mut world, 1, &["100 Trying", "200 OK"]);
    world.take_bye(phone(1));
    let notices = world
        .facts
        .iter()
        .filter(|event| matches!(event.fact, Fact::NoticePlayed { .. }))
        .count();
    assert_eq!(notices, 2);
    world.operator_takes(2);
    caller.hang_up(&mut world);
    world.take_bye(phone(2));
    world.assert_quiet();
}

#[test]
fn a_blind_transfer_to_the_outer_network_joins_the_caller_with_it() {
    let mut world = world(1);
    let (_, mut first) = world.talk_with(1);
    assert_eq!(first.refer(&mut world, "tel:+74951112233"), 202);
    expect_news(&mut world, 1, &["100 Trying"]);
    let ring = world.request(trunk(), &Method::Invite);
    assert_eq!(
        ring.request_uri().unwrap().user.as_deref(),
        Some("+74951112233")
    );
    assert_eq!(ring.headers.first(&HeaderName::ReferredBy), None);
    let accepted = world.answer_from(trunk(), 9, &ring, 200);
    expect_news(&mut world, 1, &["200 OK"]);
    world.take_bye(phone(1));
    world.request(trunk(), &Method::Ack);
    assert_eq!(
        segments(&world),
        [(1, 1, "op1".into()), (1, 2, "+74951112233".into())]
    );
    assert_eq!(recorded(&world), [key(1), key(2)]);
    world.clear();
    Peer::called(trunk(), &ring, &accepted).hang_up(&mut world);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Outer)]);
    world.assert_quiet();
}

#[test]
fn a_busy_target_gives_the_call_back_to_the_operator_who_is_still_there() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    assert_eq!(first.refer(&mut world, "<sip:op2@198.51.100.1>"), 202);
    expect_news(&mut world, 1, &["100 Trying"]);
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 486);
    expect_news(&mut world, 1, &["486 Busy Here"]);
    assert_eq!(results(&world), [TransferResult::Busy]);
    assert_eq!(state(&world, 1), OperatorState::Talking);
    assert_eq!(state(&world, 2), OperatorState::Free);
    world.pass(10 * SECOND);
    first.hang_up(&mut world);
    world.take_bye(trunk());
    assert_eq!(
        segments(&world),
        [(1, 1, "op1".into()), (1, 2, "op1".into())]
    );
    let _ = &mut caller;
    world.assert_quiet();
}

#[test]
fn an_operator_with_a_call_is_busy_and_is_not_rung() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    let (mut other, _) = world.talk_with(2);
    assert_eq!(first.refer(&mut world, "<sip:102@198.51.100.1>"), 202);
    expect_news(&mut world, 1, &["100 Trying", "486 Busy Here"]);
    assert!(world.try_next(phone(2)).is_none());
    for caller in [&mut caller, &mut other] {
        caller.hang_up(&mut world);
    }
    world.take_byes(&[phone(1), phone(2)]);
    world.assert_quiet();
}

#[test]
fn a_target_that_does_not_answer_gives_the_call_back_after_the_ring_time() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    first.refer(&mut world, "<sip:102@198.51.100.1>");
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 180);
    expect_news(&mut world, 1, &["100 Trying", "180 Ringing"]);
    world.pass(30 * SECOND);
    expect_news(&mut world, 1, &["408 Request Timeout"]);
    let cancel = world.request(phone(2), &Method::Cancel);
    world.send(phone(2), &cancel.respond(200, None));
    world.answer(2, &ring, 487);
    assert_eq!(results(&world), [TransferResult::NoAnswer]);
    assert_eq!(world.switch.snapshot().counts.talking, 1);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

/// The transferor hangs up as soon as the REFER is accepted, and the target declines.
fn declined_after_the_bye(world: &mut World) -> Peer {
    let (caller, mut first) = world.talk_with(1);
    first.refer(world, "<sip:102@198.51.100.1>");
    first.hang_up(world);
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 603);
    world.request(phone(2), &Method::Ack);
    caller
}

#[test]
fn a_transferor_who_hung_up_at_once_is_called_when_the_target_declines() {
    let mut world = world(2);
    let mut caller = declined_after_the_bye(&mut world);
    world.operator_takes(1);
    assert_eq!(results(&world), [TransferResult::Rejected]);
    assert_eq!(
        segments(&world),
        [(1, 1, "op1".into()), (1, 2, "op1".into())]
    );
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn a_call_that_comes_back_is_served_before_those_who_came_later() {
    let mut world = world(2);
    let mut caller = declined_after_the_bye(&mut world);
    let (newer, answer) = world.waiting_caller();
    // The second operator is free again and takes the newer one; then a newest comes.
    let mut second = world.operator_takes(2);
    let (newest, _) = world.waiting_caller();
    let back = world.request(phone(1), &Method::Invite);
    world.answer(1, &back, 486);
    assert_eq!(world.switch.snapshot().counts.waiting, 2);
    let (newer, newest) = (Peer::caller(trunk(), &newer, &answer), newest);
    world.clear();
    second.hang_up(&mut world);
    world.pass(10 * SECOND);
    // Whoever of the operators is free first gets the call that came first of all.
    let offers: Vec<u32> = world
        .facts
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::OfferMade { call, queue, .. } if !queue.is_empty() => Some(call.counter()),
            _ => None,
        })
        .collect();
    assert_eq!(offers, [1, 2, 1, 3]);
    let _ = (newer, newest);
    world.clear();
    caller.hang_up(&mut world);
}

#[test]
fn a_queue_that_nobody_serves_takes_no_transfer() {
    let mut settings = with_outer();
    let mut closed = settings.queues[0].clone();
    closed.id = vocab::QueueId(1);
    closed.name = "night".into();
    closed.skills = vec![acd::SkillNeed::required("night")];
    settings.queues.push(closed);
    let mut world = World::with(settings).with_operators(1);
    let (mut caller, mut first) = world.talk_with(1);
    assert_eq!(first.refer(&mut world, "<sip:night@198.51.100.1>"), 202);
    expect_news(
        &mut world,
        1,
        &["100 Trying", "480 Temporarily Unavailable"],
    );
    assert_eq!(results(&world), [TransferResult::Rejected]);
    // Some telephones hang up by themselves after the 202, whatever the news.
    first.hang_up(&mut world);
    assert!(world.ended().is_empty(), "the caller was dropped");
    world.operator_takes(1);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn an_outer_network_that_rejects_gives_the_call_back() {
    let mut world = world(1);
    let (mut caller, mut first) = world.talk_with(1);
    first.refer(&mut world, "<sip:+74951112233@198.51.100.1>");
    let ring = world.request(trunk(), &Method::Invite);
    world.answer_from(trunk(), 9, &ring, 404);
    expect_news(&mut world, 1, &["100 Trying", "404 Not Found"]);
    assert_eq!(world.switch.snapshot().counts.talking, 1);
    world.clear();
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn a_trunk_that_fails_is_passed_over_for_the_next() {
    let mut world = world(1);
    let (_, mut first) = world.talk_with(1);
    first.refer(&mut world, "<sip:+74951112233@198.51.100.1>");
    let ring = world.request(trunk(), &Method::Invite);
    world.answer_from(trunk(), 9, &ring, 503);
    let second = "192.0.2.11:5060".parse().unwrap();
    let mut outer = world.takes(second, 9);
    expect_news(&mut world, 1, &["100 Trying", "200 OK"]);
    world.clear();
    outer.hang_up(&mut world);
    world.assert_quiet();
}

#[test]
fn a_caller_who_hangs_up_while_the_target_rings_ends_it_all() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    first.refer(&mut world, "<sip:102@198.51.100.1>");
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 180);
    caller.hang_up(&mut world);
    expect_news(
        &mut world,
        1,
        &["100 Trying", "180 Ringing", "487 Request Terminated"],
    );
    world.take_bye(phone(1));
    // The answer crosses our CANCEL.
    world.request(phone(2), &Method::Cancel);
    world.answer(2, &ring, 200);
    world.request(phone(2), &Method::Ack);
    world.take_bye(phone(2));
    assert_eq!(results(&world), [TransferResult::CallerGone]);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Caller)]);
    world.assert_quiet();
    assert_eq!(state(&world, 2), OperatorState::Free);
}

#[test]
fn a_second_refer_while_the_first_is_under_way_is_491() {
    let mut world = world(3);
    let (mut caller, mut first) = world.talk_with(1);
    assert_eq!(first.refer(&mut world, "<sip:102@198.51.100.1>"), 202);
    world.clear();
    assert_eq!(first.refer(&mut world, "<sip:103@198.51.100.1>"), 491);
    world.clear();
    caller.hang_up(&mut world);
    world.assert_quiet();
}

#[test]
fn what_may_not_be_transferred_is_refused_and_the_talk_goes_on() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    // A trunk would make calls at our cost.
    assert_eq!(caller.refer(&mut world, "<sip:102@198.51.100.1>"), 403);
    for (to, status) in [
        ("<sip:nobody@198.51.100.1>", 404),
        ("<sip:+79001234567@198.51.100.1>", 403),
        ("<sip:+18005550100@198.51.100.1>", 403),
        ("<http://example.com>", 416),
        ("<sip:102@198.51.100.1;method=BYE>", 501),
        ("<sip:102@198.51.100.1", 400),
        ("<sip:x@y?Replaces=none%3Bto-tag%3Da%3Bfrom-tag%3Db>", 404),
    ] {
        assert_eq!(first.refer(&mut world, to), status, "{to}");
    }
    let required = [(HeaderName::Require, "foo")];
    assert_eq!(
        first.refer_with(&mut world, "<sip:102@198.51.100.1>", &required),
        420
    );
    let stranger = world.out_of_dialog(phone(9), Method::Refer, "sip:1300@198.51.100.1:5060");
    world.send(phone(9), &stranger);
    assert_eq!(world.response(phone(9)).status(), Some(403));
    assert_eq!(world.switch.snapshot().counts.talking, 1);
    assert!(results(&world).is_empty());
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn one_who_wants_no_news_gets_none() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    let name = HeaderName::Other("Refer-Sub".into());
    let no_news = [(name.clone(), "false"), (HeaderName::Require, "norefersub")];
    assert_eq!(
        first.refer_with(&mut world, "<sip:102@198.51.100.1>", &no_news),
        202
    );
    world.operator_takes(2);
    // Nothing but the hang-up comes.
    world.take_bye(phone(1));
    caller.hang_up(&mut world);
    world.take_bye(phone(2));
    world.assert_quiet();
}

#[test]
fn a_telephone_that_knows_no_notify_transfers_all_the_same() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    first.refer(&mut world, "<sip:102@198.51.100.1>");
    let notify = world.request(phone(1), &Method::Notify);
    world.send(phone(1), &notify.respond(481, None));
    world.operator_takes(2);
    let notify = world.request(phone(1), &Method::Notify);
    world.send(phone(1), &notify.respond(405, None));
    world.take_bye(phone(1));
    caller.hang_up(&mut world);
    world.take_bye(phone(2));
    assert_eq!(results(&world), [TransferResult::Done]);
    world.assert_quiet();
}

/// Operator 1 talks to a caller and to operator 2.
fn consultation(world: &mut World) -> [Peer; 4] {
    let (caller, first) = world.talk_with(1);
    let invite = world.dials(1, "102");
    let target = world.operator_takes(2);
    let consulting = world.dialled_through(1, &invite);
    [caller, first, consulting, target]
}

/// The consultation became part of the first call, in which operator 2 talks now.
#[track_caller]
fn assert_joined(world: &mut World, [mut caller, _, _, mut target]: [Peer; 4]) {
    assert_eq!(
        segments(world),
        [
            (1, 1, "op1".into()),
            (2, 1, "op2".into()),
            (1, 2, "op2".into())
        ]
    );
    let joined = world.facts.iter().find_map(|event| match event.fact {
        Fact::CallJoined { call, into } => Some((call.counter(), into.counter())),
        _ => None,
    });
    assert_eq!(joined, Some((2, 1)));
    let asked = world.facts.iter().find_map(|event| match &event.fact {
        Fact::TransferRequested {
            call, kind, target, ..
        } => Some((call.counter(), *kind, target.clone())),
        _ => None,
    });
    let line = TransferTarget::Operator { line: "102".into() };
    assert_eq!(asked, Some((1, TransferKind::Attended, line)));
    assert_eq!(world.switch.snapshot().counts.talking, 1);
    assert_eq!(state(world, 1), OperatorState::WrapUp);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.clear();
    world.pass(5 * SECOND);
    target.hang_up(world);
    world.take_bye(trunk());
    let _ = &mut caller;
    assert_eq!(state(world, 2), OperatorState::WrapUp);
    world.assert_quiet();
    for n in [1, 2] {
        assert_eq!(state(world, n), OperatorState::Free);
    }
}

#[test]
fn an_attended_transfer_joins_both_calls_into_the_first() {
    let mut world = world(2);
    let [caller, mut first, consulting, target] = consultation(&mut world);
    let refer_to = consulting.as_refer_to();
    assert_eq!(first.refer(&mut world, &refer_to), 202);
    expect_news(&mut world, 1, &["100 Trying", "200 OK"]);
    world.take_bye(phone(1));
    world.take_bye(phone(1));
    assert_joined(&mut world, [caller, first, consulting, target]);
}

#[test]
fn an_attended_transfer_asked_for_in_the_consultation_has_the_same_result() {
    let mut world = world(2);
    let [caller, first, mut consulting, target] = consultation(&mut world);
    let refer_to = first.as_refer_to();
    assert_eq!(consulting.refer(&mut world, &refer_to), 202);
    expect_news(&mut world, 1, &["100 Trying", "200 OK"]);
    world.take_bye(phone(1));
    world.take_bye(phone(1));
    assert_joined(&mut world, [caller, first, consulting, target]);
}

#[test]
fn an_attended_transfer_before_the_answer_calls_the_target_for_the_caller() {
    let mut world = world(2);
    let (mut caller, mut first) = world.talk_with(1);
    let invite = world.dials(1, "102");
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 180);
    let ringing = world.response(phone(1));
    assert_eq!(ringing.status(), Some(180));
    let consulting = Peer::caller(phone(1), &invite, &ringing);
    let refer_to = consulting.as_refer_to();
    world.clear();
    assert_eq!(first.refer(&mut world, &refer_to), 202);
    world.request(phone(2), &Method::Cancel);
    let again = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 487);
    world.answer(2, &again, 200);
    assert_eq!(results(&world), [TransferResult::Done]);
    assert_eq!(
        segments(&world),
        [(1, 1, "op1".into()), (1, 2, "op2".into())]
    );
    world.clear();
    caller.hang_up(&mut world);
    world.assert_quiet();
}

#[test]
fn a_consultation_may_be_with_the_outer_network() {
    let mut world = world(1);
    let (mut caller, mut first) = world.talk_with(1);
    let invite = world.dials(1, "+74951112233");
    let mut outer = world.takes(trunk(), 9);
    let consulting = world.dialled_through(1, &invite);
    let refer_to = consulting.as_refer_to();
    assert_eq!(first.refer(&mut world, &refer_to), 202);
    assert_eq!(
        segments(&world),
        [
            (1, 1, "op1".into()),
            (2, 1, "+74951112233".into()),
            (1, 2, "+74951112233".into())
        ]
    );
    world.clear();
    outer.hang_up(&mut world);
    let _ = &mut caller;
    world.assert_quiet();
}

#[test]
fn an_operator_who_hangs_up_on_the_caller_in_mid_consultation_drops_nobody() {
    let mut world = world(2);
    let [mut caller, mut first, mut consulting, _] = consultation(&mut world);
    first.hang_up(&mut world);
    assert!(world.ended().is_empty());
    assert_eq!(world.switch.snapshot().counts.waiting, 1);
    consulting.hang_up(&mut world);
    world.take_bye(phone(2));
    world.operator_takes(2);
    caller.hang_up(&mut world);
    world.take_bye(phone(2));
    world.assert_quiet();
}

#[test]
fn an_operator_who_ends_the_consultation_goes_on_with_the_caller() {
    let mut world = world(2);
    let [mut caller, first, mut consulting, _] = consultation(&mut world);
    consulting.hang_up(&mut world);
    world.take_bye(phone(2));
    assert_eq!(state(&world, 1), OperatorState::Talking);
    caller.hang_up(&mut world);
    world.take_bye(first.at);
    world.assert_quiet();
}

#[test]
fn nobody_joins_a_call_that_is_not_theirs() {
    let mut world = world(3);
    let [mut caller, mut first, _, _] = consultation(&mut world);
    let (mut other, third) = world.talk_with(3);
    let refer_to = third.as_refer_to();
    assert_eq!(first.refer(&mut world, &refer_to), 403);
    assert_eq!(world.switch.snapshot().counts.talking, 3);
    world.clear();
    for caller in [&mut caller, &mut other] {
        caller.hang_up(&mut world);
    }
    world.clear();
    world.pass(30 * SECOND);
}

#[test]
fn an_operator_takes_the_call_over_at_another_telephone() {
    let mut world = world(1);
    let desk = "203.0.113.50:5060".parse().unwrap();
    let (mut caller, first) = world.talk_with(1);
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        first.call_id,
        first.remote_tag(),
        first.tag()
    );
    let early = format!("{replaces};early-only");
    for (value, status) in [
        ("x;to-tag=a;from-tag=b", 481),
        (early.as_str(), 486),
        ("x", 400),
    ] {
        let invite = world.dials_with(1, desk, "x", &[(HeaderName::Replaces, value)]);
        let refusal = world.response(desk);
        assert_eq!(refusal.status(), Some(status), "{value}");
        let mut peer = Peer::caller(desk, &invite, &{
            let mut with_contact = refusal.clone();
            with_contact
                .headers
                .set(HeaderName::Contact, "<sip:x@198.51.100.1>");
            with_contact
        });
        let _ = &mut peer;
    }
    let invite = world.dials_with(1, desk, "x", &[(HeaderName::Replaces, &replaces)]);
    let answer = world.response(desk);
    assert_eq!(answer.status(), Some(200));
    let mut now_here = Peer::caller(desk, &invite, &answer);
    let ack = now_here.request(&mut world, Method::Ack);
    world.send(desk, &ack);
    world.take_bye(phone(1));
    assert_eq!(
        segments(&world),
        [(1, 1, "op1".into()), (1, 2, "op1".into())]
    );
    assert_eq!(state(&world, 1), OperatorState::Talking);
    caller.hang_up(&mut world);
    world.take_bye(desk);
    world.assert_quiet();
    assert_eq!(state(&world, 1), OperatorState::Free);
}

#[test]
fn a_colleague_picks_up_what_rings() {
    let mut world = world(2);
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    let tag = World::from_of(&ring).tag().unwrap().to_owned();
    let replaces = format!(
        "{};to-tag=phone1-{};from-tag={tag};early-only",
        ring.call_id().unwrap(),
        phone(1)
    );
    let pick_up = world.dials_with(2, phone(2), "x", &[(HeaderName::Replaces, &replaces)]);
    let mut second = world.dialled_through(2, &pick_up);
    world.request(phone(1), &Method::Cancel);
    world.answer(1, &ring, 487);
    assert_eq!(segments(&world), [(1, 1, "op2".into())]);
    assert_eq!(state(&world, 1), OperatorState::Free);
    second.hang_up(&mut world);
    world.take_bye(trunk());
    let _ = (invite, answer);
    world.assert_quiet();
}
