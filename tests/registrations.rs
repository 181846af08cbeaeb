//! Registrations as SIPp asks for them, and their life beyond a crash of the engine.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use harness::journal::finished;
use harness::sipp::{self, Options, Sipp};
use harness::{Engine, LogOnPanic, Place, Setup, free_port, password, until};

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
