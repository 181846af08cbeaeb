//! What stands beyond calls, from event to table to the next start.

use vocab::{Duty, Order, Rank, Standing};

use super::*;
use crate::standing;

fn chose(login: &str, status: &str) -> Fact {
    let duty = Duty {
        line: Some("205".into()),
        status: status.into(),
        ..Duty::default()
    };
    Fact::OperatorOnDuty {
        operator: OperatorRef {
            login: login.into(),
            ..operator(1)
        },
        duty: Box::new(duty),
        by: "petrova".into(),
    }
}

fn ordered(order: Order) -> Fact {
    Fact::Ordered {
        by: "petrova".into(),
        rank: Rank::Supervisor,
        order,
    }
}

fn facts() -> Vec<Fact> {
    let queue = |name: &str| name.to_owned();
    vec![
        chose("anna", "available"),
        ordered(Order::CloseQueue { queue: queue("a") }),
        ordered(Order::CloseQueue { queue: queue("b") }),
        chose("boris", "break: lunch"),
        chose("anna", "off"),
        ordered(Order::OpenQueue { queue: queue("a") }),
    ]
}

fn loaded(place: &Place) -> Standing {
    let settings = place.settings();
    let load = standing::load(&settings.dir, &settings.database, BOOT + 1);
    block_on(load).unwrap()
}

fn check(standing: &Standing) {
    let statuses: Vec<(&str, &str)> = standing
        .duties
        .iter()
        .map(|(login, duty)| (login.as_str(), duty.status.as_str()))
        .collect();
    assert_eq!(statuses, [("anna", "off"), ("boris", "break: lunch")]);
    assert_eq!(standing.closed, ["b"]);
}

#[test]
fn the_last_word_about_each_operator_and_queue_is_there_at_the_next_start() {
    let place = Place::new();
    place.run(BOOT, &History::new(BOOT).all(facts()).events);
    check(&loaded(&place));
    // The rows are a function of the events.
    block_on(crate::rebuild(&place.settings().database)).unwrap();
    check(&loaded(&place));
}

#[test]
fn who_talked_to_a_number_last_is_told_once_for_each_number_the_newest_talk_first() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for number in 1..=3 {
        answered_call(&mut history, call(number));
    }
    // The third call is of the first one's number.
    for event in &mut history.events {
        if let Fact::CallArrived {
            call: of, caller, ..
        } = &mut event.fact
            && *of == call(3)
        {
            *caller = "+74242000001".to_owned();
        }
    }
    place.run(BOOT, &history.events);
    let regulars = block_on(crate::regulars(&place.settings().database)).unwrap();
    let told: Vec<_> = regulars
        .iter()
        .map(|one| (one.caller.as_str(), one.operator.as_str()))
        .collect();
    let login = operator(1).login;
    let expected = [("+74242000001", &*login), ("+74242000002", &*login)];
    assert_eq!(told, expected);
}
