//! A leaving engine and its successor in virtual time: whose a message is, who gets an operator, what each of them
//! writes down.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::world::peers::{Peer, with_outer};
use crate::world::session::told;
use crate::world::{OFFER, PLAN, World, flow, operators, phone, trunk};
use sip::{HeaderName, Message, Method, Uri};
use switch::{CallbackRules, Input, Settings, Word};
use vocab::{
    CallId, Callback, CallbackResult, Fact, OperatorId, OperatorState, QueueId, Registration,
    Standing,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Two engines at one address: what peers send reaches the second from the handover on.
struct Engines {
    first: World,
    second: World,
}

/// The successor's own, where each boot must have its own.
fn of_next_boot(mut settings: Settings) -> Settings {
    settings.boot = 2;
    settings.seed = [7; 32];
    settings
}

impl Engines {
    /// The first one, which has served for a while, hands over to a second.
    fn begin(first: World, n: u8) -> Self {
        Self::with(first, n, crate::world::settings(), PLAN)
    }

    fn with(first: World, n: u8, settings: Settings, plan: &str) -> Self {
        let mut second = World::with_plan(of_next_boot(settings), plan);
        // Telephones never say the same branch to both.
        second.branches = 1_000_000;
        second.input(Input::Predecessor {
            calls: first.switch.sip_calls(),
            callbacks: first.switch.callbacks_in_progress(),
        });
        second.input(Input::Operators(operators(n)));
        second.input(Input::Bindings {
            registrations: registrations(&first),
            listening: vec![first.at],
        });
        let mut engines = Self { first, second };
        engines.first.input(Input::HandedOver);
        engines.carry();
        engines
    }

    /// All words arrive, and those that follow from them.
    fn carry(&mut self) {
        for _ in 0..1_000 {
            let to_second = self.first.told.pop_front();
            let to_first = self.second.told.pop_front();
            if to_second.is_none() && to_first.is_none() {
                self.check();
                return;
            }
            if let Some(word) = to_second {
                let message = matches!(word, Word::Message { .. });
                assert!(!message, "the leaving engine passes nothing on");
                self.second.input(Input::Told(word));
            }
            if let Some(word) = to_first {
                self.first.input(Input::Told(word));
            }
        }
        panic!("the two talk without end");
    }

    /// A peer sends something: the successor has the socket.
    fn send(&mut self, from: SocketAddr, message: &Message) {
        self.second.send(from, message);
        self.carry();
    }

    fn pass(&mut self, time: Duration) {
        self.first.pass(time);
        self.second.pass(time);
        self.carry();
    }

    /// The first one's calls are over and it ends.
    fn first_ends(&mut self) {
        self.first.input(Input::Stop);
        self.carry();
        self.first.input(Input::Exit);
        self.second.input(Input::PredecessorGone);
    }

    /// No operator's time is counted twice.
    fn check(&self) {
        let (first, second) = (states(&self.first), states(&self.second));
        for (operator, state) in first {
            let other = second.get(&operator).copied();
            let away = |state| matches!(state, None | Some(OperatorState::Unreachable));
            assert!(
                away(Some(state)) || away(other),
                "{operator:?}: {state:?} and {other:?}"
            );
        }
    }
}

/// What the journal has of each operator by the facts of one engine.
fn states(world: &World) -> BTreeMap<OperatorId, OperatorState> {
    let turned = told(world, |fact| match fact {
        Fact::OperatorTurned {
            operator, state, ..
        } => Some((operator.id, *state)),
        _ => None,
    });
    turned.into_iter().collect()
}

fn registrations(world: &World) -> Vec<Registration> {
    told(world, |fact| match fact {
        Fact::TelephoneRegistered { registration } => Some((**registration).clone()),
        _ => None,
    })
}

fn state(world: &World, n: u32) -> OperatorState {
    let snapshot = world.switch.snapshot();
    let found = snapshot
        .operators
        .iter()
        .find(|one| one.id == OperatorId(n));
    found.unwrap().state
}

/// Operator 1 talks in the first engine, and operator 2 is free.
fn talking() -> (Engines, Peer, Peer) {
    let mut first = World::new().with_operators(2);
    let (caller, operator) = first.talk_with(1);
    (Engines::begin(first, 2), caller, operator)
}

#[test]
fn a_talk_ends_where_it_began_when_its_bye_reaches_the_successor() {
    let (mut engines, mut caller, operator) = talking();
    let bye = caller.request(&mut engines.first, Method::Bye);
    engines.send(trunk(), &bye);
    assert_eq!(engines.first.response(trunk()).status(), Some(200));
    assert!(engines.second.try_next(trunk()).is_none(), "no 481");
    // The answer to our own BYE is passed on like it.
    let bye = engines.first.request(phone(1), &Method::Bye);
    engines.send(phone(1), &bye.respond(200, None));
    engines.pass(60 * SECOND);
    assert!(engines.first.try_next(phone(1)).is_none(), "answered once");
    assert_eq!(engines.first.switch.calls(), 0);
    assert_eq!(engines.second.switch.snapshot().counts.dropped, 0);
    assert!(engines.second.ended().is_empty());
    engines.first.assert_quiet();
    let _ = operator;
}

#[test]
fn requests_and_answers_within_a_dialog_are_passed_on() {
    let (mut engines, mut caller, _) = talking();
    let again = caller.request(&mut engines.first, Method::Invite);
    let again = again.with_body("application/sdp", OFFER.into());
    engines.send(trunk(), &again);
    let answer = engines.first.response(trunk());
    assert_eq!(answer.status(), Some(200));
    // Sent again before the answer came: no second one, but the first is repeated for want of an ACK.
    engines.send(trunk(), &again);
    assert!(engines.first.try_next(trunk()).is_none());
    engines.pass(SECOND);
    assert_eq!(engines.first.response(trunk()), answer);
    engines.first.clear();
    let ack = caller.request(&mut engines.first, Method::Ack);
    engines.send(trunk(), &ack);
    engines.pass(40 * SECOND);
    let repeated = engines.first.try_next(trunk());
    assert!(repeated.is_none(), "the ACK was passed on: {repeated:?}");
}

#[test]
fn a_copy_of_an_invite_and_its_cancel_reach_the_engine_that_has_it() {
    let mut first = World::new().with_operators(2);
    let invite = first.dials(1, "102");
    first.clear();
    let mut engines = Engines::begin(first, 2);
    assert!(
        engines
            .first
            .switch
            .sip_calls()
            .contains(invite.call_id().unwrap())
    );
    engines.send(phone(1), &invite);
    assert!(
        engines.second.try_next(phone(1)).is_none(),
        "no second call"
    );
    assert!(engines.first.try_next(phone(1)).is_some());
    engines.first.clear();
    let mut cancel = invite.clone();
    cancel.start = Message::request(Method::Cancel, invite.request_uri().unwrap().clone()).start;
    let cseq = format!("{} CANCEL", invite.cseq().unwrap().number);
    cancel.headers.set(HeaderName::CSeq, cseq);
    cancel.body.clear();
    engines.send(phone(1), &cancel);
    assert_eq!(engines.first.response(phone(1)).status(), Some(200));
    let refusal = engines.first.response(phone(1));
    assert_eq!(refusal.status(), Some(487));
    let mut ack = cancel;
    ack.start = Message::request(Method::Ack, invite.request_uri().unwrap().clone()).start;
    ack.headers.set(
        HeaderName::To,
        refusal.headers.first(&HeaderName::To).unwrap(),
    );
    let cseq = format!("{} ACK", invite.cseq().unwrap().number);
    ack.headers.set(HeaderName::CSeq, cseq);
    engines.send(phone(1), &ack);
    engines.pass(40 * SECOND);
    assert!(
        engines.first.try_next(phone(1)).is_none(),
        "487 was acknowledged"
    );
    assert!(
        engines
            .second
            .facts
            .iter()
            .all(|event| event.fact.call().is_none())
    );
}

#[test]
fn a_new_call_is_the_successors_and_no_operator_gets_two_offers() {
    let (mut engines, mut caller, _) = talking();
    assert_eq!(state(&engines.second, 1), OperatorState::OtherCall);
    assert_eq!(state(&engines.first, 2), OperatorState::OtherCall);
    assert_eq!(state(&engines.second, 2), OperatorState::Free);
    engines.second.waiting_caller();
    engines.carry();
    engines.second.operator_takes(2);
    engines.second.waiting_caller();
    engines.carry();
    assert!(
        engines.second.try_next(phone(1)).is_none(),
        "talks in the first"
    );
    assert!(engines.first.told.is_empty() && engines.second.told.is_empty());
    // The talk is over, and so is the wrap-up: the next caller gets operator 1.
    let bye = caller.request(&mut engines.first, Method::Bye);
    engines.send(trunk(), &bye);
    let bye = engines.first.request(phone(1), &Method::Bye);
    engines.send(phone(1), &bye.respond(200, None));
    engines.pass(60 * SECOND);
    assert_eq!(state(&engines.first, 1), OperatorState::OtherCall);
    engines.second.request(phone(1), &Method::Invite);
}

#[test]
fn a_call_that_waits_in_the_leaving_engine_gets_an_operator_of_the_successor() {
    let mut first = World::new();
    first.input(Input::Operators(operators(1)));
    assert_eq!(first.register(1, "secret"), 200);
    let (_, operator) = first.talk_with(1);
    first.waiting_caller();
    let mut engines = Engines::begin(first, 1);
    assert_eq!(engines.second.told.len(), 0);
    // A new caller at the successor comes after the one who waits.
    engines.second.waiting_caller();
    engines.carry();
    let mut operator = operator;
    let bye = operator.request(&mut engines.first, Method::Bye);
    engines.send(phone(1), &bye);
    engines.pass(60 * SECOND);
    let ring = loop {
        let message = engines.first.next(phone(1));
        if message.method() == Some(&Method::Invite) {
            break message;
        }
    };
    assert!(engines.second.try_next(phone(1)).is_none());
    // What the telephone says to the first reaches the second, and the talk begins in the first.
    let mut accepted = ring.respond(200, Some("taken"));
    let contact = format!("<sip:op1@{}>", phone(1));
    accepted.headers.push(HeaderName::Contact, contact);
    let body = OFFER.replace("192.0.2.10", "203.0.113.1");
    let accepted = accepted.with_body("application/sdp", body.into());
    engines.send(phone(1), &accepted);
    engines.first.request(phone(1), &Method::Ack);
    assert_eq!(state(&engines.first, 1), OperatorState::Talking);
}

#[test]
fn an_operator_takes_a_call_of_the_leaving_engine_over_at_another_telephone() {
    let (mut engines, _, operator) = talking();
    let desk: SocketAddr = "203.0.113.50:5060".parse().unwrap();
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        operator.call_id,
        operator.remote_tag(),
        operator.tag()
    );
    let uri = format!("sip:x@{}", engines.first.at);
    let invite = engines.second.out_of_dialog(desk, Method::Invite, &uri);
    let mut invite = invite.with_body("application/sdp", OFFER.into());
    invite.headers.push(HeaderName::Replaces, replaces);
    engines.send(desk, &invite);
    let challenge = engines.first.response(desk);
    assert_eq!(
        challenge.status(),
        Some(401),
        "not 503, though it takes no new calls"
    );
    let invite = engines.second.signed(1, desk, invite, &challenge, "secret");
    engines.send(desk, &invite);
    assert_eq!(engines.first.response(desk).status(), Some(200));
    engines.first.request(phone(1), &Method::Bye);
    assert!(engines.second.try_next(desk).is_none());
}

#[test]
fn an_engine_that_drains_takes_no_new_call_but_lets_calls_go_on() {
    let mut world = World::new().with_operators(1);
    let (_, operator) = world.talk_with(1);
    world.input(Input::Drain);
    let invite = world.invite("1300");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(503));
    let desk: SocketAddr = "203.0.113.50:5060".parse().unwrap();
    let (own, theirs) = (operator.tag(), operator.remote_tag());
    let replaces = format!("{};to-tag={theirs};from-tag={own}", operator.call_id);
    let more = [(HeaderName::Replaces, replaces.as_str())];
    world.dials_with(1, desk, "x", &more);
    assert_eq!(world.response(desk).status(), Some(200));
    let uri = format!("sip:1300@{}", world.at);
    let mut unknown = world.out_of_dialog(desk, Method::Invite, &uri);
    let value = "none;to-tag=a;from-tag=b";
    unknown.headers.push(HeaderName::Replaces, value);
    world.send(desk, &unknown);
    assert_eq!(world.response(desk).status(), Some(503));
}

#[test]
fn what_stands_of_people_is_written_by_the_successor_alone() {
    let (mut engines, ..) = talking();
    let before = engines.first.facts.len();
    // The registration of operator 1 would have run out, and it is refreshed at the successor.
    for _ in 0..6 {
        engines.pass(HOUR / 2);
        for n in 1..=2 {
            assert_eq!(engines.second.register(n, "secret"), 200);
            engines.carry();
        }
        engines.first.clear();
    }
    let of_people = engines.first.facts[before..].iter().filter(|event| {
        matches!(
            event.fact,
            Fact::OperatorReachable { .. }
                | Fact::TelephoneRegistered { .. }
                | Fact::TelephoneUnregistered { .. }
                | Fact::OperatorOnDuty { .. }
                | Fact::BreakTaken { .. }
        )
    });
    assert_eq!(of_people.count(), 0);
    // It is taken back: telephones are known yet, until they have had time to register here again.
    engines.first.input(Input::TakenBack);
    engines.first.told.clear();
    assert_eq!(state(&engines.first, 2), OperatorState::Free);
    engines.first.pass(HOUR + 60 * SECOND);
    assert_eq!(state(&engines.first, 2), OperatorState::Unreachable);
    let invite = engines.first.invite("1300");
    engines.first.clear();
    engines.first.send(trunk(), &invite);
    assert_eq!(
        engines.first.response(trunk()).status(),
        Some(200),
        "it takes calls again"
    );
}

#[test]
fn when_the_leaving_engine_is_gone_the_successor_answers_for_all() {
    let (mut engines, mut caller, _) = talking();
    engines.first_ends();
    assert_eq!(state(&engines.second, 1), OperatorState::Free);
    let bye = caller.request(&mut engines.first, Method::Bye);
    engines.second.send(trunk(), &bye);
    assert_eq!(engines.second.response(trunk()).status(), Some(481));
    assert!(engines.second.told.is_empty());
}

#[test]
fn nothing_is_handed_over_while_the_predecessor_lives() {
    let (mut engines, ..) = talking();
    engines.second.input(Input::HandedOver);
    assert!(engines.second.told.is_empty());
    assert_eq!(engines.second.switch.snapshot().counts.bugs, 1);
    engines.second.input(Input::PredecessorGone);
    engines.second.input(Input::HandedOver);
    let staff = vec![OperatorId(1), OperatorId(2)];
    assert_eq!(engines.second.told.pop_front(), Some(Word::Staff(staff)));
}

#[test]
fn a_message_by_a_connection_is_the_business_of_who_has_it() {
    let (mut engines, mut caller, _) = talking();
    let bye = caller.request(&mut engines.first, Method::Bye);
    let mut by_tcp = flow(trunk());
    by_tcp.transport = sip::Transport::Tcp;
    engines.second.input(Input::Datagram {
        flow: by_tcp,
        bytes: bye.to_bytes(),
    });
    assert_eq!(engines.second.response(trunk()).status(), Some(481));
    assert!(engines.second.told.is_empty());
}

#[test]
fn a_connection_is_used_while_a_leg_is_on_it() {
    let (mut engines, mut caller, _) = talking();
    let used = |engines: &Engines, at| engines.first.switch.uses(&flow(at));
    engines.pass(60 * SECOND);
    assert!(used(&engines, trunk()) && used(&engines, phone(1)));
    assert!(!used(&engines, phone(2)), "a registration is no use");
    let bye = caller.request(&mut engines.first, Method::Bye);
    engines.send(trunk(), &bye);
    let bye = engines.first.request(phone(1), &Method::Bye);
    assert!(used(&engines, phone(1)), "its BYE is not answered");
    engines.send(phone(1), &bye.respond(200, None));
    engines.pass(60 * SECOND);
    assert!(!used(&engines, trunk()) && !used(&engines, phone(1)));
    assert!(engines.first.switch.sip_calls().is_empty());
}

#[test]
fn telephones_are_asked_to_watch_lines_at_the_successor() {
    let mut first = World::new().with_operators(1);
    let desk = phone(99);
    let uri = format!("sip:101@{}", first.at);
    let mut request = first.out_of_dialog(desk, Method::Subscribe, &uri);
    request.headers.push(HeaderName::Event, "dialog");
    request.headers.push(HeaderName::Expires, "600");
    assert_eq!(first.authorised(1, desk, request, "secret"), 200);
    let notify = first.request(desk, &Method::Notify);
    first.send(desk, &notify.respond(200, None));
    first.pass(2 * SECOND);
    let mut engines = Engines::begin(first, 1);
    let notify = engines.first.request(desk, &Method::Notify);
    let state = notify.headers.first(&HeaderName::SubscriptionState);
    assert_eq!(state, Some("terminated;reason=deactivated"));
    engines.send(desk, &notify.respond(200, None));
    engines.first_ends();
    engines.first.pass(60 * SECOND);
    assert!(
        engines.first.try_next(desk).is_none(),
        "nothing more at its end"
    );
}

/// A trunk with which we register.
fn registering() -> Settings {
    let mut settings = with_outer();
    settings.trunks[0].registration = Some(switch::trunk::Registration {
        registrars: vec![Uri::parse("sip:192.0.2.10:5060").unwrap()],
        address: Uri::parse("sip:us@192.0.2.10").unwrap(),
        from_user: None,
        contact_user: "us".to_owned(),
        proxy: None,
        expiry: HOUR,
    });
    settings
}

fn granted(world: &mut World) {
    let register = world.request(trunk(), &Method::Register);
    let mut answer = register.respond(200, Some("granted"));
    let contact = register.headers.first(&HeaderName::Contact).unwrap();
    answer.headers.push(HeaderName::Contact, contact);
    answer.headers.push(HeaderName::Expires, "3600");
    world.send(trunk(), &answer);
    // What was repeated before the answer.
    world.clear();
}

#[test]
fn the_leaving_engine_leaves_trunks_alone_and_goes_on_when_it_is_taken_back() {
    let mut first = World::with(registering());
    first.pass(SECOND);
    granted(&mut first);
    let mut engines = Engines::with(first, 0, registering(), PLAN);
    engines.first.pass(3 * HOUR);
    assert!(engines.first.try_next(trunk()).is_none(), "no refresh");
    assert!(engines.first.switch.next_deadline().is_none());
    engines.first.input(Input::TakenBack);
    engines.first.pass(SECOND);
    granted(&mut engines.first);
    engines.first.told.clear();
    engines.second.told.clear();
    engines.first.input(Input::HandedOver);
    engines.first.input(Input::Stop);
    engines.first.pass(SECOND);
    assert!(
        engines.first.try_next(trunk()).is_none(),
        "nothing is taken back"
    );
    assert_eq!(engines.first.switch.closing(), 0);
}

fn calling_back() -> Settings {
    let mut settings = with_outer();
    let rules = CallbackRules {
        attempts: 3,
        pause: 300 * SECOND,
        ..CallbackRules::default()
    };
    settings.callbacks = BTreeMap::from([(QueueId(0), rules)]);
    settings
}

fn owed(number: &str) -> Callback {
    Callback {
        queue: "operators".into(),
        number: number.into(),
        line: "1300".into(),
        since: vocab::WallTime::default(),
        priority: 0,
        skills: Vec::new(),
        language: "en".into(),
        recorded: false,
        attempts_left: 3,
    }
}

fn standing(callbacks: &[(CallId, Callback)]) -> Input {
    Input::Standing(Standing {
        callbacks: callbacks.to_vec(),
        ..Standing::default()
    })
}

fn settled(world: &World) -> Vec<(CallId, CallbackResult)> {
    told(world, |fact| match fact {
        Fact::CallbackSettled { call, result } => Some((*call, *result)),
        _ => None,
    })
}

#[test]
fn callbacks_that_wait_are_the_successors_and_one_under_way_comes_to_it_later() {
    let (one, two) = (CallId::new(9, 1), CallId::new(9, 2));
    let all = [(one, owed("+74951111111")), (two, owed("+74952222222"))];
    let mut first = World::with(calling_back()).with_operators(1);
    first.input(standing(&all));
    let ring = first.request(trunk(), &Method::Invite);
    assert_eq!(first.switch.callbacks_in_progress(), BTreeSet::from([one]));
    let mut engines = Engines::with(first, 1, calling_back(), PLAN);
    engines.second.input(standing(&all));
    engines.carry();
    assert!(
        engines.second.try_next(trunk()).is_none(),
        "operator 1 is reserved in the first"
    );
    // In vain: that attempt is written down, and the rest left to the successor.
    engines.send(trunk(), &ring.respond(486, Some("busy")));
    engines.first.request(trunk(), &Method::Ack);
    assert_eq!(settled(&engines.first), []);
    let left = told(&engines.first, |fact| match fact {
        Fact::CallbackOwed { call, callback } => Some((*call, callback.attempts_left)),
        _ => None,
    });
    assert_eq!(left, [(one, 2)]);
    let ring = engines.second.request(trunk(), &Method::Invite);
    let called = ring.request_uri().unwrap().user.clone().unwrap();
    assert!(
        called.ends_with("4952222222"),
        "the other one, by the successor: {called}"
    );
    // It is taken, while the first ends.
    let mut answer = ring.respond(200, Some("outer"));
    let contact = format!("<sip:outer@{}>", trunk());
    answer.headers.push(HeaderName::Contact, contact);
    let answer = answer.with_body("application/sdp", OFFER.into());
    engines.send(trunk(), &answer);
    assert_eq!(settled(&engines.second), [(two, CallbackResult::Reached)]);
    engines.first.pass(600 * SECOND);
    assert!(
        engines.first.try_next(trunk()).is_none(),
        "it dials no more"
    );
    engines.first_ends();
    // The journal may not know yet that the second one is settled.
    let later = Callback {
        attempts_left: 2,
        ..owed("+74951111111")
    };
    let all = [(one, later), (two, owed("+74952222222"))];
    engines.second.clear();
    engines.second.input(standing(&all));
    let waiting = |engines: &Engines| engines.second.switch.snapshot().queues[0].callbacks;
    assert_eq!(waiting(&engines), 1);
    engines.second.input(standing(&all[..1]));
    assert_eq!(waiting(&engines), 1, "taken up once");
    assert_eq!(settled(&engines.second).len(), 1);
}

#[test]
fn a_callback_that_rings_at_an_operator_in_vain_is_left_to_the_successor() {
    let mut settings = calling_back();
    let first = acd::CallbackMode::OperatorFirst;
    settings.callbacks.get_mut(&QueueId(0)).unwrap().first = first;
    let one = CallId::new(9, 1);
    let all = [(one, owed("+74951111111"))];
    let mut first = World::with(settings.clone()).with_operators(1);
    first.input(standing(&all));
    let ring = first.request(phone(1), &Method::Invite);
    let mut engines = Engines::with(first, 1, settings, PLAN);
    engines.second.input(standing(&all));
    engines.send(phone(1), &ring.respond(486, Some("busy")));
    engines.first.request(phone(1), &Method::Ack);
    engines.pass(60 * SECOND);
    assert_eq!(engines.first.switch.calls(), 0, "its call is over");
    assert_eq!(settled(&engines.first), []);
    assert_eq!(
        engines.first.switch.callbacks_in_progress(),
        BTreeSet::new()
    );
    assert!(engines.second.try_next(phone(1)).is_none(), "set aside");
    engines.first_ends();
    engines.second.input(standing(&all));
    engines.second.request(phone(1), &Method::Invite);
}
