//! Owns the orders of a world: operators take breaks, sign out and in; supervisors close queues, move
//! calls, and give them to whom they like.

use core::time::Duration;

use vocab::{CallId, Event, Fact, Instruction, Order, Rank};

use crate::installation::QUEUES;
use crate::random::Random;
use crate::telephones::login;

/// How often somebody wants something, in the mean.
pub(crate) const EVERY: Duration = Duration::from_secs(8);

/// What somebody wants now.
pub(crate) fn wanted(random: &mut Random, operators: usize, waiting: &[CallId]) -> Instruction {
    let operator = login(random.below(operators as u64) as usize);
    let queue = QUEUES[random.below(QUEUES.len() as u64) as usize].to_owned();
    let call = waiting
        .get(random.below(waiting.len() as u64) as usize)
        .copied();
    let order = match (random.below(12), call) {
        (0, _) => Order::SignOut { operator },
        (1, _) => choose(operator, "break: tea"),
        (2, _) => choose(operator, "training"),
        (3, _) => Order::CloseQueue { queue },
        (4, _) => Order::OpenQueue { queue },
        (5, Some(call)) => Order::Priority {
            call,
            priority: random.below(20) as u8,
        },
        (6, Some(call)) => Order::Pull { call, operator },
        (7, Some(call)) => Order::Assign { call, operator },
        (8, Some(call)) => Order::Move { call, queue },
        // Most often somebody comes back, or all would be away in the end.
        (5..=9, _) => Order::SignIn {
            operator,
            line: None,
        },
        _ => choose(operator, "available"),
    };
    let rank = if order.is_own() && random.chance(700) {
        Rank::Operator
    } else {
        Rank::Supervisor
    };
    Instruction {
        by: "somebody".to_owned(),
        rank,
        order,
    }
}

fn choose(operator: String, status: &str) -> Order {
    Order::Choose {
        operator,
        status: status.to_owned(),
    }
}

/// Keeps the calls that wait in a queue true to one more fact.
pub(crate) fn follow(waiting: &mut Vec<CallId>, event: &Event) {
    match event.fact {
        Fact::QueueEntered { call, .. } => waiting.push(call),
        Fact::QueueLeft { call, .. } => waiting.retain(|one| *one != call),
        _ => {}
    }
}
