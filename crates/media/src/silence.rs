//! Owns the question how long a leg's peer has sent nothing although it owes audio. A peer that is
//! on hold, has put us on hold, or said before that it falls silent (comfort noise) owes none.

use core::time::Duration;

use vocab::Time;

/// So long is nothing heard of one party of a bridge before that is told; with
/// [`crate::worker`]'s look once a second it is told within 5 s.
const ONE_WAY_AFTER: Duration = Duration::from_millis(3_900);
/// Who was heard so lately speaks.
const SPEAKS_WITHIN: Duration = Duration::from_secs(2);

/// What is known of a peer's silence.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Silence {
    heard: Option<Time>,
    /// Since when the peer owes audio.
    owed: Option<Time>,
    /// Since when it is in a bridge.
    bridged: Option<Time>,
    /// The last packet was comfort noise.
    announced: bool,
    /// When the time-out was told last.
    told: Option<Time>,
    /// Told of as not heard while the other party speaks.
    one_way: bool,
}

/// What to tell of one direction of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OneWay {
    Began,
    Ended,
}

impl Silence {
    /// A packet of the peer came; `announced`: it says that silence follows.
    pub(crate) const fn heard(&mut self, now: Time, announced: bool) {
        self.heard = Some(now);
        self.announced = announced;
    }

    /// The session says whether the peer is to send.
    pub(crate) fn owe(&mut self, now: Time, owes: bool) {
        self.owed = owes.then(|| self.owed.unwrap_or(now));
    }

    /// The leg is in a bridge from now on, or again.
    pub(crate) const fn bridge(&mut self, now: Time) {
        self.bridged = Some(now);
    }

    /// The bridge is over; says whether that ends what was told of it.
    pub(crate) fn unbridge(&mut self) -> Option<OneWay> {
        self.bridged = None;
        core::mem::take(&mut self.one_way).then_some(OneWay::Ended)
    }

    /// Whether the peer was heard just now.
    pub(crate) fn speaks(&self, now: Time) -> bool {
        self.heard
            .is_some_and(|heard| now.since(heard) < SPEAKS_WITHIN)
    }

    /// Whether there is something to tell of this direction; `other_speaks`: the other party does.
    pub(crate) fn one_way(&mut self, now: Time, other_speaks: bool) -> Option<OneWay> {
        let since = self.silent_since().max(self.bridged);
        let silent = self.owes() && since.is_some_and(|since| now.since(since) >= ONE_WAY_AFTER);
        let began = silent && other_speaks && self.bridged.is_some() && !self.one_way;
        let ended = !silent && self.one_way;
        self.one_way = (self.one_way || began) && !ended;
        match (began, ended) {
            (true, _) => Some(OneWay::Began),
            (_, true) => Some(OneWay::Ended),
            (false, false) => None,
        }
    }

    /// How long nothing has come, if that is as long as `limit` since it was told last.
    pub(crate) fn timed_out(&mut self, now: Time, limit: Duration) -> Option<Duration> {
        let since = self.silent_since().filter(|_| self.owes())?;
        let counted = self.told.map_or(since, |told| told.max(since));
        if now.since(counted) < limit {
            return None;
        }
        self.told = Some(now);
        Some(now.since(since))
    }

    const fn owes(&self) -> bool {
        self.owed.is_some() && !self.announced
    }

    fn silent_since(&self) -> Option<Time> {
        self.owed
            .map(|owed| self.heard.map_or(owed, |heard| heard.max(owed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    /// A peer in a bridge that owes audio, and sent some at 10 s.
    fn talking() -> Silence {
        let mut silence = Silence::default();
        silence.owe(s(0), true);
        silence.bridge(s(0));
        silence.heard(s(10), false);
        silence
    }

    #[test]
    fn silence_while_the_other_speaks_is_told_within_five_seconds_and_once() {
        let mut silence = talking();
        assert_eq!(silence.one_way(s(13), true), None);
        assert_eq!(silence.one_way(s(14), true), Some(OneWay::Began));
        assert_eq!(silence.one_way(s(15), true), None);
        assert_eq!(
            silence.one_way(s(16), false),
            None,
            "both are silent: it goes on"
        );
        silence.heard(s(17), false);
        assert_eq!(silence.one_way(s(17), true), Some(OneWay::Ended));
        assert_eq!(silence.one_way(s(18), true), None);
    }

    #[test]
    fn who_never_spoke_is_told_of_from_the_beginning_of_the_bridge() {
        let mut silence = Silence::default();
        silence.owe(s(0), true);
        assert_eq!(silence.one_way(s(50), true), None, "in no bridge");
        silence.bridge(s(60));
        assert_eq!(silence.one_way(s(63), true), None);
        assert_eq!(silence.one_way(s(64), true), Some(OneWay::Began));
        assert_eq!(silence.unbridge(), Some(OneWay::Ended));
        assert_eq!(silence.unbridge(), None);
    }

    #[test]
    fn silence_of_both_of_one_on_hold_and_after_comfort_noise_is_none() {
        let mut silence = talking();
        assert_eq!(silence.one_way(s(20), false), None);
        silence.heard(s(20), true);
        assert_eq!(silence.one_way(s(30), true), None, "comfort noise");
        assert_eq!(silence.timed_out(s(999), Duration::from_secs(30)), None);
        silence.heard(s(30), false);
        silence.owe(s(31), false);
        assert_eq!(silence.one_way(s(40), true), None, "on hold");
        assert_eq!(silence.timed_out(s(999), Duration::from_secs(30)), None);
        silence.owe(s(1_000), true);
        assert_eq!(
            silence.one_way(s(1_003), true),
            None,
            "counted from the end of the hold"
        );
        assert_eq!(silence.one_way(s(1_004), true), Some(OneWay::Began));
        silence.owe(s(1_005), false);
        assert_eq!(silence.one_way(s(1_005), true), Some(OneWay::Ended));
    }

    #[test]
    fn the_time_out_is_told_again_after_each_such_time() {
        let mut silence = talking();
        let limit = Duration::from_secs(30);
        assert_eq!(silence.timed_out(s(39), limit), None);
        assert_eq!(
            silence.timed_out(s(40), limit),
            Some(Duration::from_secs(30))
        );
        assert_eq!(silence.timed_out(s(41), limit), None);
        assert_eq!(
            silence.timed_out(s(70), limit),
            Some(Duration::from_secs(60))
        );
        silence.heard(s(71), false);
        assert_eq!(silence.timed_out(s(100), limit), None);
        assert_eq!(
            silence.timed_out(s(101), limit),
            Some(Duration::from_secs(30))
        );
    }
}
