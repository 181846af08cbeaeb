//! A media plane on loopback and peers with sockets of their own.
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::rtp::Header;
use media::{Audio, Latching, Media, Settings, Tap};
use vocab::media::{
    Codec, EventTypes, MediaCommand, MediaEvent, PromptId, RecordingKey, Remote, Side,
};
use vocab::{CallId, LegId, PauseReason, Time};

pub const PATIENCE: Duration = Duration::from_secs(10);
pub const CALL: CallId = CallId::new(1, 1);
pub const PROMPT: PromptId = PromptId(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tapped {
    Start(RecordingKey),
    Packet(RecordingKey, Side, Time, Vec<u8>),
    Pause(RecordingKey, PauseReason),
    Resume(RecordingKey),
    Stop(RecordingKey),
}

/// A tap that keeps everything.
#[derive(Clone, Default)]
pub struct Notes(pub Arc<Mutex<Vec<Tapped>>>);

impl Tap for Notes {
    fn start(&mut self, key: RecordingKey, _at: Time) {
        self.0.lock().unwrap().push(Tapped::Start(key));
    }
    fn packet(&mut self, key: RecordingKey, side: Side, arrived: Time, rtp: &[u8]) {
        self.0
            .lock()
            .unwrap()
            .push(Tapped::Packet(key, side, arrived, rtp.to_vec()));
    }
    fn pause(&mut self, key: RecordingKey, _at: Time, reason: PauseReason) {
        self.0.lock().unwrap().push(Tapped::Pause(key, reason));
    }
    fn resume(&mut self, key: RecordingKey, _at: Time) {
        self.0.lock().unwrap().push(Tapped::Resume(key));
    }
    fn stop(&mut self, key: RecordingKey, _at: Time) {
        self.0.lock().unwrap().push(Tapped::Stop(key));
    }
    fn discard(&mut self, key: RecordingKey, _at: Time) {
        self.0.lock().unwrap().push(Tapped::Stop(key));
    }
}

pub struct World {
    pub media: Media,
    pub events: Receiver<MediaEvent>,
    pub notes: Notes,
    pub prompt: Audio,
}

impl World {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        Self::with_hook(settings, |_| {})
    }

    /// `hook` runs on the media threads after each event was reported.
    pub fn with_hook(
        settings: Settings,
        hook: impl Fn(&MediaEvent) + Send + Clone + 'static,
    ) -> Self {
        let settings = Settings {
            address: "127.0.0.1".parse().unwrap(),
            ..settings
        };
        let (sender, events) = channel();
        let notes = Notes::default();
        let samples: Vec<i16> = (0..8_000_i32).map(|at| (at * 37 % 20_011) as i16).collect();
        let prompt = Audio::from_pcm(&samples);
        let taps = (0..settings.threads)
            .map(|_| Box::new(notes.clone()) as Box<dyn Tap>)
            .collect();
        let prompts = BTreeMap::from([(PROMPT, prompt.clone())]);
        let report = move |event: MediaEvent| {
            let _ = sender.send(event.clone());
            hook(&event);
        };
        let media = Media::start(settings, Instant::now(), prompts, taps, report).unwrap();
        Self {
            media,
            events,
            notes,
            prompt,
        }
    }

    pub fn strict() -> Self {
        Self::with(Settings {
            latching: Latching::SdpAddress,
            ..Settings::default()
        })
    }

    pub fn event(&self) -> MediaEvent {
        self.events.recv_timeout(PATIENCE).expect("an event")
    }

    /// Waits for an event, passing over others.
    pub fn event_that(&self, wanted: impl Fn(&MediaEvent) -> bool) -> MediaEvent {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("the event");
            if wanted(&event) {
                return event;
            }
        }
    }

    pub fn open(&self, number: u32) -> SocketAddr {
        let leg = leg(number);
        self.media.send(MediaCommand::Open { call: CALL, leg });
        match self.event_that(|event| !matches!(event, MediaEvent::AudioStarted { .. })) {
            MediaEvent::Opened {
                leg: opened, port, ..
            } if opened == leg => SocketAddr::from(([127, 0, 0, 1], port)),
            other => panic!("expected Opened, got {other:?}"),
        }
    }

    /// A leg with its peer.
    pub fn connect(&self, number: u32, codec: Codec) -> Peer {
        let peer = Peer::new(self.open(number), codec);
        self.set_remote(number, peer.remote());
        peer
    }

    pub fn set_remote(&self, number: u32, remote: Remote) {
        self.media.send(MediaCommand::SetRemote {
            call: CALL,
            leg: leg(number),
            remote,
        });
    }

    pub fn bridge(&self, record: Option<RecordingKey>) {
        let (caller, operator) = (leg(1), leg(2));
        self.media.send(MediaCommand::Bridge {
            call: CALL,
            caller,
            operator,
            record,
        });
    }

    pub fn play(&self, number: u32, repeat: bool, token: u32) {
        let (call, leg, prompt) = (CALL, leg(number), PROMPT);
        self.media.send(MediaCommand::Play {
            call,
            leg,
            prompt,
            repeat,
            token,
        });
    }

    pub fn close(&self, number: u32) {
        self.media.send(MediaCommand::Close {
            call: CALL,
            leg: leg(number),
        });
    }

    /// Returns once all commands given so far are obeyed: a leg opened and closed says so.
    pub fn settle(&self) {
        let probe = leg(u32::MAX);
        self.media.send(MediaCommand::Open {
            call: CALL,
            leg: probe,
        });
        self.media.send(MediaCommand::Close {
            call: CALL,
            leg: probe,
        });
        self.event_that(|event| matches!(event, MediaEvent::Closed { leg, .. } if *leg == probe));
    }
}

pub fn leg(number: u32) -> LegId {
    LegId::new(1, number)
}

/// A telephone.
pub struct Peer {
    pub socket: UdpSocket,
    pub at_leg: SocketAddr,
    pub codec: Codec,
    pub sequence: u16,
}

impl Peer {
    pub fn new(at_leg: SocketAddr, codec: Codec) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            at_leg,
            codec,
            sequence: 1_000,
        }
    }

    pub fn remote(&self) -> Remote {
        Remote {
            dtmf_send: EventTypes::narrow(101),
            dtmf_receive: EventTypes::narrow(101),
            ..Remote::new(self.socket.local_addr().unwrap(), self.codec)
        }
    }

    pub fn packet(&self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let timestamp = u32::from(self.sequence) * 160;
        let header = Header::new(payload_type, self.sequence, timestamp, 0xfeed);
        [header.to_bytes().as_slice(), payload].concat()
    }

    /// Sends audio whose octets are all `code`.
    pub fn say(&mut self, code: u8) {
        self.send(&self.packet(self.codec.payload_type(), &[code; 160]));
        self.sequence = self.sequence.wrapping_add(1);
    }

    pub fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.at_leg).unwrap();
    }

    pub fn hear(&self) -> (Header, Vec<u8>) {
        self.try_hear(PATIENCE).expect("a packet")
    }

    pub fn try_hear(&self, patience: Duration) -> Option<(Header, Vec<u8>)> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut bytes = [0; 2_000];
        let (length, from) = loop {
            match self.socket.recv_from(&mut bytes) {
                // The system's answer to something a stranger sent; a packet may still follow.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                // RTCP for the peer whose port is the one before this.
                Ok(_) if (192..224).contains(&bytes[1]) => {}
                result => break result.ok()?,
            }
        };
        assert_eq!(
            from, self.at_leg,
            "audio must come from where it is sent to"
        );
        let header = Header::parse(&bytes[..length]).expect("RTP");
        Some((header, bytes[header.payload()].to_vec()))
    }
}
