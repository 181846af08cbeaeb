//! One thread's legs on simulated sockets and told time: commands in any order, prompts, bridges.

mod agreed;
mod alone;
mod browsers;
mod mixing;
mod srtp;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use udp_io::{SimNet, SimSockets};
use vocab::media::{Codec, EventTypes, MixParty, MixRole, Rtcp};
use vocab::{LegCounts, PauseReason};

use super::*;
use crate::rtp::Header;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tapped {
    Start(RecordingKey),
    Packet(RecordingKey, Side, Vec<u8>),
    Pause(RecordingKey, PauseReason),
    Resume(RecordingKey),
    Stop(RecordingKey),
    Discard(RecordingKey),
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Tapped>>>);

impl Tap for Notes {
    fn start(&mut self, key: RecordingKey, _at: Time) {
        self.0.lock().unwrap().push(Tapped::Start(key));
    }
    fn packet(&mut self, key: RecordingKey, side: Side, _arrived: Time, rtp: &[u8]) {
        self.0
            .lock()
            .unwrap()
            .push(Tapped::Packet(key, side, rtp.to_vec()));
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
        self.0.lock().unwrap().push(Tapped::Discard(key));
    }
}

/// A worker and its peers on one simulated network.
struct World {
    worker: Worker<SimSockets, Box<dyn Fn(MediaEvent)>>,
    events: Rc<RefCell<Vec<MediaEvent>>>,
    notes: Notes,
    peers: SimSockets,
    now: Time,
    /// Of packets that somebody speaks.
    sequence: u16,
}

const CALL: CallId = CallId::new(1, 1);
const KEY: RecordingKey = RecordingKey {
    call: CALL,
    segment: 1,
};

fn leg(number: u32) -> LegId {
    LegId::new(1, number)
}

impl World {
    fn new() -> Self {
        let net = SimNet::new();
        let events = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&events);
        let report: Box<dyn Fn(MediaEvent)> = Box::new(move |event| sink.borrow_mut().push(event));
        let ports = Ports::new("10.0.0.1".parse().unwrap(), Some(30_000..=30_099), 0, 1);
        let notes = Notes::default();
        let tap = Box::new(notes.clone());
        let mut worker = Worker::new(net.sockets(), ports, Rules::default(), tap, report);
        let prompt: Vec<i16> = (0..1_000).map(|sample| sample * 16).collect();
        worker.add_prompts(BTreeMap::from([(PromptId(1), Audio::from_pcm(&prompt))]));
        Self {
            worker,
            events,
            notes,
            peers: net.sockets(),
            now: Time::from_millis(3),
            sequence: 0,
        }
    }

    fn tell(&mut self, command: MediaCommand) {
        self.worker.command(self.now, command);
    }

    fn events(&self) -> Vec<MediaEvent> {
        self.events.take()
    }

    /// Opens a leg with a peer at port `number` of its own; gives the peer and the leg's address.
    fn connect(&mut self, number: u32) -> (SocketId, SocketAddr) {
        self.tell(MediaCommand::Open {
            call: CALL,
            leg: leg(number),
        });
        let Some(MediaEvent::Opened { port, .. }) = self.events().pop() else {
            panic!("not opened")
        };
        let peer = self
            .peers
            .bind(SocketAddr::from(([10, 0, 0, 2], 4_000 + 2 * number as u16)))
            .unwrap();
        self.aim(number, true);
        (peer, SocketAddr::from(([10, 0, 0, 1], port)))
    }

    fn aim(&mut self, number: u32, send: bool) {
        let address = SocketAddr::from(([10, 0, 0, 2], 4_000 + 2 * number as u16));
        let remote = Remote {
            dtmf_send: EventTypes::narrow(101),
            dtmf_receive: EventTypes::narrow(101),
            send,
            receive: send,
            ..Remote::new(address, Codec::Pcma)
        };
        self.tell(MediaCommand::SetRemote {
            call: CALL,
            leg: leg(number),
            remote,
        });
    }

    fn turn(&mut self) {
        let now = self.now;
        self.worker.turn(&mut Batch::new(8), || now);
    }

    fn pass_ms(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now = self.now + core::time::Duration::from_millis(1);
            self.turn();
        }
    }

    fn say(&mut self, from: SocketId, to: SocketAddr, sequence: u16, payload: u8) {
        let header = Header::new(8, sequence, u32::from(sequence) * 160, 5);
        let packet = [header.to_bytes().as_slice(), &[payload; 160]].concat();
        self.peers.send(from, Some(to), &packet).unwrap();
        self.turn();
    }

    fn heard(&mut self) -> Vec<(SocketId, Header, Vec<u8>)> {
        let mut batch = Batch::new(1_000);
        self.peers.receive(&mut batch);
        let read = |packet: Packet<'_>| {
            let header = Header::parse(packet.bytes()).unwrap();
            (
                packet.socket,
                header,
                packet.bytes()[header.payload()].to_vec(),
            )
        };
        batch.packets().map(read).collect()
    }

    fn play(&mut self, number: u32, repeat: bool, token: u32) {
        let prompt = PromptId(1);
        self.tell(MediaCommand::Play {
            call: CALL,
            leg: leg(number),
            prompt,
            repeat,
            token,
        });
    }

    fn bridge(&mut self, record: Option<RecordingKey>) {
        self.tell(MediaCommand::Bridge {
            call: CALL,
            caller: leg(1),
            operator: leg(2),
            record,
        });
    }

    fn close(&mut self, number: u32) {
        self.tell(MediaCommand::Close {
            call: CALL,
            leg: leg(number),
        });
    }
}

fn ended(token: u32) -> MediaEvent {
    MediaEvent::PlayEnded {
        call: CALL,
        leg: leg(1),
        token,
    }
}

#[test]
fn a_prompt_is_sent_whole_and_ends_once() {
    let mut world = World::new();
    let (peer, _) = world.connect(1);
    world.play(1, false, 7);
    world.pass_ms(500);
    let heard = world.heard();
    let mut want = world.worker.prompts[&PromptId(1)].alaw.to_vec();
    want.resize(1_120, g711::SILENCE_ALAW);
    let got: Vec<u8> = heard
        .iter()
        .flat_map(|(_, _, payload)| payload.clone())
        .collect();
    assert_eq!(
        got, want,
        "1000 samples fill seven frames, the last with silence"
    );
    assert!(heard.iter().all(|(socket, _, _)| *socket == peer));
    assert_eq!(world.events(), [ended(7)]);
}

#[test]
fn music_repeats_without_a_gap_until_stopped() {
    let mut world = World::new();
    world.connect(1);
    world.play(1, true, 7);
    world.pass_ms(1_000);
    world.tell(MediaCommand::Stop {
        call: CALL,
        leg: leg(1),
    });
    let heard = world.heard();
    let music = world.worker.prompts[&PromptId(1)].alaw.clone();
    let got: Vec<u8> = heard
        .iter()
        .flat_map(|(_, _, payload)| payload.clone())
        .collect();
    let want: Vec<u8> = music.iter().copied().cycle().take(50 * 160).collect();
    assert_eq!(got, want);
    world.pass_ms(100);
    assert_eq!((world.heard(), world.events()), (vec![], vec![]));
}

#[test]
fn a_prompt_that_is_forgotten_plays_on_and_not_again() {
    let mut world = World::new();
    world.connect(1);
    world.play(1, false, 7);
    world.worker.forget_prompts(&[PromptId(1)].into());
    world.pass_ms(500);
    assert_eq!(world.heard().len(), 7, "what plays is heard to its end");
    assert_eq!(world.events(), [ended(7)]);
    assert!(world.worker.prompts.is_empty());
    world.play(1, false, 8);
    assert_eq!((world.heard(), world.events()), (vec![], vec![ended(8)]));
}

#[test]
fn on_hold_nothing_is_sent_and_the_prompt_still_ends() {
    let mut world = World::new();
    world.connect(1);
    world.aim(1, false);
    world.play(1, false, 9);
    world.pass_ms(500);
    assert_eq!((world.heard(), world.events()), (vec![], vec![ended(9)]));
}

#[test]
fn another_play_replaces_and_a_bridge_stops_both() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    world.play(1, false, 1);
    world.pass_ms(40);
    world.play(1, false, 2);
    world.pass_ms(40);
    world.bridge(None);
    world.heard();
    world.pass_ms(500);
    assert_eq!((world.heard(), world.events()), (vec![], vec![]));
}

#[test]
fn an_unknown_prompt_is_over_at_once() {
    let mut world = World::new();
    world.connect(1);
    let prompt = PromptId(99);
    let (call, leg) = (CALL, leg(1));
    world.tell(MediaCommand::Play {
        call,
        leg,
        prompt,
        repeat: false,
        token: 4,
    });
    assert_eq!(world.events(), [ended(4)]);
}

#[test]
fn a_pause_of_a_recording_reaches_the_tap_by_either_leg_and_only_in_a_bridge() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    let reason = PauseReason::Card;
    let pause = |leg| MediaCommand::PauseRecording {
        call: CALL,
        leg,
        reason,
    };
    let resume = |leg| MediaCommand::ResumeRecording { call: CALL, leg };
    world.tell(pause(leg(1)));
    world.bridge(None);
    world.tell(pause(leg(1)));
    world.bridge(Some(KEY));
    world.tell(pause(leg(1)));
    world.tell(resume(leg(2)));
    let notes = world.notes.0.lock().unwrap();
    let expected = [
        Tapped::Start(KEY),
        Tapped::Pause(KEY, reason),
        Tapped::Resume(KEY),
    ];
    assert_eq!(notes[..], expected);
}

#[test]
fn a_bridge_relays_and_records_what_both_peers_sent() {
    let mut world = World::new();
    let (caller, at_caller_leg) = world.connect(1);
    let (operator, at_operator_leg) = world.connect(2);
    world.say(caller, at_caller_leg, 1, 1);
    assert_eq!(world.heard(), [], "not bridged yet");
    world.bridge(Some(KEY));
    world.say(caller, at_caller_leg, 2, 2);
    world.say(operator, at_operator_leg, 9, 3);
    let heard = world.heard();
    assert_eq!(heard.len(), 2);
    assert!(
        heard
            .iter()
            .any(|(to, _, payload)| *to == operator && payload == &[2; 160])
    );
    assert!(
        heard
            .iter()
            .any(|(to, _, payload)| *to == caller && payload == &[3; 160])
    );
    world.tell(MediaCommand::Unbridge {
        call: CALL,
        leg: leg(2),
    });
    world.tell(MediaCommand::Unbridge {
        call: CALL,
        leg: leg(1),
    });
    world.say(caller, at_caller_leg, 3, 4);
    assert_eq!(world.heard(), []);
    let notes = world.notes.0.lock().unwrap();
    let [
        Tapped::Start(KEY),
        Tapped::Packet(KEY, Side::Caller, one),
        Tapped::Packet(KEY, Side::Operator, two),
        Tapped::Stop(KEY),
    ] = notes.as_slice()
    else {
        panic!("{notes:?}")
    };
    assert_eq!(
        (Header::parse(one).unwrap().ssrc, one[12..].to_vec()),
        (5, vec![2; 160])
    );
    assert_eq!(two[12..], [3; 160]);
}

#[test]
fn a_party_on_hold_hears_music_in_the_bridge_and_the_other_is_still_recorded() {
    let mut world = World::new();
    let (caller, at_caller_leg) = world.connect(1);
    let (operator, at_operator_leg) = world.connect(2);
    world.say(caller, at_caller_leg, 1, 1);
    world.say(operator, at_operator_leg, 1, 1);
    world.bridge(Some(KEY));
    world.play(1, true, 1);
    world.pass_ms(20);
    world.heard();
    world.say(operator, at_operator_leg, 2, 9);
    world.say(caller, at_caller_leg, 2, 7);
    world.pass_ms(20);
    let heard = world.heard();
    let of = |socket| heard.iter().filter(move |(to, ..)| *to == socket);
    assert!(of(caller).all(|(_, _, payload)| payload != &[9; 160]));
    assert!(of(caller).count() > 0, "music");
    assert_eq!(of(operator).count(), 1, "the other way goes on");
    let (call, leg) = (CALL, leg(1));
    world.tell(MediaCommand::Stop { call, leg });
    world.say(operator, at_operator_leg, 3, 8);
    assert_eq!(world.heard()[0].2, [8; 160]);
    let notes = world.notes.0.lock().unwrap();
    let packets = notes
        .iter()
        .filter(|note| matches!(note, Tapped::Packet(..)));
    assert_eq!(packets.count(), 3);
}

#[test]
fn a_bridge_given_again_goes_on_and_another_recording_follows_the_first() {
    let mut world = World::new();
    world.connect(1);
    world.connect(2);
    let second = RecordingKey { segment: 2, ..KEY };
    world.bridge(Some(KEY));
    world.bridge(Some(KEY));
    world.bridge(Some(second));
    world.close(1);
    world.close(2);
    let want = [
        Tapped::Start(KEY),
        Tapped::Stop(KEY),
        Tapped::Start(second),
        Tapped::Stop(second),
    ];
    assert_eq!(*world.notes.0.lock().unwrap(), want);
}

#[test]
fn a_bridge_with_a_leg_that_is_gone_still_accounts_for_its_recording() {
    let mut world = World::new();
    world.connect(1);
    world.bridge(Some(KEY));
    assert_eq!(
        *world.notes.0.lock().unwrap(),
        [Tapped::Start(KEY), Tapped::Stop(KEY)]
    );
}

#[test]
fn a_new_address_is_latched_anew() {
    let mut world = World::new();
    let (first, at_leg) = world.connect(1);
    let (other, at_other) = world.connect(2);
    world.bridge(None);
    world.say(first, at_leg, 1, 1);
    assert_eq!(world.heard().len(), 1);
    let moved = world
        .peers
        .bind(SocketAddr::from(([10, 0, 0, 2], 4_900)))
        .unwrap();
    let address = world.peers.local(moved).unwrap();
    let remote = Remote::new(address, Codec::Pcma);
    world.tell(MediaCommand::SetRemote {
        call: CALL,
        leg: leg(1),
        remote,
    });
    world.say(first, at_leg, 2, 1);
    assert_eq!(world.heard(), [], "its former place is a stranger now");
    world.say(other, at_other, 1, 2);
    assert_eq!(
        world.heard()[0].0,
        moved,
        "sent to the new address before it was heard"
    );
    world.say(moved, at_leg, 3, 1);
    assert_eq!(world.heard()[0].0, other);
}

#[test]
fn a_leg_is_closed_once_with_its_counts() {
    let mut world = World::new();
    let (peer, at_leg) = world.connect(1);
    for sequence in [1, 2, 5] {
        world.say(peer, at_leg, sequence, 1);
    }
    world.play(1, false, 1);
    world.pass_ms(41);
    world.events();
    world.close(1);
    world.close(1);
    let events = world.events();
    let [
        MediaEvent::Closed {
            counts, quality, ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    let expected = LegCounts {
        received: 3,
        sent: 2,
        lost: 2,
        ..LegCounts::default()
    };
    assert_eq!(*counts, expected);
    let path = quality.from_peer.unwrap();
    assert_eq!((path.expected, path.lost, quality.to_peer), (5, 2, None));
    assert!(path.mos < 200, "40 % are lost: {path:?}");
    world.pass_ms(100);
    assert_eq!(world.events(), []);
}

fn command() -> impl Strategy<Value = MediaCommand> {
    let call = CALL;
    let leg = (1_u32..4).prop_map(leg);
    let role = prop_oneof![
        Just(MixRole::Caller),
        Just(MixRole::Operator),
        Just(MixRole::Whispering)
    ];
    let party = (leg.clone(), role).prop_map(|(leg, role)| MixParty { leg, role });
    let parties = prop::collection::vec(party, 0..4);
    let record =
        prop::option::of((1_u16..3).prop_map(move |segment| RecordingKey { call, segment }));
    let remote = (0_u16..4, any::<bool>(), any::<[bool; 3]>());
    let remote = remote.prop_map(|(port, alaw, [send, receive, muxed])| {
        let address = SocketAddr::from(([10, 0, 0, 2], port));
        let codec = if alaw { Codec::Pcma } else { Codec::Pcmu };
        let plain = Remote::new(address, codec);
        let rtcp = if muxed { Rtcp::Muxed } else { plain.rtcp };
        Remote {
            rtcp,
            dtmf_receive: EventTypes::narrow(101),
            send,
            receive,
            ..plain
        }
    });
    prop_oneof![
        leg.clone()
            .prop_map(move |leg| MediaCommand::Open { call, leg }),
        (leg.clone(), remote).prop_map(move |(leg, remote)| MediaCommand::SetRemote {
            call,
            leg,
            remote
        }),
        (leg.clone(), 1_u32..3, any::<bool>(), any::<u32>()).prop_map(
            move |(leg, prompt, repeat, token)| {
                MediaCommand::Play {
                    call,
                    leg,
                    prompt: PromptId(prompt),
                    repeat,
                    token,
                }
            }
        ),
        leg.clone()
            .prop_map(move |leg| MediaCommand::Stop { call, leg }),
        (parties, record.clone()).prop_map(move |(parties, record)| MediaCommand::Mix {
            call,
            parties,
            record
        }),
        (leg.clone(), leg.clone(), record).prop_map(move |(caller, operator, record)| {
            MediaCommand::Bridge {
                call,
                caller,
                operator,
                record,
            }
        }),
        leg.clone()
            .prop_map(move |leg| MediaCommand::Unbridge { call, leg }),
        leg.prop_map(move |leg| MediaCommand::Close { call, leg }),
    ]
}

proptest! {
    #[test]
    fn commands_in_any_order_leave_nothing_open(
        commands in prop::collection::vec((command(), 0_u64..60), 0..80),
    ) {
        let mut world = World::new();
        for (command, pause) in commands {
            world.tell(command);
            world.pass_ms(pause);
        }
        world.worker.close_all(world.now);
        let events = world.events();
        let count = |wanted: fn(&MediaEvent) -> bool| events.iter().filter(|e| wanted(e)).count();
        let closed = count(|event| matches!(event, MediaEvent::Closed { .. }));
        let opened = count(|event| matches!(event, MediaEvent::Opened { .. }));
        prop_assert!(closed <= opened);
        prop_assert!(world.worker.by_id.is_empty());
        prop_assert!(world.worker.legs.iter().all(Option::is_none));
        prop_assert_eq!(world.worker.next_due(), None);
        // Every recording that was begun was ended, in turn.
        let mut running = std::collections::BTreeSet::new();
        for note in world.notes.0.lock().unwrap().iter() {
            match note {
                Tapped::Start(key) => prop_assert!(running.insert(*key)),
                Tapped::Stop(key) | Tapped::Discard(key) => prop_assert!(running.remove(key)),
                Tapped::Packet(key, _, _) | Tapped::Pause(key, _) | Tapped::Resume(key) => {
                    prop_assert!(running.contains(key));
                }
            }
        }
        prop_assert!(running.is_empty());
    }
}

/// A bridge in which both speak, and neither reports; gives both peers with their legs.
fn talking(world: &mut World) -> [(SocketId, SocketAddr); 2] {
    let sides = [world.connect(1), world.connect(2)];
    world.bridge(None);
    for (peer, at_leg) in sides {
        world.say(peer, at_leg, 0, 1);
    }
    world.events();
    sides
}

/// Lets time pass while some speak, every 20 ms.
fn speak(world: &mut World, seconds: u64, sides: &[(SocketId, SocketAddr)]) {
    for _ in 0..seconds * 50 {
        world.now = world.now + core::time::Duration::from_millis(20);
        world.sequence = world.sequence.wrapping_add(1);
        let sequence = world.sequence;
        for (peer, at_leg) in sides {
            world.say(*peer, *at_leg, sequence, 1);
        }
        world.turn();
    }
}

fn one_way(event: &MediaEvent) -> Option<(bool, LegId)> {
    match event {
        MediaEvent::OneWayBegan { leg, .. } => Some((true, *leg)),
        MediaEvent::OneWayEnded { leg, .. } => Some((false, *leg)),
        _ => None,
    }
}

#[test]
fn one_way_audio_is_told_within_five_seconds_and_taken_back() {
    let mut world = World::new();
    let [first, second] = talking(&mut world);
    speak(&mut world, 20, &[first, second]);
    assert_eq!(world.events().iter().find_map(one_way), None);
    speak(&mut world, 5, &[first]);
    let told: Vec<_> = world.events().iter().filter_map(one_way).collect();
    assert_eq!(told, [(true, leg(2))]);
    speak(&mut world, 60, &[first]);
    assert_eq!(world.events().iter().find_map(one_way), None, "once");
    speak(&mut world, 2, &[first, second]);
    let told: Vec<_> = world.events().iter().filter_map(one_way).collect();
    assert_eq!(told, [(false, leg(2))]);
    // Both fall silent: that is no one-way audio.
    speak(&mut world, 60, &[]);
    assert_eq!(world.events().iter().find_map(one_way), None);
    // A new bridge counts anew, and its end ends what was told.
    world.bridge(None);
    speak(&mut world, 6, &[second]);
    world.close(2);
    let told: Vec<_> = world.events().iter().filter_map(one_way).collect();
    assert_eq!(told, [(true, leg(1)), (false, leg(1))]);
}

#[test]
fn a_peer_that_never_sends_is_told_of_and_one_on_hold_is_not() {
    let mut world = World::new();
    let first = world.connect(1);
    world.connect(2);
    world.aim(2, false);
    world.bridge(None);
    speak(&mut world, 10, &[first]);
    assert_eq!(world.events().iter().find_map(one_way), None, "on hold");
    world.aim(2, true);
    speak(&mut world, 5, &[first]);
    let told: Vec<_> = world.events().iter().filter_map(one_way).collect();
    assert_eq!(told, [(true, leg(2))]);
}

#[test]
fn silence_is_told_after_each_time_out_and_only_where_there_is_one() {
    let silences = |world: &World| -> Vec<(LegId, u64)> {
        let of = |event: &MediaEvent| match event {
            MediaEvent::Silent { leg, ms, .. } => Some((*leg, *ms / 2_000)),
            _ => None,
        };
        world.events().iter().filter_map(of).collect()
    };
    let mut world = World::new();
    let first = world.connect(1);
    world.worker.rules.silence = Some(core::time::Duration::from_secs(30));
    speak(&mut world, 50, &[first]);
    assert_eq!(silences(&world), []);
    speak(&mut world, 63, &[]);
    assert_eq!(
        silences(&world),
        [(leg(1), 15), (leg(1), 30)],
        "after 30 and 60 s"
    );
    world.worker.rules.silence = None;
    speak(&mut world, 600, &[]);
    assert_eq!(silences(&world), []);
}

#[test]
fn reports_go_out_and_comfort_noise_goes_no_further() {
    let mut world = World::new();
    let [first, second] = talking(&mut world);
    world.heard();
    let rtcp = world
        .peers
        .bind(SocketAddr::from(([10, 0, 0, 2], 4_003)))
        .unwrap();
    let noise = Header::new(13, 1, 160, 5);
    let packet = [noise.to_bytes().as_slice(), &[60]].concat();
    world.peers.send(first.0, Some(first.1), &packet).unwrap();
    world.turn();
    assert_eq!(world.heard(), []);
    world.sequence = 1;
    speak(&mut world, 20, &[first, second]);
    let mut batch = Batch::new(5_000);
    world.peers.receive(&mut batch);
    let reports = batch
        .packets()
        .filter(|packet| packet.socket == rtcp)
        .count();
    assert!((3..=9).contains(&reports), "in 20 s: {reports}");
}
