//! Real telephones: baresip as the operator, SIPp with real audio as the caller. Both sides of
//! the recording are compared with what was played, by correlation.

use crate::harness::audio::{RATE, likeness, pcap_audio, share_heard, write_mono};
use crate::harness::baresip::{Baresip, Way};
use crate::harness::journal::finished;
use crate::harness::{Engine, LogOnPanic, Setup, need, sipp};
use load::{Library, Voices};
use vocab::media::{Law, Side};

/// What is alike at least, of 1: the same audio, through A-law once.
const ALIKE: f64 = 0.95;
/// The same through Opus or G.722, and what resamples for them: they keep what is heard and not the wave.
/// Other speech is alike by less than 0.3.
const TRANSLATED: f64 = 0.75;
/// The share of what was said that the other party must have heard.
const HEARD: f64 = 0.75;

#[test]
fn both_sides_of_a_recording_hold_what_baresip_and_sipp_said() {
    let engine = Engine::start(&Setup::default());
    talk_with(&engine, Way::UDP);
}

#[test]
fn a_telephone_that_insists_on_srtp_is_recorded_as_one_in_clear() {
    let setup = Setup {
        more: "[registrar]\nsrtp = \"required\"\n".to_owned(),
        ..Setup::default()
    };
    let engine = Engine::start(&setup);
    let secured = Way {
        more: "module srtp.so",
        account: ";mediaenc=srtp-mand",
        ..Way::UDP
    };
    talk_with(&engine, secured);
    let trace = trace_without_keys(&engine);
    assert!(
        trace.matches("RTP/SAVP").count() >= 2,
        "in offer and answer"
    );
}

#[test]
fn a_telephone_that_may_use_srtp_does_so_where_it_is_offered() {
    let setup = Setup {
        more: "[registrar]\nsrtp = \"offered\"\n".to_owned(),
        ..Setup::default()
    };
    let engine = Engine::start(&setup);
    let secured = Way {
        more: "module srtp.so",
        account: ";mediaenc=srtp",
        ..Way::UDP
    };
    talk_with(&engine, secured);
    let trace = trace_without_keys(&engine);
    assert!(!trace.contains("RTP/SAVP"), "it is opportunistic");
    let lines = trace.matches("a=crypto:").count();
    assert!(lines > 4, "four of ours and one of the telephone: {lines}");
}

#[test]
fn a_telephone_with_dtls_srtp_talks_as_a_browser_does() {
    let setup = Setup {
        more: "[registrar]\nsrtp = \"dtls\"\n".to_owned(),
        ..Setup::default()
    };
    let engine = Engine::start(&setup);
    let secured = Way {
        more: "module dtls_srtp.so\nmodule ice.so\nrtcp_mux yes",
        account: ";mediaenc=dtls_srtp;medianat=ice",
        ..Way::UDP
    };
    talk_with(&engine, secured);
    let trace = trace_without_keys(&engine);
    assert!(
        trace.matches("UDP/TLS/RTP/SAVP").count() >= 2,
        "in offer and answer"
    );
    assert!(!trace.contains("a=crypto:"));
}

/// The SIP trace, in which no key of a description can be read, and neither in the log.
fn trace_without_keys(engine: &Engine) -> String {
    let folder = std::fs::read_dir(engine.place.path("trace")).unwrap();
    let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    files.push(engine.place.path("engine.log"));
    let mut texts = Vec::new();
    for file in files {
        let octets = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&octets).into_owned();
        for (at, _) in text.match_indices("a=crypto:") {
            let line = text[at..].lines().next().unwrap_or_default();
            let key = line.split("inline:").nth(1).unwrap_or_default();
            // What is made unreadable is written as "x".
            let plain = |octet: &u8| octet.is_ascii_alphanumeric() && *octet != b'x';
            let readable = key.bytes().take(40).filter(plain).count();
            assert!(readable < 4, "{}: {line}", file.display());
        }
        texts.push(text);
    }
    texts.concat()
}

#[test]
fn an_operator_with_opus_alone_talks_to_a_caller_with_g711() {
    translated("opus/48000/2");
}

#[test]
fn an_operator_with_g722_alone_talks_to_a_caller_with_g711() {
    translated("g722/16000/1");
}

/// The operator's telephone has another codec than the caller's: both hear each other.
fn translated(codec: &str) {
    let engine = Engine::start(&Setup::default());
    let way = Way { codec, ..Way::UDP };
    let operator = talk(&engine, way, TRANSLATED);
    let heard = share_heard(&pcap_audio(&sipp::g711a()), &operator.heard());
    assert!(heard > HEARD, "the operator heard {heard} of it");
    assert!(engine.log().contains("translating between codecs"));
}

#[test]
fn opus_is_passed_on_as_it_is_where_both_have_it() {
    passed_on("opus/48000/2", [77, 78].map(generated), TRANSLATED);
}

#[test]
fn g722_is_passed_on_as_it_is_where_both_have_it() {
    passed_on("g722/16000/1", [77, 78].map(generated), TRANSLATED);
}

#[test]
fn a_caller_answered_with_another_codec_changes_to_the_operators() {
    let engine = Engine::start(&Setup::default());
    let codecs = ["g722/16000/1", "pcma,g722/16000/1"];
    both_talk(&engine, codecs, [77, 78].map(generated), TRANSLATED);
    let log = engine.log();
    assert!(log.contains("a party is offered the codec of the other"));
    assert!(!log.contains("a party keeps its codec"));
    // What was translated until the answer was no more at the end.
    let talk = log.split("call ended").next().unwrap();
    let times = |what| talk.matches(what).count();
    let begun = times("translating between codecs");
    assert_eq!(times("translation ended"), begun, "{log}");
    let entry = finished(&engine.place, 1).remove(0);
    for leg in entry.rows("leg_list") {
        assert_eq!(leg.text("codec"), "g722", "{leg:?}");
        let counts = ["sent", "lost", "peer_lost"].map(|count| leg.number(count).unwrap_or(0));
        assert!(counts[0] > 400 && counts[1..] == [0, 0], "{leg:?}");
    }
}

#[test]
fn speech_in_russian_and_ukrainian_is_heard_and_on_its_side_of_the_recording() {
    let by_operator = espeak(
        "ru",
        "Здравствуйте, вы позвонили на линию здравоохранения. Приём ведут терапевт и педиатр. \
         Запись на вакцинацию открыта с понедельника по пятницу, с восьми до двадцати часов.",
    );
    let by_caller = espeak(
        "uk",
        "Добрий день, підкажіть, будь ласка, як записатися до лікаря на наступний тиждень. \
         Мені потрібна довідка для школи, а також направлення на аналізи крові.",
    );
    passed_on("pcma", [by_operator, by_caller], ALIKE);
}

/// What nobody else says.
fn generated(seed: u64) -> Vec<i16> {
    let speech = Library::new(&Voices::generated(seed), Law::Pcma, seed);
    speech.spoken(Side::Operator, 0, 0, 1_000)
}

/// A text as espeak-ng says it, at the rate of telephones.
fn espeak(voice: &str, text: &str) -> Vec<i16> {
    need("espeak-ng", "espeak-ng");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("said.wav");
    let said = std::process::Command::new("espeak-ng")
        .args(["-v", voice, "-s", "130", "-w"])
        .args([file.as_os_str(), text.as_ref()])
        .status()
        .unwrap();
    assert!(said.success(), "espeak-ng has no voice {voice}");
    let mut wav = hound::WavReader::open(&file).unwrap();
    let rate = wav.spec().sample_rate as usize;
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    let at = |n: usize| {
        let (whole, rest) = (n * rate / RATE, n * rate % RATE);
        let next = *samples.get(whole + 1).unwrap_or(&0);
        let (one, next) = (i64::from(samples[whole]), i64::from(next));
        // Between the two; what is above 4 kHz is in both copies alike.
        (one + (next - one) * rest as i64 / RATE as i64) as i16
    };
    let spoken: Vec<i16> = (0..samples.len() * RATE / rate).map(at).collect();
    assert!(spoken.len() > 9 * RATE, "{} samples", spoken.len());
    spoken
}

/// Both telephones have one codec: each hears the other, and the recording holds both, so much alike.
fn passed_on(codec: &str, voices: [Vec<i16>; 2], least: f64) {
    let engine = Engine::start(&Setup::default());
    both_talk(&engine, [codec; 2], voices, least);
    let log = engine.log();
    assert!(!log.contains("translating between codecs"), "{log}");
}

/// An operator and a caller with these codecs hear each other, and the recording holds both, so much
/// alike.
fn both_talk(engine: &Engine, codecs: [&str; 2], voices: [Vec<i16>; 2], least: f64) {
    let _log = LogOnPanic::of(engine);
    let [way, callers] = codecs.map(|codec| Way { codec, ..Way::UDP });
    let [by_operator, by_caller] = voices;
    let [file, second] = ["operator", "caller"].map(|who| engine.place.path(&format!("{who}.wav")));
    write_mono(&file, &by_operator);
    write_mono(&second, &by_caller);
    let (by_operator, by_caller, file, second) = (&by_operator, &by_caller, &file, &second);
    let operator = Baresip::operator(engine, "anna", file, way);
    operator.registered();
    let mut caller = Baresip::caller(engine, second, callers, 9);
    caller.ended();
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let recording = entry.check_recording(&engine.place);
    let part = 4 * RATE..7 * RATE;
    // Baresip 1.0 does not go on with its file when its decoder changes: that one is judged by what the
    // recording has of the other side, and by whoever asks for this.
    let changed = callers.codec != way.codec;
    let mut heard_by = vec![(by_caller, operator.heard(), "the operator")];
    if !changed {
        heard_by.push((by_operator, caller.heard(), "the caller"));
    }
    for (said, heard, who) in heard_by {
        let heard = share_heard(&said[..8 * RATE], &heard);
        assert!(heard > HEARD, "{who} heard {heard} of it");
    }
    for (said, heard, who) in [
        (by_caller, recording.caller, "the recording of the caller"),
        (by_operator, recording.operator, "that of the operator"),
    ] {
        let (at, alike) = likeness(&said[part.clone()], &heard);
        assert!(alike > least, "{who}: alike by {alike} at {at}");
    }
}

/// An operator's baresip, reached by a way, talks to a SIPp, and both sides of the recording hold
/// what was said.
fn talk_with(engine: &Engine, way: Way<'_>) {
    talk(engine, way, ALIKE);
}

/// The same for codecs by which audio is so much alike at least. Gives the operator's telephone.
fn talk(engine: &Engine, way: Way<'_>, least: f64) -> Baresip {
    let _log = LogOnPanic::of(engine);
    // Twenty seconds of an operator's voice that is like nothing else in the test.
    let speech = Library::new(&Voices::generated(77), Law::Pcma, 77);
    let speech = speech.spoken(Side::Operator, 0, 0, 1_000);
    let file = engine.place.path("operator.wav");
    write_mono(&file, &speech);
    let operator = Baresip::operator(engine, "anna", &file, way);
    operator.registered();

    // Silent for 3 s, then 7 s of g711a.pcap, all of it within the talk.
    sipp::call(engine, "uac-talk-later", |options| options.stay = 8_500);

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
        alike > least,
        "the caller's side is alike by {alike} at {at}"
    );
    // Only what surely fell into the talk: its first eight seconds.
    let speech = &speech[..8 * RATE];
    let (at, alike) = likeness(speech, &recording.operator);
    assert!(
        alike > least,
        "the operator's side is alike by {alike} at {at}"
    );
    // Nobody is heard on the other's side.
    let (_, crossed) = likeness(speech, &recording.caller);
    assert!(
        crossed < 0.5,
        "the operator is heard on the caller's side: {crossed}"
    );
    operator
}
