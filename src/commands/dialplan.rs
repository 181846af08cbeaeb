//! Owns `hotline dialplan`: trying a plan without a call, drawing it, the schema for editors.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use dialplan::{Plan, Trial};
use vocab::{QueueOutcome, WallTime};

use super::print_out;
use crate::boot::{PlanMistake, read_calendars, read_plan};
use crate::cli::{DialplanCommand, Drawing, Ending, Try};

pub(super) fn run(command: DialplanCommand) -> anyhow::Result<ExitCode> {
    match command {
        DialplanCommand::Try(asked) => try_plan(&asked),
        DialplanCommand::Draw { plan, format } => {
            let plan = match load(&plan) {
                Ok(plan) => plan,
                Err(mistakes) => return Ok(refuse(&mistakes)),
            };
            print_out(&match format {
                Drawing::Svg => dialplan::draw::svg(&plan),
                Drawing::Mermaid => dialplan::draw::mermaid(&plan),
            })?;
            Ok(ExitCode::SUCCESS)
        }
        DialplanCommand::Emergency(asked) => super::emergency::run(asked),
        DialplanCommand::Schema => {
            let mut text = serde_json::to_string_pretty(&dialplan::schema())?;
            text.push('\n');
            print_out(&text)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn try_plan(asked: &Try) -> anyhow::Result<ExitCode> {
    let plan = match load(&asked.plan) {
        Ok(plan) => plan,
        Err(mistakes) => return Ok(refuse(&mistakes)),
    };
    let number = match &asked.dial {
        Some(number) if plan.numbers.contains(number) => number.clone(),
        Some(number) => {
            let numbers = plan.numbers.join(", ");
            bail!("the plan does not serve {number}; it serves {numbers}")
        }
        None => plan.numbers.first().cloned().unwrap_or_default(),
    };
    let at = moment(&plan, asked.at.as_deref())?;
    let mut trial = Trial::new(Arc::new(plan), &number, &asked.from, at);
    trial.keys.clone_from(&asked.keys);
    if !asked.ends.is_empty() {
        let ends = asked.ends.iter().copied();
        trial.ends = ends.map(QueueOutcome::from).collect();
    }
    if asked.busy {
        trial.queues.free = false;
        trial.queues.waiting = 1_000;
    }
    trial.reply.clone_from(&asked.reply);
    print_out(&trial.trace())?;
    Ok(ExitCode::SUCCESS)
}

/// When the trial is: by the clock of the plan's time zone, or now.
fn moment(plan: &Plan, at: Option<&str>) -> anyhow::Result<WallTime> {
    let Some(at) = at else {
        return Ok(crate::driver::wall_clock());
    };
    let zone = plan
        .clockwork
        .as_ref()
        .map(|clockwork| &clockwork.zone)
        .ok_or_else(|| anyhow!("--at: the plan has no time_zone by which to read it"))?;
    let local = at
        .parse()
        .map_err(|_| anyhow!("--at: expected a time such as 2026-11-21T12:59, found {at}"))?;
    zone.wall(local)
        .ok_or_else(|| anyhow!("--at: {at} is no time of this zone"))
}

/// A plan with the calendars beside it.
fn load(file: &Path) -> Result<Plan, Vec<PlanMistake>> {
    let folder: PathBuf = file.parent().map(Path::to_owned).unwrap_or_default();
    let mut mistakes = Vec::new();
    let calendars = read_calendars(&folder, &mut mistakes);
    let plan = read_plan(file, &calendars);
    match plan {
        Ok(plan) if mistakes.is_empty() => Ok(plan),
        Ok(_) => Err(mistakes),
        Err(found) => {
            mistakes.extend(found);
            Err(mistakes)
        }
    }
}

fn refuse(mistakes: &[PlanMistake]) -> ExitCode {
    for mistake in mistakes {
        eprintln!("{}", mistake.snippet());
    }
    ExitCode::FAILURE
}

impl From<Ending> for QueueOutcome {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Answered => Self::Answered,
            Ending::TimedOut => Self::TimedOut,
            Ending::Full => Self::RefusedFull,
            Ending::Closed => Self::Closed,
        }
    }
}
