//! CPU of the media thread per recorded call-second, and the delay it adds.
//!
//! `cargo bench -p media --bench relay -- [--seconds N] [--gather-us N]... [CALLS]...`
//!
//! Beside it the floor: a loop of epoll, recvfrom and send that looks at nothing. The ratio holds on
//! any machine; the figures themselves only on one that does nothing else.
//!
//! A call is two legs with 50 packets/s each way, G.711, recorded into a tap that copies every
//! packet into a ring as the recorder's does. Senders and receivers are threads of this process;
//! only the media thread's own time on a core is counted (`/proc/self/task/*/schedstat`). On
//! loopback that includes the kernel's delivery of each packet to the peer's socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use media::rtp::Header;
use media::{Media, Settings, Tap};
use udp_io::{Batch, Epoll, Udp};
use vocab::media::{Codec, MediaCommand, MediaEvent, RecordingKey, Remote, Side};
use vocab::{CallId, LegId, Time};

const PERIOD: Duration = Duration::from_millis(20);
/// Calls are spread over the 20 ms, as they are in life.
const PHASES: usize = 40;

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
    fn stop(&mut self, _key: RecordingKey, _at: Time) {}
}

fn main() {
    let (mut calls, mut gathers, mut seconds) = (Vec::new(), Vec::new(), 5);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().unwrap().parse().unwrap(),
            "--gather-us" => gathers.push(arguments.next().unwrap().parse().unwrap()),
            "--bench" => {}
            number => calls.push(number.parse().expect("a number of calls")),
        }
    }
    if calls.is_empty() {
        calls = vec![100, 500];
    }
    if gathers.is_empty() {
        gathers = vec![Settings::default().gather.as_micros() as u64];
    }
    println!(
        "what   calls  gather_us  cpu_ms_per_call_s  added_ms_p50  p99  max  lost_of  packets"
    );
    for calls in calls {
        for gather in &gathers {
            let gather = Duration::from_micros(*gather);
            for plane in [Plane::Floor, Plane::Ours] {
                measure(plane, calls, gather, Duration::from_secs(seconds));
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Plane {
    Floor,
    Ours,
}

/// Ports of each call's two legs.
type Ports = Vec<[u16; 2]>;

/// The media plane with its calls bridged and recorded, and how to stop it.
fn start_ours(
    calls: usize,
    gather: Duration,
    epoch: Instant,
    peers: &[UdpSocket; 2],
) -> (Ports, Box<dyn FnOnce()>) {
    let (report, events) = mpsc::channel();
    let address = "127.0.0.1".parse().unwrap();
    let settings = Settings {
        address,
        gather,
        ..Settings::default()
    };
    let tap = RingTap {
        ring: vec![0; 8 << 20],
        at: 0,
    };
    let report = move |event| drop(report.send(event));
    let media = Media::start(settings, epoch, [].into(), vec![Box::new(tap)], report).unwrap();
    let mut ports = vec![[0_u16; 2]; calls];
    for (number, ports) in ports.iter_mut().enumerate() {
        let call = CallId::new(1, number as u32);
        let legs = [0, 1].map(|side| LegId::new(1, (number * 2 + side) as u32));
        for (side, leg) in legs.into_iter().enumerate() {
            media.send(MediaCommand::Open { call, leg });
            let Ok(MediaEvent::Opened { port, .. }) = events.recv() else {
                panic!("no port")
            };
            ports[side] = port;
            let remote = Remote {
                address: peers[side].local_addr().unwrap(),
                codec: Codec::Pcma,
                dtmf_send: None,
                dtmf_receive: None,
                send: true,
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

/// The least that can be done with epoll: receive, send, nothing else.
fn start_floor(
    calls: usize,
    gather: Duration,
    peers: &[UdpSocket; 2],
) -> (Ports, Box<dyn FnOnce()>) {
    let mut udp = Epoll::new().unwrap();
    let mut ports = vec![[0_u16; 2]; calls];
    let mut other = Vec::new();
    for ports in &mut ports {
        let legs = [0, 1].map(|_| udp.bind("127.0.0.1:0".parse().unwrap()).unwrap());
        for side in 0..2 {
            ports[side] = udp.local(legs[side]).unwrap().port();
            udp.connect(legs[side], peers[side].local_addr().unwrap())
                .unwrap();
            assert_eq!(legs[side].index(), other.len());
            other.push(legs[1 - side]);
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let run = move || {
        let mut batch = Batch::new(64);
        while !stopped.load(Ordering::Relaxed) {
            udp.wait(Some(Duration::from_millis(100))).unwrap();
            let mut more = true;
            while more {
                more = udp.receive(&mut batch);
                for packet in batch.packets() {
                    let _ = udp.send(other[packet.socket.index()], None, packet.bytes);
                }
            }
            udp.gather(gather);
        }
    };
    let thread = std::thread::Builder::new()
        .name("media-floor".to_owned())
        .spawn(run)
        .unwrap();
    let end = move || {
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    };
    (ports, Box::new(end))
}

fn measure(plane: Plane, calls: usize, gather: Duration, length: Duration) {
    let epoch = Instant::now();
    // All callers share one socket and all operators another: the generator stays cheap.
    let peers = [peer(), peer()];
    let (ports, end) = match plane {
        Plane::Floor => start_floor(calls, gather, &peers),
        Plane::Ours => start_ours(calls, gather, epoch, &peers),
    };

    let stop = Arc::new(AtomicBool::new(false));
    let receivers: Vec<_> = peers
        .iter()
        .map(|peer| {
            let (peer, stop) = (peer.try_clone().unwrap(), Arc::clone(&stop));
            std::thread::spawn(move || receive(&peer, epoch, &stop))
        })
        .collect();
    // One second to lock the peers, then the measured time.
    send(&peers, &ports, epoch, Duration::from_secs(1), 0);
    let before = media_cpu();
    let sent = send(&peers, &ports, epoch, length, 50);
    let cpu = media_cpu() - before;
    std::thread::sleep(Duration::from_millis(100));
    stop.store(true, Ordering::Relaxed);
    let mut delays: Vec<u32> = receivers
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    delays.sort_unstable();
    let at = |share: f64| {
        let index = ((delays.len() - 1) as f64 * share) as usize;
        f64::from(delays[index]) / 1_000.0
    };
    println!(
        "{:5}  {calls:5}  {:9}  {:17.3}  {:12.2} {:5.2} {:5.2}  {:6}  {sent:7}",
        format!("{plane:?}").to_lowercase(),
        gather.as_micros(),
        cpu.as_secs_f64() * 1_000.0 / (calls as f64 * length.as_secs_f64()),
        at(0.5),
        at(0.99),
        at(1.0),
        sent.saturating_sub(delays.len()),
    );
    end();
}

fn peer() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 8 << 20).unwrap();
    socket
}

/// Sends everybody's audio for so long; the payload carries the time of sending. Gives how many.
fn send(
    peers: &[UdpSocket; 2],
    ports: &[[u16; 2]],
    epoch: Instant,
    length: Duration,
    first: u16,
) -> usize {
    let rounds = (length.as_millis() / PERIOD.as_millis()) as usize;
    let start = Instant::now();
    let mut count = 0;
    for beat in 0..rounds * PHASES {
        let due = start + PERIOD * beat as u32 / PHASES as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (round, phase) = ((beat / PHASES) as u16 + first, beat % PHASES);
        let mut header = Header::new(8, round, u32::from(round) * 160, 0);
        for (call, ports) in ports.iter().enumerate().skip(phase).step_by(PHASES) {
            for side in 0..2 {
                header.ssrc = (call * 2 + side) as u32;
                let mut packet = [0xd5; 172];
                packet[..12].copy_from_slice(&header.to_bytes());
                let now = if first == 0 {
                    0
                } else {
                    epoch.elapsed().as_nanos() as u64
                };
                packet[12..20].copy_from_slice(&now.to_le_bytes());
                let to = SocketAddr::from(([127, 0, 0, 1], ports[side]));
                count += usize::from(peers[side].send_to(&packet, to).is_ok());
            }
        }
    }
    count
}

/// Receives what is relayed; gives the delays in µs of what was sent in the measured time.
fn receive(peer: &UdpSocket, epoch: Instant, stop: &AtomicBool) -> Vec<u32> {
    peer.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let (mut delays, mut packet) = (Vec::with_capacity(1 << 22), [0; 200]);
    while !stop.load(Ordering::Relaxed) {
        if peer.recv(&mut packet).is_ok() {
            let sent = u64::from_le_bytes(packet[12..20].try_into().unwrap());
            if sent != 0 {
                delays.push(((epoch.elapsed().as_nanos() as u64 - sent) / 1_000) as u32);
            }
        }
    }
    delays
}

/// Time the media thread has had on a core.
fn media_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = tasks.filter_map(|task| {
        let path = task.unwrap().path();
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        let times = std::fs::read_to_string(path.join("schedstat")).ok()?;
        let on_core = times.split_whitespace().next()?.parse::<u64>().ok()?;
        name.starts_with("media-").then_some(on_core)
    });
    Duration::from_nanos(nanoseconds.sum())
}
