//! Calls that operators make, and random orders of everything that can happen to transfers.

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::peers::{Peer, with_outer};
use crate::world::room::Room;
use crate::world::{World, phone, trunk};
use proptest::prelude::*;
use sip::{HeaderName, Message, Method};
use switch::trunk::{Account, EarlyMedia, Password, TransferBy};
use vocab::media::MediaCommand;
use vocab::{Direction, EndedBy, Fact, OperatorState, Outcome, Party};

const SECOND: Duration = Duration::from_secs(1);

fn world(operators: u8) -> World {
    World::with(with_outer()).with_operators(operators)
}

fn state(world: &World, n: usize) -> OperatorState {
    world.switch.snapshot().operators[n - 1].state
}

/// The answer of the outer network with a description.
fn with_sound(invite: &Message, status: u16) -> Message {
    let mut response = invite.respond(status, Some("outer"));
    let contact = format!("<sip:outer@{}>", trunk());
    response.headers.push(HeaderName::Contact, contact);
    response.with_body("application/sdp", crate::world::OFFER.into())
}

#[test]
fn an_operator_calls_an_outer_number_and_hears_it_ring() {
    let mut world = world(1);
    let invite = world.dials(1, "+74951112233");
    let ring = world.request(trunk(), &Method::Invite);
    assert_eq!(World::from_of(&ring).uri.user.as_deref(), Some("101"));
    assert_eq!(state(&world, 1), OperatorState::OtherCall);
    world.send(trunk(), &with_sound(&ring, 183));
    let early = world.response(phone(1));
    assert_eq!(early.status(), Some(183));
    assert!(!early.body.is_empty());
    let bridged = |world: &World, recorded: bool| {
        world.commands.iter().any(|command| {
            matches!(command, MediaCommand::Bridge { record, .. } if record.is_some() == recorded)
        })
    };
    assert!(bridged(&world, false) && !bridged(&world, true));
    world.send(trunk(), &with_sound(&ring, 200));
    world.request(trunk(), &Method::Ack);
    let mut operator = world.dialled_through(1, &invite);
    assert!(bridged(&world, true));
    let arrived = world.facts.iter().find_map(|event| match &event.fact {
        Fact::CallArrived {
            direction,
            operator,
            ..
        } => Some((*direction, operator.as_ref().unwrap().login.clone())),
        _ => None,
    });
    assert_eq!(arrived, Some((Direction::Outbound, "op1".to_owned())));
    let with = world.facts.iter().find_map(|event| match &event.fact {
        Fact::SegmentStarted {
            party: Party::Outer { trunk, .. },
            with,
            ..
        } => Some((trunk.clone(), with.as_ref().unwrap().login.clone())),
        _ => None,
    });
    assert_eq!(with, Some(("carrier".to_owned(), "op1".to_owned())));
    operator.hang_up(&mut world);
    world.take_bye(trunk());
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    assert_eq!(state(&world, 1), OperatorState::Free);
    world.assert_quiet();
}

#[test]
fn the_early_audio_of_a_trunk_is_left_out_where_the_settings_say_so() {
    let mut settings = with_outer();
    settings.trunks[0].outbound.as_mut().unwrap().early_media = EarlyMedia::Ignore;
    let mut world = World::with(settings).with_operators(1);
    world.dials(1, "+74951112233");
    let ring = world.request(trunk(), &Method::Invite);
    world.send(trunk(), &with_sound(&ring, 183));
    assert_eq!(world.response(phone(1)).status(), Some(180));
    let bridged = |command: &MediaCommand| matches!(command, MediaCommand::Bridge { .. });
    assert!(!world.commands.iter().any(bridged));
}

#[test]
fn an_operator_who_calls_gets_no_offer_until_the_call_is_over() {
    let mut world = world(2);
    let invite = world.dials(1, "op2");
    let mut second = world.operator_takes(2);
    let mut first = world.dialled_through(1, &invite);
    let (caller, answer) = world.waiting_caller();
    world.pass(5 * SECOND);
    assert!(world.offer_results().len() == 1, "an offer in another call");
    second.hang_up(&mut world);
    world.take_bye(phone(1));
    let _ = &mut first;
    // Both are free again, the colleague for a moment longer.
    world.operator_takes(2);
    world.caller_hangs_up(&caller, &answer);
    world.take_bye(phone(2));
    world.assert_quiet();
}

#[test]
fn a_colleague_who_is_busy_declines_or_is_gone_is_told_to_the_operator() {
    for (said, told) in [(486, 486), (603, 603), (480, 480), (500, 480), (302, 603)] {
        let mut world = world(2);
        world.dials(1, "102");
        let ring = world.request(phone(2), &Method::Invite);
        world.answer(2, &ring, said);
        assert_eq!(world.response(phone(1)).status(), Some(told), "{said}");
        assert_eq!(world.ended(), [(Outcome::Unreached, EndedBy::Operator)]);
        assert_eq!(state(&world, 1), OperatorState::Free);
        world.assert_quiet();
    }
}

#[test]
fn an_operator_who_gives_up_stops_the_ringing() {
    let mut world = world(2);
    let invite = world.dials(1, "102");
    let ring = world.request(phone(2), &Method::Invite);
    world.answer(2, &ring, 180);
    assert_eq!(world.response(phone(1)).status(), Some(180));
    let mut cancel = invite.clone();
    cancel.start = Message::request(Method::Cancel, invite.request_uri().unwrap().clone()).start;
    let cseq = invite.cseq().unwrap().number;
    cancel
        .headers
        .set(HeaderName::CSeq, format!("{cseq} CANCEL"));
    cancel.body.clear();
    cancel.headers.remove(&HeaderName::ContentType);
    cancel.headers.remove(&HeaderName::ContentLength);
    world.send(phone(1), &cancel);
    world.request(phone(2), &Method::Cancel);
    world.answer(2, &ring, 487);
    assert_eq!(world.ended(), [(Outcome::Unreached, EndedBy::Operator)]);
    world.clear();
    world.assert_quiet();
    assert_eq!(state(&world, 2), OperatorState::Free);
}

#[test]
fn an_operator_may_wait_in_a_queue_like_a_caller() {
    let mut world = world(2);
    let invite = world.dials(1, "operators");
    let mut first = world.dialled_through(1, &invite);
    world.operator_takes(2);
    first.hang_up(&mut world);
    world.take_bye(phone(2));
    assert_eq!(world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn an_operator_who_leaves_a_queue_is_not_offered_the_own_call() {
    let mut world = world(1);
    let invite = world.dials(1, "operators");
    let mut first = world.dialled_through(1, &invite);
    first.hang_up(&mut world);
    assert!(world.offer_results().is_empty());
    assert_eq!(world.ended(), [(Outcome::Abandoned, EndedBy::Operator)]);
    world.assert_quiet();
}

#[test]
fn what_an_operator_may_not_call_is_refused() {
    let mut world = world(1);
    for (number, status) in [("nobody", 404), ("79001234567", 403), ("+18005550100", 403)] {
        world.dials(1, number);
        assert_eq!(world.response(phone(1)).status(), Some(status), "{number}");
        world.clear();
    }
    // A stranger is asked for a password, whatever the number.
    let uri = "sip:+74951112233@198.51.100.1:5060";
    let invite = world.out_of_dialog(phone(9), Method::Invite, uri);
    world.send(phone(9), &invite);
    assert_eq!(world.response(phone(9)).status(), Some(401));
    world.pass(40 * SECOND);
    world.clear();
    // Two calls at once, and no third.
    for number in ["+74951112233", "+74951112234"] {
        world.dials(1, number);
        world.request(trunk(), &Method::Invite);
    }
    world.clear();
    world.dials(1, "+74951112235");
    assert_eq!(world.response(phone(1)).status(), Some(486));
}

/// A world whose trunk has an account at `carrier.example`.
fn with_account() -> World {
    let mut settings = with_outer();
    settings.trunks[0].account = Some(Account {
        user: "SIP01".into(),
        password: Password("key".into()),
        realm: "carrier.example".into(),
    });
    World::with(settings).with_operators(1)
}

fn challenged(world: &mut World, realm: &str) {
    world.dials(1, "+74951112233");
    let ring = world.request(trunk(), &Method::Invite);
    let mut challenge = ring.respond(407, Some("proxy"));
    let value = format!("Digest realm=\"{realm}\", nonce=\"n1\", qop=\"auth\"");
    challenge.headers.push(HeaderName::ProxyAuthenticate, value);
    world.send(trunk(), &challenge);
    world.request(trunk(), &Method::Ack);
}

#[test]
fn a_trunks_challenge_is_met_once_with_the_account_of_its_realm() {
    let mut world = with_account();
    challenged(&mut world, "carrier.example");
    let again = world.request(trunk(), &Method::Invite);
    let credentials = again
        .headers
        .first(&HeaderName::ProxyAuthorization)
        .unwrap();
    assert!(credentials.contains("username=\"SIP01\""), "{credentials}");
    assert_eq!(again.cseq().unwrap().number, 2);
    let mut second = again.respond(407, Some("proxy"));
    let value = "Digest realm=\"carrier.example\", nonce=\"n2\", qop=\"auth\"";
    second.headers.push(HeaderName::ProxyAuthenticate, value);
    world.send(trunk(), &second);
    world.request(trunk(), &Method::Ack);
    assert!(world.try_next(trunk()).is_none(), "a third attempt");
}

#[test]
fn an_invite_that_is_refused_for_its_session_after_the_challenge_takes_the_next_count() {
    let mut world = with_account();
    challenged(&mut world, "carrier.example");
    let mut seen = Vec::new();
    for min_se in ["3600", "5400"] {
        let again = world.request(trunk(), &Method::Invite);
        seen.push(credentials_of(&again));
        let mut brief = again.respond(422, Some("proxy"));
        brief.headers.push(HeaderName::MinSe, min_se);
        world.send(trunk(), &brief);
        world.request(trunk(), &Method::Ack);
    }
    let [first, second] = seen.try_into().unwrap();
    assert!(first.contains("nc=00000001"), "{first}");
    assert!(second.contains("nc=00000002"), "{second}");
    assert!(second.contains("nonce=\"n1\""), "{second}");
}

#[test]
fn a_nonce_of_a_trunk_that_grew_stale_is_replaced_once_and_counted_anew() {
    let mut world = with_account();
    challenged(&mut world, "carrier.example");
    for nonce in ["n2", "n3"] {
        let again = world.request(trunk(), &Method::Invite);
        assert!(credentials_of(&again).contains("nc=00000001"));
        let mut stale = again.respond(407, Some("proxy"));
        let value = format!(
            "Digest realm=\"carrier.example\", nonce=\"{nonce}\", qop=\"auth\", stale=true"
        );
        stale.headers.push(HeaderName::ProxyAuthenticate, value);
        world.send(trunk(), &stale);
        world.request(trunk(), &Method::Ack);
    }
    assert!(world.try_next(trunk()).is_none(), "it never ends");
}

fn credentials_of(request: &Message) -> String {
    let value = request.headers.first(&HeaderName::ProxyAuthorization);
    value.expect("credentials").to_owned()
}

#[test]
fn a_challenge_of_another_realm_gets_no_credentials() {
    let mut world = with_account();
    challenged(&mut world, "evil.example");
    assert!(world.try_next(trunk()).is_none());
    let other: SocketAddr = "192.0.2.11:5060".parse().unwrap();
    let next = world.request(other, &Method::Invite);
    assert_eq!(next.headers.first(&HeaderName::ProxyAuthorization), None);
}

// ---- random orders ----

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    Arrives,
    CallerHangsUp(usize),
    Answers {
        phone: u8,
        status: u16,
    },
    HangsUp {
        phone: u8,
        which: usize,
    },
    Refers {
        phone: u8,
        which: usize,
        to: usize,
    },
    Joins {
        phone: u8,
        which: usize,
        with: usize,
    },
    Dials {
        phone: u8,
        to: usize,
    },
    /// The trunk tells how a transfer goes that it was asked for.
    Tells {
        which: usize,
        status: u16,
    },
    Passes(u64),
}

const TARGETS: [&str; 7] = [
    "101",
    "102",
    "103",
    "operators",
    "1300",
    "+74951112233",
    "nobody",
];
const STATUSES: [u16; 7] = [180, 200, 200, 200, 486, 603, 503];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let phone = 1_u8..=3;
    let step = prop_oneof![
        2 => Just(Step::Arrives),
        1 => (0_usize..4).prop_map(Step::CallerHangsUp),
        6 => (1_u8..=4, 0_usize..7).prop_map(|(phone, at)| Step::Answers {
            phone,
            status: STATUSES[at],
        }),
        1 => (phone.clone(), 0_usize..3).prop_map(|(phone, which)| Step::HangsUp { phone, which }),
        3 => (phone.clone(), 0_usize..3, 0_usize..7)
            .prop_map(|(phone, which, to)| Step::Refers { phone, which, to }),
        2 => (phone.clone(), 0_usize..3, 0_usize..3)
            .prop_map(|(phone, which, with)| Step::Joins { phone, which, with }),
        2 => (phone, 0_usize..7).prop_map(|(phone, to)| Step::Dials { phone, to }),
        2 => (0_usize..4, 0_usize..4).prop_map(|(which, at)| Step::Tells {
            which,
            status: [100, 180, 200, 603][at],
        }),
        2 => (0_u64..40_000).prop_map(Step::Passes),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Where telephone `n` is; number 4 is the outer network.
fn place(n: u8) -> SocketAddr {
    if n == 4 { trunk() } else { phone(n) }
}

impl Room {
    fn refer(&mut self, world: &mut World, peer: Peer, to: String) {
        self.send(world, peer, Method::Refer, |mut refer| {
            refer.headers.push(HeaderName::ReferTo, to);
            refer
        });
    }

    fn step(&mut self, world: &mut World, step: Step) {
        match step {
            Step::Arrives => {
                let invite = world.invite("1300");
                world.send(trunk(), &invite);
                self.dialled.push((trunk(), invite));
            }
            Step::CallerHangsUp(which) => {
                if let Some(peer) = self.peer(trunk(), which) {
                    self.send(world, peer, Method::Bye, |bye| bye);
                }
            }
            Step::Answers { phone, status } => self.answer(world, place(phone), phone, status),
            Step::HangsUp { phone: n, which } => {
                if let Some(peer) = self.peer(phone(n), which) {
                    self.send(world, peer, Method::Bye, |bye| bye);
                }
            }
            Step::Refers {
                phone: n,
                which,
                to,
            } => {
                if let Some(peer) = self.peer(phone(n), which) {
                    let to = format!("<sip:{}@198.51.100.1>", TARGETS[to]);
                    self.refer(world, peer, to);
                }
            }
            Step::Joins {
                phone: n,
                which,
                with,
            } => {
                let with = self.peer(phone(n), with);
                if let (Some(peer), Some(with)) = (self.peer(phone(n), which), with) {
                    self.refer(world, peer, with.as_refer_to());
                }
            }
            Step::Dials { phone: n, to } => {
                self.settle(world);
                let invite = world.dials(n, TARGETS[to]);
                self.dialled.push((phone(n), invite));
            }
            Step::Tells { which, status } => {
                if let Some(peer) = self.peer(trunk(), which) {
                    self.send(world, peer, Method::Notify, |mut notify| {
                        notify.headers.push(HeaderName::Event, "refer");
                        let body = sip::refer::status_fragment(status);
                        notify.with_body("message/sipfrag", body)
                    });
                }
            }
            Step::Passes(ms) => world.pass(Duration::from_millis(ms)),
        }
        self.settle(world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever order of calls, transfers, answers and hang-ups: no invariant breaks, each call has
    /// one end, each offer and transfer too, nothing is left, and every operator is free again.
    #[test]
    fn transfers_in_any_order_leave_nobody_behind(steps in steps(), by_trunk in any::<bool>()) {
        let mut settings = with_outer();
        if by_trunk {
            settings.trunks[0].transfer = TransferBy::Refer;
        }
        let mut world = World::with(settings).with_operators(3);
        let other: SocketAddr = "192.0.2.11:5060".parse().unwrap();
        let mut room = Room::at(vec![phone(1), phone(2), phone(3), trunk(), other]);
        for step in steps {
            room.step(&mut world, step);
            prop_assert_eq!(world.switch.snapshot().counts.bugs, 0);
        }
        room.close(&mut world);
        for _ in 0..200 {
            world.pass(SECOND);
            room.settle(&mut world);
        }
        world.assert_quiet();
        let open = world.facts.iter().fold(0_i32, |open, event| match event.fact {
            Fact::TransferRequested { .. } | Fact::SegmentStarted { .. } => open + 1,
            Fact::TransferEnded { .. } | Fact::SegmentEnded { .. } => open - 1,
            _ => open,
        });
        prop_assert_eq!(open, 0);
        for operator in world.switch.snapshot().operators {
            prop_assert!(
                matches!(operator.state, OperatorState::Free | OperatorState::Unreachable),
                "{operator:?}"
            );
        }
    }
}
