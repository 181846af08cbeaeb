//! Owns the seam between the media plane and whoever records.

use vocab::media::{PayloadTypes, RecordingKey, Side};
use vocab::{PauseReason, Time};

/// Where packets to be recorded go. Called on the media thread: it never blocks and never
/// allocates.
pub trait Tap: Send {
    /// A recording begins.
    fn start(&mut self, key: RecordingKey, at: Time);

    /// A packet with audio arrived from one side: the whole RTP packet as its peer sent it.
    fn packet(&mut self, key: RecordingKey, side: Side, arrived: Time, rtp: &[u8]);

    /// On which payload types a side's audio comes from now on, where they are not the static ones
    /// alone. For a tap that reads packets; another one has no use for it.
    fn codecs(&mut self, key: RecordingKey, side: Side, at: Time, takes: PayloadTypes) {
        let _ = (key, side, at, takes);
    }

    /// Nothing of a recording is to be kept, until it goes on or is over.
    fn pause(&mut self, key: RecordingKey, at: Time, reason: PauseReason);

    /// A recording goes on.
    fn resume(&mut self, key: RecordingKey, at: Time);

    /// A recording is over; no packet of it follows.
    fn stop(&mut self, key: RecordingKey, at: Time);

    /// A recording is over of which nothing is to be kept; no packet of it follows.
    fn discard(&mut self, key: RecordingKey, at: Time);
}

/// Records nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTap;

impl Tap for NoTap {
    fn start(&mut self, _key: RecordingKey, _at: Time) {}

    fn packet(&mut self, _key: RecordingKey, _side: Side, _arrived: Time, _rtp: &[u8]) {}

    fn pause(&mut self, _key: RecordingKey, _at: Time, _reason: PauseReason) {}

    fn resume(&mut self, _key: RecordingKey, _at: Time) {}

    fn stop(&mut self, _key: RecordingKey, _at: Time) {}

    fn discard(&mut self, _key: RecordingKey, _at: Time) {}
}
