//! Owns the twelve octets of an RTP header (RFC 3550 §5.1). No CSRC is ever written.

/// Octets of a header without CSRC and extension.
pub(crate) const HEADER: usize = 12;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

impl Header {
    pub(crate) fn write(&self) -> [u8; HEADER] {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [r0, r1, r2, r3] = self.ssrc.to_be_bytes();
        let second = u8::from(self.marker) << 7 | (self.payload_type & 0x7f);
        [0x80, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3]
    }

    /// The header and the payload of a packet; `None` if it is not RTP version 2, or is RTCP, which may
    /// come on the same port (RFC 5761 §4).
    pub(crate) fn read(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (&[first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3], mut rest) =
            packet.split_first_chunk::<HEADER>()?;
        if first >> 6 != 2 || (192..=223).contains(&second) {
            return None;
        }
        rest = rest.get(usize::from(first & 0x0f) * 4..)?;
        if first & 0x10 != 0 {
            let &[_, _, l0, l1] = rest.first_chunk::<4>()?;
            rest = rest.get(4 + usize::from(u16::from_be_bytes([l0, l1])) * 4..)?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*rest.last()?);
            rest = rest.get(..rest.len().checked_sub(padding)?)?;
        }
        let header = Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        };
        Some((header, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_OF_TEST: Header = Header {
        marker: true,
        payload_type: 8,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn a_header_reads_back_as_written() {
        let mut packet = HEADER_OF_TEST.write().to_vec();
        packet.extend([1, 2, 3]);
        assert_eq!(
            Header::read(&packet),
            Some((HEADER_OF_TEST, &[1, 2, 3][..]))
        );
    }

    #[test]
    fn csrc_extension_and_padding_are_not_payload() {
        let mut packet = HEADER_OF_TEST.write().to_vec();
        packet[0] = 0x80 | 0x20 | 0x10 | 1;
        packet.extend([0; 4]); // one CSRC
        packet.extend([0, 0, 0, 1, 9, 9, 9, 9]); // extension of one word
        packet.extend([7, 7, 0, 0, 3]); // two octets, three of padding
        assert_eq!(Header::read(&packet).unwrap().1, [7, 7]);
    }

    #[test]
    fn what_is_not_rtp_is_refused() {
        assert_eq!(Header::read(&[0x80; 11]), None);
        assert_eq!(Header::read(&[0x40; 20]), None);
        let mut report = HEADER_OF_TEST.write();
        report[1] = 200;
        assert_eq!(Header::read(&report), None);
        let mut packet = HEADER_OF_TEST.write().to_vec();
        packet[0] |= 0x0f; // CSRCs that are not there
        assert_eq!(Header::read(&packet), None);
    }
}
