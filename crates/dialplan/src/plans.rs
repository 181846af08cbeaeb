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

    /// All numbers served, in order.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.by_number.keys().map(String::as_str)
    }
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
