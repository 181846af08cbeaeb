//! Legs whose packets are protected, from the socket to the recorder.

use vocab::srtp::{Crypto, MasterKey, Suite};

use super::*;
use crate::rtp::HEADER_BYTES;
use crate::srtp::{GROWTH_MAX, Srtp};

const SUITE: Suite = Suite::AesCm128HmacSha1_80;

fn key(octet: u8) -> MasterKey {
    MasterKey::new([octet; MasterKey::OCTETS])
}

fn ours(theirs: u8) -> Crypto {
    Crypto {
        suite: SUITE,
        ours: key(1),
        theirs: key(theirs),
    }
}

/// The peer of a leg that was told `ours(own)`.
fn peer_with(own: u8) -> Srtp {
    Srtp::new(Crypto {
        suite: SUITE,
        ours: key(own),
        theirs: key(1),
    })
    .unwrap()
}

fn protect(world: &mut World, number: u32, crypto: Crypto) {
    let address = SocketAddr::from(([10, 0, 0, 2], 4_000 + 2 * number as u16));
    let remote = Remote {
        crypto: Some(crypto),
        ..Remote::new(address, Codec::Pcma)
    };
    world.tell(MediaCommand::SetRemote {
        call: CALL,
        leg: leg(number),
        remote,
    });
}

fn audio(sequence: u16, payload: u8) -> Vec<u8> {
    let header = Header::new(8, sequence, u32::from(sequence) * 160, 5);
    [header.to_bytes().as_slice(), &[payload; 160]].concat()
}

fn sealed(peer: &mut Srtp, sequence: u16, payload: u8) -> Vec<u8> {
    let mut room = audio(sequence, payload);
    let length = room.len();
    room.resize(length + GROWTH_MAX, 0);
    let length = peer.seal(&mut room, length).unwrap();
    room.truncate(length);
    room
}

/// What came to each peer, as it is on the wire.
fn wire(world: &mut World) -> Vec<(SocketId, Vec<u8>)> {
    let mut batch = Batch::new(1_000);
    world.peers.receive(&mut batch);
    batch
        .packets()
        .map(|packet| (packet.socket, packet.bytes().to_vec()))
        .collect()
}

fn throw(world: &mut World, from: SocketId, to: SocketAddr, packet: &[u8]) {
    world.peers.send(from, Some(to), packet).unwrap();
    world.turn();
}

#[test]
fn a_protected_caller_talks_to_an_operator_in_clear_and_is_recorded_in_clear() {
    let mut world = World::new();
    let (caller, at_caller_leg) = world.connect(1);
    let (operator, at_operator_leg) = world.connect(2);
    protect(&mut world, 1, ours(9));
    let mut telephone = peer_with(9);
    world.bridge(Some(KEY));
    for sequence in 10..20_u16 {
        let packet = sealed(&mut telephone, sequence, sequence as u8);
        throw(&mut world, caller, at_caller_leg, &packet);
        let heard = world.heard();
        assert_eq!(heard.len(), 1);
        assert_eq!(
            (heard[0].0, &heard[0].2),
            (operator, &vec![sequence as u8; 160])
        );

        throw(&mut world, operator, at_operator_leg, &audio(sequence, 77));
        let [(to, packet)] = &mut wire(&mut world)[..] else {
            panic!("one packet to the caller")
        };
        assert_eq!((*to, packet.len()), (caller, 172 + 10));
        assert!(!packet.windows(8).any(|octets| octets == [77; 8]));
        let length = telephone.open(packet).unwrap();
        assert_eq!(packet[HEADER_BYTES..length], [77; 160]);
    }
    let noted = world.notes.0.lock().unwrap().clone();
    let recorded: Vec<Vec<u8>> = noted
        .into_iter()
        .filter_map(|note| match note {
            Tapped::Packet(_, _, packet) => Some(packet),
            _ => None,
        })
        .collect();
    assert_eq!(recorded.len(), 20);
    assert!(recorded.iter().all(|packet| packet.len() == 172));
    assert_eq!(
        recorded[0][HEADER_BYTES..],
        [10; 160],
        "as the caller spoke"
    );
}

#[test]
fn a_stranger_on_a_protected_leg_gets_nothing_and_disturbs_nothing() {
    let mut world = World::new();
    let (caller, at_leg) = world.connect(1);
    let (operator, _) = world.connect(2);
    let any: SocketAddr = "10.0.0.66:6666".parse().unwrap();
    let stranger = world.peers.bind(any).unwrap();
    protect(&mut world, 1, ours(9));
    world.bridge(None);
    world.play(2, true, 1);
    let mut telephone = peer_with(9);
    let mut guesser = peer_with(66);
    // From anywhere, and with the peer's own address: in clear, and under another key.
    for sequence in 0..50 {
        for from in [stranger, caller] {
            throw(&mut world, from, at_leg, &audio(sequence, 66));
            let packet = sealed(&mut guesser, sequence, 66);
            throw(&mut world, from, at_leg, &packet);
        }
    }
    assert!(wire(&mut world).iter().all(|(to, _)| *to != stranger));
    let packet = sealed(&mut telephone, 1, 5);
    throw(&mut world, caller, at_leg, &packet);
    world.tell(MediaCommand::Stop {
        call: CALL,
        leg: leg(2),
    });
    world.heard();
    // What the stranger has overheard is worth nothing a second time.
    throw(&mut world, stranger, at_leg, &packet);
    throw(&mut world, caller, at_leg, &packet);
    assert_eq!(world.heard(), Vec::new());
    let packet = sealed(&mut telephone, 2, 6);
    throw(&mut world, caller, at_leg, &packet);
    let heard = world.heard();
    assert_eq!((heard.len(), heard[0].0), (1, operator));
    assert_eq!(heard[0].2, [6; 160]);
}

#[test]
fn a_prompt_is_protected_and_the_same_negotiation_again_goes_on() {
    let mut world = World::new();
    let (caller, _) = world.connect(1);
    protect(&mut world, 1, ours(9));
    let mut telephone = peer_with(9);
    world.play(1, true, 1);
    let mut frames = 0;
    for round in 0..4 {
        world.pass_ms(200);
        for (to, mut packet) in wire(&mut world) {
            assert_eq!(to, caller);
            assert!(telephone.open(&mut packet).is_some(), "round {round}");
            frames += 1;
        }
        // The second time with another key of the peer, which does not touch what we send.
        protect(&mut world, 1, ours(9 + u8::from(round > 1)));
    }
    assert!(frames >= 38, "{frames}");
}

#[test]
fn reports_of_a_protected_leg_are_protected_and_others_are_refused() {
    let mut world = World::new();
    let (caller, at_leg) = world.connect(1);
    protect(&mut world, 1, ours(9));
    let mut telephone = peer_with(9);
    let rtcp = SocketAddr::from(([10, 0, 0, 2], 4_003));
    let rtcp = world.peers.bind(rtcp).unwrap();
    for sequence in 10..15_u16 {
        let packet = sealed(&mut telephone, sequence, 1);
        throw(&mut world, caller, at_leg, &packet);
    }
    world.pass_ms(9_000);
    let (_, mut report) = wire(&mut world)
        .into_iter()
        .find(|(socket, _)| *socket == rtcp)
        .expect("a report within 9 s");
    let in_clear = crate::rtcp::read(&report, 0).and_then(|said| said.of_us);
    let length = telephone.open_control(&mut report).unwrap();
    assert!(length < report.len() && in_clear.is_none());
    // The block tells of the telephone's stream, whose source is 5.
    let said = crate::rtcp::read(&report[..length], 5).unwrap();
    assert!(said.of_us.is_some() && !said.bye);

    // The same in clear is nobody's; under the telephone's key it is taken.
    let beside = SocketAddr::new(at_leg.ip(), at_leg.port() + 1);
    let mut answer = report[..length].to_vec();
    throw(&mut world, rtcp, beside, &answer);
    answer.resize(length + GROWTH_MAX, 0);
    let length = telephone.seal_control(&mut answer, length).unwrap();
    throw(&mut world, rtcp, beside, &answer[..length]);
    world.events();
    world.close(1);
    let events = world.events();
    let [MediaEvent::Closed { counts, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((counts.received, counts.refused), (5, 1));
}
