//! Owns what is remembered of callers over a restart: whose place in a queue may be kept, who talked to a
//! number last. Computed from the journal, so nothing of it has a table of its own.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use vocab::{
    CallId, Event, Fact, KeptPlace, Outcome, Party, QueueOutcome, Regular, Remembered, WallTime,
};

use crate::bindings::{self, BindingsError};
use crate::db::Location;
use crate::error::DatabaseError;
use crate::store;

/// Stays of the last day that the journal knows: no place is kept longer.
const STAYS: &str =
    "SELECT q.call, e.caller, q.queue, q.entered_at, q.left_at, q.outcome, e.outcome
    FROM queue_entries q JOIN entries e ON e.call = q.call
    WHERE q.entered_at >= (SELECT COALESCE(MAX(entered_at), 0) - 86400000 FROM queue_entries)
    ORDER BY q.entered_at, q.event";

/// Who talked to the callers of the last month, the newest talk first. More than the ACD remembers are of
/// no use.
const TALKS: &str = "SELECT caller, operator_login FROM entries
    WHERE arrived_at >= (SELECT COALESCE(MAX(arrived_at), 0) - 2592000000 FROM entries)
        AND outcome = 'answered' AND caller <> '' AND operator_login IS NOT NULL
        AND answered_at IS NOT NULL
    ORDER BY arrived_at DESC, call DESC LIMIT 100000";

type StayRow = (
    i64,
    String,
    String,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
);

/// The last stay of a call.
#[derive(Debug, Default)]
struct Stay {
    caller: String,
    queue: String,
    entered: i64,
    left: Option<i64>,
    gave_up: bool,
}

/// What is known of calls, and of numbers.
#[derive(Debug, Default)]
struct Fold {
    stays: BTreeMap<CallId, Stay>,
    talks: BTreeMap<String, (String, i64)>,
}

impl Fold {
    fn note(&mut self, event: &Event) {
        let at = event.at.as_unix_millis();
        match &event.fact {
            Fact::CallArrived { call, caller, .. } => {
                let stay = self.stays.entry(*call).or_default();
                stay.caller.clone_from(caller);
            }
            Fact::QueueEntered { call, queue, .. } => {
                let stay = self.stays.entry(*call).or_default();
                stay.queue.clone_from(queue);
                (stay.entered, stay.left, stay.gave_up) = (at, None, false);
            }
            Fact::QueueLeft { call, outcome, .. } => {
                let stay = self.stays.entry(*call).or_default();
                stay.left = Some(at);
                stay.gave_up = *outcome == QueueOutcome::Abandoned;
            }
            Fact::CallEnded { call, outcome, .. } => {
                if *outcome == Outcome::Interrupted
                    && let Some(stay) = self.stays.get_mut(call)
                {
                    stay.left.get_or_insert(at);
                    stay.gave_up = true;
                }
            }
            Fact::SegmentStarted {
                call,
                party: Party::Operator(operator),
                ..
            } => {
                let caller = self.stays.get(call).map(|stay| stay.caller.clone());
                if let Some(caller) = caller.filter(|caller| !caller.is_empty()) {
                    self.talks.insert(caller, (operator.login.clone(), at));
                }
            }
            _ => {} // Asked for by nobody: see `load`.
        }
    }

    fn note_row(&mut self, row: StayRow) {
        let (call, caller, queue, entered, left, outcome, ended) = row;
        let interrupted = ended.as_deref() == Some("interrupted");
        let stay = Stay {
            caller,
            queue,
            entered,
            left,
            gave_up: interrupted || outcome.as_deref() == Some("abandoned"),
        };
        self.stays.insert(CallId::from_i64(call), stay);
    }

    /// The newest word about each number: a caller who was served since has no place.
    fn places(&self) -> Vec<KeptPlace> {
        let mut last: BTreeMap<&str, &Stay> = BTreeMap::new();
        for stay in self.stays.values().filter(|stay| !stay.queue.is_empty()) {
            let known = last.get(stay.caller.as_str());
            if known.is_none_or(|known| known.entered <= stay.entered) {
                last.insert(&stay.caller, stay);
            }
        }
        let gone = last.into_values().filter(|stay| !stay.caller.is_empty());
        // One who waits as of the last fact waited when the engine died.
        let gone = gone.filter(|stay| stay.gave_up || stay.left.is_none());
        let place = |stay: &Stay| KeptPlace {
            caller: stay.caller.clone(),
            queue: stay.queue.clone(),
            since: WallTime::from_unix_millis(stay.entered),
            left: stay.left.map(WallTime::from_unix_millis),
        };
        let mut places: Vec<KeptPlace> = gone.map(place).collect();
        places.sort_by_key(|place| place.since);
        places
    }
}

/// What is remembered as of the last event on disk, but for talks that the database has:
/// [`regulars`] takes longer, and no call waits for it. `boot`: the one that now begins.
///
/// # Errors
/// If database or event files cannot be read.
pub(crate) async fn load(
    events: &Path,
    database: &Location,
    boot: u32,
) -> Result<Remembered, BindingsError> {
    let (stays, newer): (Vec<StayRow>, Vec<Event>) =
        bindings::with_newer(events, database, boot, STAYS, |fact| {
            matches!(
                fact,
                Fact::CallArrived { .. }
                    | Fact::QueueEntered { .. }
                    | Fact::QueueLeft { .. }
                    | Fact::CallEnded { .. }
                    | Fact::SegmentStarted { .. }
            )
        })
        .await?;
    let mut fold = Fold::default();
    for row in stays {
        fold.note_row(row);
    }
    for event in &newer {
        fold.note(event);
    }
    let places = fold.places();
    let talks = fold.talks.into_iter();
    let mut regulars: Vec<(i64, Regular)> = talks
        .map(|(caller, (operator, at))| (at, Regular { caller, operator }))
        .collect();
    regulars.sort_by_key(|(at, _)| *at);
    Ok(Remembered {
        places,
        regulars: regulars.into_iter().map(|(_, regular)| regular).collect(),
    })
}

/// Who of the database's talks talked to each number last, the newest talk first.
///
/// # Errors
/// If the database cannot be read.
pub async fn regulars(database: &Location) -> Result<Vec<Regular>, DatabaseError> {
    let mut connection = store::open_reader(database).await?;
    let talks: Result<Vec<(String, String)>, _> = connection.all(TALKS, &[]).await;
    connection.close().await;
    let talks = talks.map_err(|error| DatabaseError::of(database, error))?;
    let mut known = HashSet::with_capacity(talks.len());
    let newest = talks
        .into_iter()
        .filter(|(caller, _)| known.insert(caller.clone()));
    Ok(newest
        .map(|(caller, operator)| Regular { caller, operator })
        .collect())
}
