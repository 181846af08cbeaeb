//! Operators' days in virtual time: lines, statuses, breaks, the orders of supervisors, and what of it
//! is still so in the next life of the engine.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::world::session::told;
use crate::world::{World, operators, phone, settings};
use acd::{Attendance, BreakSettings, Hours, QueueSettings, WrapUp};
use sip::Method;
use switch::{Input, Settings};
use vocab::{
    CallId, Duty, Fact, Instruction, LiveQueue, OperatorState, Order, OrderRefusal, QueueId,
    QueueOutcome, Rank, Standing,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn with_breaks() -> Settings {
    let mut settings = settings();
    settings.attendance = Attendance::BySignIn;
    settings.breaks = vec![BreakSettings {
        reason: "lunch".to_owned(),
        daily_max: Some(45 * MINUTE),
        hours: vec![Hours {
            from: 12 * HOUR,
            to: 15 * HOUR,
        }],
    }];
    settings
        .queues
        .push(QueueSettings::new(QueueId(1), "second"));
    settings
}

/// A world at eleven in the morning.
fn morning(operators: u8) -> World {
    let mut world = World::with(with_breaks());
    clock(&mut world, 11 * HOUR);
    world.with_operators(operators)
}

fn clock(world: &mut World, time: Duration) {
    world.input(Input::Clock { day: 20_000, time });
}

fn give(world: &mut World, rank: Rank, order: Order) -> Result<(), OrderRefusal> {
    let by = "petrova".to_owned();
    let wanted = Instruction { by, rank, order };
    let carried_out = world.switch.order(world.now, &wanted).map(drop);
    // What came of it is taken with the next input.
    world.input(Input::Deadline);
    carried_out
}

fn own(world: &mut World, order: Order) -> Result<(), OrderRefusal> {
    give(world, Rank::Operator, order)
}

fn supervise(world: &mut World, order: Order) -> Result<(), OrderRefusal> {
    give(world, Rank::Supervisor, order)
}

fn sign_in(n: u8, line: Option<&str>) -> Order {
    Order::SignIn {
        operator: format!("op{n}"),
        line: line.map(str::to_owned),
    }
}

fn choose(n: u8, status: &str) -> Order {
    Order::Choose {
        operator: format!("op{n}"),
        status: status.to_owned(),
    }
}

/// What the journal holds of what stands.
fn standing(world: &World) -> Standing {
    let mut standing = Standing::default();
    for event in &world.facts {
        match &event.fact {
            Fact::OperatorOnDuty { operator, duty, .. } => {
                standing
                    .duties
                    .insert(operator.login.clone(), (**duty).clone());
            }
            Fact::Ordered {
                order: Order::CloseQueue { queue },
                ..
            } => standing.closed.push(queue.clone()),
            _ => {}
        }
    }
    standing
}

fn state(world: &World, n: usize) -> (OperatorState, String, String) {
    let one = world.switch.snapshot().operators[n - 1].clone();
    (one.state, one.status, one.line)
}

fn last_call(world: &World) -> CallId {
    world
        .facts
        .iter()
        .filter_map(|event| event.fact.call())
        .max()
        .unwrap()
}

#[test]
fn who_is_not_signed_in_gets_no_call_and_the_line_signed_in_to_stands_in_the_journal() {
    let mut world = morning(1);
    assert_eq!(state(&world, 1).1, "off");
    world.waiting_caller();
    assert!(world.try_next(phone(1)).is_none(), "nobody is signed in");
    own(&mut world, sign_in(1, Some("205"))).unwrap();
    let invite = world.request(phone(1), &Method::Invite);
    world.answer(1, &invite, 200);
    let offered = told(&world, |fact| match fact {
        Fact::OfferMade { operator, .. } => Some(operator.line.clone()),
        _ => None,
    });
    assert_eq!(offered, ["205"]);
    let duties = told(&world, |fact| match fact {
        Fact::OperatorOnDuty { duty, by, .. } => Some((duty.line.clone(), by.clone())),
        _ => None,
    });
    let line = Some("205".to_owned());
    assert_eq!(duties.last(), Some(&(line, "petrova".to_owned())));
}

#[test]
fn the_live_picture_has_each_queue_and_one_operator_at_a_line() {
    let mut world = morning(2);
    world.waiting_caller();
    world.pass(7 * MINUTE / 60);
    supervise(
        &mut world,
        Order::CloseQueue {
            queue: "second".to_owned(),
        },
    )
    .unwrap();
    let queues = world.switch.snapshot().queues;
    let calm = LiveQueue {
        name: "operators".to_owned(),
        open: true,
        refuses: None,
        waiting: 1,
        longest_wait_ms: 7_000,
        callbacks: 0,
        free: 0,
        serving: 0,
    };
    let closed = LiveQueue {
        name: "second".to_owned(),
        open: false,
        refuses: Some(QueueOutcome::Closed),
        waiting: 0,
        longest_wait_ms: 0,
        ..calm.clone()
    };
    assert_eq!(queues, [calm, closed]);
    // Operator 1 sits at the line that is operator 2's own.
    own(&mut world, sign_in(1, Some("102"))).unwrap();
    let picture = world.switch.snapshot();
    let at: Vec<(&str, bool)> = picture
        .operators
        .iter()
        .map(|one| (one.line.as_str(), one.at_line))
        .collect();
    assert_eq!(at, [("102", true), ("102", false)]);
    let served = |shown: &LiveQueue| (shown.free, shown.serving);
    assert_eq!(served(&picture.queues[0]), (0, 1), "the call rings there");
    assert_eq!(served(&picture.queues[1]), (0, 1));
}

#[test]
fn two_operators_are_not_signed_in_to_one_line() {
    let mut world = morning(2);
    own(&mut world, sign_in(1, Some("205"))).unwrap();
    let refused = own(&mut world, sign_in(2, Some("205"))).unwrap_err();
    let (line, by) = ("205".to_owned(), "op1".to_owned());
    assert_eq!(refused, OrderRefusal::LineTaken { line, by });
    let operator = "op1".to_owned();
    own(&mut world, Order::SignOut { operator }).unwrap();
    own(&mut world, sign_in(2, Some("205"))).unwrap();
    assert_eq!(state(&world, 1).1, "off");
    let orders = told(&world, |fact| {
        matches!(fact, Fact::Ordered { .. }).then_some(())
    });
    assert_eq!(orders.len(), 3, "what was refused is no order");
}

#[test]
fn a_break_against_the_rules_needs_leave_and_is_written_down_as_taken_by_it() {
    let mut world = morning(1);
    own(&mut world, sign_in(1, None)).unwrap();
    let refused = own(&mut world, choose(1, "break: lunch")).unwrap_err();
    assert!(
        matches!(refused, OrderRefusal::NeedsLeave { .. }),
        "{refused}"
    );
    assert_eq!(state(&world, 1).1, "available");
    supervise(&mut world, choose(1, "break: lunch")).unwrap();
    world.pass(50 * MINUTE);
    own(&mut world, choose(1, "available")).unwrap();
    clock(&mut world, 13 * HOUR);
    let refused = own(&mut world, choose(1, "break: lunch")).unwrap_err();
    assert!(
        refused.to_string().contains("limit is used up"),
        "{refused}"
    );
    let taken = told(&world, |fact| match fact {
        Fact::BreakTaken {
            lasted_ms,
            by_leave,
            over_ms,
            ..
        } => Some((*lasted_ms, *by_leave, *over_ms)),
        _ => None,
    });
    assert_eq!(taken, [(50 * 60_000, true, 5 * 60_000)]);
}

#[test]
fn a_break_goes_on_over_a_restart_and_its_time_counts_whole() {
    let mut world = morning(1);
    clock(&mut world, 12 * HOUR);
    own(&mut world, sign_in(1, Some("205"))).unwrap();
    own(&mut world, choose(1, "break: lunch")).unwrap();
    let kept = standing(&world);
    let (before, began) = (world.now, kept.duties["op1"].break_since.unwrap());
    world.pass(10 * MINUTE);

    let mut again = World::with(with_breaks());
    // Ten minutes later by the wall, at the beginning of another process.
    again.input(Input::Wall(began + 10 * MINUTE));
    clock(&mut again, 12 * HOUR + 10 * MINUTE);
    again.input(Input::Operators(operators(1)));
    again.input(Input::Standing(kept));
    assert_eq!(again.register(1, "secret"), 200);
    let (at, status, line) = state(&again, 1);
    assert_eq!(
        (at, status.as_str(), line.as_str()),
        (OperatorState::Paused, "break: lunch", "205")
    );
    let news = told(&again, |fact| {
        matches!(fact, Fact::OperatorOnDuty { .. }).then_some(())
    });
    assert!(news.is_empty(), "what was so before is no news");
    again.pass(40 * MINUTE);
    own(&mut again, choose(1, "available")).unwrap();
    let over = told(&again, |fact| match fact {
        Fact::BreakTaken {
            lasted_ms, over_ms, ..
        } => Some((lasted_ms / 60_000, over_ms / 60_000)),
        _ => None,
    });
    assert_eq!(over, [(50, 5)]);
    assert!(before <= world.now);
}

#[test]
fn yesterdays_breaks_do_not_count_today() {
    let duty = |day| Duty {
        status: "available".to_owned(),
        day: Some(day),
        breaks_ms: BTreeMap::from([("lunch".to_owned(), 45 * 60_000)]),
        ..Duty::default()
    };
    for (day, permitted) in [(20_000, false), (19_999, true)] {
        let mut world = World::with(with_breaks());
        clock(&mut world, 13 * HOUR);
        world.input(Input::Operators(operators(1)));
        let duties = BTreeMap::from([("op1".to_owned(), duty(day))]);
        world.input(Input::Standing(Standing {
            duties,
            ..Standing::default()
        }));
        let taken = own(&mut world, choose(1, "break: lunch"));
        assert_eq!(taken.is_ok(), permitted, "{taken:?}");
    }
}

#[test]
fn an_operator_gives_no_orders_of_a_supervisor_and_unknown_names_are_told() {
    let mut world = morning(1);
    let queue = "operators".to_owned();
    let close = Order::CloseQueue { queue };
    assert_eq!(own(&mut world, close), Err(OrderRefusal::NotYours));
    let queue = "nowhere".to_owned();
    let refused = supervise(&mut world, Order::CloseQueue { queue }).unwrap_err();
    assert!(matches!(refused, OrderRefusal::UnknownQueue { .. }));
    let refused = own(&mut world, choose(7, "available")).unwrap_err();
    assert!(matches!(refused, OrderRefusal::UnknownOperator { .. }));
    for odd in ["", "break: ", "not_ready", "dancing"] {
        let refused = own(&mut world, choose(1, odd)).unwrap_err();
        assert!(
            matches!(refused, OrderRefusal::UnknownStatus { .. }),
            "{odd}"
        );
    }
    let call = CallId::new(1, 99);
    let refused = supervise(&mut world, Order::Priority { call, priority: 1 }).unwrap_err();
    assert_eq!(refused, OrderRefusal::NotWaiting { call });
    assert!(
        told(&world, |fact| matches!(fact, Fact::Ordered { .. })
            .then_some(()))
        .is_empty()
    );
}

#[test]
fn a_call_is_moved_and_assigned_by_a_supervisor_and_each_step_is_a_fact() {
    let mut world = morning(2);
    let (invite, answer) = world.waiting_caller();
    let call = last_call(&world);
    let queue = "second".to_owned();
    supervise(&mut world, Order::Move { call, queue }).unwrap();
    let stays = told(&world, |fact| match fact {
        Fact::QueueEntered { queue, .. } => Some((queue.clone(), None)),
        Fact::QueueLeft { queue, outcome, .. } => Some((queue.clone(), Some(*outcome))),
        _ => None,
    });
    let stay = |queue: &str, outcome| (queue.to_owned(), outcome);
    assert_eq!(
        stays,
        [
            stay("operators", None),
            stay("operators", Some(QueueOutcome::Overflowed)),
            stay("second", None)
        ]
    );
    let assign = |n: u8| Order::Assign {
        call,
        operator: format!("op{n}"),
    };
    let refused = supervise(&mut world, assign(2)).unwrap_err();
    assert!(
        matches!(refused, OrderRefusal::NotFree { .. }),
        "not signed in"
    );
    own(&mut world, sign_in(1, None)).unwrap();
    let ringing = world.request(phone(1), &Method::Invite);
    world.answer(1, &ringing, 180);
    own(&mut world, sign_in(2, None)).unwrap();
    supervise(&mut world, assign(2)).unwrap();
    world.request(phone(1), &Method::Cancel);
    world.request(phone(2), &Method::Invite);
    world.caller_hangs_up(&invite, &answer);
}

#[test]
fn a_priority_given_by_a_supervisor_stays_with_the_call_that_is_moved() {
    let mut world = morning(2);
    let _caller = world.waiting_caller();
    let call = last_call(&world);
    supervise(&mut world, Order::Priority { call, priority: 7 }).unwrap();
    let queue = "second".to_owned();
    supervise(&mut world, Order::Move { call, queue }).unwrap();
    let entered = told(&world, |fact| match fact {
        Fact::QueueEntered {
            queue, priority, ..
        } => Some((queue.clone(), *priority)),
        _ => None,
    });
    let entered: Vec<_> = entered.iter().map(|(name, n)| (&**name, *n)).collect();
    assert_eq!(entered, [("operators", 0), ("second", 7)]);
}

#[test]
fn a_queue_that_was_closed_is_closed_after_a_restart_until_it_is_opened() {
    let mut world = morning(1);
    let queue = || "operators".to_owned();
    supervise(&mut world, Order::CloseQueue { queue: queue() }).unwrap();
    let kept = standing(&world);
    let mut again = World::with(settings()).with_operators(1);
    again.input(Input::Standing(kept));
    let left = |world: &World| {
        told(world, |fact| match fact {
            Fact::QueueLeft { outcome, .. } => Some(*outcome),
            _ => None,
        })
    };
    again.waiting_caller();
    assert_eq!(left(&again), [QueueOutcome::Closed]);
    supervise(&mut again, Order::OpenQueue { queue: queue() }).unwrap();
    again.clear();
    again.waiting_caller();
    assert_eq!(left(&again).len(), 1);
}

#[test]
fn work_after_a_call_ends_by_a_word_only_where_the_queue_says_so() {
    for (wrap_up, ends) in [
        (WrapUp::Optional(MINUTE), true),
        (WrapUp::Fixed(MINUTE), false),
    ] {
        let mut settings = settings();
        settings.queues[0].wrap_up = wrap_up;
        let mut world = World::with(settings).with_operators(1);
        let (invite, answer) = world.waiting_caller();
        let ringing = world.request(phone(1), &Method::Invite);
        world.answer(1, &ringing, 200);
        world.caller_hangs_up(&invite, &answer);
        assert_eq!(state(&world, 1).0, OperatorState::WrapUp);
        let operator = "op1".to_owned();
        let said = own(&mut world, Order::Ready { operator });
        assert_eq!(said.is_ok(), ends, "{said:?}");
        let free = state(&world, 1).0 == OperatorState::Free;
        assert_eq!(free, ends);
    }
}
