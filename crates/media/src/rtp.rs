//! Owns the RTP header (RFC 3550 §5.1): reads any bytes, writes the plain form of twelve octets.
//! Refuses to know what a payload means.

use core::ops::Range;

/// Octets of a header without CSRC and extension, the only form we write.
pub const HEADER_BYTES: usize = 12;

/// What the header of a packet says, and where its payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Start of a talkspurt, or of a telephone-event.
    pub marker: bool,
    /// Payload type, 7 bits.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Sampling time, in samples.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Where the payload begins.
    start: usize,
    /// Where it ends; padding lies behind.
    end: usize,
}

impl Header {
    /// A header as we write it: the payload follows at once.
    #[must_use]
    pub const fn new(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32) -> Self {
        let (start, end) = (HEADER_BYTES, HEADER_BYTES);
        Self {
            marker: false,
            payload_type,
            sequence,
            timestamp,
            ssrc,
            start,
            end,
        }
    }

    /// Reads the header; `None` if the bytes are not an RTP packet of version 2, or are RTCP.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<HEADER_BYTES>()?;
        let [
            first,
            second,
            seq0,
            seq1,
            ts0,
            ts1,
            ts2,
            ts3,
            ssrc0,
            ssrc1,
            ssrc2,
            ssrc3,
        ] = *fixed;
        // RFC 5761 §4: payload types 64 to 95 are RTCP packets on the same port.
        if first >> 6 != 2 || (64..96).contains(&(second & 0x7f)) {
            return None;
        }
        let contributors = usize::from(first & 0x0f) * 4;
        let mut before = contributors;
        if first & 0x10 != 0 {
            let words = rest.get(contributors + 2..contributors + 4)?;
            let words = u16::from_be_bytes(words.try_into().ok()?);
            before += 4 + usize::from(words) * 4;
        }
        let padding = match first & 0x20 {
            0 => 0,
            _ => usize::from(*rest.last()?).max(1),
        };
        let end = packet.len().checked_sub(padding)?;
        let start = HEADER_BYTES + before;
        (start <= end).then_some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([seq0, seq1]),
            timestamp: u32::from_be_bytes([ts0, ts1, ts2, ts3]),
            ssrc: u32::from_be_bytes([ssrc0, ssrc1, ssrc2, ssrc3]),
            start,
            end,
        })
    }

    /// Where the payload lies in the packet; never before octet 12.
    #[must_use]
    pub const fn payload(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The twelve octets of the header in its plain form.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let marker = if self.marker { 0x80 } else { 0 };
        let [seq0, seq1] = self.sequence.to_be_bytes();
        let [ts0, ts1, ts2, ts3] = self.timestamp.to_be_bytes();
        let [ssrc0, ssrc1, ssrc2, ssrc3] = self.ssrc.to_be_bytes();
        let second = self.payload_type & 0x7f | marker;
        [
            0x80, second, seq0, seq1, ts0, ts1, ts2, ts3, ssrc0, ssrc1, ssrc2, ssrc3,
        ]
    }
}

/// What of a packet stays readable under SRTP (RFC 3711 §3.1). The padding is encrypted with the
/// payload, so nothing is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clear {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// Octets of header, contributors and extension.
    pub(crate) octets: usize,
}

impl Clear {
    /// `None` if the bytes are not the beginning of an RTP packet of version 2.
    pub(crate) fn of(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<HEADER_BYTES>()?;
        let [first, _, seq0, seq1, _, _, _, _, ssrc @ ..] = *fixed;
        if first >> 6 != 2 {
            return None;
        }
        let mut octets = HEADER_BYTES + usize::from(first & 0x0f) * 4;
        if first & 0x10 != 0 {
            let at = octets - HEADER_BYTES;
            let words = rest.get(at + 2..at + 4)?;
            octets += 4 + usize::from(u16::from_be_bytes(words.try_into().ok()?)) * 4;
        }
        (octets <= packet.len()).then_some(Self {
            ssrc: u32::from_be_bytes(ssrc),
            sequence: u16::from_be_bytes([seq0, seq1]),
            octets,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn contributors_extension_and_padding_are_left_out_of_the_payload() {
        let mut packet = Header::new(8, 1, 2, 3).to_bytes().to_vec();
        packet[0] |= 0x20 | 0x10 | 2;
        packet.extend([0; 8]); // two contributors
        packet.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]); // one word of extension
        packet.extend([7, 7, 7]);
        packet.extend([0, 2]); // padding
        let header = Header::parse(&packet).unwrap();
        assert_eq!(packet[header.payload()], [7, 7, 7]);
    }

    #[test]
    fn what_is_not_rtp_is_refused() {
        let plain = Header::new(8, 1, 2, 3).to_bytes();
        assert!(Header::parse(&plain).is_some());
        assert_eq!(Header::parse(&plain[..11]), None);
        let with = |index: usize, value: u8| {
            let mut packet = plain;
            packet[index] = value;
            Header::parse(&packet)
        };
        assert_eq!(with(0, 0x40), None, "version 1");
        assert_eq!(with(0, 0x8f), None, "contributors that are not there");
        assert_eq!(with(0, 0x90), None, "an extension that is not there");
        assert_eq!(with(0, 0xa0), None, "padding without a count");
        assert_eq!(with(1, 200), None, "an RTCP sender report");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(packet in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(header) = Header::parse(&packet) {
                prop_assert!(header.payload().start >= HEADER_BYTES);
                prop_assert!(packet.get(header.payload()).is_some());
            }
        }

        #[test]
        fn what_is_written_is_read_back(
            marker: bool, payload_type in 0_u8..64, sequence: u16, timestamp: u32, ssrc: u32,
        ) {
            let mut header = Header::new(payload_type, sequence, timestamp, ssrc);
            header.marker = marker;
            prop_assert_eq!(Header::parse(&header.to_bytes()), Some(header));
        }
    }
}
