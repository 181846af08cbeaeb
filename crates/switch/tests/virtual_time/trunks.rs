//! Trunks in virtual time: whose calls are taken, what is read from them, how many.

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::{OFFER, World, phone, settings, trunk};
use sip::{HeaderName, Message, Method, Secrets};
use switch::trunk::{DidSource, DirectionLimits, StrangerPolicy, Trunk};
use switch::{NumberRules, Settings};
use vocab::Fact;

const SECOND: Duration = Duration::from_secs(1);

fn stranger(n: u32) -> SocketAddr {
    SocketAddr::new(
        core::net::IpAddr::V4((0xc612_0000 | (n & 0xffff)).into()),
        5060,
    )
}

fn with(change: impl FnOnce(&mut Settings)) -> World {
    let mut settings = settings();
    change(&mut settings);
    World::with(settings)
}

fn strange_invite(world: &mut World, from: SocketAddr, number: &str) -> Message {
    let uri = format!("sip:{number}@198.51.100.1");
    world
        .out_of_dialog(from, Method::Invite, &uri)
        .with_body("application/sdp", OFFER.into())
}

/// Number, caller and trunk of the last call in the journal.
fn arrived(world: &World) -> (String, String, String) {
    let last = world
        .facts
        .iter()
        .rev()
        .find_map(|event| match &event.fact {
            Fact::CallArrived {
                number,
                caller,
                trunk,
                ..
            } => Some((number.clone(), caller.clone(), trunk.clone())),
            _ => None,
        });
    last.expect("a call in the journal")
}

#[test]
fn a_hundred_thousand_invites_of_strangers_leave_every_table_where_it_was() {
    for policy in [StrangerPolicy::Refuse, StrangerPolicy::Drop] {
        let mut world = with(|settings| settings.strangers.policy = policy).with_operators(1);
        let (invite, answer) = world.waiting_caller();
        let ring = world.request(phone(1), &Method::Invite);
        world.answer(1, &ring, 200);
        world.pass(40 * SECOND);
        let before = world.switch.tables();
        world.clear();
        for n in 0..100_000 {
            // Half from one address, half from as many as there are.
            let from = stranger(if n % 2 == 0 { 1 } else { n });
            let request = strange_invite(&mut world, from, "1300");
            world.send(from, &request);
            if n % 1_000 == 0 {
                world.pass(Duration::from_millis(100));
            }
        }
        assert_eq!(world.switch.tables(), before, "{policy:?}");
        let counts = world.switch.snapshot().counts;
        assert_eq!((counts.arrived, counts.talking), (1, 1));
        if policy == StrangerPolicy::Drop {
            assert_eq!(counts.dropped, 100_000);
            assert!(
                world.try_next(stranger(1)).is_none(),
                "a stranger got an answer"
            );
        } else {
            // One address is heard 50 times a second, for 10 s, and anew where it is forgotten for
            // one that met it in the table.
            assert!(
                (48_000..50_000).contains(&counts.dropped),
                "{}",
                counts.dropped
            );
        }
        // The call that is up has noticed nothing.
        world.caller_hangs_up(&invite, &answer);
        world.take_bye(phone(1));
        world.assert_quiet();
    }
}

#[test]
fn under_drop_a_stranger_hears_nothing_and_a_telephone_can_register() {
    let mut world = with(|settings| settings.strangers.policy = StrangerPolicy::Drop);
    for method in [Method::Options, Method::Invite, Method::Bye, Method::Cancel] {
        let request = world.out_of_dialog(stranger(9), method.clone(), "sip:1300@198.51.100.1");
        world.send(stranger(9), &request);
        assert!(world.try_next(stranger(9)).is_none(), "{method}");
    }
    world.raw(
        stranger(9),
        b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n\r\n",
    );
    assert!(
        world.try_next(stranger(9)).is_none(),
        "an answer to a broken message"
    );
    let mut world = world.with_operators(1);
    // Who has shown a password may call, too: here with a challenge, as the line asks for.
    let request = strange_invite(&mut world, phone(1), "1300");
    world.send(phone(1), &request);
    assert_eq!(world.response(phone(1)).status(), Some(401));
}

#[test]
fn a_scanner_gets_nothing_even_where_strangers_are_refused() {
    let mut world = World::new();
    let mut scan = strange_invite(&mut world, stranger(9), "100");
    scan.headers.push(HeaderName::UserAgent, "friendly-scanner");
    world.send(stranger(9), &scan);
    assert!(world.try_next(stranger(9)).is_none());
    assert_eq!(world.switch.snapshot().counts.dropped, 1);
}

#[test]
fn a_request_of_a_live_call_is_taken_from_wherever_it_comes() {
    let mut world = with(|settings| settings.strangers.policy = StrangerPolicy::Drop);
    let (invite, answer) = world.waiting_caller();
    let mut bye = world.in_dialog(&invite, &answer, Method::Bye);
    let elsewhere = stranger(77);
    bye.headers.set(
        HeaderName::Via,
        format!("SIP/2.0/UDP {elsewhere};rport;branch=z9hG4bKelse"),
    );
    world.send(elsewhere, &bye);
    assert_eq!(world.response(elsewhere).status(), Some(200));
    world.assert_quiet();
}

#[test]
fn a_trunk_brings_as_many_calls_at_once_as_it_may() {
    let mut world = with(|settings| {
        settings.trunks[0].limits.inbound = DirectionLimits {
            calls: Some(2),
            per_second: None,
        };
    });
    let first = world.waiting_caller();
    let second = world.waiting_caller();
    let third = world.invite("1300");
    world.send(trunk(), &third);
    let refusal = world.response(trunk());
    assert_eq!(refusal.status(), Some(503));
    assert_eq!(refusal.headers.first(&HeaderName::RetryAfter), Some("5"));
    world.caller_hangs_up(&first.0, &first.1);
    let third = world.waiting_caller();
    world.caller_hangs_up(&second.0, &second.1);
    // A number of no plan takes no place.
    for _ in 0..5 {
        let unknown = world.invite("999");
        world.send(trunk(), &unknown);
        assert_eq!(world.response(trunk()).status(), Some(404));
    }
    world.caller_hangs_up(&third.0, &third.1);
    world.assert_quiet();
}

#[test]
fn a_trunk_brings_as_many_calls_a_second_as_it_may() {
    let mut world = with(|settings| {
        settings.trunks[0].limits.inbound = DirectionLimits {
            calls: None,
            per_second: Some(2),
        };
    });
    let statuses = |world: &mut World| {
        (0..4)
            .map(|_| {
                let invite = world.invite("1300");
                world.send(trunk(), &invite);
                let answer = world.response(trunk());
                if answer.status() == Some(200) {
                    let ack = world.in_dialog(&invite, &answer, Method::Ack);
                    world.send(trunk(), &ack);
                    world.caller_hangs_up(&invite, &answer);
                }
                answer.status().unwrap()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses(&mut world), [200, 200, 503, 503]);
    world.pass(SECOND);
    assert_eq!(statuses(&mut world), [200, 200, 503, 503]);
    world.assert_quiet();
}

#[test]
fn a_place_on_a_trunk_is_taken_until_its_leg_is_over() {
    let mut world = with(|settings| {
        settings.trunks[0].limits.inbound = DirectionLimits {
            calls: Some(1),
            per_second: None,
        };
    })
    .with_operators(1);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    let answer = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.clear();
    // The plan hangs up after the talk; the carrier's side of the call is up until its 200.
    world.operator_hangs_up(1, &ring, &answer);
    let bye = world.request(trunk(), &Method::Bye);
    let call = |world: &mut World| {
        let invite = world.invite("1300");
        world.send(trunk(), &invite);
        world.response(trunk()).status().unwrap()
    };
    assert_eq!(call(&mut world), 503);
    world.send(trunk(), &bye.respond(200, None));
    assert_eq!(call(&mut world), 200);
    world.assert_quiet();
}

#[test]
fn the_number_comes_from_where_the_trunk_puts_it_and_the_plan_knows_it_as_people_dial_it() {
    let mut world = with(|settings| {
        let trunk = &mut settings.trunks[0];
        trunk.inbound.did = vec![DidSource::Header(HeaderName::parse("X-DID"))];
        trunk.numbers = NumberRules {
            country_code: "7".into(),
            national_prefixes: vec!["8".into()],
            international_prefix: "810".into(),
            national_length: 10,
            area_code: String::new(),
        };
        let aliases = &mut trunk.inbound.aliases;
        aliases.insert("+74951112233".into(), "1300".into());
    });
    let mut invite = world.invite("account");
    invite
        .headers
        .push(HeaderName::parse("x-did"), "8 495 111-22-33");
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(200));
    assert_eq!(arrived(&world).0, "1300");
}

#[test]
fn two_trunks_at_one_address_are_told_apart_by_their_ports() {
    let mut world = with(|settings| {
        let network: switch::Network = "192.0.2.0/24".parse().unwrap();
        let mut second = Trunk::at("second", vec![network]);
        second.source.peer_port = Some(5080);
        let mut third = Trunk::at("third", vec![network]);
        third.source.our_port = Some(5099);
        settings.trunks = vec![third, second];
    });
    let from: SocketAddr = "192.0.2.10:5080".parse().unwrap();
    let invite = strange_invite(&mut world, from, "1300");
    world.send(from, &invite);
    assert_eq!(world.response(from).status(), Some(200));
    assert_eq!(arrived(&world).2, "second");
    let other = strange_invite(&mut world, trunk(), "1300");
    world.send(trunk(), &other);
    assert_eq!(world.response(trunk()).status(), Some(401));
}

#[test]
fn a_trunk_that_may_come_from_anywhere_shows_its_password() {
    let mut world = with(|settings| {
        let mut roaming = Trunk::new("roaming");
        let secrets = Secrets::new("pbx", "hotline", "secret");
        roaming.source.credentials = Some(("pbx".into(), secrets));
        settings.trunks = vec![roaming];
        settings.strangers.policy = StrangerPolicy::Drop;
    });
    let from = stranger(5);
    let mut invite = strange_invite(&mut world, from, "1300");
    world.send(from, &invite);
    let challenge = world.response(from);
    assert_eq!(challenge.status(), Some(401));
    let branch = world.branch();
    let via = format!("SIP/2.0/UDP {from};rport;branch={branch}");
    invite.headers.set(HeaderName::Via, via);
    invite.headers.set(HeaderName::CSeq, "2 INVITE");
    sip::authorize(&mut invite, &challenge, "pbx", "secret", "c", 1).unwrap();
    world.send(from, &invite);
    assert_eq!(world.response(from).status(), Some(200));
    assert_eq!(arrived(&world).2, "roaming");
}

#[test]
fn an_untrusted_trunk_is_not_believed_about_the_caller() {
    let mut world = with(|settings| settings.trunks[0].inbound.trusted = false);
    let mut invite = world.invite("1300");
    let asserted = "<sip:+79001112233@carrier>";
    invite.headers.push(HeaderName::PAssertedIdentity, asserted);
    world.send(trunk(), &invite);
    assert_eq!(world.response(trunk()).status(), Some(200));
    assert_eq!(arrived(&world).1, "+74242123456");
}
