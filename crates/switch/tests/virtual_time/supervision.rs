//! Supervisors in talks: the talk never notices, what is ordered and pressed is what the media plane is
//! told, and each supervision has a beginning, an end and a name in the journal.

use core::time::Duration;

use crate::world::peers::Peer;
use crate::world::session::told;
use crate::world::{World, phone, settings, trunk};
use sip::Method;
use switch::{Input, SupervisionKeys};
use vocab::media::{MediaCommand, MediaEvent, MixRole};
use vocab::{
    CallId, Fact, Instruction, LegId, OperatorState, Order, OrderRefusal, Rank, SupervisionEnd,
    SupervisionMode,
};

const SECOND: Duration = Duration::from_secs(1);
const CALL: CallId = CallId::new(1, 1);

fn world(operators: u8) -> World {
    let mut settings = settings();
    settings.supervision_keys = SupervisionKeys {
        listen: Some('1'),
        whisper: Some('2'),
        barge: Some('3'),
    };
    World::with(settings).with_operators(operators)
}

fn order(world: &mut World, rank: Rank, order: Order) -> Result<(), OrderRefusal> {
    let wanted = Instruction {
        by: "petrova".to_owned(),
        rank,
        order,
    };
    let given = world.switch.order(world.now, &wanted).map(|_| ());
    world.input(Input::Deadline);
    given
}

fn supervise(world: &mut World, login: &str, mode: SupervisionMode) -> Result<(), OrderRefusal> {
    let wanted = Order::Supervise {
        call: CALL,
        operator: login.to_owned(),
        mode,
    };
    order(world, Rank::Supervisor, wanted)
}

/// The third operator supervises the talk of the first.
fn supervised(world: &mut World, mode: SupervisionMode) -> [Peer; 3] {
    let (caller, operator) = world.talk_with(1);
    supervise(world, "op3", mode).unwrap();
    [caller, operator, world.operator_takes(3)]
}

/// What the media plane was told last of who talks: the roles, or none for a plain relay.
fn roles(world: &World) -> Vec<MixRole> {
    let last = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::Mix { parties, .. } => {
                Some(parties.iter().map(|party| party.role).collect())
            }
            MediaCommand::Bridge { .. } | MediaCommand::Unbridge { .. } => Some(Vec::new()),
            _ => None,
        });
    last.unwrap_or_default()
}

fn supervisor_leg(world: &World) -> LegId {
    let mix = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::Mix { parties, .. } => parties.last().map(|party| party.leg),
            _ => None,
        });
    mix.unwrap()
}

fn press(world: &mut World, leg: LegId, digit: char) {
    let event = MediaEvent::Digit {
        call: CALL,
        leg,
        digit,
    };
    world.input(Input::Media(event));
}

/// The facts of the supervision, shortly.
fn story(world: &World) -> Vec<String> {
    told(world, |fact| match fact {
        Fact::SupervisionStarted {
            supervisor, mode, ..
        } => Some(format!("{} {mode:?}", supervisor.login)),
        Fact::SupervisionTurned { segment, mode, .. } => Some(format!("{segment} {mode:?}")),
        Fact::SupervisionEnded { ended_by, .. } => Some(format!("{ended_by:?}")),
        _ => None,
    })
}

#[test]
fn a_supervisor_listens_whispers_and_barges_by_key_and_by_order() {
    let mut world = world(3);
    let [mut caller, _, mut supervisor] = supervised(&mut world, SupervisionMode::Listen);
    let with = |role| vec![MixRole::Caller, MixRole::Operator, role];
    assert_eq!(roles(&world), with(MixRole::Listening));
    let leg = supervisor_leg(&world);
    press(&mut world, leg, '2');
    assert_eq!(roles(&world), with(MixRole::Whispering));
    press(&mut world, leg, '2');
    press(&mut world, leg, '9');
    supervise(&mut world, "op3", SupervisionMode::Barge).unwrap();
    assert_eq!(roles(&world), with(MixRole::Barging));
    press(&mut world, leg, '1');
    assert_eq!(roles(&world), with(MixRole::Listening));
    world.pass(10 * SECOND);
    supervisor.hang_up(&mut world);
    assert_eq!(roles(&world), [], "a plain relay again");
    let told_of = ["op3 Listen", "1 Whisper", "1 Barge", "1 Listen", "HungUp"];
    assert_eq!(story(&world), told_of);
    // Neither side was asked anything, nor told.
    assert!(world.try_next(trunk()).is_none());
    assert!(world.try_next(phone(1)).is_none());
    world.pass(5 * SECOND);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    let segments = told(&world, |fact| match fact {
        Fact::SegmentStarted { segment, .. } => Some(*segment),
        _ => None,
    });
    assert_eq!(segments, [1], "the supervision made no segment");
    world.assert_quiet();
}

#[test]
fn the_order_is_written_with_who_gave_it_and_only_supervisors_may_give_it() {
    let mut world = world(3);
    let (mut caller, _) = world.talk_with(1);
    let wanted = Order::Supervise {
        call: CALL,
        operator: "op3".to_owned(),
        mode: SupervisionMode::Whisper,
    };
    let refused = order(&mut world, Rank::Operator, wanted.clone());
    assert_eq!(refused, Err(OrderRefusal::NotYours));
    assert!(world.try_next(phone(3)).is_none());
    order(&mut world, Rank::Supervisor, wanted.clone()).unwrap();
    let ordered = told(&world, |fact| match fact {
        Fact::Ordered { by, order, .. } => Some((by.clone(), order.clone())),
        _ => None,
    });
    assert_eq!(ordered, [("petrova".to_owned(), wanted)]);
    world.operator_takes(3);
    caller.hang_up(&mut world);
    assert_eq!(story(&world), ["op3 Whisper", "CallOver"]);
    world.take_byes(&[phone(1), phone(3)]);
    world.assert_quiet();
}

#[test]
fn who_cannot_supervise_is_refused_and_nothing_rings() {
    let mut world = world(3);
    let missing = supervise(&mut world, "op3", SupervisionMode::Listen);
    assert_eq!(missing, Err(OrderRefusal::NoTalk { call: CALL }));
    let (mut caller, _) = world.talk_with(1);
    let (mut other, _) = world.talk_with(2);
    let itself = supervise(&mut world, "op1", SupervisionMode::Listen);
    assert!(matches!(itself, Err(OrderRefusal::Unfit { .. })));
    let busy = supervise(&mut world, "op2", SupervisionMode::Listen);
    let operator = "op2".to_owned();
    assert_eq!(busy, Err(OrderRefusal::NotFree { operator }));
    let nobody = order(
        &mut world,
        Rank::Supervisor,
        Order::EndSupervision { call: CALL },
    );
    assert_eq!(nobody, Err(OrderRefusal::NotSupervised { call: CALL }));
    supervise(&mut world, "op3", SupervisionMode::Listen).unwrap();
    let ring = world.request(phone(3), &Method::Invite);
    world.answer(3, &ring, 180);
    other.hang_up(&mut world);
    world.take_bye(phone(2));
    world.pass(11 * SECOND);
    let second = supervise(&mut world, "op2", SupervisionMode::Listen);
    let by = "op3".to_owned();
    assert_eq!(second, Err(OrderRefusal::Supervised { by }));
    world.answer(3, &ring, 486);
    world.request(phone(3), &Method::Ack);
    assert_eq!(story(&world), ["Unanswered"]);
    assert_eq!(roles(&world), []);
    assert_eq!(
        world.switch.snapshot().operators[2].state,
        OperatorState::Free
    );
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn a_supervisor_who_does_not_answer_is_given_up_and_the_talk_goes_on() {
    let mut world = world(3);
    let (mut caller, _) = world.talk_with(1);
    supervise(&mut world, "op3", SupervisionMode::Barge).unwrap();
    let ring = world.request(phone(3), &Method::Invite);
    world.answer(3, &ring, 180);
    world.pass(31 * SECOND);
    let cancel = world.request(phone(3), &Method::Cancel);
    world.answer_plain(3, &cancel);
    world.answer(3, &ring, 487);
    assert_eq!(story(&world), ["Unanswered"]);
    assert!(world.ended().is_empty());
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn an_order_ends_it_while_it_rings_and_while_it_lasts() {
    for rings in [true, false] {
        let mut world = world(3);
        let (mut caller, _) = world.talk_with(1);
        supervise(&mut world, "op3", SupervisionMode::Listen).unwrap();
        let ring = world.request(phone(3), &Method::Invite);
        world.answer(3, &ring, if rings { 180 } else { 200 });
        let end = Order::EndSupervision { call: CALL };
        order(&mut world, Rank::Supervisor, end).unwrap();
        if rings {
            let cancel = world.request(phone(3), &Method::Cancel);
            world.answer_plain(3, &cancel);
            world.answer(3, &ring, 487);
            assert_eq!(story(&world), ["Ordered"]);
        } else {
            world.request(phone(3), &Method::Ack);
            world.take_bye(phone(3));
            assert_eq!(story(&world), ["op3 Listen", "Ordered"]);
        }
        assert_eq!(roles(&world), []);
        caller.hang_up(&mut world);
        world.take_bye(phone(1));
        world.assert_quiet();
    }
}

#[test]
fn a_transfer_takes_the_supervisor_along_as_a_listener() {
    let mut world = world(3);
    let [mut caller, mut first, _] = supervised(&mut world, SupervisionMode::Whisper);
    assert_eq!(first.refer(&mut world, "<sip:102@198.51.100.1>"), 202);
    let ring = world.request(phone(2), &Method::Invite);
    assert_eq!(roles(&world), [], "nobody talks meanwhile");
    world.answer(2, &ring, 200);
    let expected = [MixRole::Caller, MixRole::Operator, MixRole::Listening];
    assert_eq!(roles(&world), expected);
    assert_eq!(story(&world), ["op3 Whisper", "2 Listen"]);
    world.clear();
    caller.hang_up(&mut world);
    world.take_byes(&[phone(2), phone(3)]);
    assert_eq!(story(&world).last().unwrap(), "CallOver");
    world.assert_quiet();
}

#[test]
fn what_a_supervisor_sends_is_nobodys_transfer_and_what_rings_there_nobody_picks_up() {
    let mut world = world(3);
    let [mut caller, _, mut supervisor] = supervised(&mut world, SupervisionMode::Listen);
    let refused = supervisor.refer(&mut world, "<sip:102@198.51.100.1>");
    assert_eq!(refused, 603);
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        supervisor.call_id,
        supervisor.remote_tag(),
        supervisor.tag()
    );
    let name = sip::HeaderName::Replaces;
    world.dials_with(2, phone(2), "103", &[(name, &replaces)]);
    assert_eq!(world.response(phone(2)).status(), Some(403));
    world.clear();
    caller.hang_up(&mut world);
    world.take_byes(&[phone(1), phone(3)]);
    let ends = told(&world, |fact| match fact {
        Fact::SupervisionEnded { ended_by, .. } => Some(*ended_by),
        _ => None,
    });
    assert_eq!(ends, [SupervisionEnd::CallOver]);
    world.assert_quiet();
}
