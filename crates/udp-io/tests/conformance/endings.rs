//! What ends while something is under way: sockets, peers, whole sets.

use std::time::Duration;

use udp_io::{Batch, SocketId, Udp};

use crate::{any, collect, collect_until_marker, heard};

/// Lets the backend begin what it has to, and take what is there.
fn turn(udp: &mut impl Udp) {
    udp.wait(Duration::ZERO, Some(Duration::from_millis(1)))
        .unwrap();
}

pub(crate) fn nothing_of_a_closed_socket_is_delivered(mut udp: impl Udp) {
    let sender = udp.bind(any()).unwrap();
    let at_sender = udp.local(sender).unwrap();
    let mut batch = Batch::new(64);
    for round in 0..50_u8 {
        let old = udp.bind(any()).unwrap();
        let at_old = udp.local(old).unwrap();
        turn(&mut udp);
        for _ in 0..20 {
            udp.send(sender, Some(at_old), b"old").unwrap();
        }
        // Sometimes the packets are taken already when the socket is closed, sometimes not.
        for _ in 0..round % 3 {
            turn(&mut udp);
        }
        udp.close(old);
        let new = udp.bind(at_old).unwrap();
        let got = collect_until_marker(&mut udp, sender, at_sender);
        assert_eq!(got, Vec::new(), "round {round}");
        udp.send(sender, Some(at_old), b"new").unwrap();
        batch = heard(&mut udp, batch);
        let got: Vec<_> = batch
            .packets()
            .map(|p| (p.socket, p.bytes().to_vec()))
            .collect();
        assert_eq!(got, [(new, b"new".to_vec())]);
        udp.close(new);
    }
}

pub(crate) fn what_was_sent_before_close_has_left(mut udp: impl Udp) {
    let hearer = udp.bind(any()).unwrap();
    let at_hearer = udp.local(hearer).unwrap();
    for _ in 0..20 {
        let (a, b) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
        let at = [a, b].map(|id| udp.local(id).unwrap());
        udp.connect(a, at_hearer).unwrap();
        turn(&mut udp);
        udp.send(a, None, b"last words").unwrap();
        udp.send(b, Some(at_hearer), b"last words").unwrap();
        udp.disconnect(a).unwrap();
        udp.close(b);
        udp.close(a);
        let mut got = collect(&mut udp, 2);
        got.sort();
        let mut want = at.map(|from| (hearer, from, b"last words".to_vec()));
        want.sort();
        assert_eq!(got, want);
    }
}

pub(crate) fn a_peer_may_change_again_and_again(mut udp: impl Udp) {
    let leg = udp.bind(any()).unwrap();
    let at_leg = udp.local(leg).unwrap();
    let peers: Vec<SocketId> = (0..3).map(|_| udp.bind(any()).unwrap()).collect();
    let at: Vec<_> = peers.iter().map(|id| udp.local(*id).unwrap()).collect();
    for round in 0..60 {
        let (now, other) = (round % 3, (round + 1) % 3);
        udp.connect(leg, at[now]).unwrap();
        // The system may tell the stranger so.
        let _ = udp.send(peers[other], Some(at_leg), b"stranger");
        udp.send(peers[now], Some(at_leg), b"peer").unwrap();
        let got = collect(&mut udp, 1);
        assert_eq!(got, [(leg, at[now], b"peer".to_vec())], "round {round}");
        udp.send(leg, None, b"answer").unwrap();
        let got = collect(&mut udp, 1);
        assert_eq!(got, [(peers[now], at_leg, b"answer".to_vec())]);
        if round % 2 == 0 {
            udp.disconnect(leg).unwrap();
        }
    }
}

pub(crate) fn an_icmp_error_does_not_end_receiving(mut udp: impl Udp) {
    let (leg, peer) = (udp.bind(any()).unwrap(), udp.bind(any()).unwrap());
    let (at_leg, at_peer) = (udp.local(leg).unwrap(), udp.local(peer).unwrap());
    udp.connect(leg, at_peer).unwrap();
    turn(&mut udp);
    let mut peer = peer;
    for _ in 0..20 {
        udp.close(peer);
        for _ in 0..3 {
            // Nobody is there: the system answers with "port unreachable".
            let _ = udp.send(leg, None, b"lost");
            turn(&mut udp);
        }
        peer = udp.bind(at_peer).unwrap();
        udp.send(peer, Some(at_leg), b"back").unwrap();
        assert_eq!(collect(&mut udp, 1), [(leg, at_peer, b"back".to_vec())]);
        udp.send(leg, None, b"and forth").unwrap();
        assert_eq!(
            collect(&mut udp, 1),
            [(peer, at_leg, b"and forth".to_vec())]
        );
    }
}

pub(crate) fn sockets_open_and_close_in_a_storm(mut udp: impl Udp) {
    // A thread that fires at all ports while they come and go.
    let (tell, told) = std::sync::mpsc::channel::<std::net::SocketAddr>();
    let storm = std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind(any()).unwrap();
        while let Ok(target) = told.recv() {
            for number in 0..40_u8 {
                let _ = socket.send_to(&[number; 172], target);
            }
        }
    });
    let mut batch = Batch::new(16);
    let mut open: Vec<SocketId> = Vec::new();
    let mut packets = 0;
    for round in 0..600_usize {
        let id = udp.bind(any()).unwrap();
        tell.send(udp.local(id).unwrap()).unwrap();
        open.push(id);
        if open.len() > 20 {
            udp.close(open.swap_remove(round * 7 % 20));
        }
        turn(&mut udp);
        while udp.receive(&mut batch) || !batch.is_empty() {
            for packet in batch.packets() {
                assert!(open.contains(&packet.socket), "of a closed socket");
                let first = packet.bytes()[0];
                assert!(packet.bytes() == [first; 172], "another packet's octets");
                let via = packet.socket;
                let to = Some(packet.from);
                udp.forward(via, to, packet, 0..172).unwrap();
                packets += 1;
            }
        }
    }
    drop(tell);
    storm.join().unwrap();
    assert!(packets > 600, "{packets}");
}

pub(crate) fn a_set_that_is_dropped_leaves_its_batch_and_its_ports<U: Udp>(
    mut one: U,
    mut other: U,
) {
    let ids: Vec<SocketId> = (0..20).map(|_| one.bind(any()).unwrap()).collect();
    let at: Vec<_> = ids.iter().map(|id| one.local(*id).unwrap()).collect();
    let sender = other.bind(any()).unwrap();
    turn(&mut one);
    for at in &at {
        for number in 0..30_u8 {
            other.send(sender, Some(*at), &[number; 200]).unwrap();
        }
    }
    turn(&mut other);
    // Some taken, some lent to the batch, most still in the sockets, one on its way out.
    let mut batch = heard(&mut one, Batch::new(8));
    one.send(ids[0], Some(at[1]), b"never mind").unwrap();
    drop(one);
    for at in &at {
        other.bind(*at).unwrap();
    }
    // What comes now must not be found in the memory of the set that is gone.
    for at in &at {
        other.send(sender, Some(*at), &[0xee; 200]).unwrap();
    }
    assert_eq!(collect(&mut other, 20).len(), 20);
    for packet in batch.packets() {
        let first = packet.bytes()[0];
        assert!(first < 30 && packet.bytes() == [first; 200]);
    }
}
