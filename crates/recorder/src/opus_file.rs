//! Owns Ogg Opus files (RFC 7845): made of the samples of a recording for the archive, and read
//! back. Left is the caller, right the operator, as in a WAV.

use std::borrow::Cow;
use std::io::{self, Read, Seek, Write};

use ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Decoder, Encoder, Signal};

/// What the manifest calls it.
pub(crate) const ENCODING: &str = "opus";
/// Positions in Ogg Opus count samples of this rate, whatever the input's is (RFC 7845 §4).
const GRANULE_RATE: u64 = 48_000;
/// Longest Opus packet (RFC 6716 §3.2.1: 1,275 octets a frame; three frames of 20 ms are not used).
const PACKET_MAX: usize = 1_500;
/// Longest frame that a packet may hold: 120 ms (RFC 6716 §3.2.5).
const LONGEST_MS: usize = 120;
/// Packets of 20 ms on a page: a page a second.
const PAGE: u32 = 50;
/// One stream in the file: any number will do.
const SERIAL: u32 = 0x686f_746c;

/// Whether a path is that of an archived recording.
pub(crate) fn is_named(path: &str) -> bool {
    path.ends_with(".opus") || path.ends_with(".opus.age")
}

/// Makes a file of frames that are given in order.
pub(crate) struct Writer<'w, W: Write> {
    encoder: Encoder,
    pages: PacketWriter<'w, W>,
    rate: u32,
    /// Of the encoder, in samples of the input.
    delay: u64,
    waiting: Vec<i16>,
    /// Frames taken, and frames in packets.
    taken: u64,
    packed: u64,
    /// The newest packet: it is written when the next one is there, because the last one is marked.
    held: Option<Vec<u8>>,
    packets: u32,
}

fn failed(error: opus::Error) -> io::Error {
    io::Error::other(error)
}

impl<W: Write> Writer<'_, W> {
    /// Begins a file. The rate must be one that Opus takes: 8, 12, 16, 24 or 48 kHz.
    pub(crate) fn new(out: W, rate: u32, bits_a_second: i32) -> io::Result<Self> {
        let mut encoder =
            Encoder::new(rate, Channels::Stereo, Application::Voip).map_err(failed)?;
        encoder
            .set_bitrate(Bitrate::Bits(bits_a_second))
            .map_err(failed)?;
        encoder.set_vbr(true).map_err(failed)?;
        encoder.set_signal(Signal::Voice).map_err(failed)?;
        let delay = u64::try_from(encoder.get_lookahead().map_err(failed)?).unwrap_or(0);
        let mut made = Self {
            encoder,
            pages: PacketWriter::new(out),
            rate,
            delay,
            waiting: Vec::new(),
            taken: 0,
            packed: 0,
            held: None,
            packets: 0,
        };
        made.head()?;
        Ok(made)
    }

    fn granules(&self, samples: u64) -> u64 {
        samples * GRANULE_RATE / u64::from(self.rate)
    }

    /// The two header packets (RFC 7845 §5).
    fn head(&mut self) -> io::Result<()> {
        let skip = u16::try_from(self.granules(self.delay)).unwrap_or(u16::MAX);
        let mut head = b"OpusHead\x01\x02".to_vec(); // version 1, two channels
        head.extend(skip.to_le_bytes());
        head.extend(self.rate.to_le_bytes());
        head.extend([0; 3]); // no gain, channels in the usual order
        let mut tags = b"OpusTags".to_vec();
        let vendor = b"hotline";
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend(0u32.to_le_bytes()); // no comments: a file says nothing of a person
        for packet in [head, tags] {
            self.pages
                .write_packet(packet, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        }
        Ok(())
    }

    /// Takes frames.
    pub(crate) fn push(&mut self, frames: &[[i16; 2]]) -> io::Result<()> {
        self.waiting.extend(frames.iter().flatten());
        self.taken += frames.len() as u64;
        self.pack()
    }

    fn packet_samples(&self) -> usize {
        self.rate as usize / 50
    }

    fn pack(&mut self) -> io::Result<()> {
        let size = 2 * self.packet_samples();
        let mut used = 0;
        while let Some(input) = self.waiting.get(used..used + size) {
            let packet = self.encoder.encode_vec(input, PACKET_MAX).map_err(failed)?;
            used += size;
            if let Some(before) = self.held.replace(packet) {
                self.packets += 1;
                let end = if self.packets.is_multiple_of(PAGE) {
                    PacketWriteEndInfo::EndPage
                } else {
                    PacketWriteEndInfo::NormalPacket
                };
                let at = self.granules(self.packed);
                self.pages.write_packet(before, SERIAL, end, at)?;
            }
            self.packed += self.packet_samples() as u64;
        }
        self.waiting.drain(..used);
        Ok(())
    }

    /// Ends the file: its last position says how long it is, to the sample.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let length = self.taken;
        // What the encoder still holds back comes out behind silence.
        let wanted = length + self.delay;
        while self.packed < wanted || self.held.is_none() {
            let size = 2 * self.packet_samples();
            self.waiting.resize(size, 0);
            self.pack()?;
        }
        let last = self.held.take().unwrap_or_default();
        let at = self.granules(wanted);
        self.pages
            .write_packet(Cow::from(last), SERIAL, PacketWriteEndInfo::EndStream, at)?;
        Ok(self.pages.into_inner())
    }
}

/// Reads a file back, at the rate that it was made of.
pub(crate) struct Reader<R: Read + Seek> {
    packets: PacketReader<R>,
    decoder: Decoder,
    /// Frames that are not to be heard yet: the encoder's delay.
    skip: usize,
    buffer: Vec<i16>,
}

impl<R: Read + Seek> Reader<R> {
    pub(crate) fn new(mut packets: PacketReader<R>, rate: u32) -> io::Result<Self> {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        let head = packets.read_packet_expected().map_err(io::Error::other)?;
        let fields = head.data.strip_prefix(b"OpusHead\x01\x02");
        let skip = fields.and_then(|fields| fields.first_chunk::<2>());
        let skip =
            skip.ok_or_else(|| invalid("expected Ogg Opus in stereo, found another file"))?;
        packets.read_packet_expected().map_err(io::Error::other)?; // the tags
        let skip = u64::from(u16::from_le_bytes(*skip)) * u64::from(rate) / GRANULE_RATE;
        Ok(Self {
            packets,
            decoder: Decoder::new(rate, Channels::Stereo).map_err(failed)?,
            skip: usize::try_from(skip).unwrap_or(0),
            buffer: vec![0; 2 * LONGEST_MS * rate as usize / 1_000],
        })
    }

    /// Appends the frames of the next packet.
    pub(crate) fn next(&mut self, frames: &mut Vec<[i16; 2]>) -> io::Result<()> {
        let packet = self
            .packets
            .read_packet_expected()
            .map_err(io::Error::other)?;
        let count = self
            .decoder
            .decode(&packet.data, &mut self.buffer, false)
            .map_err(failed)?;
        let found = self.buffer.as_chunks::<2>().0.get(..count);
        let found = found.unwrap_or_default();
        let skipped = self.skip.min(found.len());
        self.skip -= skipped;
        frames.extend_from_slice(found.get(skipped..).unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn tone(hz: f64, rate: u32, n: usize) -> i16 {
        let t = n as f64 / f64::from(rate);
        (8_000.0 * (std::f64::consts::TAU * hz * t).sin()) as i16
    }

    /// How alike two channels are: 1 is the same.
    fn likeness(a: impl Iterator<Item = i16>, b: impl Iterator<Item = i16>) -> f64 {
        let (mut product, mut ours, mut theirs) = (0.0, 0.0, 0.0f64);
        for (a, b) in a.zip(b) {
            let (a, b) = (f64::from(a), f64::from(b));
            product += a * b;
            ours += a * a;
            theirs += b * b;
        }
        product / (ours * theirs).sqrt().max(1.0)
    }

    #[test]
    fn what_goes_in_comes_out_in_its_place_and_on_its_side() {
        for (rate, length) in [(8_000, 40_123), (16_000, 50_001), (48_000, 96_000)] {
            let frames: Vec<[i16; 2]> = (0..length)
                .map(|n| [tone(440.0, rate, n), tone(950.0, rate, n)])
                .collect();
            let mut writer = Writer::new(Vec::new(), rate, 48_000).unwrap();
            for chunk in frames.chunks(777) {
                writer.push(chunk).unwrap();
            }
            let file = writer.finish().unwrap();
            assert!(file.len() < 2 * length, "{} octets", file.len());
            let packets = PacketReader::new(Cursor::new(file));
            let mut reader = Reader::new(packets, rate).unwrap();
            let mut read = Vec::new();
            while read.len() < length {
                reader.next(&mut read).unwrap();
            }
            assert!(read.len() < length + rate as usize / 25, "{}", read.len());
            read.truncate(length);
            for side in 0..2 {
                let ours = || read.iter().map(move |frame| frame[side]);
                let theirs = |side: usize| frames.iter().map(move |frame| frame[side]);
                let same = likeness(ours().skip(2_000), theirs(side).skip(2_000));
                assert!(same > 0.9, "{rate} side {side}: {same}");
                let other = likeness(ours().skip(2_000), theirs(1 - side).skip(2_000));
                assert!(
                    other.abs() < 0.1,
                    "{rate} side {side} in the other: {other}"
                );
            }
        }
    }

    #[test]
    fn an_empty_recording_is_a_file_too() {
        let file = Writer::new(Vec::new(), 8_000, 24_000)
            .unwrap()
            .finish()
            .unwrap();
        let packets = PacketReader::new(Cursor::new(file));
        assert!(Reader::new(packets, 8_000).is_ok());
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [b"OggS".to_vec(), vec![0; 100], Vec::new()] {
            let packets = PacketReader::new(Cursor::new(bytes));
            assert!(Reader::new(packets, 8_000).is_err());
        }
    }
}
