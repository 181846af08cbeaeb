//! The live picture, and the windows of queues with stays at their very edges.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jiff::tz::TimeZone;
use journal::Settings;
use journal::desk::{Answer, Desk, Ledger, Stated, Statement};
use journal::forms::Forms;
use serde_json::{Value, json};
use vocab::{
    CallId, Direction, EndedBy, Event, EventId, Fact, Outcome, QueueOutcome, Time, WallTime,
};

use crate::{AT, BOOT, Office, bytes};

const MINUTE: i64 = 60_000;

/// Seven minutes after midnight in Vladivostok (UTC+10): 2026-11-22T14:07:00Z.
const NOW: i64 = AT + 16_420_000;

/// Nobody writes here but the engine.
struct Nobody;

impl Ledger for Nobody {
    fn state(&self, _: Statement) -> Answer<'_, Result<Stated, String>> {
        Box::pin(std::future::ready(Err("nobody writes".to_owned())))
    }

    fn in_sql(&self, _: EventId) -> Answer<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Queue, how long ago it was entered, the wait, how it ended; none while it lasts.
type Stay = (&'static str, i64, i64, Option<QueueOutcome>);

/// At each edge one lies inside, and one a millisecond outside or in the next longer window.
const STAYS: [Stay; 11] = [
    ("a", 60 * MINUTE + 1, 1_000, Some(QueueOutcome::Answered)),
    ("a", 60 * MINUTE, 20_000, Some(QueueOutcome::Answered)),
    ("a", 30 * MINUTE, 20_001, Some(QueueOutcome::Answered)),
    ("a", 15 * MINUTE + 1, 5_000, Some(QueueOutcome::Abandoned)),
    ("a", 15 * MINUTE, 30_000, Some(QueueOutcome::Abandoned)),
    ("a", 7 * MINUTE + 1, 10_000, Some(QueueOutcome::Answered)),
    // Midnight.
    ("a", 7 * MINUTE, 3_000, Some(QueueOutcome::Answered)),
    // It ended within five minutes, and was entered before.
    ("a", 5 * MINUTE + 1, 60_000, Some(QueueOutcome::Answered)),
    ("a", 5 * MINUTE, 1_000, Some(QueueOutcome::Answered)),
    ("b", 5_000, 2_000, Some(QueueOutcome::Overflowed)),
    ("a", 4_000, 4_000, None),
];

fn events() -> Vec<Event> {
    let mut facts: Vec<(i64, Fact)> = Vec::new();
    for (n, (queue, ago, wait, outcome)) in (1..).zip(STAYS) {
        let (call, queue) = (CallId::new(BOOT, n), queue.to_owned());
        let entered = NOW - ago;
        let arrived = Fact::CallArrived {
            call,
            number: "1300".to_owned(),
            caller: format!("+7424212345{n:02}"),
            caller_name: String::new(),
            trunk: "carrier".to_owned(),
            plan: "plan".to_owned(),
            sip_call_id: format!("sip-{n}"),
            direction: Direction::Inbound,
            operator: None,
            consults: None,
        };
        facts.push((entered, arrived));
        let fact = Fact::QueueEntered {
            call,
            queue: queue.clone(),
            priority: 0,
            skills: Vec::new(),
        };
        facts.push((entered, fact));
        let Some(outcome) = outcome else { continue };
        let left = Fact::QueueLeft {
            call,
            queue,
            outcome,
        };
        facts.push((entered + wait, left));
        let ended = Fact::CallEnded {
            call,
            outcome: Outcome::Served,
            ended_by: EndedBy::Caller,
            status: None,
            reason: String::new(),
        };
        facts.push((entered + wait, ended));
    }
    facts.sort_by_key(|(at, _)| *at);
    let began = NOW - 2 * 60 * MINUTE;
    let events = (1..).zip(facts).map(|(n, (at, fact))| Event {
        id: EventId::new(BOOT, n),
        at: WallTime::from_unix_millis(at),
        up: Time::from_millis(u64::try_from(at - began).unwrap()),
        fact,
    });
    events.collect()
}

/// An office at [`NOW`] whose engine runs.
async fn office(zone: TimeZone) -> Office {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("journal.db");
    let settings = Settings::new(folder.path().join("events"), database);
    let (journal, _) = journal::start(settings.clone(), BOOT, |_| {}).unwrap();
    let events = events();
    let last = events.last().unwrap().id;
    for event in events {
        journal.append(event);
    }
    let mut progress = journal.progress();
    progress.reached(last).await;
    let forms = Forms::plain(std::time::Duration::from_secs(600));
    let desk = Desk::new(
        &settings.database,
        std::sync::Arc::new(forms),
        std::sync::Arc::new(Nobody),
    );
    let office = Office::over(folder, &settings, (desk, progress), zone).written_by(journal);
    office.clock(NOW - AT - 600_000);
    office
}

fn vladivostok() -> TimeZone {
    TimeZone::get("Asia/Vladivostok").unwrap()
}

/// The rows of a window by their names.
fn rows(windows: &Value, window: &str) -> BTreeMap<String, Value> {
    let rows = windows[window].as_array().unwrap();
    let named = rows.iter().map(|row| {
        let name = row["name"].as_str().unwrap();
        (name.to_owned(), row.clone())
    });
    let named: BTreeMap<String, Value> = named.collect();
    assert_eq!(named.len(), rows.len(), "{window}");
    named
}

/// Offered, answered, abandoned, waiting; average and longest wait.
fn counts(row: &Value) -> Value {
    let names = [
        "offered",
        "answered",
        "abandoned",
        "waiting",
        "average_wait",
        "longest_wait",
    ];
    names.iter().map(|name| row[name].clone()).collect()
}

fn levels(row: &Value) -> [f64; 5] {
    [
        "answered_only",
        "asterisk_sl2",
        "ignore_abandoned",
        "abandoned_negative",
        "abandoned_positive",
    ]
    .map(|name| row[name].as_f64().unwrap())
}

#[tokio::test]
async fn each_window_has_the_stays_entered_in_it_to_the_millisecond() {
    let office = office(vladivostok()).await;
    let told = office.json("/api/v1/queues").await;
    for (window, expected, level) in [
        (
            "last_5_min",
            json!([2, 1, 0, 1, 1_000.0, 4_000.0]),
            [1.0; 5],
        ),
        (
            "last_15_min",
            json!([6, 4, 1, 1, 18_500.0, 60_000.0]),
            [0.75, 3.0 / 5.0, 3.0 / 5.0, 3.0 / 5.0, 3.0 / 5.0],
        ),
        (
            "last_30_min",
            json!([8, 5, 2, 1, 18_800.2, 60_000.0]),
            [3.0 / 5.0, 4.0 / 7.0, 3.0 / 6.0, 3.0 / 7.0, 4.0 / 7.0],
        ),
        (
            "last_60_min",
            json!([9, 6, 2, 1, 114_001.0 / 6.0, 60_000.0]),
            [4.0 / 6.0, 5.0 / 8.0, 4.0 / 7.0, 4.0 / 8.0, 5.0 / 8.0],
        ),
        (
            "today",
            json!([4, 3, 0, 1, 64_000.0 / 3.0, 60_000.0]),
            [2.0 / 3.0; 5],
        ),
    ] {
        let rows = rows(&told, window);
        assert_eq!(counts(&rows["a"]), expected, "{window}");
        assert_eq!(levels(&rows["a"]), level, "{window}");
        assert_eq!(rows["b"]["overflowed"], 1, "{window}");
        let all = rows["all"]["offered"].as_u64();
        let both = ["a", "b"].map(|name| rows[name]["offered"].as_u64().unwrap());
        assert_eq!(all, Some(both.iter().sum()), "{window}");
    }
}

#[tokio::test]
async fn today_begins_at_midnight_of_the_installation_and_a_threshold_is_inclusive() {
    let office = office(TimeZone::UTC).await;
    let told = office.json("/api/v1/queues?within_ms=20001").await;
    assert_eq!(rows(&told, "today")["a"]["offered"], 10);
    let half_an_hour = &rows(&told, "last_30_min")["a"];
    assert_eq!(half_an_hour["answered_in_time"], 4);
    let told = office.json("/api/v1/queues?within_ms=20000").await;
    assert_eq!(rows(&told, "last_30_min")["a"]["answered_in_time"], 3);
}

#[tokio::test]
async fn a_window_moves_with_the_clock() {
    let office = office(vladivostok()).await;
    office.clock(1);
    let told = office.json("/api/v1/queues").await;
    let five = &rows(&told, "last_5_min")["a"];
    assert_eq!(counts(five), json!([1, 0, 0, 1, null, 4_001.0]));
    assert_eq!(five["answered_only"], Value::Null, "of nothing");
    assert_eq!(rows(&told, "last_15_min")["a"]["offered"], 5);
    assert_eq!(
        rows(&told, "today")["a"]["offered"],
        4,
        "the day does not move"
    );
}

#[tokio::test]
async fn the_live_picture_has_queues_lines_and_their_windows_for_who_asks() {
    let office = office(vladivostok()).await;
    let live = office.json("/api/v1/live").await;
    assert_eq!(live["counts"]["calls"], 7);
    let health = json!({
        "name": "health",
        "open": true,
        "refuses": null,
        "waiting": 11,
        "longest_wait_ms": 61_001,
        "callbacks": 21,
        "free": 31,
        "serving": 41,
    });
    assert_eq!(live["queues"][0], health);
    assert_eq!(live["queues"][1]["refuses"], "closed");
    let line = &live["operators"][0];
    let told = ["line", "state", "since_ms", "at_line"].map(|name| line[name].clone());
    assert_eq!(
        told,
        [json!("101"), json!("talking"), json!(1_500), json!(true)]
    );
    assert_eq!(live["windows"], Value::Null);
    let live = office.json("/api/v1/live?windows=true").await;
    let queues = office.json("/api/v1/queues").await;
    for window in [
        "today",
        "last_5_min",
        "last_15_min",
        "last_30_min",
        "last_60_min",
    ] {
        assert_eq!(live["windows"][window], queues[window], "{window}");
    }
    assert_eq!(queues["queues"], live["queues"]);
    assert_eq!(queues["now"], live["counts"]);
    let bad = office.get("/api/v1/live?windows=yes").await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    assert!(
        String::from_utf8(bytes(bad).await)
            .unwrap()
            .contains("true or false")
    );
}
