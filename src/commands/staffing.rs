//! Owns `hotline staffing`: how many operators a load needs, by the formulas of Erlang.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use acd::erlang::{self, Impatient, Load, Patient};
use anyhow::bail;

use crate::cli::Staffing;

/// Operators that are looked at: more than any hotline has.
const OPERATORS_MAX: u32 = 5_000;

/// Rows above and below the number that is enough.
const ROWS_ABOVE: u32 = 3;
const ROWS_BELOW: u32 = 4;

pub(super) fn run(wanted: &Staffing) -> anyhow::Result<ExitCode> {
    super::print_out(&table(wanted)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The answer as text.
fn table(wanted: &Staffing) -> anyhow::Result<String> {
    if wanted.handling.is_zero() || wanted.each.is_zero() {
        bail!("expected times above 0s for --handling and --each");
    }
    let (handling, each) = (wanted.handling.as_secs_f64(), wanted.each.as_secs_f64());
    let load = Load::new(f64::from(wanted.calls), each, handling);
    let (level, within) = (f64::from(wanted.level) / 100.0, wanted.within.as_secs_f64());
    let patience = wanted.patience.filter(|patience| !patience.is_zero());
    let enough = match patience {
        Some(patience) => {
            let patience = patience.as_secs_f64();
            erlang::operators_for_impatient(load, patience, level, within, OPERATORS_MAX)
        }
        None => erlang::operators_for(load, level, within, OPERATORS_MAX),
    };
    let mut text = format!(
        "{} calls each {}, handled for {}: {:.2} Erlang\n",
        wanted.calls,
        time(wanted.each),
        time(wanted.handling),
        load.traffic(),
    );
    let goal = format!("{} % answered within {}", wanted.level, time(wanted.within));
    match enough {
        Some(operators) => writeln!(text, "{goal}: {operators} operators\n")?,
        None => bail!("{goal}: not even {OPERATORS_MAX} operators are enough"),
    }
    let about = wanted.operators.or(enough).unwrap_or(1);
    let first = about.saturating_sub(ROWS_ABOVE).max(1);
    match patience {
        Some(patience) => impatient(&mut text, load, patience, within, first, about)?,
        None => patient(&mut text, load, within, first, about)?,
    }
    Ok(text)
}

fn patient(text: &mut String, load: Load, within: f64, first: u32, about: u32) -> std::fmt::Result {
    writeln!(text, "Erlang C: callers wait for ever")?;
    writeln!(text, "operators  occupancy     wait  in time  average wait")?;
    for operators in first..=about + ROWS_BELOW {
        match Patient::new(load, operators) {
            Some(queue) => writeln!(
                text,
                "{operators:9}  {:>9}  {:>7}  {:>7}  {:>10.1} s",
                part(queue.occupancy()),
                part(queue.waits()),
                part(queue.service_level(within)),
                queue.average_wait(),
            )?,
            None => writeln!(text, "{operators:9}  unstable: the queue grows without end")?,
        }
    }
    Ok(())
}

fn impatient(
    text: &mut String,
    load: Load,
    patience: Duration,
    within: f64,
    first: u32,
    about: u32,
) -> std::fmt::Result {
    let mean = time(patience);
    writeln!(text, "Erlang A: callers give up after {mean} on average")?;
    writeln!(
        text,
        "operators  occupancy     wait  in time  give up  average wait"
    )?;
    for operators in first..=about + ROWS_BELOW {
        if let Some(queue) = Impatient::new(load, operators, patience.as_secs_f64()) {
            writeln!(
                text,
                "{operators:9}  {:>9}  {:>7}  {:>7}  {:>7}  {:>10.1} s",
                part(queue.occupancy()),
                part(queue.waits()),
                part(queue.service_level(within)),
                part(queue.abandons()),
                queue.average_wait(),
            )?;
        }
    }
    Ok(())
}

/// A part as percent.
fn part(of: f64) -> String {
    format!("{:.1} %", of * 100.0)
}

/// A time as it is typed.
fn time(of: Duration) -> String {
    let seconds = of.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, _) => format!("{}s", of.as_secs_f64()),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds}s"),
    }
}
