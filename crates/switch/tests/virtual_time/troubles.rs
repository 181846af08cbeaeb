//! What users of other systems suffer from, where no other file has it: the order of service, through reloads
//! too, and operators who are shown as there and are not. `docs/troubles.md` has the whole list.

use core::time::Duration;
use std::sync::Arc;

use dialplan::Plans;
use switch::Input;
use vocab::OperatorState;

use crate::callers::{calls_as, talked_with};
use crate::world::{PLAN, World, operators, settings};

fn number(n: u32) -> String {
    format!("+7421200000{n}")
}

/// Eight callers, one after another.
fn eight(world: &mut World) -> Vec<String> {
    let numbers: Vec<String> = (1..=8).map(number).collect();
    for number in &numbers {
        calls_as(world, number);
        world.pass(Duration::from_millis(50));
    }
    numbers
}

/// One operator takes them all, one after another.
fn serve(world: &mut World, calls: usize) {
    assert_eq!(world.register(1, "secret"), 200);
    for _ in 0..calls {
        let mut operator = world.operator_takes(1);
        operator.hang_up(world);
        world.clear();
        // The work after it, and not so long that the next INVITE would be sent again.
        world.pass(Duration::from_millis(10_100));
    }
}

#[test]
fn eight_callers_are_served_in_the_order_in_which_they_came() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    let numbers = eight(&mut world);
    serve(&mut world, 8);
    assert_eq!(talked_with(&world), numbers);
}

#[test]
fn waiting_callers_keep_their_order_through_reloads_of_plans_and_operators() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    let numbers = eight(&mut world);
    for _ in 0..3 {
        let plan = dialplan::parse("test.toml", PLAN).unwrap();
        world.input(Input::Plans {
            plans: Plans::new(vec![Arc::new(plan)]).unwrap(),
            prompts: Default::default(),
        });
        world.input(Input::Operators(operators(3)));
        world.input(Input::Callers(Vec::new()));
        world.pass(Duration::from_secs(1));
    }
    serve(&mut world, 8);
    assert_eq!(talked_with(&world), numbers);
}

#[test]
fn an_operator_whose_registration_ran_out_is_shown_as_unreachable_and_gets_no_call() {
    let mut world = World::with(settings()).with_operators(1);
    let state = |world: &World| world.switch.snapshot().operators[0].state;
    assert_eq!(state(&world), OperatorState::Free);
    world.pass(Duration::from_secs(86_400));
    assert_eq!(state(&world), OperatorState::Unreachable);
    world.waiting_caller();
    assert!(world.offer_results().is_empty());
}
