//! The client's part of a handshake, as a browser plays it, and what both sides have at the end.

use std::time::Instant;

use super::*;
use crate::client::Client;

const SUITES: [Suite; 2] = [Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1_80];

/// Carries datagrams until nobody has any; what the server came to.
fn shake(now: Instant, client: &mut Client, server: &mut Handshake) -> Option<Outcome> {
    let mut outcome = None;
    for _ in 0..20 {
        while let Some(datagram) = client.next_datagram() {
            if let Heard::Done(done) = server.hear(now, &datagram) {
                outcome = Some(done);
            }
        }
        while let Some(datagram) = server.next_datagram() {
            client.hear(now, &datagram);
        }
    }
    outcome
}

#[test]
fn both_sides_have_the_same_keys_under_the_profile_that_the_browser_likes_best() {
    let identity = Identity::generate().unwrap();
    let [gcm, cm] = SUITES;
    let offers: [(&[Suite], Suite); 4] = [
        (&[gcm], gcm),
        (&[cm], cm),
        (&[gcm, cm], gcm),
        (&[cm, gcm], cm),
    ];
    for (suites, suite) in offers {
        let now = Instant::now();
        let mut client = Client::new(now, suites).unwrap();
        let mut server = Handshake::new(&identity);
        let outcome = shake(now, &mut client, &mut server).unwrap();
        let keys = outcome.keys.unwrap();
        assert_eq!(outcome.certificate, Some(client.certificate()));
        assert_eq!(client.server(), Some(identity.fingerprint()));
        assert_eq!(keys.suite, suite);
        assert_eq!(Some(keys), client.keys());
        assert_ne!(keys.ours, keys.theirs);
    }
}

#[test]
fn a_lost_flight_is_sent_again() {
    let identity = Identity::generate().unwrap();
    let mut now = Instant::now();
    let mut client = Client::new(now, &SUITES).unwrap();
    let mut server = Handshake::new(&identity);
    // The hello and its cookie pass; then all that the server says first is lost.
    for _ in 0..2 {
        while let Some(datagram) = client.next_datagram() {
            server.hear(now, &datagram);
        }
        if let Some(datagram) = server.next_datagram() {
            client.hear(now, &datagram);
        }
    }
    while server.next_datagram().is_some() {}
    for _ in 0..4 {
        now += core::time::Duration::from_secs(1);
        server.due(now);
        client.due(now);
        if let Some(outcome) = shake(now, &mut client, &mut server) {
            assert_eq!(outcome.keys, client.keys());
            return;
        }
    }
    panic!("the handshake never ended");
}

#[test]
fn noise_is_passed_over() {
    let identity = Identity::generate().unwrap();
    let now = Instant::now();
    let mut client = Client::new(now, &SUITES).unwrap();
    let mut server = Handshake::new(&identity);
    let hello = client.next_datagram().unwrap();
    for length in 0..hello.len() {
        let mut broken = hello[..length].to_vec();
        server.hear(now, &broken);
        broken.extend([0xff; 40]);
        server.hear(now, &broken);
    }
    server.hear(now, &hello);
    assert!(shake(now, &mut client, &mut server).is_some());
}
