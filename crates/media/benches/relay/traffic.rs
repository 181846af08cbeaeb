//! The audio of callers and operators, and the clock of the thread that relays it.
//!
//! Shared by this benchmark and by that of the whole process, `benches/calls.rs`.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use media::rtp::Header;

const PERIOD: Duration = Duration::from_millis(20);
/// Calls are spread over the 20 ms, as they are in life.
const PHASES: usize = 40;

/// What a run has shown.
pub struct Run {
    /// Milliseconds of the relay's thread for each second of each call.
    pub cost: f64,
    /// Delays that the relay added, milliseconds: median, 99 of 100, the longest.
    pub delay: [f64; 3],
    pub sent: usize,
    pub lost: usize,
}

/// A socket that stands for all callers, or all operators: so the generator stays cheap.
pub fn peer() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 8 << 20).unwrap();
    socket
}

/// Sends the audio of all calls for so long and hears what comes of it.
pub fn run(peers: &[UdpSocket; 2], ports: &[[u16; 2]], epoch: Instant, length: Duration) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let receivers: Vec<_> = peers
        .iter()
        .map(|peer| {
            let (peer, stop) = (peer.try_clone().unwrap(), Arc::clone(&stop));
            std::thread::spawn(move || receive(&peer, epoch, &stop))
        })
        .collect();
    // One second to lock the peers, then the measured time.
    send(peers, ports, epoch, Duration::from_secs(1), 0);
    let before = media_cpu();
    let sent = send(peers, ports, epoch, length, 50);
    let cpu = media_cpu() - before;
    std::thread::sleep(Duration::from_millis(100));
    stop.store(true, Ordering::Relaxed);
    let mut delays: Vec<u32> = receivers
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    delays.sort_unstable();
    let at = |share: f64| {
        let index = (delays.len().saturating_sub(1) as f64 * share) as usize;
        delays
            .get(index)
            .map_or(f64::NAN, |us| f64::from(*us) / 1_000.0)
    };
    Run {
        cost: cpu.as_secs_f64() * 1_000.0 / (ports.len() as f64 * length.as_secs_f64()),
        delay: [0.5, 0.99, 1.0].map(at),
        sent,
        lost: sent.saturating_sub(delays.len()),
    }
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

/// Time that the threads of the relay have had on a core (`/proc/self/task/*/schedstat`).
pub fn media_cpu() -> Duration {
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

/// The load average of the last minute: figures of a busy machine are those of a busy machine.
pub fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

/// Least, middle and greatest of some values.
pub fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [0, values.len() / 2, values.len().saturating_sub(1)]
        .map(|index| values.get(index).copied().unwrap_or(f64::NAN))
}
