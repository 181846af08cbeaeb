//! Transfers that the caller's trunk is asked to carry out (`transfer = "refer"`), in virtual time.
//! INTEROP.md, case 7: where it does not, we do, and the caller is never dropped.

use core::time::Duration;

use crate::world::peers::{Peer, with_outer};
use crate::world::{World, phone, trunk};
use sip::{HeaderName, Message, Method};
use switch::trunk::{Account, Password, TransferBy};
use vocab::{EndedBy, Fact, OperatorState, Outcome, TransferResult};

const SECOND: Duration = Duration::from_secs(1);
const TARGET: &str = "tel:+74951112233";

fn world() -> World {
    let mut settings = with_outer();
    settings.trunks[0].transfer = TransferBy::Refer;
    World::with(settings).with_operators(2)
}

/// Operator 1 has transferred the caller to an outer number: both, and the REFER to the trunk.
fn referred(world: &mut World) -> (Peer, Peer, Message) {
    let (caller, mut operator) = world.talk_with(1);
    world.clear();
    assert_eq!(operator.refer(world, TARGET), 202);
    assert_eq!(world.news(phone(1)), ("SIP/2.0 100 Trying".into(), true));
    let refer = world.request(trunk(), &Method::Refer);
    (caller, operator, refer)
}

/// The trunk tells how it goes; what we answer.
fn tell(world: &mut World, caller: &mut Peer, (line, state): (&str, &str)) -> u16 {
    tell_of(world, caller, "refer", (line, state))
}

fn tell_of(world: &mut World, caller: &mut Peer, event: &str, (line, state): (&str, &str)) -> u16 {
    let mut notify = caller.request(world, Method::Notify);
    notify.headers.push(HeaderName::Event, event);
    notify.headers.push(HeaderName::SubscriptionState, state);
    let body = format!("SIP/2.0 {line}\r\n");
    world.send(caller.at, &notify.with_body("message/sipfrag", body.into()));
    world.response(caller.at).status().unwrap()
}

const ACTIVE: &str = "active;expires=60";
const LAST: &str = "terminated;reason=noresource";

fn results(world: &World) -> Vec<(TransferResult, Option<u16>)> {
    world
        .facts
        .iter()
        .filter_map(|event| match event.fact {
            Fact::TransferEnded { result, status, .. } => Some((result, status)),
            _ => None,
        })
        .collect()
}

fn segments(world: &World) -> usize {
    let begun = |fact: &Fact| matches!(fact, Fact::SegmentStarted { .. });
    world.facts.iter().filter(|one| begun(&one.fact)).count()
}

/// The transfer is done here: the target is called, answers, and talks with the caller to the end.
#[track_caller]
fn done_here(world: &mut World) {
    let ring = world.request(trunk(), &Method::Invite);
    let accepted = world.answer_from(trunk(), 9, &ring, 200);
    assert_eq!(world.news(phone(1)), ("SIP/2.0 200 OK".into(), false));
    world.take_bye(phone(1));
    world.request(trunk(), &Method::Ack);
    assert_eq!(segments(world), 2);
    assert!(world.ended().is_empty(), "the caller was dropped");
    world.clear();
    Peer::called(trunk(), &ring, &accepted).hang_up(world);
    assert_eq!(results(world), [(TransferResult::Done, Some(200))]);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Outer)]);
    world.assert_quiet();
    for operator in world.switch.snapshot().operators {
        assert_eq!(operator.state, OperatorState::Free);
    }
}

#[test]
fn the_trunk_is_asked_by_refer_and_the_call_ends_when_it_has_done_it() {
    let mut world = world();
    let (mut caller, _, refer) = referred(&mut world);
    let header = |name| refer.headers.first(&name).unwrap();
    assert_eq!(
        header(HeaderName::ReferTo),
        "<sip:+74951112233@192.0.2.10:5060>"
    );
    // As the trunk knows us: the number that was dialled, not the operator's line.
    assert_eq!(
        header(HeaderName::ReferredBy),
        "<sip:1300@198.51.100.1:5060>"
    );
    assert!(refer.headers.first(&HeaderName::Contact).is_some());
    world.send(trunk(), &refer.respond(202, None));
    assert_eq!(tell(&mut world, &mut caller, ("100 Trying", ACTIVE)), 200);
    assert_eq!(tell(&mut world, &mut caller, ("180 Ringing", ACTIVE)), 200);
    assert_eq!(world.news(phone(1)), ("SIP/2.0 180 Ringing".into(), true));
    assert!(world.ended().is_empty());
    assert_eq!(tell(&mut world, &mut caller, ("200 OK", LAST)), 200);
    assert_eq!(world.news(phone(1)), ("SIP/2.0 200 OK".into(), false));
    world.take_bye(phone(1));
    world.take_bye(trunk());
    assert_eq!(results(&world), [(TransferResult::Done, Some(200))]);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    assert_eq!(segments(&world), 1, "the rest is not ours");
    world.assert_quiet();
    assert_eq!(
        world.switch.snapshot().operators[0].state,
        OperatorState::Free
    );
}

#[test]
fn a_bye_of_the_trunk_that_crosses_ours_after_the_transfer_is_answered() {
    let mut world = world();
    let (mut caller, _, refer) = referred(&mut world);
    world.send(trunk(), &refer.respond(202, None));
    assert_eq!(tell(&mut world, &mut caller, ("200 OK", LAST)), 200);
    let ours = world.request(trunk(), &Method::Bye);
    let theirs = caller.request(&mut world, Method::Bye);
    world.send(trunk(), &theirs);
    assert_eq!(world.response(trunk()).status(), Some(200));
    world.send(trunk(), &ours.respond(481, None));
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.clear();
    world.assert_quiet();
}

#[test]
fn news_that_outruns_the_202_counts() {
    let mut world = world();
    let (mut caller, _, refer) = referred(&mut world);
    assert_eq!(tell(&mut world, &mut caller, ("200 OK", LAST)), 200);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.send(trunk(), &refer.respond(202, None));
    world.take_bye(trunk());
    world.clear();
    world.assert_quiet();
}

#[test]
fn a_trunk_that_rejects_the_refer_has_the_target_called_by_us_at_once() {
    for status in [403, 405, 481, 491, 501, 503, 603, 302] {
        let mut world = world();
        let (_, _, refer) = referred(&mut world);
        world.send(trunk(), &refer.respond(status, None));
        done_here(&mut world);
    }
}

#[test]
fn a_trunk_that_does_not_answer_the_refer_has_the_target_called_by_us_in_seconds() {
    let mut world = world();
    let (_, _, _) = referred(&mut world);
    world.pass(9 * SECOND);
    let only_refers = |world: &mut World| {
        while let Some(message) = world.try_next(trunk()) {
            if message.method() != Some(&Method::Refer) {
                return Some(message);
            }
        }
        None
    };
    assert_eq!(only_refers(&mut world), None);
    world.pass(SECOND);
    let ring = only_refers(&mut world).expect("an INVITE");
    assert_eq!(ring.method(), Some(&Method::Invite));
    let accepted = world.answer_from(trunk(), 9, &ring, 200);
    assert_eq!(world.news(phone(1)), ("SIP/2.0 200 OK".into(), false));
    world.clear();
    world.pass(40 * SECOND);
    assert!(world.ended().is_empty(), "the caller was dropped");
    world.clear();
    Peer::called(trunk(), &ring, &accepted).hang_up(&mut world);
    assert_eq!(results(&world), [(TransferResult::Done, Some(200))]);
    world.assert_quiet();
}

#[test]
fn a_trunk_that_says_that_the_transfer_failed_has_the_target_called_by_us() {
    for last in ["486 Busy Here", "603 Decline", "503 Service Unavailable"] {
        let mut world = world();
        let (mut caller, _, refer) = referred(&mut world);
        world.send(trunk(), &refer.respond(202, None));
        assert_eq!(tell(&mut world, &mut caller, ("100 Trying", ACTIVE)), 200);
        let mut notify = caller.request(&mut world, Method::Notify);
        notify.headers.push(HeaderName::Event, "refer");
        notify.headers.push(HeaderName::SubscriptionState, LAST);
        let body = format!("SIP/2.0 {last}\r\n");
        world.send(trunk(), &notify.with_body("message/sipfrag", body.into()));
        assert_eq!(world.response(trunk()).status(), Some(200));
        done_here(&mut world);
    }
}

#[test]
fn a_trunk_that_accepts_and_tells_nothing_has_the_target_called_by_us() {
    let mut world = world();
    let (_, _, refer) = referred(&mut world);
    world.send(trunk(), &refer.respond(202, None));
    world.pass(9 * SECOND);
    assert!(world.try_next(trunk()).is_none());
    world.pass(SECOND);
    done_here(&mut world);
}

#[test]
fn a_trunk_that_never_says_the_last_word_has_the_target_called_by_us_after_the_ring_time() {
    let mut world = world();
    let (mut caller, _, refer) = referred(&mut world);
    world.send(trunk(), &refer.respond(202, None));
    assert_eq!(tell(&mut world, &mut caller, ("100 Trying", ACTIVE)), 200);
    world.pass(15 * SECOND);
    // More of the same buys no more time.
    assert_eq!(tell(&mut world, &mut caller, ("100 Trying", ACTIVE)), 200);
    world.pass(14 * SECOND);
    assert!(world.try_next(trunk()).is_none());
    world.pass(SECOND);
    done_here(&mut world);
}

#[test]
fn a_subscription_that_ends_without_a_last_word_has_the_target_called_by_us() {
    let mut world = world();
    let (mut caller, _, refer) = referred(&mut world);
    world.send(trunk(), &refer.respond(202, None));
    assert_eq!(tell(&mut world, &mut caller, ("100 Trying", LAST)), 200);
    done_here(&mut world);
}

#[test]
fn news_after_we_took_it_over_or_of_another_refer_changes_nothing() {
    let mut world = world();
    let (mut caller, _, refer) = referred(&mut world);
    world.send(trunk(), &refer.respond(202, None));
    let other = format!("refer;id={}", refer.cseq().unwrap().number + 1);
    let status = tell_of(&mut world, &mut caller, &other, ("200 OK", LAST));
    assert_eq!(status, 489);
    assert!(world.ended().is_empty());
    let own = format!("refer;id={}", refer.cseq().unwrap().number);
    let status = tell_of(&mut world, &mut caller, &own, ("100 Trying", LAST));
    assert_eq!(status, 200);
    let ring = world.request(trunk(), &Method::Invite);
    assert_eq!(tell(&mut world, &mut caller, ("200 OK", LAST)), 200);
    assert!(world.ended().is_empty());
    world.answer_from(trunk(), 9, &ring, 486);
    assert_eq!(
        world.news(phone(1)),
        ("SIP/2.0 486 Busy Here".into(), false)
    );
    world.clear();
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn a_caller_who_hangs_up_while_the_trunk_transfers_ends_it_all() {
    for accepted in [false, true] {
        let mut world = world();
        let (mut caller, _, refer) = referred(&mut world);
        if accepted {
            world.send(trunk(), &refer.respond(202, None));
        }
        caller.hang_up(&mut world);
        let (news, more) = world.news(phone(1));
        assert_eq!(
            (news.as_str(), more),
            ("SIP/2.0 487 Request Terminated", false)
        );
        world.take_bye(phone(1));
        assert_eq!(results(&world), [(TransferResult::CallerGone, None)]);
        assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Caller)]);
        world.assert_quiet();
    }
}

#[test]
fn an_operator_who_hangs_up_while_the_trunk_transfers_leaves_the_caller_to_it() {
    let mut world = world();
    let (mut caller, mut operator, refer) = referred(&mut world);
    operator.hang_up(&mut world);
    world.send(trunk(), &refer.respond(202, None));
    assert!(world.ended().is_empty());
    assert_eq!(tell(&mut world, &mut caller, ("200 OK", LAST)), 200);
    world.take_bye(trunk());
    assert_eq!(results(&world), [(TransferResult::Done, Some(200))]);
    assert!(world.try_next(phone(1)).is_none(), "news after the BYE");
    world.assert_quiet();
}

#[test]
fn a_refer_that_is_challenged_is_sent_again_with_the_account_of_the_trunk() {
    let mut settings = with_outer();
    settings.trunks[0].transfer = TransferBy::Refer;
    settings.trunks[0].account = Some(Account {
        user: "SIP01".into(),
        password: Password("key".into()),
        realm: "carrier.example".into(),
    });
    for (realm, again) in [("carrier.example", true), ("evil.example", false)] {
        let mut world = World::with(settings.clone()).with_operators(2);
        let (mut caller, _, refer) = referred(&mut world);
        let mut challenge = refer.respond(407, None);
        let value = format!("Digest realm=\"{realm}\", nonce=\"n1\", qop=\"auth\"");
        challenge.headers.push(HeaderName::ProxyAuthenticate, value);
        world.send(trunk(), &challenge);
        if !again {
            done_here(&mut world);
            continue;
        }
        let second = world.request(trunk(), &Method::Refer);
        let shown = second.headers.first(&HeaderName::ProxyAuthorization);
        assert!(shown.unwrap().contains("nc=00000001"));
        let number = refer.cseq().unwrap().number;
        assert_eq!(second.cseq().unwrap().number, number + 1);
        let to = |message: &Message| {
            message
                .headers
                .first(&HeaderName::ReferTo)
                .map(str::to_owned)
        };
        assert_eq!(to(&second), to(&refer));
        world.send(trunk(), &second.respond(202, None));
        assert_eq!(tell(&mut world, &mut caller, ("200 OK", LAST)), 200);
        // The BYE shows them at once.
        let bye = world.request(trunk(), &Method::Bye);
        let shown = bye.headers.first(&HeaderName::ProxyAuthorization);
        assert!(shown.unwrap().contains("nc=00000002"));
        world.send(trunk(), &bye.respond(200, None));
        world.assert_quiet();
    }
}

#[test]
fn what_is_not_for_the_trunk_is_done_here() {
    // Its settings do not say so.
    let mut here = World::with(with_outer()).with_operators(2);
    let (_, mut operator) = here.talk_with(1);
    here.clear();
    assert_eq!(operator.refer(&mut here, TARGET), 202);
    here.news(phone(1));
    done_here(&mut here);
    // Another trunk would be called.
    let mut settings = with_outer();
    settings.trunks[0].transfer = TransferBy::Refer;
    let mut other = settings.trunks[0].clone();
    other.name = "other".into();
    other.source.networks = vec!["192.0.3.0/24".parse().unwrap()];
    settings.trunks[0].outbound.as_mut().unwrap().priority = 1;
    settings.trunks.push(other);
    let mut world = World::with(settings).with_operators(2);
    let (_, mut operator) = world.talk_with(1);
    world.clear();
    assert_eq!(operator.refer(&mut world, TARGET), 202);
    world.news(phone(1));
    done_here(&mut world);
    // The target is within.
    let mut world = self::world();
    let (mut caller, mut operator) = world.talk_with(1);
    world.clear();
    assert_eq!(operator.refer(&mut world, "<sip:102@198.51.100.1>"), 202);
    world.request(phone(2), &Method::Invite);
    world.clear();
    caller.hang_up(&mut world);
    world.clear();
    world.assert_quiet();
}

#[test]
fn a_second_transfer_while_the_trunk_works_on_the_first_is_491() {
    let mut world = world();
    let (mut caller, mut operator, refer) = referred(&mut world);
    world.send(trunk(), &refer.respond(202, None));
    assert_eq!(operator.refer(&mut world, TARGET), 491);
    caller.hang_up(&mut world);
    world.clear();
    world.assert_quiet();
}
