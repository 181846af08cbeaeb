//! Transfers with SIPp as operators' telephones: the one entry, its segments, and a recording of each.

use std::time::Duration;

use crate::harness::audio::Recording;
use crate::harness::journal::{Entry, finished};
use crate::harness::{Engine, LogOnPanic, Net, Setup, password, sipp};

/// Long enough for whatever follows at once, on a machine that builds something else as well.
const SOON: Duration = Duration::from_secs(30);

fn engine() -> Engine {
    Engine::start(&Setup {
        operators: vec!["anna".to_owned(), "boris".to_owned()],
        ..Setup::default()
    })
}

/// Who talked, segment by segment, once each has its recording.
fn served(engine: &Engine, count: usize) -> (Entry, Vec<String>) {
    let place = &engine.place;
    let entry = crate::harness::until("a recording of every segment", SOON, || {
        let entry = finished(place, 1).remove(0);
        (entry.rows("recording_list").len() == count).then_some(entry)
    });
    let segments = entry.rows("segment_list");
    for (segment, recording) in segments.iter().zip(entry.rows("recording_list")) {
        let path = recording.text("path");
        assert!(!path.is_empty(), "no recording: {entry:?}");
        let length = Recording::read(&place.path("recordings").join(path)).ms() as i64;
        let talk = segment.number("talk_ms").unwrap();
        assert!((length - talk).abs() <= 60, "{length} of {talk} ms");
    }
    let talk: i64 = segments.iter().filter_map(|s| s.number("talk_ms")).sum();
    assert_eq!(entry.number("talk_ms"), Some(talk));
    assert!(talk <= entry.number("duration_ms").unwrap());
    let login = |segment: &Entry| segment.text("operator_login").to_owned();
    let logins = segments.iter().map(login).collect();
    (entry, logins)
}

/// Anna takes the call and transfers it to `target`; boris does what `other` says.
fn transferred(scenario: &str, target: &str, other: &str) -> (Engine, LogOnPanic) {
    let engine = engine();
    let log = LogOnPanic::of(&engine);
    let anna = sipp::operators(&engine, scenario, &["anna"], |options| {
        options.stay = 1_500;
        options.number = target.to_owned();
    });
    let boris = sipp::operators(&engine, other, &["boris"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 6_000);
    anna.succeed();
    boris.succeed();
    (engine, log)
}

#[test]
fn a_blind_transfer_to_a_line_is_one_call_with_two_recorded_segments() {
    let (engine, _log) = transferred("uas-answer-refer-202", "102", "uas-answer");
    let (entry, served) = served(&engine, 2);
    assert_eq!(served, ["anna", "boris"]);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(entry.number("transfers"), Some(1));
    let transfer = entry.rows("transfer_list").remove(0);
    assert_eq!(transfer.text("kind"), "blind");
    assert_eq!(transfer.text("target"), "102");
    assert_eq!(transfer.text("result"), "done");
}

#[test]
fn a_blind_transfer_to_a_queue_is_served_by_the_next_operator() {
    let (engine, _log) = transferred("uas-answer-refer-202", "operators", "uas-answer");
    let (entry, served) = served(&engine, 2);
    assert_eq!(served, ["anna", "boris"]);
    assert_eq!(entry.rows("queue_list").len(), 2, "{entry:?}");
}

#[test]
fn a_transfer_that_fails_returns_the_caller_to_the_operator() {
    let (engine, _log) = transferred("uas-answer-refer-202", "boris", "uas-busy-486");
    let (entry, served) = served(&engine, 2);
    assert_eq!(served, ["anna", "anna"]);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let transfer = entry.rows("transfer_list").remove(0);
    assert_eq!(transfer.text("result"), "busy");
    assert_eq!(entry.number("transfers"), Some(0));
}

#[test]
fn a_telephone_that_hangs_up_right_after_the_202_has_transferred() {
    let (engine, _log) = transferred("uas-answer-refer-bye", "102", "uas-answer");
    let (_, served) = served(&engine, 2);
    assert_eq!(served, ["anna", "boris"]);
}

#[test]
fn a_trunk_that_transfers_by_refer_takes_the_caller_and_the_entry_ends_answered() {
    let net = Net::fresh();
    let settings = "transfer = \"refer\"\ndial_allowed = [\"+7\"]";
    let engine = Engine::start(&Setup {
        trunk: format!("{settings}\nservers = [\"{}:5060\"]", net.callers),
        net,
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let anna = sipp::operators(&engine, "uas-answer-refer-202", &["anna"], |options| {
        options.stay = 1_500;
        options.number = "+74951112233".to_owned();
    });
    sipp::call(&engine, "uac-referred-202", |_| {});
    anna.succeed();
    let (entry, served) = served(&engine, 1);
    assert_eq!(served, ["anna"]);
    assert_eq!(entry.end(), ("answered", "operator"), "{entry:?}");
    let transfer = entry.rows("transfer_list").remove(0);
    assert_eq!(transfer.text("target"), "+74951112233");
    assert_eq!(transfer.text("result"), "done");
}

#[test]
fn a_transfer_to_nobody_is_refused_and_the_talk_goes_on() {
    let engine = engine();
    let _log = LogOnPanic::of(&engine);
    let anna = sipp::operators(&engine, "uas-answer-refer-404", &["anna"], |options| {
        options.stay = 1_000;
        options.number = "nobody".to_owned();
    });
    sipp::call(&engine, "uac-talk", |options| options.stay = 4_000);
    anna.succeed();
    let (entry, served) = served(&engine, 1);
    assert_eq!(served, ["anna"]);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert!(entry.rows("transfer_list").is_empty(), "{entry:?}");
}

#[test]
fn a_consultation_that_is_joined_by_replaces_becomes_a_segment_of_the_call() {
    let engine = engine();
    let _log = LogOnPanic::of(&engine);
    let anna = sipp::operators(&engine, "uas-answer-replaces-202", &["anna"], |options| {
        options.stay = 1_000;
        options.number = "102".to_owned();
        // A telephone that calls has to know where.
        options.remote = Some(engine.sip);
        options.fields = vec![sipp::credentials("anna", &password("anna"))];
    });
    let boris = sipp::operators(&engine, "uas-answer", &["boris"], |_| {});
    sipp::call(&engine, "uac-talk", |options| options.stay = 7_000);
    anna.succeed();
    boris.succeed();
    let entries = finished(&engine.place, 2);
    let of = |direction: &str| entries.iter().find(|e| e.text("direction") == direction);
    let entry = of("inbound").unwrap_or_else(|| panic!("{entries:#?}"));
    let logins: Vec<_> = entry
        .rows("segment_list")
        .iter()
        .map(|segment| segment.text("operator_login").to_owned())
        .collect();
    assert_eq!(logins, ["anna", "boris"], "{entries:#?}");
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let transfer = entry.rows("transfer_list").remove(0);
    assert_eq!(transfer.text("kind"), "attended");
    assert_eq!(transfer.text("result"), "done");
}
