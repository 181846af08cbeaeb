//! Owns the question whether a peer speaks: frames that stand out above the background. Refuses to
//! know words; music and a loud street are speech to it until they last.

use core::time::Duration;

use vocab::Time;

/// Mean square of a sample below which nothing is speech: -45 dBov.
const LEAST: f32 = 34_000.0;
/// So far speech stands out above the background: 9 dB.
const ABOVE: f32 = 8.0;
/// What a background may have to begin with: -35 dBov. Who speaks at once is louder.
const FLOOR_MAX: f32 = 340_000.0;
/// By so much the background is believed to rise with each packet: some 4 dB a second.
const RISE: f32 = 1.02;
/// Shorter sounds are clicks.
const CLICK: Duration = Duration::from_millis(60);
/// A sample at 8 kHz.
const SAMPLE: Duration = Duration::from_micros(125);

/// What was heard of a peer so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speech {
    floor: Option<f32>,
    /// How long the sound lasts that goes on now.
    sound: Duration,
    spoken: Duration,
    last: Time,
}

impl Speech {
    /// Nothing was heard yet.
    pub(crate) const fn new(now: Time) -> Self {
        Self {
            floor: None,
            sound: Duration::ZERO,
            spoken: Duration::ZERO,
            last: now,
        }
    }

    /// Hears the audio of one packet.
    pub(crate) fn hear(&mut self, now: Time, samples: &[i16]) {
        if samples.is_empty() {
            return;
        }
        let square = |sample: &i16| f32::from(*sample) * f32::from(*sample);
        let energy = samples.iter().map(square).sum::<f32>() / samples.len() as f32;
        let floor = self.floor.unwrap_or(energy.min(FLOOR_MAX));
        self.floor = Some((floor * RISE).min(energy).max(1.0));
        if energy < LEAST.max(floor * ABOVE) {
            self.sound = Duration::ZERO;
            return;
        }
        let length = SAMPLE.saturating_mul(u32::try_from(samples.len()).unwrap_or(u32::MAX));
        let before = self.sound;
        self.sound += length;
        if self.sound > CLICK {
            // What seemed a click belongs to it.
            self.spoken += if before > CLICK { length } else { self.sound };
            self.last = now;
        }
    }

    /// How much was said.
    pub(crate) const fn spoken(&self) -> Duration {
        self.spoken
    }

    /// For how long nothing has been said.
    pub(crate) fn silence(&self, now: Time) -> Duration {
        now.since(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms of a tone of this height.
    fn frame(height: f32) -> Vec<i16> {
        let sample = |at: usize| (height * (at as f32 * 0.7).sin()) as i16;
        (0..160).map(sample).collect()
    }

    fn hear(speech: &mut Speech, at: &mut u64, height: f32, frames: usize) {
        for _ in 0..frames {
            *at += 20;
            speech.hear(Time::from_millis(*at), &frame(height));
        }
    }

    #[test]
    fn words_are_speech_and_the_background_is_none() {
        let (mut speech, mut at) = (Speech::new(Time::ZERO), 0);
        hear(&mut speech, &mut at, 300.0, 50);
        assert_eq!(speech.spoken(), Duration::ZERO);
        for _ in 0..4 {
            hear(&mut speech, &mut at, 5_000.0, 10);
            hear(&mut speech, &mut at, 300.0, 5);
        }
        assert_eq!(speech.spoken(), Duration::from_millis(800));
        assert_eq!(
            speech.silence(Time::from_millis(at)),
            Duration::from_millis(100)
        );
    }

    #[test]
    fn a_click_is_none_and_noise_that_lasts_becomes_background() {
        let (mut speech, mut at) = (Speech::new(Time::ZERO), 0);
        for _ in 0..20 {
            hear(&mut speech, &mut at, 8_000.0, 2);
            hear(&mut speech, &mut at, 0.0, 10);
        }
        assert_eq!(speech.spoken(), Duration::ZERO);
        let mut noise = Speech::new(Time::ZERO);
        hear(&mut noise, &mut at, 700.0, 500);
        assert_eq!(
            noise.spoken(),
            Duration::ZERO,
            "it was there from the start"
        );
    }

    #[test]
    fn who_speaks_at_once_is_heard() {
        let (mut speech, mut at) = (Speech::new(Time::ZERO), 0);
        hear(&mut speech, &mut at, 6_000.0, 20);
        assert_eq!(speech.spoken(), Duration::from_millis(400));
    }
}
