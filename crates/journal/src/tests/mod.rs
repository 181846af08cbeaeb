//! What the tests share: histories of calls written as an engine would state them.

mod bindings;
mod both;
mod crash;
mod days;
mod desk;
mod fold;
mod handover;
mod hostile;
mod letters;
mod messages;
mod people;
mod personal;
mod persons;
mod random;
mod rebuild;
mod repeats;
mod reports;
mod running;
mod server;
mod standing;
mod trouble;
mod workbooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use vocab::{
    CallId, Direction, EndedBy, Event, EventId, Fact, HeldBy, LegId, MissingReason, OfferId,
    OfferResult, OperatorId, OperatorRef, Outcome, Party, QueueOutcome, RecordingFile, Time,
    WallTime,
};

use crate::journal::start_with;
use crate::rows::CallRows;
use crate::{Journal, Recovery, Settings, query};

pub(crate) const BOOT: u32 = 0x0cff_0000;
const AT: i64 = 1_795_340_000_000;

/// Events of one boot, with rising ids and times.
pub(crate) struct History {
    boot: u32,
    counter: u32,
    ms: u64,
    pub(crate) events: Vec<Event>,
}

impl History {
    pub(crate) fn new(boot: u32) -> Self {
        Self {
            boot,
            counter: 0,
            ms: 5_000,
            events: Vec::new(),
        }
    }

    /// Lets time pass.
    pub(crate) fn after(&mut self, ms: u64) -> &mut Self {
        self.ms += ms;
        self
    }

    pub(crate) fn say(&mut self, fact: Fact) -> &mut Self {
        self.counter += 1;
        self.events.push(Event {
            id: EventId::new(self.boot, self.counter),
            at: WallTime::from_unix_millis(AT + i64::try_from(self.ms).unwrap()),
            up: Time::from_millis(self.ms),
            fact,
        });
        self
    }

    pub(crate) fn all(&mut self, facts: impl IntoIterator<Item = Fact>) -> &mut Self {
        for fact in facts {
            self.say(fact);
        }
        self
    }
}

/// Wall time of a history's millisecond.
pub(crate) const fn wall(ms: i64) -> i64 {
    AT + 5_000 + ms
}

pub(crate) fn operator(n: u32) -> OperatorRef {
    OperatorRef {
        id: OperatorId(n),
        login: format!("op{n}"),
        name: format!("Оператор {n}"),
        line: format!("{}", 100 + n),
    }
}

pub(crate) fn call(n: u32) -> CallId {
    CallId::new(BOOT, n)
}

pub(crate) fn offer_id(call: CallId, n: u32) -> OfferId {
    OfferId::new(call.boot(), call.counter() * 100 + n)
}

pub(crate) fn arrived(call: CallId) -> Fact {
    Fact::CallArrived {
        call,
        number: "1300".into(),
        caller: format!("+7424200{:04}", call.counter()),
        caller_name: "Иванова А.".into(),
        trunk: "provider".into(),
        plan: "health-line".into(),
        sip_call_id: format!("sip-{call}"),
        direction: Direction::Inbound,
        operator: None,
        consults: None,
    }
}

pub(crate) fn queued(call: CallId) -> Fact {
    Fact::QueueEntered {
        call,
        queue: "operators".into(),
        priority: 5,
        skills: vec![("health".into(), 50)],
    }
}

pub(crate) fn left(call: CallId, outcome: QueueOutcome) -> Fact {
    Fact::QueueLeft {
        call,
        queue: "operators".into(),
        outcome,
    }
}

pub(crate) fn offered(call: CallId, n: u32, to: u32) -> Fact {
    Fact::OfferMade {
        call,
        offer: offer_id(call, n),
        queue: "operators".into(),
        operator: operator(to),
        why: "longest idle".into(),
        considered: Vec::new(),
    }
}

pub(crate) fn leg_started(call: CallId, n: u32, to: u32) -> Fact {
    Fact::LegStarted {
        call,
        leg: LegId::new(call.boot(), n),
        party: Party::Operator(operator(to)),
        sip_call_id: format!("sip-{call}-{n}"),
    }
}

pub(crate) fn offer_ended(call: CallId, n: u32, result: OfferResult, status: u16) -> Fact {
    let status = (status != 0).then_some(status);
    Fact::OfferEnded {
        call,
        offer: offer_id(call, n),
        result,
        status,
    }
}

pub(crate) fn talk(call: CallId, segment: u16, n: u32, to: u32) -> Fact {
    let offer = offer_id(call, n);
    Fact::SegmentStarted {
        call,
        segment,
        party: Party::Operator(operator(to)),
        with: None,
        offer: Some(offer),
        recorded: true,
    }
}

pub(crate) fn talk_ended(call: CallId, segment: u16, ended_by: EndedBy) -> Fact {
    Fact::SegmentEnded {
        call,
        segment,
        ended_by,
    }
}

pub(crate) fn ended(call: CallId, outcome: Outcome, ended_by: EndedBy) -> Fact {
    Fact::CallEnded {
        call,
        outcome,
        ended_by,
        status: None,
        reason: String::new(),
    }
}

pub(crate) fn stored(call: CallId, segment: u16) -> Fact {
    let file = RecordingFile {
        path: format!("2026/11/22/{call}-{segment}.wav"),
        sha256: "0".repeat(64),
        bytes: 320_044,
        duration_ms: 20_000,
        caller_packets: 1_000,
        caller_lost: 1,
        operator_packets: 999,
        operator_lost: 0,
        dropped: 0,
        repaired: false,
        sound: None,
    };
    Fact::RecordingStored {
        call,
        segment,
        file,
    }
}

pub(crate) fn missing(call: CallId, segment: u16, reason: MissingReason) -> Fact {
    Fact::RecordingMissing {
        call,
        segment,
        reason,
    }
}

/// 1.2 s greeting, 3 s wait of which 2 s ringing, 20 s talk; recorded.
pub(crate) fn answered_call(history: &mut History, call: CallId) {
    history
        .say(arrived(call))
        .after(200)
        .say(Fact::CallAnswered { call })
        .after(1_000);
    history
        .say(Fact::NoticePlayed {
            call,
            prompt: "greeting".into(),
        })
        .say(queued(call));
    history.after(1_000).say(offered(call, 1, 1)).after(2_000);
    history.say(offer_ended(call, 1, OfferResult::Answered, 200));
    history
        .say(left(call, QueueOutcome::Answered))
        .say(talk(call, 1, 1, 1))
        .after(20_000);
    history.say(talk_ended(call, 1, EndedBy::Caller));
    history
        .say(ended(call, Outcome::Answered, EndedBy::Caller))
        .after(300)
        .say(stored(call, 1));
}

/// A folder with a journal in it.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.folder.path().join("events")
    }

    pub(crate) fn settings(&self) -> Settings {
        settings_in(self.folder.path())
    }

    pub(crate) fn start(&self, boot: u32) -> (Journal, Recovery) {
        crate::start(self.settings(), boot, |_| {}).unwrap()
    }

    /// Runs a journal over `events` and stops it.
    pub(crate) fn run(&self, boot: u32, events: &[Event]) -> Recovery {
        self.run_in_files(1 << 30, boot, events)
    }

    /// The same with files of about `octets`.
    pub(crate) fn run_in_files(&self, octets: u64, boot: u32, events: &[Event]) -> Recovery {
        run_with(self.settings(), octets, boot, events)
    }

    pub(crate) fn rows(&self) -> Vec<CallRows> {
        block_on(async {
            let mut journal = query::open(&self.database()).await.unwrap();
            let mut rows = Vec::new();
            for entry in journal.newest(None, 1_000_000).await.unwrap() {
                let call = CallId::from_i64(entry.call);
                rows.push(journal.call(call).await.unwrap().unwrap());
            }
            rows
        })
    }

    pub(crate) fn problems(&self) -> Vec<(CallId, Vec<String>)> {
        block_on(async {
            let mut journal = query::open(&self.database()).await.unwrap();
            journal
                .check(query::Range::default(), usize::MAX)
                .await
                .unwrap()
        })
    }
}

/// Runs a journal over `events` and stops it.
pub(crate) fn run_with(settings: Settings, octets: u64, boot: u32, events: &[Event]) -> Recovery {
    let (journal, recovery) = start_with(settings, octets, boot, |_| {}).unwrap();
    for (number, event) in events.iter().enumerate() {
        journal.append(event.clone());
        // The end waits for the database, but not for ever.
        while number % 1_000 == 0 && journal.lag() > 50_000 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let stopped = journal.stop();
    assert_eq!((stopped.not_in_sql, stopped.lost), (0, 0));
    recovery
}

pub(crate) fn settings_in(folder: &Path) -> Settings {
    Settings::new(folder.join("events"), folder.join("journal.db"))
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The id up to which a journal said that everything is on disk.
#[derive(Clone, Default)]
pub(crate) struct Durable(Arc<AtomicU64>);

impl Durable {
    pub(crate) fn note(&self) -> impl Fn(EventId) + Send + 'static {
        let this = Arc::clone(&self.0);
        move |id| {
            this.fetch_max(id.as_u64(), Ordering::SeqCst);
        }
    }

    pub(crate) fn up_to(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn wait_for(&self, id: EventId) {
        until("durable", || self.up_to() >= id.as_u64());
    }
}

/// Looks again until it holds; fails after 20 s.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{what} never came"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// All events in SQL, by id.
pub(crate) fn stored_events(place: &Place) -> Vec<Event> {
    block_on(async {
        let mut connection =
            crate::sqlite::open_existing(&place.database(), crate::db::Access::Read)
                .await
                .unwrap();
        let json: Vec<String> = sqlx::query_scalar("SELECT json FROM events ORDER BY id")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        json.iter()
            .map(|json| serde_json::from_str(json).unwrap())
            .collect()
    })
}
