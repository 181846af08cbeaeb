//! CPU that a browser's leg takes more than a telephone's: ICE's checks, SRTP both ways (AES-128-GCM, as
//! Chromium chooses it), the look-up of the leg by its address.
//!
//! `cargo bench -p media --bench browsers -- [--seconds N] [--runs N] [--io io_uring|epoll] [CALLS]`
//!
//! A call is a telephone in G.711, 50 packets a second each way, and an operator: in turns a telephone too,
//! at its leg's own port, and a browser at the port of all of them. Only the time of the media thread is
//! counted. Handshakes are made before, and their cost is told apart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

// The relay's benchmark uses the rest of it.
#[allow(dead_code)]
#[path = "relay/traffic.rs"]
mod traffic;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use browser::client::{CONTROLLING, Client, NOMINATES, check};
use browser::{Identity, Kind};
use media::rtp::Header;
use media::srtp::{GROWTH_MAX, Srtp};
use media::{BrowserSettings, Media, NoTap, Settings};
use traffic::{load_average, media_cpu, spread};
use udp_io::Choice;
use vocab::browser::{BrowserPeer, IceCredentials};
use vocab::media::{Codec, EventTypes, MediaCommand, MediaEvent, Remote, Rtcp};
use vocab::srtp::{Crypto, Suite};
use vocab::{CallId, LegId};

const PERIOD: Duration = Duration::from_millis(20);
/// A browser asks again about so often (RFC 7675 §5.1).
const CONSENT_ROUNDS: usize = 250;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Telephone,
    Browser,
}

struct Plan {
    calls: usize,
    runs: usize,
    seconds: u64,
    io: Choice,
}

fn main() {
    let mut plan = Plan {
        calls: 100,
        runs: 3,
        seconds: 8,
        io: Choice::Epoll,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value after an option");
        match word.as_str() {
            "--seconds" => plan.seconds = value().parse().unwrap(),
            "--runs" => plan.runs = value().parse().unwrap(),
            "--io" => {
                plan.io = match value().as_str() {
                    "io_uring" => Choice::IoUring,
                    "epoll" => Choice::Epoll,
                    other => panic!("no backend is called {other}"),
                }
            }
            "--bench" => {}
            number => plan.calls = number.parse().expect("a number of calls"),
        }
    }
    let mut costs = [Vec::new(), Vec::new()];
    let mut handshakes = Vec::new();
    for _ in 0..plan.runs {
        for (costs, operator) in costs
            .iter_mut()
            .zip([Operator::Telephone, Operator::Browser])
        {
            let (cost, before) = run(operator, &plan);
            costs.push(cost);
            if operator == Operator::Browser {
                handshakes.push(before);
            }
        }
    }
    println!("| operator | calls | CPU-ms per call-second: min | median | max | load |");
    println!("|---|---|---|---|---|---|");
    let medians = [0, 1].map(|at| {
        let [least, median, most] = spread(costs[at].iter().copied());
        let what = ["telephone", "browser"][at];
        let load = load_average();
        println!(
            "| {what} | {} | {least:.3} | {median:.3} | {most:.3} | {load} |",
            plan.calls
        );
        median
    });
    println!("a browser more: {:.3}", medians[1] - medians[0]);
    let [_, handshake, _] = spread(handshakes.into_iter());
    println!("opening a call with a browser, handshake and all: {handshake:.3} CPU-ms");
}

/// One side of a call: where it sends, from where, and what it has to say.
struct Side {
    socket: UdpSocket,
    to: SocketAddr,
    packets: Vec<Vec<u8>>,
    check: Option<Vec<u8>>,
}

/// CPU-ms of a call-second, and of the opening of a call.
fn run(operator: Operator, plan: &Plan) -> (f64, f64) {
    let epoch = Instant::now();
    let (report, events) = mpsc::channel();
    let settings = Settings {
        address: "127.0.0.1".parse().unwrap(),
        io: plan.io,
        browsers: Some(BrowserSettings {
            port: 0,
            identity: Identity::generate().unwrap(),
        }),
        ..Settings::default()
    };
    let report = move |event| drop(report.send(event));
    let media = Media::start(settings, epoch, [].into(), vec![Box::new(NoTap)], report).unwrap();
    let before = media_cpu();
    let rounds = (plan.seconds + 1) as usize * 50;
    let sides: Vec<Side> = (0..plan.calls)
        .flat_map(|number| open(&media, &events, operator, number, rounds, epoch))
        .collect();
    let opening = media_cpu() - before;
    let stop = Arc::new(AtomicBool::new(false));
    let drain = {
        let ears: Vec<UdpSocket> = sides
            .iter()
            .map(|side| side.socket.try_clone().unwrap())
            .collect();
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || drain(&ears, &stop))
    };
    // One second to lock the peers, then the measured time.
    send(&sides, 0..50);
    let before = media_cpu();
    let start = Instant::now();
    send(&sides, 50..rounds);
    let (spent, length) = (media_cpu() - before, start.elapsed());
    stop.store(true, Ordering::Relaxed);
    let heard = drain.join().unwrap();
    media.stop();
    let wanted = sides.len() * rounds;
    assert!(heard > wanted * 9 / 10, "{heard} of {wanted} were heard");
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    (
        ms(spent) / (plan.calls as f64 * length.as_secs_f64()),
        ms(opening) / plan.calls as f64,
    )
}

/// Opens a call: both of its sides.
fn open(
    media: &Media,
    events: &Receiver<MediaEvent>,
    operator: Operator,
    number: usize,
    rounds: usize,
    epoch: Instant,
) -> [Side; 2] {
    let call = CallId::new(1, number as u32);
    let legs = [0, 1].map(|side| LegId::new(1, (number * 2 + side) as u32));
    let sides = [0, 1].map(|side| {
        let leg = legs[side];
        media.send(MediaCommand::Open { call, leg });
        let Ok(MediaEvent::Opened { port, browser, .. }) = events.recv() else {
            panic!("no port")
        };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let events = Remote {
            dtmf_send: EventTypes::narrow(101),
            dtmf_receive: EventTypes::narrow(101),
            ..Remote::new(socket.local_addr().unwrap(), Codec::Pcma)
        };
        let set = |remote| media.send(MediaCommand::SetRemote { call, leg, remote });
        let ssrc = (number * 2 + side) as u32;
        if side == 0 || operator == Operator::Telephone {
            set(events);
            return Side {
                socket,
                to: SocketAddr::from(([127, 0, 0, 1], port)),
                packets: (0..rounds).map(|round| packet(ssrc, round)).collect(),
                check: None,
            };
        }
        let ours = name(number);
        let client = Client::new(epoch, &[Suite::AeadAes128Gcm]).unwrap();
        set(Remote {
            rtcp: Rtcp::Muxed,
            browser: Some(BrowserPeer {
                ours,
                certificate: client.certificate(),
            }),
            ..events
        });
        let to = SocketAddr::from(([127, 0, 0, 1], browser.unwrap()));
        let check = check(&ours, ours.password_octets(), &[CONTROLLING, NOMINATES]);
        let mut srtp = shake(client, &socket, to, &check, epoch);
        Side {
            socket,
            to,
            packets: (0..rounds)
                .map(|round| sealed(&mut srtp, packet(ssrc, round)))
                .collect(),
            check: Some(check),
        }
    });
    let [caller, operator] = legs;
    media.send(MediaCommand::Bridge {
        call,
        caller,
        operator,
        record: None,
    });
    sides
}

/// A name in ICE that no other call has.
fn name(number: usize) -> IceCredentials {
    let mut octets = [7; IceCredentials::OCTETS];
    octets[0] = (number & 63) as u8;
    octets[1] = (number >> 6) as u8;
    IceCredentials::new(octets)
}

/// Checks and handshake of a browser; its side of the keys.
fn shake(
    mut client: Client,
    socket: &UdpSocket,
    to: SocketAddr,
    check: &[u8],
    epoch: Instant,
) -> Srtp {
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    socket.send_to(check, to).unwrap();
    let mut room = [0; 2_000];
    for _ in 0..500 {
        while let Some(datagram) = client.next_datagram() {
            socket.send_to(&datagram, to).unwrap();
        }
        if let Some(keys) = client.keys() {
            // Ours are the engine's there.
            let turned = Crypto {
                ours: keys.theirs,
                theirs: keys.ours,
                ..keys
            };
            return Srtp::new(turned).unwrap();
        }
        match socket.recv(&mut room) {
            Ok(length) if Kind::of(&room[..length]) == Some(Kind::Handshake) => {
                client.hear(Instant::now(), &room[..length]);
            }
            Ok(_) => {}
            Err(_) => {
                // The leg may not have heard of its browser when it was asked first.
                socket.send_to(check, to).unwrap();
                client.due(Instant::now());
            }
        }
    }
    panic!("no handshake after {:?}", epoch.elapsed())
}

fn packet(ssrc: u32, round: usize) -> Vec<u8> {
    let round = round as u16;
    let header = Header::new(8, round, u32::from(round) * 160, ssrc);
    [header.to_bytes().as_slice(), &[0xd5; 160]].concat()
}

fn sealed(srtp: &mut Srtp, mut packet: Vec<u8>) -> Vec<u8> {
    let length = packet.len();
    packet.resize(length + GROWTH_MAX, 0);
    let length = srtp.seal(&mut packet, length).unwrap();
    packet.truncate(length);
    packet
}

/// Says what everybody has to say in these rounds, spread over each 20 ms.
fn send(sides: &[Side], rounds: std::ops::Range<usize>) {
    let start = Instant::now();
    for (nth, round) in rounds.enumerate() {
        for (at, side) in sides.iter().enumerate() {
            if at.is_multiple_of(8) {
                let due = PERIOD * nth as u32 + PERIOD * at as u32 / sides.len() as u32;
                std::thread::sleep((start + due).saturating_duration_since(Instant::now()));
            }
            if let Some(check) = side.check.as_ref().filter(|_| round % CONSENT_ROUNDS == 0) {
                side.socket.send_to(check, side.to).unwrap();
            }
            side.socket.send_to(&side.packets[round], side.to).unwrap();
        }
    }
}

/// Takes what comes to everybody; how many packets of audio there were.
fn drain(ears: &[UdpSocket], stop: &AtomicBool) -> usize {
    let (mut room, mut count) = ([0; 2_000], 0);
    for ear in ears {
        ear.set_nonblocking(true).unwrap();
    }
    while !stop.load(Ordering::Relaxed) {
        for ear in ears {
            while let Ok(length) = ear.recv(&mut room) {
                count += usize::from(Kind::of(&room[..length]) == Some(Kind::Audio));
            }
        }
        std::thread::sleep(PERIOD);
    }
    count
}
