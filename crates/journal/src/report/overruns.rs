//! Owns the lists of what is over its time: entries, matters of departments, offers.

use super::lists::{self, Listed};
use super::queues::seconds;
use super::source::unsigned;
use super::{Cell, Report, Table, Wanted, lots};
use crate::db::{Connection, Value};
use crate::forms::Forms;

/// An entry that was completed late, or not yet though its time has passed.
#[derive(Debug, Clone, sqlx::FromRow)]
struct EntryRow {
    call_id: String,
    arrived_at: i64,
    operator_name: Option<String>,
    operator_line: Option<String>,
    queue: Option<String>,
    delay: i64,
    completed_at: Option<i64>,
}

/// A matter that a department did late, or has not done though its deadline has passed.
#[derive(Debug, Clone, sqlx::FromRow)]
struct MatterRow {
    call_id: String,
    arrived_at: i64,
    full_name: Option<String>,
    topic: Option<String>,
    department: Option<String>,
    deadline_at: i64,
    execution: Option<String>,
    executed_at: Option<i64>,
}

/// An offer that rang for too long.
#[derive(Debug, Clone, sqlx::FromRow)]
struct OfferRow {
    call_id: String,
    queue: String,
    operator_name: String,
    operator_line: String,
    made_at: i64,
    ring_ms: i64,
    result: String,
}

/// Everything over its time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overruns {
    entries: Listed<EntryRow>,
    matters: Listed<MatterRow>,
    offers: Listed<OfferRow>,
}

/// Entries that took longer than their forms say; one that is not complete has taken until $4.
fn entries_sql(limit: &str) -> String {
    format!(
        "SELECT call_id, arrived_at, operator_name, operator_line, queue, delay, completed_at
         FROM (
           SELECT call, call_id, arrived_at, operator_name, operator_line, queue, completed_at,
             coalesce(entry_delay_ms, $4 - talk_ended_at) AS delay
           FROM entries
           WHERE arrived_at >= $1 AND arrived_at < $2 AND ($3 IS NULL OR queue = $3)
             AND to_complete
         ) AS entry
         WHERE delay > {limit}"
    )
}

/// How long an entry of `queue` may take, with its values at the end of `args`.
fn limit_sql(forms: &Forms, args: &mut Vec<Value>) -> String {
    args.push(lots::signed(forms.of(None).complete_within_ms()));
    let otherwise = format!("CAST(${} AS BIGINT)", args.len());
    let mut cases = String::new();
    for (queue, form) in forms.by_queue() {
        args.push(queue.into());
        args.push(lots::signed(form.complete_within_ms()));
        cases += &format!(" WHEN ${} THEN ${}", args.len() - 1, args.len());
    }
    if cases.is_empty() {
        otherwise
    } else {
        format!("CASE queue{cases} ELSE {otherwise} END")
    }
}

const MATTERS: &str = "SELECT call_id, arrived_at, full_name, topic, department, deadline_at,
    execution, executed_at FROM entries
    WHERE arrived_at >= $1 AND arrived_at < $2 AND ($3 IS NULL OR queue = $3)
      AND deadline_at IS NOT NULL AND coalesce(executed_at, $4) > deadline_at";

const OFFERS: &str = "SELECT e.call_id, o.queue, o.operator_name, o.operator_line, o.made_at,
    o.ring_ms, o.result FROM offers o JOIN entries e ON e.call = o.call
    WHERE o.made_at >= $1 AND o.made_at < $2 AND o.result IS NOT NULL AND o.ring_ms > $4
      AND ($3 IS NULL OR o.queue = $3)";

/// Reads what is over its time.
pub(super) async fn read(
    view: &mut Connection,
    forms: &Forms,
    wanted: &Wanted,
) -> Result<Overruns, sqlx::Error> {
    let mut until_now = lots::range(wanted);
    let mut ringing = until_now.clone();
    until_now.push(wanted.now.into());
    ringing.push(lots::signed(wanted.ring_limit_ms));
    let mut limited = until_now.clone();
    let entries = entries_sql(&limit_sql(forms, &mut limited));
    Ok(Overruns {
        entries: lists::read(view, (&entries, "arrived_at, call"), &limited).await?,
        matters: lists::read(view, (MATTERS, "arrived_at, call"), &until_now).await?,
        offers: lists::read(view, (OFFERS, "o.made_at, o.offer"), &ringing).await?,
    })
}

/// Entries completed late or not at all, matters past their deadline, offers that rang too long.
pub(super) fn tables(report: &mut Report, overruns: &Overruns, forms: &Forms, wanted: &Wanted) {
    let tables = [
        (entries(overruns, forms), overruns.entries.all),
        (matters(overruns), overruns.matters.all),
        (offers(overruns), overruns.offers.all),
    ];
    for (table, all) in &tables {
        lists::say_cut_off(report, table, *all);
    }
    report.notes.push(format!(
        "an offer is an overrun if it rang longer than {} s",
        seconds(wanted.ring_limit_ms)
    ));
    report.tables.extend(tables.map(|(table, _)| table));
}

fn entries(overruns: &Overruns, forms: &Forms) -> Table {
    let mut table = Table::new(
        "late_entries",
        [
            "entry",
            "arrived",
            "operator",
            "line",
            "queue",
            "limit",
            "delay",
            "completed",
        ],
    );
    for entry in &overruns.entries.rows {
        let limit = forms.of(entry.queue.as_deref()).complete_within_ms();
        table.rows.push(vec![
            Cell::Text(entry.call_id.clone()),
            Cell::Moment(entry.arrived_at),
            Cell::text(entry.operator_name.as_deref()),
            Cell::text(entry.operator_line.as_deref()),
            Cell::text(entry.queue.as_deref()),
            Cell::ms(Some(limit)),
            Cell::ms(Some(unsigned(entry.delay))),
            Cell::moment(entry.completed_at),
        ]);
    }
    table
}

/// Control of execution: matters that a department has not done by their deadline, or did late.
fn matters(overruns: &Overruns) -> Table {
    let mut table = Table::new(
        "deadlines",
        [
            "entry",
            "arrived",
            "full_name",
            "topic",
            "department",
            "deadline",
            "execution",
            "executed",
        ],
    );
    for matter in &overruns.matters.rows {
        table.rows.push(vec![
            Cell::Text(matter.call_id.clone()),
            Cell::Moment(matter.arrived_at),
            Cell::text(matter.full_name.as_deref()),
            Cell::text(matter.topic.as_deref()),
            Cell::text(matter.department.as_deref()),
            Cell::Moment(matter.deadline_at),
            Cell::text(matter.execution.as_deref()),
            Cell::moment(matter.executed_at),
        ]);
    }
    table
}

fn offers(overruns: &Overruns) -> Table {
    let mut table = Table::new(
        "late_offers",
        [
            "entry", "offered", "operator", "line", "queue", "rang", "result",
        ],
    );
    for offer in &overruns.offers.rows {
        table.rows.push(vec![
            Cell::Text(offer.call_id.clone()),
            Cell::Moment(offer.made_at),
            Cell::Text(offer.operator_name.clone()),
            Cell::Text(offer.operator_line.clone()),
            Cell::Text(offer.queue.clone()),
            Cell::ms(Some(unsigned(offer.ring_ms))),
            Cell::Text(offer.result.clone()),
        ]);
    }
    table
}
