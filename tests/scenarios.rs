//! What callers and telephones ask beside plain calls, as SIPp scenarios of their own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use harness::journal::finished;
use harness::{Engine, LogOnPanic, Setup, free_port, password, sipp};

/// An engine that every scenario of a caller runs against, one after the other.
#[test]
fn each_request_beside_a_plain_call_gets_its_status_and_the_talk_goes_on() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let stay = |options: &mut sipp::Options| options.stay = 700;
    sipp::call(&engine, "uac-options-200", stay);
    sipp::call(&engine, "uac-unknown-extension-420", stay);
    // Nobody serves the queue: these callers hold, fax and hang up while they wait.
    for scenario in ["uac-late-offer", "uac-hold", "uac-fax-488"] {
        sipp::call(&engine, scenario, stay);
    }
    let entries = finished(&engine.place, 3);
    for entry in &entries {
        assert_eq!(entry.text("ended_by"), "caller", "{entry:?}");
    }
    let port = free_port(engine.place.net.operators);
    let accounts = [("anna", password("anna"))];
    sipp::register(&engine, "uac-register-short-423", port, &accounts);
    assert!(!engine.log().contains("reachable=true"), "{}", engine.log());
}
