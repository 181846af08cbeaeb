//! Waits that a plan wants recorded, in virtual time: from the entry to the queue until the talk or the end.

use core::time::Duration;

use crate::world::{World, settings, trunk};
use sip::Method;
use vocab::media::{MediaCommand, RecordingKey};
use vocab::{Fact, QueueOutcome};

const PLAN: &str = r#"
name = "test"
numbers = ["1300"]
languages = ["en"]
notice = "none"
[[step]]
answer = {}
[[step]]
queue = { name = "operators", music = "music/waiting.wav", wait_recorded = true }
"#;

/// What is recorded, from what to what, in the order in which it was told to the media plane.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Wait(u16),
    End,
    Talk(u16),
}

fn told(world: &World) -> Vec<Told> {
    let of = |command: &MediaCommand| match command {
        MediaCommand::RecordWait { record, .. } => Some(Told::Wait(record.segment)),
        MediaCommand::EndRecord { keep: true, .. } => Some(Told::End),
        MediaCommand::Bridge {
            record: Some(RecordingKey { segment, .. }),
            ..
        } => Some(Told::Talk(*segment)),
        _ => None,
    };
    world.commands.iter().filter_map(of).collect()
}

/// What the journal is told of waits and talks.
fn facts(world: &World) -> Vec<(&'static str, u16)> {
    let of = |fact: &Fact| match fact {
        Fact::WaitRecorded { segment, queue, .. } if queue == "operators" => {
            Some(("wait", *segment))
        }
        Fact::SegmentStarted { segment, .. } => Some(("talk", *segment)),
        Fact::QueueLeft { outcome, .. } => Some((
            match outcome {
                QueueOutcome::Answered => "answered",
                QueueOutcome::Abandoned => "abandoned",
                _ => "left",
            },
            0,
        )),
        _ => None,
    };
    world
        .facts
        .iter()
        .filter_map(|event| of(&event.fact))
        .collect()
}

#[test]
fn a_wait_is_recorded_until_the_talk_begins() {
    let mut world = World::with_plan(settings(), PLAN).with_operators(1);
    let (mut caller, _) = world.talk_with(1);
    caller.hang_up(&mut world);
    assert_eq!(told(&world), [Told::Wait(1), Told::End, Told::Talk(2)]);
    assert_eq!(
        facts(&world),
        [("wait", 1), ("answered", 0), ("talk", 2)],
        "numbered together"
    );
}

#[test]
fn a_wait_that_nobody_ended_is_kept() {
    let mut world = World::with_plan(settings(), PLAN);
    let (invite, answer) = world.waiting_caller();
    world.pass(Duration::from_secs(5));
    let bye = world.in_dialog(&invite, &answer, Method::Bye);
    world.send(trunk(), &bye);
    assert_eq!(told(&world), [Told::Wait(1), Told::End]);
    assert_eq!(facts(&world), [("wait", 1), ("abandoned", 0)]);
}

#[test]
fn without_the_plans_wish_no_wait_is_recorded() {
    let plan = PLAN.replace(", wait_recorded = true", "");
    let mut world = World::with_plan(settings(), &plan).with_operators(1);
    world.talk_with(1);
    assert_eq!(told(&world), [Told::Talk(1)]);
}
