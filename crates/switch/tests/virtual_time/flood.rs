//! Floods leave nothing behind: failed calls of a trunk, and registrations without password.
//!
//! `HOTLINE_FLOOD=100000` sets the full length.

use core::time::Duration;

use crate::world::{World, phone, trunk};
use sip::{HeaderName, Method};

fn length() -> u32 {
    std::env::var("HOTLINE_FLOOD").map_or(3_000, |text| text.parse().unwrap())
}

/// Longer than any transaction and refused call is remembered.
const REST: Duration = Duration::from_secs(600);

#[test]
fn failed_calls_leave_all_tables_as_they_were() {
    let mut world = World::new();
    world.pass(REST);
    let before = world.switch.tables();
    let mut most = 0;
    for _ in 0..length() {
        let invite = world.invite("404404");
        world.send(trunk(), &invite);
        let refused = world.response(trunk());
        assert_eq!(refused.status(), Some(404));
        let mut ack = invite.clone();
        ack.start = sip::Start::Request {
            method: Method::Ack,
            uri: invite.request_uri().unwrap().clone(),
        };
        ack.body.clear();
        ack.headers.set(HeaderName::CSeq, "1 ACK");
        let to = refused.headers.first(&HeaderName::To).unwrap();
        ack.headers.set(HeaderName::To, to);
        world.send(trunk(), &ack);
        world.facts.clear();
        world.pass(Duration::from_millis(10));
        most = most.max(
            world
                .switch
                .tables()
                .iter()
                .map(|table| table.1)
                .sum::<usize>(),
        );
    }
    assert!(most > 0, "something was remembered for a while");
    world.pass(REST);
    assert_eq!(world.switch.tables(), before);
}

#[test]
fn registrations_without_password_leave_all_tables_as_they_were() {
    let mut world = World::new().with_operators(1);
    world.pass(REST);
    let before = world.switch.tables();
    for _ in 0..length() {
        let request = world.register_request(1, phone(9));
        world.send(phone(9), &request);
        let _ = world.try_next(phone(9));
        world.pass(Duration::from_millis(3));
    }
    world.pass(REST);
    assert_eq!(world.switch.tables(), before);
}
