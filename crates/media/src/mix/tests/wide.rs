//! Parties with codecs of 8 and of 16 kHz in one mix: levels, bands, and what is heard while one changes.

use super::*;
use crate::codec::{Decoder, PAYLOAD_MAX};

/// A party that hums a tone in any codec, and what it is sent: at 8 kHz and at 16 kHz.
struct Voice {
    socket: SocketId,
    codec: Codec,
    encoder: Encoder,
    tone: f64,
    height: f64,
    narrow: Vec<i16>,
    wide: Vec<i16>,
}

struct Choir {
    mix: Mix,
    voices: Vec<Voice>,
    /// Frames that were said.
    frame: u32,
    recorded: Vec<i16>,
}

fn encoder(codec: Codec) -> Encoder {
    Encoder::new(codec, 16_000, OpusWish::default()).unwrap()
}

impl Choir {
    /// All silent; the first is the caller.
    fn of(codecs: &[Codec]) -> Self {
        let roles: Vec<MixRole> = (0..codecs.len())
            .map(|number| if number == 0 { Caller } else { Operator })
            .collect();
        let room = Room::of(&roles);
        let voice = |(codec, hummer): (&Codec, &Hummer)| Voice {
            socket: hummer.socket,
            codec: *codec,
            encoder: encoder(*codec),
            tone: 300.0,
            height: 0.0,
            narrow: Vec::new(),
            wide: Vec::new(),
        };
        Self {
            voices: codecs.iter().zip(&room.hummers).map(voice).collect(),
            mix: room.mix,
            frame: 0,
            recorded: Vec::new(),
        }
    }

    fn tone(mut self, number: usize, tone: f64, height: f64) -> Self {
        self.voices[number].tone = tone;
        self.voices[number].height = height;
        self
    }

    fn turn_to(&mut self, number: usize, codec: Codec) {
        self.voices[number].codec = codec;
        self.voices[number].encoder = encoder(codec);
    }

    /// One frame of each, without a beat.
    fn say(&mut self) {
        for voice in &mut self.voices {
            let rate = voice.encoder.rate();
            let sample = |n: u32| {
                let time = f64::from(self.frame) / 50.0 + f64::from(n) / f64::from(rate);
                let turn = core::f64::consts::TAU * voice.tone * time;
                (voice.height * turn.sin()) as i16
            };
            let samples: Vec<i16> = (0..rate / 50).map(sample).collect();
            let mut payload = [0; PAYLOAD_MAX];
            let octets = voice.encoder.encode(&samples, &mut payload).unwrap();
            // The times of another clock begin elsewhere.
            let clock = voice.codec.clock_rate();
            let timestamp = self.frame * (clock / 50) + clock * (clock / 7_000);
            let header = Header::new(0, self.frame as u16, timestamp, 7);
            let payload = &payload[..octets];
            self.mix.say(voice.socket, &header, voice.codec, payload);
        }
        self.frame += 1;
    }

    fn beat(&mut self) {
        self.mix.beat();
        for number in 0..self.mix.len() {
            let (socket, _) = self.mix.party(number).unwrap();
            let voice = self.voices.iter_mut().find(|one| one.socket == socket);
            let voice = voice.unwrap();
            if voice.codec.is_wideband() {
                voice.wide.extend(self.mix.hear_wide(number));
            } else {
                voice.narrow.extend(self.mix.hear(number));
            }
        }
        let mut room = [0; RECORDED_BYTES];
        let packet = self.mix.recorded(Side::Caller, &mut room);
        let codes = packet.map_or(&[][..], |packet| &packet[HEADER_BYTES..]);
        let samples = codes.iter().map(|code| g711::decode(Law::Pcma, *code));
        self.recorded.extend(samples);
    }

    fn talk(&mut self, frames: usize) {
        for _ in 0..frames {
            self.say();
            self.beat();
        }
    }
}

/// How high a tone stands in samples at 16 kHz.
fn height_wide(samples: &[i16], tone: f32) -> f32 {
    height(samples, tone / 2.0)
}

/// The greatest step between two samples.
fn roughest(samples: &[i16]) -> i32 {
    let steps = samples
        .windows(2)
        .map(|two| i32::from(two[1]) - i32::from(two[0]));
    steps.map(i32::abs).max().unwrap_or_default()
}

/// The greatest step at 16 kHz that a codec itself makes where it begins in the middle of a tone.
fn own_roughness(codec: Codec, tone: f64, level: f64) -> i32 {
    let mut choir = Choir::of(&[codec, Codec::G722]).tone(0, tone, level);
    choir.talk(20);
    roughest(&choir.voices[1].wide)
}

/// How many pieces of so many samples are less than half as loud as the tone.
fn faint(samples: &[i16], piece: usize, height: f64) -> usize {
    let is_faint = |piece: &&[i16]| {
        let power: f64 = piece.iter().map(|one| f64::from(*one).powi(2)).sum();
        (power / piece.len() as f64).sqrt() < height / 2.0_f64.sqrt() / 2.0
    };
    samples.chunks_exact(piece).filter(is_faint).count()
}

#[test]
fn a_high_tone_is_heard_where_the_codec_has_it_and_folds_nowhere() {
    for (speaks, lowest) in [(Codec::G722, 3_700.0), (Codec::Opus, 2_500.0)] {
        let codecs = [speaks, Codec::G722, Codec::Pcma];
        let mut choir = Choir::of(&codecs).tone(0, 5_000.0, 4_000.0);
        choir.talk(50);
        let heard = height_wide(&choir.voices[1].wide[4_000..], 5_000.0);
        assert!((lowest..4_400.0).contains(&heard), "{speaks:?}: {heard}");
        for (who, heard) in [
            ("G.711", &choir.voices[2].narrow),
            ("recording", &choir.recorded),
        ] {
            assert!(heard.len() >= 7_500, "{who}");
            let alias = height(&heard[2_000..], 3_000.0);
            assert!(alias < 20.0, "{speaks:?}, {who}: {alias}");
        }
    }
}

#[test]
fn what_is_sent_to_a_peer_with_a_wide_codec_has_the_high_tone_too() {
    for hears in [Codec::G722, Codec::Opus] {
        let mut choir = Choir::of(&[Codec::G722, hears, Codec::Pcmu]).tone(0, 5_000.0, 4_000.0);
        let remote = Remote::new("10.0.0.1:4000".parse().unwrap(), hears);
        let mut decoder = Decoder::new(hears, 16_000).unwrap();
        let mut heard = Vec::new();
        for _ in 0..50 {
            choir.say();
            choir.mix.beat();
            let frame = choir.mix.hear_wide(1);
            let speaker = choir.mix.speaker(1, &remote).unwrap();
            speaker.say(&frame);
            let (mut payload, mut samples) = ([0; PAYLOAD_MAX], [0; 5_760]);
            let spoken = speaker.payload(&mut payload).unwrap();
            let length = decoder.decode(&payload[..spoken.octets], &mut samples);
            heard.extend_from_slice(&samples[..length.unwrap()]);
        }
        assert_eq!(heard.len(), 16_000);
        let there = height_wide(&heard[6_000..], 5_000.0);
        assert!((2_500.0..4_400.0).contains(&there), "{hears:?}: {there}");
    }
}

#[test]
fn a_telephone_is_as_loud_to_a_wide_party_and_has_no_mirror() {
    let mut choir = Choir::of(&[Codec::Pcma, Codec::G722, Codec::G722]).tone(0, 1_000.0, 4_000.0);
    choir.talk(50);
    let heard = &choir.voices[1].wide[4_000..];
    let there = height_wide(heard, 1_000.0);
    assert!((3_900.0..4_100.0).contains(&there), "{there}");
    let mirror = height_wide(heard, 7_000.0);
    assert!(mirror < 8.0, "{mirror}");
}

#[test]
fn two_telephones_hear_each_other_to_the_bit_whoever_else_is_there() {
    let codecs = [Codec::Pcma, Codec::Pcma, Codec::G722, Codec::Opus];
    let mut choir = Choir::of(&codecs).tone(0, 440.0, 9_000.0);
    for frame in 0..50_u32 {
        choir.talk(1);
        let heard = choir.voices[1].narrow.split_off(0);
        for (heard, n) in heard.into_iter().zip(0_u32..) {
            let time = f64::from(frame) / 50.0 + f64::from(n) / 8_000.0;
            let said = 9_000.0 * (core::f64::consts::TAU * 440.0 * time).sin();
            let code = g711::encode(Law::Pcma, said as i16);
            // Opus and G.722 say a little where they are told silence.
            let said = g711::decode(Law::Pcma, code);
            assert!(
                (i32::from(heard) - i32::from(said)).abs() <= 4,
                "{heard} {said}"
            );
        }
    }
}

#[test]
fn whoever_comes_or_goes_leaves_no_step_between_the_others() {
    let codecs = [Codec::G722, Codec::G722, Codec::Pcma, Codec::Opus];
    let mut choir = Choir::of(&codecs).tone(0, 300.0, 4_000.0);
    let sockets: Vec<SocketId> = choir.voices.iter().map(|voice| voice.socket).collect();
    // Of the others one with a wide codec goes and comes, the last with G.711 too, and both again.
    for (number, stays) in [
        (1, false),
        (2, false),
        (1, true),
        (3, false),
        (2, true),
        (3, true),
    ] {
        choir.talk(7);
        if stays {
            assert!(choir.mix.seat(sockets[number], Operator));
        } else {
            choir.mix.unseat(sockets[number]);
        }
        for voice in &mut choir.voices {
            if voice.socket == sockets[number] {
                assert!(roughest(&voice.wide[voice.wide.len().min(700)..]) < 520);
                assert!(roughest(&voice.narrow[voice.narrow.len().min(350)..]) < 1_030);
                voice.narrow.clear();
                voice.wide.clear();
            }
        }
    }
    choir.talk(20);
    let start = |samples: &[i16]| samples.len().min(700);
    for voice in &choir.voices[1..] {
        let (narrow, wide) = (
            &voice.narrow[start(&voice.narrow)..],
            &voice.wide[start(&voice.wide)..],
        );
        assert!(narrow.len() + wide.len() > 2_000);
        assert!(roughest(narrow) < 1_030 && roughest(wide) < 520);
        assert_eq!(faint(narrow, 80, 4_000.0) + faint(wide, 160, 4_000.0), 0);
    }
}

#[test]
fn a_party_whose_codec_changes_is_heard_without_a_step_and_without_a_hole() {
    let changes = [
        [Codec::Pcma, Codec::G722],
        [Codec::G722, Codec::Pcmu],
        [Codec::Pcma, Codec::Opus],
        [Codec::Opus, Codec::Pcma],
        [Codec::Opus, Codec::G722],
    ];
    for codecs in changes {
        // So many frames wait, as the network was uneven.
        for waiting in 0..4 {
            let all = [codecs[0], Codec::G722, Codec::Pcma];
            let mut choir = Choir::of(&all).tone(0, 300.0, 4_000.0);
            for _ in 0..waiting {
                choir.say();
            }
            choir.talk(25);
            let may_fade = codecs.contains(&Codec::Opus);
            choir.turn_to(0, codecs[1]);
            choir.talk(25);
            let why = format!("{codecs:?}, {waiting} frames");
            let (wide, narrow) = (&choir.voices[1].wide, &choir.voices[2].narrow);
            assert_eq!([wide.len(), narrow.len()], [16_000, 8_000], "{why}");
            let (wide, narrow) = (&wide[2_000..], &narrow[1_000..]);
            let steps = [roughest(wide), roughest(narrow)];
            let most = own_roughness(codecs[1], 300.0, 4_000.0).max(600) + 150;
            assert!(
                steps[0] < most && steps[1] < 2 * most,
                "{why}: steps of {steps:?}"
            );
            let holes = [faint(wide, 160, 4_000.0), faint(narrow, 80, 4_000.0)];
            let most = if may_fade { 2 } else { 0 };
            assert!(holes.iter().all(|count| *count <= most), "{why}: {holes:?}");
        }
    }
}

#[test]
fn a_sum_above_full_scale_is_softened_in_both_bands() {
    let codecs = [
        Codec::G722,
        Codec::Pcma,
        Codec::G722,
        Codec::G722,
        Codec::Pcma,
    ];
    let mut choir = Choir::of(&codecs);
    for number in 0..4 {
        choir = choir.tone(number, 400.0 + 100.0 * number as f64, 15_000.0);
    }
    choir.talk(60);
    let (wide, narrow) = (
        &choir.voices[3].wide[8_000..],
        &choir.voices[4].narrow[4_000..],
    );
    for number in 0..4 {
        let tone = 400.0 + 100.0 * number as f32;
        let heard = [height_wide(wide, tone), height(narrow, tone)];
        // The fourth does not hear itself.
        let expected = [number != 3, true];
        for (heard, is_heard) in heard.into_iter().zip(expected) {
            let range = if is_heard {
                5_000.0..14_500.0
            } else {
                0.0..300.0
            };
            assert!(range.contains(&heard), "{number}: {heard}");
        }
    }
    let beside = [height_wide(wide, 1_250.0), height(narrow, 1_250.0)];
    assert!(
        beside.iter().all(|one| *one < 300.0),
        "distorted: {beside:?}"
    );
}

#[test]
fn a_wide_party_that_paused_may_go_on_narrow_and_the_other_way() {
    let mut choir = Choir::of(&[Codec::G722, Codec::G722, Codec::Pcma]).tone(0, 300.0, 4_000.0);
    for codec in [Codec::Pcma, Codec::Opus, Codec::G722, Codec::Pcma] {
        choir.talk(20);
        assert_eq!(
            choir.mix.seats[0].band == Band::Wide,
            choir.voices[0].codec.is_wideband()
        );
        // A pause without packets.
        (0..10).for_each(|_| choir.beat());
        choir.frame += 10;
        choir.turn_to(0, codec);
        choir.voices.iter_mut().for_each(|voice| {
            voice.wide.clear();
            voice.narrow.clear();
        });
        choir.talk(20);
        let (wide, narrow) = (&choir.voices[1].wide, &choir.voices[2].narrow);
        let heard = [
            height_wide(&wide[3_000..], 300.0),
            height(&narrow[1_500..], 300.0),
        ];
        assert!(
            heard.iter().all(|one| (3_500.0..4_300.0).contains(one)),
            "{codec:?}: {heard:?}"
        );
    }
}
