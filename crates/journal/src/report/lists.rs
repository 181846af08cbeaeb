//! Owns the lists: abandoned calls and what became of their callers, entries and offers over their
//! time.

use std::collections::BTreeMap;

use super::queues::seconds;
use super::source::{EntryRow, LaterRow, Source};
use super::{Cell, LIST_MAX, Report, Table, Wanted};
use crate::forms::Forms;

/// Calls whose callers hung up while waiting, and whether somebody called them back.
pub(super) fn abandoned(report: &mut Report, source: &Source, wanted: &Wanted) {
    let mut table = Table::new(
        "abandoned",
        [
            "entry",
            "arrived",
            "caller",
            "number",
            "queue",
            "trunk",
            "waited",
            "called_back",
            "when",
        ],
    );
    let abandoned = |entry: &&EntryRow| entry.outcome.as_deref() == Some("abandoned");
    let later = later_by_party(source);
    for entry in source.entries.iter().filter(abandoned) {
        let (state, when) = called_back(&later, entry);
        table.rows.push(vec![
            Cell::Text(entry.call_id.clone()),
            Cell::Moment(entry.arrived_at),
            Cell::Text(entry.caller.clone()),
            Cell::Text(entry.number.clone()),
            Cell::text(entry.queue.as_deref()),
            Cell::Text(entry.trunk.clone()),
            Cell::ms(entry.wait_ms.map(super::source::unsigned)),
            Cell::Text(state.to_owned()),
            Cell::moment(when),
        ]);
    }
    let waits = source
        .entries
        .iter()
        .filter(abandoned)
        .filter_map(|entry| entry.wait_ms);
    let short = waits.filter(|ms| super::source::unsigned(*ms) <= wanted.short_ms);
    let (all, short) = (table.rows.len(), short.count());
    report.notes.push(format!(
        "{all} abandoned, {short} of them within {} s",
        seconds(wanted.short_ms)
    ));
    cut_off(report, &mut table);
    report.tables.push(table);
}

/// Calls of each party, in order of arrival.
type Later<'a> = BTreeMap<&'a str, Vec<&'a LaterRow>>;

fn later_by_party(source: &Source) -> Later<'_> {
    let mut by_party = Later::new();
    for later in &source.later {
        let calls = by_party.entry(later.party_key.as_str());
        calls.or_default().push(later);
    }
    by_party
}

/// What became of a caller who hung up: `called back` by an operator, `called again` and talked to
/// one, `no`, or `withheld` where nobody can.
fn called_back(later: &Later<'_>, entry: &EntryRow) -> (&'static str, Option<i64>) {
    if entry.party_key.is_empty() {
        return ("withheld", None);
    }
    let calls = later.get(entry.party_key.as_str());
    let calls = calls.map(Vec::as_slice).unwrap_or_default();
    let begin = calls.partition_point(|later| later.arrived_at <= entry.arrived_at);
    for later in calls.get(begin..).unwrap_or_default() {
        match later.direction.as_str() {
            "outbound" => return ("called back", Some(later.arrived_at)),
            "inbound" => return ("called again", Some(later.arrived_at)),
            _ => {}
        }
    }
    ("no", None)
}

/// Entries completed late or not at all, matters past their deadline, offers that rang too long.
pub(super) fn overruns(report: &mut Report, source: &Source, forms: &Forms, wanted: &Wanted) {
    let mut tables = [
        entries(source, forms, wanted),
        deadlines(source, wanted),
        offers(source),
    ];
    for table in &mut tables {
        cut_off(report, table);
    }
    report.notes.push(format!(
        "an offer is an overrun if it rang longer than {} s",
        seconds(wanted.ring_limit_ms)
    ));
    report.tables.extend(tables);
}

fn entries(source: &Source, forms: &Forms, wanted: &Wanted) -> Table {
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
    for entry in source.entries.iter().filter(|entry| entry.is_inbound()) {
        let limit = forms.of(entry.queue.as_deref()).complete_within_ms();
        let Some(delay) = entry.delay_ms(wanted.now).filter(|delay| *delay > limit) else {
            continue;
        };
        table.rows.push(vec![
            Cell::Text(entry.call_id.clone()),
            Cell::Moment(entry.arrived_at),
            Cell::text(entry.operator_name.as_deref()),
            Cell::text(entry.operator_line.as_deref()),
            Cell::text(entry.queue.as_deref()),
            Cell::ms(Some(limit)),
            Cell::ms(Some(delay)),
            Cell::moment(entry.completed_at),
        ]);
    }
    table
}

/// Control of execution: matters that a department has not done by their deadline, or did late.
fn deadlines(source: &Source, wanted: &Wanted) -> Table {
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
    for entry in &source.entries {
        let late = |deadline: &i64| entry.executed_at.unwrap_or(wanted.now) > *deadline;
        let Some(deadline) = entry.deadline_at.filter(late) else {
            continue;
        };
        table.rows.push(vec![
            Cell::Text(entry.call_id.clone()),
            Cell::Moment(entry.arrived_at),
            Cell::text(entry.full_name.as_deref()),
            Cell::text(entry.topic.as_deref()),
            Cell::text(entry.department.as_deref()),
            Cell::Moment(deadline),
            Cell::text(entry.execution.as_deref()),
            Cell::moment(entry.executed_at),
        ]);
    }
    table
}

fn offers(source: &Source) -> Table {
    let mut table = Table::new(
        "late_offers",
        [
            "entry", "offered", "operator", "line", "queue", "rang", "result",
        ],
    );
    for offer in &source.offers {
        table.rows.push(vec![
            Cell::Text(offer.call_id.clone()),
            Cell::Moment(offer.made_at),
            Cell::Text(offer.operator_name.clone()),
            Cell::Text(offer.operator_line.clone()),
            Cell::Text(offer.queue.clone()),
            Cell::ms(Some(offer.ring_ms())),
            Cell::Text(offer.result.clone()),
        ]);
    }
    table
}

/// A list that is too long is cut off, and says so.
pub(super) fn cut_off(report: &mut Report, table: &mut Table) {
    let all = table.rows.len();
    if all > LIST_MAX {
        table.rows.truncate(LIST_MAX);
        report.notes.push(format!(
            "{}: the first {LIST_MAX} of {all}; ask for a shorter range",
            table.name
        ));
    }
}
