//! Owns the octets of RTCP (RFC 3550 §6): reads what we count of anybody's compounds, and writes
//! ours into memory that is there. Refuses to know what the figures mean.
//!
//! By hand, as the crate `rtcp-types` allocates for every source description, and each report has
//! one. It is the second reader in the tests.

use crate::incoming::Reception;
use crate::xr::{self, EXTENDED_REPORT, VoipMetrics};

/// Room for the longest compound that we write: a sender report with one block, the CNAME, VoIP
/// metrics, BYE.
pub(crate) const REPORT_BYTES_MAX: usize = 160;
/// Characters of a CNAME: 96 bits and more, as RFC 7022 §4.2 asks for.
pub(crate) const CNAME_BYTES: usize = 32;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
/// Octets of a sender's part and of a block about one source (RFC 3550 §6.4.1).
const SENDER_INFO_BYTES: usize = 20;
const BLOCK_BYTES: usize = 24;
/// The SDES item CNAME (RFC 3550 §6.5.1).
const CNAME: u8 = 1;

/// Whether a packet on a port of both is RTCP (RFC 5761 §4).
pub(crate) const fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 192..=223, ..] if *first >> 6 == 2)
}

/// What we need of a peer's compound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Who reports.
    pub(crate) ssrc: u32,
    /// Middle 32 bits of the NTP timestamp of its sender report.
    pub(crate) sent_at: Option<u32>,
    /// Its report of our stream.
    pub(crate) of_us: Option<OfUs>,
    /// Its metrics of our stream.
    pub(crate) metrics: Option<VoipMetrics>,
    /// It leaves.
    pub(crate) bye: bool,
}

/// A peer's report of what we sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfUs {
    pub(crate) lost: i32,
    pub(crate) jitter: u32,
    /// Our sender report that came last, and how long ago that was; 1/65536 s.
    pub(crate) last_sr: u32,
    pub(crate) since_last_sr: u32,
}

/// Reads a compound (or one reduced in size, RFC 5506); `None` if it is none. `ours` is our SSRC.
/// What is broken spoils what follows it, and not what came before.
pub(crate) fn read(mut bytes: &[u8], ours: u32) -> Option<Said> {
    let mut said = None::<Said>;
    while let Some((packet, rest)) = split(bytes) {
        bytes = rest;
        match packet.kind {
            SENDER_REPORT | RECEIVER_REPORT => {
                let Some((ssrc, body)) = word(packet.body) else {
                    break;
                };
                let said = said.get_or_insert_default();
                said.ssrc = ssrc;
                let blocks = match packet.kind {
                    SENDER_REPORT => {
                        let Some((info, blocks)) = body.split_at_checked(SENDER_INFO_BYTES) else {
                            break;
                        };
                        said.sent_at = ntp_middle(info);
                        blocks
                    }
                    _ => body,
                };
                said.of_us = of_us(packet.count, blocks, ours).or(said.of_us);
            }
            BYE => note_bye(&packet, &mut said),
            EXTENDED_REPORT => {
                if let Some((ssrc, blocks)) = word(packet.body) {
                    let said = said.get_or_insert(Said {
                        ssrc,
                        ..Said::default()
                    });
                    said.metrics = xr::read(blocks, ours).or(said.metrics);
                }
            }
            // Descriptions, feedback: nothing in them that is counted.
            _ => {}
        }
    }
    said
}

/// One packet of a compound, without its header and padding.
struct Piece<'a> {
    count: usize,
    kind: u8,
    body: &'a [u8],
}

/// The first packet and the rest; `None` at the end, or where no packet is.
fn split(bytes: &[u8]) -> Option<(Piece<'_>, &[u8])> {
    let (&[first, kind, high, low], _) = bytes.split_first_chunk::<4>()?;
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (packet, rest) = bytes.split_at_checked(length)?;
    let padding = match first & 0x20 {
        0 => 0,
        _ => usize::from(*packet.last()?).max(1),
    };
    let body = packet.get(4..length.checked_sub(padding)?)?;
    let count = usize::from(first & 0x1f);
    (first >> 6 == 2).then_some((Piece { count, kind, body }, rest))
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*word), rest))
}

fn ntp_middle(info: &[u8]) -> Option<u32> {
    Some(word(info.get(2..)?)?.0)
}

/// A BYE counts if it is of whom the reports are, or alone.
fn note_bye(packet: &Piece<'_>, said: &mut Option<Said>) {
    let mut rest = packet.body;
    for _ in 0..packet.count {
        let Some((ssrc, after)) = word(rest) else {
            return;
        };
        rest = after;
        let said = said.get_or_insert(Said {
            ssrc,
            ..Said::default()
        });
        said.bye |= said.ssrc == ssrc;
    }
}

fn of_us(count: usize, blocks: &[u8], ours: u32) -> Option<OfUs> {
    let mut blocks = blocks.chunks_exact(BLOCK_BYTES).take(count);
    let block = blocks.find(|block| word(block).is_some_and(|(ssrc, _)| ssrc == ours))?;
    let at = |place: usize| Some(word(block.get(place..)?)?.0);
    Some(OfUs {
        // 24 bits with a sign (RFC 3550 §6.4.1).
        lost: (at(4)? << 8).cast_signed() >> 8,
        jitter: at(12)?,
        last_sr: at(16)?,
        since_last_sr: at(20)?,
    })
}

/// What we report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) ssrc: u32,
    /// What we sent; none if nothing lately.
    pub(crate) sender: Option<Sender>,
    pub(crate) reception: Option<Reception>,
    /// How its stream is heard here (RFC 3611).
    pub(crate) metrics: Option<VoipMetrics>,
    /// Of the peer's last sender report: its time, and how long ago it came; 1/65536 s.
    pub(crate) last_sr: (u32, u32),
    pub(crate) cname: [u8; CNAME_BYTES],
    /// The leg closes.
    pub(crate) bye: bool,
}

/// The sender's part of a report (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    /// Since 1900, in 2^-32 s.
    pub(crate) ntp: u64,
    /// The same moment as a timestamp of the stream.
    pub(crate) timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// Writes a compound; gives its length.
pub(crate) fn write(report: &Report, place: &mut [u8; REPORT_BYTES_MAX]) -> usize {
    let mut out = Writer { place, at: 0 };
    let blocks = u8::from(report.reception.is_some());
    let kind = match report.sender {
        Some(_) => SENDER_REPORT,
        None => RECEIVER_REPORT,
    };
    let start = out.begin(blocks, kind);
    out.word(report.ssrc);
    if let Some(sender) = report.sender {
        out.word((sender.ntp >> 32) as u32);
        out.word(sender.ntp as u32);
        out.word(sender.timestamp);
        out.word(sender.packets);
        out.word(sender.octets);
    }
    if let Some(reception) = report.reception {
        out.word(reception.ssrc);
        let lost = reception.lost.cast_unsigned() & 0x00ff_ffff;
        out.word((u32::from(reception.fraction_lost) << 24) | lost);
        out.word(reception.newest);
        out.word(reception.jitter);
        out.word(report.last_sr.0);
        out.word(report.last_sr.1);
    }
    out.end(start);
    let start = out.begin(1, SOURCE_DESCRIPTION);
    out.word(report.ssrc);
    out.octets(&[CNAME, CNAME_BYTES as u8]);
    out.octets(&report.cname);
    // The list ends with a zero, then zeros fill the word (RFC 3550 §6.5).
    out.octets(&[0, 0]);
    out.end(start);
    if let Some(metrics) = &report.metrics {
        let start = out.begin(0, EXTENDED_REPORT);
        out.word(report.ssrc);
        out.octets(&xr::block(metrics));
        out.end(start);
    }
    if report.bye {
        let start = out.begin(1, BYE);
        out.word(report.ssrc);
        out.end(start);
    }
    out.at
}

/// Writes into memory that is long enough; what would not fit is left out.
struct Writer<'a> {
    place: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    /// A header without its length.
    fn begin(&mut self, count: u8, kind: u8) -> usize {
        let start = self.at;
        self.octets(&[0x80 | count, kind, 0, 0]);
        start
    }

    /// The length of the packet that began there: words after the first (RFC 3550 §6.4.1).
    fn end(&mut self, start: usize) {
        let words = u16::try_from((self.at - start) / 4 - 1).unwrap_or_default();
        if let Some(place) = self.place.get_mut(start + 2..start + 4) {
            place.copy_from_slice(&words.to_be_bytes());
        }
    }

    fn word(&mut self, word: u32) {
        self.octets(&word.to_be_bytes());
    }

    fn octets(&mut self, octets: &[u8]) {
        if let Some(place) = self.place.get_mut(self.at..self.at + octets.len()) {
            place.copy_from_slice(octets);
            self.at += octets.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtcp_types::{Compound, Packet};

    use super::*;

    fn report() -> Report {
        Report {
            ssrc: 0x0102_0304,
            sender: Some(Sender {
                ntp: 0xe000_0001_8000_0000,
                timestamp: 99,
                packets: 1_000,
                octets: 160_000,
            }),
            reception: Some(Reception {
                ssrc: 77,
                fraction_lost: 25,
                lost: -3,
                newest: 0x1_0005,
                jitter: 80,
            }),
            metrics: Some(VoipMetrics {
                source: 77,
                loss_rate: 25,
                mos_listening: Some(41),
                ..VoipMetrics::default()
            }),
            last_sr: (0xaaaa_bbbb, 65_536),
            cname: [b'x'; CNAME_BYTES],
            bye: true,
        }
    }

    #[test]
    fn what_is_written_another_implementation_reads() {
        let mut place = [0; REPORT_BYTES_MAX];
        let length = write(&report(), &mut place);
        let compound = Compound::parse(&place[..length]).unwrap();
        let packets: Vec<Packet<'_>> = compound.map(|packet| packet.unwrap()).collect();
        let [
            Packet::Sr(sr),
            Packet::Sdes(sdes),
            extended,
            Packet::Bye(bye),
        ] = &packets[..]
        else {
            panic!("{packets:?}")
        };
        assert_eq!(
            (sr.ssrc(), sr.ntp_timestamp()),
            (0x0102_0304, 0xe000_0001_8000_0000)
        );
        assert_eq!(
            (sr.rtp_timestamp(), sr.packet_count(), sr.octet_count()),
            (99, 1_000, 160_000)
        );
        let block = sr.report_blocks().next().unwrap();
        assert_eq!(
            (block.ssrc(), block.fraction_lost(), block.cumulative_lost()),
            (77, 25, 0xff_fffd)
        );
        assert_eq!(
            (
                block.extended_sequence_number(),
                block.interarrival_jitter()
            ),
            (0x1_0005, 80)
        );
        assert_eq!(block.last_sender_report_timestamp(), 0xaaaa_bbbb);
        let chunk = sdes.chunks().next().unwrap();
        let item = chunk.items().next().unwrap();
        assert_eq!(
            (chunk.ssrc(), item.type_(), item.value()),
            (0x0102_0304, 1, &[b'x'; 32][..])
        );
        assert!(!matches!(
            extended,
            Packet::Sr(_) | Packet::Rr(_) | Packet::App(_)
        ));
        assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [0x0102_0304]);
    }

    #[test]
    fn what_a_peer_says_of_us_is_found() {
        let mut place = [0; REPORT_BYTES_MAX];
        let length = write(&report(), &mut place);
        let said = read(&place[..length], 77).unwrap();
        assert_eq!(
            (said.ssrc, said.sent_at, said.bye),
            (0x0102_0304, Some(0x0001_8000), true)
        );
        let of_us = said.of_us.unwrap();
        assert_eq!((of_us.lost, of_us.jitter), (-3, 80));
        assert_eq!(said.metrics, report().metrics);
        assert_eq!((of_us.last_sr, of_us.since_last_sr), (0xaaaa_bbbb, 65_536));
        assert_eq!(
            read(&place[..length], 78).unwrap().of_us,
            None,
            "it is of another"
        );
        let plain = Report {
            sender: None,
            reception: None,
            metrics: None,
            bye: false,
            ..report()
        };
        let length = write(&plain, &mut place);
        let said = read(&place[..length], 77).unwrap();
        assert_eq!((said.sent_at, said.of_us, said.bye), (None, None, false));
    }

    #[test]
    fn rtp_and_rtcp_on_one_port_are_told_apart() {
        assert!(is_rtcp(&[0x80, 200, 0, 0]) && is_rtcp(&[0xa1, 207, 0, 0]));
        assert!(!is_rtcp(&[0x80, 8, 0, 0]) && !is_rtcp(&[0x80, 0x88, 0, 0]));
        assert!(!is_rtcp(&[0x40, 200, 0, 0]) && !is_rtcp(&[0x80]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 192_u8..224, whole: bool,
        ) {
            // Half of them have a header that holds, or nothing would get past it.
            if whole && bytes.len() >= 4 {
                bytes.truncate(bytes.len() / 4 * 4);
                bytes[0] = bytes[0] & 0x3f | 0x80;
                bytes[1] = kind;
                let words = (bytes.len() / 4 - 1) as u16;
                bytes[2..4].copy_from_slice(&words.to_be_bytes());
            }
            let _ = read(&bytes, 7);
        }

        #[test]
        fn another_implementation_reads_the_same_of_what_it_wrote(
            ssrc: u32, ours: u32, ntp: u64, sends: bool, bye: bool, padding in 0_u8..4,
            figures in prop::array::uniform5(any::<u32>()), others in 0_usize..4,
        ) {
            use rtcp_types::{Bye, ReceiverReport, ReportBlock, RtcpPacketWriterExt, SenderReport};
            let block = |of: u32| ReportBlock::builder(of)
                .cumulative_lost(figures[0] & 0xff_ffff)
                .interarrival_jitter(figures[1])
                .last_sender_report_timestamp(figures[2])
                .delay_since_last_sender_report_timestamp(figures[3])
                .extended_sequence_number(figures[4]);
            let blocks = (0..others).map(|other| ours.wrapping_add(1 + other as u32)).chain([ours]);
            let (mut sr, mut rr) = (SenderReport::builder(ssrc).ntp_timestamp(ntp), ReceiverReport::builder(ssrc));
            for of in blocks {
                sr = sr.add_report_block(block(of));
                rr = rr.add_report_block(block(of));
            }
            let compound = Compound::builder();
            let compound = if sends { compound.add_packet(sr) } else { compound.add_packet(rr) };
            let leaves = Bye::builder().add_source(ssrc).padding(padding * 4);
            let compound = if bye { compound.add_packet(leaves) } else { compound };
            let mut bytes = vec![0; 1_000];
            let length = compound.write_into(&mut bytes).unwrap();
            bytes.truncate(length);
            let said = read(&bytes, ours).unwrap();
            let of_us = said.of_us.unwrap();
            prop_assert_eq!((said.ssrc, said.bye), (ssrc, bye));
            prop_assert_eq!(said.sent_at, sends.then_some((ntp >> 16) as u32));
            prop_assert_eq!(of_us.lost.cast_unsigned() & 0xff_ffff, figures[0] & 0xff_ffff);
            prop_assert_eq!((of_us.jitter, of_us.last_sr, of_us.since_last_sr), (figures[1], figures[2], figures[3]));
        }
    }
}
