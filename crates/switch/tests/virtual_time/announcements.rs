//! What waiting callers are told, in virtual time: when, what, and that it holds nobody up.

use core::time::Duration;

use crate::world::{World, phone, settings, trunk};
use sip::Method;
use vocab::media::MediaCommand;
use vocab::{EndedBy, Outcome};

const SECOND: Duration = Duration::from_secs(1);

const PLAN: &str = r#"
name = "test"
numbers = ["1300"]
languages = ["ru"]
notice = "none"
[[step]]
answer = {}
[[step]]
[step.queue]
name = "operators"
music = "music/waiting.wav"
announce = true
announce_after = "10s"
announce_every = "30s"
"#;

fn world() -> World {
    World::with_plan(settings(), PLAN)
}

/// What the caller of the newest leg heard, by the names of the prompts.
fn heard(world: &World) -> Vec<String> {
    let plan = dialplan::parse("test.toml", PLAN).unwrap();
    let names: Vec<String> = plan.prompts().into_iter().map(|one| one.name).collect();
    let name = |id: u32| match id {
        // The world has this piece of music under a number of its own.
        2 => "music/waiting.wav".to_owned(),
        id => names[id as usize - 10].clone(),
    };
    let plays = world.commands.iter().filter_map(|command| match command {
        MediaCommand::Play { prompt, .. } => Some(name(prompt.0)),
        _ => None,
    });
    plays.collect()
}

#[test]
fn a_waiting_caller_is_told_the_place_between_the_music() {
    let mut world = world();
    let (invite, answer) = world.waiting_caller();
    world.pass(9 * SECOND);
    assert_eq!(heard(&world), ["music/waiting.wav"]);
    world.pass(SECOND);
    let told = ["music/waiting.wav", "queue-place-1", "music/waiting.wav"];
    assert_eq!(heard(&world), told);
    world.pass(29 * SECOND);
    assert_eq!(heard(&world), told, "the next one is not due yet");
    world.pass(SECOND);
    assert_eq!(heard(&world)[3..], told[1..]);
    world.caller_hangs_up(&invite, &answer);
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn the_second_in_the_queue_is_told_so_and_moves_up() {
    let mut world = world();
    let (first, first_answer) = world.waiting_caller();
    let (_second, _answer) = world.waiting_caller();
    world.pass(10 * SECOND);
    let names = heard(&world);
    assert!(names.contains(&"queue-place-1".to_owned()), "{names:?}");
    assert!(names.contains(&"queue-place-2".to_owned()), "{names:?}");
    world.caller_hangs_up(&first, &first_answer);
    let before = heard(&world).len();
    world.pass(30 * SECOND);
    assert_eq!(heard(&world)[before], "queue-place-1");
}

#[test]
fn an_operator_who_becomes_free_is_not_held_up_by_an_announcement() {
    let mut world = world();
    world.plays_end = false;
    let _caller = world.waiting_caller();
    world.pass(10 * SECOND);
    assert_eq!(heard(&world).last().unwrap(), "queue-place-1");
    let mut world = world.with_operators(1);
    let ring = world.request(phone(1), &Method::Invite);
    let accepted = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    let bridged = |command: &MediaCommand| matches!(command, MediaCommand::Bridge { .. });
    let at = world.commands.iter().position(bridged).unwrap();
    world.pass(120 * SECOND);
    let later = &world.commands[at..];
    let played = |command: &MediaCommand| matches!(command, MediaCommand::Play { .. });
    assert!(!later.iter().any(played), "{later:?}");
    world.operator_hangs_up(1, &ring, &accepted);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn a_caller_who_is_about_to_be_answered_is_told_nothing() {
    let mut world = world().with_operators(1);
    let _caller = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    world.pass(11 * SECOND);
    assert_eq!(heard(&world), ["music/waiting.wav"]);
}
