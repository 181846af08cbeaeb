//! What callers and telephones ask beside plain calls, as SIPp scenarios of their own.

use crate::harness::journal::{Entry, finished};
use crate::harness::sipp::{Options, Sipp};
use crate::harness::{Engine, LogOnPanic, Place, Setup, sipp};

/// A hotline that greets and lets wait before it answers: an operator's answer is the answer.
const EARLY: &str = r#"
name = "tests"
numbers = ["1300"]
languages = ["en"]
[[step]]
say = { name = "greeting", notice = true, text = { en = "Calls are recorded." } }
[[step]]
queue = { name = "operators", music = "music/waiting.wav", priority = 5, recorded = true }
[[step]]
hangup = {}
"#;

fn engine_with(operators: &[&str], plan: Option<&str>) -> Engine {
    let place = Place::new(&Setup {
        operators: operators.iter().map(ToString::to_string).collect(),
        ..Setup::default()
    });
    if let Some(plan) = plan {
        std::fs::write(place.path("dialplans/tests.toml"), plan).unwrap();
    }
    Engine::start_in(place)
}

/// Callers who do not wait for each other, each with a scenario of its own.
fn all_at_once(callers: Vec<Sipp>) {
    for caller in callers {
        caller.succeed();
    }
}

fn stay(options: &mut Options) {
    options.stay = 700;
}

/// Nobody serves the queue: these callers ask, hold, fax and hang up while they wait.
#[test]
fn each_request_beside_a_plain_call_gets_its_status_and_the_talk_goes_on() {
    let engine = engine_with(&["anna"], None);
    let _log = LogOnPanic::of(&engine);
    let start = |scenario: &&str| sipp::start_call(&engine, scenario, stay);
    let refused = [
        "uac-options-200",
        "uac-unknown-extension-420",
        "uac-hops-483",
    ];
    all_at_once(refused.iter().map(start).collect());
    let talks = [
        "uac-late-offer",
        "uac-fax-488",
        "uac-options-in-dialog-200",
        "uac-info-keys",
        "uac-session-brief-422",
        "uac-tel",
    ];
    all_at_once(talks.iter().map(start).collect());
    let holds = [
        "sendonly;192.0.2.1",
        "inactive;192.0.2.1",
        "sendrecv;0.0.0.0",
    ];
    let hold = |fields: &&str| {
        sipp::start_call(&engine, "uac-hold", |options| {
            stay(options);
            options.fields = vec![(*fields).to_owned()];
        })
    };
    all_at_once(holds.iter().map(hold).collect());
    let entries = finished(&engine.place, talks.len() + holds.len());
    for entry in &entries {
        assert_eq!(entry.text("ended_by"), "caller", "{entry:?}");
        assert_eq!(entry.text("number"), "1300", "{entry:?}");
    }
    assert!(!engine.log().contains("reachable=true"), "{}", engine.log());
}

#[test]
fn before_the_answer_a_caller_acknowledges_gives_up_or_comes_twice() {
    let engine = engine_with(&["anna"], Some(EARLY));
    let _log = LogOnPanic::of(&engine);
    // Nobody is there yet.
    sipp::call(&engine, "uac-cancel-487", stay);
    sipp::call(&engine, "uac-merged-482", stay);
    for entry in finished(&engine.place, 2) {
        assert_eq!(entry.text("ended_by"), "caller", "{entry:?}");
        assert_eq!(entry.text("answered_at"), "", "{entry:?}");
    }
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-prack", |options| options.stay = 2_000);
    operator.succeed();
    let entries = finished(&engine.place, 3);
    let ended: Vec<_> = entries.iter().map(Entry::end).collect();
    assert_eq!(ended[2], ("answered", "caller"), "{entries:?}");
}

/// Each telephone is offered one of three calls that come at once.
#[test]
fn telephones_that_want_pracks_or_longer_sessions_or_fork_take_their_calls() {
    let engine = engine_with(&["anna", "boris", "clara"], None);
    let _log = LogOnPanic::of(&engine);
    let telephone = |scenario, login| sipp::operators(&engine, scenario, &[login], |_| {});
    let telephones = vec![
        telephone("uas-prack", "anna"),
        telephone("uas-session-long-422", "boris"),
        telephone("uas-forked", "clara"),
    ];
    sipp::call(&engine, "uac-talk", |options| {
        options.calls = 3;
        options.stay = 5_000;
    });
    all_at_once(telephones);
    let entries = finished(&engine.place, 3);
    let mut served = Vec::new();
    for entry in &entries {
        assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
        assert_eq!(entry.number("offers"), Some(1), "{entry:?}");
        assert!(entry.check_recording(&engine.place).ms() > 2_000);
        served.push(entry.text("operator_login"));
    }
    served.sort_unstable();
    assert_eq!(served, ["anna", "boris", "clara"]);
}

/// No session is shorter than 90 s (RFC 4028 §4), so this takes a minute; all of it at once.
#[test]
fn sessions_are_refreshed_by_either_side_and_end_where_nobody_does() {
    let engine = engine_with(&["anna"], None);
    let _log = LogOnPanic::of(&engine);
    let call = |scenario: &str, caller: &str| {
        sipp::start_call(&engine, scenario, |options| {
            options.stay = 3_000;
            options.caller = caller.to_owned();
        })
    };
    all_at_once(vec![
        call("uac-session-lapsed-bye", "79140000001"),
        call("uac-refreshed-update", "79140000002"),
        call("uac-refreshed-invite-491", "79140000003"),
    ]);
    for entry in finished(&engine.place, 3) {
        let lasted = entry.number("duration_ms").unwrap() / 1_000;
        let refreshed = entry.text("caller").ends_with('1');
        if refreshed {
            // The refresh after 3 s counts: over a third before the 90 s from then (RFC 4028 §10).
            assert_eq!(entry.text("ended_by"), "engine", "{entry:?}");
            assert!((62..68).contains(&lasted), "{entry:?}");
        } else {
            // The engine's turn comes after half of the time.
            assert_eq!(entry.text("ended_by"), "caller", "{entry:?}");
            assert!((45..55).contains(&lasted), "{entry:?}");
        }
    }
}
