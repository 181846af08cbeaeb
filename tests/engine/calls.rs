//! Whole calls with SIPp as caller and operator: each scenario, and the entry it leaves.

use std::time::Duration;

use crate::harness::journal::{Entry, finished};
use crate::harness::wire::{Wire, to_tag};
use crate::harness::{Engine, LogOnPanic, Setup, sipp};
use load::{
    CallerPattern, DurationRange, LoadSettings, OfferEnd, OperatorAccount, OperatorBehaviour,
};

fn one(engine: &Engine) -> Entry {
    finished(&engine.place, 1).remove(0)
}

fn setup(operators: &[&str]) -> Setup {
    let operators = operators.iter().map(ToString::to_string).collect();
    Setup {
        operators,
        ..Setup::default()
    }
}

#[test]
fn a_call_is_answered_recorded_and_journaled() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 4_000);
    operator.succeed();
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(entry.text("number"), "1300");
    assert!(entry.text("caller").ends_with("79140000001"), "{entry:?}");
    assert_eq!(entry.text("operator_login"), "anna");
    assert_eq!(entry.text("operator_line"), "101");
    assert_eq!(entry.offers(), [("anna".to_owned(), "answered".to_owned())]);
    let talk = entry.number("talk_ms").unwrap();
    let recording = entry.check_recording(&engine.place);
    assert!(
        (recording.ms() as i64 - talk).abs() <= 40,
        "{} of {talk} ms",
        recording.ms()
    );
    assert!(
        !entry.text("notice_played_at").is_empty(),
        "the notice was played: {entry:?}"
    );
    for moment in ["arrived_at", "queue_entered_at", "answered_at", "ended_at"] {
        assert!(!entry.text(moment).is_empty(), "{moment}: {entry:?}");
    }
    // What was measured of both legs, from the wire to the journal.
    let legs = entry.rows("leg_list");
    let mut logins: Vec<&str> = legs.iter().map(|leg| leg.text("operator_login")).collect();
    logins.sort_unstable();
    assert_eq!(logins, ["", "anna"], "{entry:?}");
    for leg in &legs {
        assert_eq!(leg.text("codec"), "pcma", "{leg:?}");
        assert!(leg.number("received").unwrap() > 50, "{leg:?}");
        assert!((101..=441).contains(&leg.number("mos").unwrap()), "{leg:?}");
    }
    let worst = legs.iter().filter_map(|leg| leg.number("mos")).min();
    assert_eq!(
        entry.number("mos"),
        worst,
        "SIPp reports nothing of what it hears"
    );
}

#[test]
fn twenty_calls_at_once_are_all_answered() {
    let logins: Vec<String> = (0..20).map(|n| format!("operator{n}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let engine = Engine::start(&setup(&logins));
    let _log = LogOnPanic::of(&engine);
    let operators = sipp::operators(&engine, "uas-answer", &logins, |_| {});
    sipp::call(&engine, "uac-talk", |options| {
        options.calls = 20;
        options.stay = 5_000;
    });
    operators.succeed();
    let entries = finished(&engine.place, 20);
    let mut served = Vec::new();
    for entry in &entries {
        assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
        assert!(entry.check_recording(&engine.place).ms() > 2_000);
        served.push(entry.text("operator_login").to_owned());
    }
    served.sort();
    served.dedup();
    assert_eq!(served.len(), 20, "each operator took one call");
}

#[test]
fn the_operator_may_hang_up_first() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer-hangup", &["anna"], |options| {
        options.stay = 2_000;
    });
    sipp::call(&engine, "uac-talk-until-bye", |_| {});
    operator.succeed();
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
    assert!(entry.number("talk_ms").unwrap() >= 1_900, "{entry:?}");
}

#[test]
fn a_caller_who_hangs_up_while_waiting_is_abandoned() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    sipp::call(&engine, "uac-hangup-waiting", |options| {
        options.stay = 2_000
    });
    let entry = one(&engine);
    assert_eq!(entry.end(), ("abandoned", "caller"), "{entry:?}");
    assert_eq!(entry.offers(), []);
    assert!(entry.number("wait_ms").unwrap() > 1_000, "{entry:?}");
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_stops_the_ringing() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-rings-cancelled", &["anna"], |_| {});
    sipp::call(&engine, "uac-hangup-waiting", |options| {
        options.stay = 2_500
    });
    operator.succeed();
    let entry = one(&engine);
    assert_eq!(entry.end(), ("abandoned", "caller"), "{entry:?}");
    assert_eq!(
        entry.offers(),
        [("anna".to_owned(), "caller_gone".to_owned())]
    );
}

#[test]
fn a_caller_who_hangs_up_right_at_the_answer_leaves_an_entry() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    sipp::call(&engine, "uac-hangup-at-answer", |options| options.calls = 5);
    for entry in finished(&engine.place, 5) {
        assert_eq!(entry.end(), ("abandoned_early", "caller"), "{entry:?}");
    }
}

#[test]
fn a_caller_who_hangs_up_as_the_operator_answers_leaves_one_clean_end() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    // The greeting takes 300 ms, the ringing 700: the BYE meets the operator's 200.
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |options| {
        options.stay = 700
    });
    sipp::call(&engine, "uac-hangup-waiting", |options| {
        options.stay = 1_000
    });
    let entry = one(&engine);
    assert_eq!(entry.text("ended_by"), "caller", "{entry:?}");
    assert!(
        ["answered", "abandoned"].contains(&entry.text("outcome")),
        "{entry:?}"
    );
    drop(operator);
}

#[test]
fn a_cancel_behind_the_invite_ends_the_call_either_way() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    wire.send(wire.request("INVITE", "1300", 1, "invite", ""));
    wire.send(wire.request("CANCEL", "1300", 1, "invite", ""));
    let (status, answer) = wire
        .response("INVITE", |status| status >= 200)
        .expect("an answer");
    let tag = to_tag(&answer);
    if status == 200 {
        // The answer was faster (RFC 3261 §9.2): a BYE ends it.
        wire.send(wire.request("ACK", "1300", 1, "ack", &tag));
        wire.send(wire.request("BYE", "1300", 2, "bye", &tag));
        assert_eq!(
            wire.response("BYE", |status| status >= 200)
                .map(|(status, _)| status),
            Some(200)
        );
    } else {
        assert_eq!(status, 487);
        wire.send(wire.request("ACK", "1300", 1, "invite", &tag));
    }
    let entry = one(&engine);
    assert_eq!(entry.end(), ("abandoned_early", "caller"), "{entry:?}");
}

#[test]
fn two_invites_in_one_go_are_one_call() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    let invite = wire.request("INVITE", "1300", 1, "invite", "");
    for _ in 0..3 {
        wire.send(&invite);
    }
    let (status, answer) = wire
        .response("INVITE", |status| status >= 200)
        .expect("an answer");
    assert_eq!(status, 200);
    let tag = to_tag(&answer);
    wire.send(wire.request("ACK", "1300", 1, "ack", &tag));
    wire.send(wire.request("BYE", "1300", 2, "bye", &tag));
    assert_eq!(
        wire.response("BYE", |status| status >= 200)
            .map(|(status, _)| status),
        Some(200)
    );
    one(&engine);
}

#[test]
fn a_retransmitted_invite_is_one_call() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-invite-retransmitted", |options| {
        options.stay = 3_000
    });
    operator.succeed();
    assert_eq!(one(&engine).end(), ("answered", "caller"));
}

#[test]
fn a_lost_ack_does_not_lose_the_call() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    sipp::call(&engine, "uac-ack-lost", |options| options.stay = 2_000);
    operator.succeed();
    assert_eq!(one(&engine).end(), ("answered", "caller"));
}

#[test]
fn an_ack_that_never_comes_ends_the_call_after_32_s() {
    let engine = Engine::start(&setup(&["anna"]));
    let _log = LogOnPanic::of(&engine);
    sipp::call(&engine, "uac-ack-never-bye", |_| {});
    let entry = one(&engine);
    assert_eq!(entry.end(), ("failed", "engine"), "{entry:?}");
    let up = entry.number("duration_ms").unwrap();
    assert!((31_000..36_000).contains(&up), "{entry:?}");
}

/// The first operator does not take the call; the second does.
fn next_operator_takes_it(scenario: &str, result: &[&str], setup: &Setup, waits: bool) {
    let engine = Engine::start(setup);
    let _log = LogOnPanic::of(&engine);
    let first = sipp::operators(&engine, scenario, &["anna"], |_| {});
    // The second registers later, so the first has been free for longer and is tried first.
    let second = sipp::operators(&engine, "uas-answer", &["boris"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 9_000);
    if waits {
        first.succeed();
    }
    second.succeed();
    let entry = one(&engine);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let offers = entry.offers();
    assert_eq!(offers.len(), 2, "{entry:?}");
    assert_eq!(offers[0].0, "anna");
    assert!(result.contains(&offers[0].1.as_str()), "{offers:?}");
    assert_eq!(offers[1], ("boris".to_owned(), "answered".to_owned()));
    assert_eq!(entry.number("offers_unanswered"), Some(1));
}

fn two_operators() -> Setup {
    Setup {
        ring_time: "3s",
        rest_after_no_answer: "30s",
        ..setup(&["anna", "boris"])
    }
}

#[test]
fn a_busy_operator_passes_the_call_on() {
    // Without a delay before the same operator is tried again, it would be tried for ever.
    next_operator_takes_it("uas-busy-486", &["busy"], &two_operators(), true);
}

#[test]
fn a_declining_operator_passes_the_call_on() {
    next_operator_takes_it("uas-decline-603", &["rejected"], &two_operators(), true);
}

#[test]
fn an_operator_who_does_not_answer_passes_the_call_on() {
    next_operator_takes_it(
        "uas-rings-cancelled",
        &["no_answer"],
        &two_operators(),
        true,
    );
}

#[test]
fn a_dead_telephone_passes_the_call_on() {
    next_operator_takes_it(
        "uas-dead",
        &["no_answer", "unreachable"],
        &two_operators(),
        false,
    );
}

#[test]
fn the_load_hears_every_talk_whole_and_agrees_with_the_journal() {
    let logins: Vec<String> = (0..6).map(|n| format!("operator{n}")).collect();
    let engine = Engine::start(&Setup {
        operators: logins.clone(),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let net = engine.place.net;
    let seconds = Duration::from_secs;
    let load = load::Load::start(LoadSettings {
        caller_address: net.callers,
        operator_address: net.operators,
        operators: logins
            .iter()
            .map(|login| OperatorAccount::new(login, crate::harness::password(login)))
            .collect(),
        behaviour: OperatorBehaviour {
            answer_delay: DurationRange::new(
                Duration::from_millis(100),
                Duration::from_millis(600),
            ),
            busy: 0.1,
            reject: 0.1,
            ..OperatorBehaviour::default()
        },
        callers: CallerPattern {
            number: crate::harness::NUMBER.to_owned(),
            calls: Some(30),
            rate: 10.0,
            at_once: 12,
            talk: DurationRange::new(seconds(1), seconds(3)),
            ..CallerPattern::default()
        },
        ..LoadSettings::new(engine.sip)
    })
    .unwrap();
    let finished_in_time = load.wait(seconds(90));
    let report = load.stop();
    assert!(finished_in_time, "{:?}", report.counts);
    assert_eq!(report.not_registered, []);
    assert_eq!(report.strange_offers, []);
    assert_eq!(report.counts.double_offers, 0, "{:?}", report.counts);
    let entries = finished(&engine.place, 30);
    for call in &report.calls {
        assert_eq!(call.judge(), Ok(()), "{call:?}");
        let entry = entries
            .iter()
            .find(|entry| entry.text("sip_call_id") == call.sip_call_id)
            .unwrap_or_else(|| panic!("no entry of {call:?}"));
        let talk = call.talk().unwrap();
        assert_eq!(entry.text("operator_login"), talk.login);
        assert_eq!(entry.text("outcome"), "answered");
        let by = if talk.hung_up { "operator" } else { "caller" };
        assert_eq!(entry.text("ended_by"), by, "{entry:?} {call:?}");
        assert_eq!(
            entry.number("offers"),
            Some(call.offers.len() as i64),
            "{entry:?}"
        );
        let failed = call
            .offers
            .iter()
            .filter(|offer| offer.end != OfferEnd::Talked)
            .count();
        assert_eq!(
            entry.number("offers_unanswered"),
            Some(failed as i64),
            "{entry:?}"
        );
        let heard = call.talked().unwrap().as_millis() as i64;
        let journaled = entry.number("talk_ms").unwrap();
        assert!(
            (heard - journaled).abs() < 500,
            "{heard} ms by the telephone, {entry:?}"
        );
        entry.check_recording(&engine.place);
    }
}
