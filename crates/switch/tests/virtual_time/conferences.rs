//! Conferences: an operator joins a consultation to the talk, each who leaves has a defined outcome, and
//! the journal counts no second twice.

use core::time::Duration;

use crate::world::peers::{Peer, with_outer};
use crate::world::session::{holds, told};
use crate::world::{OFFER, World, phone, trunk};
use sip::Method;
use switch::Input;
use vocab::media::{MediaCommand, MediaEvent, MixRole, RecordingKey};
use vocab::{
    CallId, EndedBy, Fact, HeldBy, Instruction, LegId, OperatorState, Order, OrderRefusal, Outcome,
    Party, Rank,
};

const SECOND: Duration = Duration::from_secs(1);

fn world(operators: u8) -> World {
    let mut settings = with_outer();
    settings.conference_keys = "*3".to_owned();
    World::with(settings).with_operators(operators)
}

/// Operator 1 talks to a caller, whom the telephone puts on hold, and consults operator 2.
fn consultation(world: &mut World) -> [Peer; 4] {
    let (caller, mut first) = world.talk_with(1);
    hold(world, &mut first);
    let invite = world.dials(1, "102");
    let target = world.operator_takes(2);
    let consulting = world.dialled_through(1, &invite);
    [caller, first, consulting, target]
}

fn hold(world: &mut World, peer: &mut Peer) {
    let held = format!("{OFFER}a=sendonly\r\n");
    let invite = peer.request(world, Method::Invite);
    world.send(peer.at, &invite.with_body("application/sdp", held.into()));
    assert_eq!(world.response(peer.at).status(), Some(200));
    let ack = peer.request(world, Method::Ack);
    world.send(peer.at, &ack);
}

/// The legs of the last bridge or mix, with their roles, and what it records.
fn talk(world: &World) -> (Vec<(LegId, MixRole)>, Option<RecordingKey>) {
    let last = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::Mix {
                parties, record, ..
            } => {
                let parties = parties.iter().map(|party| (party.leg, party.role));
                Some((parties.collect(), *record))
            }
            MediaCommand::Bridge {
                caller,
                operator,
                record,
                ..
            } => {
                let pair = [(*caller, MixRole::Caller), (*operator, MixRole::Operator)];
                Some((pair.to_vec(), *record))
            }
            _ => None,
        });
    last.unwrap()
}

fn roles(world: &World) -> Vec<MixRole> {
    talk(world).0.into_iter().map(|(_, role)| role).collect()
}

fn type_code(world: &mut World, leg: LegId) {
    for digit in ['*', '3'] {
        let call = CallId::new(1, 1);
        world.input(Input::Media(MediaEvent::Digit { call, leg, digit }));
    }
}

/// The operator's leg in the newest call presses the keys for a conference.
fn join(world: &mut World, side: usize) {
    let (legs, _) = talk(world);
    type_code(world, legs[side].0);
}

fn who(party: &Party) -> String {
    match party {
        Party::Operator(operator) => operator.login.clone(),
        Party::Outer { number, .. } => number.clone(),
    }
}

/// Segments, who came and who went, of each call.
fn story(world: &World) -> Vec<String> {
    told(world, |fact| match fact {
        Fact::SegmentStarted {
            call,
            segment,
            party,
            ..
        } => Some(format!("{}/{segment} {}", call.counter(), who(party))),
        Fact::SegmentEnded { call, segment, .. } => {
            Some(format!("{}/{segment} over", call.counter()))
        }
        Fact::ConferenceJoined { call, party, .. } => {
            Some(format!("{} +{}", call.counter(), who(party)))
        }
        Fact::ConferenceLeft { call, party, .. } => {
            Some(format!("{} -{}", call.counter(), who(party)))
        }
        Fact::CallJoined { call, into } => {
            Some(format!("{} into {}", call.counter(), into.counter()))
        }
        _ => None,
    })
}

#[test]
fn keys_in_a_consultation_make_a_conference_at_the_leg_in_use() {
    let mut world = world(2);
    let [mut caller, _, _, mut target] = consultation(&mut world);
    assert_eq!(holds(&world), [(true, HeldBy::Operator)]);
    let used = talk(&world).0[0].0;
    join(&mut world, 0);
    // The telephone's line that was on hold is hung up; the one in use has all.
    world.take_bye(phone(1));
    assert_eq!(
        holds(&world),
        [(true, HeldBy::Operator), (false, HeldBy::Operator)]
    );
    let (legs, record) = talk(&world);
    assert_eq!(legs[1].0, used);
    let three = [MixRole::Caller, MixRole::Operator, MixRole::Operator];
    assert_eq!(roles(&world), three);
    let first = CallId::new(1, 1);
    let (call, segment) = (first, 1);
    assert_eq!(record, Some(RecordingKey { call, segment }), "it goes on");
    let state = |world: &World, n: usize| world.switch.snapshot().operators[n].state;
    assert_eq!(state(&world, 0), OperatorState::Talking);
    assert_eq!(state(&world, 1), OperatorState::OtherCall);
    world.pass(10 * SECOND);
    target.hang_up(&mut world);
    assert_eq!(roles(&world), [MixRole::Caller, MixRole::Operator]);
    world.pass(5 * SECOND);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    let expected = [
        "1/1 op1", "2/1 op2", "2 into 1", "2/1 over", "1 +op2", "1 -op2", "1/1 over",
    ];
    assert_eq!(story(&world), expected);
    assert_eq!(state(&world, 0), OperatorState::WrapUp);
    world.assert_quiet();
}

#[test]
fn the_operator_who_leaves_a_conference_leaves_the_others_a_segment_of_their_own() {
    let mut world = world(2);
    let [mut caller, _, mut consulting, _target] = consultation(&mut world);
    join(&mut world, 0);
    world.take_bye(phone(1));
    consulting.hang_up(&mut world);
    assert_eq!(roles(&world), [MixRole::Caller, MixRole::Operator]);
    let (_, record) = talk(&world);
    assert_eq!(record.unwrap().segment, 2);
    world.pass(5 * SECOND);
    caller.hang_up(&mut world);
    world.take_bye(phone(2));
    let expected = [
        "1/1 op1", "2/1 op2", "2 into 1", "2/1 over", "1 +op2", "1/1 over", "1/2 op2", "1/2 over",
    ];
    assert_eq!(story(&world), expected);
    assert_eq!(
        world.ended(),
        [
            (Outcome::Answered, EndedBy::Operator),
            (Outcome::Answered, EndedBy::Caller)
        ]
    );
    world.assert_quiet();
}

#[test]
fn the_caller_who_leaves_ends_it_for_all() {
    let mut world = world(2);
    let [mut caller, ..] = consultation(&mut world);
    join(&mut world, 0);
    world.take_bye(phone(1));
    caller.hang_up(&mut world);
    world.take_byes(&[phone(1), phone(2)]);
    assert_eq!(story(&world)[5..], ["1 -op2", "1/1 over"]);
    world.assert_quiet();
}

#[test]
fn an_outer_party_is_a_guest_and_further_ones_come_up_to_eight() {
    let mut world = world(1);
    let (mut caller, mut own) = world.talk_with(1);
    for n in 0..7_u8 {
        hold(&mut world, &mut own);
        let invite = world.dials(1, &format!("+7495111223{n}"));
        world.takes(trunk(), 9);
        let consulting = world.dialled_through(1, &invite);
        let (legs, _) = talk(&world);
        // The outer party of an operator's call is on the caller's side.
        assert_eq!(legs.len(), 2);
        let parties = usize::from(n) + 3;
        type_code(&mut world, legs[1].0);
        if parties > 8 {
            assert_eq!(talk(&world).0.len(), 2, "a ninth does not come in");
            let mut consulting = consulting;
            consulting.hang_up(&mut world);
            world.take_bye(trunk());
            break;
        }
        world.take_bye(phone(1));
        assert_eq!(talk(&world).0.len(), parties);
        own = consulting;
    }
    let mut expected = vec![MixRole::Guest; 8];
    expected[0] = MixRole::Caller;
    expected[1] = MixRole::Operator;
    let mixed = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::Mix { parties, .. } => Some(parties.clone()),
            _ => None,
        });
    let roles: Vec<MixRole> = mixed.unwrap().iter().map(|party| party.role).collect();
    assert_eq!(roles, expected);
    world.clear();
    caller.hang_up(&mut world);
    // Guests and caller are at one place: what came to the guests meanwhile is answered already.
    while let Some(message) = world.try_next(trunk()) {
        if message.method() == Some(&Method::Bye) {
            world.send(trunk(), &message.respond(200, None));
        }
    }
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn a_conference_is_not_transferred_and_a_talk_alone_is_none() {
    let mut world = world(2);
    let (mut caller, _) = world.talk_with(1);
    join(&mut world, 1);
    assert_eq!(roles(&world).len(), 2);
    let order = |world: &mut World| {
        let wanted = Instruction {
            by: "op1".to_owned(),
            rank: Rank::Operator,
            order: Order::Conference {
                operator: "op1".to_owned(),
            },
        };
        let given = world.switch.order(world.now, &wanted);
        world.input(Input::Deadline);
        given
    };
    let refused = order(&mut world);
    assert!(matches!(refused, Err(OrderRefusal::NoConference { .. })));
    let invite = world.dials(1, "102");
    world.operator_takes(2);
    let mut consulting = world.dialled_through(1, &invite);
    // Nothing is on hold: the leg of the call that goes on is the one that stays.
    order(&mut world).unwrap();
    world.take_bye(phone(1));
    assert_eq!(roles(&world).len(), 3);
    let _ = &mut consulting;
    world.clear();
    caller.hang_up(&mut world);
    world.take_byes(&[phone(1), phone(2)]);
    world.assert_quiet();
}

#[test]
fn a_conference_on_hold_talks_on_and_what_is_left_of_it_hears_music() {
    let mut world = world(2);
    let [mut caller, _, mut consulting, mut target] = consultation(&mut world);
    join(&mut world, 0);
    world.take_bye(phone(1));
    let plays = |world: &World| {
        let plays = world.commands.iter();
        plays
            .filter(|command| matches!(command, MediaCommand::Play { .. }))
            .count()
    };
    let before = plays(&world);
    hold(&mut world, &mut consulting);
    assert_eq!(plays(&world), before, "the others talk on");
    assert_eq!(consulting.refer(&mut world, "<sip:102@198.51.100.1>"), 603);
    target.hang_up(&mut world);
    assert_eq!(plays(&world), before + 1);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}
