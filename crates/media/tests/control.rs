//! RTCP with real sockets on loopback: on the port beside RTP and on that of RTP, to telephones and not
//! to strangers; what is measured when a leg closes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use common::{Peer, World};
use rtcp_types::{
    Compound, Packet, ReceiverReport, ReportBlock, RtcpPacketWriterExt, SenderReport,
};
use vocab::media::{Codec, MediaEvent, Remote, Rtcp};

/// The first report comes after 1.25 to 3.75 s, a later one after at most 7.5 s; and some.
const PATIENCE: Duration = Duration::from_secs(15);

/// What was in the reports that came, in the order of arrival.
#[derive(Debug, Default, Clone)]
struct Heard {
    ssrc: u32,
    ntp: Option<u64>,
    packets: u32,
    lost: Option<(u8, u32)>,
    last_sr: u32,
    cname: bool,
    bye: bool,
}

fn heard(bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let mut block = None;
    for packet in Compound::parse(bytes).unwrap() {
        match packet.unwrap() {
            Packet::Sr(sr) => {
                heard.ssrc = sr.ssrc();
                heard.ntp = Some(sr.ntp_timestamp());
                heard.packets = sr.packet_count();
                block = sr.report_blocks().next().map(told);
            }
            Packet::Rr(rr) => {
                heard.ssrc = rr.ssrc();
                block = rr.report_blocks().next().map(told);
            }
            Packet::Sdes(sdes) => heard.cname = sdes.chunks().next().is_some(),
            Packet::Bye(_) => heard.bye = true,
            Packet::Xr(_) => {}
            other => panic!("{other:?}"),
        }
    }
    heard.lost = block.map(|(lost, _)| lost);
    heard.last_sr = block.map_or(0, |(_, last_sr)| last_sr);
    heard
}

fn told(block: ReportBlock<'_>) -> ((u8, u32), u32) {
    let lost = (block.fraction_lost(), block.cumulative_lost());
    (lost, block.last_sender_report_timestamp())
}

/// The next RTCP at a socket, while both peers go on talking.
fn next(socket: &UdpSocket, talk: &mut impl FnMut()) -> Heard {
    socket
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let (end, mut bytes) = (Instant::now() + PATIENCE, [0; 500]);
    while Instant::now() < end {
        talk();
        if let Ok(length) = socket.recv(&mut bytes)
            && (192..224).contains(&bytes[1])
        {
            return heard(&bytes[..length]);
        }
    }
    panic!("no report came");
}

fn report_of(ssrc: u32, of: u32, last_sr: u32) -> Vec<u8> {
    let block = ReportBlock::builder(of)
        .cumulative_lost(2)
        .interarrival_jitter(40)
        .last_sender_report_timestamp(last_sr);
    let report = ReceiverReport::builder(ssrc).add_report_block(block);
    written(&Compound::builder().add_packet(report))
}

fn written(compound: &impl RtcpPacketWriterExt) -> Vec<u8> {
    let mut bytes = vec![0; 500];
    let length = compound.write_into(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

#[test]
fn both_ways_of_rtcp_are_gone_and_what_was_reported_is_told_at_the_close() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    let mut operator = world.connect(2, Codec::Pcma);
    // The caller's RTCP is at a port of its own that the SDP names; the operator's on that of RTP.
    let apart = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rtcp = Rtcp::Apart(apart.local_addr().unwrap());
    world.set_remote(
        1,
        Remote {
            rtcp,
            ..caller.remote()
        },
    );
    let rtcp = Rtcp::Muxed;
    world.set_remote(
        2,
        Remote {
            rtcp,
            ..operator.remote()
        },
    );
    world.bridge(None);
    world.settle();
    let (at_caller, at_operator) = (caller.at_leg, operator.at_leg);
    let (muxed, mut said) = (operator.socket.try_clone().unwrap(), 0);
    let mut talk = || {
        // What comes back wakes the reader at once; without a pace the two would flood the engine.
        std::thread::sleep(Duration::from_millis(1));
        // Each tenth packet of the caller is lost.
        caller.say(1);
        said += 1;
        caller.sequence += u16::from(said % 9 == 0);
        operator.say(2);
    };
    let to_caller = next(&apart, &mut talk);
    let reported_at = Instant::now();
    assert!(to_caller.ntp.is_some() && to_caller.packets > 0 && to_caller.cname);
    let (fraction, lost) = to_caller.lost.unwrap();
    assert!(fraction > 10 && lost > 0, "{to_caller:?}");
    let to_operator = next(&muxed, &mut talk);
    assert_eq!(to_operator.lost, Some((0, 0)), "{to_operator:?}");

    // The caller reports with the time of our report; ours that follows has the time of the caller's.
    let middle = (to_caller.ntp.unwrap() >> 16) as u32;
    // In units of 1/65,536 s (RFC 3550, section 6.4.1).
    let since = reported_at.elapsed().as_secs_f64() * 65_536.0;
    let block = ReportBlock::builder(to_caller.ssrc)
        .last_sender_report_timestamp(middle)
        .delay_since_last_sender_report_timestamp(since as u32);
    let sender = SenderReport::builder(0xfeed).ntp_timestamp(0xabcd << 16);
    let report = Compound::builder().add_packet(sender.add_report_block(block));
    let beside = std::net::SocketAddr::new(at_caller.ip(), at_caller.port() + 1);
    apart.send_to(&written(&report), beside).unwrap();
    muxed
        .send_to(&report_of(0xfeed, to_operator.ssrc, 0), at_operator)
        .unwrap();
    let second = next(&apart, &mut talk);
    assert_eq!(second.last_sr, 0xabcd);

    world.close(1);
    world.close(2);
    let last = loop {
        let heard = next(&apart, &mut || {});
        if heard.bye {
            break heard;
        }
    };
    assert_eq!(last.ssrc, to_caller.ssrc);
    let closed = |number| {
        let leg = common::leg(number);
        let is_of =
            |event: &MediaEvent| matches!(event, MediaEvent::Closed { leg: l, .. } if *l == leg);
        let MediaEvent::Closed {
            quality, counts, ..
        } = world.event_that(is_of)
        else {
            panic!("not closed")
        };
        (quality, counts)
    };
    let (quality, counts) = closed(1);
    let path = quality.from_peer.unwrap();
    assert_eq!((path.lost, counts.lost), (counts.lost, path.lost));
    assert!(path.lost * 20 > path.expected && path.mos < 420, "{path:?}");
    assert!(quality.round_trip_us.unwrap() < 2_000_000, "{quality:?}");
    assert_eq!(counts.refused, 0);
    let (quality, counts) = closed(2);
    let path = quality.to_peer.unwrap();
    assert_eq!((path.lost, path.jitter_us), (2, 5_000));
    let path = quality.from_peer.unwrap();
    // On a machine that is busy the system itself may drop some.
    assert_eq!(path.lost, counts.lost, "{path:?}");
    assert_eq!(quality.round_trip_us, None, "a report of none of ours");
}

#[test]
fn a_strangers_rtcp_is_refused_and_gets_nothing_back() {
    let world = World::new();
    let mut caller = world.connect(1, Codec::Pcma);
    world.set_remote(
        1,
        Remote {
            rtcp: Rtcp::Muxed,
            ..caller.remote()
        },
    );
    caller.say(1);
    world.event_that(|event| matches!(event, MediaEvent::AudioStarted { .. }));
    let stranger = Peer::new(caller.at_leg, Codec::Pcma);
    let report = report_of(0xfeed, 1, 0);
    let beside = std::net::SocketAddr::new(caller.at_leg.ip(), caller.at_leg.port() + 1);
    // The RTP socket is connected; what comes beside is not agreed on.
    for at in [caller.at_leg, beside] {
        let _ = stranger.socket.send_to(&report, at);
    }
    // The peer itself, but nothing that can be read.
    caller.send(&[0x80, 200, 0, 9, 0]);
    caller.send(&report);
    // A key after all that: when it is told, what came before was judged.
    caller.send(&caller.packet(101, &[5, 0x8a, 0, 160]));
    world.event_that(|event| matches!(event, MediaEvent::Digit { .. }));
    world.close(1);
    let closed = world.event_that(|event| matches!(event, MediaEvent::Closed { .. }));
    let MediaEvent::Closed {
        counts, quality, ..
    } = closed
    else {
        panic!("{closed:?}")
    };
    assert_eq!(
        counts.refused, 2,
        "the stranger's beside, and what cannot be read: {counts:?}"
    );
    assert_eq!(quality.to_peer, None, "a report of another's stream");
    stranger
        .socket
        .set_read_timeout(Some(Duration::from_millis(60)))
        .unwrap();
    assert!(stranger.socket.recv(&mut [0; 200]).is_err());
}
