//! Owns the beat of prompts, translations and mixes: which legs get a frame now. Absolute, so that nothing drifts: beats
//! lie on one grid of 20 ms from the start of the process, cut into slots so that a thousand
//! prompts are not sent in one burst in front of the audio that is relayed.

use core::time::Duration;

use udp_io::SocketId;
use vocab::Time;

use crate::audio::FRAME;

/// Slots in 20 ms: one every 2.5 ms, about as often as a busy thread wakes up anyway.
const SLOTS: u64 = 8;
/// A thread that was held up sends what it missed at once if it is no more than this; beyond it
/// the prompts lose the time instead of arriving in a heap that no telephone would buffer.
const MISSED_MAX: Duration = Duration::from_millis(100);

/// The legs that are played to or translated for, and the mixes, by slot.
#[derive(Debug)]
pub(crate) struct Metronome {
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// The next beat; kept up while somebody plays.
    due: Time,
    players: Vec<Player>,
}

/// Who gets a frame on a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Player {
    /// A leg that is played to, or for which keys are pressed.
    Leg(SocketId),
    /// A leg for which the other party is decoded.
    Translation(SocketId),
    /// All parties of a mix.
    Mix(MixId),
}

/// A mix of the thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MixId(pub(crate) usize);

/// A slot, as given by [`Metronome::add`] and [`Metronome::strike`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId(usize);

impl Metronome {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
        }
    }

    /// A leg is played to from the next beat of the emptiest slot on, the soonest if several are
    /// as empty.
    pub(crate) fn add(&mut self, now: Time, player: Player) -> SlotId {
        let beats = self.slots.iter().enumerate();
        let best = beats.min_by_key(|(index, slot)| (slot.players.len(), next_beat(*index, now)));
        self.add_to(now, best.map_or(0, |(index, _)| index), player)
    }

    /// As [`Self::add`], from the beat that is farthest ahead on: until then each party of a mix
    /// has sent a packet.
    pub(crate) fn add_late(&mut self, now: Time, player: Player) -> SlotId {
        let beats = 0..self.slots.len();
        let last = beats.max_by_key(|index| next_beat(*index, now));
        self.add_to(now, last.unwrap_or_default(), player)
    }

    fn add_to(&mut self, now: Time, index: usize, player: Player) -> SlotId {
        if let Some(slot) = self.slots.get_mut(index) {
            if slot.players.is_empty() {
                slot.due = next_beat(index, now);
            }
            slot.players.push(player);
        }
        SlotId(index)
    }

    /// A leg is played to no more.
    pub(crate) fn remove(&mut self, slot: SlotId, player: Player) {
        if let Some(slot) = self.slots.get_mut(slot.0) {
            slot.players.retain(|other| *other != player);
        }
    }

    /// The next beat of anybody.
    pub(crate) fn next_due(&self) -> Option<Time> {
        let busy = self.slots.iter().filter(|slot| !slot.players.is_empty());
        busy.map(|slot| slot.due).min()
    }

    /// A slot whose beat has come; it is then set to its next beat. Call until `None`, and send one
    /// frame to each of its players every time.
    pub(crate) fn strike(&mut self, now: Time) -> Option<SlotId> {
        let busy = self
            .slots
            .iter_mut()
            .enumerate()
            .filter(|(_, slot)| !slot.players.is_empty());
        let (index, slot) = busy.min_by_key(|(_, slot)| slot.due)?;
        if slot.due > now {
            return None;
        }
        slot.due = match now.since(slot.due) > MISSED_MAX {
            true => next_beat(index, now),
            false => slot.due + FRAME,
        };
        Some(SlotId(index))
    }

    /// The players of a slot, by index from 0.
    pub(crate) fn player(&self, slot: SlotId, index: usize) -> Option<Player> {
        self.slots.get(slot.0)?.players.get(index).copied()
    }

    /// How many players a slot has.
    pub(crate) fn len(&self, slot: SlotId) -> usize {
        self.slots.get(slot.0).map_or(0, |slot| slot.players.len())
    }
}

/// The first beat of a slot after `now`.
fn next_beat(slot: usize, now: Time) -> Time {
    let period = FRAME.as_micros() as u64;
    let phase = period / SLOTS * slot as u64;
    let passed = (now.as_micros() + period - phase) / period;
    Time::from_micros(passed * period + phase)
}

#[cfg(test)]
mod tests {
    use udp_io::{SimNet, Udp};

    use super::*;

    fn sockets(count: usize) -> Vec<Player> {
        let mut set = SimNet::new().sockets();
        (0..count)
            .map(|_| Player::Leg(set.bind("10.0.0.1:0".parse().unwrap()).unwrap()))
            .collect()
    }

    #[test]
    fn a_player_is_struck_every_20_ms_whenever_we_look() {
        let mut metronome = Metronome::new();
        let start = Time::from_micros(1_234_567);
        metronome.add(start, sockets(1)[0]);
        let first = metronome.next_due().unwrap();
        assert!(first > start && first.since(start) <= Duration::from_micros(2_500));
        // Looked at with irregular delays for 10 s: 500 beats and no drift.
        let mut beats = 0;
        for look in 0..4_000_u64 {
            let now = first + Duration::from_micros(look * 2_500 + look * 7_919 % 2_000);
            while metronome.strike(now).is_some() {
                beats += 1;
            }
        }
        assert_eq!(beats, 500);
        assert_eq!(metronome.next_due(), Some(first + Duration::from_secs(10)));
    }

    #[test]
    fn many_players_are_spread_evenly() {
        let mut metronome = Metronome::new();
        for player in sockets(80) {
            metronome.add(Time::from_millis(5), player);
        }
        assert!((0..8).all(|slot| metronome.len(SlotId(slot)) == 10));
    }

    #[test]
    fn a_long_stall_is_not_made_up_in_a_heap() {
        let mut metronome = Metronome::new();
        metronome.add(Time::ZERO, sockets(1)[0]);
        let late = Time::from_millis(90);
        assert_eq!(
            (0..50).filter(|_| metronome.strike(late).is_some()).count(),
            5
        );
        let later = Time::from_millis(5_000);
        assert_eq!(
            (0..50)
                .filter(|_| metronome.strike(later).is_some())
                .count(),
            1
        );
    }
}
