//! Owns the kinds of values of a queue: what its calls ask for, who is a member, choices.

use std::path::Path;
use std::time::Duration;

use acd::{LEVEL_MAX, Limits, Relaxation, SkillNeed};
use toml::Spanned;
use toml::de::DeValue;

use super::kinds::choice;
use super::value::{Fault, Listed, Value, duration, text};

choice! {
    /// Whom a queue takes among those who can serve alike.
    Strategy expected "a strategy: \"longest-idle\", \"fewest-calls\", \"least-talk\", \"round-robin\", \"linear\" or \"weighted-random\"" {
        /// The one who has been free longest.
        LongestIdle = "longest-idle",
        /// The one who took the fewest calls today.
        FewestCalls = "fewest-calls",
        /// The one who talked least today.
        LeastTalk = "least-talk",
        /// One after another.
        RoundRobin = "round-robin",
        /// In the order of the table of operators, from its beginning each time.
        Linear = "linear",
        /// By lot.
        WeightedRandom = "weighted-random",
    }
}

choice! {
    /// What a higher level is worth.
    Levels expected "\"highest-first\" or \"alike\"" {
        /// It comes before the strategy.
        HighestFirst = "highest-first",
        /// Nothing, within the limits.
        Alike = "alike",
    }
}

choice! {
    /// What the language of a call asks of operators.
    CallLanguage expected "\"ignored\", \"preferred\" or \"required\"" {
        /// Nothing.
        Ignored = "ignored",
        /// Those who have it as a skill come first.
        Preferred = "preferred",
        /// The skill of that name is needed.
        Required = "required",
    }
}

/// A skill that is needed, at levels within limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillWanted(pub SkillNeed);

impl Value for SkillWanted {
    const EXPECTED: &'static str = "a skill and the levels that will do, such as \"health\", \"health 50\" or \"health 50-90\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, skill)
    }
}

impl Listed for SkillWanted {
    const LIST: &'static str = "a list of skills, such as [\"health 50\", \"uk\"]";
}

fn skill(text: &str) -> Option<SkillWanted> {
    let text = text.trim();
    let (name, levels) = match text.rsplit_once(' ') {
        Some((name, levels)) if levels.starts_with(|c: char| c.is_ascii_digit()) => {
            (name.trim(), levels)
        }
        _ => (text, "1"),
    };
    let (min, max) = match levels.split_once('-') {
        Some((min, max)) => (min.parse().ok()?, max.parse().ok()?),
        None => (levels.parse().ok()?, LEVEL_MAX),
    };
    let legal = !name.is_empty() && (1..=max).contains(&min) && max <= LEVEL_MAX;
    legal.then(|| SkillWanted(SkillNeed::within(name, Limits { min, max })))
}

/// A step by which the demands of a call are eased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step(pub Relaxation);

impl Value for Step {
    const EXPECTED: &'static str = "a time and what is eased then, such as \"30s: levels 20\", \
        \"1 min: without uk\" or \"2 min: anyone\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, step)
    }
}

impl Listed for Step {
    const LIST: &'static str =
        "a list of steps, such as [\"30s: levels 20\", \"1 min: without uk\", \"2 min: anyone\"]";
}

fn step(text: &str) -> Option<Step> {
    let (after, eased) = text.split_once(':')?;
    let mut step = Relaxation {
        after: duration(after).filter(|after| !after.is_zero())?,
        ..Relaxation::default()
    };
    let eased = eased.trim();
    if eased == "anyone" {
        step.anyone = true;
    } else if let Some(by) = eased.strip_prefix("levels ") {
        step.levels_by = by
            .trim()
            .parse()
            .ok()
            .filter(|by| (1..=LEVEL_MAX).contains(by))?;
    } else {
        let skill = eased.strip_prefix("without ")?.trim();
        step.drop = vec![Some(skill).filter(|skill| !skill.is_empty())?.to_owned()];
    }
    Some(Step(step))
}

/// A member of a queue, by login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub login: String,
    /// Which of the operator's queues is served first: the lowest.
    pub order: u8,
    /// How long a call must have waited.
    pub delay: Duration,
    /// Of the reserve.
    pub reserve: bool,
    /// How long it rings, in place of the queue's time.
    pub ring_time: Option<Duration>,
    /// How often by lot.
    pub weight: Option<u16>,
}

impl Value for Member {
    const EXPECTED: &'static str = "a login, and how the operator takes part, such as \"ivanova\", \
        \"ivanova order 1 ring 30s\", \"petrov after 10s weight 3\" or \"sidorova reserve\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, member)
    }
}

impl Listed for Member {
    const LIST: &'static str = "a list of logins, such as [\"ivanova\", \"petrov after 10s\"]";
}

fn member(text: &str) -> Option<Member> {
    let mut words = text.split_whitespace();
    let mut member = Member {
        login: words.next()?.to_owned(),
        order: 0,
        delay: Duration::ZERO,
        reserve: false,
        ring_time: None,
        weight: None,
    };
    while let Some(word) = words.next() {
        match word {
            "order" => member.order = words.next()?.parse().ok()?,
            "after" => member.delay = duration(words.next()?)?,
            "reserve" => member.reserve = true,
            "ring" => {
                let time = duration(words.next()?).filter(|time| !time.is_zero())?;
                member.ring_time = Some(time);
            }
            "weight" => {
                let weight = words.next()?.parse().ok().filter(|weight| *weight > 0)?;
                member.weight = Some(weight);
            }
            _ => return None,
        }
    }
    Some(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skills_are_read_with_their_levels() {
        let read = |text| skill(text).map(|wanted| wanted.0);
        let within = |name, min, max| Some(SkillNeed::within(name, Limits { min, max }));
        assert_eq!(read("health"), within("health", 1, 100));
        assert_eq!(read("first aid 50"), within("first aid", 50, 100));
        assert_eq!(read("health 50-90"), within("health", 50, 90));
        for bad in ["", "health 0", "health 90-50", "health 101", "health 5-x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn steps_are_read_with_their_times() {
        let levels = step("30s: levels 20").unwrap().0;
        assert_eq!(
            (levels.after, levels.levels_by),
            (Duration::from_secs(30), 20)
        );
        assert_eq!(
            step("1 min: without first aid").unwrap().0.drop,
            ["first aid"]
        );
        assert!(step("2 min: anyone").unwrap().0.anyone);
        for bad in [
            "",
            "anyone",
            "0s: anyone",
            "10s: levels 0",
            "10s: without ",
            "10s: more",
        ] {
            assert_eq!(step(bad), None, "{bad}");
        }
    }

    #[test]
    fn members_are_read_with_their_part() {
        let read = member("petrov ring 30s weight 3").unwrap();
        assert_eq!(read.ring_time, Some(Duration::from_secs(30)));
        assert_eq!(read.weight, Some(3));
        let read = member("petrov order 2 after 10s reserve").unwrap();
        assert_eq!(
            (read.login.as_str(), read.order, read.reserve),
            ("petrov", 2, true)
        );
        assert_eq!(read.delay, Duration::from_secs(10));
        for bad in [
            "",
            "petrov late",
            "petrov order",
            "petrov after soon",
            "petrov weight 0",
            "petrov ring 0s",
        ] {
            assert_eq!(member(bad), None, "{bad}");
        }
    }
}
