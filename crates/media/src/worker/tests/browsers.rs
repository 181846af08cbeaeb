//! Legs whose peers are browsers, at their common port: from a check to the recorder, and strangers.

use std::time::Instant;

use browser::Identity;
use browser::client::{CONTROLLING, Client, NOMINATES, check};
use vocab::browser::{BrowserPeer, IceCredentials};
use vocab::srtp::{Crypto, Suite};

use super::*;
use crate::srtp::{GROWTH_MAX, Srtp};

const PORT: u16 = 40_000;

/// A world with a browser as the peer of leg 2; leg 1 is a telephone's.
struct Desk {
    world: World,
    client: Client,
    socket: SocketId,
    epoch: Instant,
}

fn ours() -> IceCredentials {
    IceCredentials::new(core::array::from_fn(|at| (at * 7) as u8))
}

fn port() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], PORT))
}

impl Desk {
    fn new() -> Self {
        let (mut world, epoch) = (World::new(), Instant::now());
        let at = ("10.0.0.1".parse().unwrap(), PORT);
        let identity = Identity::generate().unwrap();
        world
            .worker
            .listen_to_browsers(at, identity, epoch)
            .unwrap();
        let client = Client::new(epoch, &[Suite::AeadAes128Gcm]).unwrap();
        let (call, leg) = (CALL, leg(2));
        world.tell(MediaCommand::Open { call, leg });
        let opened = world.events().pop();
        let Some(MediaEvent::Opened { browser, .. }) = opened else {
            panic!("{opened:?}")
        };
        assert_eq!(browser, Some(PORT));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 9));
        let remote = Remote {
            rtcp: Rtcp::Muxed,
            browser: Some(BrowserPeer {
                ours: ours(),
                certificate: client.certificate(),
            }),
            ..Remote::new(nowhere, Codec::Pcma)
        };
        world.tell(MediaCommand::SetRemote { call, leg, remote });
        let here = SocketAddr::from(([10, 0, 0, 3], 50_000));
        let socket = world.peers.bind(here).unwrap();
        Self {
            world,
            client,
            socket,
            epoch,
        }
    }

    fn throw(&mut self, from: SocketId, packet: &[u8]) {
        self.world.peers.send(from, Some(port()), packet).unwrap();
        self.world.turn();
    }

    /// All that came to all peers.
    fn wire(&mut self) -> Vec<(SocketId, Vec<u8>)> {
        let mut batch = Batch::new(1_000);
        self.world.peers.receive(&mut batch);
        let read = |packet: Packet<'_>| (packet.socket, packet.bytes().to_vec());
        batch.packets().map(read).collect()
    }

    fn ask(&mut self) {
        let ours = ours();
        let all = [CONTROLLING, NOMINATES];
        let packet = check(&ours, ours.password_octets(), &all);
        self.throw(self.socket, &packet);
    }

    /// Checks and handshake; the browser's side of the keys.
    fn connect(&mut self) -> Srtp {
        self.ask();
        for _ in 0..20 {
            while let Some(datagram) = self.client.next_datagram() {
                self.throw(self.socket, &datagram);
            }
            let now = self.epoch + self.world.now.since(Time::ZERO);
            for (socket, datagram) in self.wire() {
                assert_eq!(socket, self.socket);
                self.client.hear(now, &datagram);
            }
        }
        let Crypto {
            suite,
            ours,
            theirs,
        } = self.client.keys().unwrap();
        Srtp::new(Crypto {
            suite,
            ours: theirs,
            theirs: ours,
        })
        .unwrap()
    }
}

fn sealed(srtp: &mut Srtp, sequence: u16, payload: u8) -> Vec<u8> {
    let header = Header::new(8, sequence, u32::from(sequence) * 160, 5);
    let mut room = [header.to_bytes().as_slice(), &[payload; 160]].concat();
    let length = room.len();
    room.resize(length + GROWTH_MAX, 0);
    let length = srtp.seal(&mut room, length).unwrap();
    room.truncate(length);
    room
}

#[test]
fn a_browser_and_a_telephone_hear_each_other_and_are_recorded() {
    let mut desk = Desk::new();
    let (telephone, at_leg) = desk.world.connect(1);
    desk.world.bridge(Some(KEY));
    let mut srtp = desk.connect();
    for sequence in 10..20_u16 {
        let packet = sealed(&mut srtp, sequence, sequence as u8);
        desk.throw(desk.socket, &packet);
        let heard = desk.world.heard();
        let [(socket, _, payload)] = &heard[..] else {
            panic!("{heard:?}")
        };
        assert_eq!((*socket, payload), (telephone, &vec![sequence as u8; 160]));
        desk.world.say(telephone, at_leg, sequence, 0x40);
        let wire = desk.wire();
        let [(socket, packet)] = &wire[..] else {
            panic!("{wire:?}")
        };
        assert_eq!(*socket, desk.socket);
        let mut packet = packet.clone();
        let length = srtp.open(&mut packet).unwrap();
        assert_eq!(packet[12..length], [0x40; 160]);
    }
    let notes = desk.world.notes.0.lock().unwrap().clone();
    let of = |wanted: Side| {
        let is =
            move |note: &&Tapped| matches!(note, Tapped::Packet(_, side, _) if *side == wanted);
        notes.iter().filter(is).count()
    };
    assert_eq!((of(Side::Caller), of(Side::Operator)), (10, 10));
}

#[test]
fn nothing_is_sent_before_the_handshake_is_over_but_answers_to_checks() {
    let mut desk = Desk::new();
    let (telephone, at_leg) = desk.world.connect(1);
    desk.world.bridge(None);
    desk.ask();
    assert_eq!(desk.wire().len(), 1, "the answer");
    desk.world.say(telephone, at_leg, 1, 7);
    desk.world.play(2, true, 1);
    desk.world.pass_ms(3_000);
    // Audio in clear from the browser's own address is nobody's.
    let clear = [Header::new(8, 1, 0, 5).to_bytes().as_slice(), &[1; 160]].concat();
    desk.throw(desk.socket, &clear);
    let of_browser = |wire: Vec<(SocketId, Vec<u8>)>, socket| {
        let mut sent = wire.into_iter();
        sent.any(|(to, _)| to == socket)
    };
    let wire = desk.wire();
    assert!(!of_browser(wire, desk.socket));
}

#[test]
fn a_stranger_at_the_port_of_browsers_gets_nothing_whatever_it_sends() {
    let mut desk = Desk::new();
    let mut srtp = desk.connect();
    let stranger = SocketAddr::from(([10, 0, 0, 66], 6_666));
    let stranger = desk.world.peers.bind(stranger).unwrap();
    let ours = ours();
    let hello = Client::new(desk.epoch, &Suite::ALL)
        .unwrap()
        .next_datagram()
        .unwrap();
    let packets = [
        check(&ours, b"a guess of the password", &[CONTROLLING, NOMINATES]),
        hello,
        sealed(&mut srtp, 900, 1),
        vec![0; 20],
        vec![127; 200],
        Vec::new(),
    ];
    for packet in &packets {
        for _ in 0..50 {
            desk.throw(stranger, packet);
        }
    }
    let wire = desk.wire();
    assert!(wire.iter().all(|(to, _)| *to != stranger), "{wire:?}");
}

#[test]
fn a_browser_that_vanishes_is_told_of_once_and_one_that_is_hung_up_on_is_told() {
    let mut desk = Desk::new();
    desk.connect();
    desk.world.events();
    desk.world.pass_ms(13_000);
    assert_eq!(desk.world.events(), []);
    desk.world.pass_ms(5_000);
    let events = desk.world.events();
    assert!(
        matches!(events[..], [MediaEvent::Gone { .. }]),
        "{events:?}"
    );

    let mut desk = Desk::new();
    desk.connect();
    desk.wire();
    desk.world.close(2);
    // The report with BYE, and the alert of DTLS.
    assert!(
        desk.wire()
            .iter()
            .any(|(_, packet)| packet.first() == Some(&21))
    );
    let browsers = desk.world.worker.browsers.as_ref().unwrap();
    assert!(browsers.is_empty(), "names and addresses are free");
}
