//! Real telephones: baresip as the operator, SIPp with real audio as the caller. Both sides of
//! the recording are compared with what was played, by correlation.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod harness;

use std::time::Duration;

use harness::audio::{RATE, likeness, pcap_audio, write_mono};
use harness::baresip::Baresip;
use harness::journal::finished;
use harness::{Engine, LogOnPanic, Setup, sipp, until};
use load::{Library, Voices};
use vocab::media::{Codec, Side};

/// What is alike at least, of 1: the same audio, through A-law once.
const ALIKE: f64 = 0.95;

#[test]
fn both_sides_of_a_recording_hold_what_baresip_and_sipp_said() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    // Twenty seconds of an operator's voice that is like nothing else in the test.
    let speech = Library::new(&Voices::generated(77), Codec::Pcma, 77);
    let speech = speech.spoken(Side::Operator, 0, 0, 1_000);
    let file = engine.place.path("operator.wav");
    write_mono(&file, &speech);
    let operator = Baresip::start(&engine, "anna", &file);
    until("baresip's registration", Duration::from_secs(20), || {
        let log = operator.log();
        (log.contains("200 OK") || log.contains("registered successfully")).then_some(())
    });

    // Silent for 3 s, then 7 s of g711a.pcap, all of it within the talk.
    sipp::call(&engine, "uac-talk-later", |options| options.stay = 8_500);

    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(entry.text("operator_login"), "anna");
    let recording = entry.check_recording(&engine.place);
    let talk = entry.number("talk_ms").unwrap();
    assert!(
        (recording.ms() as i64 - talk).abs() <= 40,
        "{} of {talk} ms",
        recording.ms()
    );

    let (at, alike) = likeness(&pcap_audio(&sipp::g711a()), &recording.caller);
    assert!(
        alike > ALIKE,
        "the caller's side is alike by {alike} at {at}"
    );
    // Only what surely fell into the talk: its first eight seconds.
    let speech = &speech[..8 * RATE];
    let (at, alike) = likeness(speech, &recording.operator);
    assert!(
        alike > ALIKE,
        "the operator's side is alike by {alike} at {at}"
    );
    // Nobody is heard on the other's side.
    let (_, crossed) = likeness(speech, &recording.caller);
    assert!(
        crossed < 0.5,
        "the operator is heard on the caller's side: {crossed}"
    );
}
