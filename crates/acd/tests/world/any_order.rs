//! Inputs in any order, sensible or not.

use std::collections::BTreeMap;
use std::time::Duration;

use acd::{
    Acd, Arrival, By, CallbackMode, CallbackWish, Command, Input, OperatorSettings, Output, Status,
    WrapUp,
};
use vocab::{CallId, OfferId, OfferResult, OperatorId, QueueId, Time};

use crate::people::{Random, queues};

type Live = BTreeMap<OfferId, (CallId, OperatorId)>;

/// Reads what the core says of its offers; returns whether it told a stale one.
fn drain(acd: &mut Acd, live: &mut Live) -> bool {
    let mut stale = false;
    while let Some(output) = acd.poll() {
        match output {
            Output::Offer {
                offer,
                call,
                operator,
                ..
            }
            | Output::Dial {
                offer,
                call,
                operator,
                ..
            } => {
                let known = live.get(&offer) == Some(&(call, operator));
                let bound = live.values().any(|of| of.1 == operator);
                assert!(known || !bound, "{operator:?} is bound already");
                live.insert(offer, (call, operator));
            }
            Output::Withdraw {
                offer,
                call,
                operator,
                ..
            } => {
                assert_eq!(live.remove(&offer), Some((call, operator)));
            }
            Output::Stale { .. } => stale = true,
            _ => {}
        }
    }
    stale
}

fn input(kind: u8, number: u32, person: u32, now: Time) -> Input {
    let (call, operator) = (CallId::new(1, number), OperatorId(person));
    let offer = OfferId::new(1, number * 4 + person);
    let queue = QueueId(u16::try_from(number % 5).unwrap());
    let arrival = Arrival {
        caller: format!("7{number}"),
        ..Arrival::new(call, queue, now)
    };
    let status = if person.is_multiple_of(2) {
        Status::Available
    } else {
        Status::Off
    };
    match kind {
        0 | 1 => Input::Queued(arrival),
        2 => Input::Left { call },
        3 => Input::Reachable {
            operator,
            reachable: number > 1,
        },
        4 => Input::Status {
            operator,
            status,
            by: By::Operator,
        },
        5 => Input::Ringing { offer },
        6 => Input::Accepted { offer },
        7 => Input::Failed {
            offer,
            result: OfferResult::Rejected,
        },
        8 => Input::Freed { operator },
        9 => Input::OtherCallBegan { operator },
        10 => Input::OtherCallEnded {
            operator,
            wrap_up: WrapUp::Fixed(Duration::from_secs(1)),
        },
        11 => Input::CallbackWanted(CallbackWish {
            number: arrival.caller.clone(),
            arrival,
            mode: if person.is_multiple_of(2) {
                CallbackMode::CallerFirst
            } else {
                CallbackMode::OperatorFirst
            },
            attempts: 2,
            pause: Duration::from_secs(1),
            hours: Vec::new(),
        }),
        12 => Input::CallbackReached { offer },
        13 => Input::CallbackEnded {
            call,
            reached: person > 1,
        },
        14 => Input::Command {
            number: 1,
            command: Command::Assign { call, operator },
        },
        15 => Input::Command {
            number: 2,
            command: Command::Move { call, queue },
        },
        16 => Input::SignedIn {
            operator,
            line: format!("{number}"),
        },
        17 => Input::EntryComplete { operator, call },
        18 => Input::Queues(queues(&mut Random::new(u64::from(number)))),
        _ => operators(person),
    }
}

fn operators(count: u32) -> Input {
    let operator = |id| OperatorSettings::new(OperatorId(id), BTreeMap::new());
    Input::Operators((0..count).map(operator).collect())
}

proptest::proptest! {
    /// An operator has one live offer at most, and what is said about offers is true of those that
    /// were made.
    #[test]
    fn inputs_in_any_order_bind_nobody_twice(
        inputs in proptest::collection::vec((0_u8..20, 0_u32..6, 0_u32..4, 0_u64..9_000), 1..200),
    ) {
        let mut acd = Acd::new(1);
        acd.handle(Time::ZERO, Input::Queues(queues(&mut Random::new(1))));
        acd.handle(Time::ZERO, operators(3));
        let mut now = Time::ZERO;
        let mut live = Live::new();
        for (kind, number, person, pause) in inputs {
            now = now + Duration::from_millis(pause);
            acd.handle_timeout(now);
            // What the time-out did comes first.
            drain(&mut acd, &mut live);
            let input = input(kind, number, person, now);
            let mut stale_due = false;
            if let Input::Accepted { offer } | Input::Failed { offer, .. } = &input {
                let known = live.remove(offer).is_some();
                stale_due = matches!(input, Input::Accepted { .. }) && !known;
            }
            acd.handle(now, input);
            let stale = drain(&mut acd, &mut live);
            assert_eq!(stale, stale_due, "a stale answer is told, and no other");
        }
    }
}
