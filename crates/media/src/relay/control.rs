//! Owns RTCP of one leg: whose is believed, where ours goes, what it says; and the figures of the
//! leg at its end.

use core::net::SocketAddr;
use core::time::Duration;

use vocab::media::{Codec, Rtcp};
use vocab::{HeardByPeer, LegQuality, PathQuality, Time};

use super::Party;
use crate::emodel;
use crate::reports::NtpClock;
use crate::rtcp::{self, REPORT_BYTES_MAX, Sender};
use crate::xr::{VoipMetrics, of_256};

/// A packet is sent when its last sample has been heard.
const PACKET_TIME: Duration = Duration::from_millis(20);
/// What telephones keep to even out jitter: twice of it, and no less than this.
const JITTER_BUFFER_MIN: Duration = Duration::from_millis(40);

/// Where RTCP of ours goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Towards {
    /// The way of RTP.
    Rtp,
    /// From the RTCP socket to there.
    Apart(SocketAddr),
}

impl Party {
    fn towards(&self) -> Option<Towards> {
        let target = self.latch.target()?;
        let Rtcp::Apart(said) = self.remote?.rtcp else {
            return Some(Towards::Rtp);
        };
        // A peer behind NAT does not know its address; its ports are next to each other if it can.
        let guess = if said.ip() == target.ip() {
            said
        } else {
            SocketAddr::new(target.ip(), target.port().saturating_add(1))
        };
        Some(Towards::Apart(self.rtcp_source.unwrap_or(guess)))
    }

    /// Whether RTCP from there is the peer's: by the rules of its RTP, once that is known, and to be
    /// where the SDP says before.
    fn is_of_peer(&self, from: SocketAddr, on_rtp: bool) -> bool {
        let (Some(target), Some(remote)) = (self.latch.target(), self.remote) else {
            return false;
        };
        match remote.rtcp {
            Rtcp::Muxed => on_rtp && self.latch.is_from_peer(from),
            Rtcp::Apart(said) => !on_rtp && (from == said || from.ip() == target.ip()),
        }
    }

    /// How good the audio was.
    pub(crate) fn quality(&self) -> LegQuality {
        let codec = self.remote.map(|remote| remote.codec);
        let round_trip = self.reports.round_trip_us();
        let way = Duration::from_micros(u64::from(round_trip.unwrap_or_default()) / 2);
        let totals = self.incoming.totals();
        let (jitter, jitter_max) = self.incoming.jitter_us();
        let loss = share(totals.lost(), totals.expected);
        let run = totals.lost() as f64 / totals.gaps.max(1) as f64;
        let from_peer = codec
            .filter(|_| totals.expected > 0)
            .map(|codec| PathQuality {
                expected: totals.expected,
                lost: totals.lost(),
                jitter_us: jitter,
                jitter_max_us: jitter_max,
                // Random loss has runs of 1 / (1 - loss).
                mos: score(codec, loss, run * (1.0 - loss), way, jitter),
            });
        let to_peer = codec.zip(self.reports.told()).map(|(codec, told)| {
            let us = |units: u32| {
                let us = u64::from(units) * 1_000_000 / u64::from(codec.clock_rate());
                u32::try_from(us).unwrap_or(u32::MAX)
            };
            let lost = told.lost.min(self.sent);
            PathQuality {
                expected: self.sent,
                lost,
                jitter_us: us(told.jitter),
                jitter_max_us: us(told.jitter_max),
                mos: score(codec, share(lost, self.sent), 1.0, way, us(told.jitter)),
            }
        });
        LegQuality {
            codec,
            from_peer,
            to_peer,
            round_trip_us: round_trip,
            heard_by_peer: self.reports.metrics().map(heard_by_peer),
        }
    }

    /// How the peer's stream is heard here (RFC 3611 §4.7).
    fn voip_metrics(&self, source: u32) -> Option<VoipMetrics> {
        let codec = self.remote?.codec;
        let round_trip = self.reports.round_trip_us().unwrap_or_default();
        let totals = self.incoming.totals();
        let (jitter, _) = self.incoming.jitter_us();
        let loss = share(totals.lost(), totals.expected);
        let run = totals.lost() as f64 / totals.gaps.max(1) as f64;
        let half = Duration::from_micros(u64::from(round_trip) / 2);
        let conversation = path(codec, loss, run * (1.0 - loss), half, jitter);
        let listening = emodel::Path {
            delay: Duration::ZERO,
            ..conversation
        };
        let tenths = |path: &emodel::Path| u8::try_from((emodel::mos(path) + 5) / 10).ok();
        Some(VoipMetrics {
            source,
            loss_rate: of_256(loss),
            // What comes late goes on late: who hears it decides.
            discard_rate: 0,
            bursts: self.incoming.spread(),
            round_trip_ms: u16::try_from(round_trip / 1_000).unwrap_or(u16::MAX),
            end_system_ms: 0,
            r_factor: Some(emodel::rating(&conversation).round() as u8),
            mos_listening: tenths(&listening),
            mos_conversation: tenths(&conversation),
        })
    }
}

/// What a peer says, in the units of the journal.
fn heard_by_peer(metrics: VoipMetrics) -> HeardByPeer {
    let permille = |share: u8| u16::from(share) * 125 / 32;
    let hundredths = |tenths: u8| u16::from(tenths) * 10;
    HeardByPeer {
        lost_permille: permille(metrics.loss_rate),
        discarded_permille: permille(metrics.discard_rate),
        burst_permille: permille(metrics.bursts.burst_density),
        burst_ms: metrics.bursts.burst_ms,
        delay_ms: metrics.end_system_ms,
        r_factor: metrics.r_factor,
        mos_listening: metrics.mos_listening.map(hundredths),
        mos_conversation: metrics.mos_conversation.map(hundredths),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn score(codec: Codec, loss: f64, burst: f64, way: Duration, jitter_us: u32) -> u16 {
    emodel::mos(&path(codec, loss, burst, way, jitter_us))
}

fn path(codec: Codec, loss: f64, burst: f64, way: Duration, jitter_us: u32) -> emodel::Path {
    let buffer = Duration::from_micros(u64::from(jitter_us) * 2).max(JITTER_BUFFER_MIN);
    emodel::Path {
        codec,
        loss,
        burst,
        delay: way + PACKET_TIME + buffer,
    }
}

/// Takes RTCP that reached a leg, on its RTP port or on that of RTCP. What is a stranger's, or no
/// RTCP, is refused.
pub(crate) fn hear_control(
    leg: &mut Party,
    (now, ntp): (Time, NtpClock),
    (from, on_rtp): (SocketAddr, bool),
    packet: &[u8],
) {
    let said = match leg.is_of_peer(from, on_rtp) {
        true => rtcp::read(packet, leg.outgoing.ssrc()),
        false => None,
    };
    let Some(said) = said else {
        leg.refused += 1;
        return;
    };
    if !on_rtp {
        leg.rtcp_source = Some(from);
    }
    leg.reports.heard(now, ntp, &said);
}

/// Writes the leg's report, if it is time for one or if it closes (then with BYE), and says where
/// it goes. None of a leg whose peer is not known, and no BYE to a peer that never had a packet
/// (RFC 3550 §6.3.7).
pub(crate) fn report(
    leg: &mut Party,
    (now, ntp): (Time, NtpClock),
    closes: bool,
    place: &mut [u8; REPORT_BYTES_MAX],
) -> Option<(usize, Towards)> {
    let wanted = if closes {
        leg.sent > 0 || leg.reports.is_known_to_peer()
    } else {
        leg.reports.is_due(now)
    };
    let towards = leg.towards().filter(|_| wanted)?;
    let sender = leg.outgoing.timestamp_at(now).map(|timestamp| {
        let sender = Sender {
            ntp: ntp.at(now),
            timestamp,
            // Both wrap (RFC 3550 §6.4.1).
            packets: leg.sent as u32,
            octets: leg.sent_octets as u32,
        };
        (leg.sent, sender)
    });
    let reception = leg.incoming.report();
    let ssrc = leg.outgoing.ssrc();
    let mut report = leg.reports.make(now, ntp, ssrc, sender, reception);
    report.metrics = reception.and_then(|reception| leg.voip_metrics(reception.ssrc));
    report.bye = closes;
    Some((rtcp::write(&report, place), towards))
}
