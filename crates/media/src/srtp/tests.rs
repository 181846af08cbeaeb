//! SRTP end to end: vectors of others, long calls, loss, replay, changed keys, any bytes.

use proptest::prelude::*;

use super::*;
use crate::rtp::Header;

fn key(octet: u8) -> MasterKey {
    MasterKey::new(std::array::from_fn(|at| octet.wrapping_add(at as u8)))
}

/// Two ends of one leg.
fn ends(suite: Suite) -> [Srtp; 2] {
    let (one, other) = (key(1), key(100));
    [(one, other), (other, one)].map(|(ours, theirs)| {
        Srtp::new(Crypto {
            suite,
            ours,
            theirs,
        })
        .unwrap()
    })
}

fn packet(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header::new(8, sequence, u32::from(sequence) * 160, ssrc);
    [header.to_bytes().as_slice(), payload].concat()
}

fn sealed(from: &mut Srtp, packet: &[u8]) -> Vec<u8> {
    let mut room = packet.to_vec();
    room.resize(packet.len() + GROWTH_MAX, 0);
    let length = from.seal(&mut room, packet.len()).unwrap();
    room.truncate(length);
    room
}

fn opened(to: &mut Srtp, packet: &[u8]) -> Option<Vec<u8>> {
    let mut packet = packet.to_vec();
    let length = to.open(&mut packet)?;
    packet.truncate(length);
    Some(packet)
}

fn octets(hex: &str) -> Vec<u8> {
    let hex: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    hex.chunks(2).map(|two| pair(two).unwrap()).collect()
}

/// One packet of each kind as another implementation (libsrtp) seals them under the master key.
fn as_others_do(suite: Suite, master: &str, rtp: &str, rtcp: &str) {
    let ours = MasterKey::of_peer(suite, &octets(master)).unwrap();
    let both = Crypto {
        suite,
        ours,
        theirs: ours,
    };
    let (mut from, mut to) = (Srtp::new(both).unwrap(), Srtp::new(both).unwrap());
    let plain = octets("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    assert_eq!(sealed(&mut from, &plain), octets(rtp));
    assert_eq!(opened(&mut to, &octets(rtp)), Some(plain));

    let plain = octets("81c8000b cafebabe abababab abababab abababab abababab");
    // Their index begins at one.
    from.ours.next_control = 1;
    let mut room = [plain.as_slice(), &[0; GROWTH_MAX]].concat();
    let length = from.seal_control(&mut room, plain.len()).unwrap();
    assert_eq!(room[..length], octets(rtcp));
    let length = to.open_control(&mut room[..length]).unwrap();
    assert_eq!(room[..length], plain);
}

#[test]
fn packets_are_as_other_implementations_make_them() {
    as_others_do(
        Suite::AesCm128HmacSha1_80,
        "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6",
        "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb",
        "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798",
    );
    as_others_do(
        Suite::AeadAes128Gcm,
        "00010203 04050607 08090a0b 0c0d0e0f a0a1a2a3 a4a5a6a7 a8a9aaab",
        "800f1234 decafbad cafebabe c5002ede 04cfdd2e b91159e0 880aa06e d2976826 f796b201 df3131a1 \
         27e8a392",
        "81c8000b cafebabe c98b8b5d f0392a55 852b6c21 ac8e7025 c52c6fbe a2b3b446 ea31123b a88ce61e \
         80000001",
    );
}

#[test]
fn a_call_of_many_rounds_is_understood_with_loss_and_disorder() {
    for suite in Suite::ALL {
        let [mut from, mut to] = ends(suite);
        let mut waiting = None;
        for number in 0..200_000_u32 {
            let plain = packet(number as u16, 7, &number.to_be_bytes());
            let on_the_wire = sealed(&mut from, &plain);
            match number % 10 {
                3 => {}
                5 => waiting = Some((plain, on_the_wire)),
                _ => assert_eq!(opened(&mut to, &on_the_wire), Some(plain)),
            }
            // Some come after the one that follows them, also where a round ends.
            if number % 10 == 6
                && let Some((plain, on_the_wire)) = waiting.take()
            {
                assert_eq!(opened(&mut to, &on_the_wire), Some(plain));
            }
        }
    }
}

#[test]
fn a_packet_that_came_before_is_not_taken_again() {
    let [mut from, mut to] = ends(Suite::AesCm128HmacSha1_80);
    let all: Vec<Vec<u8>> = (0..300)
        .map(|number| sealed(&mut from, &packet(number, 7, b"audio")))
        .collect();
    for packet in &all {
        assert!(opened(&mut to, packet).is_some());
    }
    assert!(all.iter().all(|packet| opened(&mut to, packet).is_none()));
}

#[test]
fn a_peer_may_begin_again_with_another_source_often() {
    let [mut from, mut to] = ends(Suite::AeadAes128Gcm);
    for ssrc in 0..50 {
        from.ours.newest = None;
        for sequence in 0..10 {
            let wire = sealed(&mut from, &packet(sequence, ssrc, b"x"));
            assert!(opened(&mut to, &wire).is_some());
            assert!(opened(&mut to, &wire).is_none());
        }
    }
}

#[test]
fn the_same_keys_again_go_on_and_new_ones_begin() {
    let suite = Suite::AesCm128HmacSha1_80;
    let [mut from, mut to] = ends(suite);
    for number in 0..70_000_u32 {
        let wire = sealed(&mut from, &packet(number as u16, 7, b"x"));
        assert!(opened(&mut to, &wire).is_some());
    }
    // Into the second round, then the same negotiation again.
    let crypto = to.crypto;
    to.renew(crypto).unwrap();
    let wire = sealed(&mut from, &packet(70_000_u32 as u16, 7, b"x"));
    assert!(opened(&mut to, &wire).is_some());
    // Another key of the peer: a new life from round 0, and the old key opens nothing.
    to.renew(Crypto {
        theirs: key(77),
        ..crypto
    })
    .unwrap();
    let wire = sealed(&mut from, &packet(70_001_u32 as u16, 7, b"x"));
    assert!(opened(&mut to, &wire).is_none());
    let mut anew = Srtp::new(Crypto {
        suite,
        ours: key(77),
        theirs: key(1),
    })
    .unwrap();
    assert!(opened(&mut to, &sealed(&mut anew, &packet(1, 9, b"x"))).is_some());
}

#[test]
fn rtcp_is_numbered_and_taken_once() {
    for suite in Suite::ALL {
        let [mut from, mut to] = ends(suite);
        for number in 0..5_u8 {
            let plain = [0x80, 200, 0, 2, 0, 0, 0, 7, 1, 2, 3, number];
            let mut room = [plain.as_slice(), &[0; GROWTH_MAX]].concat();
            let length = from.seal_control(&mut room, plain.len()).unwrap();
            assert_ne!(room[8..12], plain[8..], "it is encrypted");
            let mut copy = room[..length].to_vec();
            let opened = to.open_control(&mut room[..length]).unwrap();
            assert_eq!(room[..opened], plain);
            assert!(to.open_control(&mut copy).is_none(), "again");
        }
        from.ours.next_control = ENCRYPTED;
        assert!(from.seal_control(&mut [0; 100], 12).is_none());
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_nothing_else_does(
        suite in prop::sample::select(Suite::ALL.as_slice()),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        (sequence, ssrc) in any::<(u16, u32)>(),
        (at, bit) in any::<(prop::sample::Index, u8)>(),
    ) {
        let [mut from, mut to] = ends(suite);
        let plain = packet(sequence, ssrc, &payload);
        let wire = sealed(&mut from, &plain);
        if payload.len() > 8 {
            prop_assert!(!wire.windows(payload.len()).any(|part| part == payload));
        }
        let mut changed = wire.clone();
        changed[at.index(wire.len())] ^= 1 << (bit % 8);
        prop_assert_eq!(opened(&mut to, &changed), None);
        prop_assert_eq!(opened(&mut to, &wire[..wire.len() - 1]), None);
        prop_assert_eq!(opened(&mut from, &wire), None, "its own key is not the peer's");
        prop_assert_eq!(opened(&mut to, &wire), Some(plain));
    }

    #[test]
    fn any_bytes_are_refused_without_panic(
        suite in prop::sample::select(Suite::ALL.as_slice()),
        mut bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let [mut one, _] = ends(suite);
        prop_assert_eq!(one.open(&mut bytes.clone()), None);
        prop_assert_eq!(one.open_control(&mut bytes.clone()), None);
        // Without room for a tag nothing is sealed.
        let length = bytes.len();
        prop_assert_eq!(one.seal(&mut bytes, length), None);
    }
}
