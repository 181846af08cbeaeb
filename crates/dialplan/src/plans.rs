//! Owns all plans of the engine together and which number belongs to which.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Place;
use crate::{Diagnostic, Plan};

/// Plans by number.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    plans: Vec<Arc<Plan>>,
    by_number: BTreeMap<String, Arc<Plan>>,
}

impl Plans {
    /// Puts plans together.
    ///
    /// # Errors
    /// A number or a plan's name that two plans claim, and a name under which two plans say
    /// different things: prompts are made and found by name and language. Told at the second plan.
    pub fn new(plans: Vec<Arc<Plan>>) -> Result<Self, Vec<Diagnostic>> {
        let mut mistakes = Vec::new();
        let mut by_name: BTreeMap<&str, &Plan> = BTreeMap::new();
        let mut by_number: BTreeMap<String, (Arc<Plan>, &Place)> = BTreeMap::new();
        let mut by_prompt: BTreeMap<&str, (&Plan, &Place)> = BTreeMap::new();
        for plan in &plans {
            if let Some(first) = by_name.insert(&plan.name, plan) {
                let message = format!("the plan name `{}` is taken", plan.name);
                let at = &plan.origin.name;
                mistakes.push(clash(plan, at, message, first, &first.origin.name));
            }
            for (number, at) in plan.numbers.iter().zip(&plan.origin.numbers) {
                if let Some((first, place)) = by_number.get(number) {
                    let message = format!("the number \"{number}\" is served by another plan");
                    mistakes.push(clash(plan, at, message, first, place));
                } else {
                    by_number.insert(number.clone(), (Arc::clone(plan), at));
                }
            }
            for (prompt, at) in &plan.origin.prompts {
                let (first, place) = *by_prompt.entry(prompt).or_insert((plan, at));
                if differ(first, plan, prompt) {
                    let message = format!("another plan says something else as `{prompt}`");
                    mistakes.push(clash(plan, at, message, first, place));
                }
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let by_number = by_number
            .into_iter()
            .map(|(number, (plan, _))| (number, plan))
            .collect();
        Ok(Self { plans, by_number })
    }

    /// The plan of a number, written as in the plan.
    #[must_use]
    pub fn find(&self, number: &str) -> Option<Arc<Plan>> {
        self.by_number.get(number).cloned()
    }

    /// All plans, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plans.iter()
    }

    /// What is different in other plans, one line for each difference a person would name.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<String> {
        let named = |plans: &Self| -> BTreeMap<String, Arc<Plan>> {
            let all = plans.plans.iter();
            all.map(|plan| (plan.name.clone(), Arc::clone(plan)))
                .collect()
        };
        let (old, new) = (named(self), named(new));
        let mut told = Vec::new();
        for (name, plan) in &new {
            match old.get(name) {
                None => told.push(format!("plan {name} added")),
                Some(before) => told.extend(differences(before, plan)),
            }
        }
        let gone = old.keys().filter(|name| !new.contains_key(*name));
        told.extend(gone.map(|name| format!("plan {name} removed")));
        told
    }

    /// All numbers served, in order.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.by_number.keys().map(String::as_str)
    }
}

/// What two versions of a plan do differently.
fn differences(old: &Plan, new: &Plan) -> Vec<String> {
    let name = &new.name;
    let mut told = Vec::new();
    let mut missing = |of: &[String], from: &[String], what: &str| {
        let all = from.iter().filter(|one| !of.contains(one));
        told.extend(all.map(|one| format!("plan {name}: {what} {one}")));
    };
    missing(&old.numbers, &new.numbers, "new number");
    missing(&new.numbers, &old.numbers, "no more number");
    missing(&old.languages, &new.languages, "new language");
    missing(&new.languages, &old.languages, "no more language");
    // The same flow may have another place in the file, and so other ids in its ways.
    for flow in &new.flows {
        match old.flows.iter().find(|before| before.name == flow.name) {
            None => told.push(format!("plan {name}: flow {} added", flow.name)),
            Some(before) if before != flow => {
                told.push(format!("plan {name}: flow {} changed", flow.name));
            }
            Some(_) => {}
        }
    }
    let gone = old
        .flows
        .iter()
        .filter(|flow| !new.flows.iter().any(|one| one.name == flow.name));
    told.extend(gone.map(|flow| format!("plan {name}: flow {} removed", flow.name)));
    let others = [
        (
            "hours",
            old.hours != new.hours || old.clockwork != new.clockwork,
        ),
        ("lists of callers", old.callers != new.callers),
        ("the emergency switch", old.emergency != new.emergency),
    ];
    let changed = others.into_iter().filter(|(_, changed)| *changed);
    told.extend(changed.map(|(what, _)| format!("plan {name}: {what} changed")));
    told
}

/// Whether two plans say different things under one name in a language that both speak.
fn differ(one: &Plan, other: &Plan, prompt: &str) -> bool {
    let (Some(one), Some(other)) = (one.voices(prompt), other.voices(prompt)) else {
        return false;
    };
    one.iter()
        .any(|(language, voice)| other.get(language).is_some_and(|other| other != voice))
}

fn clash(plan: &Plan, at: &Place, message: String, first: &Plan, there: &Place) -> Diagnostic {
    let file = &first.origin.file;
    let (line, column) = (there.line, there.column);
    let help = format!("plan `{}`, {file}:{line}:{column}", first.name);
    at.diagnostic(&plan.origin.file, message, Some(help))
}
