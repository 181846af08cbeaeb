//! Owns `hotline dialplan emergency`: the switch that sends new calls of a plan into its emergency flow.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use dialplan::Plan;
use journal::desk::Wish;
use vocab::{Event, Fact};

use super::entry;
use super::journal::block_on;
use crate::boot;
use crate::cli::{Emergency, EmergencyTo};
use crate::settings::Settings;

pub(super) fn run(asked: Emergency) -> anyhow::Result<ExitCode> {
    let settings = super::load(&asked.config.config)?;
    let plans = boot::read_plans(&settings).map_err(|mistakes| {
        let first = mistakes.first().map(ToString::to_string);
        anyhow!("the plans have mistakes: {}", first.unwrap_or_default())
    })?;
    let (Some(name), Some(to)) = (&asked.plan, asked.to) else {
        return show(&settings, &plans);
    };
    let Some(plan) = plans.iter().find(|plan| plan.name == *name) else {
        let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
        bail!("there is no plan {name:?}; there are {}", names.join(", "));
    };
    if plan.emergency.is_none() {
        bail!(
            "the plan {name:?} has no emergency flow: add `emergency = {{ on = false, flow = \"…\" }}`"
        );
    }
    let wish = Wish::Emergency {
        plan: name.clone(),
        on: match to {
            EmergencyTo::On => Some(true),
            EmergencyTo::Off => Some(false),
            EmergencyTo::File => None,
        },
        by: entry::who(asked.by),
    };
    entry::carry_out(&settings, wish)?;
    show(&settings, &plans)
}

/// Each plan that has an emergency flow, how its switch stands, and who set it when.
fn show(settings: &Settings, plans: &[Arc<Plan>]) -> anyhow::Result<ExitCode> {
    let ours = &settings.journal;
    let load = journal::emergencies::load(&ours.events, &ours.database, u32::MAX);
    let set: BTreeMap<String, Event> = block_on(load)??
        .into_iter()
        .filter_map(|event| match &event.fact {
            Fact::EmergencySwitched { plan, .. } => Some((plan.clone(), event)),
            _ => None,
        })
        .collect();
    let mut text = String::new();
    for plan in plans {
        let Some(emergency) = plan.emergency else {
            continue;
        };
        let event = set.get(&plan.name);
        let set = event.and_then(|event| match &event.fact {
            Fact::EmergencySwitched { on, by, .. } => {
                let at = entry::moment(event.at.as_unix_millis());
                Some((*on, format!("set by {} at {at}", entry::printable(by))))
            }
            _ => None,
        });
        let (on, why) = match set {
            Some((Some(on), why)) => (on, why),
            Some((None, why)) => (emergency.on, format!("as the file says, {why}")),
            None => (emergency.on, "as the file says".to_owned()),
        };
        let word = if on { "on" } else { "off" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {word} ({why})", plan.name);
    }
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}
