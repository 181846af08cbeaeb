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
