//! Pausing a recording in virtual time: by keys, by the telephone's record key, and its end.

use core::time::Duration;

use crate::world::peers::Peer;
use crate::world::{World, phone, settings, trunk};
use sip::{HeaderName, Method};
use switch::{Input, RecordingKeys};
use vocab::media::{MediaCommand, MediaEvent};
use vocab::{Fact, LegId, PauseReason};

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    let mut settings = settings();
    settings.recording_keys = RecordingKeys {
        card: "*71".to_owned(),
        medical: "*72".to_owned(),
        resume: "*70".to_owned(),
        longest: Duration::from_secs(180),
    };
    World::with(settings).with_operators(2)
}

/// Caller's leg and operator's leg of the newest bridge.
fn legs(world: &World) -> (LegId, LegId) {
    let bridge = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::Bridge {
                caller, operator, ..
            } => Some((*caller, *operator)),
            _ => None,
        });
    bridge.unwrap()
}

fn press(world: &mut World, leg: LegId, keys: &str) {
    let call = world.facts.iter().rev().find_map(|event| event.fact.call());
    for digit in keys.chars() {
        let call = call.unwrap();
        world.input(Input::Media(MediaEvent::Digit { call, leg, digit }));
    }
}

/// What became of the recording, by the journal and by the media plane, which must agree.
fn story(world: &World) -> Vec<&'static str> {
    let told: Vec<_> = world
        .facts
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::RecordingPaused { reason, .. } => Some(match reason {
                PauseReason::Card => "card",
                PauseReason::Medical => "medical",
                PauseReason::Other => "other",
            }),
            Fact::RecordingResumed {
                automatic: true, ..
            } => Some("by itself"),
            Fact::RecordingResumed { .. } => Some("on"),
            _ => None,
        })
        .collect();
    let done = world.commands.iter().filter(|command| {
        matches!(
            command,
            MediaCommand::PauseRecording { .. } | MediaCommand::ResumeRecording { .. }
        )
    });
    assert_eq!(done.count(), told.len());
    told
}

#[test]
fn an_operator_pauses_and_goes_on_by_keys() {
    let mut world = world();
    let _talk = world.talk_with(1);
    let (_, operator) = legs(&world);
    press(&mut world, operator, "*71");
    assert_eq!(story(&world), ["card"]);
    press(&mut world, operator, "*72");
    assert_eq!(story(&world), ["card"], "it is paused already");
    press(&mut world, operator, "12345*70");
    press(&mut world, operator, "*70");
    assert_eq!(story(&world), ["card", "on"]);
    press(&mut world, operator, "*72");
    assert_eq!(story(&world), ["card", "on", "medical"]);
}

#[test]
fn a_forgotten_pause_ends_by_itself_and_only_once() {
    let mut world = world();
    let _talk = world.talk_with(1);
    let (_, operator) = legs(&world);
    press(&mut world, operator, "*71");
    world.pass(179 * SECOND);
    assert_eq!(story(&world), ["card"]);
    world.pass(2 * SECOND);
    assert_eq!(story(&world), ["card", "by itself"]);
    world.pass(600 * SECOND);
    assert_eq!(story(&world), ["card", "by itself"]);
}

#[test]
fn a_caller_cannot_pause_and_slow_keys_are_no_code() {
    let mut world = world();
    let _talk = world.talk_with(1);
    let (caller, operator) = legs(&world);
    press(&mut world, caller, "*71");
    press(&mut world, operator, "*7");
    world.pass(5 * SECOND);
    press(&mut world, operator, "1");
    assert!(story(&world).is_empty());
}

#[test]
fn the_record_key_of_a_telephone_pauses_and_goes_on() {
    let mut world = world();
    let (mut caller, mut operator): (Peer, Peer) = world.talk_with(1);
    for (value, expected) in [
        ("off", &["other"][..]),
        ("off", &["other"]),
        ("On", &["other", "on"]),
    ] {
        let mut info = operator.request(&mut world, Method::Info);
        info.headers.set(HeaderName::parse("Record"), value);
        world.send(phone(1), &info);
        assert_eq!(world.response(phone(1)).status(), Some(200));
        assert_eq!(story(&world), expected);
    }
    let mut info = caller.request(&mut world, Method::Info);
    info.headers.set(HeaderName::parse("Record"), "off");
    world.send(trunk(), &info);
    assert_eq!(world.response(trunk()).status(), Some(200));
    assert_eq!(story(&world), ["other", "on"]);
}

#[test]
fn a_pause_ends_with_its_talk() {
    let mut world = world();
    let (mut caller, _operator) = world.talk_with(1);
    let (_, leg) = legs(&world);
    press(&mut world, leg, "*71");
    caller.hang_up(&mut world);
    world.pass(600 * SECOND);
    assert_eq!(story(&world), ["card"], "nothing goes on after the end");
}

#[test]
fn without_codes_keys_mean_nothing_and_without_a_longest_pause_there_is_none() {
    for keys in [
        RecordingKeys {
            longest: 180 * SECOND,
            ..RecordingKeys::default()
        },
        RecordingKeys {
            card: "*71".to_owned(),
            ..RecordingKeys::default()
        },
    ] {
        let mut settings = settings();
        settings.recording_keys = keys;
        let mut world = World::with(settings).with_operators(1);
        let _talk = world.talk_with(1);
        let (_, operator) = legs(&world);
        press(&mut world, operator, "*71");
        assert!(story(&world).is_empty());
    }
}

#[test]
fn where_recording_is_mandatory_new_calls_are_refused_while_the_disk_fails() {
    for mandatory in [true, false] {
        let mut settings = settings();
        settings.recording_mandatory = mandatory;
        let mut world = World::with(settings).with_operators(1);
        world.input(Input::RecordingTrouble(true));
        if mandatory {
            let invite = world.invite("1300");
            world.send(trunk(), &invite);
            assert_eq!(world.response(trunk()).status(), Some(503));
            world.input(Input::RecordingTrouble(false));
        }
        let (invite, answer) = world.waiting_caller();
        world.caller_hangs_up(&invite, &answer);
    }
}
