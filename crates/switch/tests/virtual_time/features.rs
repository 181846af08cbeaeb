//! Codes that operators dial, in virtual time: what each does, what is heard, and that it stands in the
//! journal as an order of the operator's.

use core::time::Duration;

use acd::{Attendance, BreakSettings, WrapUp};
use switch::{FeatureCodes, Input};
use vocab::media::MediaCommand;
use vocab::{Fact, OperatorState, Order, Outcome, Rank};

use crate::world::session::told;
use crate::world::{World, operators, phone, settings};

fn codes() -> FeatureCodes {
    FeatureCodes {
        sign_in: "*11".to_owned(),
        sign_out: "*12".to_owned(),
        break_off: "*13".to_owned(),
        back: "*14".to_owned(),
        done: "*15".to_owned(),
        kinds: vec![
            ("1".to_owned(), "lunch".to_owned()),
            ("2".to_owned(), "smoke".to_owned()),
        ],
    }
}

fn world(wrap_up: WrapUp) -> World {
    let mut settings = settings();
    settings.attendance = Attendance::BySignIn;
    settings.feature_codes = codes();
    settings.queues[0].wrap_up = wrap_up;
    settings.breaks = vec![
        BreakSettings {
            reason: "lunch".to_owned(),
            daily_max: None,
            hours: Vec::new(),
        },
        BreakSettings {
            reason: "smoke".to_owned(),
            daily_max: Some(Duration::ZERO),
            hours: Vec::new(),
        },
    ];
    World::with(settings).with_operators(2)
}

/// Operator `n` dials a code, hears the answer, and is hung up on; which prompt it was.
fn dials(world: &mut World, n: u8, code: &str) -> usize {
    let before = world.commands.len();
    let invite = world.dials(n, code);
    world.dialled_through(n, &invite);
    world.take_bye(phone(n));
    let played = world.commands[before..]
        .iter()
        .find_map(|command| match command {
            MediaCommand::Play { prompt, .. } => Some(prompt.0),
            _ => None,
        });
    usize::try_from(played.unwrap()).unwrap()
}

fn status(world: &World, n: usize) -> (OperatorState, String, String) {
    let operators = world.switch.snapshot().operators;
    let name = format!("Operator {n}");
    let one = operators.iter().find(|one| one.name == name).unwrap();
    (one.state, one.status.clone(), one.line.clone())
}

#[test]
fn a_day_by_telephone_signs_in_breaks_comes_back_and_goes_home() {
    let mut world = world(WrapUp::None);
    assert_eq!(status(&world, 1).1, "off");
    dials(&mut world, 1, "*11205");
    let (state, chosen, line) = status(&world, 1);
    assert_eq!(
        (state, chosen.as_str(), line.as_str()),
        (OperatorState::Free, "available", "205")
    );
    dials(&mut world, 1, "*131");
    assert_eq!(status(&world, 1).1, "break: lunch");
    dials(&mut world, 1, "*14");
    assert_eq!(status(&world, 1).0, OperatorState::Free);
    dials(&mut world, 1, "*12");
    assert_eq!(status(&world, 1).1, "off");
    let orders = told(&world, |fact| match fact {
        Fact::Ordered { by, rank, order } => Some((by.clone(), *rank, order.clone())),
        _ => None,
    });
    assert_eq!(orders.len(), 4);
    assert!(
        orders
            .iter()
            .all(|(by, rank, _)| by == "op1" && *rank == Rank::Operator)
    );
    assert!(
        matches!(orders[0].2, Order::SignIn { .. }) && matches!(orders[3].2, Order::SignOut { .. })
    );
    assert!(world.ended().iter().all(|end| end.0 == Outcome::Served));
    world.pass(Duration::from_secs(60));
    world.assert_quiet();
}

#[test]
fn what_is_refused_says_why_and_changes_nothing() {
    let mut world = world(WrapUp::None);
    let signed_in = dials(&mut world, 1, "*11");
    let taken = dials(&mut world, 2, "*11101");
    let leave = dials(&mut world, 1, "*132");
    let unknown = dials(&mut world, 1, "*139");
    let nothing = dials(&mut world, 1, "*15");
    assert_eq!(unknown, nothing, "not possible now");
    let heard = [signed_in, taken, leave, unknown];
    let different: std::collections::BTreeSet<usize> = heard.into_iter().collect();
    assert_eq!(different.len(), heard.len(), "each has its own words");
    assert_eq!(status(&world, 1).1, "available");
    assert_eq!(status(&world, 2).1, "off");
    let orders = told(&world, |fact| {
        matches!(fact, Fact::Ordered { .. }).then_some(())
    });
    assert_eq!(orders.len(), 1, "only what was carried out");
}

#[test]
fn the_work_after_a_call_is_done_by_a_code() {
    let hour = Duration::from_secs(3_600);
    let mut world = world(WrapUp::Optional(hour));
    dials(&mut world, 1, "*11");
    let (mut caller, _) = world.talk_with(1);
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    assert_eq!(status(&world, 1).0, OperatorState::WrapUp);
    dials(&mut world, 1, "*15");
    assert_eq!(status(&world, 1).0, OperatorState::Free);
}

#[test]
fn no_call_rings_at_an_operator_who_hears_that_the_sign_in_was_taken() {
    let mut world = world(WrapUp::None);
    world.waiting_caller();
    world.plays_end = false;
    let invite = world.dials(1, "*11");
    world.dialled_through(1, &invite);
    assert_eq!(status(&world, 1).0, OperatorState::OtherCall);
    assert!(world.try_next(phone(1)).is_none());
}

#[test]
fn without_codes_they_are_numbers_that_nobody_knows() {
    let mut world = World::with(settings());
    world.input(Input::Operators(operators(1)));
    assert_eq!(world.register(1, "secret"), 200);
    world.dials(1, "*11");
    assert_eq!(world.response(phone(1)).status(), Some(404));
}
