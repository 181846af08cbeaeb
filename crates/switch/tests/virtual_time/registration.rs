//! Our registration with a trunk, in virtual time: the test is the registrar.

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::{OFFER, World, settings};
use sip::{HeaderName, Message, Method, Uri};
use switch::Input;
use switch::trunk::{Account, Dialling, Identity, Outbound, Password, Probe, Registration, Trunk};
use vocab::{Fact, RegistrationState};

const SECOND: Duration = Duration::from_secs(1);
const REALM: &str = "sip.example";

fn registrar() -> SocketAddr {
    "198.18.7.1:5060".parse().unwrap()
}

fn backup() -> SocketAddr {
    "198.18.7.2:5060".parse().unwrap()
}

fn carrier(servers: &[SocketAddr]) -> Trunk {
    let uris: Vec<Uri> = servers
        .iter()
        .map(|server| Uri::parse(&format!("sip:{server}")).unwrap())
        .collect();
    let mut trunk = Trunk::new("carrier");
    trunk.account = Some(Account {
        user: "SIP01@sip.example".into(),
        password: Password("secret".into()),
        realm: REALM.into(),
    });
    trunk.registration = Some(Registration {
        registrars: uris.clone(),
        address: Uri::parse("sip:74951112233@sip.example").unwrap(),
        from_user: None,
        contact_user: "line1".into(),
        proxy: None,
        expiry: Duration::from_secs(600),
    });
    trunk.outbound = Some(Outbound {
        servers: uris,
        proxy: None,
        domain: None,
        from_user: None,
        contact_user: Some("line1".into()),
        number: None,
        identity: Identity::From,
        early_media: Default::default(),
        dialling: Dialling::default(),
        allowed: vec!["+7".into()],
        refused: Vec::new(),
        priority: 0,
    });
    trunk
}

fn world(trunk: Trunk) -> World {
    let mut settings = settings();
    settings.trunks = vec![trunk];
    World::with(settings)
}

fn state(world: &World) -> RegistrationState {
    world.switch.snapshot().trunks[0].registration.unwrap()
}

fn challenge(register: &Message, status: u16, realm: &str, nonce: &str, stale: bool) -> Message {
    let mut response = register.respond(status, Some("r"));
    let name = if status == 401 {
        HeaderName::WwwAuthenticate
    } else {
        HeaderName::ProxyAuthenticate
    };
    let stale = if stale { ", stale=true" } else { "" };
    for algorithm in ["SHA-256", "MD5"] {
        response.headers.push(
            name.clone(),
            format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, \
                 qop=\"auth\"{stale}"
            ),
        );
    }
    response
}

fn granted(register: &Message, expires: u32) -> Message {
    let mut response = register.respond(200, Some("r"));
    let contact = register.headers.first(&HeaderName::Contact).unwrap();
    let value = format!("<sip:other@203.0.113.1>;expires=30, {contact};expires={expires}");
    response.headers.push(HeaderName::Contact, value);
    response
}

fn authorization(request: &Message) -> Option<&str> {
    let names = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
    names.iter().find_map(|name| request.headers.first(name))
}

/// The newest REGISTER at a place; copies of it are dropped.
#[track_caller]
fn asked(world: &mut World, at: SocketAddr) -> Message {
    let mut newest = None;
    while let Some(message) = world.try_next(at) {
        assert_eq!(message.method(), Some(&Method::Register));
        newest = Some(message);
    }
    newest.expect("a REGISTER")
}

/// Lets the engine register with the registrar at a place, by one challenge.
fn registered(world: &mut World, at: SocketAddr, expires: u32) -> Message {
    world.pass(SECOND);
    let first = asked(world, at);
    assert_eq!(authorization(&first), None);
    world.send(at, &challenge(&first, 401, REALM, "n1", false));
    let second = asked(world, at);
    world.send(at, &granted(&second, expires));
    assert_eq!(state(world), RegistrationState::Registered);
    second
}

#[test]
fn it_registers_with_another_authentication_user_and_sha_256_and_refreshes_in_time() {
    let mut world = world(carrier(&[registrar()]));
    assert_eq!(state(&world), RegistrationState::Trying);
    let register = registered(&mut world, registrar(), 100);
    assert_eq!(
        register.request_uri().unwrap().to_string(),
        "sip:sip.example"
    );
    assert_eq!(
        register.to().unwrap().uri.to_string(),
        "sip:74951112233@sip.example"
    );
    assert_eq!(register.headers.first(&HeaderName::Expires), Some("600"));
    let contact = register.contacts().unwrap().remove(0);
    assert_eq!(contact.uri.to_string(), "sip:line1@198.51.100.1:5060");
    let credentials = authorization(&register).unwrap().to_owned();
    for part in [
        "username=\"SIP01@sip.example\"",
        "algorithm=SHA-256",
        "nc=00000001",
    ] {
        assert!(credentials.contains(part), "{credentials}");
    }
    // Granted for 100 s: the next comes after 50 to 60 s, with the nonce that was good.
    world.pass(49 * SECOND);
    assert!(world.try_next(registrar()).is_none());
    world.pass(11 * SECOND);
    let refresh = asked(&mut world, registrar());
    assert_eq!(refresh.call_id(), register.call_id());
    assert!(refresh.cseq().unwrap().number > register.cseq().unwrap().number);
    assert!(authorization(&refresh).unwrap().contains("nc=00000002"));
    world.send(registrar(), &granted(&refresh, 100));
    assert_eq!(state(&world), RegistrationState::Registered);
}

#[test]
fn a_nonce_that_grew_stale_is_replaced_and_a_407_is_answered_as_well() {
    let mut world = world(carrier(&[registrar()]));
    registered(&mut world, registrar(), 100);
    world.pass(60 * SECOND);
    let refresh = asked(&mut world, registrar());
    world.send(registrar(), &challenge(&refresh, 407, REALM, "n2", true));
    let again = asked(&mut world, registrar());
    assert!(
        again
            .headers
            .first(&HeaderName::ProxyAuthorization)
            .unwrap()
            .contains("\"n2\"")
    );
    world.send(registrar(), &challenge(&again, 407, REALM, "n3", true));
    let last = asked(&mut world, registrar());
    world.send(registrar(), &granted(&last, 100));
    assert_eq!(state(&world), RegistrationState::Registered);
}

#[test]
fn a_challenge_of_another_realm_gets_no_credentials() {
    let mut world = world(carrier(&[registrar()]));
    world.pass(SECOND);
    let first = asked(&mut world, registrar());
    world.send(
        registrar(),
        &challenge(&first, 401, "evil.example", "n", false),
    );
    world.pass(10 * SECOND);
    assert!(world.try_next(registrar()).is_none());
    assert_eq!(state(&world), RegistrationState::Failed);
    // It is tried again later, as bare as before.
    world.pass(60 * SECOND);
    let again = asked(&mut world, registrar());
    assert_eq!(authorization(&again), None);
}

#[test]
fn a_redirection_is_not_followed() {
    let mut world = world(carrier(&[registrar()]));
    registered(&mut world, registrar(), 100);
    world.pass(60 * SECOND);
    let refresh = asked(&mut world, registrar());
    let elsewhere: SocketAddr = "198.18.66.6:5060".parse().unwrap();
    let mut response = refresh.respond(302, Some("r"));
    response
        .headers
        .push(HeaderName::Contact, format!("<sip:{elsewhere}>"));
    world.send(registrar(), &response);
    world.pass(100 * SECOND);
    assert!(world.try_next(elsewhere).is_none());
    assert_eq!(state(&world), RegistrationState::Failed);
}

#[test]
fn a_wrong_password_is_not_tried_again_at_once() {
    let mut world = world(carrier(&[registrar()]));
    world.pass(SECOND);
    let mut sent = 0;
    for _ in 0..600 {
        while let Some(register) = world.try_next(registrar()) {
            sent += 1;
            world.send(registrar(), &challenge(&register, 401, REALM, "n", false));
        }
        world.pass(SECOND);
    }
    assert_eq!(state(&world), RegistrationState::Failed);
    // Two to an attempt; attempts after 15-30 s, 30-60 s, 60-120 s, 120-240 s, 240-480 s.
    assert!((6..=12).contains(&sent), "{sent} in ten minutes");
}

#[test]
fn the_registrar_says_how_long_it_must_be_and_a_nonsense_is_no_loop() {
    let mut world = world(carrier(&[registrar()]));
    world.pass(SECOND);
    let brief = |register: &Message, least: &str| {
        let mut response = register.respond(423, Some("r"));
        response.headers.push(HeaderName::MinExpires, least);
        response
    };
    let first = asked(&mut world, registrar());
    world.send(registrar(), &brief(&first, "1800"));
    let longer = asked(&mut world, registrar());
    assert_eq!(longer.headers.first(&HeaderName::Expires), Some("1800"));
    world.send(registrar(), &brief(&longer, "1800"));
    assert!(world.try_next(registrar()).is_none());
    assert_eq!(state(&world), RegistrationState::Failed);
}

#[test]
fn calls_pass_the_service_route_of_the_newest_answer_of_the_registrar() {
    let mut world = world(carrier(&[registrar()])).with_operators(1);
    let first = registered(&mut world, registrar(), 100);
    let hops = |world: &mut World, at: SocketAddr| {
        // Copies of the last refusal, which nobody acknowledged.
        world.clear();
        world.dials(1, "+74951112233");
        let ring = world.request(at, &Method::Invite);
        let hops: Vec<String> = ring
            .headers
            .all(&HeaderName::Route)
            .map(str::to_owned)
            .collect();
        world.send(at, &ring.respond(486, Some("x")));
        world.clear();
        hops
    };
    assert_eq!(hops(&mut world, registrar()), [""; 0]);
    let mut routed = granted(&first, 100);
    let name = HeaderName::parse("Service-Route");
    routed
        .headers
        .push(name, "<sip:198.18.7.9:5060;lr>, <sip:198.18.7.8;lr>");
    world.pass(60 * SECOND);
    let refresh = asked(&mut world, registrar());
    routed.headers.set(
        HeaderName::CSeq,
        refresh.headers.first(&HeaderName::CSeq).unwrap(),
    );
    routed.headers.set(
        HeaderName::Via,
        refresh.headers.first(&HeaderName::Via).unwrap(),
    );
    world.send(registrar(), &routed);
    let edge = "198.18.7.9:5060".parse().unwrap();
    let expected = ["<sip:198.18.7.9:5060;lr>", "<sip:198.18.7.8;lr>"];
    assert_eq!(hops(&mut world, edge), expected);
    // Without one the next answer takes it back.
    world.pass(60 * SECOND);
    let refresh = asked(&mut world, registrar());
    world.send(registrar(), &granted(&refresh, 100));
    assert_eq!(hops(&mut world, registrar()), [""; 0]);
}

#[test]
fn a_dead_registrar_is_left_for_the_next_one() {
    let mut world = world(carrier(&[registrar(), backup()]));
    world.pass(33 * SECOND);
    let register = asked(&mut world, backup());
    world.send(backup(), &granted(&register, 300));
    assert_eq!(state(&world), RegistrationState::Registered);
    world.clear();
    world.pass(180 * SECOND);
    let refresh = asked(&mut world, backup());
    world.send(backup(), &granted(&refresh, 300));
    assert!(world.try_next(registrar()).is_none());
}

#[test]
fn a_lost_registration_is_shown_and_comes_back() {
    let mut world = world(carrier(&[registrar()]));
    registered(&mut world, registrar(), 100);
    world.pass(99 * SECOND);
    assert_eq!(state(&world), RegistrationState::Registered);
    world.pass(2 * SECOND);
    assert_eq!(state(&world), RegistrationState::Failed);
    world.pass(300 * SECOND);
    world.clear();
    let register = (0..1_000).find_map(|_| {
        world.pass(SECOND);
        world.try_next(registrar())
    });
    let register = register.expect("it tries again");
    world.send(registrar(), &granted(&register, 100));
    assert_eq!(state(&world), RegistrationState::Registered);
}

#[test]
fn at_a_stop_the_registration_is_taken_back() {
    let mut world = world(carrier(&[registrar()]));
    registered(&mut world, registrar(), 100);
    world.input(Input::Stop);
    assert_eq!(world.switch.closing(), 1);
    let last = asked(&mut world, registrar());
    assert_eq!(last.headers.first(&HeaderName::Expires), Some("0"));
    assert!(authorization(&last).is_some());
    world.send(registrar(), &challenge(&last, 401, REALM, "n9", true));
    let again = asked(&mut world, registrar());
    world.send(registrar(), &again.respond(200, Some("r")));
    assert_eq!(world.switch.closing(), 0);
    assert_eq!(state(&world), RegistrationState::Closed);
    world.pass(1_000 * SECOND);
    assert!(world.try_next(registrar()).is_none());
}

#[test]
fn calls_of_the_registrar_are_taken_while_we_are_registered() {
    let mut first = carrier(&[registrar()]);
    first.name = "first".into();
    let mut second = carrier(&[registrar()]);
    if let Some(registration) = &mut second.registration {
        registration.contact_user = "line2".into();
    }
    let mut settings = settings();
    settings.trunks = vec![first, second];
    let mut world = World::with(settings);
    let call = |world: &mut World, target: &str| {
        let uri = format!("sip:{target}@198.51.100.1");
        let mut invite = world.out_of_dialog(registrar(), Method::Invite, &uri);
        invite.headers.set(HeaderName::To, "<sip:1300@sip.example>");
        let invite = invite.with_body("application/sdp", OFFER.into());
        world.send(registrar(), &invite);
        world.response(registrar()).status().unwrap()
    };
    world.pass(SECOND / 10);
    assert_eq!(call_before(&mut world), 401);
    let mut registers: Vec<Message> = Vec::new();
    while let Some(register) = world.try_next(registrar()) {
        registers.push(register);
    }
    assert_eq!(registers.len(), 2);
    for register in &registers {
        world.send(registrar(), &granted(register, 100));
    }
    assert_eq!(call(&mut world, "line2"), 200);
    assert_eq!(call(&mut world, "line1"), 200);
    let trunks: Vec<_> = world
        .facts
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::CallArrived { trunk, number, .. } => Some((trunk.as_str(), number.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(trunks, [("carrier", "1300"), ("first", "1300")]);
}

/// A call from the address of a registrar that has not accepted us: a stranger's.
fn call_before(world: &mut World) -> u16 {
    let from: SocketAddr = "198.18.7.1:5090".parse().unwrap();
    let invite = world
        .out_of_dialog(from, Method::Invite, "sip:line1@198.51.100.1")
        .with_body("application/sdp", OFFER.into());
    world.send(from, &invite);
    world.response(from).status().unwrap()
}

#[test]
fn a_server_that_does_not_answer_options_is_down_until_it_does() {
    let mut trunk = carrier(&[registrar(), backup()]);
    trunk.registration = None;
    trunk.probe = Some(Probe {
        every: 30 * SECOND,
        failures: 2,
    });
    let mut world = world(trunk);
    let up = |world: &World| -> Vec<bool> {
        let trunks = world.switch.snapshot().trunks;
        trunks[0].servers.iter().map(|(_, up)| *up).collect()
    };
    let run = |world: &mut World, seconds: u64, dead: &[SocketAddr], status: u16| {
        for _ in 0..seconds {
            for server in [registrar(), backup()] {
                while let Some(options) = world.try_next(server) {
                    if dead.contains(&server) {
                        continue;
                    }
                    let mut answer = options.respond(status, Some("s"));
                    if status == 503 {
                        answer.headers.push(HeaderName::RetryAfter, "20 (busy)");
                    }
                    world.send(server, &answer);
                }
            }
            world.pass(SECOND);
        }
    };
    run(&mut world, 60, &[], 200);
    assert_eq!(up(&world), [true, true]);
    run(&mut world, 70, &[registrar()], 404);
    assert_eq!(up(&world), [false, true]);
    run(&mut world, 40, &[], 200);
    assert_eq!(up(&world), [true, true]);
    // One 503 is no failure of the server: it rests for as long as it says.
    run(&mut world, 31, &[], 503);
    assert_eq!(up(&world), [false, false]);
    run(&mut world, 60, &[], 200);
    assert_eq!(up(&world), [true, true]);
    assert_eq!(world.switch.snapshot().counts.bugs, 0);
}
