//! Owns the translation of `[[queue]]` into what the ACD is told.

use std::collections::{BTreeMap, BTreeSet};

use acd::{
    CallbackMode, Failures, Membership, Need, Overflow, QueueSettings, Reserve, Ringing, SkillNeed,
    StaffRule, Unstaffed, WrapUp,
};
use dialplan::{PromptRef, announcements, staff};
use vocab::QueueId;

use crate::settings::{
    self, CallLanguage, CallbackFirst, Elsewhere, Levels, Settings, Strategy, WrapUpEnd,
};

fn numbered(settings: &Settings) -> impl Iterator<Item = (QueueId, &settings::Queue)> {
    (0..).map(QueueId).zip(&settings.queues)
}

/// The queues; the id of each is its place.
pub(super) fn queues(settings: &Settings) -> Vec<QueueSettings> {
    numbered(settings)
        .map(|(id, found)| queue(settings, id, found))
        .collect()
}

/// The queues of operators who are named at one: those, and all that name nobody.
pub(super) fn members(settings: &Settings) -> BTreeMap<String, Vec<Membership>> {
    let mut members: BTreeMap<String, Vec<Membership>> = BTreeMap::new();
    for (queue, found) in numbered(settings) {
        for member in &found.members {
            let membership = Membership {
                queue,
                order: member.order,
                delay: member.delay,
                reserve: member.reserve,
                ring_time: member.ring_time,
            };
            members
                .entry(member.login.clone())
                .or_default()
                .push(membership);
        }
    }
    let open = numbered(settings).filter(|(_, found)| found.members.is_empty());
    let open: Vec<Membership> = open.map(|(queue, _)| Membership::of(queue)).collect();
    for queues in members.values_mut() {
        queues.extend(&open);
    }
    members
}

/// How often by lot, of operators of whom that is said.
pub(super) fn weights(settings: &Settings) -> BTreeMap<String, u16> {
    let members = settings.queues.iter().flat_map(|queue| &queue.members);
    let weights = members.filter_map(|one| Some((one.login.clone(), one.weight?)));
    weights.collect()
}

/// The queues that whisper to their operators.
pub(super) fn whispers(settings: &Settings) -> BTreeSet<QueueId> {
    let whispering = numbered(settings).filter(|(_, queue)| queue.whisper.is_some());
    whispering.map(|(id, _)| id).collect()
}

/// The language in which operators are spoken to.
pub(super) fn staff_language(settings: &Settings) -> String {
    let first = settings.prompts.languages.first();
    first.cloned().unwrap_or_default()
}

/// The codes that operators dial.
pub(super) fn feature_codes(settings: &Settings) -> switch::FeatureCodes {
    let ours = &settings.feature_codes;
    let code = |code: &Option<String>| code.clone().unwrap_or_default();
    let kinds = settings.breaks.iter();
    switch::FeatureCodes {
        sign_in: code(&ours.sign_in),
        sign_out: code(&ours.sign_out),
        break_off: code(&ours.break_begin),
        back: code(&ours.break_end),
        done: code(&ours.done),
        kinds: kinds
            .filter_map(|one| Some((one.code.clone()?, one.reason.clone())))
            .collect(),
    }
}

/// What operators and callers are told besides what the plans say.
pub(super) fn prompts(settings: &Settings) -> Vec<PromptRef> {
    let language = staff_language(settings);
    let whispering = settings.queues.iter();
    let whispering: Vec<(&str, &str)> = whispering
        .filter_map(|queue| Some((queue.name.as_str(), queue.whisper.as_deref()?)))
        .collect();
    let mut prompts = staff::whispers(&whispering, &language);
    if feature_codes(settings) != switch::FeatureCodes::default() {
        prompts.extend(staff::replies(&language));
    }
    let calls_back = |queue: &settings::Queue| {
        let unserved = queue.unserved.iter().map(|rule| &rule.to);
        let mut all = unserved.chain([&queue.full_to, &queue.wait_max_to, &queue.closed_to]);
        all.any(|to| *to == Some(Elsewhere::Callback))
    };
    if settings.queues.iter().any(calls_back) {
        prompts.extend(announcements::promise(&settings.prompts.languages));
    }
    prompts
}

/// What makes an operator present.
pub(super) const fn attendance(settings: &Settings) -> acd::Attendance {
    match settings.duty.attendance {
        settings::Attendance::Telephone => acd::Attendance::ByTelephone,
        settings::Attendance::SignIn => acd::Attendance::BySignIn,
    }
}

/// How each queue calls back.
pub(super) fn callbacks(settings: &Settings) -> BTreeMap<QueueId, switch::CallbackRules> {
    let rules = |found: &settings::Queue| switch::CallbackRules {
        attempts: u8::try_from(found.callback_attempts).unwrap_or(u8::MAX),
        pause: found.callback_pause,
        hours: found.callback_hours.iter().map(|hours| hours.0).collect(),
        first: match found.callback_first {
            CallbackFirst::Caller => CallbackMode::CallerFirst,
            CallbackFirst::Operator => CallbackMode::OperatorFirst,
        },
    };
    numbered(settings)
        .map(|(id, found)| (id, rules(found)))
        .collect()
}

/// The kinds of breaks.
pub(super) fn breaks(settings: &Settings) -> Vec<acd::BreakSettings> {
    let one = |found: &settings::Break| acd::BreakSettings {
        reason: found.reason.clone(),
        daily_max: found.daily_max,
        hours: found.hours.iter().map(|hours| hours.0).collect(),
    };
    settings.breaks.iter().map(one).collect()
}

/// Where the language of a call is a skill.
pub(super) fn languages(settings: &Settings) -> BTreeMap<QueueId, Need> {
    let need = |(id, found): (QueueId, &settings::Queue)| match found.call_language {
        CallLanguage::Ignored => None,
        CallLanguage::Preferred => Some((id, Need::Preferred)),
        CallLanguage::Required => Some((id, Need::Required(acd::Limits::ANY))),
    };
    numbered(settings).filter_map(need).collect()
}

fn queue(settings: &Settings, id: QueueId, found: &settings::Queue) -> QueueSettings {
    let overflow = |to: &Option<Elsewhere>| overflow(settings, to.as_ref());
    let one = found.skill.iter().map(|skill| SkillNeed::required(skill));
    let skills = found.skills.iter().map(|wanted| wanted.0.clone());
    let preferred = found
        .prefers
        .iter()
        .map(|skill| SkillNeed::preferred(skill));
    QueueSettings {
        ring_time: found.ring_time,
        wait_max: found.wait_max,
        on_wait_max: overflow(&found.wait_max_to),
        length_max: found.length_max,
        on_full: overflow(&found.full_to),
        on_closed: overflow(&found.closed_to),
        wrap_up: match found.wrap_up_until {
            WrapUpEnd::Time => WrapUp::Fixed(found.wrap_up),
            WrapUpEnd::Ready => WrapUp::Optional(found.wrap_up),
            WrapUpEnd::Entry => WrapUp::UntilEntry(found.wrap_up),
        },
        skills: one.chain(skills).chain(preferred).collect(),
        relaxation: found.relax.iter().map(|step| step.0.clone()).collect(),
        strategy: strategy(found.strategy),
        levels: match found.levels {
            Levels::HighestFirst => acd::Levels::HighestFirst,
            Levels::Alike => acd::Levels::Alike,
        },
        ringing: match (found.ring_at_once, found.ring_more_every) {
            (0 | 1, _) => Ringing::One,
            (max, Some(every)) => Ringing::Progressive { every, max },
            (max, None) => Ringing::All(max),
        },
        failures: failures(found),
        priority: u8::try_from(found.priority).unwrap_or(u8::MAX),
        credit: found.credit,
        members_only: !found.members.is_empty(),
        reserve: Reserve {
            length: found.reserve_length,
            wait: found.reserve_wait,
        },
        sticky: found.sticky,
        keep_place: found.keep_place,
        unstaffed: unstaffed(settings, found),
        ..QueueSettings::new(id, &found.name)
    }
}

fn overflow(settings: &Settings, to: Option<&Elsewhere>) -> Overflow {
    match to {
        None => Overflow::Plan,
        Some(Elsewhere::Callback) => Overflow::Callback,
        Some(Elsewhere::Queue(to)) => {
            let found = numbered(settings).find(|(_, queue)| queue.name == *to);
            found.map_or(Overflow::Plan, |(id, _)| Overflow::Queue(id))
        }
    }
}

const fn strategy(found: Strategy) -> acd::Strategy {
    match found {
        Strategy::LongestIdle => acd::Strategy::LongestIdle,
        Strategy::FewestCalls => acd::Strategy::FewestCalls,
        Strategy::LeastTalk => acd::Strategy::LeastTalk,
        Strategy::RoundRobin => acd::Strategy::RoundRobin,
        Strategy::Linear => acd::Strategy::Linear,
        Strategy::WeightedRandom => acd::Strategy::WeightedRandom,
    }
}

fn failures(found: &settings::Queue) -> Failures {
    let mut failures = Failures::new(found.retry_delay, found.rest_after_no_answer);
    for rule in &found.failures {
        rule.apply(&mut failures);
    }
    failures
}

/// The rules by their causes; where none is said for a cause the one of all.
fn unstaffed(settings: &Settings, found: &settings::Queue) -> Vec<StaffRule> {
    let said = found.unserved.iter().map(|rule| StaffRule {
        cause: rule.cause,
        refuses: rule.refuses,
        leave_after: rule.leave_after,
        then: overflow(settings, rule.to.as_ref()),
    });
    let said: Vec<StaffRule> = said.collect();
    let more = unstaffed_alike(found).into_iter();
    let more = more.filter(|rule| said.iter().all(|one| one.cause != rule.cause));
    let more: Vec<StaffRule> = more.collect();
    said.into_iter().chain(more).collect()
}

/// Operators are at work as long as their telephones are registered.
fn unstaffed_alike(found: &settings::Queue) -> Vec<StaffRule> {
    let after = found.leave_unserved_after;
    let causes = [
        Unstaffed::NobodySignedIn,
        Unstaffed::NobodyReachable,
        Unstaffed::AllOnBreak,
    ];
    let rule = |cause| StaffRule {
        cause,
        // A break ends: who calls meanwhile waits as long as who waits already.
        refuses: cause != Unstaffed::AllOnBreak,
        leave_after: after,
        then: Overflow::Plan,
    };
    causes
        .into_iter()
        .filter(|_| after.is_some())
        .map(rule)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TEXT: &str = r#"
[[queue]]
name = "health"
skill = "health"
skills = ["first aid 50-90"]
prefers = ["uk"]
call_language = "required"
relax = ["30s: levels 20", "2 min: anyone"]
strategy = "round-robin"
levels = "alike"
ring_at_once = 3
ring_more_every = "5s"
wait_max = "5 min"
wait_max_to = "rest"
full_to = "rest"
members = ["ivanova", "petrov order 1 after 10s", "sidorova reserve"]
reserve_length = 4
sticky = "20s"
keep_place = "1 min"
leave_unserved_after = "30s"

[[queue]]
name = "rest"
"#;

    #[test]
    fn every_setting_of_a_queue_reaches_the_acd() {
        let settings = Settings::parse("hotline.toml", TEXT).unwrap();
        let queues = queues(&settings);
        let queue = &queues[0];
        assert_eq!(queue.skills.len(), 3);
        assert_eq!(queue.relaxation.len(), 2);
        assert_eq!(queue.strategy, acd::Strategy::RoundRobin);
        assert_eq!(queue.levels, acd::Levels::Alike);
        let every = Duration::from_secs(5);
        assert_eq!(queue.ringing, Ringing::Progressive { every, max: 3 });
        assert_eq!(queue.on_full, Overflow::Queue(QueueId(1)));
        assert_eq!(queue.on_wait_max, Overflow::Queue(QueueId(1)));
        assert!(queue.members_only && !queues[1].members_only);
        assert_eq!(queue.reserve.length, Some(4));
        assert_eq!(queue.sticky, Some(Duration::from_secs(20)));
        assert_eq!(queue.keep_place, Some(Duration::from_secs(60)));
        assert_eq!(queue.unstaffed.len(), 3);
        assert_eq!(languages(&settings).len(), 1);
        assert_eq!(
            queues[1],
            QueueSettings {
                length_max: 200,
                wrap_up: WrapUp::Fixed(Duration::from_secs(10)),
                ..QueueSettings::new(QueueId(1), "rest")
            }
        );
    }

    #[test]
    fn who_is_named_at_a_queue_serves_it_and_those_that_name_nobody() {
        let settings = Settings::parse("hotline.toml", TEXT).unwrap();
        let members = members(&settings);
        let petrov = &members["petrov"];
        assert_eq!(
            (petrov[0].order, petrov[0].delay),
            (1, Duration::from_secs(10))
        );
        assert_eq!(petrov[1].queue, QueueId(1));
        assert!(members["sidorova"][0].reserve);
        assert_eq!(members.len(), 3);
    }

    #[test]
    fn a_queue_that_is_not_there_takes_no_overflow() {
        let text = "[[queue]]\nname = \"a\"\nfull_to = \"b\"\nwait_max_to = \"a\"\n";
        let problems = Settings::parse("h.toml", text).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
