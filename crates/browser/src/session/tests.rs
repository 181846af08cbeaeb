//! A browser as it should be, and others who would be it.

use super::*;
use crate::client::{CONTROLLING, Client, NOMINATES, check};
use vocab::browser::Fingerprint;
use vocab::srtp::Suite;

const HOME: &str = "192.0.2.7:50000";
const MOBILE: &str = "[2001:db8::7]:40000";
const STRANGER: &str = "203.0.113.66:6666";
const SUITES: [Suite; 2] = [Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1_80];

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn credentials() -> IceCredentials {
    IceCredentials::new(core::array::from_fn(|at| (at * 11) as u8))
}

struct World {
    session: Session,
    client: Client,
    now: Time,
    epoch: Instant,
}

impl World {
    fn new() -> Self {
        Self::with(&SUITES, |client| client)
    }

    /// `named` is the certificate that the session description names.
    fn with(suites: &[Suite], named: impl Fn(Fingerprint) -> Fingerprint) -> Self {
        let epoch = Instant::now();
        let client = Client::new(epoch, suites).unwrap();
        let peer = BrowserPeer {
            ours: credentials(),
            certificate: named(client.certificate()),
        };
        let identity = Identity::generate().unwrap();
        Self {
            session: Session::new(Time::ZERO, peer, &identity, epoch),
            client,
            now: Time::from_millis(1),
            epoch,
        }
    }

    fn instant(&self) -> Instant {
        self.epoch + since_start(self.now)
    }

    fn outputs(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.session.poll()).collect()
    }

    fn check(&mut self, from: &str, extra: &[(u16, &[u8])]) -> Vec<Output> {
        let ours = *self.session.ours();
        self.check_under(&ours, ours.password_octets(), from, extra)
    }

    fn check_under(
        &mut self,
        ours: &IceCredentials,
        password: &[u8],
        from: &str,
        extra: &[(u16, &[u8])],
    ) -> Vec<Output> {
        let message = check(ours, password, extra);
        let request = Request::read(&message).unwrap();
        self.session.check(self.now, at(from), &request);
        self.outputs()
    }

    /// Carries the handshake to its end; what came besides datagrams.
    fn shake(&mut self, from: &str) -> Vec<Output> {
        let mut news = Vec::new();
        for _ in 0..20 {
            let now = self.instant();
            while let Some(datagram) = self.client.next_datagram() {
                self.session.handshake(self.now, at(from), &datagram);
            }
            for output in self.outputs() {
                match output {
                    Output::Send { to, datagram } => {
                        assert_eq!(to, at(from));
                        self.client.hear(now, &datagram);
                    }
                    other => news.push(other),
                }
            }
        }
        news
    }
}

/// Whether it is one success and to whom.
fn answered(outputs: &[Output]) -> Option<SocketAddr> {
    outputs.iter().find_map(|output| match output {
        Output::Send { to, datagram } if datagram.starts_with(&[1, 1]) => Some(*to),
        _ => None,
    })
}

#[test]
fn a_browser_is_asked_for_nothing_answered_and_given_keys_and_then_audio() {
    let mut world = World::new();
    let outputs = world.check(HOME, &[CONTROLLING]);
    assert_eq!(answered(&outputs), Some(at(HOME)));
    assert!(outputs.contains(&Output::Found(at(HOME))));
    assert_eq!(world.session.target(), None, "nobody has shown a key");
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    let news = world.shake(HOME);
    let keys = world.client.keys().unwrap();
    assert_eq!(news, [Output::Keys(keys), Output::Target(at(HOME))]);
}

#[test]
fn who_does_not_know_the_password_or_the_name_is_not_answered() {
    let mut world = World::new();
    let ours = credentials();
    let other = IceCredentials::new([3; IceCredentials::OCTETS]);
    let none: [Output; 0] = [];
    let all = [CONTROLLING, NOMINATES];
    assert_eq!(world.check_under(&ours, b"guessed", STRANGER, &all), none);
    let password = other.password_octets();
    assert_eq!(world.check_under(&other, password, STRANGER, &all), none);
    let hello = world.client.next_datagram().unwrap();
    world.session.handshake(world.now, at(STRANGER), &hello);
    assert_eq!(
        world.outputs(),
        none,
        "a handshake from an address of nobody"
    );
}

#[test]
fn a_certificate_that_the_description_does_not_name_has_no_keys() {
    let mut world = World::with(&SUITES, |mut right| {
        right.0[31] ^= 1;
        right
    });
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    let news = world.shake(HOME);
    assert!(matches!(news[..], [Output::Gone(_)]), "{news:?}");
    assert_eq!(world.session.target(), None);
}

#[test]
fn a_browser_without_a_profile_of_ours_has_no_keys() {
    let mut world = World::with(&[Suite::AeadAes256Gcm], |right| right);
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    let news = world.shake(HOME);
    assert!(
        !news.iter().any(|one| matches!(one, Output::Keys(_))),
        "{news:?}"
    );
    assert_eq!(world.session.target(), None);
}

#[test]
fn audio_follows_the_browser_once_it_speaks_from_where_it_nominates() {
    let mut world = World::new();
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    world.shake(HOME);
    world.check(MOBILE, &[CONTROLLING]);
    assert!(!world.session.authentic(at(MOBILE)), "it was not nominated");
    world.check(MOBILE, &[CONTROLLING, NOMINATES]);
    assert_eq!(world.session.target(), Some(at(HOME)), "it may be a copy");
    assert!(world.session.authentic(at(MOBILE)));
    assert!(!world.session.authentic(at(MOBILE)), "it is there already");
    assert_eq!(world.session.target(), Some(at(MOBILE)));
}

#[test]
fn a_copied_check_brings_a_stranger_an_answer_and_never_audio() {
    let mut world = World::new();
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    world.shake(HOME);
    // The same octets, from elsewhere, as often as the stranger likes.
    for _ in 0..100 {
        world.check(STRANGER, &[CONTROLLING, NOMINATES]);
    }
    assert!(!world.session.authentic(at(HOME)));
    assert_eq!(world.session.target(), Some(at(HOME)));
}

#[test]
fn a_flood_of_addresses_forgets_none_that_is_in_use() {
    let mut world = World::new();
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    world.shake(HOME);
    let mut known = 1;
    for port in 1..200 {
        for output in world.check(&format!("203.0.113.66:{port}"), &[CONTROLLING]) {
            match output {
                Output::Found(_) => known += 1,
                Output::Forgotten(address) => {
                    assert_ne!(address, at(HOME));
                    known -= 1;
                }
                _ => {}
            }
        }
        assert!(known <= ADDRESSES_MAX);
    }
    assert!(world.session.addresses().any(|known| known == at(HOME)));
}

#[test]
fn a_browser_that_asks_no_more_is_gone_and_one_that_does_is_not() {
    let mut world = World::new();
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    world.shake(HOME);
    for _ in 0..20 {
        world.now = world.now + Duration::from_secs(5);
        world.check(HOME, &[CONTROLLING, NOMINATES]);
        world.session.due(world.now);
        assert_eq!(world.outputs(), []);
    }
    world.now = world.now + PRESENCE;
    world.session.due(world.now);
    assert!(matches!(world.outputs()[..], [Output::Gone(_)]));
    assert_eq!(world.check(HOME, &[CONTROLLING]), [], "it is over");
}

#[test]
fn a_browser_that_never_came_is_told_of_and_may_come_late() {
    let mut world = World::new();
    world.now = Time::ZERO + PRESENCE;
    world.session.due(world.now);
    assert_eq!(world.outputs(), []);
    for round in 1..4 {
        world.now = Time::ZERO + ARRIVAL * round;
        world.session.due(world.now);
        assert!(matches!(world.outputs()[..], [Output::Gone(_)]));
    }
    let outputs = world.check(HOME, &[CONTROLLING]);
    assert_eq!(answered(&outputs), Some(at(HOME)));
}

#[test]
fn ice_that_begins_anew_keeps_keys_and_audio() {
    let mut world = World::new();
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    world.shake(HOME);
    let again = BrowserPeer {
        ours: IceCredentials::new([5; IceCredentials::OCTETS]),
        certificate: world.client.certificate(),
    };
    let before = credentials();
    world.session.renew(world.now, again);
    let old = world.check_under(&before, before.password_octets(), HOME, &[CONTROLLING]);
    assert_eq!(old, [], "the former password does not count any more");
    let outputs = world.check(MOBILE, &[CONTROLLING, NOMINATES]);
    assert_eq!(answered(&outputs), Some(at(MOBILE)));
    assert_eq!(world.session.target(), Some(at(HOME)));
    assert!(world.session.authentic(at(MOBILE)));
}

#[test]
fn who_thinks_that_we_decide_and_who_asks_for_more_is_told_so() {
    let mut world = World::new();
    let error = |outputs: &[Output], code: [u8; 4]| match outputs {
        [Output::Send { datagram, .. }] => {
            assert_eq!(datagram[..2], [1, 0x11]);
            assert_eq!(datagram[24..28], code);
        }
        other => panic!("{other:?}"),
    };
    error(&world.check(HOME, &[]), [0, 0, 4, 87]);
    error(
        &world.check(HOME, &[CONTROLLING, (0x7abc, &[])]),
        [0, 0, 4, 20],
    );
}

#[test]
fn a_browser_that_closes_is_gone_at_once() {
    let mut world = World::new();
    world.check(HOME, &[CONTROLLING, NOMINATES]);
    world.shake(HOME);
    let now = world.instant();
    world.client.close(now);
    let goodbye = world.client.next_datagram().unwrap();
    world.session.handshake(world.now, at(HOME), &goodbye);
    let gone = |output: &Output| matches!(output, Output::Gone(_));
    assert!(world.outputs().iter().any(gone));
}
