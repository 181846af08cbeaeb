//! Restarts in virtual time: which telephones are still registered in the next life of the engine.

use core::time::Duration;

use crate::world::{World, operators, phone};
use sip::{HeaderName, Method, Secrets};
use switch::{Input, Operator};
use vocab::{Fact, Registration};

const SECOND: Duration = Duration::from_secs(1);

/// What the journal of a world holds of registrations.
fn kept(world: &World) -> Vec<Registration> {
    let mut kept: Vec<Registration> = Vec::new();
    for event in &world.facts {
        match &event.fact {
            Fact::TelephoneRegistered { registration } => {
                kept.retain(|old| {
                    (&old.login, &old.key) != (&registration.login, &registration.key)
                });
                kept.push((**registration).clone());
            }
            Fact::TelephoneUnregistered { login, key } => {
                kept.retain(|old| (&old.login, &old.key) != (login, key));
            }
            _ => {}
        }
    }
    kept
}

/// A new life with the same people and what the journal kept.
fn again(operators: Vec<Operator>, registrations: Vec<Registration>) -> World {
    let mut world = World::new();
    world.input(Input::Operators(operators));
    world.input(Input::Bindings {
        registrations,
        listening: vec!["198.51.100.1:5060".parse().unwrap()],
    });
    world
}

#[test]
fn a_registered_telephone_rings_after_a_restart_and_refreshes_with_its_old_count() {
    let before = World::new().with_operators(1);
    let kept = kept(&before);
    assert_eq!(kept.len(), 1);
    let mut world = again(operators(1), kept);
    let reachable = world.facts.iter().any(|event| {
        matches!(
            event.fact,
            Fact::OperatorReachable {
                reachable: true,
                ..
            }
        )
    });
    assert!(reachable);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    let contact = format!("sip:op1@{}", phone(1));
    assert_eq!(ring.request_uri().unwrap().to_string(), contact);
    assert_eq!(world.register(1, "secret"), 200);
}

#[test]
fn a_telephone_of_before_a_restart_is_no_stranger_under_drop() {
    let kept = kept(&World::new().with_operators(1));
    let answer = |registrations: Vec<Registration>| -> bool {
        let mut settings = crate::world::settings();
        settings.strangers.policy = switch::trunk::StrangerPolicy::Drop;
        let mut world = World::with(settings);
        world.input(Input::Operators(operators(1)));
        world.input(Input::Bindings {
            registrations,
            listening: vec!["198.51.100.1:5060".parse().unwrap()],
        });
        let uri = "sip:1300@198.51.100.1";
        let invite = world.out_of_dialog(phone(1), Method::Invite, uri);
        world.send(phone(1), &invite);
        world.try_next(phone(1)).is_some()
    };
    assert!(!answer(Vec::new()), "a stranger got an answer");
    assert!(answer(kept), "a known telephone got none");
}

#[test]
fn what_is_over_changed_or_elsewhere_does_not_come_back_and_is_told_as_ended() {
    let before = World::new().with_operators(1);
    let good = kept(&before).remove(0);
    let mut changed = operators(1);
    changed[0].secrets = Secrets::new("op1", "hotline", "new password");
    let edited = |edit: fn(&mut Registration)| {
        let mut registration = good.clone();
        edit(&mut registration);
        registration
    };
    for (people, registration) in [
        (changed, good.clone()),
        (Vec::new(), good.clone()),
        (
            operators(1),
            edited(|r| r.until = vocab::WallTime::from_unix_millis(1_795_000_000_000)),
        ),
        (operators(1), edited(|r| r.transport = "TCP".into())),
        (
            operators(1),
            edited(|r| r.local = "198.51.100.1:5070".into()),
        ),
        (operators(1), edited(|r| r.contact = "nonsense".into())),
        (operators(1), edited(|r| r.path = vec!["<".into()])),
    ] {
        let world = again(people, vec![registration.clone()]);
        let ended = Fact::TelephoneUnregistered {
            login: registration.login.clone(),
            key: registration.key.clone(),
        };
        let told = world.facts.iter().any(|event| event.fact == ended);
        assert!(told, "{registration:?}");
    }
}

#[test]
fn unregistering_and_a_removed_operator_leave_nothing_to_come_back() {
    let mut world = World::new().with_operators(2);
    let mut gone = world.register_request(1, phone(1));
    gone.headers.set(HeaderName::Contact, "*");
    gone.headers.set(HeaderName::Expires, "0");
    assert_eq!(world.authorised(1, phone(1), gone, "secret"), 200);
    world.input(Input::Operators(operators(1)));
    assert_eq!(kept(&world), []);
}

#[test]
fn a_flood_of_registrations_writes_little() {
    let mut world = World::new();
    world.input(Input::Operators(operators(1)));
    let begun = world.facts.len();
    for round in 0..300 {
        let mut request = world.register_request(1, phone(1));
        if round % 2 == 1 {
            request.headers.set(HeaderName::Expires, "0");
        }
        world.authorised(1, phone(1), request, "secret");
        // Strangers, of whom nothing is written at all.
        world.register(9, "guess");
        world.pass(SECOND / 10);
    }
    let written = world.facts.len() - begun;
    assert!(written <= 100, "{written} facts of 300 REGISTERs in 30 s");
}
