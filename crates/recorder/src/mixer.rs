//! Owns making one stereo stream of the packets of both sides, and what is known of each side.
//! Refuses to know where packets come from and where the stream goes.

use std::io;

use vocab::Time;
use vocab::media::Side;

use crate::Format;
use crate::codec::{AudioCodec, Decoder, Payloads, WIDE_RATE};
use crate::rtp;
use crate::sequence::Sequence;
use crate::timeline::{Placed, RATE, Timeline};
use crate::window::{Audio, Fit, Sink, Spot, Window};

/// How the samples of a recording are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) format: Format,
    /// Samples in a tick: 1 or 2.
    scale: u32,
}

impl Kind {
    /// The telephone's band, in this format.
    pub(crate) const fn narrow(format: Format) -> Self {
        Self { format, scale: 1 }
    }

    /// A wider one, of which A-law would lose what it is for.
    pub(crate) const WIDE: Self = Self {
        format: Format::Pcm,
        scale: WIDE_RATE / RATE as u32,
    };

    /// Samples a second.
    pub(crate) const fn rate(self) -> u32 {
        self.scale * RATE as u32
    }
}

/// What became of a side's packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SideCounts {
    /// Audio packets in the file.
    pub(crate) packets: u64,
    /// Missing in the sequence numbers.
    pub(crate) lost: u64,
    /// Came twice.
    pub(crate) duplicates: u64,
    /// Came after their place was written.
    pub(crate) late: u64,
    /// Not audio: telephone-events and the like, or not RTP.
    pub(crate) other: u64,
    /// Which codecs it sent, in the order in which they came.
    pub(crate) codecs: Vec<AudioCodec>,
    /// Arrival of the first and of the last audio packet.
    pub(crate) span: Option<(Time, Time)>,
}

#[derive(Default)]
struct Lane {
    timeline: Timeline,
    sequence: Sequence,
    counts: SideCounts,
    decoder: Decoder,
    /// Where the last packet ended, in ticks.
    end: i64,
}

/// Both sides on their way into the window.
pub(crate) struct Mixer<S> {
    kind: Kind,
    start: Time,
    caller: Lane,
    operator: Lane,
    window: Window<S>,
    /// Samples of a packet; kept for its room.
    samples: Vec<i16>,
}

impl<S: Sink> Mixer<S> {
    /// For a recording from `start` that is `total` samples long; `sink` gets the frames in order.
    pub(crate) fn new(kind: Kind, start: Time, total: i64, sink: S) -> Self {
        let window = Window::new(kind.format, kind.scale as usize, total, sink);
        Self {
            kind,
            start,
            caller: Lane::default(),
            operator: Lane::default(),
            window,
            samples: Vec::new(),
        }
    }

    /// Takes the next packet in order of arrival; its payload types mean this.
    pub(crate) fn push(
        &mut self,
        (side, arrived): (Side, Time),
        bytes: &[u8],
        payloads: &[Payloads; 2],
    ) -> io::Result<()> {
        let after_us = arrived.as_micros() as i64 - self.start.as_micros() as i64;
        let now = after_us.saturating_mul(RATE) / 1_000_000;
        let [caller, operator] = payloads;
        let wide = self.kind == Kind::WIDE;
        let fits = |codec: &AudioCodec| wide || !codec.is_wideband();
        match side {
            Side::Caller => self.caller.push((now, arrived), bytes, caller, fits),
            Side::Operator => self.operator.push((now, arrived), bytes, operator, fits),
        }
        self.place(Some(now))?;
        self.window.reach((now + RATE) * i64::from(self.kind.scale))
    }

    /// The recording goes on after a pause: packets that were not recorded are not lost.
    pub(crate) fn resume(&mut self) {
        self.caller.sequence.restart();
        self.operator.sequence.restart();
    }

    /// Where the frames go.
    pub(crate) const fn sink(&mut self) -> &mut S {
        self.window.sink()
    }

    /// Writes the rest; what became of the caller's and of the operator's packets, and the sink.
    pub(crate) fn finish(mut self) -> io::Result<([SideCounts; 2], S)> {
        self.place(None)?;
        let sink = self.window.finish()?;
        Ok(([self.caller.finish(), self.operator.finish()], sink))
    }

    fn place(&mut self, now: Option<i64>) -> io::Result<()> {
        for (side, lane) in [
            (Side::Caller, &mut self.caller),
            (Side::Operator, &mut self.operator),
        ] {
            while let Some(placed) = lane.timeline.next(now) {
                let Some((spot, audio)) = lane.audio(self.kind, &placed, &mut self.samples) else {
                    lane.counts.other += 1;
                    continue;
                };
                match self.window.put(side, spot, audio)? {
                    Fit::Placed => lane.counts.packets += 1,
                    Fit::Late => lane.counts.late += 1,
                    // Sent before the start or after the stop: no part of the recording.
                    Fit::Outside => {}
                }
            }
        }
        Ok(())
    }
}

impl Lane {
    fn push(
        &mut self,
        (now, arrived): (i64, Time),
        bytes: &[u8],
        payloads: &Payloads,
        fits: impl Fn(&AudioCodec) -> bool,
    ) {
        let Some(rtp) = rtp::parse(bytes) else {
            self.counts.other += 1;
            return;
        };
        // Telephone-events share the numbering with the audio they stand between (RFC 4733 §2.5).
        if !self.sequence.enter(rtp.ssrc, rtp.sequence) {
            return;
        }
        let codec = payloads.codec(rtp.payload_type).filter(fits);
        let Some((codec, ticks)) = codec.and_then(|codec| Some((codec, codec.ticks(rtp.payload)?)))
        else {
            self.counts.other += 1;
            return;
        };
        if !self.counts.codecs.contains(&codec) {
            self.counts.codecs.push(codec);
        }
        let first = self.counts.span.map_or(arrived, |(first, _)| first);
        self.counts.span = Some((first, arrived));
        self.timeline.push(now, (codec, ticks), &rtp);
    }

    /// What a packet sounds like, and where it belongs. None: its payload is none of its codec.
    fn audio<'a>(
        &mut self,
        kind: Kind,
        placed: &'a Placed,
        samples: &'a mut Vec<i16>,
    ) -> Option<(Spot, Audio<'a>)> {
        let mut spot = Spot {
            position: placed.position,
            bridge: placed.bridge,
        };
        if let (Kind { scale: 1, .. }, Some(law)) = (kind, placed.codec.law()) {
            return Some((spot, Audio::Codes(law, &placed.payload)));
        }
        if placed.position - placed.bridge as i64 != self.end {
            self.decoder.gap();
        }
        let late = self
            .decoder
            .decode(placed.codec, &placed.payload, samples)?;
        let scale = i64::from(kind.scale);
        self.end = placed.position + samples.len() as i64 / scale;
        spot.position = placed.position * scale - late;
        spot.bridge *= kind.scale as usize;
        Some((spot, Audio::Samples(samples)))
    }

    fn finish(self) -> SideCounts {
        SideCounts {
            lost: self.sequence.lost(),
            duplicates: self.sequence.duplicates(),
            ..self.counts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Samples of a packet.
    const PACKET: i64 = 160;
    /// Packets of each side: half a minute.
    const COUNT: usize = 1_500;

    /// What the network and the sender do to a stream.
    #[derive(Debug, Clone)]
    struct Trouble {
        ppm: i64,
        /// Per packet: lost below 5, twice above 95.
        fate: Vec<u8>,
        /// Samples later than it was sent.
        late: Vec<i64>,
        /// At this packet the sender begins anew: another source, or other numbers.
        jump_at: usize,
        new_source: bool,
        jump: u32,
    }

    fn trouble() -> impl Strategy<Value = Trouble> {
        (
            -200i64..=200,
            proptest::collection::vec(0u8..100, COUNT),
            proptest::collection::vec(0i64..480, COUNT),
            100usize..COUNT - 100,
            any::<bool>(),
            // Not to the numbers nearby: that would be a loss or a repetition.
            (0u32..0x7fff, 5_000u32..60_000).prop_map(|(high, low)| high << 16 | low),
        )
            .prop_map(|(ppm, fate, late, jump_at, new_source, jump)| Trouble {
                ppm,
                fate,
                late,
                jump_at,
                new_source,
                jump,
            })
    }

    /// The octet that marks a packet; its neighbours have others.
    fn mark(n: usize) -> u8 {
        // Neither silence nor its neighbour.
        (n % 199) as u8
    }

    /// A side's packets with the time of their arrival in samples, in that order.
    fn packets(trouble: &Trouble) -> Vec<(i64, Vec<u8>)> {
        let mut out = Vec::new();
        for n in 0..COUNT {
            let fate = trouble.fate[n];
            let near_jump = n.abs_diff(trouble.jump_at) < 5;
            if fate < 5 && !near_jump {
                continue;
            }
            let after = n >= trouble.jump_at;
            let jump = if after { trouble.jump } else { 0 };
            let ssrc = u32::from(after && trouble.new_source) + 1;
            let timestamp = (n as u32 * PACKET as u32).wrapping_add(jump);
            let sequence = (n as u16).wrapping_add(jump as u16);
            let mut rtp = vec![0x80, 8];
            rtp.extend(sequence.to_be_bytes());
            rtp.extend(timestamp.to_be_bytes());
            rtp.extend(ssrc.to_be_bytes());
            rtp.extend([mark(n); PACKET as usize]);
            let late = if near_jump { 0 } else { trouble.late[n] };
            let arrival = true_time(trouble, n) + late;
            if fate > 95 && !near_jump {
                out.push((arrival + 200, rtp.clone()));
            }
            out.push((arrival, rtp));
        }
        out.sort_by_key(|(arrival, _)| *arrival);
        out
    }

    fn true_time(trouble: &Trouble, n: usize) -> i64 {
        let samples = n as i64 * PACKET;
        samples + samples * trouble.ppm / 1_000_000
    }

    /// A second of a tone in G.722, whose decoder remembers what was before; some packets overtaken.
    #[test]
    fn a_codec_with_a_memory_sounds_the_same_in_whatever_order_its_packets_come() {
        let recorded = |overtaken: &[usize]| {
            let mut encoder = audio_codec::g722::G722Encoder::default();
            let mut packets: Vec<(i64, Vec<u8>)> = (0..50_u16)
                .map(|number| {
                    let sample = |n: usize| {
                        let time = (usize::from(number) * 320 + n) as f64 / 16_000.0;
                        (8_000.0 * (time * 700.0 * std::f64::consts::TAU).sin()) as i16
                    };
                    let samples: Vec<i16> = (0..320).map(sample).collect();
                    let mut rtp = vec![0x80, 9];
                    rtp.extend(number.to_be_bytes());
                    rtp.extend((u32::from(number) * PACKET as u32).to_be_bytes());
                    rtp.extend([0, 0, 0, 1]);
                    rtp.extend(audio_codec::Encoder::encode(&mut encoder, &samples));
                    (i64::from(number) * PACKET, rtp)
                })
                .collect();
            for number in overtaken {
                // Two others are before it.
                packets[*number].0 += 2 * PACKET + 1;
            }
            packets.sort_by_key(|(arrival, _)| *arrival);
            let mut samples = Vec::new();
            let sink = |bytes: &[u8]| {
                let left = bytes.chunks_exact(4);
                samples.extend(left.map(|frame| i16::from_le_bytes([frame[0], frame[1]])));
                Ok(())
            };
            let total = 50 * PACKET * 2;
            let mut mixer = Mixer::new(Kind::WIDE, Time::ZERO, total, sink);
            let payloads = [Payloads::STATIC; 2];
            for (arrival, rtp) in packets {
                let at = Time::from_micros((arrival * 125) as u64);
                mixer.push((Side::Caller, at), &rtp, &payloads).unwrap();
            }
            drop(mixer.finish().unwrap());
            samples
        };
        let whole = recorded(&[]);
        assert!(
            whole.iter().any(|sample| *sample > 7_000),
            "there is a tone"
        );
        assert_eq!(recorded(&[5, 6, 17, 30, 41]), whole);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// Loss, reordering, duplicates, drifting clocks and senders that begin anew, on both sides
        /// at once: whatever comes is heard within 20 ms of when it was said, on its own side.
        #[test]
        fn both_sides_are_heard_when_they_spoke(
            caller in trouble(),
            operator in trouble(),
        ) {
            let sides = [(Side::Caller, &caller), (Side::Operator, &operator)];
            let mut all: Vec<(i64, Side, Vec<u8>)> = sides
                .iter()
                .flat_map(|(side, trouble)| {
                    packets(trouble).into_iter().map(|(at, rtp)| (at, *side, rtp))
                })
                .collect();
            all.sort_by_key(|(at, _, _)| *at);
            let total = (COUNT as i64 + 10) * PACKET;
            let mut frames = Vec::new();
            let sink = |bytes: &[u8]| {
                frames.extend_from_slice(bytes);
                Ok(())
            };
            let kind = Kind::narrow(Format::Alaw);
            let mut mixer = Mixer::new(kind, Time::ZERO, total, sink);
            for (at, side, rtp) in &all {
                let at = Time::ZERO + Duration::from_micros(*at as u64 * 125);
                mixer.push((*side, at), rtp, &[Payloads::STATIC; 2]).unwrap();
            }
            let (counts, _) = mixer.finish().unwrap();
            prop_assert_eq!(frames.len() as i64, total * 2);
            for (index, (_, trouble)) in sides.iter().enumerate() {
                let twice = |n: &usize| {
                    trouble.fate[*n] > 95 && n.abs_diff(trouble.jump_at) >= 5
                };
                let lost = |n: &usize| {
                    trouble.fate[*n] < 5 && n.abs_diff(trouble.jump_at) >= 5
                };
                prop_assert_eq!(counts[index].duplicates as usize, (0..COUNT).filter(twice).count());
                // What is missing before the first and after the last packet nobody can know.
                let kept: Vec<usize> = (0..COUNT).filter(|n| !lost(n)).collect();
                let between = kept[0]..*kept.last().unwrap();
                let gone = between.filter(lost).count();
                prop_assert_eq!(counts[index].lost as usize, gone);
                for n in (0..COUNT).filter(|n| !lost(n)) {
                    let wanted = true_time(trouble, n);
                    // The middle of the packet, 20 ms to either side.
                    let middle = wanted + PACKET / 2;
                    let near = (middle - PACKET..=middle + PACKET).filter_map(|at| {
                        let at = usize::try_from(at).ok()? * 2 + index;
                        frames.get(at).copied()
                    });
                    prop_assert!(near.into_iter().any(|code| code == mark(n)), "packet {} of side {}", n, index);
                }
            }
        }
    }
}
