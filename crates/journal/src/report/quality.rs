//! Owns the report of quality: how legs were heard, recordings that are there and those that are not,
//! packets that were lost, marks that callers gave.

use std::collections::BTreeMap;

use super::source::Source;
use super::{Cell, Report, Table, Wanted, audio};
use crate::metrics::ratio;

#[derive(Default)]
struct Kept {
    to_record: u64,
    recorded: u64,
    incomplete: u64,
    packets: u64,
    lost: u64,
    dropped: u64,
}

pub(super) fn tables(report: &mut Report, source: &Source, wanted: &Wanted) {
    audio::tables(report, source, wanted);
    recordings(report, source);
    report.tables.push(ratings(source));
}

fn recordings(report: &mut Report, source: &Source) {
    let mut kept: BTreeMap<(&str, &str), Kept> = BTreeMap::new();
    let mut missing: BTreeMap<&str, u64> = BTreeMap::new();
    for talk in &source.talks {
        let key = (talk.operator_name.as_str(), talk.operator_line.as_str());
        let sum = kept.entry(key).or_default();
        if talk.recorded {
            sum.to_record += 1;
            sum.recorded += u64::from(talk.path.is_some());
            sum.incomplete += u64::from(talk.missing.is_some());
        }
        if let Some(reason) = &talk.missing {
            *missing.entry(reason).or_default() += 1;
        }
        let (packets, lost, dropped) = talk.packets();
        sum.packets += packets;
        sum.lost += lost;
        sum.dropped += dropped;
    }
    let mut table = Table::new(
        "recordings",
        [
            "operator",
            "line",
            "to_record",
            "recorded",
            "incomplete",
            "packets",
            "lost",
            "lost_part",
            "dropped",
        ],
    );
    for ((operator, line), sum) in kept {
        table.rows.push(vec![
            Cell::Text(operator.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::Count(sum.to_record),
            Cell::Count(sum.recorded),
            Cell::Count(sum.incomplete),
            Cell::Count(sum.packets),
            Cell::Count(sum.lost),
            Cell::ratio(ratio(sum.lost, sum.packets + sum.lost)),
            Cell::Count(sum.dropped),
        ]);
    }
    report.tables.push(table);
    let mut table = Table::new("recordings_missing", ["reason", "segments"]);
    for (reason, segments) in missing {
        table
            .rows
            .push(vec![Cell::Text(reason.to_owned()), Cell::Count(segments)]);
    }
    report.tables.push(table);
}

fn ratings(source: &Source) -> Table {
    let mut marks: BTreeMap<(&str, &str), [u64; 5]> = BTreeMap::new();
    for entry in &source.entries {
        let place = entry.rating.and_then(|mark| usize::try_from(mark - 1).ok());
        let key = (
            entry.operator_name.as_deref().unwrap_or("(none)"),
            entry.operator_line.as_deref().unwrap_or_default(),
        );
        if let Some(place) = place.filter(|place| *place < 5) {
            let counts = marks.entry(key).or_default();
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
            }
        }
    }
    let mut table = Table::new(
        "ratings",
        [
            "operator", "line", "marks", "average", "mark_1", "mark_2", "mark_3", "mark_4",
            "mark_5",
        ],
    );
    for ((operator, line), counts) in marks {
        let all: u64 = counts.iter().sum();
        let sum: u64 = (1..).zip(counts).map(|(mark, count)| mark * count).sum();
        let mut row = vec![
            Cell::Text(operator.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::Count(all),
            ratio(sum, all).map_or(Cell::None, Cell::Number),
        ];
        row.extend(counts.map(Cell::Count));
        table.rows.push(row);
    }
    table
}
