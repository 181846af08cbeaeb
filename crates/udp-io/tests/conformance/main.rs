//! What every backend must do, run against each of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod endings;
mod masses;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use udp_io::{
    Batch, Choice, Epoll, Impairment, IoUring, PACKET_BYTES_MAX, SimNet, SocketId, Udp, choose,
};

const PATIENCE: Duration = Duration::from_secs(10);

static TESTS: AtomicU16 = AtomicU16::new(1);

thread_local! {
    /// An address of each test's own: what one sends to a socket that it has closed must not reach a
    /// socket of another that has got the port meanwhile.
    static HOST: Ipv4Addr = {
        let [high, low] = TESTS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Ipv4Addr::new(127, (std::process::id() % 250) as u8 + 1, high, low)
    };
}

fn any() -> SocketAddr {
    SocketAddr::from((HOST.with(|host| *host), 0))
}

/// Receives until `count` packets are there or patience ends.
fn collect(udp: &mut impl Udp, count: usize) -> Vec<(SocketId, SocketAddr, Vec<u8>)> {
    let (mut batch, mut got) = (Batch::new(4), Vec::new());
    let end = Instant::now() + PATIENCE;
    while got.len() < count && Instant::now() < end {
        udp.wait(Duration::ZERO, Some(Duration::from_millis(20)))
            .unwrap();
        while udp.receive(&mut batch) || !batch.is_empty() {
            got.extend(
                batch
                    .packets()
                    .map(|packet| (packet.socket, packet.from, packet.bytes().to_vec())),
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

fn one_turn_brings_what_many_have_sent_to_a_shared_port(mut udp: impl Udp) {
    let shared = udp.bind_shared(any()).unwrap();
    let at = udp.local(shared).unwrap();
    let peers = [(); 10].map(|()| std::net::UdpSocket::bind(any()).unwrap());
    for number in 0..60_u8 {
        let peer = &peers[usize::from(number) % peers.len()];
        peer.send_to(&[number], at).unwrap();
    }
    udp.wait(Duration::from_millis(20), Some(Duration::from_secs(5)))
        .unwrap();
    let (mut batch, mut count, mut more) = (Batch::new(7), 0, true);
    while more {
        more = udp.receive(&mut batch);
        count += batch.len();
    }
    assert_eq!(count, 60);
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
    udp.wait(Duration::ZERO, None).unwrap();
    // And during it, from another thread; several times, so that a stale flag would hang.
    for _ in 0..100 {
        let waker = udp.waker();
        let thread = std::thread::spawn(move || waker.wake());
        udp.wait(Duration::ZERO, None).unwrap();
        thread.join().unwrap();
    }
    // No wake-up is left over: a wait runs into its time-out.
    udp.wait(Duration::ZERO, Some(Duration::ZERO)).unwrap();
    let start = Instant::now();
    udp.wait(Duration::ZERO, Some(Duration::from_millis(15)))
        .unwrap();
    assert!(start.elapsed() >= Duration::from_millis(10));
}

fn the_waker_is_heard_after_packets_have_gathered(mut udp: impl Udp) {
    let waker = udp.waker();
    let thread = std::thread::spawn(move || {
        for _ in 0..20 {
            waker.wake_by_ref();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    // Would sleep for ever, were a wake-up lost in the pause before.
    udp.wait(Duration::from_millis(5), None).unwrap();
    thread.join().unwrap();
    udp.waker().wake();
    udp.wait(Duration::from_millis(5), None).unwrap();
}

/// A call into the set takes note of what the kernel has done, a wake-up included.
fn the_waker_is_heard_after_other_work(mut udp: impl Udp) {
    for _ in 0..10 {
        let socket = udp.bind(any()).unwrap();
        udp.wait(Duration::ZERO, Some(Duration::ZERO)).unwrap();
        udp.waker().wake();
        udp.close(socket);
        let start = Instant::now();
        udp.wait(Duration::ZERO, Some(Duration::from_secs(10)))
            .unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

fn packets_that_come_in_the_pause_are_there_after_it(mut udp: impl Udp) {
    let (a, b) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
    let at_b = udp.local(b).unwrap();
    for number in 0..100_u8 {
        udp.send(a, Some(at_b), &[number]).unwrap();
        udp.wait(Duration::from_micros(200), Some(Duration::from_secs(10)))
            .unwrap();
        assert_eq!(collect(&mut udp, 1)[0].2, [number]);
    }
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
    udp.wait(Duration::ZERO, Some(Duration::ZERO)).unwrap();
    let b = udp.bind(at_b).unwrap();
    udp.send(a, None, b"found").unwrap();
    assert_eq!(collect(&mut udp, 1), vec![(b, at_a, b"found".to_vec())]);
}

fn packets_are_forwarded_in_part_and_as_changed(mut udp: impl Udp) {
    let [sender, leg, other, hearer] = [0; 4].map(|_| udp.bind(any()).unwrap());
    let at = |udp: &mut _, id| Udp::local(udp, id).unwrap();
    let (at_leg, at_other, at_hearer) =
        (at(&mut udp, leg), at(&mut udp, other), at(&mut udp, hearer));
    udp.connect(other, at_hearer).unwrap();
    let mut batch = Batch::new(8);
    // Often enough that a buffer that got lost would be missed.
    for number in 0..2_000_u32 {
        udp.send(sender, Some(at_leg), b"0123456789").unwrap();
        batch = heard(&mut udp, batch);
        let mut packet = batch.packets().next().unwrap();
        packet.bytes_mut()[4..8].copy_from_slice(&number.to_be_bytes());
        let (via, to, from) = match number % 2 {
            0 => (other, None, at_other),
            _ => (leg, Some(at_hearer), at_leg),
        };
        udp.forward(via, to, packet, 2..9).unwrap();
        let bytes = [&b"23"[..], &number.to_be_bytes(), b"8"].concat();
        assert_eq!(collect(&mut udp, 1), vec![(hearer, from, bytes)]);
    }
    udp.send(sender, Some(at_leg), b"short").unwrap();
    batch = heard(&mut udp, batch);
    let packet = batch.packets().next().unwrap();
    let beyond = PACKET_BYTES_MAX..PACKET_BYTES_MAX + 1;
    assert!(udp.forward(other, None, packet, beyond).is_err());
}

fn a_packet_may_grow_and_shrink_where_it_lies(mut udp: impl Udp) {
    let (a, b) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
    let at_b = udp.local(b).unwrap();
    let mut batch = Batch::new(4);
    for length in [0, 1, 180, PACKET_BYTES_MAX, PACKET_BYTES_MAX + 9] {
        udp.send(a, Some(at_b), b"0123456789").unwrap();
        batch = heard(&mut udp, batch);
        let mut packet = batch.packets().next().unwrap();
        packet.resize(length);
        let length = length.min(PACKET_BYTES_MAX);
        assert_eq!(packet.bytes().len(), length);
        let kept = length.min(10);
        assert_eq!(&packet.bytes()[..kept], &b"0123456789"[..kept]);
        packet.bytes_mut().fill(7);
        udp.forward(a, Some(at_b), packet, 0..length).unwrap();
        assert_eq!(collect(&mut udp, 1)[0].2, vec![7; length]);
    }
}

fn one_batch_serves_two_sets_and_outlives_both<U: Udp>(mut one: U, mut other: U) {
    let mut batch = Batch::new(4);
    let ids = [&mut one, &mut other].map(|udp| udp.bind(any()).unwrap());
    let at = [one.local(ids[0]).unwrap(), other.local(ids[1]).unwrap()];
    for round in 0..1_000_u32 {
        for (udp, index) in [(&mut one, 0), (&mut other, 1)] {
            udp.send(ids[index], Some(at[index]), &round.to_be_bytes())
                .unwrap();
            batch = heard(udp, batch);
            let bytes: Vec<_> = batch.packets().map(|p| p.bytes().to_vec()).collect();
            assert_eq!(bytes, [round.to_be_bytes().to_vec()]);
        }
    }
    drop((one, other));
    assert_eq!(
        batch.packets().next().unwrap().bytes(),
        999_u32.to_be_bytes()
    );
}

/// Fills the batch with at least one packet.
fn heard(udp: &mut impl Udp, mut batch: Batch) -> Batch {
    let end = Instant::now() + PATIENCE;
    loop {
        udp.wait(Duration::ZERO, Some(Duration::from_millis(20)))
            .unwrap();
        udp.receive(&mut batch);
        if !batch.is_empty() {
            return batch;
        }
        assert!(Instant::now() < end, "nothing came");
    }
}

fn an_ipv6_socket_talks_to_ipv4(mut udp: impl Udp) {
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

fn ipv6_talks_to_ipv6(mut udp: impl Udp) {
    let (Ok(a), Ok(b)) = (
        udp.bind("[::1]:0".parse().unwrap()),
        udp.bind("[::1]:0".parse().unwrap()),
    ) else {
        return;
    };
    let (at_a, at_b) = (udp.local(a).unwrap(), udp.local(b).unwrap());
    udp.send(a, Some(at_b), b"six").unwrap();
    assert_eq!(collect(&mut udp, 1), vec![(b, at_a, b"six".to_vec())]);
}

/// A set on io_uring; `None`, and a word on why, where it does not work.
fn io_uring() -> Option<IoUring> {
    match choose(Choice::IoUring) {
        Ok(_) => Some(IoUring::new().unwrap()),
        Err(problem) => {
            eprintln!("not shown for io_uring, which does not work here: {problem}");
            None
        }
    }
}

macro_rules! conformance {
    (
        all: [$($all:path as $all_name:ident),* $(,)?],
        real: [$($real:path as $real_name:ident),* $(,)?],
        two: [$($two:path as $two_name:ident),* $(,)?] $(,)?
    ) => {
        mod epoll {
            $(#[test] fn $all_name() { $all(super::Epoll::new().unwrap()); })*
            $(#[test] fn $real_name() { $real(super::Epoll::new().unwrap()); })*
            $(#[test] fn $two_name() {
                $two(super::Epoll::new().unwrap(), super::Epoll::new().unwrap());
            })*
        }
        mod io_uring {
            $(#[test] fn $all_name() { let _ = super::io_uring().map($all); })*
            $(#[test] fn $real_name() { let _ = super::io_uring().map($real); })*
            $(#[test] fn $two_name() {
                if let (Some(one), Some(other)) = (super::io_uring(), super::io_uring()) {
                    $two(one, other);
                }
            })*
        }
        mod simulated {
            $(#[test] fn $all_name() { $all(super::SimNet::new().sockets()); })*
            $(#[test] fn $two_name() {
                let net = super::SimNet::new();
                $two(net.sockets(), net.sockets());
            })*
        }
    };
}

conformance!(
    all: [
        super::packets_carry_socket_source_and_bytes as packets_carry_socket_source_and_bytes,
        super::more_than_a_batch_arrives_whole as more_than_a_batch_arrives_whole,
        super::a_connected_socket_hears_its_peer_only as a_connected_socket_hears_its_peer_only,
        super::a_disconnected_socket_keeps_its_port_and_hears_all
            as a_disconnected_socket_keeps_its_port_and_hears_all,
        super::a_held_port_is_taken_and_silent as a_held_port_is_taken_and_silent,
        super::a_closed_socket_frees_its_port_and_refuses_work
            as a_closed_socket_frees_its_port_and_refuses_work,
        super::a_packet_that_is_too_long_is_dropped as a_packet_that_is_too_long_is_dropped,
        super::the_waker_ends_a_wait_once as the_waker_ends_a_wait_once,
        super::the_waker_is_heard_after_packets_have_gathered
            as the_waker_is_heard_after_packets_have_gathered,
        super::the_waker_is_heard_after_other_work as the_waker_is_heard_after_other_work,
        super::packets_that_come_in_the_pause_are_there_after_it
            as packets_that_come_in_the_pause_are_there_after_it,
        super::an_unreachable_peer_does_not_disturb as an_unreachable_peer_does_not_disturb,
        super::packets_are_forwarded_in_part_and_as_changed
            as packets_are_forwarded_in_part_and_as_changed,
        super::a_packet_may_grow_and_shrink_where_it_lies
            as a_packet_may_grow_and_shrink_where_it_lies,
        super::masses::bursts_arrive_whole_and_in_order as bursts_arrive_whole_and_in_order,
        super::masses::more_packets_than_memory_wait_for_their_turn
            as more_packets_than_memory_wait_for_their_turn,
        super::masses::thousands_of_sockets_each_get_their_own
            as thousands_of_sockets_each_get_their_own,
        super::masses::batches_that_are_dropped_give_their_memory_back
            as batches_that_are_dropped_give_their_memory_back,
        super::masses::more_is_sent_than_fits_at_once as more_is_sent_than_fits_at_once,
        super::endings::nothing_of_a_closed_socket_is_delivered
            as nothing_of_a_closed_socket_is_delivered,
        super::endings::what_was_sent_before_close_has_left as what_was_sent_before_close_has_left,
        super::endings::a_peer_may_change_again_and_again as a_peer_may_change_again_and_again,
    ],
    real: [
        super::one_turn_brings_what_many_have_sent_to_a_shared_port
            as one_turn_brings_what_many_have_sent_to_a_shared_port,
        super::an_ipv6_socket_talks_to_ipv4 as an_ipv6_socket_talks_to_ipv4,
        super::ipv6_talks_to_ipv6 as ipv6_talks_to_ipv6,
        super::endings::an_icmp_error_does_not_end_receiving
            as an_icmp_error_does_not_end_receiving,
        super::endings::sockets_open_and_close_in_a_storm as sockets_open_and_close_in_a_storm,
    ],
    two: [
        super::one_batch_serves_two_sets_and_outlives_both
            as one_batch_serves_two_sets_and_outlives_both,
        super::endings::a_set_that_is_dropped_leaves_its_batch_and_its_ports
            as a_set_that_is_dropped_leaves_its_batch_and_its_ports,
    ],
);

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
