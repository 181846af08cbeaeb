//! Owns the seam between the media plane and the recorder, which know nothing of each other.

use vocab::media::{RecordingKey, Side};
use vocab::{PauseReason, Time};

struct Adapter(recorder::Tap);

impl media::Tap for Adapter {
    fn start(&mut self, key: RecordingKey, at: Time) {
        self.0.start(key, at);
    }

    fn packet(&mut self, key: RecordingKey, side: Side, arrived: Time, rtp: &[u8]) {
        self.0.packet(key, side, arrived, rtp);
    }

    fn pause(&mut self, key: RecordingKey, at: Time, reason: PauseReason) {
        self.0.pause(key, at, reason);
    }

    fn resume(&mut self, key: RecordingKey, at: Time) {
        self.0.resume(key, at);
    }

    fn stop(&mut self, key: RecordingKey, at: Time) {
        self.0.stop(key, at);
    }

    fn discard(&mut self, key: RecordingKey, at: Time) {
        self.0.discard(key, at);
    }
}

/// The recorder's taps as the media plane wants them.
pub(super) fn adapt(taps: Vec<recorder::Tap>) -> Vec<Box<dyn media::Tap>> {
    taps.into_iter()
        .map(|tap| Box::new(Adapter(tap)) as Box<dyn media::Tap>)
        .collect()
}
