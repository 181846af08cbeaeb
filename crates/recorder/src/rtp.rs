//! Owns reading the RTP header (RFC 3550 §5.1), as far as a recording needs it.

use crate::codec::{AudioCodec, Payloads};

/// A packet's fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rtp<'a> {
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: &'a [u8],
}

/// Reads a packet; `None` when it is not RTP version 2 or its lengths do not fit.
pub(crate) fn parse(bytes: &[u8]) -> Option<Rtp<'_>> {
    let (head, rest) = bytes.split_first_chunk::<12>()?;
    let [flags, kind, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *head;
    if flags >> 6 != 2 {
        return None;
    }
    let mut payload = rest.get(usize::from(flags & 0x0f) * 4..)?;
    if flags & 0x10 != 0 {
        let (extension, rest) = payload.split_first_chunk::<4>()?;
        let [_, _, high, low] = *extension;
        payload = rest.get(usize::from(u16::from_be_bytes([high, low])) * 4..)?;
    }
    if flags & 0x20 != 0 {
        let padding = usize::from(*payload.last()?);
        let length = payload.len().checked_sub(padding).filter(|_| padding > 0)?;
        payload = payload.get(..length)?;
    }
    Some(Rtp {
        payload_type: kind & 0x7f,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        payload,
    })
}

/// The codec of a packet that is audio with something in it.
pub(crate) fn audio(bytes: &[u8], payloads: &Payloads) -> Option<AudioCodec> {
    let rtp = parse(bytes).filter(|rtp| !rtp.payload.is_empty())?;
    payloads.codec(rtp.payload_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csrc_extension_and_padding_are_no_audio() {
        let mut bytes = vec![
            0x80 | 0x20 | 0x10 | 2,
            0x80 | 8,
            1,
            2,
            0,
            0,
            0,
            3,
            0,
            0,
            0,
            4,
        ];
        bytes.extend([9; 8]); // two CSRC
        bytes.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]); // one word of extension
        bytes.extend([5, 6, 0, 0, 3]); // two of audio, three of padding
        let rtp = parse(&bytes).unwrap();
        let expected = Rtp {
            payload_type: 8,
            sequence: 0x0102,
            timestamp: 3,
            ssrc: 4,
            payload: &[5, 6],
        };
        assert_eq!(rtp, expected);
        assert_eq!(audio(&bytes, &Payloads::STATIC), Some(AudioCodec::Pcma));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let plain = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(parse(&plain).is_some());
        assert_eq!(audio(&plain, &Payloads::STATIC), None);
        assert_eq!(parse(&plain[..11]), None);
        for flags in [0x00, 0x40, 0xc0, 0x81, 0x90, 0xa0] {
            let mut bytes = plain;
            bytes[0] = flags;
            assert_eq!(parse(&bytes), None, "{flags:#x}");
        }
        let mut padded = plain.to_vec();
        padded[0] = 0xa0;
        for padding in [0, 2, 255] {
            padded.truncate(12);
            padded.push(padding);
            assert_eq!(parse(&padded), None, "padding {padding}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0u8.., 0..64)) {
            if let Some(rtp) = parse(&bytes) {
                proptest::prop_assert!(rtp.payload.len() <= bytes.len() - 12);
            }
        }
    }
}
