//! Owns `hotline simulate`: a day of the journal, or a load, lived again with other operators, and its
//! figures beside the actual ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use journal::metrics::{QueueFigures, Stay};
use journal::query::{self, Range};
use journal::report::{self, Kind, Wanted};
use journal::rows::EntryRow;
use journal::search::{Filter, PAGE_MAX};
use sim::whatif::{self, Caller, Floor, Load, Seen};
use vocab::QueueOutcome;

use super::journal::block_on;
use crate::boot;
use crate::cli::Simulate;
use crate::settings::{Settings, SkillWanted, Staff, WhatIf};

/// In place of a time of the journal: a load.
const RATES: &str = "rates";

/// A caller who gives up sooner is a short abandon (METRICS.md).
const SHORT_MS: u64 = 5_000;

/// Calls of a day that are lived again at most.
const CALLS_MAX: usize = 100_000;

pub(super) fn run(wanted: &Simulate) -> anyhow::Result<ExitCode> {
    let settings = super::load(&wanted.config.config)?;
    let (queue, staff) = what_if(&settings, &wanted.queue)?;
    let name = queue.name.clone();
    let wrap_up = queue.wrap_up.longest();
    let operators = match staff {
        Some(staff) if wanted.operators.is_none() => staff,
        Some(_) | None => operators(&settings, wanted, &queue)?,
    };
    let mut floor = Floor {
        operators,
        queue,
        answer_after: wanted.ring,
    };
    let from = wanted.from.as_deref().filter(|from| *from != RATES);
    if from.is_some() && wanted.calls.is_some() {
        bail!("expected a day (--from TIME) or a load (--calls), found both");
    }
    let (callers, actual) = match from {
        Some(from) => of_journal(&settings, wanted, (&name, from))?,
        None => {
            // The time given is all that an operator is busy.
            floor.queue.wrap_up = acd::WrapUp::None;
            (of_load(wanted)?, None)
        }
    };
    if callers.is_empty() {
        bail!("no call came into the queue {name:?} in that time");
    }
    let lived = whatif::live(&floor, &callers);
    let simulated = QueueFigures::of(&lived.stays);
    let mut text = format!(
        "queue {name:?}: {} calls, {} operators\n",
        callers.len(),
        floor.operators.len()
    );
    if from.is_some() && !wrap_up.is_zero() {
        writeln!(
            text,
            "each talk is followed by {} s of work",
            wrap_up.as_secs()
        )?;
    }
    text.push_str(&table(
        &(simulated, lived.occupancy),
        actual.as_ref(),
        wanted.within,
    )?);
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The figures of a queue, and how busy its operators were, of 1.
type Figures = (QueueFigures, Option<f64>);

/// What an operator knows, and how well.
type Skills = BTreeMap<String, u8>;

/// The queue by its name in the settings, or the one of a file with those who would be there.
fn what_if(
    settings: &Settings,
    wanted: &str,
) -> anyhow::Result<(acd::QueueSettings, Option<Vec<Skills>>)> {
    if !wanted.ends_with(".toml") {
        let queues = boot::queue_settings(settings).into_iter();
        let mut queues = queues.filter(|one| one.name == wanted);
        let Some(queue) = queues.next() else {
            bail!("there is no queue {wanted:?} in the settings");
        };
        return Ok((queue, None));
    }
    let text = std::fs::read_to_string(wanted).with_context(|| format!("cannot read {wanted}"))?;
    let read = WhatIf::parse(wanted, &text).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("{}", told.join("\n"))
    })?;
    let queues = read.settings().map(|alone| boot::queue_settings(&alone));
    let Some(queue) = queues.and_then(|queues| queues.into_iter().next()) else {
        bail!("{wanted}: the queue cannot be used alone");
    };
    let able = |staff: &Staff| {
        let level = |wanted: &SkillWanted| match wanted.0.need {
            acd::Need::Required(limits) => (wanted.0.skill.clone(), limits.min),
            acd::Need::Preferred => (wanted.0.skill.clone(), acd::LEVEL_MAX),
        };
        let skills: Skills = staff.skills.iter().map(level).collect();
        vec![skills; staff.operators]
    };
    let staff: Vec<Skills> = read.staff.iter().flat_map(able).collect();
    Ok((queue, (!staff.is_empty()).then_some(staff)))
}

/// So many operators as asked for, each with all that the queue asks; else those of the table.
fn operators(
    settings: &Settings,
    wanted: &Simulate,
    queue: &acd::QueueSettings,
) -> anyhow::Result<Vec<Skills>> {
    if let Some(count) = wanted.operators {
        let able: Skills = queue
            .skills
            .iter()
            .map(|need| match need.need {
                acd::Need::Required(limits) => (need.skill.clone(), limits.max),
                acd::Need::Preferred => (need.skill.clone(), acd::LEVEL_MAX),
            })
            .collect();
        return Ok(vec![able; usize::try_from(count).unwrap_or(usize::MAX)]);
    }
    let all = block_on(journal::operators::list(&settings.journal.database))??;
    let there: Vec<_> = all.into_iter().filter(|one| one.enabled).collect();
    if there.is_empty() {
        bail!("the table of operators is empty; --operators N says how many there are");
    }
    Ok(there.into_iter().map(|one| one.skills).collect())
}

fn of_load(wanted: &Simulate) -> anyhow::Result<Vec<Caller>> {
    let (Some(calls), Some(talk)) = (wanted.calls, wanted.handling) else {
        bail!("expected a day (--from 2026-11-22) or a load (--calls 100 --handling '3 min')");
    };
    let periods = wanted.periods.max(1);
    Ok(whatif::callers(
        wanted.seed,
        Load {
            calls: calls.saturating_mul(periods),
            gap: wanted.each / calls.max(1),
            talk,
            patience: wanted.patience,
        },
    ))
}

/// The callers of a time, and the figures as they were.
fn of_journal(
    settings: &Settings,
    wanted: &Simulate,
    (queue, from): (&str, &str),
) -> anyhow::Result<(Vec<Caller>, Option<Figures>)> {
    let zone = settings.journal.zone();
    let now = Timestamp::from_millisecond(crate::driver::wall_clock().as_unix_millis())?;
    let (from, to) = super::report::range(Some(from), wanted.to.as_deref(), &zone, now)?;
    let range = (from, to);
    let filter = Filter {
        range: Range {
            from: Some(vocab::WallTime::from_unix_millis(from)),
            to: Some(vocab::WallTime::from_unix_millis(to)),
        },
        queue: Some(queue.to_owned()),
        direction: Some("inbound".to_owned()),
        ..Filter::default()
    };
    let work = Wanted::new(Kind::Operator, range, now.as_millisecond(), zone.clone());
    let (mut entries, occupancy) = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        let (mut entries, mut after) = (Vec::new(), None);
        while entries.len() < CALLS_MAX {
            let page = journal.find(&filter, after, PAGE_MAX).await?;
            entries.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let occupancy = report::occupancy(&settings.journal.database, &work, queue).await?;
        anyhow::Ok((entries, occupancy))
    })??;
    entries.sort_by_key(|entry| entry.arrived_at);
    let stays: Vec<Stay> = entries.iter().filter_map(stay).collect();
    let seen: Vec<Seen> = entries
        .iter()
        .filter_map(|entry| seen(entry, from))
        .collect();
    let callers = whatif::callers_of_a_day(wanted.seed, &seen);
    Ok((callers, Some((QueueFigures::of(&stays), occupancy))))
}

fn long(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn seen(entry: &EntryRow, from: i64) -> Option<Seen> {
    let arrived = entry.arrived_at?;
    Some(Seen {
        at: long(arrived.saturating_sub(from)),
        waited: long(entry.wait_ms.unwrap_or(0)),
        gave_up: entry.outcome.as_deref() == Some("abandoned"),
        talk: entry
            .talk_ms
            .filter(|_| entry.outcome.as_deref() == Some("answered"))
            .map(long),
    })
}

/// The last stay of an entry, by what became of the call.
fn stay(entry: &EntryRow) -> Option<Stay> {
    let outcome = match entry.outcome.as_deref()? {
        "answered" => QueueOutcome::Answered,
        "abandoned" => QueueOutcome::Abandoned,
        "timed_out" => QueueOutcome::TimedOut,
        "refused_full" => QueueOutcome::RefusedFull,
        _ => QueueOutcome::Closed,
    };
    let waited = u64::try_from(entry.wait_ms.unwrap_or(0)).unwrap_or(0);
    let queue = entry.queue.as_deref().unwrap_or_default();
    Some(Stay::ended(queue, entry.arrived_at?, waited, outcome))
}

fn table(
    simulated: &Figures,
    actual: Option<&Figures>,
    within: Duration,
) -> Result<String, std::fmt::Error> {
    let threshold = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let count = |of: u64| of.to_string();
    let percent = |of: Option<f64>| of.map_or("-".to_owned(), |of| format!("{:.1} %", of * 100.0));
    let seconds =
        |of: Option<f64>| of.map_or("-".to_owned(), |of| format!("{:.1} s", of / 1_000.0));
    let longest = |of: Option<u64>| of.map_or("-".to_owned(), |ms| format!("{} s", ms / 1_000));
    let column = |(figures, occupancy): &Figures| {
        let level = figures.service_level(threshold);
        vec![
            count(figures.counts.offered),
            count(figures.counts.answered),
            count(figures.counts.abandoned),
            count(figures.counts.timed_out),
            count(figures.counts.refused_full + figures.counts.closed),
            percent(level.answered_only),
            percent(level.asterisk_sl2),
            percent(level.ignore_abandoned),
            percent(level.abandoned_negative),
            percent(level.abandoned_positive),
            seconds(figures.asa_ms()),
            percent(figures.abandonment()),
            percent(figures.abandonment_adjusted(SHORT_MS)),
            longest(figures.longest_wait_ms),
            percent(*occupancy),
        ]
    };
    let names = [
        "offered",
        "answered",
        "abandoned",
        "timed out",
        "full or closed",
        "service level, answered_only",
        "service level, asterisk_sl2",
        "service level, ignore_abandoned",
        "service level, abandoned_negative",
        "service level, abandoned_positive",
        "average speed of answer",
        "abandonment",
        "abandonment without those of 5 s",
        "longest wait",
        "occupancy",
    ];
    let mut text = format!(
        "{:<36}{:>12}",
        format!("in time: {} s", within.as_secs()),
        "simulated"
    );
    if actual.is_some() {
        write!(text, "{:>12}", "actual")?;
    }
    text.push('\n');
    let simulated = column(simulated);
    let actual = actual.map(column);
    for (row, name) in names.iter().enumerate() {
        let cell = |of: &Vec<String>| of.get(row).cloned().unwrap_or_default();
        write!(text, "{name:<36}{:>12}", cell(&simulated))?;
        if let Some(actual) = &actual {
            write!(text, "{:>12}", cell(actual))?;
        }
        text.push('\n');
    }
    Ok(text)
}
