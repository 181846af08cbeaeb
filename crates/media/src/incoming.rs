//! Owns the count of what a peer sent and what got lost on the way (RFC 3550 §A.1, §A.3).

use crate::rtp::Header;

/// A forward jump of more is a restart of the peer's stream, not a loss (RFC 3550 §A.1).
pub(crate) const DROPOUT_MAX: u16 = 3_000;
/// A packet so much older than the newest is reordered; an older one is a restart.
pub(crate) const MISORDER_MAX: u16 = 100;

/// What came from one peer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Incoming {
    stream: Option<Stream>,
    /// Lost in streams that are over.
    lost_before: u64,
}

/// One run of sequence numbers.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    newest: u16,
    /// Packets there must have been, from the first to the newest.
    expected: u64,
    received: u64,
}

impl Incoming {
    /// Counts a packet of the peer.
    pub(crate) fn note(&mut self, header: &Header) {
        let fresh = Stream {
            ssrc: header.ssrc,
            newest: header.sequence,
            expected: 1,
            received: 1,
        };
        let Some(stream) = self
            .stream
            .as_mut()
            .filter(|stream| stream.ssrc == header.ssrc)
        else {
            self.lost_before = self.lost();
            self.stream = Some(fresh);
            return;
        };
        let ahead = header.sequence.wrapping_sub(stream.newest);
        if ahead <= DROPOUT_MAX {
            stream.newest = header.sequence;
            stream.expected += u64::from(ahead);
            stream.received += 1;
        } else if ahead.wrapping_neg() <= MISORDER_MAX {
            stream.received += 1;
        } else {
            self.lost_before = self.lost();
            self.stream = Some(fresh);
        }
    }

    /// Packets missing so far. A duplicate makes up for a loss, as in RFC 3550.
    pub(crate) fn lost(&self) -> u64 {
        let now = self
            .stream
            .map_or(0, |stream| stream.expected.saturating_sub(stream.received));
        self.lost_before + now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(packets: impl IntoIterator<Item = (u32, u16)>) -> u64 {
        let mut incoming = Incoming::default();
        for (ssrc, sequence) in packets {
            incoming.note(&Header::new(8, sequence, 0, ssrc));
        }
        incoming.lost()
    }

    #[test]
    fn gaps_are_counted_across_the_wrap_and_late_packets_fill_them() {
        assert_eq!(lost([(1, 65_533), (1, 65_534), (1, 1), (1, 2)]), 2);
        assert_eq!(
            lost([(1, 65_533), (1, 65_534), (1, 1), (1, 65_535), (1, 0)]),
            0
        );
    }

    #[test]
    fn a_restart_is_not_a_loss() {
        assert_eq!(lost([(1, 10), (1, 12), (2, 50_000), (2, 50_001)]), 1);
        assert_eq!(lost([(1, 10), (1, 30_000), (1, 30_001), (1, 30_003)]), 1);
    }
}
