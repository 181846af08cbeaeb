//! Groups that ring at once, in virtual time: the first answer wins, the others are told so, and there are
//! never two talks. And what becomes of calls that a queue does not serve.

use core::time::Duration;

use crate::world::{World, phone, settings, trunk};
use sip::{HeaderName, Message, Method};
use vocab::{EndedBy, Fact, OfferResult, Outcome, QueueOutcome};

const SECOND: Duration = Duration::from_secs(1);

fn world(steps: &str) -> World {
    let plan = format!(
        "name = \"test\"\nnumbers = [\"1300\"]\nlanguages = [\"en\"]\nnotice = \"none\"\n\
         [[step]]\nanswer = {{}}\n{steps}"
    );
    World::with_plan(settings(), &plan)
}

const GROUP: &str = "[[step]]\nring = { group = [\"101\", \"102\", \"103\"], at_once = true, time = \"20s\" }\n\
                     [[step]]\nsay = { name = \"sorry\", file = \"s.wav\" }\n";

/// How each offer ended, in the order of the operators.
fn offers(world: &World) -> Vec<OfferResult> {
    let made = world.facts.iter().filter_map(|event| match &event.fact {
        Fact::OfferMade {
            offer, operator, ..
        } => Some((operator.id, *offer)),
        _ => None,
    });
    let mut made: Vec<_> = made.collect();
    made.sort_unstable();
    let end = |offer| {
        world.facts.iter().find_map(|event| match &event.fact {
            Fact::OfferEnded {
                offer: of, result, ..
            } if *of == offer => Some(*result),
            _ => None,
        })
    };
    made.into_iter()
        .filter_map(|(_, offer)| end(offer))
        .collect()
}

/// The group rings.
fn ringing(world: &mut World) -> [Message; 3] {
    let rings = [1, 2, 3].map(|n| world.request(phone(n), &Method::Invite));
    for (n, ring) in [1, 2, 3].into_iter().zip(&rings) {
        world.answer(n, ring, 180);
    }
    rings
}

#[test]
fn the_first_of_a_group_has_the_call_and_the_others_are_told_so() {
    let mut world = world(GROUP).with_operators(3);
    world.waiting_caller();
    let rings = ringing(&mut world);
    let accepted = world.answer(2, &rings[1], 200);
    world.request(phone(2), &Method::Ack);
    for (n, ring) in [(1, &rings[0]), (3, &rings[2])] {
        let cancel = world.request(phone(n), &Method::Cancel);
        let reason = cancel.headers.first(&HeaderName::Reason);
        let told = "SIP;cause=200;text=\"Call completed elsewhere\"";
        assert_eq!(reason, Some(told), "RFC 3326 §3.1");
        world.answer(n, &cancel, 200);
        world.answer(n, ring, 487);
        world.request(phone(n), &Method::Ack);
    }
    use OfferResult::{Answered, Withdrawn};
    assert_eq!(offers(&world), [Withdrawn, Answered, Withdrawn]);
    world.operator_hangs_up(2, &rings[1], &accepted);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn two_answers_at_once_make_one_talk() {
    let mut world = world(GROUP).with_operators(3);
    world.waiting_caller();
    let rings = ringing(&mut world);
    world.answer(1, &rings[0], 200);
    world.request(phone(1), &Method::Ack);
    // It crossed the CANCEL: it gets ACK and BYE (RFC 3261 §9.1).
    let cancel = world.request(phone(3), &Method::Cancel);
    world.answer(3, &rings[2], 200);
    world.answer(3, &cancel, 200);
    world.request(phone(3), &Method::Ack);
    let bye = world.request(phone(3), &Method::Bye);
    world.answer(3, &bye, 200);
    let talks = world
        .facts
        .iter()
        .filter(|event| matches!(event.fact, Fact::SegmentStarted { .. }));
    assert_eq!(talks.count(), 1);
}

#[test]
fn a_group_that_refuses_or_rings_in_vain_lets_the_plan_go_on() {
    let mut world = world(GROUP).with_operators(3);
    world.waiting_caller();
    let rings = ringing(&mut world);
    world.answer(3, &rings[2], 486);
    world.request(phone(3), &Method::Ack);
    assert!(world.ended().is_empty(), "the others ring on");
    world.answer(1, &rings[0], 603);
    world.request(phone(1), &Method::Ack);
    assert!(world.ended().is_empty());
    world.pass(SECOND * 21);
    let cancel = world.request(phone(2), &Method::Cancel);
    assert_eq!(cancel.headers.first(&HeaderName::Reason), None);
    world.answer(2, &cancel, 200);
    world.answer(2, &rings[1], 487);
    world.take_bye(trunk());
    use OfferResult::{Busy, NoAnswer, Rejected};
    assert_eq!(offers(&world), [Rejected, NoAnswer, Busy]);
    assert_eq!(world.ended(), [(Outcome::Unreached, EndedBy::Engine)]);
}

#[test]
fn a_caller_who_gives_up_stops_the_whole_group() {
    let mut world = world(GROUP).with_operators(3);
    let (invite, answer) = world.waiting_caller();
    ringing(&mut world);
    let bye = world.in_dialog(&invite, &answer, Method::Bye);
    world.send(trunk(), &bye);
    for n in [1, 2, 3] {
        world.request(phone(n), &Method::Cancel);
    }
    assert_eq!(offers(&world), [OfferResult::CallerGone; 3]);
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Caller)]);
}

/// How calls left their queues.
fn left(world: &World) -> Vec<QueueOutcome> {
    let left = world.facts.iter().filter_map(|event| match event.fact {
        Fact::QueueLeft { outcome, .. } => Some(outcome),
        _ => None,
    });
    left.collect()
}

/// A queue that refuses whom nobody can serve, and lets nobody wait for more than 30 s.
fn strict(steps: &str) -> World {
    let mut settings = settings();
    for queue in &mut settings.queues {
        queue.wait_max = Some(SECOND * 30);
        queue.unstaffed = vec![acd::StaffRule {
            cause: acd::Unstaffed::NobodySignedIn,
            refuses: true,
            leave_after: None,
            then: acd::Overflow::Plan,
        }];
        let mut rule = queue.unstaffed[0].clone();
        rule.cause = acd::Unstaffed::NobodyReachable;
        queue.unstaffed.push(rule);
    }
    let plan = format!(
        "name = \"test\"\nnumbers = [\"1300\"]\nlanguages = [\"en\"]\nnotice = \"none\"\n\
         [[step]]\nanswer = {{}}\n{steps}"
    );
    World::with_plan(settings, &plan)
}

const OVERFLOW: &str = r#"
[[step]]
queue = { name = "operators", on_nobody = "leave", on_timeout = "wait" }
[[step]]
say = { name = "sorry", file = "s.wav" }
[[flow.leave]]
voicemail = { name = "leave", file = "s.wav" }
[[flow.wait]]
ring = { operator = "102" }
"#;

#[test]
fn with_nobody_there_a_call_goes_to_its_message_and_the_queue_says_overflowed() {
    let mut world = strict(OVERFLOW);
    world.waiting_caller();
    assert_eq!(left(&world), [QueueOutcome::Overflowed]);
    let recording = world
        .facts
        .iter()
        .any(|event| matches!(event.fact, Fact::MessageStarted { .. }));
    assert!(recording, "the plan leads it there");
}

#[test]
fn who_has_waited_too_long_is_rung_through_to_somebody_else() {
    let mut world = strict(OVERFLOW).with_operators(2);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.pass(SECOND * 31);
    assert_eq!(left(&world), [QueueOutcome::Overflowed]);
    world.request(phone(2), &Method::Invite);
}
