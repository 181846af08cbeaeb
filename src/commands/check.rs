//! Owns `hotline check`: settings, plans and prompts, without taking calls.

use std::path::Path;
use std::process::ExitCode;

use crate::boot;
use crate::settings;

pub(super) fn check(path: &Path) -> ExitCode {
    let settings = match settings::load(path) {
        Ok(settings) => settings,
        Err(problems) => return refuse(problems.iter().map(ToString::to_string)),
    };
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let secrets = settings.secret_problems();
    let certificates = boot::Certificates::load(&settings)
        .err()
        .unwrap_or_default();
    let secrets = secrets.iter().chain(&certificates).map(ToString::to_string);
    let loaded = match boot::load_plans(&settings) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let plans = mistakes.iter().map(boot::PlanMistake::snippet);
            return refuse(secrets.chain(plans));
        }
    };
    if let Err(mistake) = boot::read_forms(&settings.journal) {
        return refuse(std::iter::once(format!("{mistake:#}")));
    }
    let prompts = loaded.problems.into_iter().map(|problem| problem.message);
    let mut mistakes = secrets.chain(prompts).peekable();
    if mistakes.peek().is_some() {
        return refuse(mistakes);
    }
    println!(
        "{}: calls can be taken ({} for {}, {}, {}, {})",
        path.display(),
        count(loaded.plans.iter().count(), "plan"),
        count(loaded.plans.numbers().count(), "number"),
        count(loaded.audio.len(), "prompt"),
        count(settings.trunks.len(), "trunk"),
        count(settings.queues.len(), "queue")
    );
    ExitCode::SUCCESS
}

fn refuse(mistakes: impl Iterator<Item = String>) -> ExitCode {
    for mistake in mistakes {
        eprintln!("{mistake}");
    }
    ExitCode::FAILURE
}

/// A number of things, in words: "1 plan", "2 plans".
fn count(number: usize, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}
