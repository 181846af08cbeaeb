//! Owns what the report of quality says of audio: MOS, loss, jitter and round trip of each end, and the
//! legs that were heard badly.
//!
//! *received* is what came from the end to us, *sent* what went to it, as its own reports (RTCP) say.

use std::collections::BTreeMap;

use super::source::{LegRow, Source};
use super::{Cell, LIST_MAX, Report, Table, Wanted, lists};

/// Who was at the other end of legs: kind, name, line.
type End<'a> = (&'static str, &'a str, &'a str);

/// What is measured of a leg.
struct Measure {
    table: &'static str,
    /// Whether more is better.
    more: bool,
    received: fn(&LegRow) -> Option<f64>,
    /// `None` for what has no direction.
    sent: Option<fn(&LegRow) -> Option<f64>>,
    cell: fn(f64) -> Cell,
}

const MEASURES: [Measure; 4] = [
    Measure {
        table: "mos",
        more: true,
        received: |leg| leg.mos.map(scaled::<100>),
        sent: Some(|leg| leg.peer_mos.map(scaled::<100>)),
        cell: Cell::Number,
    },
    Measure {
        table: "loss",
        more: false,
        received: |leg| part(leg.lost, leg.received + leg.lost),
        sent: Some(|leg| part(leg.peer_lost?, leg.sent)),
        cell: Cell::Ratio,
    },
    Measure {
        table: "jitter_ms",
        more: false,
        received: |leg| leg.jitter_us.map(scaled::<1_000>),
        sent: Some(|leg| leg.peer_jitter_us.map(scaled::<1_000>)),
        cell: Cell::Number,
    },
    Measure {
        table: "round_trip_ms",
        more: false,
        received: |leg| leg.round_trip_us.map(scaled::<1_000>),
        sent: None,
        cell: Cell::Number,
    },
];

/// What is stored as a whole number of parts, in wholes.
fn scaled<const PARTS: u16>(parts: i64) -> f64 {
    // Packets, microseconds and hundredths stay far below 2^53, where this is exact.
    #[allow(clippy::cast_precision_loss)]
    let parts = parts as f64;
    parts / f64::from(PARTS)
}

fn part(some: i64, all: i64) -> Option<f64> {
    (all > 0).then(|| scaled::<1>(some) / scaled::<1>(all))
}

pub(super) fn tables(report: &mut Report, source: &Source, wanted: &Wanted) {
    let names = names(source);
    for measure in &MEASURES {
        report.tables.push(spread(measure, source, &names));
    }
    let poor = poor(source, &names, wanted.mos_below);
    report.notes.push(format!(
        "poor_audio: a MOS (ITU-T G.107) below {:.2} in either direction; {} of {} legs",
        scaled::<100>(wanted.mos_below.into()),
        poor.rows.len(),
        source.legs.len()
    ));
    let (all, mut poor) = (poor.rows.len() as u64, poor);
    poor.rows.truncate(LIST_MAX);
    lists::say_cut_off(report, &poor, all);
    report.tables.push(poor);
}

/// Name and line of every operator who talked.
fn names(source: &Source) -> BTreeMap<i64, (&str, &str)> {
    let talks = source.talks.iter();
    talks
        .map(|talk| {
            let named = (talk.operator_name.as_str(), talk.operator_line.as_str());
            (talk.operator_id, named)
        })
        .collect()
}

fn end<'a>(leg: &'a LegRow, names: &BTreeMap<i64, (&'a str, &'a str)>) -> End<'a> {
    if let Some(id) = leg.operator_id {
        let login = leg.operator_login.as_deref().unwrap_or("(unknown)");
        let (name, line) = names.get(&id).copied().unwrap_or((login, ""));
        return ("operator", name, line);
    }
    match &leg.outer_trunk {
        Some(trunk) => ("outer", trunk, ""),
        None => ("caller", "", ""),
    }
}

/// The best, the middle and the worst of a measure, for each end and direction.
fn spread<'a>(
    measure: &Measure,
    source: &'a Source,
    names: &BTreeMap<i64, (&'a str, &'a str)>,
) -> Table {
    let mut found: BTreeMap<(End<'_>, &str), Vec<f64>> = BTreeMap::new();
    let first = if measure.sent.is_some() {
        "received"
    } else {
        "both"
    };
    for leg in &source.legs {
        let end = end(leg, names);
        if let Some(value) = (measure.received)(leg) {
            found.entry((end, first)).or_default().push(value);
        }
        if let Some(value) = measure.sent.and_then(|sent| sent(leg)) {
            found.entry((end, "sent")).or_default().push(value);
        }
    }
    let mut table = Table::new(
        measure.table,
        [
            "end",
            "name",
            "line",
            "direction",
            "legs",
            "best",
            "median",
            "worst",
        ],
    );
    for (((kind, name, line), direction), mut values) in found {
        values.sort_unstable_by(f64::total_cmp);
        if measure.more {
            values.reverse();
        }
        let at = |place: Option<f64>| place.map_or(Cell::None, measure.cell);
        table.rows.push(vec![
            Cell::Text(kind.to_owned()),
            Cell::Text(name.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::Text(direction.to_owned()),
            Cell::Count(values.len() as u64),
            at(values.first().copied()),
            at(median(&values)),
            at(values.last().copied()),
        ]);
    }
    table
}

/// The value in the middle of a list in order; between the two middle ones where there are two.
fn median(values: &[f64]) -> Option<f64> {
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    // To the sixth digit: what lies between two of them is no finer than they are.
    let middle = f64::midpoint(*lower, *upper);
    Some((middle * 1e6).round() / 1e6)
}

/// The legs on which somebody was heard badly.
fn poor(source: &Source, names: &BTreeMap<i64, (&str, &str)>, below: u16) -> Table {
    let mut table = Table::new(
        "poor_audio",
        [
            "entry",
            "arrived",
            "end",
            "name",
            "line",
            "codec",
            "mos_received",
            "mos_sent",
            "loss_received",
            "loss_sent",
            "jitter_ms_received",
            "jitter_ms_sent",
            "round_trip_ms",
        ],
    );
    for leg in &source.legs {
        let worse = leg.mos.into_iter().chain(leg.peer_mos).min();
        if worse.is_none_or(|mos| mos >= i64::from(below)) {
            continue;
        }
        let (kind, name, line) = end(leg, names);
        let mut row = vec![
            Cell::Text(leg.call_id.clone()),
            Cell::Moment(leg.arrived_at),
            Cell::Text(kind.to_owned()),
            Cell::Text(name.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::text(leg.codec.as_deref()),
        ];
        for measure in &MEASURES {
            let values = [Some(measure.received), measure.sent];
            let values = values.into_iter().flatten().map(|of| of(leg));
            row.extend(values.map(|value| value.map_or(Cell::None, measure.cell)));
        }
        table.rows.push(row);
    }
    table
}
