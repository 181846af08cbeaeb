//! Several telephones of one operator that ring at once, in virtual time: one offer, one winner, and
//! nothing left of the others.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::world::{World, operators, phone};
use proptest::prelude::*;
use sip::{HeaderName, Message, Method};
use switch::Input;
use vocab::{EndedBy, Fact, OfferResult, Outcome};

const SECOND: Duration = Duration::from_secs(1);

/// Operator 1 with a telephone at each place, all of the same q.
fn world_with(places: &[u8]) -> World {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    for n in places {
        assert_eq!(world.register_at(1, phone(*n), "secret"), 200);
        world.pass(SECOND);
    }
    world
}

fn offers(world: &World) -> usize {
    let made = |fact: &Fact| matches!(fact, Fact::OfferMade { .. });
    world.facts.iter().filter(|one| made(&one.fact)).count()
}

fn refuse(world: &mut World, at: SocketAddr, ring: &Message, status: u16) {
    world.answer_from(at, 1, ring, status);
    world.request(at, &Method::Ack);
}

#[test]
fn telephones_of_one_q_ring_at_once_and_the_first_to_answer_has_the_call() {
    let mut world = world_with(&[11, 12, 13]);
    let (invite, answer) = world.waiting_caller();
    let [desk, soft, mobile] = [11, 12, 13].map(|n| world.request(phone(n), &Method::Invite));
    assert_eq!(offers(&world), 1);
    world.answer_from(phone(11), 1, &desk, 180);
    world.answer_from(phone(12), 1, &soft, 180);
    world.answer_from(phone(12), 1, &soft, 200);
    world.request(phone(12), &Method::Ack);
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
    let cancel = world.request(phone(11), &Method::Cancel);
    world.send(phone(11), &cancel.respond(200, None));
    refuse(&mut world, phone(11), &desk, 487);
    // The third said nothing yet, and is cancelled with its first word (RFC 3261 §9.1).
    assert!(world.try_next(phone(13)).is_none());
    world.answer_from(phone(13), 1, &mobile, 180);
    world.request(phone(13), &Method::Cancel);
    refuse(&mut world, phone(13), &mobile, 487);
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(12));
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Caller)]);
    world.assert_quiet();
}

#[test]
fn the_answer_of_a_loser_that_crosses_its_cancel_gets_ack_and_bye() {
    let mut world = world_with(&[11, 12]);
    let (invite, answer) = world.waiting_caller();
    let [first, second] = [11, 12].map(|n| world.request(phone(n), &Method::Invite));
    world.answer_from(phone(11), 1, &first, 180);
    world.answer_from(phone(12), 1, &second, 200);
    world.request(phone(12), &Method::Ack);
    world.request(phone(11), &Method::Cancel);
    world.answer_from(phone(11), 1, &first, 200);
    world.request(phone(11), &Method::Ack);
    world.take_bye(phone(11));
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(12));
    world.assert_quiet();
}

#[test]
fn a_loser_that_answers_after_the_call_is_over_gets_ack_and_bye_as_well() {
    let mut world = world_with(&[11, 12]);
    let (invite, answer) = world.waiting_caller();
    let [first, second] = [11, 12].map(|n| world.request(phone(n), &Method::Invite));
    world.answer_from(phone(11), 1, &first, 180);
    world.answer_from(phone(12), 1, &second, 200);
    world.request(phone(12), &Method::Ack);
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(12));
    world.pass(SECOND);
    world.clear();
    world.answer_from(phone(11), 1, &first, 200);
    world.request(phone(11), &Method::Ack);
    world.take_bye(phone(11));
    world.assert_quiet();
}

#[test]
fn the_next_group_rings_when_all_of_one_have_failed() {
    let mut world = world_with(&[11, 12]);
    assert_eq!(world.register_with(1, phone(13), "q=0.3"), 200);
    world.waiting_caller();
    let [first, second] = [11, 12].map(|n| world.request(phone(n), &Method::Invite));
    refuse(&mut world, phone(11), &first, 480);
    let rang = |world: &mut World| {
        let invite = world.try_next(phone(13));
        invite.is_some_and(|one| one.method() == Some(&Method::Invite))
    };
    while let Some(message) = world.try_next(phone(13)) {
        assert_ne!(message.method(), Some(&Method::Invite));
    }
    refuse(&mut world, phone(12), &second, 404);
    assert!(rang(&mut world));
    assert_eq!((offers(&world), world.offer_results().len()), (1, 0));
}

#[test]
fn one_who_is_busy_does_not_silence_the_others_and_6xx_does() {
    for (status, result) in [(486, None), (603, Some(OfferResult::Rejected))] {
        let mut world = world_with(&[11, 12]);
        assert_eq!(world.register_with(1, phone(13), "q=0.3"), 200);
        world.clear();
        world.waiting_caller();
        let [first, second] = [11, 12].map(|n| world.request(phone(n), &Method::Invite));
        world.answer_from(phone(12), 1, &second, 180);
        refuse(&mut world, phone(11), &first, status);
        assert_eq!(world.offer_results(), Vec::from_iter(result), "{status}");
        let next = world.try_next(phone(12));
        let cancelled = next.is_some_and(|one| one.method() == Some(&Method::Cancel));
        assert_eq!(cancelled, result.is_some());
        // Once all have failed, busy is what counts.
        let last = if result.is_some() { 487 } else { 480 };
        refuse(&mut world, phone(12), &second, last);
        let result = result.unwrap_or(OfferResult::Busy);
        assert_eq!(world.offer_results(), [result]);
        assert!(
            world.try_next(phone(13)).is_none(),
            "a later telephone rang"
        );
    }
}

#[test]
fn a_silent_telephone_is_left_and_the_others_ring_on() {
    let mut world = world_with(&[11, 12]);
    world.waiting_caller();
    let [first, second] = [11, 12].map(|n| world.request(phone(n), &Method::Invite));
    world.answer_from(phone(12), 1, &second, 180);
    world.pass(5 * SECOND);
    assert!(world.offer_results().is_empty());
    world.clear();
    world.answer_from(phone(12), 1, &second, 200);
    world.request(phone(12), &Method::Ack);
    assert_eq!(world.offer_results(), [OfferResult::Answered]);
    // It is not registered any more, and what it says late is ended.
    world.answer_from(phone(11), 1, &first, 200);
    world.request(phone(11), &Method::Ack);
    world.take_bye(phone(11));
}

#[test]
fn flows_of_one_instance_are_tried_one_after_another() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    for (n, flow) in [(11, 1), (12, 2)] {
        let mut request = world.register_request(1, phone(n));
        let contact = format!(
            "<sip:op1@{}>;+sip.instance=\"<urn:uuid:1>\";reg-id={flow}",
            phone(n)
        );
        request.headers.set(HeaderName::Contact, contact);
        request.headers.set(HeaderName::Supported, "path, outbound");
        assert_eq!(world.authorised(1, phone(n), request, "secret"), 200);
        world.pass(SECOND);
    }
    world.clear();
    world.waiting_caller();
    let ring = world.request(phone(12), &Method::Invite);
    assert!(world.try_next(phone(11)).is_none());
    refuse(&mut world, phone(12), &ring, 480);
    world.request(phone(11), &Method::Invite);
}

#[test]
fn a_colleague_who_is_called_by_name_rings_at_all_telephones() {
    let mut world = World::new().with_operators(2);
    assert_eq!(world.register_at(2, phone(12), "secret"), 200);
    let invite = world.dials(1, "102");
    let [first, second] = [phone(2), phone(12)].map(|at| world.request(at, &Method::Invite));
    world.answer_from(phone(2), 2, &first, 180);
    let answer = world.answer_from(phone(12), 2, &second, 200);
    world.request(phone(12), &Method::Ack);
    world.request(phone(2), &Method::Cancel);
    refuse(&mut world, phone(2), &first, 487);
    let mut dialling = world.dialled_through(1, &invite);
    assert!(answer.status().is_some());
    dialling.hang_up(&mut world);
    world.take_bye(phone(12));
    world.assert_quiet();
}

// ---- random orders ----

/// What a telephone does with the INVITE that it has.
#[derive(Debug, Clone)]
enum Step {
    Says { phone: usize, status: u16 },
    CallerGoes,
    Passes(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let status = prop::sample::select(vec![
        180_u16, 180, 183, 200, 200, 302, 480, 486, 487, 503, 600, 603,
    ]);
    let step = prop_oneof![
        8 => (0_usize..4, status).prop_map(|(phone, status)| Step::Says { phone, status }),
        1 => Just(Step::CallerGoes),
        3 => (1_u64..6_000).prop_map(Step::Passes),
    ];
    prop::collection::vec(step, 1..40)
}

/// Four telephones, two and two of one q, that say anything at any time; each takes every BYE.
struct Desk {
    world: World,
    caller: Option<(Message, Message)>,
    rings: BTreeMap<usize, Message>,
}

impl Desk {
    fn read(&mut self) {
        for phone_at in 0..4 {
            let at = phone(11 + u8::try_from(phone_at).unwrap());
            while let Some(message) = self.world.try_next(at) {
                match message.method() {
                    Some(Method::Invite) => {
                        self.rings.insert(phone_at, message);
                    }
                    Some(Method::Bye | Method::Cancel) => {
                        self.world.send(at, &message.respond(200, None));
                    }
                    _ => {}
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Says { phone: n, status } => {
                if let Some(ring) = self.rings.get(n).cloned() {
                    let at = phone(11 + u8::try_from(*n).unwrap());
                    self.world.answer_from(at, 1, &ring, *status);
                }
            }
            Step::CallerGoes => {
                if let Some((invite, answer)) = self.caller.take() {
                    let bye = self.world.in_dialog(&invite, &answer, Method::Bye);
                    self.world.send(crate::world::trunk(), &bye);
                }
            }
            Step::Passes(ms) => self.world.pass(Duration::from_millis(*ms)),
        }
        self.read();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_telephones_say_one_talks_at_most_and_no_leg_stays(steps in steps()) {
        let mut world = world_with(&[11, 12]);
        for n in [13, 14] {
            prop_assert_eq!(world.register_with(1, phone(n), "q=0.4"), 200);
        }
        world.clear();
        let caller = world.waiting_caller();
        let mut desk = Desk { world, caller: Some(caller), rings: BTreeMap::new() };
        desk.read();
        for step in &steps {
            desk.step(step);
            let talking = desk.world.switch.snapshot().counts.talking;
            prop_assert!(talking <= 1);
        }
        desk.step(&Step::CallerGoes);
        for _ in 0..40 {
            desk.step(&Step::Passes(1_000));
        }
        desk.world.assert_quiet();
    }
}
