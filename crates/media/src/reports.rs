//! Owns what a leg and its peer report to each other by RTCP: when a report of ours is due, what the
//! peer's say of what we sent, the round trip. No socket, no clock.
//!
//! Two parties on one path need no share of a bandwidth: a report every five seconds, by lot between
//! half and one and a half of it, the first after half of that (RFC 3550 §6.2).

use core::time::Duration;

use vocab::Time;

use crate::incoming::Reception;
use crate::rtcp::{CNAME_BYTES, OfUs, Report, Said, Sender};
use crate::xr::VoipMetrics;

/// Mean time between two reports.
const INTERVAL: Duration = Duration::from_secs(5);
/// A longer round trip is a mistake of the peer's clock.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);

/// Tells RTCP what time it is: microseconds from 1900 to [`Time::ZERO`]. It need not follow the
/// wall clock when that is set (RFC 3550 §6.4.1): only differences count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NtpClock(pub(crate) u64);

impl NtpClock {
    /// Seconds since 1900 in 32.32 bits.
    pub(crate) fn at(self, now: Time) -> u64 {
        let us = self.0.saturating_add(now.as_micros());
        ((us / 1_000_000) << 32) | (((us % 1_000_000) << 32) / 1_000_000)
    }

    /// Their middle 32 bits, in which reports tell times.
    pub(crate) fn middle(self, now: Time) -> u32 {
        (self.at(now) >> 16) as u32
    }
}

/// The reports of one leg.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    cname: [u8; CNAME_BYTES],
    random: u64,
    due: Option<Time>,
    /// Whether any was sent.
    reported: bool,
    /// Packets sent when the last report was made.
    sent_before: u64,
    /// The times of our last two sender reports.
    sent: [u32; 2],
    /// The source of the peer's last sender report, its time, and when it came.
    last_sr: Option<(u32, u32, Time)>,
    /// What the peer says of our stream.
    by_peer: ByPeer,
    /// The peer's metrics of our stream, as it told them last.
    metrics: Option<VoipMetrics>,
    round_trips: Mean,
}

/// Our stream as the peer sees it.
#[derive(Debug, Clone, Copy, Default)]
struct ByPeer {
    reporter: u32,
    lost: i64,
    /// By reporters before.
    lost_before: i64,
    jitter: Mean,
    jitter_max: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: u32) {
        self.sum += u64::from(value);
        self.count += 1;
    }

    fn value(&self) -> Option<u32> {
        u32::try_from(self.sum.checked_div(self.count)?).ok()
    }
}

/// What the peer's reports say in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) lost: u64,
    /// Mean and highest jitter, in units of the timestamp.
    pub(crate) jitter: u32,
    pub(crate) jitter_max: u32,
}

impl Reports {
    /// `random` makes the CNAME and the moments of reports.
    pub(crate) fn new(random: [u64; 2]) -> Self {
        let [high, low] = random;
        let number = (u128::from(high) << 64) | u128::from(low);
        let mut cname = [b'0'; CNAME_BYTES];
        for (place, digit) in cname.iter_mut().zip(0_u32..) {
            let value = (number >> (digit * 4) & 0xf) as u8;
            *place = if value < 10 {
                b'0' + value
            } else {
                b'a' - 10 + value
            };
        }
        Self {
            cname,
            random: low | 1,
            due: None,
            reported: false,
            sent_before: 0,
            sent: [0; 2],
            last_sr: None,
            by_peer: ByPeer::default(),
            metrics: None,
            round_trips: Mean::default(),
        }
    }

    /// The session begins, if it has not begun yet.
    pub(crate) fn begin(&mut self, now: Time) {
        if self.due.is_none() {
            let wait = self.by_lot(INTERVAL / 2);
            self.due = Some(now + wait);
        }
    }

    /// Whether it is time for a report.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether the peer has ever had one.
    pub(crate) const fn is_known_to_peer(&self) -> bool {
        self.reported
    }

    /// Makes the next report. `sender` is what we sent in all: in a sender report if any of it is new.
    pub(crate) fn make(
        &mut self,
        now: Time,
        ntp: NtpClock,
        ssrc: u32,
        sender: Option<(u64, Sender)>,
        reception: Option<Reception>,
    ) -> Report {
        let wait = self.by_lot(INTERVAL);
        self.due = Some(now + wait);
        self.reported = true;
        let sender = sender.and_then(|(packets, sender)| {
            let before = core::mem::replace(&mut self.sent_before, packets);
            (packets > before).then_some(sender)
        });
        if sender.is_some() {
            self.sent = [ntp.middle(now), self.sent[0]];
        }
        let last_sr = match (self.last_sr, reception) {
            (Some((of, middle, at)), Some(reception)) if of == reception.ssrc => {
                (middle, in_65536ths(now.since(at)))
            }
            (_, _) => (0, 0),
        };
        Report {
            ssrc,
            sender,
            reception,
            last_sr,
            cname: self.cname,
            metrics: None,
            bye: false,
        }
    }

    /// The peer reports.
    pub(crate) fn heard(&mut self, now: Time, ntp: NtpClock, said: &Said) {
        if let Some(middle) = said.sent_at {
            self.last_sr = Some((said.ssrc, middle, now));
        }
        self.metrics = said.metrics.or(self.metrics);
        let Some(of_us) = said.of_us else { return };
        let peer = &mut self.by_peer;
        if peer.reporter != said.ssrc {
            peer.lost_before += peer.lost;
            peer.reporter = said.ssrc;
        }
        // Doubles can make it less than none.
        peer.lost = i64::from(of_us.lost).max(0);
        peer.jitter.add(of_us.jitter);
        peer.jitter_max = peer.jitter_max.max(of_us.jitter);
        self.note_round_trip(ntp.middle(now), &of_us);
    }

    /// RFC 3550 §6.4.1. Only of reports that were sent: some peers invent the time.
    fn note_round_trip(&mut self, now: u32, of_us: &OfUs) {
        if of_us.last_sr == 0 || !self.sent.contains(&of_us.last_sr) {
            return;
        }
        let passed = now.wrapping_sub(of_us.last_sr);
        // A delay told longer than it was comes to a little less than nothing.
        let round_trip = passed.saturating_sub(of_us.since_last_sr);
        let us = u64::from(round_trip) * 1_000_000 / 65_536;
        if Duration::from_micros(us) <= ROUND_TRIP_MAX {
            self.round_trips.add(us as u32);
        }
    }

    /// What the peer's reports say; `None` if there were none.
    pub(crate) fn told(&self) -> Option<Told> {
        let peer = &self.by_peer;
        Some(Told {
            jitter: peer.jitter.value()?,
            jitter_max: peer.jitter_max,
            lost: (peer.lost_before + peer.lost).unsigned_abs(),
        })
    }

    /// What the peer says of how it hears us (RFC 3611).
    pub(crate) const fn metrics(&self) -> Option<VoipMetrics> {
        self.metrics
    }

    /// The mean round trip, microseconds.
    pub(crate) fn round_trip_us(&self) -> Option<u32> {
        self.round_trips.value()
    }

    /// Between half and one and a half of a time (xorshift: no secret depends on it).
    fn by_lot(&mut self, mean: Duration) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        mean / 2 + mean * ((self.random >> 32) as u32 % 1_001) / 1_000
    }
}

fn in_65536ths(span: Duration) -> u32 {
    u32::try_from(span.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NTP: NtpClock = NtpClock(3_900_000_000_000_000);

    fn sender(packets: u64) -> Option<(u64, Sender)> {
        let ntp = 0;
        let (timestamp, octets) = (0, 0);
        let packets = packets as u32;
        Some((
            u64::from(packets),
            Sender {
                ntp,
                timestamp,
                packets,
                octets,
            },
        ))
    }

    fn of_us(lost: i32, last_sr: u32, since_last_sr: u32) -> Said {
        let of_us = OfUs {
            lost,
            jitter: 16,
            last_sr,
            since_last_sr,
        };
        Said {
            ssrc: 9,
            sent_at: None,
            of_us: Some(of_us),
            metrics: None,
            bye: false,
        }
    }

    #[test]
    fn ntp_times_are_seconds_and_fractions() {
        assert_eq!(NtpClock(0).at(Time::from_millis(1_500)), 0x1_8000_0000);
        assert_eq!(NtpClock(0).middle(Time::from_millis(1_500)), 0x1_8000);
    }

    #[test]
    fn reports_come_every_five_seconds_by_lot_and_the_first_sooner() {
        let mut reports = Reports::new([1, 2]);
        assert!(
            !reports.is_due(Time::from_millis(99_999)),
            "no session, no report"
        );
        reports.begin(Time::ZERO);
        let first = reports.due.unwrap().as_millis();
        assert!((1_250..=3_750).contains(&first), "{first}");
        reports.begin(Time::from_millis(1_000));
        assert_eq!(
            reports.due.unwrap().as_millis(),
            first,
            "a change of session is no beginning"
        );
        let (mut now, mut waits) = (Time::ZERO, Vec::new());
        for _ in 0..400 {
            reports.make(now, NTP, 1, None, None);
            let due = reports.due.unwrap();
            waits.push(due.since(now).as_millis() as u64);
            now = due;
        }
        assert!(waits.iter().all(|wait| (2_500..=7_500).contains(wait)));
        let mean = waits.iter().sum::<u64>() / 400;
        assert!((4_700..=5_300).contains(&mean), "{mean}");
    }

    #[test]
    fn the_round_trip_is_what_is_left_without_the_peers_delay() {
        let mut reports = Reports::new([1, 2]);
        let sent = Time::from_millis(7_000);
        reports.make(sent, NTP, 1, sender(5), None);
        // 80 ms on the way, half a second at the peer.
        let back = Time::from_millis(7_580);
        reports.heard(back, NTP, &of_us(3, NTP.middle(sent), 32_768));
        let us = reports.round_trip_us().unwrap();
        assert!((79_900..=80_100).contains(&us), "{us}");
        // Times of nobody's report, and none.
        reports.heard(back, NTP, &of_us(3, 12_345, 0));
        reports.heard(back, NTP, &of_us(3, 0, 0));
        assert_eq!(reports.round_trip_us(), Some(us));
        // A peer that tells a longer delay than there was.
        reports.heard(back, NTP, &of_us(3, NTP.middle(sent), 65_536));
        assert!(reports.round_trip_us().unwrap() <= us / 2 + 1);
    }

    #[test]
    fn who_has_sent_nothing_new_reports_as_a_receiver() {
        let mut reports = Reports::new([1, 2]);
        assert!(
            reports
                .make(Time::ZERO, NTP, 1, sender(5), None)
                .sender
                .is_some()
        );
        assert!(
            reports
                .make(Time::ZERO, NTP, 1, sender(5), None)
                .sender
                .is_none()
        );
        assert!(
            reports
                .make(Time::ZERO, NTP, 1, sender(6), None)
                .sender
                .is_some()
        );
    }

    #[test]
    fn losses_of_a_peer_that_begins_anew_add_up() {
        let mut reports = Reports::new([1, 2]);
        assert_eq!(reports.told(), None);
        reports.heard(Time::ZERO, NTP, &of_us(7, 0, 0));
        reports.heard(Time::ZERO, NTP, &of_us(-2, 0, 0));
        reports.heard(Time::ZERO, NTP, &of_us(4, 0, 0));
        let anew = Said {
            ssrc: 10,
            ..of_us(1, 0, 0)
        };
        reports.heard(Time::ZERO, NTP, &anew);
        let told = Told {
            lost: 5,
            jitter: 16,
            jitter_max: 16,
        };
        assert_eq!(reports.told(), Some(told));
    }

    #[test]
    fn the_delay_since_a_sender_report_is_told_of_its_own_source_only() {
        let mut reports = Reports::new([1, 2]);
        let heard = Said {
            ssrc: 5,
            sent_at: Some(0xabcd),
            of_us: None,
            metrics: None,
            bye: false,
        };
        reports.heard(Time::from_millis(1_000), NTP, &heard);
        let reception = |ssrc| {
            Some(Reception {
                ssrc,
                fraction_lost: 0,
                lost: 0,
                newest: 0,
                jitter: 0,
            })
        };
        let later = Time::from_millis(1_500);
        let report = reports.make(later, NTP, 1, None, reception(5));
        assert_eq!(report.last_sr, (0xabcd, 32_768));
        assert_eq!(
            reports.make(later, NTP, 1, None, reception(6)).last_sr,
            (0, 0)
        );
    }

    #[test]
    fn names_are_random_and_plain() {
        let (one, other) = (Reports::new([1, 2]), Reports::new([1, 3]));
        assert_ne!(one.cname, other.cname);
        assert!(one.cname.iter().all(u8::is_ascii_alphanumeric));
    }
}
