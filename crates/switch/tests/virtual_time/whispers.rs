//! What an operator hears before the caller, in virtual time: when the two are joined, who may leave meanwhile,
//! and that a recording has all of a talk.

use core::time::Duration;

use sip::Method;
use switch::Input;
use vocab::media::{MediaCommand, MediaEvent, MixRole};
use vocab::{CallId, Fact, Instruction, LegId, OfferResult, Order, Outcome, Rank, SupervisionMode};

use crate::world::session::told;
use crate::world::{World, phone, settings, trunk};

/// A caller who waited for so long, and an operator who has just answered and hears a whisper.
fn whispered(waited: Duration) -> (World, (sip::Message, sip::Message)) {
    let mut settings = settings();
    settings.whispers = settings.queues.iter().map(|queue| queue.id).collect();
    let mut world = World::with(settings);
    world.input(Input::Operators(crate::world::operators(2)));
    let caller = world.waiting_caller();
    world.pass(waited);
    world.plays_end = false;
    assert_eq!(world.register(1, "secret"), 200);
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    (world, caller)
}

/// What plays once at a leg now: what the last command says.
fn playing(world: &World) -> (CallId, LegId, u32) {
    let plays = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::Play {
                call,
                leg,
                token,
                repeat: false,
                ..
            } => Some((*call, *leg, *token)),
            _ => None,
        });
    plays.unwrap()
}

fn played(world: &mut World) {
    let (call, leg, token) = playing(world);
    world.input(Input::Media(MediaEvent::PlayEnded { call, leg, token }));
}

fn bridges(world: &World) -> Vec<bool> {
    let recorded = |command: &MediaCommand| match command {
        MediaCommand::Bridge { record, .. } => Some(record.is_some()),
        _ => None,
    };
    world.commands.iter().filter_map(recorded).collect()
}

fn plays(world: &World) -> usize {
    let once =
        |command: &&MediaCommand| matches!(command, MediaCommand::Play { repeat: false, .. });
    world.commands.iter().filter(once).count()
}

#[test]
fn an_operator_hears_queue_and_wait_and_then_the_caller() {
    let (mut world, _) = whispered(Duration::from_secs(125));
    let before = plays(&world);
    assert!(bridges(&world).is_empty(), "the queue is told first");
    let talks = |world: &World| {
        told(world, |fact| match fact {
            Fact::SegmentStarted { recorded, .. } => Some(*recorded),
            _ => None,
        })
    };
    assert!(
        talks(&world).is_empty(),
        "the recording is to have all of the talk"
    );
    played(&mut world);
    assert_eq!(plays(&world), before + 1, "the wait follows");
    assert!(bridges(&world).is_empty());
    played(&mut world);
    assert_eq!(bridges(&world), [true], "joined and recorded");
    assert_eq!(talks(&world), [true]);
}

#[test]
fn a_key_of_the_operator_cuts_the_whisper_short() {
    let (mut world, _) = whispered(Duration::ZERO);
    let (call, leg, _) = playing(&world);
    let digit = '1';
    world.input(Input::Media(MediaEvent::Digit { call, leg, digit }));
    assert_eq!(bridges(&world), [true]);
    played(&mut world);
    assert_eq!(bridges(&world).len(), 1, "its late end joins nobody twice");
}

#[test]
fn a_caller_who_hangs_up_in_the_whisper_was_answered_and_the_recording_is_accounted_for() {
    let (mut world, (invite, answer)) = whispered(Duration::ZERO);
    world.caller_hangs_up(&invite, &answer);
    assert_eq!(
        bridges(&world),
        [true],
        "an empty recording, not a missing one"
    );
    world.take_bye(phone(1));
    assert_eq!(world.ended()[0].0, Outcome::Answered);
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
    world.plays_end = true;
    world.pass(Duration::from_secs(60));
    world.assert_quiet();
    assert!(world.try_next(trunk()).is_none());
}

#[test]
fn a_supervisor_who_comes_in_the_whisper_joins_nobody_before_its_end() {
    let (mut world, _) = whispered(Duration::ZERO);
    let (call, _, _) = playing(&world);
    assert_eq!(world.register(2, "secret"), 200);
    let order = Order::Supervise {
        call,
        operator: "op2".to_owned(),
        mode: SupervisionMode::Whisper,
    };
    let wanted = Instruction {
        by: "petrova".to_owned(),
        rank: Rank::Supervisor,
        order,
    };
    world.switch.order(world.now, &wanted).unwrap();
    world.input(Input::Deadline);
    world.operator_takes(2);
    let mixes = |world: &World| {
        let roles = |command: &MediaCommand| match command {
            MediaCommand::Mix { parties, .. } => {
                Some(parties.iter().map(|party| party.role).collect::<Vec<_>>())
            }
            _ => None,
        };
        world.commands.iter().filter_map(roles).collect::<Vec<_>>()
    };
    played(&mut world);
    assert!(mixes(&world).is_empty() && bridges(&world).is_empty());
    played(&mut world);
    let with_supervisor = vec![MixRole::Caller, MixRole::Operator, MixRole::Whispering];
    assert_eq!(mixes(&world), [with_supervisor]);
    assert!(bridges(&world).is_empty(), "joined once, all three");
}

#[test]
fn a_queue_without_a_whisper_joins_the_two_at_once() {
    let mut world = World::new().with_operators(1);
    world.waiting_caller();
    world.plays_end = false;
    world.operator_takes(1);
    assert_eq!(bridges(&world), [true]);
}
