//! Many packets, many sockets, more than there is memory for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use udp_io::{Batch, SocketId, Udp};

use crate::{any, collect, heard};

/// Packets that surely fit into one socket's receive buffer.
const FITS_ONE_SOCKET: u32 = 100;

fn bind_many(udp: &mut impl Udp, count: usize) -> Vec<(SocketId, SocketAddr)> {
    (0..count)
        .map(|_| {
            let id = udp.bind(any()).unwrap();
            (id, udp.local(id).unwrap())
        })
        .collect()
}

/// What each socket got, in order.
fn by_socket(got: Vec<(SocketId, SocketAddr, Vec<u8>)>) -> BTreeMap<SocketId, Vec<Vec<u8>>> {
    let mut all: BTreeMap<SocketId, Vec<Vec<u8>>> = BTreeMap::new();
    for (socket, _, bytes) in got {
        all.entry(socket).or_default().push(bytes);
    }
    all
}

fn numbers(count: u32) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| number.to_be_bytes().to_vec())
        .collect()
}

pub(crate) fn bursts_arrive_whole_and_in_order(mut udp: impl Udp) {
    let sockets = bind_many(&mut udp, 20);
    for _ in 0..5 {
        for (id, at) in &sockets {
            for number in 0..30_u32 {
                udp.send(*id, Some(*at), &number.to_be_bytes()).unwrap();
            }
        }
        let all = by_socket(collect(&mut udp, 20 * 30));
        assert_eq!(all.len(), 20);
        assert!(all.values().all(|got| *got == numbers(30)));
    }
}

pub(crate) fn more_packets_than_memory_wait_for_their_turn(mut udp: impl Udp) {
    // 5,000 packets before the first is taken: io_uring has 1,024 buffers to receive into.
    let sockets = bind_many(&mut udp, 50);
    for number in 0..FITS_ONE_SOCKET {
        for (id, at) in &sockets {
            udp.send(*id, Some(*at), &number.to_be_bytes()).unwrap();
        }
    }
    let all = by_socket(collect(&mut udp, 50 * FITS_ONE_SOCKET as usize));
    assert_eq!(all.len(), 50);
    assert!(all.values().all(|got| *got == numbers(FITS_ONE_SOCKET)));
}

pub(crate) fn thousands_of_sockets_each_get_their_own(mut udp: impl Udp) {
    // The soft limit of descriptors is often 1,024.
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let sockets = bind_many(&mut udp, 3_000);
    for round in 0..2_u8 {
        for pair in sockets.chunks(2) {
            let [(a, at_a), (b, at_b)] = [pair[0], pair[1]];
            udp.connect(a, at_b).unwrap();
            udp.send(a, None, &[round, 0]).unwrap();
            udp.send(b, Some(at_a), &[round, 1]).unwrap();
        }
        let all = by_socket(collect(&mut udp, 3_000));
        for pair in sockets.chunks(2) {
            assert_eq!(all[&pair[0].0], [vec![round, 1]]);
            assert_eq!(all[&pair[1].0], [vec![round, 0]]);
        }
    }
}

pub(crate) fn batches_that_are_dropped_give_their_memory_back(mut udp: impl Udp) {
    let (id, at) = bind_many(&mut udp, 1)[0];
    for number in 0..3_000_u32 {
        udp.send(id, Some(at), &number.to_be_bytes()).unwrap();
        let mut batch = heard(&mut udp, Batch::new(4));
        let bytes: Vec<Vec<u8>> = batch.packets().map(|p| p.bytes().to_vec()).collect();
        assert_eq!(bytes, [number.to_be_bytes().to_vec()]);
    }
}

pub(crate) fn more_is_sent_than_fits_at_once(mut udp: impl Udp) {
    // 4,000 packets without a wait between: io_uring has room for 1,024 operations.
    let sockets = bind_many(&mut udp, 40);
    for (id, at) in &sockets {
        for number in 0..FITS_ONE_SOCKET {
            udp.send(*id, Some(*at), &number.to_be_bytes()).unwrap();
        }
    }
    udp.wait(Duration::ZERO, Some(Duration::ZERO)).unwrap();
    let all = by_socket(collect(&mut udp, 40 * FITS_ONE_SOCKET as usize));
    assert!(all.len() == 40 && all.values().all(|got| *got == numbers(FITS_ONE_SOCKET)));
}
