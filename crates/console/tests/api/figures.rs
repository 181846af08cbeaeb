//! Figures for Prometheus: the text against its format, and every figure against a known state.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use journal::Health;
use journal::letters::{Fate, Letters};
use journal::metrics::{Clocks, Durations};
use serde_json::json;
use vocab::{
    CallId, Event, EventId, Fact, LiveConnections, LiveCounts, LiveOperator, LiveProcess,
    LiveQueue, LiveRecording, LiveTrunk, OfferId, OfferResult, OperatorId, OperatorState,
    QueueOutcome, RegistrationState, Snapshot, Time, WallTime,
};

use crate::{AT, BOOT, Office, bytes, operator};

/// What somebody may have named a queue, a trunk, a webhook.
const HOSTILE: &str = "a\"} evil 1\n\\";

/// The same in a label.
const ESCAPED: &str = "a\\\"} evil 1\\n\\\\";

fn queue(name: &str, n: u32) -> LiveQueue {
    LiveQueue {
        name: name.to_owned(),
        open: n == 1,
        refuses: (n > 1).then_some(QueueOutcome::Closed),
        waiting: 10 + n,
        longest_wait_ms: 61_000 + u64::from(n),
        callbacks: 20 + n,
        free: 30 + n,
        serving: 40 + n,
    }
}

fn at_line(n: u32, state: OperatorState, at_line: bool) -> LiveOperator {
    LiveOperator {
        id: OperatorId(n),
        name: "<b>Оператор</b>".to_owned(),
        line: "101".to_owned(),
        at_line,
        status: "available".to_owned(),
        state,
        since_ms: 1_500 * u64::from(n),
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let trunk = |name: &str, registration| LiveTrunk {
        name: name.to_owned(),
        registration,
        servers: vec![
            ("sip:192.0.2.1".to_owned(), true),
            ("sip:192.0.2.2".to_owned(), false),
        ],
        calls_in: 2,
        calls_out: 3,
    };
    Snapshot {
        counts: LiveCounts {
            calls: 7,
            waiting: 23,
            talking: 5,
            one_way: 1,
            one_way_begun: 4,
            longest_wait_ms: 61_250,
            arrived: 101,
            answered: 102,
            abandoned: 103,
            refused: 104,
            auth_failures: 105,
            dropped: 106,
            malformed: 107,
            bugs: 108,
        },
        queues: vec![queue("health", 1), queue(HOSTILE, 2)],
        operators: vec![
            at_line(1, OperatorState::Talking, true),
            // Whose own line it is.
            at_line(2, OperatorState::Unreachable, false),
        ],
        trunks: vec![
            trunk(HOSTILE, Some(RegistrationState::Failed)),
            trunk("plain", None),
        ],
    }
}

pub(crate) fn health() -> Health {
    Health {
        backlog: 201,
        lag: 202,
        disk_failing: true,
        database_failing: false,
        disk_errors: 203,
        database_errors: 204,
        syncs: 205,
        sync_us_max: 2_500,
        lost: 206,
    }
}

pub(crate) fn recording() -> LiveRecording {
    LiveRecording {
        stored: 301,
        missing: 302,
        dropped: 303,
        spool_bytes: 304,
        waiting: 3,
        lag_ms: 61_500,
        disk_failing: true,
        uploads_waiting: 4,
        uploads_oldest_ms: 7_250,
        upload_failures: 305,
    }
}

pub(crate) fn process() -> LiveProcess {
    LiveProcess {
        started: WallTime::from_unix_millis(AT - 500),
        draining: true,
        media_dead: false,
        media_late: 401,
        overdue_answers: 402,
        trace_dropped: 403,
        datagrams_unsent: 404,
        connections: LiveConnections {
            turned_away: 405,
            queue_full: 406,
            slow: 407,
            framing_lost: 408,
            handshakes_failed: 409,
            unconnected: 410,
        },
    }
}

/// Waits of 20 s and 20.5 s, a ringing of 3 s, a talk of 61 s.
pub(crate) fn durations() -> Durations {
    let mut clocks = Clocks::default();
    let mut tell = |ms: u64, fact| {
        clocks.take(&Event {
            id: EventId::new(BOOT, 1),
            at: WallTime::default(),
            up: Time::from_millis(ms),
            fact,
        });
    };
    for (n, wait) in [(1, 20_000), (2, 20_500)] {
        let call = CallId::new(BOOT, n);
        let queue = HOSTILE.to_owned();
        let entered = Fact::QueueEntered {
            call,
            queue: queue.clone(),
            priority: 0,
            skills: Vec::new(),
        };
        tell(0, entered);
        let outcome = QueueOutcome::Answered;
        let left = Fact::QueueLeft {
            call,
            queue,
            outcome,
        };
        tell(wait, left);
    }
    let (call, offer) = (CallId::new(BOOT, 3), OfferId::new(BOOT, 3));
    let made = Fact::OfferMade {
        call,
        offer,
        queue: String::new(),
        operator: operator(),
        why: String::new(),
        considered: Vec::new(),
    };
    tell(0, made);
    let ended = Fact::OfferEnded {
        call,
        offer,
        result: OfferResult::NoAnswer,
        status: None,
    };
    tell(3_000, ended);
    let started = Fact::SegmentStarted {
        call,
        segment: 1,
        party: vocab::Party::Operator(operator()),
        with: None,
        offer: None,
        recorded: true,
    };
    tell(4_000, started);
    let ended = Fact::SegmentEnded {
        call,
        segment: 1,
        ended_by: vocab::EndedBy::Caller,
    };
    tell(65_000, ended);
    clocks.durations().clone()
}

/// Labels with their values.
type Named = Vec<(String, String)>;

/// A family as it was read: its kind, and its samples by name and labels.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    samples: BTreeMap<(String, Named), f64>,
}

/// Reads the text format (version 0.0.4) and refuses what it does not allow.
fn read(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line ends, too");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty(), "{line}");
            let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            let (typed, kind) = kind.split_once(' ').unwrap();
            assert_eq!(typed, name, "HELP and TYPE stand together");
            assert!(["gauge", "counter", "histogram"].contains(&kind), "{kind}");
            let family = Family {
                kind: kind.to_owned(),
                ..Family::default()
            };
            assert!(
                families.insert(name.to_owned(), family).is_none(),
                "{name} twice"
            );
            current = name.to_owned();
            continue;
        }
        let (name, labels, value) = sample(line);
        let family = families.get_mut(&current).unwrap();
        let base = if family.kind == "histogram" {
            let parts = ["_bucket", "_sum", "_count"];
            parts
                .iter()
                .find_map(|part| name.strip_suffix(part))
                .unwrap()
        } else {
            name
        };
        assert_eq!(base, current, "{line} is of the family before it");
        let names: BTreeSet<&String> = labels.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), labels.len(), "{line} has a label twice");
        let before = family.samples.insert((name.to_owned(), labels), value);
        assert_eq!(before, None, "{line} twice");
    }
    families
}

fn is_name(name: &str) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fit) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Name, labels with what they were before they were escaped, value.
fn sample(line: &str) -> (&str, Named, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, value) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let mut read = String::new();
            let mut chars = value.char_indices();
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => read.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c => {
                            assert!(c == '\\' || c == '"', "{line}");
                            c
                        }
                    }),
                    (_, c) => read.push(c),
                }
            };
            labels.push((label.to_owned(), read));
            rest = value.split_at(end).1.strip_prefix('"').unwrap();
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name, labels, value.parse().unwrap())
}

async fn page(office: &Office) -> String {
    let request = Request::get("/metrics").header("authorization", "Bearer metrics");
    let response = office.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    String::from_utf8(bytes(response).await).unwrap()
}

/// Webhooks with a letter that waits and one that is dead.
pub(crate) async fn letters(office: &Office) {
    let database = office.folder.path().join("journal.db");
    for (name, dead) in [("crm", false), (HOSTILE, true)] {
        let mut letters = Letters::open(database.as_path(), name).await.unwrap();
        // One fact for whoever has just begun to listen.
        let note = json!({ "fields": { "action": name } });
        let entry = format!("/api/v1/entries/{}", crate::call(1));
        let (status, _) = office.write("PATCH", &entry, &[], &note).await;
        assert_eq!(status, StatusCode::OK);
        let now = WallTime::from_unix_millis(AT + 590_000);
        letters.put_down(&["entry_edited"], now).await.unwrap();
        if dead {
            let letter = letters.due(now, 1).await.unwrap().remove(0);
            let fate = Fate::Dead {
                at: now,
                problem: "410".to_owned(),
            };
            letters.settle(&[(letter.event.id, fate)]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_page_is_what_prometheus_reads_whatever_things_are_named() {
    let office = Office::new();
    letters(&office).await;
    let text = page(&office).await;
    let families = read(&text);
    for (name, family) in &families {
        assert!(
            !family.samples.is_empty(),
            "{name} has nothing to tell here"
        );
        let counts = family.kind != "gauge";
        let ends = name.ends_with("_total");
        assert_eq!(family.kind == "counter", ends, "{name}");
        let sound = |value: &f64| !counts || (*value >= 0.0 && value.is_finite());
        assert!(family.samples.values().all(sound), "{name}");
        if family.kind == "histogram" {
            histogram(name, family);
        }
    }
    let hostile = families
        .values()
        .flat_map(|family| family.samples.keys())
        .flat_map(|(_, labels)| labels)
        .filter(|(_, value)| value == HOSTILE)
        .map(|(name, _)| name.as_str())
        .collect::<BTreeSet<_>>();
    assert_eq!(hostile, BTreeSet::from(["queue", "trunk", "webhook"]));
    assert!(!text.contains("Оператор"), "no figure names a person");
}

/// Buckets grow up to the count, and the last is for all.
fn histogram(name: &str, family: &Family) {
    let mut series: BTreeMap<Named, Vec<(f64, f64)>> = BTreeMap::new();
    for ((part, labels), value) in &family.samples {
        if part.ends_with("_bucket") {
            let mut labels = labels.clone();
            let (le, bound) = labels.pop().unwrap();
            assert_eq!(le, "le");
            let bound = bound.parse().unwrap();
            series.entry(labels).or_default().push((bound, *value));
        }
    }
    for (labels, mut buckets) in series {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by_key(|bucket| bucket.1), "{buckets:?}");
        let (last, all) = *buckets.last().unwrap();
        assert!(last.is_infinite(), "{name}");
        let count = (format!("{name}_count"), labels.clone());
        let count = family.samples.get(&count).unwrap();
        assert!((all - count).abs() < 0.5, "{name}");
        assert!(
            family
                .samples
                .contains_key(&(format!("{name}_sum"), labels))
        );
    }
}

#[tokio::test]
async fn every_figure_is_that_of_the_state_it_tells_of() {
    let office = Office::new();
    letters(&office).await;
    let text = page(&office).await;
    let of_windows = |line: &&str| line.starts_with("hotline_queue_window_");
    let told = text.lines().filter(|line| !line.starts_with('#'));
    let told: Vec<&str> = told.filter(|line| !of_windows(line)).collect();
    let expected = include_str!("figures.txt").replace("HOSTILE", ESCAPED);
    let expected: Vec<&str> = expected.lines().collect();
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
    assert_eq!(told.len(), expected.len(), "{:?}", told.get(expected.len()));
}

#[tokio::test]
async fn windows_have_every_queue_and_a_level_only_where_somebody_came() {
    let office = Office::new();
    let families = read(&page(&office).await);
    let (mut calls, mut levels, mut waits) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let with = |name: &str, labels: &[(&str, &str)]| {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        (name.to_owned(), labels.iter().map(own).collect::<Vec<_>>())
    };
    for window in [
        "today",
        "last_5_min",
        "last_15_min",
        "last_30_min",
        "last_60_min",
    ] {
        // All five came some ten minutes ago, waited three seconds and were answered.
        let came = window != "last_5_min";
        for queue in ["health", HOSTILE] {
            let labels = [("queue", queue), ("window", window)];
            let answered = if came && queue == "health" { 5.0 } else { 0.0 };
            for outcome in OUTCOMES {
                let name = "hotline_queue_window_calls";
                let sample = with(name, &[labels[0], labels[1], ("outcome", outcome)]);
                let value = if outcome == "answered" { answered } else { 0.0 };
                calls.insert(sample, value);
            }
            if answered > 0.0 {
                for formula in LEVELS {
                    let name = "hotline_queue_window_service_level";
                    levels.insert(
                        with(name, &[labels[0], labels[1], ("formula", formula)]),
                        1.0,
                    );
                }
                waits.insert(
                    with("hotline_queue_window_average_wait_seconds", &labels),
                    3.0,
                );
            }
        }
    }
    assert_eq!(families["hotline_queue_window_calls"].samples, calls);
    assert_eq!(
        families["hotline_queue_window_service_level"].samples,
        levels
    );
    assert_eq!(
        families["hotline_queue_window_average_wait_seconds"].samples,
        waits
    );
}

const OUTCOMES: [&str; 8] = [
    "answered",
    "abandoned",
    "overflowed",
    "timed_out",
    "closed",
    "refused_full",
    "callback_taken",
    "waiting",
];

const LEVELS: [&str; 5] = [
    "answered_only",
    "asterisk_sl2",
    "ignore_abandoned",
    "abandoned_negative",
    "abandoned_positive",
];

#[tokio::test]
async fn without_a_database_the_page_comes_all_the_same_and_says_so() {
    let office = Office::new();
    let database = office.folder.path().join("journal.db");
    std::fs::rename(&database, office.folder.path().join("away")).unwrap();
    let families = read(&page(&office).await);
    let answers: Vec<f64> = families["hotline_database_answers"]
        .samples
        .values()
        .copied()
        .collect();
    assert_eq!(answers, [0.0]);
    assert!(families.contains_key("hotline_queue_waiting"));
    assert!(!families.contains_key("hotline_queue_window_calls"));
}
