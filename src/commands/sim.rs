//! Owns `hotline sim`: lives seeded worlds, tells how far it is, and for a violation how to see it again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sim::{Fault, Scenario, live, shrink};

use crate::cli::Sim;

/// Between two words on how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// What was lived so far.
#[derive(Default)]
struct Sum {
    worlds: u64,
    calls: u64,
    datagrams: u64,
    events: u64,
    injected: BTreeMap<Fault, u64>,
}

pub(super) fn run(wanted: &Sim) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut told = began;
    let mut sum = Sum::default();
    for seed in wanted.seeds.clone() {
        let scenario = Scenario {
            seed,
            minutes: wanted.minutes,
            faults: wanted.faults.clone(),
        };
        match live(&scenario) {
            Ok(report) => sum.add(report),
            Err(failure) => {
                eprintln!(
                    "seed {seed}: {}; looking for a shorter way to it",
                    failure.wrong
                );
                let text = format!(
                    "hotline {}, seed {seed} is wrong\n{}\n",
                    env!("CARGO_PKG_VERSION"),
                    shrink(failure)
                );
                super::print_out(&text)?;
                return Ok(ExitCode::FAILURE);
            }
        }
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            eprintln!("{}", sum.line(began.elapsed()));
        }
    }
    super::print_out(&format!("{}\n{}", sum.line(began.elapsed()), sum.faults()))?;
    Ok(ExitCode::SUCCESS)
}

impl Sum {
    fn add(&mut self, report: sim::Report) {
        self.worlds += 1;
        self.calls += report.calls;
        self.datagrams += report.datagrams;
        self.events += report.events;
        for (fault, times) in report.injected {
            *self.injected.entry(fault).or_default() += times;
        }
    }

    fn line(&self, took: Duration) -> String {
        let rate = self.calls as f64 / took.as_secs_f64().max(0.001);
        format!(
            "{} worlds, {} calls, {} datagrams, {} events; {rate:.0} calls/s; no violation",
            self.worlds, self.calls, self.datagrams, self.events
        )
    }

    fn faults(&self) -> String {
        let mut text = String::new();
        for (fault, times) in &self.injected {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {:<10} {times}", fault.word());
        }
        text
    }
}
