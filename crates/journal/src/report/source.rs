//! Owns the reading of what a report needs: plain rows of a range, in a handful of queries.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use vocab::{OperatorState, QueueOutcome};

use super::abandoned::{self, Abandoned};
use super::audio::{self, EndRow};
use super::daily::{self, Day};
use super::lots::{self, EntryLot, OfferLot, StayLot, TalkLot};
use super::overruns::{self, Overruns};
use super::quality::{self, Quality};
use super::{Kind, Wanted};
use crate::db::{Connection, Location, Value};
use crate::error::DatabaseError;
use crate::forms::Forms;
use crate::metrics::{self, Span};
use crate::store;

/// How long before the range changes of operators' states are read: what an operator did at its start
/// began earlier, hardly ever so much.
const TURNS_BEFORE_MS: i64 = 3 * 86_400_000;

#[derive(sqlx::FromRow)]
struct TurnRow {
    event: i64,
    operator_id: i64,
    operator_name: String,
    operator_line: String,
    state: String,
    status: String,
    began_at: i64,
    up: i64,
}

/// Who an operator is.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) line: String,
}

/// Everything that a report may need. What its kind does not show is not read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// Whether offered is the sum of outcomes and of what waits, over all that a report is of.
    pub(crate) identity: bool,
    pub(crate) stay_lots: Vec<StayLot>,
    pub(crate) talk_lots: Vec<TalkLot>,
    pub(crate) offer_lots: Vec<OfferLot>,
    pub(crate) entry_lots: Vec<EntryLot>,
    pub(crate) ends: Vec<EndRow>,
    pub(crate) quality: Quality,
    pub(crate) overruns: Overruns,
    pub(crate) day: Day,
    pub(crate) abandoned: Abandoned,
    pub(crate) spans: Vec<Span>,
    /// Breaks that ended in the range.
    pub(crate) breaks: Vec<BreakRow>,
    pub(crate) people: BTreeMap<i64, Person>,
}

/// A break that is over.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct BreakRow {
    pub(crate) operator_id: i64,
    pub(crate) operator_name: String,
    pub(crate) operator_line: String,
    pub(crate) reason: String,
    pub(crate) by_leave: bool,
    lasted_ms: i64,
    over_ms: i64,
}

impl BreakRow {
    pub(crate) fn lasted_ms(&self) -> u64 {
        unsigned(self.lasted_ms)
    }

    pub(crate) fn over_ms(&self) -> u64 {
        unsigned(self.over_ms)
    }
}

impl Source {
    /// Reads what a report needs, as it was at one moment. Two of them take long: another connection
    /// reads a part of those at the same time, a moment of its own.
    pub(crate) async fn read(
        database: &Location,
        forms: &Forms,
        wanted: &Wanted,
    ) -> Result<Self, DatabaseError> {
        let failed = |error| DatabaseError::of(database, error);
        let mut connection = store::open_reader(database).await?;
        let most = connection.view(async |view| Self::read_most(view, forms, wanted).await);
        if !matches!(wanted.kind, Kind::Daily | Kind::Quality) {
            return most.await.map_err(failed);
        }
        let mut other = store::open_reader(database).await?;
        let beside = other.view(async |view| Self::read_beside(view, wanted).await);
        let (most, beside) = tokio::join!(most, beside);
        let (ends, day) = beside.map_err(failed)?;
        Ok(Self {
            ends,
            day,
            ..most.map_err(failed)?
        })
    }

    /// What operators did, and the lines to which calls of a queue were offered.
    pub(crate) async fn of_queue(
        database: &Location,
        wanted: &Wanted,
        queue: &str,
    ) -> Result<(Self, BTreeSet<String>), DatabaseError> {
        let mut connection = store::open_reader(database).await?;
        let range = [wanted.from.into(), wanted.to.into(), queue.into()];
        let mut source = Self::default();
        let read = connection.view(async |view| {
            read_turns(view, wanted, &mut source).await?;
            view.all(LINES, &range).await
        });
        let lines: Vec<(String,)> = read
            .await
            .map_err(|error| DatabaseError::of(database, error))?;
        Ok((source, lines.into_iter().map(|(line,)| line).collect()))
    }

    /// What was measured of audio, and what the daily report shows and no other.
    async fn read_beside(
        view: &mut Connection,
        wanted: &Wanted,
    ) -> Result<(Vec<EndRow>, Day), sqlx::Error> {
        let ends = audio::ends(view, wanted).await?;
        let day = match wanted.kind {
            Kind::Daily => daily::read(view, wanted).await?,
            _ => Day::default(),
        };
        Ok((ends, day))
    }

    /// Everything else.
    async fn read_most(
        view: &mut Connection,
        forms: &Forms,
        wanted: &Wanted,
    ) -> Result<Self, sqlx::Error> {
        let queue: Value = wanted.queue.clone().into();
        let range = [wanted.from.into(), wanted.to.into(), queue];
        let shows = |kinds: &[Kind]| wanted.kind == Kind::Daily || kinds.contains(&wanted.kind);
        let mut source = Self::default();
        if shows(&[Kind::Queue]) {
            source.stay_lots = lots::stays(view, wanted).await?;
            source.identity = source.stay_lots.iter().all(|lot| lot.is_a_term);
        } else {
            let strays: Vec<(i64,)> = view.all(&stray_sql(), &range).await?;
            source.identity = strays.is_empty();
        }
        if shows(&[Kind::Operator]) {
            source.talk_lots = lots::talks(view, wanted).await?;
        }
        if shows(&[Kind::Quality]) {
            source.quality = quality::read(view, wanted).await?;
        }
        if shows(&[Kind::Line]) {
            source.offer_lots = lots::offers(view, wanted).await?;
        }
        if shows(&[Kind::Overruns]) {
            source.overruns = overruns::read(view, forms, wanted).await?;
        }
        if shows(&[Kind::Operator, Kind::Line]) {
            source.entry_lots = lots::entries(view, wanted, forms).await?;
        }
        if shows(&[Kind::Operator]) {
            read_turns(view, wanted, &mut source).await?;
            source.breaks = view.all(BREAKS, &range[..2]).await?;
        }
        if wanted.kind == Kind::Abandoned {
            source.abandoned = abandoned::read(view, wanted).await?;
        }
        Ok(source)
    }
}

/// A stay that is none of the terms of the identity. The call is looked at only of what waits.
fn stray_sql() -> String {
    let words = QueueOutcome::ALL.map(|outcome| format!("'{}'", word(outcome)));
    format!(
        "SELECT q.call FROM queue_entries q
         WHERE q.entered_at >= $1 AND q.entered_at < $2 AND ($3 IS NULL OR q.queue = $3)
           AND (q.outcome NOT IN ({}) OR q.outcome IS NULL AND NOT EXISTS (
             SELECT 1 FROM entries e WHERE e.call = q.call AND e.outcome IS NULL
           ))
         LIMIT 1",
        words.join(",")
    )
}

const LINES: &str = "SELECT DISTINCT operator_line FROM offers
    WHERE made_at >= $1 AND made_at < $2 AND queue = $3";

const BREAKS: &str =
    "SELECT operator_id, operator_name, operator_line, reason, by_leave, lasted_ms, over_ms
    FROM breaks_taken WHERE ended_at >= $1 AND ended_at < $2 ORDER BY event";

const TURNS: &str =
    "SELECT event, operator_id, operator_name, operator_line, state, status, began_at,
    up FROM operator_turns WHERE began_at >= $1 AND began_at < $2 ORDER BY event";

fn word(outcome: QueueOutcome) -> String {
    let word = serde_json::to_value(outcome).ok();
    let word = word.as_ref().and_then(serde_json::Value::as_str);
    word.unwrap_or_default().to_owned()
}

pub(super) fn outcome(word: &str) -> Option<QueueOutcome> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

/// A boot's first number of events, and that of the next.
const fn boot_range(boot: i64) -> (i64, i64) {
    (boot << 32, (boot + 1) << 32)
}

async fn read_turns(
    view: &mut Connection,
    wanted: &Wanted,
    source: &mut Source,
) -> Result<(), sqlx::Error> {
    let range = [
        wanted.from.saturating_sub(TURNS_BEFORE_MS).into(),
        wanted.to.into(),
    ];
    let rows: Vec<TurnRow> = view.all(TURNS, &range).await?;
    let mut ends = BTreeMap::new();
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let boot = row.event >> 32;
        let number = u32::try_from(boot).unwrap_or(u32::MAX);
        if let Entry::Vacant(unknown) = ends.entry(number) {
            unknown.insert(boot_end(view, boot, wanted.now).await?);
        }
        let person = Person {
            name: row.operator_name,
            line: row.operator_line,
        };
        source.people.insert(row.operator_id, person);
        let state = serde_json::from_value(serde_json::Value::String(row.state));
        changes.push(metrics::Time {
            operator: row.operator_id,
            boot: number,
            up_us: unsigned(row.up),
            at: row.began_at,
            state: state.unwrap_or(OperatorState::Unreachable),
            status: row.status,
        });
    }
    source.spans = metrics::spans(&changes, &ends);
    Ok(())
}

/// The monotonic time at which a boot ended: its last event; of the newest one that has not said that
/// it stopped, now.
async fn boot_end(view: &mut Connection, boot: i64, now: i64) -> Result<u64, sqlx::Error> {
    let (from, to) = boot_range(boot);
    let last: Option<(i64, i64, String)> = view
        .first(
            "SELECT up, at, kind FROM events WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT 1",
            &[from.into(), to.into()],
        )
        .await?;
    let Some((up, at, kind)) = last else {
        return Ok(0);
    };
    let newer: Option<(i64,)> = view
        .first("SELECT id FROM events WHERE id >= $1 LIMIT 1", &[to.into()])
        .await?;
    let up = unsigned(up);
    if kind == "engine_stopped" || newer.is_some() {
        return Ok(up);
    }
    Ok(up.saturating_add(unsigned(now - at).saturating_mul(1_000)))
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
