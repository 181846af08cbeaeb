//! Owns the answers to what an `if` asks.

use super::Run;
use super::step::Sights;
use crate::step::{Condition, QueueAsked};

impl Run {
    /// Whether a condition holds now, and why, in words.
    pub(super) fn holds(&self, condition: &Condition, sights: &dyn Sights) -> (bool, String) {
        match condition {
            Condition::Hours(name) => self.hours_run(name, sights),
            Condition::Between(from, until) => {
                let clockwork = self.plan.clockwork.as_ref();
                let today = clockwork
                    .and_then(|clockwork| clockwork.zone.local(sights.now()))
                    .map(|now| now.date());
                let holds = today.is_some_and(|today| (*from..=*until).contains(&today));
                (holds, format!("between {from} and {until}"))
            }
            Condition::Caller(list) => {
                let numbers = self.plan.callers.get(list);
                let listed = numbers.is_some_and(|numbers| {
                    numbers.iter().any(|number| match number.strip_suffix('*') {
                        Some(beginning) => self.field("caller").starts_with(beginning),
                        None => self.field("caller") == number,
                    })
                });
                (listed, format!("caller in {list}"))
            }
            Condition::Field { name, is } => {
                let value = self.field(name);
                match is {
                    Some(is) => (value == is, format!("field {name} is \"{is}\"")),
                    None => (!value.is_empty(), format!("field {name} has a value")),
                }
            }
            Condition::Queue { name, state } => {
                let queue = sights.queue(name);
                match state {
                    QueueAsked::Served => (queue.served, format!("queue {name} is served")),
                    QueueAsked::Free => (queue.free, format!("queue {name} has a free operator")),
                    QueueAsked::WaitingAbove(calls) => (
                        queue.waiting > *calls,
                        format!("more than {calls} calls wait in queue {name}"),
                    ),
                }
            }
        }
    }

    fn hours_run(&self, name: &str, sights: &dyn Sights) -> (bool, String) {
        // A plan has a time zone if it has hours; a clock out of all bounds closes them.
        let closed = || (false, format!("hours {name}: the time is not known"));
        let (Some(clockwork), Some(hours)) = (&self.plan.clockwork, self.plan.hours.get(name))
        else {
            return closed();
        };
        let Some(now) = clockwork.zone.local(sights.now()) else {
            return closed();
        };
        let day = clockwork.day(now.date());
        let verdict = hours.at(now, day, clockwork.short_by);
        let missing = match (&clockwork.calendar, day) {
            (Some(country), None) => format!("; no calendar {country} {}", now.year()),
            _ => String::new(),
        };
        (
            verdict.open,
            format!("hours {name}: {}{missing}", verdict.why),
        )
    }
}
