//! STUN as RFC 5769 has it in octets, and as nobody should send it.

use proptest::prelude::*;

use super::*;

/// RFC 5769 §2: the password of all its messages with short-term credentials.
const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";
const TRANSACTION: &str = "b7e7a701 bc34d686 fa87dfae";

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// RFC 5769 §2.1.
fn sample() -> Vec<u8> {
    octets(&format!(
        "00010058 2112a442 {TRANSACTION} \
         80220010 5354554e 20746573 7420636c 69656e74 \
         00240004 6e0001ff \
         80290008 932ff9b1 51263b36 \
         00060009 6576746a 3a683676 59202020 \
         00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 \
         80280004 e57a3bcf"
    ))
}

#[test]
fn the_request_of_rfc_5769_is_read_and_proves_itself() {
    let sample = sample();
    let request = Request::read(&sample).unwrap();
    assert_eq!(request.username, b"evtj:h6vY");
    assert_eq!(request.addressee(), Some(&b"evtj"[..]));
    assert!(!request.nominates && !request.controls && !request.has_unknown());
    assert!(request.is_under(&key(PASSWORD)));
    assert!(!request.is_under(&key(b"VOkJxbRl1RmTxUk/WvJxBu")));
    assert!(!request.is_under(&key(b"")));
}

/// The answers of RFC 5769 §2.2 and §2.3 name their software before the address and pad with spaces;
/// ours say the same without. So the address is compared octet by octet, and the HMAC by a reader.
fn address_of_answer(from: &str) -> Vec<u8> {
    let sample = sample();
    let request = Request::read(&sample).unwrap();
    let answer = request.answer(Reply::Seen(from.parse().unwrap()), &key(PASSWORD));
    let octets = answer.octets();
    assert_eq!(octets[..2], [1, 1]);
    assert_eq!(octets[4..20], sample[4..20]);
    proven(octets);
    let end = octets.len() - 8 - 24;
    octets[20..end].to_vec()
}

/// HMAC and checksum are right.
fn proven(answer: &[u8]) {
    let end = answer.len();
    assert_eq!(usize::from(u16_at(answer, 2).unwrap()), end - 20);
    let sum = crc32fast::hash(&answer[..end - 8]) ^ CHECKSUM_MASK;
    assert_eq!(answer[end - 4..], sum.to_be_bytes());
    let mut covered = answer[..end - 32].to_vec();
    write_length(&mut covered, end - 8);
    hmac::verify(&key(PASSWORD), &covered, &answer[end - 28..end - 8]).unwrap();
}

#[test]
fn the_addresses_of_the_answers_of_rfc_5769_are_ours() {
    assert_eq!(
        address_of_answer("192.0.2.1:32853"),
        octets("00200008 0001a147 e112a643")
    );
    assert_eq!(
        address_of_answer("[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        octets("00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9")
    );
}

#[test]
fn what_rfc_5769_signs_we_sign_alike() {
    // §2.2, whole: its software and its padding are put in by hand.
    let mut answer = Answer {
        octets: [0; ANSWER_MAX],
        length: 0,
    };
    answer.put(&octets(&format!("01010000 2112a442 {TRANSACTION}")));
    answer.put(&octets("8022000b 74657374 20766563 746f7220"));
    answer.put(&octets("00200008 0001a147 e112a643"));
    answer.close(&key(PASSWORD));
    let expected = octets(&format!(
        "0101003c 2112a442 {TRANSACTION} 8022000b 74657374 20766563 746f7220 \
         00200008 0001a147 e112a643 \
         00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96"
    ));
    assert_eq!(answer.octets(), expected);
}

#[test]
fn a_refusal_names_what_was_not_understood() {
    let sample = sample();
    let mut request = Request::read(&sample).unwrap();
    request.note(20, 0x7fff, b"").unwrap();
    assert!(request.has_unknown());
    let answer = request.answer(Reply::Unknown, &key(PASSWORD));
    proven(answer.octets());
    let text = answer.octets();
    assert_eq!(text[..2], [1, 0x11]);
    assert_eq!(text[20..28], octets("00090015 00000414"));
    assert_eq!(text[48..56], octets("000a0002 7fff0000"));
    let conflict = request.answer(Reply::RoleConflict, &key(PASSWORD));
    proven(conflict.octets());
    assert_eq!(conflict.octets()[20..28], octets("00090011 00000457"));
}

#[test]
fn a_message_that_ends_early_or_goes_on_is_none() {
    let sample = sample();
    for length in 0..sample.len() {
        assert_eq!(Request::read(&sample[..length]), None, "{length}");
    }
    let mut longer = sample.clone();
    longer.extend([0; 4]);
    assert_eq!(Request::read(&longer), None);
    write_length(&mut longer, sample.len() + 4);
    assert_eq!(Request::read(&longer), None, "the checksum must be last");
}

#[test]
fn seeds_of_the_fuzz_target_hold_and_so_does_what_is_near_them() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/stun");
    let files = std::fs::read_dir(folder).unwrap();
    let seeds: Vec<_> = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(seeds.len() >= 3, "{} seeds", seeds.len());
    assert!(seeds.iter().all(|seed| Request::read(seed).is_some()));
    for seed in &seeds {
        for at in 0..seed.len() {
            for octet in [0, 1, 0x7f, 0x80, 0xff] {
                let mut near = seed.clone();
                near[at] = octet;
                // With the checksum mended, so that what is behind it is reached.
                let end = near.len();
                let sum = crc32fast::hash(&near[..end - 8]) ^ CHECKSUM_MASK;
                near[end - 4..].copy_from_slice(&sum.to_be_bytes());
                holds(&near);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_without_a_panic(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Request::read(&octets).map(|request| request.is_under(&key(PASSWORD)));
    }

    /// The checksum sees one changed bit, and so does the HMAC.
    #[test]
    fn one_changed_bit_is_not_under_the_password(bit in 0..108_usize * 8, mend in any::<bool>()) {
        let mut changed = sample();
        changed[bit / 8] ^= 1 << (bit % 8);
        if mend {
            let end = changed.len();
            let sum = crc32fast::hash(&changed[..end - 8]) ^ CHECKSUM_MASK;
            changed[end - 4..].copy_from_slice(&sum.to_be_bytes());
        }
        let known = Request::read(&changed).is_some_and(|one| one.is_under(&key(PASSWORD)));
        // What was mended back is the sample itself.
        prop_assert!(!known || changed == sample());
    }
}
