//! Owns the loading of plans and their sound: from the folder of plans to what the engine plays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use dialplan::{Calendar, Calendars, Diagnostic, Plan, Plans, PromptRef};
use media::Audio;

use crate::input_log::Sources;
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
    /// The texts they were read from.
    pub sources: Sources,
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
    let (plans, sources) = read_all(settings)?;
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
        sources,
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
    Ok(read_all(settings)?.0.iter().cloned().collect())
}

fn read_all(settings: &Settings) -> Result<(Plans, Sources), Vec<Mistake>> {
    let folder = &settings.dialplans.folder;
    let at_folder =
        |message| Mistake::Told(settings.problem_at("dialplans.folder", message).to_string());
    let files = toml_files(folder).map_err(|error| vec![at_folder(format!("{error:#}"))])?;
    if files.is_empty() {
        return Err(vec![at_folder(format!(
            "the folder of plans {}: expected a plan, found no .toml file",
            folder.display()
        ))]);
    }
    let queues: Vec<&str> = settings
        .queues
        .iter()
        .map(|queue| queue.name.as_str())
        .collect();
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut texts = |files: &[PathBuf]| -> Vec<(String, String)> {
        let read = files.iter().map(|file| text_of(file));
        read.filter_map(|text| text.map_err(|found| mistakes.push(found)).ok())
            .collect()
    };
    let sources = Sources {
        plans: texts(&files),
        calendars: texts(&calendar_files(folder).map_err(|found| vec![found])?),
    };
    match plans_of(&sources) {
        Ok(plans) => {
            let unknown = plans.iter().flat_map(|plan| plan.unknown_queues(&queues));
            mistakes.extend(unknown.map(Mistake::from));
            if mistakes.is_empty() {
                return Ok((plans, sources));
            }
        }
        Err(found) => mistakes.extend(found),
    }
    Err(mistakes)
}

/// The plans of their texts.
///
/// # Errors
/// Every mistake in them.
pub fn plans_of(sources: &Sources) -> Result<Plans, Vec<Mistake>> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut calendars = Vec::new();
    for (name, text) in &sources.calendars {
        match understand(name, text, Calendar::parse) {
            Ok(calendar) => calendars.push(calendar),
            Err(found) => mistakes.extend(found),
        }
    }
    let calendars = Calendars::new(calendars);
    let mut plans: Vec<Arc<Plan>> = Vec::new();
    for (name, text) in &sources.plans {
        let plan = understand(name, text, dialplan::parse);
        match plan.and_then(|plan| with_calendars(plan, &calendars)) {
            Ok(plan) => plans.push(Arc::new(plan)),
            Err(found) => mistakes.extend(found),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Plans::new(plans).map_err(|clashes| clashes.into_iter().map(Mistake::from).collect())
}

fn with_calendars(plan: Plan, calendars: &Calendars) -> Result<Plan, Vec<Mistake>> {
    plan.with_calendars(calendars)
        .map_err(|missing| vec![Mistake::Written(missing)])
}

/// One plan, with the calendars that it may name.
///
/// # Errors
/// Every mistake of the file.
pub fn read_plan(file: &Path, calendars: &Calendars) -> Result<Plan, Vec<Mistake>> {
    with_calendars(read(file, dialplan::parse)?, calendars)
}

/// The calendars of a folder of plans; there need not be any.
pub fn read_calendars(plans: &Path, mistakes: &mut Vec<Mistake>) -> Calendars {
    let files = calendar_files(plans).unwrap_or_else(|found| {
        mistakes.push(found);
        Vec::new()
    });
    let mut all = Vec::new();
    for file in &files {
        match read(file, Calendar::parse) {
            Ok(calendar) => all.push(calendar),
            Err(found) => mistakes.extend(found),
        }
    }
    Calendars::new(all)
}

fn calendar_files(plans: &Path) -> Result<Vec<PathBuf>, Mistake> {
    let folder = &plans.join(CALENDARS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    toml_files(folder).map_err(|error| Mistake::Told(format!("{error:#}")))
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
    let (name, text) = text_of(file).map_err(|found| vec![found])?;
    understand(&name, &text, parse)
}

/// A file's name in messages, and its text.
fn text_of(file: &Path) -> Result<(String, String), Mistake> {
    let name = file.display().to_string();
    let size = std::fs::metadata(file).map_or(0, |found| found.len());
    if size > PLAN_BYTES_MAX {
        let told = format!("{name}: expected a plan of at most 1 MiB");
        return Err(Mistake::Told(told));
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Mistake::Told(format!("{name}: cannot be read: {error}"))),
    }
}

fn understand<T>(
    name: &str,
    text: &str,
    parse: fn(&str, &str) -> Result<T, Vec<Diagnostic>>,
) -> Result<T, Vec<Mistake>> {
    parse(name, text).map_err(|found| found.into_iter().map(Mistake::from).collect())
}
