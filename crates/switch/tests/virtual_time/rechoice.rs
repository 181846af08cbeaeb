//! Two who talk and have different codecs, though one has the other's as well, in virtual time: one
//! re-INVITE, and what comes of it.

use core::time::Duration;

use crate::world::peers::{Peer, with_outer};
use crate::world::session::{body, field};
use crate::world::{OFFER, World, phone, trunk};
use sip::{HeaderName, Message, Method};
use switch::trunk::{Account, Password};
use switch::{Input, Settings};
use vocab::media::{Codec, MediaCommand, Remote};
use vocab::{CallId, EndedBy, Instruction, LegId, Order, Outcome, Rank, SupervisionMode};

/// Formats of descriptions.
const BOTH: &str = "8 9 101";
const G722: &str = "9 101";
const PCMA: &str = "8 101";

fn body_of(formats: &str) -> String {
    let rest = "a=rtpmap:96 opus/48000/2\r\n";
    format!("{}{rest}", OFFER.replace("8 0 101", formats))
}

fn with_sdp(message: Message, formats: &str) -> Message {
    message.with_body("application/sdp", body_of(formats).into())
}

fn held(message: Message, formats: &str) -> Message {
    directed(message, formats, "sendonly")
}

fn directed(message: Message, formats: &str, direction: &str) -> Message {
    let body = format!("{}a={direction}\r\n", body_of(formats));
    message.with_body("application/sdp", body.into())
}

fn settings() -> Settings {
    let mut settings = with_outer();
    settings.codecs = vec![Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];
    settings.conference_keys = "*3".to_owned();
    settings
}

struct Talk {
    world: World,
    caller: Peer,
    operator: Peer,
}

/// A caller who offered this waits.
fn waiting(settings: Settings, formats: &str) -> (World, Peer) {
    let mut world = World::with(settings).with_operators(2);
    let invite = with_sdp(world.invite("1300"), formats);
    world.send(trunk(), &invite);
    let answer = world.response(trunk());
    let mut caller = Peer::caller(trunk(), &invite, &answer);
    let ack = caller.request(&mut world, Method::Ack);
    world.send(trunk(), &ack);
    (world, caller)
}

/// Telephone `n` takes the call with this.
#[track_caller]
fn takes(world: &mut World, n: u8, formats: &str) -> Peer {
    let ring = world.request(phone(n), &Method::Invite);
    let mut answer = ring.respond(200, Some("phone"));
    let contact = format!("<sip:op{n}@{}>", phone(n));
    answer.headers.push(HeaderName::Contact, contact);
    let answer = with_sdp(answer, formats);
    world.send(phone(n), &answer);
    world.request(phone(n), &Method::Ack);
    Peer::called(phone(n), &ring, &answer)
}

fn talk(offered: &str, answered: &str) -> Talk {
    let (mut world, caller) = waiting(settings(), offered);
    let operator = takes(&mut world, 1, answered);
    Talk {
        world,
        caller,
        operator,
    }
}

impl Talk {
    /// The re-INVITE, with these formats.
    #[track_caller]
    fn offered(&mut self, formats: &str) -> Message {
        self.offered_at(trunk(), formats)
    }

    #[track_caller]
    fn offered_at(&mut self, at: core::net::SocketAddr, formats: &str) -> Message {
        let invite = self.world.request(at, &Method::Invite);
        let said = body(&invite);
        assert!(said.contains(&format!(" RTP/AVP {formats}\r\n")), "{said}");
        invite
    }

    #[track_caller]
    fn takes(&mut self, invite: &Message, formats: &str) {
        self.takes_at(trunk(), invite, formats);
    }

    #[track_caller]
    fn takes_at(&mut self, at: core::net::SocketAddr, invite: &Message, formats: &str) {
        let taken = with_sdp(invite.respond(200, None), formats);
        self.world.send(at, &taken);
        self.world.request(at, &Method::Ack);
    }

    #[track_caller]
    fn refuses(&mut self, invite: &Message, status: u16) {
        self.world.send(trunk(), &invite.respond(status, None));
        self.world.request(trunk(), &Method::Ack);
    }

    /// The legs of the last bridge.
    fn legs(&self) -> [LegId; 2] {
        let mut commands = self.world.commands.iter().rev();
        let bridged = commands.find_map(|command| match command {
            MediaCommand::Bridge {
                caller, operator, ..
            } => Some([*caller, *operator]),
            _ => None,
        });
        bridged.unwrap()
    }

    fn remote(&self, side: usize) -> Remote {
        let wanted = self.legs()[side];
        let mut commands = self.world.commands.iter().rev();
        let told = commands.find_map(|command| match command {
            MediaCommand::SetRemote { leg, remote, .. } if *leg == wanted => Some(*remote),
            _ => None,
        });
        told.unwrap()
    }

    /// What caller and operator are sent.
    fn codecs(&self) -> [Codec; 2] {
        [0, 1].map(|side| self.remote(side).codec)
    }

    #[track_caller]
    fn asks_nobody(&mut self) {
        self.world.pass(Duration::from_secs(60));
        for at in [trunk(), phone(1), phone(2)] {
            while let Some(message) = self.world.try_next(at) {
                assert_ne!(message.method(), Some(&Method::Invite), "asked at {at}");
            }
        }
    }

    /// Nobody is offered anything more, and the call ends as calls do.
    #[track_caller]
    fn goes_on(mut self, codecs: [Codec; 2]) {
        assert_eq!(self.codecs(), codecs);
        assert!(self.world.ended().is_empty());
        self.asks_nobody();
        self.ends();
    }

    #[track_caller]
    fn ends(mut self) {
        let mut operator = self.operator.clone();
        operator.hang_up(&mut self.world);
        self.world.take_bye(trunk());
        let ended = [(Outcome::Answered, EndedBy::Operator)];
        assert_eq!(self.world.ended(), ended);
        self.world.clear();
        self.world.assert_quiet();
    }
}

/// A peer's re-INVITE that is answered with 200: the answer.
#[track_caller]
fn changes(world: &mut World, peer: &mut Peer, of: impl Fn(Message) -> Message) -> Message {
    let invite = peer.request(world, Method::Invite);
    world.send(peer.at, &of(invite));
    let answer = world.response(peer.at);
    assert_eq!(answer.status(), Some(200));
    let ack = peer.request(world, Method::Ack);
    world.send(peer.at, &ack);
    answer
}

fn version(message: &Message) -> u64 {
    let text = body(message);
    let line = text.lines().find(|line| line.starts_with("o=")).unwrap();
    line.split(' ').nth(2).unwrap().parse().unwrap()
}

#[test]
fn the_caller_is_offered_the_operators_codec_and_nothing_is_translated_any_more() {
    let mut talk = talk(BOTH, G722);
    assert_eq!(talk.codecs(), [Codec::Pcma, Codec::G722]);
    let bridges = |talk: &Talk| {
        let commands = talk.world.commands.iter();
        commands
            .filter(|one| matches!(one, MediaCommand::Bridge { .. }))
            .count()
    };
    assert_eq!(bridges(&talk), 1);
    let invite = talk.offered("9 8 0 111 101 110");
    assert_eq!(
        talk.codecs(),
        [Codec::Pcma, Codec::G722],
        "until the answer"
    );
    talk.takes(&invite, G722);
    assert_eq!(bridges(&talk), 1, "the talk and its recording are the same");
    talk.goes_on([Codec::G722; 2]);
}

#[test]
fn a_caller_with_opus_is_heard_on_its_new_type_before_the_answer_is_read() {
    let mut talk = talk("8 96 101", "96 101");
    let invite = talk.offered("111 8 0 9 101 110");
    let awaited = talk.remote(0);
    assert_eq!(awaited.takes.codec(111), Some(Codec::Opus));
    assert_eq!(awaited.codec, Codec::Pcma);
    talk.takes(&invite, "96 101");
    assert_eq!(talk.remote(0).payload_type, 96);
    talk.goes_on([Codec::Opus; 2]);
}

#[test]
fn an_operator_who_answered_with_the_callers_codec_as_well_is_offered_it() {
    let mut talk = talk(PCMA, "9 8 101");
    assert_eq!(talk.codecs(), [Codec::Pcma, Codec::G722]);
    let invite = talk.offered_at(phone(1), "8 0 9 111 101 110");
    talk.takes_at(phone(1), &invite, PCMA);
    talk.goes_on([Codec::Pcma; 2]);
}

#[test]
fn of_two_who_could_change_it_is_the_one_who_gets_the_wider_band() {
    let mut talk = talk(BOTH, "9 8 101");
    let invite = talk.offered("9 8 0 111 101 110");
    talk.takes(&invite, G722);
    talk.goes_on([Codec::G722; 2]);
}

#[test]
fn a_caller_who_keeps_the_codec_in_the_answer_keeps_it() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    talk.takes(&invite, PCMA);
    talk.goes_on([Codec::Pcma, Codec::G722]);
}

#[test]
fn a_caller_who_refuses_is_not_asked_again_and_the_talk_goes_on() {
    for status in [400, 403, 408, 488, 491, 500, 503, 603] {
        let mut talk = talk(BOTH, G722);
        let invite = talk.offered("9 8 0 111 101 110");
        talk.refuses(&invite, status);
        talk.goes_on([Codec::Pcma, Codec::G722]);
    }
}

#[test]
fn a_caller_who_has_forgotten_the_call_is_gone() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    talk.refuses(&invite, 481);
    assert_eq!(talk.world.ended(), [(Outcome::Answered, EndedBy::Engine)]);
    talk.world.take_byes(&[trunk(), phone(1)]);
    talk.world.assert_quiet();
}

#[test]
fn a_caller_who_answers_nothing_is_not_hung_up_on_for_that() {
    let mut talk = talk(BOTH, G722);
    talk.offered("9 8 0 111 101 110");
    talk.world.pass(Duration::from_secs(40));
    talk.world.clear();
    // What the caller wants is heard again.
    let mut caller = talk.caller.clone();
    changes(&mut talk.world, &mut caller, |one| with_sdp(one, PCMA));
    talk.goes_on([Codec::Pcma, Codec::G722]);
}

#[test]
fn an_answer_without_a_description_changes_nothing() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    talk.world.send(trunk(), &invite.respond(200, None));
    talk.world.request(trunk(), &Method::Ack);
    talk.goes_on([Codec::Pcma, Codec::G722]);
}

#[test]
fn an_offer_of_the_caller_that_crosses_ours_is_refused_and_taken_when_it_comes_again() {
    let mut talk = talk(BOTH, G722);
    let ours = talk.offered("9 8 0 111 101 110");
    let mut caller = talk.caller.clone();
    let theirs = caller.request(&mut talk.world, Method::Invite);
    talk.world.send(trunk(), &held(theirs, BOTH));
    assert_eq!(talk.world.response(trunk()).status(), Some(491));
    let ack = caller.request(&mut talk.world, Method::Ack);
    talk.world.send(trunk(), &ack);
    talk.refuses(&ours, 491);
    let answer = changes(&mut talk.world, &mut caller, |one| with_sdp(one, PCMA));
    // RFC 3264 §8: above the version that was refused.
    assert!(version(&answer) > version(&ours));
    talk.goes_on([Codec::Pcma, Codec::G722]);
}

#[test]
fn while_a_modification_of_the_caller_is_under_way_nothing_is_offered_and_then_once() {
    let (mut world, mut caller) = waiting(settings(), BOTH);
    let invite = caller.request(&mut world, Method::Invite);
    world.send(trunk(), &with_sdp(invite, BOTH));
    assert_eq!(world.response(trunk()).status(), Some(200));
    let ack = caller.request(&mut world, Method::Ack);
    let operator = takes(&mut world, 1, G722);
    assert!(world.try_next(trunk()).is_none(), "before the ACK");
    world.send(trunk(), &ack);
    let mut talk = Talk {
        world,
        caller,
        operator,
    };
    let invite = talk.offered("9 8 0 111 101 110");
    talk.takes(&invite, G722);
    talk.goes_on([Codec::G722; 2]);
}

#[test]
fn who_is_on_hold_is_asked_when_the_hold_is_over() {
    for direction in ["sendonly", "recvonly", "inactive"] {
        let (mut world, mut caller) = waiting(settings(), BOTH);
        changes(&mut world, &mut caller, |one| {
            directed(one, BOTH, direction)
        });
        let operator = takes(&mut world, 1, G722);
        let mut talk = Talk {
            world,
            caller,
            operator,
        };
        talk.asks_nobody();
        let mut caller = talk.caller.clone();
        changes(&mut talk.world, &mut caller, |one| with_sdp(one, BOTH));
        let invite = talk.offered("9 8 0 111 101 110");
        talk.takes(&invite, G722);
        talk.goes_on([Codec::G722; 2]);
    }
}

#[test]
fn after_a_refusal_our_order_and_what_we_said_are_those_of_before() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    talk.refuses(&invite, 488);
    talk.world.pass(Duration::from_secs(900));
    // A refresh.
    let invite = talk.offered("8 101");
    assert!(version(&invite) < 2, "not even another version");
    talk.takes(&invite, PCMA);
    let mut caller = talk.caller.clone();
    let answer = changes(&mut talk.world, &mut caller, |one| with_sdp(one, BOTH));
    assert!(body(&answer).contains(" RTP/AVP 8 101\r\n"));
}

#[test]
fn an_operator_may_hold_while_the_caller_is_asked() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    let mut operator = talk.operator.clone();
    changes(&mut talk.world, &mut operator, |one| held(one, G722));
    talk.takes(&invite, G722);
    assert!(!talk.remote(1).send);
    let answer = changes(&mut talk.world, &mut operator, |one| with_sdp(one, G722));
    assert!(body(&answer).contains("sendrecv"));
    talk.operator = operator;
    talk.goes_on([Codec::G722; 2]);
}

#[test]
fn a_hold_after_the_change_does_not_bring_the_old_codec_back() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    talk.takes(&invite, G722);
    let mut caller = talk.caller.clone();
    changes(&mut talk.world, &mut caller, |one| held(one, BOTH));
    changes(&mut talk.world, &mut caller, |one| with_sdp(one, BOTH));
    talk.goes_on([Codec::G722; 2]);
}

impl Talk {
    /// Operator 1 transfers to operator 2, whose telephone rings.
    #[track_caller]
    fn transferred(&mut self) {
        let mut first = self.operator.clone();
        let target = "<sip:102@198.51.100.1>";
        assert_eq!(first.refer(&mut self.world, target), 202);
        self.world.news(phone(1));
    }

    #[track_caller]
    fn second_takes(&mut self, formats: &str) {
        self.operator = takes(&mut self.world, 2, formats);
        self.world.news(phone(1));
        self.world.take_bye(phone(1));
    }
}

#[test]
fn the_next_operator_is_another_pair() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    talk.takes(&invite, G722);
    talk.transferred();
    talk.second_takes(PCMA);
    let invite = talk.offered("8 9 0 111 101 110");
    talk.takes(&invite, PCMA);
    talk.goes_on([Codec::Pcma; 2]);
}

#[test]
fn who_refused_a_codec_is_not_offered_it_for_the_next_operator() {
    for (status, again) in [(488, false), (491, true)] {
        let mut talk = talk(BOTH, G722);
        let invite = talk.offered("9 8 0 111 101 110");
        talk.refuses(&invite, status);
        talk.transferred();
        talk.second_takes(G722);
        if again {
            let invite = talk.offered("9 8 0 111 101 110");
            talk.refuses(&invite, status);
        }
        talk.goes_on([Codec::Pcma, Codec::G722]);
    }
}

#[test]
fn an_offer_that_is_out_when_the_call_is_transferred_is_settled_before_the_next() {
    for answered_late in [false, true] {
        let mut talk = talk(BOTH, G722);
        let invite = talk.offered("9 8 0 111 101 110");
        talk.transferred();
        if answered_late {
            talk.second_takes(PCMA);
            assert_eq!(talk.codecs(), [Codec::Pcma; 2]);
        }
        talk.takes(&invite, G722);
        if !answered_late {
            talk.second_takes(PCMA);
        }
        let invite = talk.offered("8 9 0 111 101 110");
        talk.takes(&invite, PCMA);
        talk.goes_on([Codec::Pcma; 2]);
    }
}

#[test]
fn a_caller_who_hangs_up_while_the_offer_is_out_has_hung_up() {
    for status in [200, 481, 487] {
        let mut talk = talk(BOTH, G722);
        let invite = talk.offered("9 8 0 111 101 110");
        let mut caller = talk.caller.clone();
        caller.hang_up(&mut talk.world);
        let answer = invite.respond(status, None);
        let answer = if status == 200 {
            with_sdp(answer, G722)
        } else {
            answer
        };
        talk.world.send(trunk(), &answer);
        talk.world.take_bye(phone(1));
        let ended = [(Outcome::Answered, EndedBy::Caller)];
        assert_eq!(talk.world.ended(), ended);
        talk.world.assert_quiet();
    }
}

#[test]
fn an_answer_that_crosses_our_bye_is_acknowledged_and_changes_nothing() {
    let mut talk = talk(BOTH, G722);
    let invite = talk.offered("9 8 0 111 101 110");
    let mut operator = talk.operator.clone();
    operator.hang_up(&mut talk.world);
    let bye = talk.world.request(trunk(), &Method::Bye);
    let told = talk.world.commands.len();
    talk.takes(&invite, G722);
    assert_eq!(talk.world.commands.len(), told);
    talk.world.send(trunk(), &bye.respond(200, None));
    assert_eq!(talk.world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
    talk.world.assert_quiet();
}

#[test]
fn a_trunk_that_wants_the_password_for_it_is_shown_it() {
    let mut settings = settings();
    settings.trunks[0].account = Some(Account {
        user: "SIP01".into(),
        password: Password("key".into()),
        realm: "carrier.example".into(),
    });
    let (mut world, caller) = waiting(settings, BOTH);
    let operator = takes(&mut world, 1, G722);
    let mut talk = Talk {
        world,
        caller,
        operator,
    };
    let first = talk.offered("9 8 0 111 101 110");
    let mut challenge = first.respond(407, None);
    challenge.headers.push(
        HeaderName::ProxyAuthenticate,
        "Digest realm=\"carrier.example\", nonce=\"n1\", qop=\"auth\"",
    );
    talk.world.send(trunk(), &challenge);
    talk.world.request(trunk(), &Method::Ack);
    let second = talk.offered("9 8 0 111 101 110");
    assert!(field(&second, &HeaderName::ProxyAuthorization).contains("n1"));
    talk.takes(&second, G722);
    talk.goes_on([Codec::G722; 2]);
}

#[test]
fn nobody_is_asked_where_nothing_would_be_won() {
    for (offered, answered, codecs) in [
        // Both have one codec; two laws are a table; the caller never had the operator's.
        (BOTH, PCMA, [Codec::Pcma; 2]),
        ("8 0 101", "0 101", [Codec::Pcma, Codec::Pcmu]),
        (PCMA, G722, [Codec::Pcma, Codec::G722]),
    ] {
        talk(offered, answered).goes_on(codecs);
    }
}

#[test]
fn a_trunk_is_offered_nothing_but_the_codecs_of_its_settings() {
    let mut settings = settings();
    settings.trunks[0].codecs = vec![Codec::Pcma];
    let (mut world, caller) = waiting(settings, BOTH);
    let operator = takes(&mut world, 1, G722);
    let talk = Talk {
        world,
        caller,
        operator,
    };
    talk.goes_on([Codec::Pcma, Codec::G722]);
}

#[test]
fn nobody_is_asked_in_a_talk_that_is_overseen_and_then_once() {
    let (mut world, mut caller) = waiting(settings(), BOTH);
    changes(&mut world, &mut caller, |one| held(one, BOTH));
    let operator = takes(&mut world, 1, G722);
    let wanted = Instruction {
        by: "petrova".to_owned(),
        rank: Rank::Supervisor,
        order: Order::Supervise {
            call: CallId::new(1, 1),
            operator: "op2".to_owned(),
            mode: SupervisionMode::Listen,
        },
    };
    world.switch.order(world.now, &wanted).unwrap();
    world.input(Input::Deadline);
    let mut supervisor = takes(&mut world, 2, PCMA);
    let mut talk = Talk {
        world,
        caller,
        operator,
    };
    let mut caller = talk.caller.clone();
    changes(&mut talk.world, &mut caller, |one| with_sdp(one, BOTH));
    talk.asks_nobody();
    supervisor.hang_up(&mut talk.world);
    let invite = talk.offered("9 8 0 111 101 110");
    talk.takes(&invite, G722);
    talk.goes_on([Codec::G722; 2]);
}
