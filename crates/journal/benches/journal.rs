//! Event rows per second: into the event file (durable) and into SQLite (committed).
//!
//! `cargo bench -p journal`. Wanted: 50,000 event rows a second durable in SQLite.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails is to stop")]

fn main() {
    divan::main();
}

use std::time::Duration;

use journal::{Settings, start};
use vocab::{
    CallId, EndedBy, Event, EventId, Fact, OfferId, OfferResult, OperatorId, OperatorRef, Outcome,
    QueueOutcome, Time, WallTime,
};

const BOOT: u32 = 1_000;
const EVENTS: u32 = 60_000;
const PER_CALL: u32 = 10;

/// The ten facts of an answered call.
fn fact(n: u32) -> Fact {
    let call = CallId::new(BOOT, n / PER_CALL);
    let offer = OfferId::new(BOOT, n / PER_CALL);
    let queue = || "operators".to_owned();
    let operator = || OperatorRef {
        id: OperatorId(n % 50),
        login: format!("op{}", n % 50),
        name: "Мария Петрова".to_owned(),
        line: format!("{}", 100 + n % 50),
    };
    match n % PER_CALL {
        0 => Fact::CallArrived {
            call,
            number: "1300".to_owned(),
            caller: format!("+7424{n:07}"),
            caller_name: String::new(),
            trunk: "provider".to_owned(),
            plan: "health-line".to_owned(),
            sip_call_id: format!("{n:x}-9f3b22aa@198.51.100.7"),
            direction: vocab::Direction::Inbound,
            operator: None,
            consults: None,
        },
        1 => Fact::CallAnswered { call },
        2 => Fact::NoticePlayed {
            call,
            prompt: "greeting".to_owned(),
        },
        3 => Fact::QueueEntered {
            call,
            queue: queue(),
            priority: 5,
            skills: Vec::new(),
        },
        4 => Fact::OfferMade {
            call,
            offer,
            queue: queue(),
            operator: operator(),
            why: "longest idle of 12 free".to_owned(),
            considered: Vec::new(),
        },
        5 => Fact::OfferEnded {
            call,
            offer,
            result: OfferResult::Answered,
            status: Some(200),
        },
        6 => Fact::QueueLeft {
            call,
            queue: queue(),
            outcome: QueueOutcome::Answered,
        },
        7 => Fact::SegmentStarted {
            call,
            segment: 1,
            party: vocab::Party::Operator(operator()),
            with: None,
            offer: Some(offer),
            recorded: true,
        },
        8 => Fact::SegmentEnded {
            call,
            segment: 1,
            ended_by: EndedBy::Caller,
        },
        _ => Fact::CallEnded {
            call,
            outcome: Outcome::Answered,
            ended_by: EndedBy::Caller,
            status: None,
            reason: String::new(),
        },
    }
}

fn event(n: u32) -> Event {
    let ms = u64::from(n);
    let at = WallTime::from_unix_millis(1_795_340_000_000) + Duration::from_millis(ms);
    Event {
        id: EventId::new(BOOT, n + 1),
        at,
        up: Time::from_millis(ms),
        fact: fact(n),
    }
}

/// From the first append until everything is in SQLite, synced.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn events_into_sqlite(bencher: divan::Bencher<'_, '_>) {
    bencher
        .counter(divan::counter::ItemsCount::new(EVENTS))
        .with_inputs(|| {
            let folder = tempfile::tempdir().unwrap();
            let settings = Settings::new(
                folder.path().join("events"),
                folder.path().join("journal.db"),
            );
            let (journal, _) = start(settings, BOOT, |_| {}).unwrap();
            (folder, journal, (0..EVENTS).map(event).collect::<Vec<_>>())
        })
        .bench_values(|(folder, journal, events)| {
            for event in events {
                journal.append(event);
            }
            assert_eq!(journal.stop().not_in_sql, 0);
            folder
        });
}

/// From the first append until everything is durable in the event file.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn events_into_file(bencher: divan::Bencher<'_, '_>) {
    bencher
        .counter(divan::counter::ItemsCount::new(EVENTS))
        .with_inputs(|| {
            let folder = tempfile::tempdir().unwrap();
            let settings = Settings::new(
                folder.path().join("events"),
                folder.path().join("journal.db"),
            );
            let (told, heard) = std::sync::mpsc::channel();
            let (journal, _) =
                start(settings, BOOT, move |id| told.send(id).unwrap_or_default()).unwrap();
            (
                folder,
                journal,
                heard,
                (0..EVENTS).map(event).collect::<Vec<_>>(),
            )
        })
        .bench_values(|(folder, journal, heard, events)| {
            for event in events {
                journal.append(event);
            }
            while heard.recv().unwrap().counter() < EVENTS {}
            (folder, journal)
        });
}

/// One event alone until it is durable: what an answer to a call waits for.
#[divan::bench(sample_count = 100, sample_size = 1)]
fn one_event_durable(bencher: divan::Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(
        folder.path().join("events"),
        folder.path().join("journal.db"),
    );
    let (told, heard) = std::sync::mpsc::channel();
    let (journal, _) = start(settings, BOOT, move |id| told.send(id).unwrap_or_default()).unwrap();
    let mut n = 0;
    bencher.bench_local(|| {
        journal.append(event(n));
        n += 1;
        while heard.recv().unwrap().counter() < n {}
    });
}
