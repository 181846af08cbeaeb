//! Passwords in virtual time: what a telephone, a guesser and a stranger see.

use core::net::SocketAddr;
use core::time::Duration;

use crate::world::{OFFER, World, operators, phone};
use sip::{HeaderName, Message, Method};
use switch::Input;

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    let mut world = World::new();
    world.input(Input::Operators(operators(2)));
    world
}

fn stranger() -> SocketAddr {
    "198.18.0.5:5060".parse().unwrap()
}

#[test]
fn credentials_that_are_sent_again_are_stale_and_with_the_next_count_right() {
    let mut world = world();
    let at = phone(1);
    let request = world.register_request(1, at);
    world.send(at, &request);
    let challenge = world.response(at);
    let mut signed = world.signed(1, at, request, &challenge, "secret");
    world.send(at, &signed);
    assert_eq!(world.response(at).status(), Some(200));
    // The same credentials in another transaction: somebody who listened.
    for (nc, status) in [("00000001", 401), ("00000002", 200)] {
        let branch = world.branch();
        let via = format!("SIP/2.0/UDP {at};rport;branch={branch}");
        signed.headers.set(HeaderName::Via, via);
        let number = signed.cseq().unwrap().number + 1;
        signed
            .headers
            .set(HeaderName::CSeq, format!("{number} REGISTER"));
        if nc != "00000001" {
            let user = "op1";
            let counted = nc.parse().unwrap();
            sip::authorize(&mut signed, &challenge, user, "secret", "c", counted).unwrap();
        }
        world.send(at, &signed);
        let answer = world.response(at);
        assert_eq!(answer.status(), Some(status), "{nc}");
        if status == 401 {
            let asked = answer.headers.first(&HeaderName::WwwAuthenticate).unwrap();
            assert!(asked.contains("stale=true"), "{asked}");
        }
    }
}

#[test]
fn a_guesser_is_locked_out_and_does_not_learn_it_while_the_telephone_goes_on() {
    let mut world = world();
    assert_eq!(world.register(1, "secret"), 200);
    for guess in 0..6 {
        let password = format!("guess{guess}");
        assert_eq!(world.register_at(1, stranger(), &password), 403);
    }
    assert_eq!(world.register_at(1, stranger(), "secret"), 403, "locked");
    assert_eq!(world.register(1, "secret"), 200, "the true one goes on");
    world.pass(SECOND);
    assert_eq!(world.register_at(1, stranger(), "secret"), 200);
}

#[test]
fn guesses_from_the_telephones_own_address_do_not_stop_it() {
    let mut world = world();
    assert_eq!(world.register(1, "secret"), 200);
    let neighbour = SocketAddr::new(phone(1).ip(), 40_000);
    for _ in 0..10 {
        assert_eq!(world.register_at(1, neighbour, "guess"), 403);
    }
    assert_eq!(world.register_at(1, neighbour, "secret"), 403);
    assert_eq!(world.register(1, "secret"), 200);
}

/// What a stranger can tell two answers by.
fn looks(answer: &Message) -> (Option<u16>, Vec<String>, usize) {
    let names = answer
        .headers
        .iter()
        .map(|(name, _)| format!("{name:?}"))
        .collect();
    (answer.status(), names, answer.body.len())
}

#[test]
fn what_exists_and_what_does_not_look_the_same_to_a_stranger() {
    let mut world = world();
    assert_eq!(world.register(1, "secret"), 200);
    for method in [
        Method::Options,
        Method::Invite,
        Method::Register,
        Method::Subscribe,
        Method::Message,
        Method::Publish,
        Method::Bye,
    ] {
        let mut seen = Vec::new();
        // A registered operator, one who is not, a number of a plan, nothing at all.
        for user in ["op1", "101", "op2", "1300", "nobody", "9999"] {
            let uri = format!("sip:{user}@198.51.100.1:5060");
            let mut request = world.out_of_dialog(stranger(), method.clone(), &uri);
            if method == Method::Subscribe {
                request.headers.set(HeaderName::Event, "dialog");
            }
            if method == Method::Invite {
                request = request.with_body("application/sdp", OFFER.into());
            }
            world.send(stranger(), &request);
            seen.push(looks(&world.response(stranger())));
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "{method:?}: {seen:?}");
    }
    let mut seen = Vec::new();
    for n in [1, 2, 99] {
        let request = world.register_request(n, stranger());
        world.send(stranger(), &request);
        let challenge = world.response(stranger());
        let signed = world.signed(n, stranger(), request, &challenge, "wrong");
        world.send(stranger(), &signed);
        seen.push(looks(&world.response(stranger())));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}
