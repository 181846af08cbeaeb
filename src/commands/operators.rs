//! Owns `hotline operators` and the orders of `hotline acd`: what people want of the running engine's
//! queues goes to it by its socket, and comes into the journal with who wanted it.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use vocab::{Instruction, LiveOperator, Order, Rank};

use super::entry::who;
use crate::boot::control;
use crate::cli::{Given, OperatorsCommand, StatusName};

pub(super) fn run(command: OperatorsCommand) -> anyhow::Result<ExitCode> {
    match command {
        OperatorsCommand::Show(config) => {
            let settings = super::load(&config.config)?;
            let Some(picture) = control::picture(&settings.journal.events)? else {
                bail!(NOBODY);
            };
            super::print_out(&table(&picture.operators))?;
            Ok(ExitCode::SUCCESS)
        }
        OperatorsCommand::SignIn(wanted) => {
            let (operator, line) = (wanted.operator, wanted.line);
            give(
                wanted.given,
                Rank::Operator,
                Order::SignIn { operator, line },
            )
        }
        OperatorsCommand::SignOut(wanted) => {
            let operator = wanted.operator;
            give(wanted.given, Rank::Operator, Order::SignOut { operator })
        }
        OperatorsCommand::Status(wanted) => {
            let rank = if wanted.leave {
                Rank::Supervisor
            } else {
                Rank::Operator
            };
            let status = status(wanted.status, wanted.reason.as_deref());
            let operator = wanted.operator;
            give(wanted.given, rank, Order::Choose { operator, status })
        }
        OperatorsCommand::Ready(wanted) => {
            let operator = wanted.operator;
            give(wanted.given, Rank::Operator, Order::Ready { operator })
        }
        OperatorsCommand::Skills(wanted) => {
            let (operator, skills) = (wanted.operator, wanted.skills.into_iter().collect());
            let order = Order::Skills { operator, skills };
            give(wanted.given, Rank::Supervisor, order)
        }
    }
}

const NOBODY: &str = "no engine runs with these settings: orders are for a running one";

/// Gives an order to the running engine.
pub(super) fn give(given: Given, rank: Rank, order: Order) -> anyhow::Result<ExitCode> {
    let settings = super::load(&given.config.config)?;
    let by = who(given.by);
    let wanted = Instruction { by, rank, order };
    let Some(carried_out) = control::order(&settings.journal.events, wanted)? else {
        bail!(NOBODY);
    };
    let event = carried_out?;
    super::print_out(&format!("done, event {event}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// A status as orders spell it.
fn status(name: StatusName, reason: Option<&str>) -> String {
    match name {
        StatusName::Available => "available".to_owned(),
        StatusName::Break => format!("break: {}", reason.unwrap_or_default()),
        StatusName::Training => "training".to_owned(),
        StatusName::AfterCallWork => "after_call_work".to_owned(),
        StatusName::Off => "off".to_owned(),
    }
}

fn table(operators: &[LiveOperator]) -> String {
    let mut text = format!(
        "{:<8} {:<28} {:<20} {:<12} {}\n",
        "line", "operator", "chosen", "state", "for"
    );
    for one in operators {
        let state = super::acd::word(&one.state);
        let seconds = one.since_ms / 1_000;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<8} {:<28} {:<20} {:<12} {}:{:02}:{:02}",
            one.line,
            one.name,
            one.status,
            state,
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        );
    }
    text
}
