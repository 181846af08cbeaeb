//! Owns the seam between the media plane and the recorder, which know nothing of each other.

use recorder::Payloads;
use vocab::media::{Codec, PayloadTypes, RecordingKey, Side};
use vocab::{PauseReason, Time};

struct Adapter(recorder::Tap);

impl media::Tap for Adapter {
    fn start(&mut self, key: RecordingKey, at: Time) {
        self.0.start(key, at);
    }

    fn packet(&mut self, key: RecordingKey, side: Side, arrived: Time, rtp: &[u8]) {
        self.0.packet(key, side, arrived, rtp);
    }

    fn codecs(&mut self, key: RecordingKey, side: Side, at: Time, takes: PayloadTypes) {
        let usual = |codec: &Codec| PayloadTypes::STATIC.payload_type(*codec);
        let told: Vec<_> = Codec::ALL
            .into_iter()
            .filter_map(|codec| {
                let kind = takes.payload_type(codec)?;
                (Some(kind) != usual(&codec)).then_some((kind, codec.into()))
            })
            .collect();
        self.0.codecs(key, side, at, Payloads::of(&told));
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
