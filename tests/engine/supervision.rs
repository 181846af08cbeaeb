//! A supervisor's telephone in a real talk: three baresips, each with a voice of its own, and who heard
//! whom when; and what of it is in the recording.

use std::time::Duration;

use crate::harness::audio::{RATE, write_tone};
use crate::harness::baresip::{Baresip, Way};
use crate::harness::journal::finished;
use crate::harness::{Engine, LogOnPanic, Setup, text_of, until};

const CALLER: f64 = 400.0;
const OPERATOR: f64 = 730.0;
const SUPERVISOR: f64 = 1_130.0;
/// How long each mode lasts.
const MODE: Duration = Duration::from_secs(4);
/// A piece in which a voice is looked for.
const PIECE: usize = RATE / 5;

fn run(engine: &Engine, arguments: &[&str]) -> String {
    let output = engine.place.run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text_of(&output)
    );
    text_of(&output)
}

/// The call of which the journal has a line.
fn call_with(engine: &Engine, line: &str) -> String {
    until(line, Duration::from_secs(20), || {
        let output = engine.place.run(&["call", "show", "--last", "1"]);
        let text = text_of(&output);
        let name = text.strip_prefix("call ")?.split(',').next()?.to_owned();
        text.contains(line).then_some(name)
    })
}

/// For each piece of what was heard, whether a voice is in it (Goertzel).
fn pieces(heard: &[i16], voice: f64) -> Vec<bool> {
    let turn = 2.0 * (std::f64::consts::TAU * voice / RATE as f64).cos();
    let height = |piece: &[i16]| {
        let (mut one, mut two) = (0.0, 0.0);
        for sample in piece {
            (one, two) = (f64::from(*sample) + turn * one - two, one);
        }
        let power: f64 = one * one + two * two - turn * one * two;
        2.0 * power.max(0.0).sqrt() / piece.len() as f64
    };
    heard
        .chunks_exact(PIECE)
        .map(|piece| height(piece) > 1_000.0)
        .collect()
}

/// Seconds in which a voice is heard, and the longest run of pieces without it between the first and the
/// last of them.
fn heard_for(heard: &[i16], voice: f64) -> (f64, usize) {
    let pieces = pieces(heard, voice);
    let there = pieces.iter().filter(|there| **there).count();
    let first = pieces.iter().position(|there| *there).unwrap_or(0);
    let last = pieces.iter().rposition(|there| *there).unwrap_or(0);
    let gaps = pieces[first..=last.max(first)].split(|there| *there);
    let gap = gaps.map(<[bool]>::len).max().unwrap_or(0);
    (there as f64 * PIECE as f64 / RATE as f64, gap)
}

#[test]
fn a_supervisor_hears_all_whispers_to_the_operator_and_barges_in_and_the_recording_knows_no_whisper()
 {
    let engine = Engine::start(&Setup {
        operators: vec!["anna".to_owned(), "boris".to_owned()],
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let voice = |name: &str, hertz| {
        let path = engine.place.path(name);
        write_tone(&path, hertz, 60_000);
        path
    };
    let anna = Baresip::start(&engine, "anna", &voice("anna.wav", OPERATOR));
    let boris = Baresip::start(&engine, "boris", &voice("boris.wav", SUPERVISOR));
    anna.registered();
    boris.registered();
    // So that the call is anna's; whoever supervises need not be at work in a queue.
    run(&engine, &["operators", "status", "boris", "training"]);
    let speech = voice("caller.wav", CALLER);
    let mut caller = Baresip::caller(&engine, &speech, Way::UDP, 22);
    let call = call_with(&engine, "talk with anna begins");

    let mode = |mode| {
        let order = ["acd", "supervise", &call, "--mode", mode, "--with", "boris"];
        run(&engine, &order);
    };
    mode("listen");
    call_with(&engine, "boris supervises: listen");
    std::thread::sleep(MODE);
    mode("whisper");
    std::thread::sleep(MODE);
    mode("barge");
    std::thread::sleep(MODE);
    run(&engine, &["acd", "unsupervise", &call]);
    caller.ended();

    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    assert_eq!(entry.number("segments"), Some(1), "{entry:?}");
    let recording = entry.check_recording(&engine.place);
    let talk = entry.number("talk_ms").unwrap();
    assert!((recording.ms() as i64 - talk).abs() <= 40, "{talk}");
    let shown = run(&engine, &["call", "show", &call]);
    for line in [
        "supervises: listen",
        "from now on: whisper",
        "from now on: barge",
        "no more: ordered",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }

    let near = |what: &str, seconds: f64, modes: f64| {
        let expected = MODE.as_secs_f64() * modes;
        // The orders are programs, which take their time to start on a machine that does more.
        let late = 4.0 * modes;
        let good = (expected - 0.6..expected + late).contains(&seconds);
        assert!(good, "{what}: {seconds} s instead of {expected}");
    };
    let (all, gap) = heard_for(&boris.heard(), CALLER);
    near("the supervisor hears the caller", all, 3.0);
    assert!(gap <= 1, "without a gap: {gap}");
    let (all, gap) = heard_for(&boris.heard(), OPERATOR);
    near("the supervisor hears the operator", all, 3.0);
    assert!(gap <= 1, "without a gap: {gap}");
    assert_eq!(heard_for(&boris.heard(), SUPERVISOR).0, 0.0, "itself");
    near(
        "the operator hears the supervisor",
        heard_for(&anna.heard(), SUPERVISOR).0,
        2.0,
    );
    near(
        "the caller hears the supervisor",
        heard_for(&caller.heard(), SUPERVISOR).0,
        1.0,
    );
    for (name, heard, voice) in [
        ("the caller hears the operator", caller.heard(), OPERATOR),
        ("the operator hears the caller", anna.heard(), CALLER),
        (
            "the caller in the recording",
            recording.caller.clone(),
            CALLER,
        ),
        (
            "the operator in the recording",
            recording.operator.clone(),
            OPERATOR,
        ),
    ] {
        let (seconds, gap) = heard_for(&heard, voice);
        let talk = talk as f64 / 1_000.0;
        assert!(
            (talk - 1.5..=talk + 0.4).contains(&seconds),
            "{name}: {seconds} of {talk} s"
        );
        assert!(gap <= 1, "{name}: {gap}");
    }
    // Left the caller and nobody else; right the operator, and the supervisor once the caller heard him.
    assert_eq!(heard_for(&recording.caller, OPERATOR).0, 0.0);
    assert_eq!(heard_for(&recording.caller, SUPERVISOR).0, 0.0);
    assert_eq!(heard_for(&recording.operator, CALLER).0, 0.0);
    near(
        "the recording has the supervisor",
        heard_for(&recording.operator, SUPERVISOR).0,
        1.0,
    );
}
