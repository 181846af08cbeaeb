//! The trace as a whole: whose messages are kept, found and forgotten.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;

use sip::{Flow, Transport};
use trace::{Direction, Packet, Settings, Tracer, Wanted, find, start};
use vocab::CallId;

const NOW: i64 = 1_795_340_000_000_000;

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "[2001:db8::1]:5060".parse().unwrap(),
        remote: "[2001:db8::2]:5060".parse().unwrap(),
    }
}

fn say(tracer: &Tracer, at_us: i64, id: &str) {
    let text = format!("OPTIONS sip:a SIP/2.0\r\ni: {id}\r\nCSeq: 1 OPTIONS\r\n\r\n");
    tracer.message(at_us, &flow(), Direction::In, text.into_bytes());
}

/// Runs a trace to its end in the folder.
fn run(folder: &Path, record: impl FnOnce(&Tracer)) {
    let (tracer, running) = start(Settings::new(folder)).unwrap();
    record(&tracer);
    drop(tracer);
    running.join();
}

fn of_call(folder: &Path, call: CallId) -> Vec<Packet> {
    let wanted = Wanted {
        call: Some(call),
        ..Wanted::default()
    };
    find(folder, &wanted).unwrap()
}

#[test]
fn a_flood_of_strangers_costs_no_call_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let call = CallId::new(7, 1);
    // The age of the settings counts from now, so the messages are of now.
    let now = now_us();
    run(folder.path(), |tracer| {
        tracer.leg(call, "ours");
        for n in 0..3_000 {
            say(tracer, now, "flood");
            if n % 100 == 0 {
                say(tracer, now, "ours");
            }
        }
    });
    assert_eq!(of_call(folder.path(), call).len(), 30);
    let flood = find(folder.path(), &Wanted::sip_call_id("flood")).unwrap();
    assert!((1..=1_000).contains(&flood.len()), "{}", flood.len());
}

#[test]
fn messages_before_the_fact_and_long_after_the_end_belong_to_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let call = CallId::new(7, 1);
    let now = now_us();
    run(folder.path(), |tracer| {
        say(tracer, now, "a");
        tracer.leg(call, "a");
        say(tracer, now + 1, "a");
        tracer.ended(call, now);
        say(tracer, now + 2, "a");
    });
    assert_eq!(of_call(folder.path(), call).len(), 2);
    assert_eq!(
        find(folder.path(), &Wanted::sip_call_id("a"))
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_second_process_goes_on_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let now = now_us();
    for n in 0..3 {
        run(folder.path(), |tracer| say(tracer, now + n, "a"));
    }
    let found = find(folder.path(), &Wanted::sip_call_id("a")).unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    // Only files that reach into the range are read.
    let late = Wanted {
        from_us: Some(now + 3_600_000_000),
        ..Wanted::sip_call_id("a")
    };
    assert!(find(folder.path(), &late).unwrap().len() < 3);
    let early = Wanted {
        to_us: Some(now - 1),
        ..Wanted::sip_call_id("a")
    };
    assert_eq!(find(folder.path(), &early).unwrap(), []);
}

#[test]
fn what_is_too_old_is_gone_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), |tracer| say(tracer, NOW, "old"));
    let settings = Settings {
        age: std::time::Duration::from_secs(3_600),
        ..Settings::new(folder.path())
    };
    let name = folder.path().join("others-20200101T000000.000000Z.pcapng");
    std::fs::write(&name, trace::pcapng::head()).unwrap();
    let (tracer, running) = start(settings).unwrap();
    assert!(!name.exists());
    drop(tracer);
    running.join();
}

fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_micros()).unwrap()
}
