//! Owns the block of VoIP metrics of RTCP extended reports (RFC 3611 §4.7): its octets, and the counting
//! of bursts and gaps that it asks for. Refuses the other blocks: nothing in them is counted.

/// The packet type (RFC 3611 §2).
pub(crate) const EXTENDED_REPORT: u8 = 207;
/// The block type, and its length in words after the first.
const VOIP_METRICS: u8 = 7;
const WORDS: u16 = 8;
/// Octets of the block with its header.
pub(crate) const BLOCK_BYTES: usize = 36;
/// What is not known of levels, factors and scores.
const UNAVAILABLE: u8 = 127;
/// Losses with fewer packets between them are one burst (RFC 3611 §4.7.2).
const GMIN: u32 = 16;
/// What the packets of telephones last: of the durations of bursts.
const PACKET_MS: u64 = 20;

/// What somebody says of a stream that they hear. Shares are of 256.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct VoipMetrics {
    /// Whose stream.
    pub(crate) source: u32,
    pub(crate) loss_rate: u8,
    /// Packets that came too late to be heard.
    pub(crate) discard_rate: u8,
    pub(crate) bursts: Spread,
    pub(crate) round_trip_ms: u16,
    pub(crate) end_system_ms: u16,
    /// 0 to 100.
    pub(crate) r_factor: Option<u8>,
    /// Tenths of a MOS, 10 to 50.
    pub(crate) mos_listening: Option<u8>,
    pub(crate) mos_conversation: Option<u8>,
}

/// How losses are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Share of what is lost within bursts, and between them.
    pub(crate) burst_density: u8,
    pub(crate) gap_density: u8,
    /// How long a burst and a gap last on average.
    pub(crate) burst_ms: u16,
    pub(crate) gap_ms: u16,
}

/// Counts bursts and gaps as RFC 3611 Appendix A.2 does; the names of the counters are its.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bursts {
    /// Packets that came since the last loss.
    since: u32,
    /// Losses in the burst under way.
    lost: u32,
    c11: u64,
    c13: u64,
    c14: u64,
    c22: u64,
    c23: u64,
    c33: u64,
}

impl Bursts {
    /// A packet came.
    pub(crate) const fn came(&mut self) {
        self.since = self.since.saturating_add(1);
    }

    /// So many packets in a row are missing.
    pub(crate) fn missed(&mut self, count: u32) {
        let Some(more) = count.checked_sub(1) else {
            return;
        };
        if self.since >= GMIN {
            if self.lost == 1 {
                self.c14 += 1;
            } else {
                self.c13 += 1;
            }
            self.lost = 1;
            self.c11 += u64::from(self.since);
        } else {
            self.lost = self.lost.saturating_add(1);
            match self.since.checked_sub(1) {
                None => self.c33 += 1,
                Some(between) => {
                    self.c23 += 1;
                    self.c22 += u64::from(between);
                }
            }
        }
        // Those right after a loss.
        self.lost = self.lost.saturating_add(more);
        self.c33 += u64::from(more);
        self.since = 0;
    }

    pub(crate) fn spread(&self) -> Spread {
        let Self {
            c11,
            c13,
            c14,
            c22,
            c23,
            c33,
            ..
        } = *self;
        let (c31, c32) = (c13, c23);
        let share = |part: u64, whole: u64| part as f64 / whole as f64;
        let p32 = match c31 + c32 + c33 {
            0 => 0.0,
            all => share(c32, all),
        };
        let p23 = match c22 + c23 {
            0 => 1.0,
            all => 1.0 - share(c22, all),
        };
        let all = c11 + c14 + c13 + c22 + c23 + c31 + c32 + c33;
        let ms = |packets: u64| {
            let each = packets.saturating_mul(PACKET_MS) / c13.max(1);
            u16::try_from(each).unwrap_or(u16::MAX)
        };
        let gap = c11 + c14 + c13;
        Spread {
            burst_density: of_256(if c33 + c23 == 0 {
                0.0
            } else {
                p23 / (p23 + p32)
            }),
            gap_density: of_256(share(c14, (c11 + c14).max(1))),
            burst_ms: if c13 == 0 { 0 } else { ms(all - gap) },
            gap_ms: if c13 == 0 { 0 } else { ms(gap) },
        }
    }
}

/// A share in parts of 256, of which 255 is the most (RFC 3611 §4.7.1).
pub(crate) fn of_256(share: f64) -> u8 {
    (share * 256.0) as u8
}

/// Writes the block.
pub(crate) fn block(metrics: &VoipMetrics) -> [u8; BLOCK_BYTES] {
    let [length0, length1] = WORDS.to_be_bytes();
    let [s0, s1, s2, s3] = metrics.source.to_be_bytes();
    let Spread {
        burst_density,
        gap_density,
        burst_ms,
        gap_ms,
    } = metrics.bursts;
    let [burst0, burst1] = burst_ms.to_be_bytes();
    let [gap0, gap1] = gap_ms.to_be_bytes();
    let [trip0, trip1] = metrics.round_trip_ms.to_be_bytes();
    let [end0, end1] = metrics.end_system_ms.to_be_bytes();
    let known = |value: Option<u8>| value.unwrap_or(UNAVAILABLE);
    [
        VOIP_METRICS,
        0,
        length0,
        length1,
        s0,
        s1,
        s2,
        s3,
        metrics.loss_rate,
        metrics.discard_rate,
        burst_density,
        gap_density,
        burst0,
        burst1,
        gap0,
        gap1,
        trip0,
        trip1,
        end0,
        end1,
        // Levels of signal and noise, and the echo's: nobody here listens to the audio.
        UNAVAILABLE,
        UNAVAILABLE,
        UNAVAILABLE,
        GMIN as u8,
        known(metrics.r_factor),
        // Of another network than the packets'.
        UNAVAILABLE,
        known(metrics.mos_listening),
        known(metrics.mos_conversation),
        // A relay has no buffer and conceals nothing (all unspecified).
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ]
}

/// The metrics of the source asked for in the blocks of an extended report; what is broken or of
/// another kind is passed over.
pub(crate) fn read(mut blocks: &[u8], source: u32) -> Option<VoipMetrics> {
    while let Some((&[kind, _, high, low], rest)) = blocks.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        let (body, after) = rest.split_at_checked(length)?;
        blocks = after;
        if kind == VOIP_METRICS
            && let Some(metrics) = metrics(body)
            && metrics.source == source
        {
            return Some(metrics);
        }
    }
    None
}

fn metrics(body: &[u8]) -> Option<VoipMetrics> {
    let byte = |at: usize| body.get(at).copied();
    let two = |at: usize| Some(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
    let (source, _) = body.split_first_chunk::<4>()?;
    let within = |value: u8, least: u8, most: u8| (least..=most).contains(&value).then_some(value);
    // All of it must be there.
    byte(BLOCK_BYTES - 5)?;
    Some(VoipMetrics {
        source: u32::from_be_bytes(*source),
        loss_rate: byte(4)?,
        discard_rate: byte(5)?,
        bursts: Spread {
            burst_density: byte(6)?,
            gap_density: byte(7)?,
            burst_ms: two(8)?,
            gap_ms: two(10)?,
        },
        round_trip_ms: two(12)?,
        end_system_ms: two(14)?,
        r_factor: within(byte(20)?, 0, 100),
        mos_listening: within(byte(22)?, 10, 50),
        mos_conversation: within(byte(23)?, 10, 50),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_block_is_octet_by_octet_that_of_the_rfc() {
        let metrics = VoipMetrics {
            source: 0x0102_0304,
            loss_rate: 13,
            discard_rate: 1,
            bursts: Spread {
                burst_density: 90,
                gap_density: 2,
                burst_ms: 300,
                gap_ms: 4_000,
            },
            round_trip_ms: 258,
            end_system_ms: 60,
            r_factor: Some(90),
            mos_listening: Some(43),
            mos_conversation: None,
        };
        let octets = block(&metrics);
        let expected = [
            7, 0, 0, 8, 1, 2, 3, 4, 13, 1, 90, 2, 1, 44, 15, 160, 1, 2, 0, 60, 127, 127, 127, 16,
            90, 127, 43, 127, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(octets, expected);
        // After a block of another kind: a receiver's reference time (§4.4).
        let other = [4, 0, 0, 2, 1, 1, 1, 1, 2, 2, 2, 2];
        let both = [&other[..], &octets].concat();
        assert_eq!(read(&both, 0x0102_0304), Some(metrics));
        assert_eq!(read(&both, 9), None, "of somebody else");
        assert_eq!(read(&octets[..35], 0x0102_0304), None, "cut off");
    }

    #[test]
    fn losses_far_apart_are_gaps_and_losses_together_are_bursts() {
        let mut single = Bursts::default();
        for _ in 0..10 {
            (0..99).for_each(|_| single.came());
            single.missed(1);
        }
        let spread = single.spread();
        assert_eq!(spread.burst_density, 0);
        assert_eq!(spread.gap_density, 2, "one of a hundred: {spread:?}");
        let mut together = Bursts::default();
        for _ in 0..10 {
            (0..100).for_each(|_| together.came());
            together.missed(5);
            together.came();
            together.missed(4);
        }
        let spread = together.spread();
        assert!(spread.burst_density > 200, "nine of ten: {spread:?}");
        assert!((150..=250).contains(&spread.burst_ms), "{spread:?}");
        assert!((1_900..=2_200).contains(&spread.gap_ms), "{spread:?}");
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..120)) {
            read(&octets, 0);
        }

        #[test]
        fn any_losses_give_shares(missed in prop::collection::vec((0_u32..60, 0_u32..9), 0..80)) {
            let mut bursts = Bursts::default();
            for (came, lost) in missed {
                (0..came).for_each(|_| bursts.came());
                bursts.missed(lost);
            }
            bursts.spread();
        }
    }
}
