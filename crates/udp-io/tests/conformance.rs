//! What every backend must do, run against each of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use udp_io::{Batch, Epoll, Impairment, PACKET_BYTES_MAX, SimNet, SocketId, Udp};

const PATIENCE: Duration = Duration::from_secs(10);

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Receives until `count` packets are there or patience ends.
fn collect(udp: &mut impl Udp, count: usize) -> Vec<(SocketId, SocketAddr, Vec<u8>)> {
    let (mut batch, mut got) = (Batch::new(4), Vec::new());
    let end = Instant::now() + PATIENCE;
    while got.len() < count && Instant::now() < end {
        udp.wait(Some(Duration::from_millis(20))).unwrap();
        while udp.receive(&mut batch) || !batch.is_empty() {
            got.extend(
                batch
                    .packets()
                    .map(|packet| (packet.socket, packet.from, packet.bytes.to_vec())),
            );
        }
    }
    got
}

/// Everything that is there after a packet known to be sent last.
fn collect_until_marker(
    udp: &mut impl Udp,
    via: SocketId,
    to: SocketAddr,
) -> Vec<(SocketId, SocketAddr, Vec<u8>)> {
    udp.send(via, Some(to), b"marker").unwrap();
    let mut got = Vec::new();
    let end = Instant::now() + PATIENCE;
    while got
        .last()
        .is_none_or(|(_, _, bytes): &(_, _, Vec<u8>)| bytes != b"marker")
    {
        assert!(Instant::now() < end, "the marker did not arrive");
        got.extend(collect(udp, 1));
    }
    got.pop();
    got
}

fn packets_carry_socket_source_and_bytes(mut udp: impl Udp) {
    let (a, b) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
    let (at_a, at_b) = (udp.local(a).unwrap(), udp.local(b).unwrap());
    assert_ne!(at_a, at_b);
    udp.send(a, Some(at_b), b"one").unwrap();
    udp.send(b, Some(at_a), b"").unwrap();
    let mut got = collect(&mut udp, 2);
    got.sort();
    let mut want = vec![(b, at_a, b"one".to_vec()), (a, at_b, Vec::new())];
    want.sort();
    assert_eq!(got, want);
}

fn more_than_a_batch_arrives_whole(mut udp: impl Udp) {
    let (a, b) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
    let at_b = udp.local(b).unwrap();
    for number in 0..50_u8 {
        udp.send(a, Some(at_b), &[number; 172]).unwrap();
    }
    let got = collect(&mut udp, 50);
    let numbers: Vec<u8> = got.iter().map(|(_, _, bytes)| bytes[0]).collect();
    assert_eq!(numbers, (0..50).collect::<Vec<u8>>());
}

fn a_connected_socket_hears_its_peer_only(mut udp: impl Udp) {
    let sockets: Vec<SocketId> = (0..3).map(|_| udp.bind(any()).unwrap()).collect();
    let at: Vec<SocketAddr> = sockets.iter().map(|id| udp.local(*id).unwrap()).collect();
    udp.connect(sockets[0], at[1]).unwrap();
    // The stranger may be told so by an error.
    let _ = udp.send(sockets[2], Some(at[0]), b"stranger");
    let got = collect_until_marker(&mut udp, sockets[1], at[0]);
    assert_eq!(got, Vec::new());
    udp.send(sockets[0], None, b"to the peer").unwrap();
    assert_eq!(
        collect(&mut udp, 1),
        vec![(sockets[1], at[0], b"to the peer".to_vec())]
    );
}

fn a_disconnected_socket_keeps_its_port_and_hears_all(mut udp: impl Udp) {
    let sockets: Vec<SocketId> = (0..3).map(|_| udp.bind(any()).unwrap()).collect();
    let at: Vec<SocketAddr> = sockets.iter().map(|id| udp.local(*id).unwrap()).collect();
    udp.connect(sockets[0], at[1]).unwrap();
    udp.disconnect(sockets[0]).unwrap();
    assert_eq!(udp.local(sockets[0]), Some(at[0]));
    udp.send(sockets[2], Some(at[0]), b"again").unwrap();
    assert_eq!(
        collect(&mut udp, 1),
        vec![(sockets[0], at[2], b"again".to_vec())]
    );
    udp.connect(sockets[0], at[2]).unwrap();
    udp.send(sockets[0], None, b"latched anew").unwrap();
    assert_eq!(
        collect(&mut udp, 1),
        vec![(sockets[2], at[0], b"latched anew".to_vec())]
    );
}

fn a_held_port_is_taken_and_silent(mut udp: impl Udp) {
    let held = udp.hold(any()).unwrap();
    let at_held = udp.local(held).unwrap();
    assert!(udp.bind(at_held).is_err());
    let a = udp.bind(any()).unwrap();
    let at_a = udp.local(a).unwrap();
    for _ in 0..100 {
        udp.send(a, Some(at_held), &[0; 100]).unwrap();
    }
    assert_eq!(collect_until_marker(&mut udp, a, at_a), Vec::new());
    udp.close(held);
    udp.bind(at_held).unwrap();
}

fn a_closed_socket_frees_its_port_and_refuses_work(mut udp: impl Udp) {
    let a = udp.bind(any()).unwrap();
    let at_a = udp.local(a).unwrap();
    udp.close(a);
    udp.close(a);
    assert_eq!(udp.local(a), None);
    assert!(udp.send(a, Some(at_a), b"x").is_err());
    assert!(udp.connect(a, at_a).is_err());
    assert!(udp.disconnect(a).is_err());
    let again = udp.bind(at_a).unwrap();
    assert_eq!(udp.local(again), Some(at_a));
    let other = udp.bind(any()).unwrap();
    assert_ne!(other, again, "one id must not name two sockets");
}

fn a_packet_that_is_too_long_is_dropped(mut udp: impl Udp) {
    let a = udp.bind(any()).unwrap();
    let at_a = udp.local(a).unwrap();
    udp.send(a, Some(at_a), &[1; PACKET_BYTES_MAX + 1]).unwrap();
    udp.send(a, Some(at_a), &[2; PACKET_BYTES_MAX]).unwrap();
    let got = collect_until_marker(&mut udp, a, at_a);
    assert_eq!(got, vec![(a, at_a, vec![2; PACKET_BYTES_MAX])]);
}

fn the_waker_ends_a_wait_once(mut udp: impl Udp) {
    // Before the wait: it must not be lost.
    let waker = udp.waker();
    waker.wake_by_ref();
    waker.wake_by_ref();
    udp.wait(None).unwrap();
    // And during it, from another thread; several times, so that a stale flag would hang.
    for _ in 0..100 {
        let waker = udp.waker();
        let thread = std::thread::spawn(move || waker.wake());
        udp.wait(None).unwrap();
        thread.join().unwrap();
    }
    // No wake-up is left over: a wait runs into its time-out.
    udp.wait(Some(Duration::ZERO)).unwrap();
    let start = Instant::now();
    udp.wait(Some(Duration::from_millis(15))).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(10));
}

fn an_unreachable_peer_does_not_disturb(mut udp: impl Udp) {
    let (a, b) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
    let (at_a, at_b) = (udp.local(a).unwrap(), udp.local(b).unwrap());
    udp.connect(a, at_b).unwrap();
    udp.close(b);
    for _ in 0..10 {
        // May report the port as unreachable; must not panic, and the socket must stay usable.
        let _ = udp.send(a, None, b"lost");
    }
    let b = udp.bind(at_b).unwrap();
    udp.send(a, None, b"found").unwrap();
    assert_eq!(collect(&mut udp, 1), vec![(b, at_a, b"found".to_vec())]);
}

macro_rules! conformance {
    ($($claim:ident),* $(,)?) => {
        mod epoll {
            $(#[test] fn $claim() { super::$claim(super::Epoll::new().unwrap()); })*
        }
        mod simulated {
            $(#[test] fn $claim() { super::$claim(super::SimNet::new().sockets()); })*
        }
    };
}

conformance!(
    packets_carry_socket_source_and_bytes,
    more_than_a_batch_arrives_whole,
    a_connected_socket_hears_its_peer_only,
    a_disconnected_socket_keeps_its_port_and_hears_all,
    a_held_port_is_taken_and_silent,
    a_closed_socket_frees_its_port_and_refuses_work,
    a_packet_that_is_too_long_is_dropped,
    the_waker_ends_a_wait_once,
    an_unreachable_peer_does_not_disturb,
);

#[test]
fn epoll_on_ipv6_talks_to_ipv4() {
    let mut udp = Epoll::new().unwrap();
    // A machine without IPv6 has nothing to show here.
    let Ok(dual) = udp.bind("[::]:0".parse().unwrap()) else {
        return;
    };
    let port = udp.local(dual).unwrap().port();
    let v4 = udp.bind(any()).unwrap();
    let at_v4 = udp.local(v4).unwrap();
    udp.send(v4, Some(SocketAddr::from(([127, 0, 0, 1], port))), b"up")
        .unwrap();
    assert_eq!(collect(&mut udp, 1), vec![(dual, at_v4, b"up".to_vec())]);
    udp.send(dual, Some(at_v4), b"down").unwrap();
    assert_eq!(collect(&mut udp, 1)[0].2, b"down");
    udp.connect(dual, at_v4).unwrap();
    udp.send(dual, None, b"connected").unwrap();
    assert_eq!(collect(&mut udp, 1)[0].2, b"connected");
}

#[test]
fn the_simulated_network_loses_doubles_and_reorders_on_demand() {
    let net = SimNet::new();
    let mut udp = net.sockets();
    let (a, b) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
    let at_b = udp.local(b).unwrap();
    net.impair(Impairment {
        lose_every: 5,
        duplicate_every: 3,
        overtake_every: 4,
    });
    for number in 1..=6_u8 {
        udp.send(a, Some(at_b), &[number]).unwrap();
    }
    let got: Vec<u8> = collect(&mut udp, 7)
        .iter()
        .map(|(_, _, bytes)| bytes[0])
        .collect();
    assert_eq!(got, [1, 2, 3, 4, 3, 6, 6]);
}
