//! Calls over ways that lose and reorder 5 % of all packets: none is lost, the recording is as long as the
//! talk, what was said at one moment lies at one place in both channels, and what the engine plays has
//! no gap.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::codec::{Decoder, Encoder, PAYLOAD_MAX, SAMPLES_MAX};
use vocab::media::{Codec, OpusWish};

use crate::harness::audio::{RATE, correlation};
use crate::harness::impaired::{Counts, Impaired, Impairment};
use crate::harness::journal::finished;
use crate::harness::{Engine, LogOnPanic, Setup, sipp};

const FRAME: Duration = Duration::from_millis(20);
/// Ticks of the RTP clock in a packet, of G.711 and of G.722.
const FRAME_TICKS: u32 = 160;
/// How long each chirp lasts; one begins with each second.
const CHIRP_MS: usize = 120;
/// So like a chirp is what is one, even with packets missing.
const LIKE: f64 = 0.5;
/// The talk, and the wait before it.
const TALK: Duration = Duration::from_secs(12);
const RINGS: Duration = Duration::from_secs(3);

/// A chirp from 400 to 2,400 Hz, so that its place is found to the sample.
fn chirp(rate: usize) -> Vec<i16> {
    let length = rate * CHIRP_MS / 1_000;
    let sample = |n: usize| {
        let time = n as f64 / rate as f64;
        let turns = 400.0 * time + 2_000.0 * time * time / (2.0 * CHIRP_MS as f64 / 1_000.0);
        let edge = (n.min(length - n) as f64 / (rate as f64 / 200.0)).min(1.0);
        (9_000.0 * edge * (std::f64::consts::TAU * turns).sin()) as i16
    };
    (0..length).map(sample).collect()
}

/// One who says a chirp at each second since a moment, and remembers what comes.
struct Party {
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    over: Arc<AtomicBool>,
}

impl Party {
    /// Speaks by a way in a codec, from a moment on, for ever.
    fn speak(way: &Impaired, codec: Codec, since: Instant) -> Self {
        let socket = UdpSocket::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
        socket.connect(way.inner).unwrap();
        let party = Self {
            heard: Arc::default(),
            over: Arc::default(),
        };
        let (ears, heard) = (socket.try_clone().unwrap(), Arc::clone(&party.heard));
        let over = Arc::clone(&party.over);
        std::thread::spawn(move || listen(&ears, &heard, &over));
        let over = Arc::clone(&party.over);
        std::thread::spawn(move || say(&socket, codec, since, &over));
        party
    }

    /// The sound that came, as a telephone without a jitter buffer plays it: by the timestamps.
    fn heard(&self, codec: Codec) -> Vec<i16> {
        let packets = self.heard.lock().unwrap();
        let mut packets: Vec<_> = packets.iter().filter_map(|packet| rtp(packet)).collect();
        let first = packets.first().expect("anything was heard").timestamp;
        packets.sort_by_key(|packet| packet.timestamp.wrapping_sub(first).cast_signed());
        let mut decoder = Decoder::new(codec, RATE as u32).unwrap();
        let step = decoder.rate() as usize / RATE;
        let (mut sound, mut room) = (Vec::new(), [0; SAMPLES_MAX]);
        for packet in packets {
            let Ok(at) = usize::try_from(packet.timestamp.wrapping_sub(first).cast_signed()) else {
                continue;
            };
            let length = decoder.decode(packet.payload, &mut room).unwrap();
            sound.resize(at.max(sound.len()), 0);
            sound.truncate(at);
            sound.extend(room[..length].iter().step_by(step));
        }
        sound
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn listen(socket: &UdpSocket, heard: &Mutex<Vec<Vec<u8>>>, over: &AtomicBool) {
    socket.set_read_timeout(Some(10 * FRAME)).unwrap();
    let mut buffer = [0; 2_048];
    while !over.load(Ordering::Relaxed) {
        if let Ok(length) = socket.recv(&mut buffer) {
            heard.lock().unwrap().push(buffer[..length].to_vec());
        }
    }
}

fn say(socket: &UdpSocket, codec: Codec, since: Instant, over: &AtomicBool) {
    let mut encoder = Encoder::new(codec, 16_000, OpusWish::default()).unwrap();
    let rate = encoder.rate() as usize;
    let (chirp, frame) = (chirp(rate), rate / 50);
    for number in 0_u32.. {
        let due = since + FRAME * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if over.load(Ordering::Relaxed) {
            return;
        }
        let first = number as usize * frame;
        let sample = |n| chirp.get((first + n) % rate).copied().unwrap_or_default();
        let samples: Vec<i16> = (0..frame).map(sample).collect();
        let mut room = [0; PAYLOAD_MAX];
        let length = encoder.encode(&samples, &mut room).unwrap();
        let [high, low] = (number as u16).to_be_bytes();
        let mut packet = vec![0x80, codec.payload_type(), high, low];
        packet.extend((number * FRAME_TICKS).to_be_bytes());
        packet.extend([0, 0, 0, 7]);
        packet.extend(&room[..length]);
        let _ = socket.send(&packet);
    }
}

/// What is read of a packet.
#[derive(Debug, Clone, Copy)]
struct Rtp<'a> {
    marker: bool,
    sequence: u16,
    timestamp: u32,
    source: [u8; 4],
    payload: &'a [u8],
}

fn rtp(packet: &[u8]) -> Option<Rtp<'_>> {
    let [
        0x80,
        kind,
        a,
        b,
        t0,
        t1,
        t2,
        t3,
        s0,
        s1,
        s2,
        s3,
        payload @ ..,
    ] = packet
    else {
        return None;
    };
    Some(Rtp {
        marker: kind & 0x80 != 0,
        sequence: u16::from_be_bytes([*a, *b]),
        timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
        source: [*s0, *s1, *s2, *s3],
        payload,
    })
}

/// Where chirps begin, samples of 8 kHz: each about a second after the one before.
fn chirps(sound: &[i16]) -> Vec<usize> {
    let key = chirp(RATE);
    let like = |at: usize| {
        let part = sound.get(at..at + key.len());
        part.map_or(0.0, |part| correlation(&key, part))
    };
    let best = |places: std::ops::Range<usize>| {
        let found = places.map(|at| (at, like(at)));
        found.max_by(|one, other| one.1.total_cmp(&other.1))
    };
    let Some((one, _)) = best(0..sound.len()) else {
        return Vec::new();
    };
    let around = (one % RATE..sound.len()).step_by(RATE);
    let near = around.filter_map(|at| best(at.saturating_sub(RATE / 4)..at + RATE / 4));
    near.filter(|(_, like)| *like > LIKE)
        .map(|(at, _)| at)
        .collect()
}

/// How far apart the chirps of the same seconds are, milliseconds: the first and the last, and the most.
fn skews(caller: &[usize], operator: &[usize]) -> [f64; 3] {
    let skew = |at: &usize| {
        let other = operator.iter().min_by_key(|other| other.abs_diff(*at))?;
        let samples = *at as f64 - *other as f64;
        (samples.abs() < RATE as f64 / 2.0).then_some(samples / RATE as f64 * 1_000.0)
    };
    let skews: Vec<f64> = caller.iter().filter_map(skew).collect();
    let most = skews.iter().fold(0.0, |most: f64, one| most.max(one.abs()));
    [skews[0], skews[skews.len() - 1], most]
}

/// What the engine sent before a moment is one stream of 20 ms a packet, without a gap; how many packets
/// there were, and how many milliseconds one was beside its time at most.
fn is_without_gap(way: &Impaired, before: Instant) -> (usize, f64) {
    let sent = way.sent_by_engine();
    let played: Vec<_> = sent
        .iter()
        .filter(|(at, _)| *at < before)
        .map(|(at, packet)| (*at, rtp(packet).expect("RTP without extensions")))
        .collect();
    for ((_, one), (_, next)) in played.iter().zip(&played[1..]) {
        assert_eq!(next.source, one.source, "one source for all that is played");
        assert_eq!(next.sequence, one.sequence.wrapping_add(1), "{one:?}");
        let step = next.timestamp.wrapping_sub(one.timestamp);
        // The music begins when the greeting is over, and says so; within each there is no step.
        let longest = if next.marker {
            3 * FRAME_TICKS
        } else {
            FRAME_TICKS
        };
        assert!(
            (FRAME_TICKS..=longest).contains(&step),
            "{step} to {next:?}"
        );
    }
    let begun_anew = played.iter().filter(|(_, packet)| packet.marker).count();
    assert!(begun_anew <= 2, "the greeting and the music");
    // That is nearly all of the time before the operator answered.
    assert!(played.len() > 100, "{} packets were played", played.len());
    let (begun, _) = played[0];
    let off = (0_u32..).zip(&played).map(|(number, (at, _))| {
        let due = begun + FRAME * number;
        let late = at.saturating_duration_since(due);
        late.max(due.saturating_duration_since(*at))
    });
    (played.len(), off.max().unwrap().as_secs_f64() * 1_000.0)
}

/// Five of a hundred are lost and five overtaken, that is 3 to 8 of those that were sent.
fn is_impaired(what: &str, counts: Counts) {
    let sent = counts.passed + counts.lost;
    for (how, count) in [("lost", counts.lost), ("overtaken", counts.overtaken)] {
        let share = count as f64 / sent as f64;
        assert!((0.03..0.08).contains(&share), "{what}: {share:.3} {how}");
    }
}

/// A call of some ten seconds over such ways, with what was found printed.
fn call(operators: Codec, seed: u64) {
    let impairment = |seed| Impairment {
        seed,
        lost: 5,
        overtaken: 5,
    };
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let net = engine.place.net;
    // Of the few messages of a call some are lost with these seeds.
    let worse = Impairment {
        lost: 30,
        ..impairment(seed)
    };
    let signalling = Impaired::for_signalling(net.callers, engine.sip, worse);
    let at_caller = Impaired::start(net.callers, None, impairment(seed + 1));
    let at_operator = Impaired::start(net.operators, None, impairment(seed + 2));
    let since = Instant::now();
    let caller = Party::speak(&at_caller, Codec::Pcma, since);
    let operator = Party::speak(&at_operator, operators, since);
    let audio = |way: &Impaired, codec: Codec| {
        vec![
            ("audio_port", way.outer.port().to_string()),
            ("format", codec.payload_type().to_string()),
        ]
    };
    let telephone = sipp::operators(&engine, "uas-audio-elsewhere", &["anna"], |options| {
        options.keys = audio(&at_operator, operators);
        options.stay = RINGS.as_millis() as u32;
    });
    sipp::call(&engine, "uac-audio-elsewhere", |options| {
        options.remote = Some(signalling.inner);
        options.keys = audio(&at_caller, Codec::Pcma);
        options.stay = (RINGS + TALK).as_millis() as u32;
    });
    telephone.succeed();

    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let recording = entry.check_recording(&engine.place);
    let talked = entry.number("talk_ms").unwrap();
    let off = recording.ms() as i64 - talked;
    assert!(
        off.abs() <= 40,
        "{talked} ms of talk, {off} ms more recorded"
    );
    assert!(
        talked > TALK.as_millis() as i64 - 3_000,
        "{talked} ms of talk"
    );

    let [left, right] = [&recording.caller, &recording.operator].map(|side| chirps(side));
    let said = talked as usize / 1_000;
    for (side, found) in [("caller", &left), ("operator", &right)] {
        assert!(found.len() + 1 >= said, "{side}: {found:?} of {said}");
        let (first, last) = (found[0], found[found.len() - 1]);
        let off = (last - first) % RATE;
        let off = off.min(RATE - off);
        assert!(off <= RATE / 100, "{side}: {off} samples off over the talk");
    }
    let [first, last, most] = skews(&left, &right);
    assert!(
        most <= 20.0,
        "the sides are {first}, {last}, up to {most} ms apart"
    );

    // What the engine makes itself has no gap, whatever is lost of what it hears.
    let bridged = at_operator.sent_by_engine()[0].0;
    let (played, beside) = is_without_gap(&at_caller, bridged);
    assert!(
        beside < 100.0,
        "a packet of what is played {beside} ms beside its time"
    );

    let heard = [
        (&caller, Codec::Pcma, "caller"),
        (&operator, operators, "operator"),
    ];
    let heard = heard.map(|(party, codec, who)| {
        let heard = chirps(&party.heard(codec)).len();
        assert!(heard + 2 >= said, "the {who} heard {heard} of {said}");
        heard
    });
    assert!(signalling.counts().lost > 0, "{:?}", signalling.counts());
    is_impaired("the caller's audio", at_caller.counts());
    is_impaired("the operator's audio", at_operator.counts());
    println!(
        "PCMA with {}: talk {talked} ms, recorded {off:+} ms, skew {first:+.1} ms at the beginning, \
         {last:+.1} ms at the end, {most:.1} ms at most; {played} packets played, {beside:.1} ms beside \
         their time at most; heard {heard:?} of {said} chirps; ways {:?} {:?} {:?}",
        operators.name(),
        at_caller.counts(),
        at_operator.counts(),
        signalling.counts(),
    );
}

#[test]
fn g711_with_g711_over_ways_that_lose_and_reorder_is_whole() {
    call(Codec::Pcma, 1);
}

#[test]
fn g711_with_g722_over_ways_that_lose_and_reorder_is_whole() {
    call(Codec::G722, 2);
}
