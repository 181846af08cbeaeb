//! Owns the audio's part of an entry: what was measured of each leg, and the times in which one party
//! of a talk was not heard.

use std::time::Duration;

use vocab::media::Side;
use vocab::{Fact, LegCounts, LegId, LegQuality, Party};

use crate::entry::{Entry, Moment, Segment};

/// A leg whose audio is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// Which leg.
    pub leg: LegId,
    /// Who was there; `None` for the caller.
    pub party: Option<Party>,
    /// When it was closed.
    pub closed: Moment,
    /// What came and went.
    pub counts: LegCounts,
    /// How well.
    pub quality: LegQuality,
    /// It was hung up on after so long a silence.
    pub silent: Option<Duration>,
}

/// A time in which one party of a talk was not heard while the other spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneWay {
    /// Who was not heard.
    pub silent: Side,
    /// Since when it was noticed.
    pub from: Moment,
    /// Until when; `None` while it lasts.
    pub until: Option<Moment>,
}

impl Entry {
    pub(crate) fn one_way_started(&mut self, moment: Moment, segment: u16, silent: Side) {
        let open = self
            .segments
            .iter_mut()
            .find(|s| s.number == segment && s.ended.is_none());
        match open {
            Some(open) => open.one_way.push(OneWay {
                silent,
                from: moment,
                until: None,
            }),
            None => self.oddities.push(format!(
                "a party of segment {segment} was not heard without it being open"
            )),
        }
    }

    pub(crate) fn one_way_ended(&mut self, moment: Moment, segment: u16, silent: Side) {
        let open = self
            .segments
            .iter_mut()
            .filter(|s| s.number == segment)
            .flat_map(|s| &mut s.one_way)
            .find(|one| one.silent == silent && one.until.is_none());
        match open {
            Some(one) => one.until = Some(moment),
            None => self.oddities.push(format!(
                "a party of segment {segment} was heard again that had been"
            )),
        }
    }

    pub(crate) fn leg_measured(&mut self, moment: Moment, fact: &Fact) {
        let Fact::LegMeasured {
            leg,
            party,
            counts,
            quality,
            ..
        } = fact
        else {
            return;
        };
        let silent = self.silences.get(leg).copied();
        self.legs.push(Leg {
            leg: *leg,
            party: party.clone(),
            closed: moment,
            counts: *counts,
            quality: *quality,
            silent,
        });
    }

    /// The worst direction of any leg, hundredths of a MOS; `None` if nothing was measured.
    #[must_use]
    pub fn mos(&self) -> Option<u16> {
        self.legs
            .iter()
            .filter_map(|leg| leg.quality.mos_worse())
            .min()
    }

    /// The longest mean round trip of any leg; `None` if no peer's reports told one.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        let trips = self.legs.iter().filter_map(|leg| leg.quality.round_trip_us);
        trips.max().map(|us| Duration::from_micros(us.into()))
    }

    /// Talk in which one party was not heard; `None` if there was no talk.
    #[must_use]
    pub fn one_way(&self) -> Option<Duration> {
        (!self.segments.is_empty()).then(|| self.segments.iter().filter_map(Segment::one_way).sum())
    }
}

impl Segment {
    /// How much of the talk one party was not heard; `None` while they talk.
    #[must_use]
    pub fn one_way(&self) -> Option<Duration> {
        let (end, _) = self.ended?;
        let times = self.one_way.iter().map(|one| (one.from, one.until));
        Some(self.covered(times, end))
    }
}
