//! A month of a busy line: `cargo bench -p journal --bench month`.
//!
//! Time until an event is durable under 200 calls a second; then a month of 10,000 calls a day in SQLite:
//! octets of a call, each report by its intervals, the search. `CALLS_A_DAY=500` makes it shorter;
//! `MONTH=folder` keeps the month there, and uses again what is kept there; a month that was not filled to
//! its end, or with another number of calls, is refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails is to stop"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use journal::forms::Forms;
use journal::metrics::Interval;
use journal::report::{self, By, Kind, Wanted, render};
use journal::search::Filter;
use journal::{Location, Settings, query, start};
use vocab::media::Codec;
use vocab::{
    CallId, Direction, EndedBy, EntryField, Event, EventId, Fact, FieldChange, LegCounts, LegId,
    LegQuality, OfferId, OfferResult, OperatorId, OperatorRef, Outcome, Party, PathQuality,
    QueueOutcome, RecordingFile, Time, WallTime,
};

const BOOT: u32 = 1_000;
/// 2026-11-01T00:00:00Z.
const AT: i64 = 1_793_491_200_000;
const DAY_MS: u64 = 86_400_000;
const DAYS: u32 = 30;
const QUEUES: [&str; 5] = ["health", "roads", "water", "light", "other"];

fn main() {
    let calls_a_day: u32 =
        std::env::var("CALLS_A_DAY").map_or(10_000, |calls| calls.parse().unwrap());
    let kept = std::env::var_os("MONTH").map(PathBuf::from);
    let passing = tempfile::tempdir().unwrap();
    let folder = kept.as_deref().unwrap_or(passing.path());
    let database = Location::from(folder.join("journal.db"));
    let filled = folder.join("calls_a_day");
    if !folder.join("journal.db").exists() {
        durable();
        fill(folder, calls_a_day);
        std::fs::write(&filled, calls_a_day.to_string()).unwrap();
    }
    let of = std::fs::read_to_string(&filled).unwrap_or_default();
    assert!(
        of == calls_a_day.to_string(),
        "expected a month of {calls_a_day} calls a day in {}, found {}: remove it, or say CALLS_A_DAY",
        folder.display(),
        if of.is_empty() {
            "one that was not filled to its end"
        } else {
            &of
        }
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let calls = calls_a_day * DAYS;
    // A month that an earlier program filled may lack an index.
    runtime.block_on(journal::migrate(&database)).unwrap();
    runtime.block_on(reports(&database));
    runtime.block_on(search(&database, calls));
}

/// 200 calls a second, each event at its moment, for 20 s: from the append until the disk has it.
fn durable() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(
        folder.path().join("events"),
        folder.path().join("journal.db"),
    );
    let appended: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let waited: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let (begun, took) = (Arc::clone(&appended), Arc::clone(&waited));
    let (journal, _) = start(settings, BOOT, move |id: EventId| {
        let (begun, mut took) = (begun.lock().unwrap(), took.lock().unwrap());
        let now = Instant::now();
        while took.len() < id.counter() as usize {
            let from = begun[took.len()];
            took.push(now - from);
        }
    })
    .unwrap();
    let mut number = 0;
    let from = Instant::now();
    for n in 0..4_000 {
        let due = from + Duration::from_millis(5) * n;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for (_, fact) in facts(n) {
            number += 1;
            appended.lock().unwrap().push(Instant::now());
            journal.append(event(number, 0, fact));
        }
    }
    assert_eq!(journal.stop().not_in_sql, 0);
    let mut waited = waited.lock().unwrap().clone();
    assert_eq!(waited.len(), number as usize);
    waited.sort();
    let at = |part: f64| waited[(waited.len() as f64 * part) as usize];
    println!(
        "200 calls a second, {} events a second: durable after {:.1?} (median), {:.1?} (p99), {:.1?} (longest)",
        number / 20,
        at(0.5),
        at(0.99),
        waited[waited.len() - 1]
    );
}

fn fill(folder: &Path, calls_a_day: u32) {
    let begun = Instant::now();
    let settings = Settings::new(folder.join("events"), folder.join("journal.db"));
    let (journal, _) = start(settings, BOOT, |_| {}).unwrap();
    let mut number = 0;
    for day in 0..u64::from(DAYS) {
        for n in 0..calls_a_day {
            let call = u32::try_from(day).unwrap() * calls_a_day + n;
            let ms = day * DAY_MS + u64::from(n) * DAY_MS / u64::from(calls_a_day);
            for (after, fact) in facts(call) {
                number += 1;
                journal.append(event(number, ms + after, fact));
            }
        }
        while journal.lag() > 100_000 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert_eq!(journal.stop().not_in_sql, 0);
    let took = begun.elapsed();
    let rate = f64::from(number) / took.as_secs_f64();
    println!(
        "{number} events durable in SQLite with all their rows in {took:.1?}: {rate:.0} a second"
    );
    let calls = u64::from(calls_a_day * DAYS);
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
    let events = std::fs::read_dir(folder.join("events")).unwrap();
    let events: u64 = events.map(|file| size(file.unwrap().path())).sum();
    println!(
        "{calls} calls: {} octets a call in SQLite, {} in event files",
        size(folder.join("journal.db")) / calls,
        events / calls
    );
}

fn event(number: u32, ms: u64, fact: Fact) -> Event {
    Event {
        id: EventId::new(BOOT, number),
        at: WallTime::from_unix_millis(AT) + Duration::from_millis(ms),
        up: Time::from_millis(ms),
        fact,
    }
}

fn operator(n: u32) -> OperatorRef {
    OperatorRef {
        id: OperatorId(n % 50 + 1),
        login: format!("op{}", n % 50),
        name: format!("Петрова М. {}", n % 50),
        line: format!("{}", 100 + n % 50),
    }
}

fn leg(call: CallId, n: u32, party: Option<Party>) -> Fact {
    let quality = PathQuality {
        expected: 6_000,
        lost: u64::from(n % 7),
        jitter_us: 300 + n % 5_000,
        jitter_max_us: 9_000,
        mos: u16::try_from(300 + n % 141).unwrap(),
    };
    Fact::LegMeasured {
        call,
        leg: LegId::new(BOOT, n),
        party,
        counts: LegCounts {
            received: 6_000,
            sent: 6_000,
            lost: u64::from(n % 7),
            ..LegCounts::default()
        },
        quality: LegQuality {
            codec: Some(Codec::Pcma),
            from_peer: Some(quality),
            to_peer: Some(quality),
            round_trip_us: Some(20_000 + n % 50_000),
            heard_by_peer: None,
        },
    }
}

/// A call of every tenth caller who hangs up, or else one with a talk of two minutes and its entry.
fn facts(n: u32) -> Vec<(u64, Fact)> {
    let call = CallId::new(BOOT, n + 1);
    let queue = QUEUES[n as usize % QUEUES.len()].to_owned();
    let wait = u64::from(n % 40) * 1_000;
    let mut facts = vec![
        (
            0,
            Fact::CallArrived {
                call,
                number: format!("130{}", n % 10),
                caller: format!("+7424{:07}", n % 90_000),
                caller_name: String::new(),
                trunk: format!("carrier{}", n % 3),
                plan: "line".to_owned(),
                sip_call_id: format!("{n:x}-9f3b22aa@198.51.100.7"),
                direction: Direction::Inbound,
                operator: None,
                consults: None,
            },
        ),
        (100, Fact::CallAnswered { call }),
        (
            2_000,
            Fact::QueueEntered {
                call,
                queue: queue.clone(),
                priority: 5,
                skills: Vec::new(),
            },
        ),
    ];
    if n % 10 == 9 {
        let outcome = QueueOutcome::Abandoned;
        facts.push((
            2_000 + wait,
            Fact::QueueLeft {
                call,
                queue,
                outcome,
            },
        ));
        facts.push((2_000 + wait, ended(call, Outcome::Abandoned)));
        return facts;
    }
    let offer = OfferId::new(BOOT, n + 1);
    let answered = 5_000 + wait;
    let over = answered + 120_000;
    let party = Party::Operator(operator(n));
    facts.extend([
        (
            2_000 + wait,
            Fact::OfferMade {
                call,
                offer,
                queue: queue.clone(),
                operator: operator(n),
                why: "longest idle of 12 free".to_owned(),
                considered: Vec::new(),
            },
        ),
        (
            answered,
            Fact::OfferEnded {
                call,
                offer,
                result: OfferResult::Answered,
                status: Some(200),
            },
        ),
        (
            answered,
            Fact::QueueLeft {
                call,
                queue,
                outcome: QueueOutcome::Answered,
            },
        ),
        (
            answered,
            Fact::SegmentStarted {
                call,
                segment: 1,
                party: party.clone(),
                with: None,
                offer: Some(offer),
                recorded: true,
            },
        ),
        (
            over,
            Fact::SegmentEnded {
                call,
                segment: 1,
                ended_by: EndedBy::Caller,
            },
        ),
        (over, leg(call, n * 2 + 1, None)),
        (over, leg(call, n * 2 + 2, Some(party))),
        (over, ended(call, Outcome::Answered)),
        (over + 500, stored(call)),
        (over + 20_000, Fact::WrapUpEnded { call, segment: 1 }),
    ]);
    facts.extend(written(call, n).map(|fact| (over + 20_000, fact)));
    facts
}

fn ended(call: CallId, outcome: Outcome) -> Fact {
    Fact::CallEnded {
        call,
        outcome,
        ended_by: EndedBy::Caller,
        status: None,
        reason: String::new(),
    }
}

fn stored(call: CallId) -> Fact {
    Fact::RecordingStored {
        call,
        segment: 1,
        file: RecordingFile {
            path: format!("2026/11/22/{call}-1.opus"),
            sha256: "0123456789abcdef".repeat(4),
            bytes: 320_044,
            duration_ms: 120_000,
            caller_packets: 6_000,
            caller_lost: 1,
            operator_packets: 6_000,
            operator_lost: 0,
            dropped: 0,
            repaired: false,
            sound: None,
        },
    }
}

/// The entry as an operator completes it.
fn written(call: CallId, n: u32) -> [Fact; 2] {
    const NAMES: [&str; 4] = [
        "Иванова А. П.",
        "Петров И. И.",
        "Сидорова Н. К.",
        "Ким В. Р.",
    ];
    let change = |field, value: String| FieldChange {
        field,
        value: Some(value),
    };
    let changes = vec![
        change(EntryField::FullName, NAMES[n as usize % 4].to_owned()),
        change(EntryField::Topic, format!("Вопрос {} / {}", n % 20, n % 7)),
        change(
            EntryField::Content,
            format!("не работает {} на улице Мира, дом {}", n % 100, n % 997),
        ),
        change(
            EntryField::Action,
            "заявка передана в диспетчерскую".to_owned(),
        ),
    ];
    let by = format!("op{}", n % 50);
    [
        Fact::EntryEdited {
            call,
            by: by.clone(),
            changes,
        },
        Fact::EntryCompleted { call, by },
    ]
}

async fn reports(database: &Location) {
    let forms = Forms::plain(Duration::from_secs(600));
    let month = (AT, AT + i64::from(DAYS) * 86_400_000);
    let make = async |kind: Kind, interval: Interval, by: By| {
        let wanted = Wanted {
            interval,
            by,
            ..Wanted::new(kind, month, month.1, TimeZone::UTC)
        };
        let begun = Instant::now();
        let made = report::make(database, &forms, &wanted).await.unwrap();
        let json = render::json_text(&made);
        assert!(made.identity);
        (begun.elapsed(), json.len())
    };
    for (name, interval) in Interval::NAMES {
        for (by_name, by) in By::NAMES {
            let (took, octets) = make(Kind::Queue, interval, by).await;
            println!("report queue --interval {name} --by {by_name}: {took:.2?}, {octets} octets");
        }
    }
    for (name, kind) in Kind::NAMES {
        let (took, _) = make(kind, Interval::Whole, By::Queue).await;
        println!("report {name} of the month: {took:.2?}");
    }
}

async fn search(database: &Location, calls: u32) {
    let some = |text: &str| Some(text.to_owned());
    let by = |n: u32| {
        let mut filter = Filter::default();
        match n % 8 {
            0 => filter.person = Some(format!("8424{:07}", n * 7 % 90_000)),
            // Of every tenth call nothing is written, so there is no "Вопрос 9".
            1 => filter.topic = Some(format!("Вопрос {}", n % 9)),
            2 => filter.operator = Some(format!("op{}", n % 50)),
            3 => filter.queue = some(QUEUES[n as usize % 5]),
            4 => filter.outcome = some("abandoned"),
            5 => filter.text = Some(format!("улице {}", n % 997)),
            6 => filter.text = some("Сидорова диспетчерскую"),
            _ => filter.completed = Some(false),
        }
        filter
    };
    let mut took: [Vec<Duration>; 8] = Default::default();
    for n in 0..400 {
        let begun = Instant::now();
        let mut journal = query::open(database).await.unwrap();
        let page = journal.find(&by(n), None, 50).await.unwrap();
        took[n as usize % 8].push(begun.elapsed());
        assert!(!page.entries.is_empty() || calls < 100_000 || n % 8 == 7);
    }
    let names = [
        "number",
        "topic",
        "operator",
        "queue",
        "outcome",
        "rare word",
        "two words",
        "open",
    ];
    let mut all: Vec<Duration> = Vec::new();
    for (name, mut took) in names.into_iter().zip(took) {
        took.sort();
        println!(
            "search by {name}: median {:.2?}, longest {:.2?}",
            took[25], took[49]
        );
        all.extend(took);
    }
    all.sort();
    println!("search, all kinds: p99 {:.2?}", all[all.len() * 99 / 100]);
}
