//! Owns `hotline sim`: lives seeded worlds, tells how far it is, and for a violation how to see it again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};
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
                super::print_out(&wrong(seed, &shrink(failure).to_string()))?;
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

/// What is told of a seed that is wrong: without the source it is of, nobody can see it again.
fn wrong(seed: u64, story: &str) -> String {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), commit());
    format!("hotline {version}, {commit}, seed {seed} is wrong\n{story}\n")
}

/// The commit that the program was built from, where its builder said so (`HOTLINE_COMMIT`); else where
/// the tree around the program stands, which is the same unless it moved since.
fn commit() -> String {
    if let Some(commit) = option_env!("HOTLINE_COMMIT") {
        return format!("commit {commit}");
    }
    match tree() {
        Some(commit) => format!("commit {commit} by the tree around it"),
        None => "of an unknown commit".to_owned(),
    }
}

fn tree() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let asked = Command::new("git")
        .arg("-C")
        .arg(program.parent()?)
        .args([
            "describe",
            "--always",
            "--dirty",
            "--abbrev=12",
            "--exclude=*",
        ])
        .output()
        .ok()?;
    let said = String::from_utf8(asked.stdout).ok()?;
    let commit = said.trim();
    (asked.status.success() && !commit.is_empty()).then(|| commit.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_that_is_wrong_is_told_with_the_commit_that_it_is_wrong_in() {
        let text = wrong(7, "the story");
        let commit =
            option_env!("HOTLINE_COMMIT").map_or_else(tree, |commit| Some(commit.to_owned()));
        // Tests run from a tree that git knows; the commit is its own, whole enough to be found.
        let commit = commit.expect("a git tree around the tests");
        let hex = commit.trim_end_matches("-dirty");
        assert!(
            hex.len() >= 12 && hex.chars().all(|c| c.is_ascii_hexdigit()),
            "{commit}"
        );
        assert!(text.contains(&format!("commit {commit}")), "{text}");
        assert!(text.contains("seed 7 is wrong\nthe story"), "{text}");
    }
}
