//! Owns what the report of quality says of audio: MOS, loss, jitter and round trip of each end, and the
//! legs that were heard badly.
//!
//! *received* is what came from the end to us, *sent* what went to it, as its own reports (RTCP) say.
//!
//! A median needs every value. The database hands them over in one text for each end and part of the
//! range: a row for each leg takes ten times as long.

use std::collections::BTreeMap;

use super::quality::TalkRow;
use super::source::{Source, unsigned};
use super::{Cell, LIST_MAX, Report, Table, Wanted, lists, lots};
use crate::db::Connection;

/// The range is read in so many parts, so that the database sorts what its memory holds.
const PARTS: i64 = 30;

/// One leg that was heard badly.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct LegRow {
    call_id: String,
    arrived_at: i64,
    operator_id: Option<i64>,
    operator_login: Option<String>,
    outer_trunk: Option<String>,
    codec: Option<String>,
    received: i64,
    lost: i64,
    sent: i64,
    peer_lost: Option<i64>,
    jitter_us: Option<i64>,
    peer_jitter_us: Option<i64>,
    mos: Option<i64>,
    peer_mos: Option<i64>,
    round_trip_us: Option<i64>,
}

/// Legs of one end. What is measured of them are whole numbers with a comma between two; what was lost
/// and of how many stand in the same order.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct EndRow {
    operator_id: Option<i64>,
    operator_login: Option<String>,
    outer_trunk: Option<String>,
    legs: i64,
    poor: i64,
    mos: Option<String>,
    peer_mos: Option<String>,
    lost: Option<String>,
    lost_of: Option<String>,
    peer_lost: Option<String>,
    peer_lost_of: Option<String>,
    jitter_us: Option<String>,
    peer_jitter_us: Option<String>,
    round_trip_us: Option<String>,
}

const ENDS: &str = "SELECT l.operator_id, l.operator_login, l.outer_trunk, count(*) AS legs,
      count(CASE WHEN l.mos < $4 OR l.peer_mos < $4 THEN 1 END) AS poor,
      string_agg(CAST(l.mos AS TEXT), ',') AS mos,
      string_agg(CAST(l.peer_mos AS TEXT), ',') AS peer_mos,
      string_agg(CAST(l.lost AS TEXT), ',') AS lost,
      string_agg(CAST(l.received + l.lost AS TEXT), ',') AS lost_of,
      string_agg(CAST(l.peer_lost AS TEXT), ',') AS peer_lost,
      string_agg(CASE WHEN l.peer_lost IS NOT NULL THEN CAST(l.sent AS TEXT) END, ',')
        AS peer_lost_of,
      string_agg(CAST(l.jitter_us AS TEXT), ',') AS jitter_us,
      string_agg(CAST(l.peer_jitter_us AS TEXT), ',') AS peer_jitter_us,
      string_agg(CAST(l.round_trip_us AS TEXT), ',') AS round_trip_us
    FROM entries e JOIN legs l ON l.call = e.call
    WHERE e.arrived_at >= $1 AND e.arrived_at < $2 AND ($3 IS NULL OR e.queue = $3)
    GROUP BY l.operator_id, l.operator_login, l.outer_trunk";

const POOR: &str = "SELECT e.call_id, e.arrived_at, l.operator_id, l.operator_login, l.outer_trunk,
      l.codec, l.received, l.lost, l.sent, l.peer_lost, l.jitter_us, l.peer_jitter_us, l.mos,
      l.peer_mos, l.round_trip_us
    FROM entries e JOIN legs l ON l.call = e.call
    WHERE e.arrived_at >= $1 AND e.arrived_at < $2 AND ($3 IS NULL OR e.queue = $3)
      AND (l.mos < $4 OR l.peer_mos < $4)
    ORDER BY e.arrived_at, l.leg LIMIT $5";

/// Reads what was measured at each end of the calls that arrived in the range.
pub(super) async fn ends(
    view: &mut Connection,
    wanted: &Wanted,
) -> Result<Vec<EndRow>, sqlx::Error> {
    let mut ends = Vec::new();
    let length = wanted.to.saturating_sub(wanted.from) / PARTS + 1;
    let mut from = wanted.from;
    while from < wanted.to {
        let to = from.saturating_add(length).min(wanted.to);
        let args = [
            from.into(),
            to.into(),
            wanted.queue.clone().into(),
            i64::from(wanted.mos_below).into(),
        ];
        let part: Vec<EndRow> = view.all(ENDS, &args).await?;
        ends.extend(part);
        from = to;
    }
    Ok(ends)
}

/// Reads the first legs that were heard badly, in order of arrival of their calls.
pub(super) async fn poor(
    view: &mut Connection,
    wanted: &Wanted,
) -> Result<Vec<LegRow>, sqlx::Error> {
    let mut args = lots::range(wanted);
    args.push(i64::from(wanted.mos_below).into());
    args.push(lots::signed(LIST_MAX as u64));
    view.all(POOR, &args).await
}

/// Who was at the other end of legs: kind, name, line.
type End<'a> = (&'static str, &'a str, &'a str);

/// What is measured of a leg.
struct Measure {
    table: &'static str,
    /// Whether more is better.
    more: bool,
    received: Side,
    /// `None` for what has no direction.
    sent: Option<Side>,
    cell: fn(f64) -> Cell,
}

/// One direction of a measure.
#[derive(Clone, Copy)]
struct Side {
    /// Of one leg.
    leg: fn(&LegRow) -> Option<f64>,
    /// Of all legs of an end of which it is known.
    end: fn(&EndRow) -> Vec<f64>,
}

const MEASURES: [Measure; 4] = [
    Measure {
        table: "mos",
        more: true,
        received: Side {
            leg: |leg| leg.mos.map(scaled::<100>),
            end: |end| wholes::<100>(end.mos.as_deref()),
        },
        sent: Some(Side {
            leg: |leg| leg.peer_mos.map(scaled::<100>),
            end: |end| wholes::<100>(end.peer_mos.as_deref()),
        }),
        cell: Cell::Number,
    },
    Measure {
        table: "loss",
        more: false,
        received: Side {
            leg: |leg| part(leg.lost, leg.received + leg.lost),
            end: |end| fractions(end.lost.as_deref(), end.lost_of.as_deref()),
        },
        sent: Some(Side {
            leg: |leg| part(leg.peer_lost?, leg.sent),
            end: |end| fractions(end.peer_lost.as_deref(), end.peer_lost_of.as_deref()),
        }),
        cell: Cell::Ratio,
    },
    Measure {
        table: "jitter_ms",
        more: false,
        received: Side {
            leg: |leg| leg.jitter_us.map(scaled::<1_000>),
            end: |end| wholes::<1_000>(end.jitter_us.as_deref()),
        },
        sent: Some(Side {
            leg: |leg| leg.peer_jitter_us.map(scaled::<1_000>),
            end: |end| wholes::<1_000>(end.peer_jitter_us.as_deref()),
        }),
        cell: Cell::Number,
    },
    Measure {
        table: "round_trip_ms",
        more: false,
        received: Side {
            leg: |leg| leg.round_trip_us.map(scaled::<1_000>),
            end: |end| wholes::<1_000>(end.round_trip_us.as_deref()),
        },
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

/// The numbers of a text.
fn numbers(text: Option<&str>) -> impl Iterator<Item = i64> {
    let texts = text.into_iter().flat_map(|text| text.split(','));
    texts.filter_map(|number| number.parse().ok())
}

fn wholes<const PARTS: u16>(text: Option<&str>) -> Vec<f64> {
    numbers(text).map(scaled::<PARTS>).collect()
}

fn fractions(some: Option<&str>, all: Option<&str>) -> Vec<f64> {
    let pairs = numbers(some).zip(numbers(all));
    pairs.filter_map(|(some, all)| part(some, all)).collect()
}

pub(super) fn tables(report: &mut Report, source: &Source, wanted: &Wanted) {
    let names = names(source.quality.talks());
    for measure in &MEASURES {
        report.tables.push(spread(measure, &source.ends, &names));
    }
    let sum = |of: fn(&EndRow) -> i64| source.ends.iter().map(|row| unsigned(of(row))).sum();
    let (legs, poor): (u64, u64) = (sum(|row| row.legs), sum(|row| row.poor));
    report.notes.push(format!(
        "poor_audio: a MOS (ITU-T G.107) below {:.2} in either direction; {poor} of {legs} legs",
        scaled::<100>(wanted.mos_below.into()),
    ));
    let list = poor_audio(source.quality.poor(), &names);
    lists::say_cut_off(report, &list, poor);
    report.tables.push(list);
}

/// Name and line of every operator who talked, as they were at the last talk.
fn names(talks: &[TalkRow]) -> BTreeMap<i64, (&str, &str)> {
    let named = talks.iter().map(|talk| {
        let named = (talk.operator_name.as_str(), talk.operator_line.as_str());
        (talk.operator_id, named)
    });
    named.collect()
}

/// The end of a leg, by operator and login, or by trunk.
fn end<'a>(
    (operator, login): (Option<i64>, Option<&'a str>),
    outer_trunk: Option<&'a str>,
    names: &BTreeMap<i64, (&'a str, &'a str)>,
) -> End<'a> {
    if let Some(id) = operator {
        let login = login.unwrap_or("(unknown)");
        let (name, line) = names.get(&id).copied().unwrap_or((login, ""));
        return ("operator", name, line);
    }
    match outer_trunk {
        Some(trunk) => ("outer", trunk, ""),
        None => ("caller", "", ""),
    }
}

/// The best, the middle and the worst of a measure, for each end and direction.
fn spread<'a>(
    measure: &Measure,
    ends: &'a [EndRow],
    names: &BTreeMap<i64, (&'a str, &'a str)>,
) -> Table {
    let mut found: BTreeMap<(End<'_>, &str), Vec<f64>> = BTreeMap::new();
    let first = if measure.sent.is_some() {
        "received"
    } else {
        "both"
    };
    for row in ends {
        let operator = (row.operator_id, row.operator_login.as_deref());
        let end = end(operator, row.outer_trunk.as_deref(), names);
        for (direction, side) in [(first, Some(measure.received)), ("sent", measure.sent)] {
            let mut values = side.map_or_else(Vec::new, |side| (side.end)(row));
            if !values.is_empty() {
                found
                    .entry((end, direction))
                    .or_default()
                    .append(&mut values);
            }
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
        let least = values.iter().copied().min_by(f64::total_cmp);
        let most = values.iter().copied().max_by(f64::total_cmp);
        let (best, worst) = if measure.more {
            (most, least)
        } else {
            (least, most)
        };
        let at = |place: Option<f64>| place.map_or(Cell::None, measure.cell);
        table.rows.push(vec![
            Cell::Text(kind.to_owned()),
            Cell::Text(name.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::Text(direction.to_owned()),
            Cell::Count(values.len() as u64),
            at(best),
            at(median(&mut values)),
            at(worst),
        ]);
    }
    table
}

/// The value in the middle of a list, were it in order; between the two middle ones where there are two.
fn median(values: &mut [f64]) -> Option<f64> {
    let (place, is_even) = (values.len() / 2, values.len().is_multiple_of(2));
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(place, f64::total_cmp);
    let lower = if is_even {
        below.iter().copied().max_by(f64::total_cmp)?
    } else {
        *upper
    };
    // To the sixth digit: what lies between two of them is no finer than they are.
    let middle = f64::midpoint(lower, *upper);
    Some((middle * 1e6).round() / 1e6)
}

/// The legs on which somebody was heard badly.
fn poor_audio(legs: &[LegRow], names: &BTreeMap<i64, (&str, &str)>) -> Table {
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
    for leg in legs {
        let operator = (leg.operator_id, leg.operator_login.as_deref());
        let (kind, name, line) = end(operator, leg.outer_trunk.as_deref(), names);
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
            let values = values.into_iter().flatten().map(|side| (side.leg)(leg));
            row.extend(values.map(|value| value.map_or(Cell::None, measure.cell)));
        }
        table.rows.push(row);
    }
    table
}
