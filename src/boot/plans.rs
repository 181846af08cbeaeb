//! Owns the loading of plans and their sound: from the folder of plans to what the engine plays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use dialplan::{Calendar, Calendars, Diagnostic, Plan, Plans, PromptRef};
use media::Audio;

use crate::prompts;
use crate::settings::Settings;

/// Largest plan, in bytes: a plan is written by a person.
const PLAN_BYTES_MAX: u64 = 1 << 20;

/// Where calendars are, below the folder of plans.
const CALENDARS: &str = "calendars";

/// Plans with everything they play.
pub struct Loaded {
    /// The plans.
    pub plans: Plans,
    /// The sound of each prompt, by name and language.
    pub audio: BTreeMap<(String, String), Audio>,
    /// Prompts for which a tone stands in.
    pub problems: Vec<PromptProblem>,
}

/// Why plans cannot be loaded.
#[derive(Debug)]
pub enum Mistake {
    /// A mistake in a file.
    Written(Box<Diagnostic>),
    /// Anything else, in words.
    Told(String),
}

impl Mistake {
    /// The mistake with the line it stands on, where it stands on one.
    #[must_use]
    pub fn snippet(&self) -> String {
        match self {
            Self::Written(written) => written.snippet(),
            Self::Told(text) => text.clone(),
        }
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Written(written) => written.fmt(f),
            Self::Told(text) => text.fmt(f),
        }
    }
}

impl From<Diagnostic> for Mistake {
    fn from(written: Diagnostic) -> Self {
        Self::Written(Box::new(written))
    }
}

/// A prompt for which a tone stands in.
pub struct PromptProblem {
    /// What is wrong, with the place of the step that says it.
    pub message: String,
    /// Whether it is to tell callers that they are recorded.
    pub notice: bool,
}

/// Loads every plan of the folder and makes its prompts.
///
/// # Errors
/// Every mistake found.
pub fn load(settings: &Settings) -> Result<Loaded, Vec<Mistake>> {
    let plans = read_all(settings)?;
    let of_plans = plans.iter().flat_map(|plan| plan.prompts());
    let refs: Vec<PromptRef> = of_plans.chain(super::queues::prompts(settings)).collect();
    let library = prompts::prepare(&refs, settings);
    let audio = library.prompts.iter().map(|prompt| {
        let name = (prompt.name.clone(), prompt.language.clone());
        (name, Audio::from_pcm(&prompt.pcm))
    });
    let audio = audio.collect();
    let problems = library.problems.iter();
    let problems = problems.map(|one| place(one, &plans)).collect();
    Ok(Loaded {
        plans,
        audio,
        problems,
    })
}

/// Tells a problem with a prompt at the step of the first plan that says it in that language.
fn place(problem: &prompts::Problem, plans: &Plans) -> PromptProblem {
    let meant = |one: &PromptRef| one.name == problem.name && one.language == problem.language;
    let says = |plan: &&Arc<Plan>| plan.prompts().iter().any(meant);
    let told = plans
        .iter()
        .filter(says)
        .find_map(|plan| plan.mistake_of_prompt(&problem.name, problem.to_string()));
    PromptProblem {
        message: told.map_or_else(|| problem.to_string(), |told| told.to_string()),
        notice: plans
            .iter()
            .filter(says)
            .any(|plan| plan.is_notice(&problem.name)),
    }
}

/// As [`load`], for a start: the mistakes as one error, problems with prompts in the log.
///
/// # Errors
/// Also a notice that cannot be made.
pub(super) fn load_or_explain(settings: &Settings) -> anyhow::Result<Loaded> {
    load(settings).and_then(with_notices).map_err(|mistakes| {
        let first = mistakes
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        match mistakes.len() {
            0 | 1 => anyhow::anyhow!("{first}"),
            n => anyhow::anyhow!("{first} (and {} more: see `hotline check`)", n - 1),
        }
    })
}

/// Plans whose notices can be heard; other problems with prompts go to the log.
///
/// # Errors
/// A notice that cannot be made: callers would hear a tone, be recorded, and the journal would say
/// that they were told.
pub(super) fn with_notices(loaded: Loaded) -> Result<Loaded, Vec<Mistake>> {
    if let Some(problem) = loaded.problems.iter().find(|problem| problem.notice) {
        return Err(vec![Mistake::Told(format!(
            "{} (callers must be told that they are recorded, so no calls are taken)",
            problem.message
        ))]);
    }
    for problem in &loaded.problems {
        let problem = &problem.message;
        tracing::warn!(problem, "a tone stands in for a prompt");
    }
    Ok(loaded)
}

/// Every plan of the folder, without its prompts.
///
/// # Errors
/// Every mistake found.
pub fn read_plans(settings: &Settings) -> Result<Vec<Arc<Plan>>, Vec<Mistake>> {
    Ok(read_all(settings)?.iter().cloned().collect())
}

fn read_all(settings: &Settings) -> Result<Plans, Vec<Mistake>> {
    let folder = &settings.dialplans.folder;
    let at_folder =
        |message| Mistake::Told(settings.problem_at("dialplans.folder", message).to_string());
    let files = toml_files(folder).map_err(|error| vec![at_folder(format!("{error:#}"))])?;
    let queues: Vec<&str> = settings
        .queues
        .iter()
        .map(|queue| queue.name.as_str())
        .collect();
    let mut mistakes: Vec<Mistake> = Vec::new();
    let calendars = read_calendars(folder, &mut mistakes);
    let mut plans: Vec<Arc<Plan>> = Vec::new();
    for file in &files {
        match read_plan(file, &calendars) {
            Ok(plan) => {
                let found = plan.unknown_queues(&queues).into_iter();
                mistakes.extend(found.map(Mistake::from));
                plans.push(Arc::new(plan));
            }
            Err(found) => mistakes.extend(found),
        }
    }
    if plans.is_empty() && mistakes.is_empty() {
        mistakes.push(at_folder(format!(
            "the folder of plans {}: expected a plan, found no .toml file",
            folder.display()
        )));
    }
    let plans = match Plans::new(plans) {
        Ok(plans) => plans,
        Err(clashes) => {
            mistakes.extend(clashes.into_iter().map(Mistake::from));
            return Err(mistakes);
        }
    };
    if mistakes.is_empty() {
        Ok(plans)
    } else {
        Err(mistakes)
    }
}

/// One plan, with the calendars that it may name.
///
/// # Errors
/// Every mistake of the file.
pub fn read_plan(file: &Path, calendars: &Calendars) -> Result<Plan, Vec<Mistake>> {
    let plan = read(file, dialplan::parse)?;
    plan.with_calendars(calendars)
        .map_err(|missing| vec![Mistake::Written(missing)])
}

/// The calendars of a folder of plans; there need not be any.
pub fn read_calendars(plans: &Path, mistakes: &mut Vec<Mistake>) -> Calendars {
    let folder = &plans.join(CALENDARS);
    if !folder.is_dir() {
        return Calendars::default();
    }
    let files = match toml_files(folder) {
        Ok(files) => files,
        Err(error) => {
            mistakes.push(Mistake::Told(format!("{error:#}")));
            return Calendars::default();
        }
    };
    let mut all = Vec::new();
    for file in &files {
        match read(file, Calendar::parse) {
            Ok(calendar) => all.push(calendar),
            Err(found) => mistakes.extend(found),
        }
    }
    Calendars::new(all)
}

/// The TOML files of a folder in order of their names.
fn toml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("the folder of plans {} cannot be read", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads one file by whatever reads its text.
fn read<T>(
    file: &Path,
    parse: fn(&str, &str) -> Result<T, Vec<Diagnostic>>,
) -> Result<T, Vec<Mistake>> {
    let name = file.display().to_string();
    let told = |message: String| vec![Mistake::Told(message)];
    let size = std::fs::metadata(file).map_or(0, |found| found.len());
    if size > PLAN_BYTES_MAX {
        return Err(told(format!("{name}: expected a plan of at most 1 MiB")));
    }
    let text = std::fs::read_to_string(file)
        .map_err(|error| told(format!("{name}: cannot be read: {error}")))?;
    parse(&name, &text).map_err(|found| found.into_iter().map(Mistake::from).collect())
}
