//! The link between two engines: what becomes of a datagram is decided by a seed.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{SplitMix64, Time};

use super::Side;

/// What the link does to datagrams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) seed: u64,
    /// Of a hundred.
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Each takes from a millisecond to this; later ones overtake.
    pub(crate) delay_ms_max: u64,
}

/// A message is lost so often and no more: then every transaction gets through, and both sides must
/// agree in the end. With three, a refresh and its answer may take so long together that the other
/// side gives a session of 90 s up after 60, as RFC 4028 §10 wants it to.
const LOST_IN_A_ROW_MAX: u8 = 2;

impl Weather {
    /// The longest time from the first copy of a message to its arrival: after so many losses
    /// the copy after 0.5 + 1 s (RFC 3261 §17.1.1.2, §13.3.1.4) comes through.
    pub(crate) fn worst(self) -> Duration {
        let repeated = if self.lost > 0 { 1_500 } else { 0 };
        Duration::from_millis(repeated + self.delay_ms_max)
    }

    /// The longest time from an answer to the arrival of the BYE of one who hangs up at once: that
    /// waits for the ACK (RFC 3261 §15). Of five copies of the answer two are lost, and the ACKs of two
    /// more: 0.5 + 1 + 2 + 4 s.
    pub(crate) fn until_bye(self) -> Duration {
        let repeated = if self.lost > 0 { 7_500 } else { 0 };
        Duration::from_millis(repeated + 2 * self.delay_ms_max) + self.worst()
    }
}

pub(crate) struct Link {
    pub(crate) weather: Weather,
    random: SplitMix64,
    pub(crate) under_way: BTreeMap<(Time, u64), (Side, Vec<u8>)>,
    /// Datagrams that were put on their way.
    pub(crate) sent: u64,
    lost: BTreeMap<Vec<u8>, u8>,
}

impl Link {
    pub(crate) fn new(weather: Weather) -> Self {
        Self {
            weather,
            random: SplitMix64::new(weather.seed),
            under_way: BTreeMap::new(),
            sent: 0,
            lost: BTreeMap::new(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    pub(crate) fn send(&mut self, now: Time, to: Side, bytes: &[u8]) {
        if self.below(100) < self.weather.lost {
            let lost = self.lost.entry(bytes.to_vec()).or_default();
            if *lost < LOST_IN_A_ROW_MAX {
                *lost += 1;
                return;
            }
        }
        let copies = 1 + u64::from(self.below(100) < self.weather.doubled);
        for _ in 0..copies {
            self.sent += 1;
            let delay = 1 + self.below(self.weather.delay_ms_max);
            let at = now + Duration::from_millis(delay);
            self.under_way.insert((at, self.sent), (to, bytes.to_vec()));
        }
    }
}
