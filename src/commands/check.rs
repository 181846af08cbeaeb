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
    let secrets = settings
        .trunks
        .iter()
        .filter_map(|trunk| trunk.secret().err());
    let secrets: Vec<String> = secrets.collect();
    let loaded = match boot::load_plans(&settings) {
        Ok(loaded) => loaded,
        Err(mistakes) => return refuse(secrets.into_iter().chain(mistakes)),
    };
    if !secrets.is_empty() || !loaded.problems.is_empty() {
        return refuse(secrets.into_iter().chain(loaded.problems));
    }
    println!(
        "{}: calls can be taken ({} plans for {} numbers, {} prompts, {} trunks, {} queues)",
        path.display(),
        loaded.plans.iter().count(),
        loaded.plans.numbers().count(),
        loaded.prompts.len(),
        settings.trunks.len(),
        settings.queues.len()
    );
    ExitCode::SUCCESS
}

fn refuse(mistakes: impl Iterator<Item = String>) -> ExitCode {
    for mistake in mistakes {
        eprintln!("{mistake}");
    }
    ExitCode::FAILURE
}
