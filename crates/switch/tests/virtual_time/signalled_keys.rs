//! Keys towards a trunk that wants them by INFO (`dtmf = "info"`), in virtual time.

use core::time::Duration;

use crate::world::peers::{Peer, with_outer};
use crate::world::session::body;
use crate::world::{World, trunk};
use sip::{HeaderName, Keys, Message, Method, session};
use switch::Input;
use switch::trunk::{Account, KeysBy, Password};
use vocab::media::{MediaCommand, MediaEvent};
use vocab::{CallId, EndedBy, LegId, Outcome};

struct Talk {
    world: World,
    caller: Peer,
    operator: Peer,
    /// The caller's.
    leg: (CallId, LegId),
}

/// The caller of a trunk that wants keys by INFO talks to an operator.
fn talk(change: impl FnOnce(&mut switch::Settings)) -> Talk {
    let mut settings = with_outer();
    settings.trunks[0].keys = KeysBy::Info;
    change(&mut settings);
    let mut world = World::with(settings).with_operators(1);
    let (caller, operator) = world.talk_with(1);
    let bridged = world
        .commands
        .iter()
        .rev()
        .find_map(|command| match command {
            MediaCommand::Bridge {
                call,
                caller,
                operator,
                ..
            } => Some((*call, *caller, *operator)),
            _ => None,
        });
    let (call, leg, other) = bridged.unwrap();
    for (of, wanted) in [(leg, true), (other, false)] {
        let told = world
            .commands
            .iter()
            .rev()
            .find_map(|command| match command {
                MediaCommand::SetRemote { leg, remote, .. } if *leg == of => Some(remote),
                _ => None,
            });
        assert_eq!(told.unwrap().keys_by_signalling, wanted);
    }
    world.commands.clear();
    Talk {
        world,
        caller,
        operator,
        leg: (call, leg),
    }
}

impl Talk {
    /// The operator has pressed keys, as the media plane says.
    fn press(&mut self, keys: &str) {
        let (call, leg) = self.leg;
        for digit in keys.chars() {
            let event = MediaEvent::Press { call, leg, digit };
            self.world.input(Input::Media(event));
        }
    }

    /// The INFO that the trunk gets next, which holds this key.
    #[track_caller]
    fn info(&mut self, key: char) -> Message {
        let info = self.world.request(trunk(), &Method::Info);
        assert_eq!(
            session::keys_of_info(&info),
            Keys::Key(key),
            "{}",
            body(&info)
        );
        info
    }

    fn answer(&mut self, info: &Message, status: u16) {
        self.world.send(trunk(), &info.respond(status, None));
    }

    /// What was pressed in the audio since the last time.
    fn in_audio(&mut self) -> String {
        let commands = std::mem::take(&mut self.world.commands);
        let pressed = commands.iter().filter_map(|command| match command {
            MediaCommand::Press { leg, digit, .. } if *leg == self.leg.1 => Some(*digit),
            _ => None,
        });
        pressed.collect()
    }

    #[track_caller]
    fn nothing_more(&mut self) {
        assert!(self.world.try_next(trunk()).is_none());
    }

    /// The operator hangs up: the call was not harmed.
    #[track_caller]
    fn ends_well(mut self) {
        assert!(self.world.ended().is_empty());
        self.operator.hang_up(&mut self.world);
        self.world.take_bye(trunk());
        assert_eq!(self.world.ended(), [(Outcome::Answered, EndedBy::Operator)]);
        self.world.assert_quiet();
    }
}

#[test]
fn keys_are_told_one_after_the_other() {
    let mut talk = talk(|_| {});
    talk.press("5#");
    let info = talk.info('5');
    assert_eq!(
        info.headers.first(&HeaderName::ContentType),
        Some("application/dtmf-relay")
    );
    talk.nothing_more();
    talk.answer(&info, 100);
    talk.nothing_more();
    talk.answer(&info, 200);
    let info = talk.info('#');
    talk.press("A");
    talk.nothing_more();
    talk.answer(&info, 200);
    let info = talk.info('A');
    talk.answer(&info, 200);
    talk.nothing_more();
    assert_eq!(talk.in_audio(), "");
    talk.ends_well();
}

#[test]
fn what_a_trunk_refuses_and_all_after_it_is_pressed_in_its_audio() {
    for status in [405, 415, 469, 501, 603] {
        let mut talk = talk(|_| {});
        talk.press("12");
        let info = talk.info('1');
        talk.answer(&info, status);
        assert_eq!(talk.in_audio(), "12");
        talk.press("3");
        assert_eq!(talk.in_audio(), "3");
        talk.nothing_more();
        talk.ends_well();
    }
}

#[test]
fn a_trunk_that_allows_no_info_gets_none() {
    let mut talk = talk(|_| {});
    let mut options = talk.caller.request(&mut talk.world, Method::Options);
    options.headers.set(HeaderName::Allow, "INVITE, ACK, BYE");
    talk.world.send(trunk(), &options);
    assert_eq!(talk.world.response(trunk()).status(), Some(200));
    talk.press("7");
    assert_eq!(talk.in_audio(), "7");
    talk.nothing_more();
    talk.ends_well();
}

#[test]
fn a_challenge_is_answered_and_the_same_key_told_again() {
    let mut talk = talk(|settings| {
        settings.trunks[0].account = Some(Account {
            user: "SIP01".into(),
            password: Password("secret".into()),
            realm: "carrier".into(),
        });
    });
    talk.press("9");
    let info = talk.info('9');
    let mut challenge = info.respond(401, None);
    challenge.headers.push(
        HeaderName::WwwAuthenticate,
        "Digest realm=\"carrier\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"",
    );
    talk.world.send(trunk(), &challenge);
    let again = talk.info('9');
    assert!(again.headers.first(&HeaderName::Authorization).is_some());
    talk.answer(&again, 200);
    assert_eq!(talk.in_audio(), "");
    talk.ends_well();
}

#[test]
fn keys_of_which_nobody_heard_are_not_pressed_half_a_minute_later() {
    let mut talk = talk(|_| {});
    talk.press("45");
    talk.world.pass(Duration::from_secs(40));
    while talk.world.try_next(trunk()).is_some() {}
    assert_eq!(talk.in_audio(), "");
    talk.press("6");
    assert_eq!(talk.in_audio(), "6");
    talk.ends_well();
}

#[test]
fn too_many_keys_at_once_are_left_out_and_a_call_that_ends_forgets_them() {
    let mut talk = talk(|_| {});
    talk.press("0123456789ABCD*#99");
    for key in "0123456789ABCD*#".chars() {
        let info = talk.info(key);
        talk.answer(&info, 200);
    }
    talk.nothing_more();
    talk.press("1");
    let _info = talk.info('1');
    talk.ends_well();
}
