//! Owns what a call asks of an operator: skills, their limits, and how they are eased with time.
//!
//! It refuses to know who has which skill; `group` compares.

use core::time::Duration;

/// The highest level of a skill.
pub const LEVEL_MAX: u8 = 100;

/// Skills that one call may ask for; more are left out, the last first.
pub const NEEDS_MAX: usize = 8;

/// One skill that calls ask for. A language is a skill.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SkillNeed {
    /// Its name.
    pub skill: String,
    /// How much it is needed.
    pub need: Need,
}

/// How much a skill is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Without a level within these limits nobody gets the call.
    Required(Limits),
    /// Those who have it come first, the higher the level the sooner.
    Preferred,
}

/// The levels that will do, both ends counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// The lowest; 0 counts as 1, for level 0 is not having the skill.
    pub min: u8,
    /// The highest: spares the best for those who need them.
    pub max: u8,
}

impl Limits {
    /// Any level.
    pub const ANY: Self = Self {
        min: 1,
        max: LEVEL_MAX,
    };

    pub(crate) const fn admit(self, level: u8) -> bool {
        level > 0 && self.min <= level && level <= self.max
    }

    /// Both ends move away from each other.
    fn eased(self, by: u8) -> Self {
        Self {
            min: self.min.saturating_sub(by).max(1),
            max: self.max.saturating_add(by).min(LEVEL_MAX),
        }
    }
}

impl SkillNeed {
    /// At any level.
    #[must_use]
    pub fn required(skill: &str) -> Self {
        Self::within(skill, Limits::ANY)
    }

    /// At a level within limits.
    #[must_use]
    pub fn within(skill: &str, limits: Limits) -> Self {
        Self {
            skill: skill.to_owned(),
            need: Need::Required(limits),
        }
    }

    /// If somebody has it.
    #[must_use]
    pub fn preferred(skill: &str) -> Self {
        Self {
            skill: skill.to_owned(),
            need: Need::Preferred,
        }
    }
}

/// A step by which the demands of a call are eased. What earlier steps eased stays so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relaxation {
    /// After how long a wait.
    pub after: Duration,
    /// By how much the limits of all levels move.
    pub levels_by: u8,
    /// Skills that are required no more; they stay preferred.
    pub drop: Vec<String>,
    /// Whether anybody may take the call, also those who do not serve the queue.
    pub anyone: bool,
}

/// What a call asks for at one moment of its wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    /// By name; each skill once.
    pub(crate) required: Vec<(String, Limits)>,
    pub(crate) preferred: Vec<String>,
    pub(crate) anyone: bool,
}

impl Demand {
    /// What the needs of a queue and of a call come to after these steps. A skill that both name
    /// has the narrower of both limits.
    pub(crate) fn new<'a>(
        needs: impl Iterator<Item = &'a SkillNeed>,
        steps: &[&Relaxation],
    ) -> Self {
        let mut demand = Self {
            required: Vec::new(),
            preferred: Vec::new(),
            anyone: false,
        };
        for SkillNeed { skill, need } in needs.take(NEEDS_MAX) {
            match need {
                Need::Required(limits) => demand.require(skill, *limits),
                Need::Preferred => demand.preferred.push(skill.clone()),
            }
        }
        for step in steps {
            demand.ease(step);
        }
        demand.required.sort();
        demand.preferred.sort();
        demand.preferred.dedup();
        demand
    }

    fn require(&mut self, skill: &str, limits: Limits) {
        match self.required.iter_mut().find(|(name, _)| name == skill) {
            Some((_, known)) => {
                known.min = known.min.max(limits.min);
                known.max = known.max.min(limits.max);
            }
            None => self.required.push((skill.to_owned(), limits)),
        }
    }

    fn ease(&mut self, step: &Relaxation) {
        for (_, limits) in &mut self.required {
            *limits = limits.eased(step.levels_by);
        }
        if step.anyone {
            // Nothing is preferred either: all queues share one group of everybody, and nobody
            // stands in as many sets as there are wishes.
            self.anyone = true;
            self.required.clear();
        }
        let mut kept = Vec::new();
        for (skill, limits) in core::mem::take(&mut self.required) {
            if step.drop.contains(&skill) {
                self.preferred.push(skill);
            } else {
                kept.push((skill, limits));
            }
        }
        self.required = kept;
        if self.anyone {
            self.preferred.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_ease_levels_then_skills_then_everything() {
        let needs = [
            SkillNeed::within("health", Limits { min: 70, max: 80 }),
            SkillNeed::required("uk"),
        ];
        let lower = Relaxation {
            levels_by: 30,
            ..Relaxation::default()
        };
        let drop = Relaxation {
            drop: vec!["uk".to_owned()],
            ..Relaxation::default()
        };
        let anyone = Relaxation {
            anyone: true,
            ..Relaxation::default()
        };
        let demand = |steps: &[&Relaxation]| Demand::new(needs.iter(), steps);
        let eased = Limits { min: 40, max: 100 };
        assert_eq!(demand(&[&lower]).required[0], ("health".to_owned(), eased));
        assert_eq!(demand(&[&lower, &drop]).required.len(), 1);
        assert_eq!(demand(&[&lower, &drop]).preferred, ["uk"]);
        let last = demand(&[&lower, &drop, &anyone]);
        assert!(last.anyone && last.required.is_empty());
        assert!(last.preferred.is_empty());
    }

    #[test]
    fn a_skill_named_twice_has_the_narrower_limits() {
        let needs = [
            SkillNeed::within("health", Limits { min: 20, max: 80 }),
            SkillNeed::within("health", Limits { min: 40, max: 100 }),
        ];
        let both = Limits { min: 40, max: 80 };
        let demand = Demand::new(needs.iter(), &[]);
        assert_eq!(demand.required, [("health".to_owned(), both)]);
    }

    #[test]
    fn easing_never_admits_those_without_the_skill() {
        let limits = Limits { min: 10, max: 90 }.eased(100);
        assert!(!limits.admit(0) && limits.admit(1) && limits.admit(100));
    }
}
