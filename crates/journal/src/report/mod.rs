//! Owns the reports: which there are, what each holds, and the one shape of all of them. The figures
//! are those of [`crate::metrics`]; [`render`] makes text, files and workbooks of a report.
//!
//! A report says in itself what it is of: the range, the zone in which it was cut, the threshold, the
//! version of the formulas, and whether the identity of METRICS.md held.

mod abandoned;
mod audio;
mod by_interval;
mod calls;
mod charts;
mod daily;
mod grain;
mod html;
mod json;
mod lists;
mod lots;
mod overruns;
mod people;
mod quality;
mod queues;
pub mod render;
mod source;
mod xlsx;

use jiff::tz::TimeZone;

use crate::db::Location;
use crate::error::DatabaseError;
use crate::forms::Forms;
use crate::metrics::{FORMULAS, Interval};

pub(crate) use source::Source;

/// Intervals of one report at most: a year of hours, or a quarter of quarters of an hour.
pub const INTERVALS_MAX: usize = 9_000;

/// Rows of a list of entries at most; more is an export, and the report says that it was cut off.
pub const LIST_MAX: usize = 10_000;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything of a day, or of any range, on a few pages.
    Daily,
    /// Queues by interval: outcomes, service level, waits.
    Queue,
    /// Operators: handled, handling time, occupancy, breaks.
    Operator,
    /// Lines: answer time, offers that nobody answered.
    Line,
    /// Calls that were abandoned, and whether they were called back.
    Abandoned,
    /// Entries and offers over their time.
    Overruns,
    /// Recordings, audio, marks of callers.
    Quality,
}

impl Kind {
    /// All, with their names.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("daily", Self::Daily),
        ("queue", Self::Queue),
        ("operator", Self::Operator),
        ("line", Self::Line),
        ("abandoned", Self::Abandoned),
        ("overruns", Self::Overruns),
        ("quality", Self::Quality),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, kind)| *kind == self);
        named.map_or("", |(name, _)| name)
    }
}

/// By what the rows of a report of queues are told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    /// The queue.
    #[default]
    Queue,
    /// The number that was dialled.
    Number,
    /// The trunk that brought the call.
    Trunk,
    /// The topic of the entry.
    Topic,
    /// The operator who talked to the caller first.
    Operator,
    /// The line of that operator.
    Line,
    /// Nothing: one row for all.
    All,
}

impl By {
    /// All, with their names.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("queue", Self::Queue),
        ("number", Self::Number),
        ("trunk", Self::Trunk),
        ("topic", Self::Topic),
        ("operator", Self::Operator),
        ("line", Self::Line),
        ("all", Self::All),
    ];
}

/// What is asked of a report.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which.
    pub kind: Kind,
    /// First moment inside, UTC ms.
    pub from: i64,
    /// First moment after it, UTC ms.
    pub to: i64,
    /// This moment, UTC ms: what still waits is measured by it.
    pub now: i64,
    /// The installation's zone.
    pub zone: TimeZone,
    /// How the range is cut: in the reports of queues, operators and lines.
    pub interval: Interval,
    /// By what rows are told apart.
    pub by: By,
    /// Only this queue.
    pub queue: Option<String>,
    /// A wait up to this is in time.
    pub threshold_ms: u64,
    /// Who hangs up within this is no abandoned call in the adjusted figure.
    pub short_ms: u64,
    /// What a line may ring.
    pub ring_limit_ms: u64,
    /// The window of first-contact resolution.
    pub repeat_days: u16,
    /// Legs with a MOS below this, in hundredths, are listed.
    pub mos_below: u16,
}

impl Wanted {
    /// With the usual thresholds: 20 s to answer, 5 s for short abandons, 15 s for a line to ring,
    /// seven days for a repeat, a MOS of 3.6 (below it many are dissatisfied, ITU-T G.107 annex B).
    #[must_use]
    pub const fn new(kind: Kind, (from, to): (i64, i64), now: i64, zone: TimeZone) -> Self {
        Self {
            kind,
            from,
            to,
            now,
            zone,
            interval: Interval::Whole,
            by: By::Queue,
            queue: None,
            threshold_ms: 20_000,
            short_ms: 5_000,
            ring_limit_ms: 15_000,
            repeat_days: 7,
            mos_below: 360,
        }
    }
}

/// A mean opinion score, 1 to 4.5, in hundredths; none of what is none.
#[must_use]
pub fn hundredths(mos: f64) -> Option<u16> {
    // 450 at most.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (1.0..=4.5)
        .contains(&mos)
        .then(|| (mos * 100.0).round() as u16)
}

/// One value of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// There is none: nothing to divide by, or nothing known.
    None,
    /// Text, of whomever: it is never a formula, a tag or a control character where it is shown.
    Text(String),
    /// A number of things.
    Count(u64),
    /// Milliseconds.
    Millis(f64),
    /// A part of a whole, 0 to 1.
    Ratio(f64),
    /// Any other number.
    Number(f64),
    /// A moment, UTC ms.
    Moment(i64),
}

impl Cell {
    fn text(text: Option<&str>) -> Self {
        text.map_or(Self::None, |text| Self::Text(text.to_owned()))
    }

    fn millis(ms: Option<f64>) -> Self {
        ms.map_or(Self::None, Self::Millis)
    }

    fn ms(ms: Option<u64>) -> Self {
        // Far below 2^53, where this is exact.
        #[allow(clippy::cast_precision_loss)]
        ms.map_or(Self::None, |ms| Self::Millis(ms as f64))
    }

    fn ratio(part: Option<f64>) -> Self {
        part.map_or(Self::None, Self::Ratio)
    }

    fn moment(at: Option<i64>) -> Self {
        at.map_or(Self::None, Self::Moment)
    }
}

/// A table of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name: a sheet of a workbook, an array of JSON.
    pub name: &'static str,
    /// Names of its columns, the same in every form.
    pub columns: Vec<&'static str>,
    /// Its rows, each as long as the columns.
    pub rows: Vec<Vec<Cell>>,
    /// Columns that are worth a line in a chart, over the first.
    pub chart: Vec<&'static str>,
}

impl Table {
    fn new(name: &'static str, columns: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            name,
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
            chart: Vec::new(),
        }
    }
}

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which.
    pub kind: Kind,
    /// First moment inside, UTC ms.
    pub from: i64,
    /// First moment after it, UTC ms.
    pub to: i64,
    /// When it was made, UTC ms.
    pub made_at: i64,
    /// In which zone.
    pub zone: TimeZone,
    /// Version of the formulas.
    pub formulas: u32,
    /// What else is to be known of it: thresholds, the identity, what was cut off.
    pub notes: Vec<String>,
    /// Whether the identity held: offered is the sum of outcomes.
    pub identity: bool,
    /// What it tells.
    pub tables: Vec<Table>,
}

/// Makes a report.
///
/// # Errors
/// If the database cannot be used.
pub async fn make(
    database: impl Into<Location>,
    forms: &Forms,
    wanted: &Wanted,
) -> Result<Report, DatabaseError> {
    let source = Source::read(&database.into(), forms, wanted).await?;
    Ok(of(&source, forms, wanted))
}

/// How busy those were, of 1, to whom calls of a queue were offered in the time that is wanted; all
/// their work counts, as in the report of operators. `None` if nobody was there.
///
/// # Errors
/// If the database cannot be used.
pub async fn occupancy(
    database: impl Into<Location>,
    wanted: &Wanted,
    queue: &str,
) -> Result<Option<f64>, DatabaseError> {
    let (source, lines) = Source::of_queue(&database.into(), wanted, queue).await?;
    Ok(people::occupancy(&source, wanted, &lines))
}

/// The report of what was read: pure.
pub(crate) fn of(source: &Source, forms: &Forms, wanted: &Wanted) -> Report {
    let mut report = Report {
        kind: wanted.kind,
        from: wanted.from,
        to: wanted.to,
        made_at: wanted.now,
        zone: wanted.zone.clone(),
        formulas: FORMULAS,
        notes: Vec::new(),
        identity: source.identity,
        tables: Vec::new(),
    };
    let identity = if report.identity {
        "holds"
    } else {
        "DOES NOT HOLD: run `hotline journal check`"
    };
    report.notes.push(format!(
        "offered = answered + abandoned + overflowed + timed out + closed + refused + callback taken + waiting: {identity}"
    ));
    match wanted.kind {
        Kind::Daily => daily::tables(&mut report, source, forms, wanted),
        Kind::Queue => queues::tables(&mut report, source, wanted),
        Kind::Operator => people::operators(&mut report, source, wanted),
        Kind::Line => people::lines(&mut report, source, wanted),
        Kind::Abandoned => abandoned::table(&mut report, &source.abandoned, wanted),
        Kind::Overruns => overruns::tables(&mut report, &source.overruns, forms, wanted),
        Kind::Quality => quality::tables(&mut report, source, wanted),
    }
    report
}
