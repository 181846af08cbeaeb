//! Owns `hotline acd`: why calls went to whom, and the orders about waiting calls and queues.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use vocab::{Event, Fact, OperatorRef, Order, Rank};

use anyhow::bail;
use journal::query;

use super::call::find;
use super::entry;
use super::journal::block_on;
use crate::cli::{AcdCommand, AcdExplain, Given, MissedCall};
use crate::settings::Settings;

pub(super) fn run(command: AcdCommand) -> anyhow::Result<ExitCode> {
    let (given, order) = match command {
        AcdCommand::Explain(explain) => return self::explain(&explain),
        AcdCommand::Priority(wanted) => {
            let (call, priority) = (wanted.call, wanted.priority);
            (wanted.given, Order::Priority { call, priority })
        }
        AcdCommand::Pull(wanted) => {
            let (call, operator) = (wanted.call, wanted.operator);
            (wanted.given, Order::Pull { call, operator })
        }
        AcdCommand::Assign(wanted) => {
            let (call, operator) = (wanted.call, wanted.operator);
            (wanted.given, Order::Assign { call, operator })
        }
        AcdCommand::Move(wanted) => {
            let (call, queue) = (wanted.call, wanted.queue);
            (wanted.given, Order::Move { call, queue })
        }
        AcdCommand::Callback(wanted) => call_back(wanted)?,
        AcdCommand::Callbacks(config) => return callbacks(&super::load(&config.config)?),
        AcdCommand::Settle(wanted) => {
            let call = wanted.call;
            (wanted.given, Order::Settle { call })
        }
        AcdCommand::Supervise(wanted) => {
            let order = Order::Supervise {
                call: wanted.call,
                operator: wanted.with,
                mode: wanted.mode.into(),
            };
            (wanted.given, order)
        }
        AcdCommand::Unsupervise(wanted) => {
            let call = wanted.call;
            (wanted.given, Order::EndSupervision { call })
        }
        AcdCommand::Conference(wanted) => {
            let operator = wanted.operator;
            (wanted.given, Order::Conference { operator })
        }
        AcdCommand::Open(wanted) => {
            let queue = wanted.queue;
            (wanted.given, Order::OpenQueue { queue })
        }
        AcdCommand::Close(wanted) => {
            let queue = wanted.queue;
            (wanted.given, Order::CloseQueue { queue })
        }
    };
    super::operators::give(given, Rank::Supervisor, order)
}

/// The order that makes a missed call good, by what the journal knows of it.
fn call_back(wanted: MissedCall) -> anyhow::Result<(Given, Order)> {
    let settings = super::load(&wanted.given.config.config)?;
    let rows = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        anyhow::Ok(journal.call(wanted.call).await?)
    })??;
    let Some(rows) = rows else {
        bail!("the journal has no call {}", wanted.call);
    };
    let Some(queue) = wanted.queue.or(rows.entry.queue) else {
        bail!("the call was in no queue; --queue NAME says whose operators are to call back");
    };
    let order = Order::CallBack {
        call: wanted.call,
        queue,
        number: rows.entry.caller,
        line: rows.entry.number,
    };
    Ok((wanted.given, order))
}

/// The callbacks that are owed, those first that wait longest.
fn callbacks(settings: &Settings) -> anyhow::Result<ExitCode> {
    let ours = &settings.journal;
    // Every event on disk counts, also those of the engine that runs.
    let load = journal::standing::load(&ours.events, &ours.database, u32::MAX);
    let mut owed = block_on(load)??.callbacks;
    owed.sort_by_key(|(call, what)| (what.since, *call));
    let mut text = String::new();
    for (call, what) in owed {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{call}  {:<16} {:<18} since {}  attempts left: {}",
            entry::printable(&what.queue),
            entry::printable(&what.number),
            entry::moment(what.since.as_unix_millis()),
            what.attempts_left
        );
    }
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn explain(explain: &AcdExplain) -> anyhow::Result<ExitCode> {
    let settings = super::load(&explain.config.config)?;
    let mut text = String::new();
    for found in find(&settings, &explain.which)? {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&story(&found.name, &found.events));
    }
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What the queues did with a call, and why.
fn story(name: &str, events: &[Event]) -> String {
    let mut text = format!("call {name}\n");
    let began = events.first().map(|event| event.up).unwrap_or_default();
    let (mut entered, mut offered) = (began, began);
    let mut waited_somewhere = false;
    for Event { up, fact, .. } in events {
        let line = match fact {
            Fact::QueueEntered {
                queue, priority, ..
            } => {
                entered = *up;
                waited_somewhere = true;
                format!("waits in {queue:?}, priority {priority}")
            }
            Fact::OfferMade {
                operator,
                why,
                considered,
                ..
            } => {
                offered = *up;
                let mut line = format!("rings at {}\n{:11}{why}", named(operator), "");
                for one in considered {
                    let who = named(&one.operator);
                    let _ = write!(line, "\n{:11}not {who}: {}", "", one.why_not);
                }
                line
            }
            Fact::OfferEnded { result, status, .. } => {
                let status = status.map_or(String::new(), |status| format!(" ({status})"));
                let rang = seconds(up.since(offered));
                format!("{} after {rang}{status}", word(result))
            }
            Fact::QueueLeft { queue, outcome, .. } => {
                let waited = seconds(up.since(entered));
                format!("leaves {queue:?} after {waited}: {}", word(outcome))
            }
            _ => continue,
        };
        let _ = writeln!(text, "{:>9}  {line}", seconds(up.since(began)));
    }
    if !waited_somewhere {
        text.push_str("           It waited in no queue.\n");
    }
    text
}

fn named(operator: &OperatorRef) -> String {
    let name = if operator.name.is_empty() {
        &operator.login
    } else {
        &operator.name
    };
    format!("{name} ({})", operator.line)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A named value as the journal writes it, with spaces.
pub(super) fn word(of: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(of).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use vocab::{
        CallId, EventId, NotChosen, OfferId, OfferResult, OperatorId, QueueOutcome, Time, WallTime,
    };

    use super::*;

    fn operator(id: u32, name: &str) -> OperatorRef {
        OperatorRef {
            id: OperatorId(id),
            login: format!("o{id}"),
            name: name.to_owned(),
            line: format!("10{id}"),
        }
    }

    #[test]
    fn the_story_of_a_call_tells_who_got_it_and_why_not_others() {
        let (call, offer) = (CallId::new(1, 7), OfferId::new(1, 1));
        let queue = || "operators".to_owned();
        let facts = [
            Fact::CallAnswered { call },
            Fact::QueueEntered {
                call,
                queue: queue(),
                priority: 5,
                skills: Vec::new(),
            },
            Fact::OfferMade {
                call,
                offer,
                queue: queue(),
                operator: operator(1, "Ivanova A. P."),
                why: "Longest idle: idle 3.0 s, 1 other free.".to_owned(),
                considered: vec![NotChosen {
                    operator: operator(2, ""),
                    why_not: "comes later in order".to_owned(),
                }],
            },
            Fact::OfferEnded {
                call,
                offer,
                result: OfferResult::NoAnswer,
                status: None,
            },
            Fact::QueueLeft {
                call,
                queue: queue(),
                outcome: QueueOutcome::TimedOut,
            },
        ];
        let event = |(n, fact)| Event {
            id: EventId::new(1, n),
            at: WallTime::default(),
            up: Time::from_millis(u64::from(n) * 1_500),
            fact,
        };
        let events: Vec<Event> = (1..).zip(facts).map(event).collect();
        let expected = "\
call c
    1.5 s  waits in \"operators\", priority 5
    3.0 s  rings at Ivanova A. P. (101)
           Longest idle: idle 3.0 s, 1 other free.
           not o2 (102): comes later in order
    4.5 s  no answer after 1.5 s
    6.0 s  leaves \"operators\" after 4.5 s: timed out
";
        assert_eq!(story("c", &events), expected);
        assert!(story("c", &[]).contains("no queue"));
    }
}
