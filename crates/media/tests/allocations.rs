//! Per packet nothing is allocated: counted on the whole process while audio is relayed, recorded
//! and played. Alone in its binary, as the allocator counts for every thread.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod common;

use std::alloc::System;
use std::net::UdpSocket;

use common::{CALL, PATIENCE, leg};
use media::codec::Encoder;
use media::{Audio, Media, Settings, Tap};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use vocab::media::{
    Codec, MediaCommand, MediaEvent, MixParty, MixRole, OpusWish, PromptId, RecordingKey, Remote,
    Side,
};
use vocab::srtp::{Crypto, MasterKey, Suite};
use vocab::{PauseReason, Time};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts packets, and allocates nothing for it.
struct Count(std::sync::Arc<std::sync::atomic::AtomicU64>);

impl Tap for Count {
    fn start(&mut self, _key: RecordingKey, _at: Time) {}
    fn packet(&mut self, _key: RecordingKey, _side: Side, _arrived: Time, _rtp: &[u8]) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
    fn pause(&mut self, _key: RecordingKey, _at: Time, _reason: PauseReason) {}
    fn resume(&mut self, _key: RecordingKey, _at: Time) {}
    fn stop(&mut self, _key: RecordingKey, _at: Time) {}

    fn discard(&mut self, _key: RecordingKey, _at: Time) {}
}

/// One packet from a peer to the other, without an allocation of our own.
fn pass(from: &UdpSocket, to: &UdpSocket, packet: &mut [u8; 172], sequence: u16) {
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    from.send(packet).unwrap();
    let mut heard = [0; 200];
    assert_eq!(to.recv(&mut heard).unwrap(), 172);
}

/// Speaks a codec, a packet each time, and allocates nothing for it.
struct Talker<'a> {
    socket: &'a UdpSocket,
    codec: Codec,
    encoder: Encoder,
    sequence: u16,
}

impl<'a> Talker<'a> {
    fn new((socket, codec): (&'a UdpSocket, Codec)) -> Self {
        Self {
            socket,
            codec,
            encoder: Encoder::new(codec, 16_000, OpusWish::default()).unwrap(),
            sequence: 0,
        }
    }

    fn speak(&mut self) {
        let mut samples = [0; 320];
        for (at, sample) in samples.iter_mut().enumerate() {
            *sample = ((at * 37 + usize::from(self.sequence) * 11) % 4_000) as i16;
        }
        let mut packet = [0; 600];
        let timestamp = u32::from(self.sequence) * self.codec.clock_rate() / 50;
        packet[..2].copy_from_slice(&[0x80, self.codec.payload_type()]);
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        let octets = self.encoder.encode(&samples, &mut packet[12..]).unwrap();
        self.socket.send(&packet[..12 + octets]).unwrap();
        self.sequence += 1;
    }
}

/// These legs are a mix.
fn mix(
    parties: impl Iterator<Item = (u32, MixRole)>,
    record: Option<RecordingKey>,
) -> MediaCommand {
    let party = |(number, role)| MixParty {
        leg: leg(number),
        role,
    };
    MediaCommand::Mix {
        call: CALL,
        parties: parties.map(party).collect(),
        record,
    }
}

/// Two speak at the pace of what the mix sends them.
fn hear_mix(
    peers: &[UdpSocket],
    alaw: &mut [u8; 172],
    ulaw: &mut [u8; 172],
    sequences: core::ops::Range<u16>,
) {
    for sequence in sequences {
        for (peer, packet) in peers.iter().zip([&mut *alaw, &mut *ulaw]) {
            packet[2..4].copy_from_slice(&sequence.to_be_bytes());
            packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
            peer.send(packet).unwrap();
            peer.recv(&mut [0; 200]).unwrap();
        }
    }
}

#[test]
fn a_relayed_recorded_mixed_played_or_translated_packet_allocates_nothing() {
    let taped = std::sync::Arc::<std::sync::atomic::AtomicU64>::default();
    let (sender, events) = std::sync::mpsc::channel();
    let settings = Settings {
        address: "127.0.0.1".parse().unwrap(),
        ..Settings::default()
    };
    let prompts = [(PromptId(1), Audio::from_pcm(&[500; 8_000]))].into();
    let taps: Vec<Box<dyn Tap>> = vec![Box::new(Count(taped.clone()))];
    let report = move |event| drop(sender.send(event));
    let media = Media::start(settings, std::time::Instant::now(), prompts, taps, report).unwrap();
    // Two laws, so that their translation is in the count too; the third leg hears music, and so does
    // the fourth, in Opus; the last two speak Opus and G.722 to each other.
    let codecs = [
        Codec::Pcma,
        Codec::Pcmu,
        Codec::Pcma,
        Codec::Opus,
        Codec::Opus,
        Codec::G722,
    ];
    let peers: Vec<UdpSocket> = codecs
        .into_iter()
        .zip(1..)
        .map(|(codec, number)| {
            let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
            peer.set_read_timeout(Some(PATIENCE)).unwrap();
            media.send(MediaCommand::Open {
                call: CALL,
                leg: leg(number),
            });
            let Ok(MediaEvent::Opened { port, .. }) = events.recv_timeout(PATIENCE) else {
                panic!("not opened")
            };
            peer.connect(("127.0.0.1", port)).unwrap();
            // What the third hears is encrypted, too.
            let key = MasterKey::new([1; MasterKey::OCTETS]);
            let crypto = Crypto {
                suite: Suite::AesCm128HmacSha1_80,
                ours: key,
                theirs: key,
            };
            let remote = Remote {
                crypto: (number == 3).then_some(crypto),
                ..Remote::new(peer.local_addr().unwrap(), codec)
            };
            media.send(MediaCommand::SetRemote {
                call: CALL,
                leg: leg(number),
                remote,
            });
            peer
        })
        .collect();
    let (call, prompt) = (CALL, PromptId(1));
    for number in [3, 4] {
        media.send(MediaCommand::Play {
            call,
            leg: leg(number),
            prompt,
            repeat: true,
            token: 1,
        });
    }
    media.send(MediaCommand::Bridge {
        call,
        caller: leg(5),
        operator: leg(6),
        record: None,
    });
    let record = Some(RecordingKey { call, segment: 1 });
    media.send(MediaCommand::Bridge {
        call,
        caller: leg(1),
        operator: leg(2),
        record,
    });

    let mut alaw = [0x55; 172];
    alaw[..2].copy_from_slice(&[0x80, 8]);
    let mut ulaw = alaw;
    ulaw[1] = 0;
    // The first packets lock the peers and report that audio has started. Commands are obeyed in
    // order, so the music of the third leg means that all is set up.
    peers[2].recv(&mut [0; 200]).unwrap();
    let mut talkers = [(&peers[4], Codec::Opus), (&peers[5], Codec::G722)].map(Talker::new);
    for sequence in 0..50 {
        pass(&peers[0], &peers[1], &mut alaw, sequence);
        pass(&peers[1], &peers[0], &mut ulaw, sequence);
    }
    for _ in 0..20 {
        talkers.iter_mut().for_each(Talker::speak);
        peers[3].recv(&mut [0; 600]).unwrap();
    }
    for (peer, talker) in peers[4..].iter().zip(&talkers) {
        assert!(
            peer.recv(&mut [0; 600]).unwrap() > 12,
            "{:?} hears",
            talker.codec
        );
    }
    let before = taped.load(std::sync::atomic::Ordering::Relaxed);
    let region = Region::new(ALLOCATOR);
    for sequence in 50..1_050 {
        pass(&peers[0], &peers[1], &mut alaw, sequence);
        pass(&peers[1], &peers[0], &mut ulaw, sequence);
    }
    for _ in 0..20 {
        peers[2].recv(&mut [0; 200]).unwrap();
    }
    for _ in 0..50 {
        talkers.iter_mut().for_each(Talker::speak);
        peers[3].recv(&mut [0; 600]).unwrap();
    }
    let change = region.change();
    assert_eq!(
        taped.load(std::sync::atomic::Ordering::Relaxed) - before,
        2_000
    );
    assert_eq!(
        (change.allocations, change.reallocations),
        (0, 0),
        "{change:?}"
    );
    // The third joins the two: all is mixed from now on.
    media.send(MediaCommand::Stop { call, leg: leg(3) });
    let roles = [MixRole::Caller, MixRole::Operator, MixRole::Whispering];
    media.send(mix((1..).zip(roles), record));
    hear_mix(&peers, &mut alaw, &mut ulaw, 1_050..1_080);
    let before = taped.load(std::sync::atomic::Ordering::Relaxed);
    let region = Region::new(ALLOCATOR);
    hear_mix(&peers, &mut alaw, &mut ulaw, 1_080..1_180);
    let change = region.change();
    let recorded = taped.load(std::sync::atomic::Ordering::Relaxed) - before;
    assert!(recorded >= 180, "{recorded} frames of 200 were recorded");
    assert_eq!(
        (change.allocations, change.reallocations),
        (0, 0),
        "{change:?}"
    );
    // Those with wide codecs come, and the third goes: the mix is made in both bands.
    let roles = [(1, MixRole::Caller), (2, MixRole::Operator)];
    let wide = [(5, MixRole::Operator), (6, MixRole::Barging)];
    media.send(mix(roles.into_iter().chain(wide), record));
    let mut all = |sequences: core::ops::Range<u16>| {
        for sequence in sequences {
            talkers.iter_mut().for_each(Talker::speak);
            hear_mix(&peers, &mut alaw, &mut ulaw, sequence..sequence + 1);
            for peer in &peers[4..] {
                assert!(peer.recv(&mut [0; 600]).unwrap() > 12);
            }
        }
    };
    all(1_180..1_210);
    let region = Region::new(ALLOCATOR);
    all(1_210..1_310);
    let change = region.change();
    assert_eq!(
        (change.allocations, change.reallocations),
        (0, 0),
        "{change:?}"
    );
    media.stop();
}
