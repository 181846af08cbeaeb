//! Owns counting what is missing and what came twice in a stream's sequence numbers
//! (RFC 3550 appendix A.1, A.3). Refuses to reorder anything.

use std::collections::VecDeque;

/// A jump by more is a new stream, not a loss (RFC 3550 A.1, MAX_DROPOUT): a minute at 20 ms.
const JUMP_MAX: i64 = 3_000;
/// How far back a packet is recognised as a duplicate.
const WINDOW: usize = 512;

/// Counts over all streams of a side.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    stream: Option<Stream>,
    lost: u64,
    duplicates: u64,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    base: i64,
    highest: i64,
    received: u64,
    /// Whether each of the last `WINDOW` numbers up to `highest` came; the newest at the back.
    seen: VecDeque<bool>,
}

impl Sequence {
    /// Enters a packet. False: it is a duplicate.
    pub(crate) fn enter(&mut self, ssrc: u32, number: u16) -> bool {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == ssrc) {
            let step = i64::from(number.wrapping_sub(stream.highest as u16) as i16);
            if (1 - WINDOW as i64..=JUMP_MAX).contains(&step) {
                let new = stream.enter(step);
                self.duplicates += u64::from(!new);
                return new;
            }
        }
        if let Some(over) = self.stream.take() {
            self.lost += over.lost();
        }
        let base = i64::from(number);
        let seen = VecDeque::from([true]);
        self.stream = Some(Stream {
            ssrc,
            base,
            highest: base,
            received: 1,
            seen,
        });
        true
    }

    /// The stream goes on after a stretch that was not recorded: what is missing there is no loss.
    pub(crate) fn restart(&mut self) {
        self.lost += self.stream.take().map_or(0, |over| over.lost());
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost + self.stream.as_ref().map_or(0, Stream::lost)
    }

    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

impl Stream {
    fn enter(&mut self, step: i64) -> bool {
        if step > 0 {
            self.highest += step;
            self.seen
                .extend(std::iter::repeat_n(false, step as usize - 1));
            self.seen.push_back(true);
            let over = self.seen.len().saturating_sub(WINDOW);
            self.seen.drain(..over);
            self.received += 1;
            return true;
        }
        let back = step.unsigned_abs() as usize;
        let index = self.seen.len().checked_sub(back + 1);
        match index.and_then(|index| self.seen.get_mut(index)) {
            Some(true) => false,
            Some(seen) => {
                *seen = true;
                self.received += 1;
                true
            }
            // Before the first: the stream began earlier than we thought.
            None => {
                let first = self.highest - back as i64;
                while self.seen.len() < back {
                    self.seen.push_front(false);
                }
                self.seen.push_front(true);
                self.base = self.base.min(first);
                self.received += 1;
                true
            }
        }
    }

    fn lost(&self) -> u64 {
        ((self.highest - self.base + 1) as u64).saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wrap_is_no_loss() {
        let mut sequence = Sequence::default();
        (65_530..65_600u32).for_each(|n| assert!(sequence.enter(1, n as u16)));
        assert_eq!((sequence.lost(), sequence.duplicates()), (0, 0));
    }

    #[test]
    fn a_new_source_and_a_restart_are_no_loss() {
        let mut sequence = Sequence::default();
        for (ssrc, number) in [(1, 10), (1, 12), (2, 40_000), (2, 40_001), (2, 7), (2, 9)] {
            assert!(sequence.enter(ssrc, number));
        }
        assert_eq!(sequence.lost(), 2);
    }

    proptest! {
        #[test]
        fn loss_and_duplicates_are_counted_in_any_order(
            base in 0u16..,
            fates in proptest::collection::vec(0u8..=2, 3..300),
            swaps in proptest::collection::vec(0usize..300, 0..40),
        ) {
            // fate: how often each number comes; the ends come for certain.
            let last = fates.len() - 1;
            let times = |i: usize| if i == 0 || i == last { 1 } else { usize::from(fates[i]) };
            let mut order: Vec<usize> =
                (0..fates.len()).flat_map(|i| std::iter::repeat_n(i, times(i))).collect();
            for at in swaps {
                if at + 3 < order.len() {
                    order.swap(at, at + 3);
                }
            }
            let mut sequence = Sequence::default();
            for i in order {
                sequence.enter(9, base.wrapping_add(i as u16));
            }
            let lost = (0..fates.len()).filter(|i| times(*i) == 0).count() as u64;
            let twice = (0..fates.len()).filter(|i| times(*i) == 2).count() as u64;
            prop_assert_eq!((sequence.lost(), sequence.duplicates()), (lost, twice));
        }
    }
}
