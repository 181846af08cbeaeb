//! Subscriptions to operators' lines in virtual time: who may, what they are told, and that a line is
//! idle again after whatever happened on it. One long file, since the random scripts at its end are
//! seen by the same watchers as the single cases.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::world::peers::{Peer, with_outer};
use crate::world::{World, operators, phone, settings, trunk};
use proptest::prelude::*;
use sip::subscription::Waiting;
use sip::{HeaderName, Message, Method, Uri};
use switch::{Audience, Input};

const SECOND: Duration = Duration::from_secs(1);

/// The place of a watcher's telephone, where nothing else comes.
fn desk() -> SocketAddr {
    phone(99)
}

/// A SUBSCRIBE of operator `n` from a place, without credentials.
fn subscribe(world: &mut World, at: SocketAddr, to: &str, event: &str) -> Message {
    let uri = format!("sip:{to}@198.51.100.1:5060");
    let mut request = world.out_of_dialog(at, Method::Subscribe, &uri);
    request.headers.push(HeaderName::Event, event);
    request.headers.push(HeaderName::Expires, "600");
    request
}

/// Sends a request of operator `n`, and again with the password.
fn signed(world: &mut World, n: u8, at: SocketAddr, request: Message) -> (Message, Message) {
    world.send(at, &request);
    let challenge = world.response(at);
    assert_eq!(challenge.status(), Some(401));
    let request = world.signed(n, at, request, &challenge, "secret");
    world.send(at, &request);
    (request, world.response(at))
}

/// A telephone that watches a line, and what it makes of what it is told.
struct Watcher {
    at: SocketAddr,
    peer: Peer,
    n: u8,
    event: String,
    dialogs: BTreeMap<String, String>,
    version: Option<u32>,
}

impl Watcher {
    fn of(world: &mut World, n: u8, to: &str, event: &str) -> Self {
        Self::at(world, desk(), n, to, event)
    }

    fn at(world: &mut World, at: SocketAddr, n: u8, to: &str, event: &str) -> Self {
        let request = subscribe(world, at, to, event);
        let (request, accepted) = signed(world, n, at, request);
        assert_eq!(accepted.status(), Some(200));
        assert_eq!(accepted.headers.first(&HeaderName::Expires), Some("600"));
        Self {
            at,
            peer: Peer::caller(at, &request, &accepted),
            n,
            event: event.to_owned(),
            dialogs: BTreeMap::new(),
            version: None,
        }
    }

    /// The next NOTIFY, answered.
    #[track_caller]
    fn told(&mut self, world: &mut World) -> Message {
        let notify = world.request(self.at, &Method::Notify);
        world.send(self.at, &notify.respond(200, None));
        self.take(&notify);
        notify
    }

    /// Takes all that has come.
    fn catch_up(&mut self, world: &mut World) {
        while let Some(message) = world.try_next(self.at) {
            if message.method() == Some(&Method::Notify) {
                world.send(self.at, &message.respond(200, None));
                self.take(&message);
            }
        }
    }

    fn take(&mut self, notify: &Message) {
        let body = String::from_utf8(notify.body.clone()).unwrap();
        if !body.contains("<dialog-info") {
            return;
        }
        let version = body.split("version=\"").nth(2).unwrap();
        let version: u32 = version.split('"').next().unwrap().parse().unwrap();
        if Some(version) == self.version {
            return; // Sent again before it was answered.
        }
        assert_eq!(version, self.version.map_or(0, |before| before + 1));
        self.version = Some(version);
        if body.contains("state=\"full\"") {
            self.dialogs.clear();
        }
        for part in body.split("<dialog id=\"").skip(1) {
            let id = part.split('"').next().unwrap().to_owned();
            let state = part.split("<state>").nth(1).unwrap();
            match state.split('<').next().unwrap() {
                "terminated" => {
                    self.dialogs.remove(&id);
                }
                state => {
                    self.dialogs.insert(id, state.to_owned());
                }
            }
        }
    }

    fn states(&self) -> Vec<&str> {
        self.dialogs.values().map(String::as_str).collect()
    }

    /// A SUBSCRIBE in the dialog; the status.
    fn renew(&mut self, world: &mut World, expires: &str) -> u16 {
        let mut request = self.peer.request(world, Method::Subscribe);
        request.headers.push(HeaderName::Event, &self.event);
        request.headers.push(HeaderName::Expires, expires);
        // The next number is the signed one's.
        self.peer.request(world, Method::Subscribe);
        signed(world, self.n, self.at, request).1.status().unwrap()
    }
}

fn state_of(notify: &Message) -> &str {
    notify
        .headers
        .first(&HeaderName::SubscriptionState)
        .unwrap()
}

fn body_of(notify: &Message) -> String {
    String::from_utf8(notify.body.clone()).unwrap()
}

/// Tells the time when a NOTIFY may follow another.
fn rest(world: &mut World) {
    world.pass(SECOND);
}

#[test]
fn a_watcher_sees_a_line_ring_talk_and_fall_idle() {
    let mut world = World::new().with_operators(2);
    let mut watcher = Watcher::of(&mut world, 2, "101", "dialog");
    let notify = watcher.told(&mut world);
    assert_eq!(state_of(&notify), "active;expires=600");
    assert!(body_of(&notify).contains("entity=\"sip:101@198.51.100.1:5060\""));
    assert!(watcher.dialogs.is_empty());
    rest(&mut world);
    let (invite, answer) = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    assert!(world.try_next(desk()).is_none(), "nothing rings yet");
    world.answer(1, &ring, 180);
    let notify = watcher.told(&mut world);
    let body = body_of(&notify);
    assert!(body.contains("state=\"partial\"") && body.contains("direction=\"recipient\""));
    assert_eq!(watcher.states(), ["early"]);
    assert!(!body.contains("79") && !body.contains("identity"), "{body}");
    rest(&mut world);
    world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    watcher.told(&mut world);
    assert_eq!(watcher.states(), ["confirmed"]);
    rest(&mut world);
    world.caller_hangs_up(&invite, &answer);
    world.take_bye(phone(1));
    watcher.told(&mut world);
    assert!(watcher.dialogs.is_empty());
    world.pass(700 * SECOND);
    let notify = watcher.told(&mut world);
    assert_eq!(state_of(&notify), "terminated;reason=timeout");
    world.assert_quiet();
}

#[test]
fn each_telephone_of_a_line_that_rings_is_a_dialog_and_the_one_that_answers_stays() {
    let mut world = World::new().with_operators(2);
    assert_eq!(world.register_at(1, phone(11), "secret"), 200);
    let mut watcher = Watcher::of(&mut world, 2, "101", "dialog");
    watcher.told(&mut world);
    rest(&mut world);
    world.waiting_caller();
    let first = world.request(phone(1), &Method::Invite);
    let second = world.request(phone(11), &Method::Invite);
    world.answer_from(phone(1), 1, &first, 180);
    world.answer_from(phone(11), 1, &second, 180);
    rest(&mut world);
    watcher.catch_up(&mut world);
    assert_eq!(watcher.states(), ["early", "early"]);
    world.answer_from(phone(11), 1, &second, 200);
    rest(&mut world);
    watcher.catch_up(&mut world);
    assert_eq!(watcher.states(), ["confirmed"]);
}

#[test]
fn what_rings_at_a_line_can_be_picked_up_by_what_its_watcher_was_told() {
    let mut world = World::new().with_operators(2);
    let mut watcher = Watcher::of(&mut world, 2, "op1", "dialog");
    watcher.told(&mut world);
    rest(&mut world);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    let body = body_of(&watcher.told(&mut world));
    let attribute = |name: &str| {
        let text = body.split(&format!("{name}=\"")).nth(1).unwrap();
        text.split('"').next().unwrap().to_owned()
    };
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        attribute("call-id"),
        attribute("local-tag"),
        attribute("remote-tag")
    );
    let more = [(HeaderName::Replaces, replaces.as_str())];
    let invite = world.dials_with(2, phone(2), "101", &more);
    world.dialled_through(2, &invite);
    world.request(phone(1), &Method::Cancel);
    rest(&mut world);
    watcher.catch_up(&mut world);
    assert!(
        watcher.dialogs.is_empty(),
        "it rings no more: {:?}",
        watcher.dialogs
    );
}

#[test]
fn a_line_that_calls_is_seen_from_its_invite_on_with_what_it_dialled() {
    let mut settings = with_outer();
    settings.parties_shown_to = Audience::Operators;
    let mut world = World::with(settings).with_operators(2);
    let mut watcher = Watcher::of(&mut world, 2, "101", "dialog");
    watcher.told(&mut world);
    rest(&mut world);
    let invite = world.dials(1, "+79141234567");
    let out = world.request(trunk(), &Method::Invite);
    let body = body_of(&watcher.told(&mut world));
    assert!(body.contains("direction=\"initiator\""), "{body}");
    assert_eq!(watcher.states(), ["trying"]);
    let identity = body.split("<identity>").nth(1).unwrap();
    assert!(
        identity.starts_with("sip:+79141234567@198.51.100.1<"),
        "{identity}"
    );
    let call_id = format!("call-id=\"{}\"", invite.call_id().unwrap());
    assert!(body.contains(&call_id), "{body}");
    rest(&mut world);
    world.clear();
    world.answer_from(trunk(), 1, &out, 200);
    world.request(trunk(), &Method::Ack);
    let mut talk = world.dialled_through(1, &invite);
    rest(&mut world);
    watcher.catch_up(&mut world);
    assert_eq!(watcher.states(), ["confirmed"]);
    talk.hang_up(&mut world);
    rest(&mut world);
    watcher.catch_up(&mut world);
    assert!(watcher.dialogs.is_empty());
}

#[test]
fn the_other_party_is_shown_to_whom_the_settings_say() {
    let shown = |audience: Audience, n: u8, private: bool| {
        let mut settings = settings();
        settings.parties_shown_to = audience;
        let mut world = World::with(settings).with_operators(1);
        world.input(Input::Operators(operators(2)));
        let mut watcher = Watcher::of(&mut world, n, "101", "dialog");
        watcher.told(&mut world);
        rest(&mut world);
        let mut invite = world.invite("1300");
        if private {
            invite.headers.push(HeaderName::Privacy, "id");
        }
        world.send(trunk(), &invite);
        let answer = world.response(trunk());
        let ack = world.in_dialog(&invite, &answer, Method::Ack);
        world.send(trunk(), &ack);
        let ring = world.request(phone(1), &Method::Invite);
        world.answer(1, &ring, 180);
        let body = body_of(&watcher.told(&mut world));
        (body.contains("74242123456"), body.contains("<remote>"))
    };
    assert_eq!(shown(Audience::Operators, 2, false), (true, true));
    assert_eq!(
        shown(Audience::Operators, 2, true),
        (false, true),
        "withheld"
    );
    assert_eq!(shown(Audience::Own, 2, false), (false, false));
    assert_eq!(shown(Audience::Own, 1, false), (true, true));
    assert_eq!(shown(Audience::Nobody, 1, false), (false, false));
}

#[test]
fn who_may_not_watch_is_refused_and_learns_nothing_before_the_password() {
    let status = |audience: Audience, to: &str, event: &str| {
        let mut settings = settings();
        settings.lines_watched_by = audience;
        let mut world = World::with(settings).with_operators(2);
        let request = subscribe(&mut world, desk(), to, event);
        let (_, response) = signed(&mut world, 1, desk(), request);
        let notified = world.try_next(desk()).is_some();
        (response.status().unwrap(), notified)
    };
    assert_eq!(status(Audience::Operators, "op2", "dialog"), (200, true));
    assert_eq!(status(Audience::Own, "op2", "dialog"), (403, false));
    assert_eq!(status(Audience::Own, "101", "dialog"), (200, true));
    assert_eq!(status(Audience::Nobody, "101", "dialog"), (403, false));
    assert_eq!(
        status(Audience::Operators, "102", "message-summary"),
        (403, false)
    );
    assert_eq!(
        status(Audience::Nobody, "101", "message-summary"),
        (200, true)
    );
    assert_eq!(status(Audience::Operators, "1300", "dialog"), (404, false));
    assert_eq!(
        status(Audience::Operators, "nobody", "dialog"),
        (404, false)
    );
    assert_eq!(
        status(Audience::Operators, "nobody", "presence"),
        (489, false)
    );
    // Without a password all look alike.
    let mut world = World::new().with_operators(1);
    for (to, event) in [("101", "dialog"), ("nobody", "dialog"), ("101", "presence")] {
        let request = subscribe(&mut world, desk(), to, event);
        world.send(desk(), &request);
        assert_eq!(world.response(desk()).status(), Some(401));
    }
    let request = subscribe(&mut world, desk(), "101", "dialog");
    assert_eq!(world.authorised(1, desk(), request, "wrong"), 403);
}

#[test]
fn refusals_say_what_would_be_taken() {
    let mut world = World::new().with_operators(1);
    let request = subscribe(&mut world, desk(), "101", "presence");
    let (_, response) = signed(&mut world, 1, desk(), request);
    let events = response.headers.first(&HeaderName::AllowEvents);
    assert_eq!(events, Some("dialog, message-summary"));
    let mut request = subscribe(&mut world, desk(), "101", "dialog");
    request.headers.set(HeaderName::Expires, "10");
    let (_, response) = signed(&mut world, 1, desk(), request);
    assert_eq!(response.status(), Some(423));
    assert_eq!(response.headers.first(&HeaderName::MinExpires), Some("60"));
    let options = world.out_of_dialog(desk(), Method::Options, "sip:198.51.100.1");
    world.send(desk(), &options);
    let response = world.response(desk());
    assert_eq!(response.headers.first(&HeaderName::AllowEvents), events);
    let allow = response.headers.first(&HeaderName::Allow).unwrap();
    assert!(
        allow.contains("SUBSCRIBE") && !allow.contains("MESSAGE"),
        "{allow}"
    );
}

#[test]
fn a_subscription_is_refreshed_and_ended_by_its_owner_alone() {
    let mut world = World::new().with_operators(2);
    let mut watcher = Watcher::of(&mut world, 1, "102", "dialog");
    watcher.told(&mut world);
    world.pass(300 * SECOND);
    assert_eq!(watcher.renew(&mut world, "1200"), 200);
    assert_eq!(state_of(&watcher.told(&mut world)), "active;expires=1200");
    watcher.n = 2;
    assert_eq!(watcher.renew(&mut world, "0"), 403, "another operator");
    watcher.n = 1;
    assert_eq!(watcher.renew(&mut world, "0"), 200);
    let notify = watcher.told(&mut world);
    assert_eq!(state_of(&notify), "terminated;reason=timeout");
    let request = watcher.peer.request(&mut world, Method::Subscribe);
    world.send(desk(), &request);
    assert_eq!(world.response(desk()).status(), Some(481));
    world.assert_quiet();
}

#[test]
fn beyond_the_bound_a_subscriber_is_told_to_come_later() {
    let mut settings = settings();
    settings.subscriptions.most_per_subscriber = 2;
    let mut world = World::with(settings).with_operators(2);
    for _ in 0..2 {
        let mut watcher = Watcher::of(&mut world, 1, "102", "dialog");
        watcher.told(&mut world);
    }
    let request = subscribe(&mut world, desk(), "102", "dialog");
    let (_, response) = signed(&mut world, 1, desk(), request);
    assert_eq!(response.status(), Some(503));
    assert!(response.headers.first(&HeaderName::RetryAfter).is_some());
    Watcher::of(&mut world, 2, "101", "dialog").told(&mut world);
}

#[test]
fn a_subscription_dies_with_a_notify_that_is_refused_or_not_answered() {
    let mut world = World::new().with_operators(2);
    let mut refusing = Watcher::of(&mut world, 2, "101", "dialog");
    let notify = world.request(refusing.at, &Method::Notify);
    world.send(refusing.at, &notify.respond(481, None));
    assert_eq!(refusing.renew_unsigned(&mut world), 481);
    let mut silent = Watcher::of(&mut world, 2, "101", "dialog");
    world.request(silent.at, &Method::Notify);
    world.pass(33 * SECOND);
    world.clear();
    assert_eq!(silent.renew_unsigned(&mut world), 481);
    world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    world.answer(1, &ring, 180);
    assert!(
        world.try_next(desk()).is_none(),
        "nobody is there to be told"
    );
}

impl Watcher {
    fn renew_unsigned(&mut self, world: &mut World) -> u16 {
        let mut request = self.peer.request(world, Method::Subscribe);
        request.headers.push(HeaderName::Event, &self.event);
        world.send(self.at, &request);
        world.response(self.at).status().unwrap()
    }
}

#[test]
fn what_waits_for_an_operator_is_told_when_it_changes() {
    let mut world = World::new().with_operators(1);
    let mut watcher = Watcher::of(&mut world, 1, "op1", "message-summary");
    let summary = |notify: &Message| {
        assert_eq!(
            notify.content_type().as_deref(),
            Some("application/simple-message-summary")
        );
        body_of(notify)
    };
    let body = summary(&watcher.told(&mut world));
    assert!(body.starts_with("Messages-Waiting: no\r\n"), "{body}");
    rest(&mut world);
    let login = "op1".to_owned();
    let waiting = Waiting { new: 3, old: 1 };
    world.input(Input::MessagesWaiting { login, waiting });
    let body = summary(&watcher.told(&mut world));
    assert!(body.starts_with("Messages-Waiting: yes\r\n"), "{body}");
    assert!(body.contains("Voice-Message: 3/1\r\n"), "{body}");
    world.input(Input::Operators(operators(1)));
    let mut later = Watcher::of(&mut world, 1, "op1", "message-summary");
    let body = summary(&later.told(&mut world));
    assert!(body.contains("3/1"), "it outlasts a new table: {body}");
}

#[test]
fn a_line_or_watcher_that_is_removed_and_a_stop_end_what_they_must() {
    let mut world = World::new().with_operators(3);
    let mut of_one = Watcher::at(&mut world, phone(91), 1, "102", "dialog");
    let mut of_two = Watcher::at(&mut world, phone(92), 2, "101", "dialog");
    let mut of_three = Watcher::at(&mut world, phone(93), 3, "101", "dialog");
    for watcher in [&mut of_one, &mut of_two, &mut of_three] {
        watcher.told(&mut world);
    }
    // Operator 2 is gone: neither watched nor watching.
    let left = operators(3)
        .into_iter()
        .filter(|one| one.login != "op2")
        .collect();
    world.input(Input::Operators(left));
    let ends = |watcher: &mut Watcher, world: &mut World| {
        let notify = watcher.told(world);
        assert!(notify.body.is_empty());
        state_of(&notify).to_owned()
    };
    assert_eq!(
        ends(&mut of_one, &mut world),
        "terminated;reason=noresource"
    );
    assert_eq!(ends(&mut of_two, &mut world), "terminated;reason=rejected");
    world.input(Input::Stop);
    assert_eq!(
        ends(&mut of_three, &mut world),
        "terminated;reason=deactivated"
    );
    world.assert_quiet();
}

#[test]
fn a_notify_that_nobody_asked_for_is_481_and_in_a_call_489() {
    let mut world = World::new().with_operators(1);
    let mut notify = world.out_of_dialog(phone(1), Method::Notify, "sip:198.51.100.1");
    notify.headers.push(HeaderName::Event, "dialog");
    world.send(phone(1), &notify);
    assert_eq!(world.response(phone(1)).status(), Some(481));
    let (mut caller, mut operator) = world.talk_with(1);
    for peer in [&mut caller, &mut operator] {
        for (method, status) in [(Method::Notify, 489), (Method::Subscribe, 403)] {
            let mut request = peer.request(&mut world, method);
            request.headers.push(HeaderName::Event, "dialog");
            world.send(peer.at, &request);
            assert_eq!(world.response(peer.at).status(), Some(status));
        }
    }
    caller.hang_up(&mut world);
    world.take_bye(phone(1));
    world.assert_quiet();
}

#[test]
fn a_stop_with_several_calls_waiting_breaks_no_invariant() {
    // The end of one call frees the operator, who is offered the next, which ends in the same turn.
    let mut world = World::new().with_operators(1);
    for _ in 0..3 {
        world.waiting_caller();
    }
    world.input(Input::Stop);
    assert_eq!(world.switch.snapshot().counts.bugs, 0);
}

/// What happens on the lines, in any order.
#[derive(Debug, Clone, Copy)]
enum Event {
    Arrives,
    Dials(u8, &'static str),
    Answers(u8, u16),
    /// The oldest party that is up at a place hangs up.
    HangsUp(u8),
    Transfers(u8),
    Cancels(u8),
    Pass(u64),
    Stop,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let to = prop::sample::select(vec![
        "101",
        "102",
        "op3",
        "1300",
        "operators",
        "+79141234567",
    ]);
    let status = prop::sample::select(vec![180, 180, 183, 200, 200, 200, 486, 603, 480]);
    let one = prop_oneof![
        3 => Just(Event::Arrives),
        3 => (1..=3_u8, to).prop_map(|(n, to)| Event::Dials(n, to)),
        8 => (0..=3_u8, status).prop_map(|(n, status)| Event::Answers(n, status)),
        3 => (0..=3_u8).prop_map(Event::HangsUp),
        1 => (1..=3_u8).prop_map(Event::Transfers),
        1 => (0..=3_u8).prop_map(Event::Cancels),
        4 => (0..9_000_u64).prop_map(Event::Pass),
        1 => Just(Event::Stop),
    ];
    prop::collection::vec(one, 1..40)
}

/// Telephones 1 to 3 and the trunk (0), each as far as its calls are.
struct Lines {
    world: World,
    watchers: Vec<Watcher>,
    ringing: BTreeMap<u8, Vec<Message>>,
    up: BTreeMap<u8, Vec<Peer>>,
    dialled: BTreeMap<u8, Vec<Message>>,
    stopped: bool,
}

fn place(n: u8) -> SocketAddr {
    if n == 0 { trunk() } else { phone(n) }
}

impl Lines {
    fn new() -> Self {
        let mut world = World::with(with_outer()).with_operators(3);
        let watchers = (1..=3)
            .map(|n| {
                let at = phone(90 + n);
                Watcher::at(&mut world, at, 1, &format!("10{n}"), "dialog")
            })
            .collect();
        Self {
            world,
            watchers,
            ringing: BTreeMap::new(),
            up: BTreeMap::new(),
            dialled: BTreeMap::new(),
            stopped: false,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives => {
                let invite = self.world.invite("1300");
                self.world.send(trunk(), &invite);
                self.dialled.entry(0).or_default().push(invite);
            }
            Event::Dials(n, to) => self.dial(n, to),
            Event::Answers(n, status) => {
                let ringing = self.ringing.entry(n).or_default();
                if let Some(invite) = ringing.first().cloned() {
                    let answer = self.world.answer_from(place(n), n, &invite, status);
                    if status >= 200 {
                        ringing.remove(0);
                    }
                    if status == 200 {
                        let peer = Peer::called(place(n), &invite, &answer);
                        self.up.entry(n).or_default().push(peer);
                    }
                }
            }
            Event::HangsUp(n) => {
                let up = self.up.entry(n).or_default();
                if !up.is_empty() {
                    let bye = up.remove(0).request(&mut self.world, Method::Bye);
                    self.world.send(place(n), &bye);
                }
            }
            Event::Transfers(n) => {
                if let Some(peer) = self.up.entry(n).or_default().first_mut() {
                    let mut refer = peer.request(&mut self.world, Method::Refer);
                    refer
                        .headers
                        .push(HeaderName::ReferTo, "<sip:103@198.51.100.1>");
                    self.world.send(place(n), &refer);
                }
            }
            Event::Cancels(n) => {
                if let Some(mut cancel) = self.dialled.entry(n).or_default().pop() {
                    cancel.body.clear();
                    let uri: Uri = cancel.request_uri().unwrap().clone();
                    cancel.start = Message::request(Method::Cancel, uri).start;
                    let number = cancel.cseq().unwrap().number;
                    cancel
                        .headers
                        .set(HeaderName::CSeq, format!("{number} CANCEL"));
                    self.world.send(place(n), &cancel);
                }
            }
            Event::Pass(ms) => {
                self.world.pass(Duration::from_millis(ms));
            }
            Event::Stop if !self.stopped => {
                self.stopped = true;
                self.world.input(Input::Stop);
            }
            Event::Stop => {}
        }
        self.serve();
    }

    fn dial(&mut self, n: u8, to: &str) {
        let uri = format!("sip:{to}@198.51.100.1:5060");
        let invite = self.world.out_of_dialog(phone(n), Method::Invite, &uri);
        let invite = invite.with_body("application/sdp", crate::world::OFFER.into());
        self.serve();
        self.world.send(phone(n), &invite);
        let challenge = self.world.response(phone(n));
        if challenge.status() == Some(401) {
            let invite = self.world.signed(n, phone(n), invite, &challenge, "secret");
            self.world.send(phone(n), &invite);
            self.dialled.entry(n).or_default().push(invite);
        }
    }

    /// Every party does what it must with what has come.
    fn serve(&mut self) {
        loop {
            let mut quiet = true;
            for n in 0..=3 {
                while let Some(message) = self.world.try_next(place(n)) {
                    quiet = false;
                    self.take(n, &message);
                }
            }
            for watcher in &mut self.watchers {
                watcher.catch_up(&mut self.world);
            }
            if quiet {
                return;
            }
        }
    }

    fn take(&mut self, n: u8, message: &Message) {
        let at = place(n);
        match (message.method().cloned(), message.status()) {
            (Some(Method::Invite), _) if message.to().unwrap().tag().is_some() => {
                self.world.send(at, &message.respond(488, None));
            }
            (Some(Method::Invite), _) => {
                self.ringing.entry(n).or_default().push(message.clone());
            }
            (Some(Method::Cancel), _) => {
                self.world.send(at, &message.respond(200, Some("x")));
                let call_id = message.call_id().unwrap();
                let ringing = self.ringing.entry(n).or_default();
                if let Some(found) = ringing.iter().position(|i| i.call_id().unwrap() == call_id) {
                    let invite = ringing.remove(found);
                    self.world.answer_from(at, n, &invite, 487);
                }
            }
            (Some(Method::Ack), _) | (None, Some(100..=199)) => {}
            (Some(_), _) => {
                if message.method() == Some(&Method::Bye) {
                    let call_id = message.call_id().unwrap();
                    self.up
                        .entry(n)
                        .or_default()
                        .retain(|peer| peer.call_id != call_id);
                }
                self.world.send(at, &message.respond(200, None));
            }
            (None, Some(200)) if message.cseq().unwrap().method == Method::Invite => {
                let dialled = self.dialled.entry(n).or_default();
                let call_id = message.call_id().unwrap();
                let found = dialled.iter().position(|i| i.call_id().unwrap() == call_id);
                if let Some(found) = found {
                    let invite = dialled.remove(found);
                    let mut peer = Peer::caller(at, &invite, message);
                    let ack = peer.request(&mut self.world, Method::Ack);
                    self.world.send(at, &ack);
                    self.up.entry(n).or_default().push(peer);
                }
            }
            (None, _) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever happened on the lines, in the end nothing is shown on them, by the watchers' own
    /// reckoning of what they were told, and nothing is remembered.
    #[test]
    fn after_any_script_every_line_is_idle_again(events in events()) {
        let mut lines = Lines::new();
        lines.serve();
        for event in events {
            lines.happen(event);
        }
        for _ in 0..6 {
            for n in 0..=3 {
                for _ in 0..4 {
                    lines.happen(Event::HangsUp(n));
                    lines.happen(Event::Answers(n, 603));
                    lines.happen(Event::Cancels(n));
                }
            }
            lines.happen(Event::Pass(3_000));
        }
        for _ in 0..60 {
            lines.happen(Event::Pass(1_500));
        }
        for watcher in &lines.watchers {
            if !lines.stopped {
                prop_assert!(watcher.dialogs.is_empty(), "{:?}", watcher.dialogs);
            }
        }
        let tables = lines.world.switch.tables();
        let stale = tables.iter().find(|(table, _)| *table == "line_calls");
        prop_assert_eq!(stale, Some(&("line_calls", 0)), "{:?}", tables);
        prop_assert_eq!(lines.world.switch.snapshot().counts.bugs, 0);
    }
}
