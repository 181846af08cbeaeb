//! Owns the form of one record in an event file. Knows neither files nor events.
//!
//! A record is `length (u32 LE) | CRC-32 of length and payload (u32 LE) | payload`. The length is
//! under the checksum, so a stretch of zeros, as a crash may leave at the end of a file, is no
//! record.

use serde::Serialize;

/// Octets before the payload.
pub(crate) const HEAD: usize = 8;

/// Longest payload. An event carries texts of at most one SIP message (64 KiB), so only damage
/// can claim more.
pub(crate) const PAYLOAD_MAX: usize = 1 << 20;

/// Appends a record with `value` as JSON; leaves `buffer` as it was on an error.
pub(crate) fn encode(buffer: &mut Vec<u8>, value: &impl Serialize) -> Result<(), String> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEAD]);
    let written = serde_json::to_writer(&mut *buffer, value).map_err(|error| error.to_string());
    let payload = buffer.get(start + HEAD..).unwrap_or_default();
    let length = payload.len();
    let done = match (written, u32::try_from(length)) {
        (Ok(()), Ok(octets)) if length <= PAYLOAD_MAX => {
            let head = head_of(octets, payload);
            if let Some(place) = buffer.get_mut(start..start + HEAD) {
                place.copy_from_slice(&head);
            }
            return Ok(());
        }
        (Err(error), _) => error,
        (Ok(()), _) => format!("an event of {length} octets is longer than {PAYLOAD_MAX}"),
    };
    buffer.truncate(start);
    Err(done)
}

/// The payload of the record at the start of `bytes`, if there is a whole and sound one.
pub(crate) fn decode(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let length = length_of(head)?;
    let payload = rest.get(..length)?;
    let octets = u32::try_from(length).ok()?;
    (head_of(octets, payload) == *head).then_some(payload)
}

/// The length that a head claims, if it may be one.
pub(crate) fn length_of(head: &[u8]) -> Option<usize> {
    let octets: [u8; 4] = head.get(..4)?.try_into().ok()?;
    let length = usize::try_from(u32::from_le_bytes(octets)).ok()?;
    (length <= PAYLOAD_MAX).then_some(length)
}

/// Where the next sound record begins in `bytes`, looking at every octet.
pub(crate) fn find(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|&at| bytes.get(at..).and_then(decode).is_some())
}

fn head_of(octets: u32, payload: &[u8]) -> [u8; HEAD] {
    let length = octets.to_le_bytes();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    let mut head = [0; HEAD];
    let (first, second) = head.split_at_mut(4);
    first.copy_from_slice(&length);
    second.copy_from_slice(&hasher.finalize().to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zeros_are_no_record() {
        assert_eq!(decode(&[0; 64]), None);
        assert_eq!(find(&[0; 64]), None);
    }

    #[test]
    fn a_record_too_long_leaves_the_buffer_alone() {
        let mut buffer = b"before".to_vec();
        assert!(encode(&mut buffer, &"x".repeat(PAYLOAD_MAX)).is_err());
        assert_eq!(buffer, b"before");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_no_shorter_piece_of_it(text in ".{0,80}") {
            let mut bytes = Vec::new();
            encode(&mut bytes, &text).unwrap();
            let payload = decode(&bytes).unwrap();
            prop_assert_eq!(serde_json::from_slice::<String>(payload).unwrap(), text);
            for end in 0..bytes.len() {
                prop_assert!(decode(&bytes[..end]).is_none());
            }
        }

        #[test]
        fn a_flipped_bit_is_noticed(text in ".{1,40}", place in 0_usize..40, bit in 0_u8..8) {
            let mut bytes = Vec::new();
            encode(&mut bytes, &text).unwrap();
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
            prop_assert!(decode(&bytes).is_none());
        }

        #[test]
        fn the_next_record_is_found_behind_rubbish(rubbish in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut bytes = rubbish.clone();
            encode(&mut bytes, &"here").unwrap();
            prop_assert_eq!(find(&bytes), Some(rubbish.len()));
        }
    }
}
