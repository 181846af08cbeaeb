//! Owns what the database adds up for reports, by part of time and name: stays in queues, talks,
//! ringings, delays of entries. A month of a busy line is some hundred rows that way, and every figure
//! follows from them exactly.

use std::collections::BTreeSet;

use super::grain::Grain;
use super::source::{outcome, unsigned};
use super::{By, Kind, Wanted, daily};
use crate::db::{Connection, Value};
use crate::forms::Forms;
use crate::metrics::{DelayLot, Interval, Lot, PRESETS, RingingLot, Talks};

/// Stays in queues that are alike, with where and under which name a report shows them.
#[derive(Debug, Clone)]
pub(crate) struct StayLot {
    /// A moment of their part of time, within the range.
    pub(crate) at: i64,
    pub(crate) name: String,
    pub(crate) is_a_term: bool,
    pub(crate) lot: Lot,
}

/// Talks of one operator that are over.
#[derive(Debug, Clone)]
pub(crate) struct TalkLot {
    pub(crate) at: i64,
    pub(crate) operator: i64,
    pub(crate) name: String,
    pub(crate) line: String,
    pub(crate) talks: Talks,
}

/// Offers to one line that are over.
#[derive(Debug, Clone)]
pub(crate) struct OfferLot {
    pub(crate) at: i64,
    pub(crate) name: String,
    pub(crate) line: String,
    pub(crate) lot: RingingLot,
}

/// Entries of one operator, on one side of the time in which they are to be complete.
#[derive(Debug, Clone)]
pub(crate) struct EntryLot {
    pub(crate) at: i64,
    pub(crate) operator: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) line: Option<String>,
    pub(crate) lot: DelayLot,
}

pub(super) fn signed(ms: u64) -> Value {
    i64::try_from(ms).unwrap_or(i64::MAX).into()
}

/// The daily report shows operators and lines uncut.
const fn uncut_if_daily(wanted: &Wanted) -> Interval {
    match wanted.kind {
        Kind::Daily => Interval::Whole,
        _ => wanted.interval,
    }
}

/// The range and the queue that are wanted: $1, $2, $3.
pub(super) fn range(wanted: &Wanted) -> Vec<Value> {
    let queue: Value = wanted.queue.clone().into();
    vec![wanted.from.into(), wanted.to.into(), queue]
}

/// Whether stays are one of the terms of the identity of METRICS.md. What waits in a call that is over,
/// or ended in a way that there is not, is none.
fn is_a_term(word: Option<&str>, up: bool) -> bool {
    match word {
        Some(word) => outcome(word).is_some(),
        None => up,
    }
}

#[derive(sqlx::FromRow)]
struct StayRow {
    part: i64,
    name: String,
    outcome: Option<String>,
    /// Whether their calls are up; looked at only of what waits.
    up: bool,
    stays: i64,
    wait_sum: i64,
    longest: i64,
    since_arrival_sum: i64,
    since_arrival: i64,
}

/// Adds stays up by part of time, name, outcome and class of wait. A wait that is not over lasts
/// until $4.
fn stays_sql(grain: Grain, by: By) -> String {
    let (name, of_entry) = match by {
        By::Queue => ("q.queue", false),
        By::Number => ("e.number", true),
        By::Trunk => ("e.trunk", true),
        By::Topic => ("e.topic", true),
        By::Operator => ("q.operator_name", false),
        By::Line => ("q.operator_line", false),
        By::All => ("NULL", false),
    };
    let entries = if of_entry {
        "JOIN entries e ON e.call = q.call"
    } else {
        ""
    };
    let part = grain.sql("q.entered_at");
    format!(
        "SELECT part, name, outcome, up, count(*) AS stays,
           CAST(sum(wait) AS BIGINT) AS wait_sum, max(wait) AS longest,
           CAST(coalesce(sum(arrival_wait), 0) AS BIGINT) AS since_arrival_sum,
           count(arrival_wait) AS since_arrival
         FROM (
           SELECT {part} AS part, coalesce({name}, '') AS name, q.outcome,
             q.outcome IS NULL AND EXISTS (
               SELECT 1 FROM entries c WHERE c.call = q.call AND c.outcome IS NULL
             ) AS up,
             coalesce(q.wait_ms, $4 - q.entered_at) AS wait,
             q.arrival_wait_ms AS arrival_wait
           FROM queue_entries q {entries}
           WHERE q.entered_at >= $1 AND q.entered_at < $2 AND ($3 IS NULL OR q.queue = $3)
         ) AS stay
         GROUP BY part, name, outcome, up, CASE WHEN wait <= $5 THEN 0 WHEN wait <= $6 THEN 1
           WHEN wait <= $7 THEN 2 WHEN wait <= $8 THEN 3 ELSE 4 END
         ORDER BY part, name"
    )
}

/// Stays in queues, by what the rows of the report are told apart by.
pub(crate) async fn stays(
    view: &mut Connection,
    wanted: &Wanted,
) -> Result<Vec<StayLot>, sqlx::Error> {
    let interval = match wanted.kind {
        Kind::Daily => daily::hours_or_days(wanted),
        _ => wanted.interval,
    };
    let grain = Grain::of(interval, wanted);
    let [ordinary, emergency] = PRESETS.map(|preset| preset.threshold_ms);
    let mut thresholds = [wanted.short_ms, wanted.threshold_ms, ordinary, emergency];
    thresholds.sort_unstable();
    let mut args = range(wanted);
    args.push(wanted.now.into());
    args.extend(thresholds.map(signed));
    let rows: Vec<StayRow> = view.all(&stays_sql(grain, wanted.by), &args).await?;
    let lots = rows.into_iter().map(|row| StayLot {
        at: grain.moment(row.part, wanted),
        is_a_term: is_a_term(row.outcome.as_deref(), row.up),
        lot: Lot {
            outcome: row.outcome.as_deref().and_then(outcome),
            stays: unsigned(row.stays),
            wait_sum_ms: unsigned(row.wait_sum),
            longest_ms: unsigned(row.longest),
            since_arrival_sum_ms: unsigned(row.since_arrival_sum),
            since_arrival: unsigned(row.since_arrival),
        },
        name: row.name,
    });
    Ok(lots.collect())
}

fn talks_sql(grain: Grain) -> String {
    let part = grain.sql("s.started_at");
    format!(
        "SELECT part, operator_id, operator_name, operator_line, count(*) AS talks,
      CAST(sum(talk_ms) AS BIGINT) AS talk, CAST(sum(held_ms) AS BIGINT) AS held,
      CAST(sum(wrap_up_ms) AS BIGINT) AS wrap_up
    FROM (
      SELECT {part} AS part, s.started_at, s.operator_id, s.operator_name, s.operator_line,
        s.talk_ms, coalesce(s.held_ms, 0) AS held_ms, coalesce(s.wrap_up_ms, 0) AS wrap_up_ms
      FROM segments s
      WHERE s.started_at >= $1 AND s.started_at < $2 AND s.operator_id IS NOT NULL
        AND s.talk_ms IS NOT NULL
        AND ($3 IS NULL OR s.queue = $3)
    ) AS talk
    GROUP BY part, operator_id, operator_name, operator_line
    ORDER BY part, min(started_at)"
    )
}

#[derive(sqlx::FromRow)]
struct TalkRow {
    part: i64,
    operator_id: i64,
    operator_name: String,
    operator_line: String,
    talks: i64,
    talk: i64,
    held: i64,
    wrap_up: i64,
}

/// Talks of operators that are over.
pub(crate) async fn talks(
    view: &mut Connection,
    wanted: &Wanted,
) -> Result<Vec<TalkLot>, sqlx::Error> {
    let grain = Grain::of(uncut_if_daily(wanted), wanted);
    let rows: Vec<TalkRow> = view.all(&talks_sql(grain), &range(wanted)).await?;
    let lots = rows.into_iter().map(|row| TalkLot {
        at: grain.moment(row.part, wanted),
        operator: row.operator_id,
        name: row.operator_name,
        line: row.operator_line,
        talks: Talks {
            handled: unsigned(row.talks),
            talk_ms: unsigned(row.talk),
            held_ms: unsigned(row.held),
            wrap_up_ms: unsigned(row.wrap_up),
        },
    });
    Ok(lots.collect())
}

/// Ringing up to $4 is no overrun.
fn offers_sql(grain: Grain) -> String {
    let part = grain.sql("o.made_at");
    format!(
        "SELECT part, operator_name, operator_line, result, count(*) AS offers,
      CAST(sum(ring_ms) AS BIGINT) AS ring, max(ring_ms) AS longest
    FROM (
      SELECT {part} AS part, o.made_at, o.operator_name, o.operator_line, o.result, o.ring_ms
      FROM offers o
      WHERE o.made_at >= $1 AND o.made_at < $2 AND o.result IS NOT NULL AND o.ring_ms IS NOT NULL
        AND ($3 IS NULL OR o.queue = $3)
    ) AS offer
    GROUP BY part, operator_name, operator_line, result,
      CASE WHEN ring_ms <= $4 THEN 0 ELSE 1 END
    ORDER BY part, max(made_at)"
    )
}

#[derive(sqlx::FromRow)]
struct OfferRow {
    part: i64,
    operator_name: String,
    operator_line: String,
    result: String,
    offers: i64,
    ring: i64,
    longest: i64,
}

/// Offers to lines that are over.
pub(crate) async fn offers(
    view: &mut Connection,
    wanted: &Wanted,
) -> Result<Vec<OfferLot>, sqlx::Error> {
    let mut args = range(wanted);
    args.push(signed(wanted.ring_limit_ms));
    let grain = Grain::of(uncut_if_daily(wanted), wanted);
    let rows: Vec<OfferRow> = view.all(&offers_sql(grain), &args).await?;
    let lots = rows.into_iter().map(|row| OfferLot {
        at: grain.moment(row.part, wanted),
        name: row.operator_name,
        line: row.operator_line,
        lot: RingingLot {
            offers: unsigned(row.offers),
            ring_sum_ms: unsigned(row.ring),
            longest_ms: unsigned(row.longest),
            answered: row.result == "answered",
            excused: matches!(row.result.as_str(), "caller_gone" | "withdrawn"),
        },
    });
    Ok(lots.collect())
}

/// Adds entries up that are to be completed, by operator, queue, and on which side of the limits $5 and
/// on they are. One that is not complete has taken until $4.
fn entries_sql(grain: Grain, limits: usize) -> String {
    let part = grain.sql("arrived_at");
    let classes: String = (0..limits)
        .map(|number| format!(" WHEN delay <= ${} THEN {number}", number + 5))
        .collect();
    format!(
        "SELECT part, operator_id, operator_name, operator_line, queue, complete,
           count(*) AS entries, CAST(sum(delay) AS BIGINT) AS delay_sum, max(delay) AS longest
         FROM (
           SELECT {part} AS part, operator_id, operator_name, operator_line, queue,
             completed_at IS NOT NULL AS complete,
             coalesce(entry_delay_ms, $4 - talk_ended_at) AS delay
           FROM entries
           WHERE arrived_at >= $1 AND arrived_at < $2 AND ($3 IS NULL OR queue = $3)
             AND to_complete
         ) AS entry
         GROUP BY part, operator_id, operator_name, operator_line, queue, complete,
           CASE{classes} ELSE {limits} END
         ORDER BY part, operator_line, queue"
    )
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    part: i64,
    operator_id: Option<i64>,
    operator_name: Option<String>,
    operator_line: Option<String>,
    queue: Option<String>,
    complete: bool,
    entries: i64,
    delay_sum: i64,
    longest: i64,
}

/// How long entries took to be complete.
pub(crate) async fn entries(
    view: &mut Connection,
    wanted: &Wanted,
    forms: &Forms,
) -> Result<Vec<EntryLot>, sqlx::Error> {
    let all_forms = forms.by_queue().map(|(_, form)| form);
    let limits: BTreeSet<u64> = all_forms
        .chain([forms.of(None)])
        .map(|form| form.complete_within_ms())
        .collect();
    let mut args = range(wanted);
    args.push(wanted.now.into());
    args.extend(limits.iter().copied().map(signed));
    let grain = Grain::of(uncut_if_daily(wanted), wanted);
    let rows: Vec<EntryRow> = view.all(&entries_sql(grain, limits.len()), &args).await?;
    let lots = rows.into_iter().map(|row| EntryLot {
        lot: DelayLot {
            entries: unsigned(row.entries),
            delay_sum_ms: unsigned(row.delay_sum),
            longest_ms: unsigned(row.longest),
            completed: row.complete,
            limit_ms: forms.of(row.queue.as_deref()).complete_within_ms(),
        },
        at: grain.moment(row.part, wanted),
        operator: row.operator_id,
        name: row.operator_name,
        line: row.operator_line,
    });
    Ok(lots.collect())
}
