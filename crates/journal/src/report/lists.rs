//! Owns the lists of entries, matters and offers over their time, and how a list is cut off.

use super::queues::seconds;
use super::source::Source;
use super::{Cell, LIST_MAX, Report, Table, Wanted};
use crate::forms::Forms;

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
    let all = table.rows.len() as u64;
    table.rows.truncate(LIST_MAX);
    say_cut_off(report, table, all);
}

/// Says of a list that is shorter than `all` that it was cut off.
pub(super) fn say_cut_off(report: &mut Report, table: &Table, all: u64) {
    if all > table.rows.len() as u64 {
        report.notes.push(format!(
            "{}: the first {LIST_MAX} of {all}; ask for a shorter range",
            table.name
        ));
    }
}
