//! The floor: the least that can be done with a backend for calls of two legs. It receives and
//! sends; it looks at no octet, knows no leg and records nothing.
//!
//! Shared by this benchmark and by that of the whole process, `benches/calls.rs`.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use udp_io::{Backend, Batch, Epoll, IoUring, Udp};

/// Ports of each call's two legs.
pub type Ports = Vec<[u16; 2]>;

/// A relay of so many calls between two peers on a thread called `media-floor`: its ports, and how
/// to stop it.
pub fn start(
    backend: Backend,
    calls: usize,
    gather: Duration,
    peers: &[UdpSocket; 2],
) -> (Ports, Box<dyn FnOnce()>) {
    match backend {
        Backend::IoUring => start_on(IoUring::new().unwrap(), calls, gather, peers),
        Backend::Epoll => start_on(Epoll::new().unwrap(), calls, gather, peers),
    }
}

fn start_on(
    mut udp: impl Udp + Send + 'static,
    calls: usize,
    gather: Duration,
    peers: &[UdpSocket; 2],
) -> (Ports, Box<dyn FnOnce()>) {
    let mut ports = vec![[0_u16; 2]; calls];
    let mut other = Vec::new();
    for ports in &mut ports {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let legs = [0, 1].map(|_| udp.bind(any).unwrap());
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
        let mut pause = Duration::ZERO;
        while !stopped.load(Ordering::Relaxed) {
            udp.wait(pause, Some(Duration::from_millis(100))).unwrap();
            let (mut more, mut packets) = (true, 0);
            while more {
                more = udp.receive(&mut batch);
                packets += batch.len();
                for packet in batch.packets() {
                    let via = other[packet.socket.index()];
                    let whole = 0..packet.bytes().len();
                    let _ = udp.forward(via, None, packet, whole);
                }
            }
            pause = if packets > 0 { gather } else { Duration::ZERO };
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
