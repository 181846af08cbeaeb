//! CPU of the media thread per second of a recorded mix of three, by the codecs of the three.
//!
//! `cargo bench -p media --bench mix -- [--seconds N] [--runs N] [--mixes N]`
//!
//! The packets are made before, so that only the media thread's own time on a core is counted; on loopback
//! that includes the kernel's delivery to the peers' socket. A run of each kind in turns, so that what else
//! the machine does hits them alike.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "relay/traffic.rs"]
mod traffic;

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use media::codec::{Encoder, PAYLOAD_MAX};
use media::rtp::Header;
use media::{Media, NoTap, Settings};
use traffic::{load_average, media_cpu, spread};
use vocab::media::{
    Codec, EventTypes, MediaCommand, MediaEvent, MixParty, MixRole, OpusWish, RecordingKey, Remote,
};
use vocab::{CallId, LegId};

const KINDS: [[Codec; 3]; 6] = [
    [Codec::Pcma, Codec::Pcma, Codec::Pcma],
    [Codec::Pcma, Codec::Pcma, Codec::G722],
    [Codec::Pcma, Codec::G722, Codec::G722],
    [Codec::G722, Codec::G722, Codec::G722],
    [Codec::Pcma, Codec::Pcma, Codec::Opus],
    [Codec::Pcma, Codec::Opus, Codec::Opus],
];
const ROLES: [MixRole; 3] = [MixRole::Caller, MixRole::Operator, MixRole::Guest];
const PERIOD: Duration = Duration::from_millis(20);

struct Arguments {
    seconds: usize,
    runs: usize,
    mixes: usize,
}

fn main() {
    let mut arguments = Arguments {
        seconds: 5,
        runs: 3,
        mixes: 30,
    };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let value = words.next().unwrap().parse().unwrap();
        match word.as_str() {
            "--seconds" => arguments.seconds = value,
            "--runs" => arguments.runs = value,
            "--mixes" => arguments.mixes = value,
            other => panic!("{other}?"),
        }
    }
    println!("| codecs | CPU-ms per mix-second: min | median | max | packets heard | load |");
    println!("|---|---|---|---|---|---|");
    let load = load_average();
    let mut costs = vec![Vec::new(); KINDS.len()];
    let mut heard = vec![0; KINDS.len()];
    for _ in 0..arguments.runs {
        for (at, kind) in KINDS.iter().enumerate() {
            let (cost, count) = measure(&arguments, *kind);
            costs[at].push(cost);
            heard[at] += count;
        }
    }
    for ((kind, costs), heard) in KINDS.iter().zip(costs).zip(heard) {
        let [least, median, most] = spread(costs.into_iter());
        let names = kind.map(Codec::name).join(", ");
        println!("| {names} | {least:.3} | {median:.3} | {most:.3} | {heard} | {load} |");
    }
}

/// A second of hum in a codec, as payloads of 20 ms.
fn payloads(codec: Codec, tone: f64) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, 16_000, OpusWish::default()).unwrap();
    let rate = encoder.rate();
    let frames = (0..50_u32).map(|frame| {
        let sample = |n: u32| {
            let time = f64::from(frame * rate / 50 + n) / f64::from(rate);
            let turn = |tone: f64| (core::f64::consts::TAU * tone * time).sin();
            (3_000.0 * turn(tone) + 2_000.0 * turn(3.0 * tone)) as i16
        };
        let samples: Vec<i16> = (0..rate / 50).map(sample).collect();
        let mut payload = vec![0; PAYLOAD_MAX];
        let octets = encoder.encode(&samples, &mut payload).unwrap();
        payload.truncate(octets);
        payload
    });
    frames.collect()
}

/// The CPU-ms of a second of a mix, and how many packets came of it.
fn measure(arguments: &Arguments, kind: [Codec; 3]) -> (f64, usize) {
    let peer = traffic::peer();
    let (report, events) = mpsc::channel();
    let settings = Settings {
        address: "127.0.0.1".parse().unwrap(),
        ..Settings::default()
    };
    let report = move |event| drop(report.send(event));
    let media = Media::start(
        settings,
        Instant::now(),
        [].into(),
        vec![Box::new(NoTap)],
        report,
    )
    .unwrap();
    let ports: Vec<[u16; 3]> = (0..arguments.mixes as u32)
        .map(|number| {
            let call = CallId::new(1, number);
            let legs = [0, 1, 2].map(|party| LegId::new(1, number * 3 + party));
            let mut ports = [0; 3];
            for ((leg, codec), place) in legs.into_iter().zip(kind).zip(&mut ports) {
                media.send(MediaCommand::Open { call, leg });
                let Ok(MediaEvent::Opened { port, .. }) = events.recv() else {
                    panic!("no port")
                };
                *place = port;
                let remote = Remote {
                    dtmf_send: EventTypes::narrow(101),
                    dtmf_receive: EventTypes::narrow(101),
                    ..Remote::new(peer.local_addr().unwrap(), codec)
                };
                media.send(MediaCommand::SetRemote { call, leg, remote });
            }
            let parties = legs.into_iter().zip(ROLES);
            media.send(MediaCommand::Mix {
                call,
                parties: parties.map(|(leg, role)| MixParty { leg, role }).collect(),
                record: Some(RecordingKey { call, segment: 1 }),
            });
            ports
        })
        .collect();
    let tones = [210.0, 270.0, 330.0];
    let said: Vec<Vec<Vec<u8>>> = kind
        .into_iter()
        .zip(tones)
        .map(|(codec, tone)| payloads(codec, tone))
        .collect();
    peer.set_nonblocking(true).unwrap();
    let (start, mut before, mut heard) = (Instant::now(), Duration::ZERO, 0);
    let (warm, frames) = (50, (1 + arguments.seconds) * 50);
    for frame in 0..frames {
        if frame == warm {
            before = media_cpu();
            heard = 0;
        }
        let due = start + PERIOD * frame as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for (mix, ports) in ports.iter().enumerate() {
            for (party, port) in ports.iter().enumerate() {
                let timestamp = frame as u32 * (kind[party].clock_rate() / 50);
                let ssrc = (mix * 3 + party) as u32;
                let header = Header::new(kind[party].payload_type(), frame as u16, timestamp, ssrc);
                let payload = &said[party][frame % 50];
                let packet = [header.to_bytes().as_slice(), payload].concat();
                let to = SocketAddr::from(([127, 0, 0, 1], *port));
                peer.send_to(&packet, to).unwrap();
            }
        }
        while peer.recv(&mut [0; 600]).is_ok() {
            heard += 1;
        }
    }
    let cpu = media_cpu() - before;
    media.stop();
    let mix_seconds = (arguments.mixes * arguments.seconds) as f64;
    (cpu.as_secs_f64() * 1_000.0 / mix_seconds, heard)
}
