//! What a call makes of its audio: a party that is not heard, one that is silent for too long, what is
//! measured of each leg.

use core::time::Duration;

use crate::world::session::{ask, described, end, kinds, talk, told};
use crate::world::{OFFER, World, phone, settings, trunk};
use sip::Method;
use switch::{Input, Settings};
use vocab::media::{MediaCommand, MediaEvent, Side};
use vocab::{CallId, EndedBy, Fact, LegCounts, LegId, Outcome, Party};

const SECOND: Duration = Duration::from_secs(1);

/// The call and both legs of the last bridge, the caller's first.
fn legs(world: &World) -> (CallId, [LegId; 2]) {
    let bridge = |command: &MediaCommand| match *command {
        MediaCommand::Bridge {
            call,
            caller,
            operator,
            ..
        } => Some((call, [caller, operator])),
        _ => None,
    };
    world.commands.iter().rev().find_map(bridge).unwrap()
}

fn tell(world: &mut World, event: MediaEvent) {
    world.input(Input::Media(event));
}

fn unheard(world: &World) -> Vec<(bool, Side)> {
    let of = |fact: &Fact| match fact {
        Fact::OneWayStarted { silent, .. } => Some((true, *silent)),
        Fact::OneWayEnded { silent, .. } => Some((false, *silent)),
        _ => None,
    };
    told(world, of)
}

fn one_way_now(world: &World) -> u32 {
    world.switch.snapshot().counts.one_way
}

#[test]
fn a_party_that_is_not_heard_is_an_alarm_and_two_facts() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let (call, [first, operator]) = legs(&world);
    tell(
        &mut world,
        MediaEvent::OneWayBegan {
            call,
            leg: operator,
        },
    );
    tell(
        &mut world,
        MediaEvent::OneWayBegan {
            call,
            leg: operator,
        },
    );
    assert_eq!(one_way_now(&world), 1);
    tell(
        &mut world,
        MediaEvent::OneWayEnded {
            call,
            leg: operator,
        },
    );
    tell(
        &mut world,
        MediaEvent::OneWayEnded {
            call,
            leg: operator,
        },
    );
    assert_eq!(one_way_now(&world), 0);
    // The second lasts to the end of the talk, and ends with it.
    tell(&mut world, MediaEvent::OneWayBegan { call, leg: first });
    end(&mut world, &caller, 2);
    assert_eq!(one_way_now(&world), 0);
    assert_eq!(world.switch.snapshot().counts.one_way_begun, 2);
    assert_eq!(
        unheard(&world),
        [
            (true, Side::Operator),
            (false, Side::Operator),
            (true, Side::Caller),
            (false, Side::Caller)
        ]
    );
    let mut kinds = kinds(&world);
    // The operator is free again after it.
    kinds.retain(|kind| kind != "WrapUpEnded");
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["OneWayEnded", "SegmentEnded", "CallEnded"]
    );
}

#[test]
fn before_a_talk_nobody_owes_the_other_anything() {
    let mut world = World::new().with_operators(1);
    world.waiting_caller();
    let leg = world.commands.iter().find_map(|command| match *command {
        MediaCommand::Open { call, leg } => Some((call, leg)),
        _ => None,
    });
    let (call, leg) = leg.unwrap();
    tell(&mut world, MediaEvent::OneWayBegan { call, leg });
    assert_eq!((unheard(&world), one_way_now(&world)), (vec![], 0));
}

fn with_time_out() -> World {
    World::with(Settings {
        silence_timeout: Some(60 * SECOND),
        ..settings()
    })
    .with_operators(1)
}

fn silences(world: &World) -> Vec<(bool, u64)> {
    let of = |fact: &Fact| match fact {
        Fact::PartySilent {
            party, silent_ms, ..
        } => Some((party.is_none(), *silent_ms)),
        _ => None,
    };
    told(world, of)
}

#[test]
fn a_caller_who_is_silent_for_too_long_is_hung_up_on_and_the_journal_says_why() {
    let mut world = with_time_out();
    talk(&mut world);
    let (call, [leg, _]) = legs(&world);
    let silent = MediaEvent::Silent {
        call,
        leg,
        ms: 60_000,
    };
    // It was silent while it waited, too; but the talk is young.
    tell(&mut world, silent.clone());
    assert_eq!((silences(&world), world.ended()), (vec![], vec![]));
    world.pass(61 * SECOND);
    tell(&mut world, silent);
    assert_eq!(silences(&world), [(true, 60_000)]);
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Engine)]);
    let reason = world.facts.iter().find_map(|event| match &event.fact {
        Fact::CallEnded { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert_eq!(reason, Some("no audio came for 60 s"));
    world.take_bye(trunk());
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn an_operator_who_is_silent_for_too_long_is_hung_up_on_and_the_plan_goes_on() {
    let mut world = with_time_out();
    talk(&mut world);
    let (call, [_, leg]) = legs(&world);
    world.pass(61 * SECOND);
    tell(
        &mut world,
        MediaEvent::Silent {
            call,
            leg,
            ms: 61_000,
        },
    );
    assert_eq!(silences(&world), [(false, 61_000)]);
    world.take_bye(phone(1));
    let ends = world.facts.iter().any(|event| {
        matches!(
            event.fact,
            Fact::SegmentEnded {
                ended_by: EndedBy::Operator,
                ..
            }
        )
    });
    assert!(ends);
}

#[test]
fn without_the_setting_nobody_is_hung_up_on_for_silence() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let (call, [leg, _]) = legs(&world);
    world.pass(600 * SECOND);
    tell(
        &mut world,
        MediaEvent::Silent {
            call,
            leg,
            ms: 600_000,
        },
    );
    assert_eq!((silences(&world), world.ended()), (vec![], vec![]));
    end(&mut world, &caller, 2);
}

#[test]
fn a_party_on_hold_owes_no_audio() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    let (_, [leg, _]) = legs(&world);
    let update = ask(&mut world, &caller, Method::Update, 2);
    world.send(
        trunk(),
        &described(update, &format!("{OFFER}a=sendonly\r\n")),
    );
    let remote = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::SetRemote {
                leg: of, remote, ..
            } if *of == leg => Some(*remote),
            _ => None,
        });
    assert!(!remote.unwrap().receive);
    end(&mut world, &caller, 3);
}

#[test]
fn each_leg_with_audio_is_measured_by_whose_it_is() {
    let mut world = World::new().with_operators(1);
    let (caller, _) = talk(&mut world);
    world.counts = LegCounts {
        received: 500,
        sent: 498,
        ..LegCounts::default()
    };
    end(&mut world, &caller, 2);
    let measured = world.facts.iter().filter_map(|event| match &event.fact {
        Fact::LegMeasured { party, counts, .. } => Some((party.clone(), counts.received)),
        _ => None,
    });
    let measured: Vec<_> = measured.collect();
    assert_eq!(measured.len(), 2, "{measured:?}");
    assert!(measured.iter().all(|(_, received)| *received == 500));
    assert!(measured.iter().any(|(party, _)| party.is_none()));
    let operator = measured.iter().find_map(|(party, _)| match party {
        Some(Party::Operator(operator)) => Some(operator.login.as_str()),
        _ => None,
    });
    assert_eq!(operator, Some("op1"));
}
