//! Owns the count of key presses of one peer, whichever ways they come: by telephone-events, in the
//! audio, by signalling. A gateway may send one press by two of them; it is one press.

use core::time::Duration;

use vocab::Time;

/// The same press comes by another way no later than this. An INFO is often sent when the key is let
/// go, and through a proxy or two.
const SAME_WITHIN: Duration = Duration::from_millis(1_500);
/// Presses that are remembered: nobody presses more keys in the time above.
const REMEMBERED: usize = 8;

/// How a press came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// RFC 4733.
    Event,
    /// As tones in the audio.
    Inband,
    /// In an INFO.
    Signalling,
}

/// The last presses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Presses {
    last: [Option<Press>; REMEMBERED],
    /// Where the next one is kept.
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    digit: char,
    /// When it was last noticed.
    at: Time,
    ways: u8,
}

impl Presses {
    /// A key is pressed, as one way tells it. True if no other way has told it already.
    pub(crate) fn note(&mut self, now: Time, digit: char, way: Way) -> bool {
        let bit = 1 << way as u8;
        let (newer, older) = self.last.split_at_mut(self.next);
        // The oldest first: ways keep the order of presses.
        let mut known = older.iter_mut().chain(newer).flatten();
        let same = known.find(|press| {
            press.digit == digit && press.ways & bit == 0 && now.since(press.at) < SAME_WITHIN
        });
        if let Some(press) = same {
            press.ways |= bit;
            return false;
        }
        let press = Press {
            digit,
            at: now,
            ways: bit,
        };
        if let Some(place) = self.last.get_mut(self.next) {
            *place = Some(press);
        }
        self.next = (self.next + 1) % REMEMBERED;
        true
    }

    /// The key that was pressed last is still down.
    pub(crate) fn goes_on(&mut self, now: Time) {
        let newest = (self.next + REMEMBERED - 1) % REMEMBERED;
        if let Some(Some(press)) = self.last.get_mut(newest) {
            press.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Way::{Event, Inband, Signalling};
    use super::*;

    /// What is reported of (ms, digit, way).
    fn reported(told: &[(u64, char, Way)]) -> String {
        let mut presses = Presses::default();
        let mut kept = told.to_vec();
        kept.retain(|(ms, digit, way)| presses.note(Time::from_millis(*ms), *digit, *way));
        kept.iter().map(|(_, digit, _)| digit).collect()
    }

    #[test]
    fn a_press_that_comes_three_ways_is_one() {
        let told = [(0, '5', Event), (40, '5', Inband), (400, '5', Signalling)];
        assert_eq!(reported(&told), "5");
    }

    #[test]
    fn the_same_key_twice_is_two_presses_in_each_way_and_together() {
        assert_eq!(reported(&[(0, '1', Event), (150, '1', Event)]), "11");
        let both = [
            (0, '1', Event),
            (40, '1', Inband),
            (150, '1', Event),
            (190, '1', Inband),
        ];
        assert_eq!(reported(&both), "11");
        // One way lags behind the other by more than a press.
        let late = [
            (0, '1', Event),
            (150, '1', Event),
            (300, '2', Event),
            (500, '1', Signalling),
            (650, '1', Signalling),
            (800, '2', Signalling),
        ];
        assert_eq!(reported(&late), "112");
    }

    #[test]
    fn another_way_after_a_while_is_another_press() {
        assert_eq!(reported(&[(0, '1', Event), (1_500, '1', Signalling)]), "11");
    }

    #[test]
    fn a_key_held_for_long_and_then_told_by_info_is_one_press() {
        let mut presses = Presses::default();
        assert!(presses.note(Time::ZERO, '1', Event));
        presses.goes_on(Time::from_millis(4_000));
        assert!(!presses.note(Time::from_millis(4_200), '1', Signalling));
    }

    proptest! {
        #[test]
        fn two_ways_that_tell_the_same_are_heard_as_one(
            keys in prop::collection::vec((0_usize..4, 100_u64..800), 1..40), lag in 0_u64..1_400,
        ) {
            let mut at = 0;
            let (mut told, mut wanted) = (Vec::new(), String::new());
            for (key, pause) in keys {
                at += pause.max(lag / 6);
                let digit = ['1', '2', '#', 'A'][key];
                wanted.push(digit);
                told.push((at, digit, Event));
                told.push((at + lag, digit, Inband));
            }
            told.sort_by_key(|(ms, ..)| *ms);
            prop_assert_eq!(reported(&told), wanted);
        }
    }
}
