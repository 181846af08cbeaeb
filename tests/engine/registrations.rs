//! Registrations as SIPp asks for them, and their life beyond a crash of the engine.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::harness::journal::finished;
use crate::harness::sipp::{self, Options, Sipp};
use crate::harness::wire::Wire;
use crate::harness::{Engine, LogOnPanic, Place, Setup, free_port, password, until};

#[test]
fn registrations_are_made_refused_listed_and_ended_as_the_rfcs_say() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let account = [("anna", password("anna"))];
    for scenario in [
        "uac-register-brief-423",
        "uac-register-again",
        "uac-register-stale-401",
        "uac-register-path",
    ] {
        let port = free_port(engine.place.net.operators);
        sipp::register(&engine, scenario, port, &account);
    }
    sipp::call(&engine, "uac-message-refused-405", |_| {});
}

/// The port of the first life, so that the second one is where telephones expect it.
fn keep_port(place: &Place, sip: SocketAddr) {
    let text = std::fs::read_to_string(place.config()).unwrap();
    let free = format!("listen = [\"{}:0\"]", sip.ip());
    assert!(text.contains(&free), "{text}");
    let text = text.replace(&free, &format!("listen = [\"{sip}\"]"));
    std::fs::write(place.config(), text).unwrap();
}

#[test]
fn a_telephone_that_registered_before_a_kill_is_called_after_the_restart() {
    let engine = Engine::start(&Setup::default());
    let address = engine.place.net.operators;
    let port = free_port(address);
    let account = [("anna", password("anna"))];
    sipp::register(&engine, "uac-register", port, &account);
    // What is on disk is what the next life knows; the answer to REGISTER does not wait for it.
    let events = engine.place.path("journal/events");
    let written = |folder: &Path| {
        std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
            let octets = std::fs::read(entry.path()).ok()?;
            let wanted = b"telephone_registered";
            octets
                .windows(wanted.len())
                .any(|w| w == wanted)
                .then_some(())
        })
    };
    until("the registration on disk", Duration::from_secs(10), || {
        written(&events)
    });
    let sip = engine.sip;
    let place = engine.kill();
    keep_port(&place, sip);

    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let telephone = Sipp::start(
        "uas-answer",
        &Options {
            address,
            port,
            remote: None,
            stay: 300,
            ..Options::caller(&engine)
        },
    );
    sipp::call(&engine, "uac-talk-later", |options| options.stay = 6_000);
    telephone.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
}

#[test]
fn a_telephone_takes_back_what_is_registered_for_its_user_by_itself_and_by_others() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let account = [("anna", password("anna"))];
    let port = || free_port(engine.place.net.operators);
    sipp::register(&engine, "uac-register", port(), &account);
    sipp::register(&engine, "uac-register-star", port(), &account);
    until("nobody registered", Duration::from_secs(10), || {
        engine.log().contains("reachable=false").then_some(())
    });
}

/// Registers anna at an address with a preference.
fn prefers(engine: &Engine, port: u16, q: &str) {
    let fields = sipp::credentials("anna", &password("anna"));
    sipp::call(engine, "uac-register-q", |options| {
        options.address = engine.place.net.operators;
        options.port = port;
        options.fields = vec![format!("{fields};{q}")];
    });
}

#[test]
fn of_two_telephones_of_one_operator_the_preferred_one_rings_whichever_registered_last() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let address = engine.place.net.operators;
    let (liked, other) = (free_port(address), free_port(address));
    prefers(&engine, liked, "0.9");
    prefers(&engine, other, "0.2");
    let options = Options::server(SocketAddr::new(address, liked));
    let telephone = Sipp::start("uas-answer", &options);
    telephone.listens(&options);
    let silent = Wire::on(SocketAddr::new(address, other), engine.sip);
    sipp::call(&engine, "uac-talk", |options| options.stay = 4_000);
    telephone.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(silent.receive(Duration::from_millis(1)), None);
}

fn parsed(text: &str) -> sip::Message {
    match sip::parse_datagram(text.as_bytes()) {
        Ok(sip::Datagram::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

/// What SIPp cannot: the same proof, octet by octet, in another request.
#[test]
fn a_proof_that_was_sent_before_is_stale_and_the_next_count_is_taken() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let wire = Wire::new(engine.place.net.operators, engine.sip);
    let local = wire.socket.local_addr().unwrap();
    let register = |cseq: u32, branch: &str| {
        let text = wire.request("REGISTER", "anna", cseq, branch, "");
        let text = text.replace("sip:79140009999@", "sip:anna@");
        let to = format!("sip:anna@{}", engine.sip);
        let text = text
            .replace(
                &format!("REGISTER {to}"),
                &format!("REGISTER sip:{}", engine.sip),
            )
            .replace(
                &format!("From: <sip:anna@{local}>"),
                &format!("From: <{to}>"),
            );
        parsed(&text)
    };
    let status = |message: &sip::Message| {
        wire.send(message.to_bytes());
        let answer = wire.response("REGISTER", |status| status >= 200);
        answer.expect("an answer")
    };
    let (code, challenge) = status(&register(1, "first"));
    assert_eq!(code, 401);
    let challenge = parsed(&challenge);
    let proven = |cseq: u32, branch: &str, count: u32| {
        let mut request = register(cseq, branch);
        let secret = password("anna");
        sip::authorize(&mut request, &challenge, "anna", &secret, "cnonce", count).unwrap();
        request
    };
    assert_eq!(status(&proven(2, "second", 1)).0, 200);
    let (code, again) = status(&proven(3, "third", 1));
    assert_eq!(code, 401, "{again}");
    assert!(again.contains("stale=true"), "{again}");
    assert_eq!(status(&proven(4, "fourth", 2)).0, 200);
}
