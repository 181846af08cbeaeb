//! Messages of callers in virtual time: greeting, tone, what ends one, what counts, who is told.

use core::time::Duration;

use crate::world::{World, settings, trunk};
use sip::{Message, Method};
use switch::Input;
use vocab::media::{MediaCommand, MediaEvent};
use vocab::{EndedBy, Fact, LegId, MessageEnd, Outcome};

const SECOND: Duration = Duration::from_secs(1);

const PLAN: &str = r##"
name = "test"
numbers = ["1300"]
languages = ["en"]
notice = "none"
[[step]]
answer = {}
[[step]]
[step.voicemail]
name = "leave"
file = "leave.wav"
box = "night"
lines = ["101", "nobody"]
longest = "60s"
[[step]]
say = { name = "thanks", file = "thanks.wav" }
"##;

/// A world with a caller after the tone.
fn recording() -> (World, Message, Message) {
    let mut world = World::with_plan(settings(), PLAN).with_operators(1);
    let (invite, answer) = world.waiting_caller();
    assert!(
        started(&world),
        "greeting and tone were played to their ends"
    );
    (world, invite, answer)
}

fn started(world: &World) -> bool {
    let of = |command: &&MediaCommand| matches!(command, MediaCommand::Record { .. });
    world.commands.iter().filter(of).count() == 1
}

/// The media plane says something of the caller's leg.
fn tell(world: &mut World, event: fn(vocab::CallId, LegId) -> MediaEvent) {
    let opened = world.commands.iter().find_map(|command| match command {
        MediaCommand::Open { call, leg } => Some((*call, *leg)),
        _ => None,
    });
    let (call, leg) = opened.unwrap();
    world.input(Input::Media(event(call, leg)));
}

const SPOKEN: fn(vocab::CallId, LegId) -> MediaEvent = |call, leg| MediaEvent::Spoken { call, leg };
const QUIET: fn(vocab::CallId, LegId) -> MediaEvent = |call, leg| MediaEvent::Quiet { call, leg };

/// How the message ended, whether it is kept, and whether the media plane was told the same.
#[track_caller]
fn ended(world: &World) -> (MessageEnd, bool) {
    let ends = world.facts.iter().filter_map(|event| match event.fact {
        Fact::MessageEnded { ended_by, kept, .. } => Some((ended_by, kept)),
        _ => None,
    });
    let ends: Vec<_> = ends.collect();
    let [(by, kept)] = ends[..] else {
        panic!("one message: {ends:?}")
    };
    let told = world.commands.iter().filter_map(|command| match command {
        MediaCommand::EndRecord { keep, .. } => Some(*keep),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [kept]);
    (by, kept)
}

#[test]
fn a_message_ends_with_silence_and_the_plan_goes_on() {
    let (mut world, _, _) = recording();
    let begun = world.facts.iter().find_map(|event| match &event.fact {
        Fact::MessageStarted {
            mailbox, waits_for, ..
        } => Some((mailbox.clone(), waits_for.clone())),
        _ => None,
    });
    let (mailbox, waits_for) = begun.unwrap();
    assert_eq!((mailbox.as_str(), waits_for.len()), ("night", 1));
    let noticed = |event: &vocab::Event| matches!(&event.fact, Fact::NoticePlayed { prompt, .. } if prompt == "leave");
    assert!(
        world.facts.iter().any(noticed),
        "the greeting says that it records"
    );
    tell(&mut world, SPOKEN);
    world.pass(SECOND * 20);
    tell(&mut world, QUIET);
    assert_eq!(ended(&world), (MessageEnd::Silence, true));
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Message, EndedBy::Engine)]);
    world.assert_quiet();
}

#[test]
fn who_hangs_up_after_enough_has_left_a_message() {
    let (mut world, invite, answer) = recording();
    tell(&mut world, SPOKEN);
    let bye = world.in_dialog(&invite, &answer, Method::Bye);
    world.send(trunk(), &bye);
    assert_eq!(ended(&world), (MessageEnd::HungUp, true));
    assert_eq!(world.ended(), [(Outcome::Message, EndedBy::Caller)]);
}

#[test]
fn who_hangs_up_after_too_little_has_left_none() {
    let (mut world, invite, answer) = recording();
    let bye = world.in_dialog(&invite, &answer, Method::Bye);
    world.send(trunk(), &bye);
    assert_eq!(ended(&world), (MessageEnd::HungUp, false));
    assert_eq!(world.ended(), [(Outcome::AbandonedEarly, EndedBy::Caller)]);
}

#[test]
fn a_message_is_no_longer_than_it_may_be_and_a_late_word_changes_nothing() {
    let (mut world, _, _) = recording();
    world.pass(SECOND * 59);
    assert!(world.ended().is_empty());
    world.pass(SECOND * 2);
    tell(&mut world, SPOKEN);
    tell(&mut world, QUIET);
    assert_eq!(ended(&world), (MessageEnd::Longest, false));
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Served, EndedBy::Engine)]);
}

#[test]
fn the_key_ends_it_and_other_keys_do_not() {
    let (mut world, _, _) = recording();
    tell(&mut world, SPOKEN);
    let five: fn(vocab::CallId, LegId) -> MediaEvent = |call, leg| MediaEvent::Digit {
        call,
        leg,
        digit: '5',
    };
    tell(&mut world, five);
    assert!(world.ended().is_empty());
    tell(&mut world, |call, leg| MediaEvent::Digit {
        call,
        leg,
        digit: '#',
    });
    assert_eq!(ended(&world), (MessageEnd::Key, true));
}

#[test]
fn a_stop_of_the_engine_keeps_what_was_said() {
    let (mut world, _, _) = recording();
    tell(&mut world, SPOKEN);
    world.input(Input::Stop);
    assert_eq!(ended(&world), (MessageEnd::Engine, true));
    assert_eq!(world.ended(), [(Outcome::Interrupted, EndedBy::Engine)]);
}

#[test]
fn before_the_tone_there_is_no_message() {
    let mut world = World::with_plan(settings(), PLAN).with_operators(1);
    world.plays_end = false;
    let (invite, answer) = world.waiting_caller();
    tell(&mut world, SPOKEN);
    tell(&mut world, QUIET);
    tell(&mut world, |call, leg| MediaEvent::Digit {
        call,
        leg,
        digit: '#',
    });
    assert!(!started(&world));
    let bye = world.in_dialog(&invite, &answer, Method::Bye);
    world.send(trunk(), &bye);
    assert_eq!(world.ended(), [(Outcome::AbandonedEarly, EndedBy::Caller)]);
}
