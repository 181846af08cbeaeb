//! The media plane beside the floor, on the same packets, in turns.
//!
//! Shared by this benchmark and by that of the whole process, `benches/calls.rs`.

#[path = "floor.rs"]
mod floor;
#[path = "traffic.rs"]
mod traffic;

use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use floor::Ports;
use media::{Media, Settings, Tap};
use traffic::Run;
pub use traffic::{load_average, spread};
use udp_io::{Backend, Choice};
use vocab::media::{Codec, EventTypes, MediaCommand, MediaEvent, RecordingKey, Remote, Side};
use vocab::{CallId, LegId, PauseReason, Time};

/// What is to be compared.
#[derive(Clone, Copy)]
pub struct Plan {
    pub backend: Backend,
    pub calls: usize,
    pub gather: Duration,
    pub length: Duration,
    pub runs: usize,
}

/// The head of the table whose lines [`print`] makes.
pub fn print_head() {
    println!(
        "| io | calls | gather, µs | what | CPU-ms per call-second: min | median | max | \
         added delay, ms: p50 | p99 | max | lost of | packets | ratio | load |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
}

/// Runs both in turns and prints a line for each.
pub fn print(plan: Plan) {
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    let load = load_average();
    for _ in 0..plan.runs {
        for (plane, runs) in [(Plane::Floor, &mut floors), (Plane::Ours, &mut ours)] {
            runs.push(measure(plane, plan));
        }
    }
    let middle = |runs: &[Run]| spread(runs.iter().map(|run| run.cost))[1];
    let ratio = middle(&ours) / middle(&floors);
    for (what, runs, ratio) in [
        ("floor", floors, String::new()),
        ("ours", ours, format!("{ratio:.2}")),
    ] {
        let [least, median, most] = spread(runs.iter().map(|run| run.cost));
        let [p50, p99, worst] = [0, 1, 2].map(|at| spread(runs.iter().map(|run| run.delay[at])));
        println!(
            "| {} | {} | {} | {what} | {least:.3} | {median:.3} | {most:.3} | {:.2} | {:.2} | \
             {:.2} | {} | {} | {ratio} | {load} |",
            plan.backend.name(),
            plan.calls,
            plan.gather.as_micros(),
            p50[1],
            p99[1],
            worst[2],
            runs.iter().map(|run| run.lost).sum::<usize>(),
            runs.iter().map(|run| run.sent).sum::<usize>(),
        );
    }
}

struct RingTap {
    ring: Vec<u8>,
    at: usize,
}

impl Tap for RingTap {
    fn start(&mut self, _key: RecordingKey, _at: Time) {}
    fn packet(&mut self, key: RecordingKey, side: Side, arrived: Time, rtp: &[u8]) {
        if self.at + 16 + rtp.len() > self.ring.len() {
            self.at = 0;
        }
        let head = &mut self.ring[self.at..self.at + 16];
        head[..8].copy_from_slice(&arrived.as_micros().to_le_bytes());
        head[8..16].copy_from_slice(&(key.call.as_u64() ^ side as u64).to_le_bytes());
        self.ring[self.at + 16..self.at + 16 + rtp.len()].copy_from_slice(rtp);
        self.at += (16 + rtp.len()).next_multiple_of(8);
    }
    fn pause(&mut self, _key: RecordingKey, _at: Time, _reason: PauseReason) {}
    fn resume(&mut self, _key: RecordingKey, _at: Time) {}
    fn stop(&mut self, _key: RecordingKey, _at: Time) {}

    fn discard(&mut self, _key: RecordingKey, _at: Time) {}
}

#[derive(Debug, Clone, Copy)]
enum Plane {
    Floor,
    Ours,
}

fn measure(plane: Plane, plan: Plan) -> Run {
    let epoch = Instant::now();
    let peers = [traffic::peer(), traffic::peer()];
    let (ports, end) = match plane {
        Plane::Floor => floor::start(plan.backend, plan.calls, plan.gather, &peers),
        Plane::Ours => start_ours(plan, epoch, &peers),
    };
    let run = traffic::run(&peers, &ports, epoch, plan.length);
    end();
    run
}

/// The media plane with its calls bridged and recorded, and how to stop it.
fn start_ours(plan: Plan, epoch: Instant, peers: &[UdpSocket; 2]) -> (Ports, Box<dyn FnOnce()>) {
    let (report, events) = mpsc::channel();
    let address = "127.0.0.1".parse().unwrap();
    let settings = Settings {
        address,
        gather: plan.gather,
        io: match plan.backend {
            Backend::IoUring => Choice::IoUring,
            Backend::Epoll => Choice::Epoll,
        },
        ..Settings::default()
    };
    let tap = RingTap {
        ring: vec![0; 8 << 20],
        at: 0,
    };
    let report = move |event| drop(report.send(event));
    let media = Media::start(settings, epoch, [].into(), vec![Box::new(tap)], report).unwrap();
    let mut ports = vec![[0_u16; 2]; plan.calls];
    for (number, ports) in ports.iter_mut().enumerate() {
        let call = CallId::new(1, number as u32);
        let legs = [0, 1].map(|side| LegId::new(1, (number * 2 + side) as u32));
        for (side, leg) in legs.into_iter().enumerate() {
            media.send(MediaCommand::Open { call, leg });
            let Ok(MediaEvent::Opened { port, .. }) = events.recv() else {
                panic!("no port")
            };
            ports[side] = port;
            // Telephone-events on both sides, as most calls have them: audio is not looked into for keys.
            let remote = Remote {
                dtmf_send: EventTypes::narrow(101),
                dtmf_receive: EventTypes::narrow(101),
                ..Remote::new(peers[side].local_addr().unwrap(), Codec::Pcma)
            };
            media.send(MediaCommand::SetRemote { call, leg, remote });
        }
        let record = Some(RecordingKey { call, segment: 1 });
        let [caller, operator] = legs;
        media.send(MediaCommand::Bridge {
            call,
            caller,
            operator,
            record,
        });
    }
    (ports, Box::new(move || media.stop()))
}
