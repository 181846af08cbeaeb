//! A world in virtual time for the switch: one trunk, some operators' telephones, a media plane
//! that always works, a disk that is always at once. Each test drives it by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![allow(unreachable_pub, reason = "a module of a test")]
#![allow(dead_code, reason = "each test file uses its own part of the world")]

pub mod peers;
pub mod room;
pub mod session;
pub mod timed;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use dialplan::Plans;
use sip::{Answer, Flow, HeaderName, Message, Method, NameAddr, Question, Secrets, Transport, Uri};
use switch::{Input, Network, Operator, Output, Settings, Switch, Trunk, Word};
use vocab::media::{MediaCommand, MediaEvent, PromptId};
use vocab::{Event, Fact, LegCounts, LegQuality, OperatorId, Time, WallTime};

pub const PLAN: &str = r#"
name = "test"
numbers = ["1300"]
languages = ["en"]

[[step]]
answer = {}

[[step]]
say = { name = "greeting", notice = true, text = { en = "Calls are recorded." } }

[[step]]
queue = { name = "operators", music = "music/waiting.wav" }

[[step]]
hangup = {}
"#;

pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\n\
    t=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

pub struct World {
    pub switch: Switch,
    /// Where the engine is.
    pub at: SocketAddr,
    pub now: Time,
    pub facts: Vec<Event>,
    pub commands: Vec<MediaCommand>,
    /// Prompts whose audio need not be kept.
    pub forgotten: BTreeSet<vocab::media::PromptId>,
    /// What the other engine of a handover is told.
    pub told: VecDeque<Word>,
    /// Questions to web services.
    pub fetches: Vec<(vocab::CallId, u32, String)>,
    inboxes: BTreeMap<SocketAddr, VecDeque<Message>>,
    legs: BTreeSet<vocab::LegId>,
    pub branches: u32,
    /// What the media plane counts of every leg.
    pub counts: LegCounts,
    /// Plays answer themselves with `PlayEnded` at once.
    pub plays_end: bool,
    /// What the DNS knows; none: a question is a mistake.
    pub names: Option<BTreeMap<String, Vec<core::net::IpAddr>>>,
    /// Reads a clock before and after each turn of the switch, for benchmarks.
    pub clock: fn() -> Duration,
    /// What the switch alone has used by that clock.
    pub spent: Duration,
}

pub fn settings() -> Settings {
    let mut settings = Settings::example();
    let network: Network = "192.0.2.0/24".parse().unwrap();
    let mut trunk = Trunk::at("carrier", vec![network]);
    trunk.inbound.trusted = true;
    settings.trunks = vec![trunk];
    settings
}

/// Operators op1 to opN, password `secret`.
pub fn operators(n: u8) -> Vec<Operator> {
    (1..=n)
        .map(|n| Operator {
            id: OperatorId(u32::from(n)),
            login: format!("op{n}"),
            name: format!("Operator {n}"),
            line: format!("10{n}"),
            secrets: Secrets::new(&format!("op{n}"), "hotline", "secret"),
            skills: BTreeMap::new(),
            address: None,
        })
        .collect()
}

fn engine() -> SocketAddr {
    "198.51.100.1:5060".parse().unwrap()
}

pub fn trunk() -> SocketAddr {
    "192.0.2.10:5060".parse().unwrap()
}

pub fn phone(n: u8) -> SocketAddr {
    SocketAddr::new([203, 0, 113, n].into(), 5060)
}

pub fn flow(remote: SocketAddr) -> Flow {
    Flow {
        transport: Transport::Udp,
        local: engine(),
        remote,
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: Settings) -> Self {
        Self::with_plan(settings, PLAN)
    }

    pub fn with_plan(settings: Settings, plan: &str) -> Self {
        let mut world = Self {
            at: settings.sockets[0].1,
            switch: Switch::new(settings),
            now: Time::ZERO,
            facts: Vec::new(),
            commands: Vec::new(),
            forgotten: BTreeSet::new(),
            told: VecDeque::new(),
            fetches: Vec::new(),
            inboxes: BTreeMap::new(),
            legs: BTreeSet::new(),
            branches: 0,
            counts: LegCounts::default(),
            plays_end: true,
            names: None,
            clock: || Duration::ZERO,
            spent: Duration::ZERO,
        };
        world.input(Input::Wall(WallTime::from_unix_millis(1_795_000_000_000)));
        let plan = dialplan::parse("test.toml", plan).unwrap_or_else(|told| panic!("{told:?}"));
        let mut prompts = BTreeMap::from([
            (("greeting".to_owned(), "en".to_owned()), PromptId(1)),
            (("music/waiting.wav".to_owned(), String::new()), PromptId(2)),
        ]);
        let told = [
            dialplan::staff::whispers(&[("operators", "Operators.")], "en"),
            dialplan::staff::replies("en"),
            dialplan::announcements::promise(&["en".to_owned()]),
        ];
        let all = plan.prompts().into_iter().chain(told.into_iter().flatten());
        for (id, prompt) in (10..).zip(all) {
            prompts
                .entry((prompt.name, prompt.language))
                .or_insert(PromptId(id));
        }
        let plans = Plans::new(vec![Arc::new(plan)]).unwrap();
        world.input(Input::Plans { plans, prompts });
        world
    }

    /// Adds operators 1..=n and registers their telephones.
    pub fn with_operators(mut self, n: u8) -> Self {
        self.input(Input::Operators(operators(n)));
        for n in 1..=n {
            assert_eq!(self.register(n, "secret"), 200);
            // So that the longest idle is always the one with the lowest number.
            self.pass(Duration::from_millis(10));
        }
        self
    }

    pub fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.turn(input) {
                if let Output::Resolve { question } = output {
                    inputs.push_back(self.resolved(question));
                } else if let Some(event) = self.output(output) {
                    inputs.push_back(Input::Media(event));
                }
            }
        }
    }

    /// One input and all that comes of it, timed.
    fn turn(&mut self, input: Input) -> Vec<Output> {
        let begin = (self.clock)();
        self.switch.handle(self.now, input);
        let outputs = core::iter::from_fn(|| self.switch.poll()).collect();
        self.spent += (self.clock)() - begin;
        outputs
    }

    /// The DNS of the world: addresses of hosts, and nothing else.
    fn resolved(&self, question: Question) -> Input {
        let Some(names) = &self.names else {
            panic!("the switch asks {question:?}");
        };
        let answer = match &question {
            Question::Naptr(_) => Answer::Naptr(Vec::new()),
            Question::Srv(_) => Answer::Srv(Vec::new()),
            Question::Addresses(name) => {
                Answer::Addresses(names.get(name).cloned().unwrap_or_default())
            }
            Question::Local(_) => Answer::Addresses(vec![engine().ip()]),
        };
        let holds = Duration::from_secs(60);
        Input::Resolved {
            question,
            answer,
            holds,
        }
    }

    fn output(&mut self, output: Output) -> Option<MediaEvent> {
        match output {
            Output::Send { flow, bytes, .. } => {
                let message = match sip::parse_datagram(&bytes) {
                    Ok(sip::Datagram::Message(message)) => message,
                    other => panic!("the switch sent {other:?}"),
                };
                let inbox = self.inboxes.entry(flow.remote).or_default();
                inbox.push_back(message);
                None
            }
            Output::ForgetPrompts(prompts) => {
                self.forgotten.extend(prompts);
                None
            }
            Output::ExpectName { .. } => None,
            Output::Fetch {
                call,
                question,
                url,
                ..
            } => {
                self.fetches.push((call, question, url));
                None
            }
            Output::Resolve { .. } => None,
            Output::Tell(word) => {
                self.told.push_back(word);
                None
            }
            Output::Record(event) => {
                self.facts.push(event);
                None
            }
            Output::Media(command) => {
                let event = self.media(&command);
                self.commands.push(command);
                event
            }
        }
    }

    /// A media plane that does what it is told and checks that it makes sense.
    fn media(&mut self, command: &MediaCommand) -> Option<MediaEvent> {
        match *command {
            MediaCommand::Open { call, leg } => {
                assert!(self.legs.insert(leg), "leg opened twice");
                let port = 10_000 + 2 * u16::try_from(leg.counter() % 20_000).unwrap();
                Some(MediaEvent::Opened {
                    call,
                    leg,
                    port,
                    browser: None,
                })
            }
            MediaCommand::Play {
                call,
                leg,
                repeat,
                token,
                ..
            } => {
                assert!(self.legs.contains(&leg), "a closed leg is to play");
                (self.plays_end && !repeat).then_some(MediaEvent::PlayEnded { call, leg, token })
            }
            MediaCommand::Close { call, leg } => {
                assert!(self.legs.remove(&leg), "leg closed twice");
                Some(MediaEvent::Closed {
                    call,
                    leg,
                    counts: self.counts,
                    quality: LegQuality::default(),
                })
            }
            MediaCommand::Key { call, leg, digit } => {
                assert!(self.legs.contains(&leg), "a key of a closed leg");
                Some(MediaEvent::Digit { call, leg, digit })
            }
            MediaCommand::Bridge {
                caller, operator, ..
            } => {
                assert!(self.legs.contains(&caller) && self.legs.contains(&operator));
                None
            }
            MediaCommand::Mix { ref parties, .. } => {
                assert!((2..=8).contains(&parties.len()));
                assert!(parties.iter().all(|one| self.legs.contains(&one.leg)));
                None
            }
            MediaCommand::SetRemote { leg, .. }
            | MediaCommand::Press { leg, .. }
            | MediaCommand::Stop { leg, .. }
            | MediaCommand::Unbridge { leg, .. }
            | MediaCommand::Record { leg, .. }
            | MediaCommand::RecordWait { leg, .. }
            | MediaCommand::EndRecord { leg, .. }
            | MediaCommand::PauseRecording { leg, .. }
            | MediaCommand::ResumeRecording { leg, .. } => {
                assert!(
                    self.legs.contains(&leg),
                    "a command for a closed leg: {command:?}"
                );
                None
            }
        }
    }

    /// Lets time pass, with every deadline on the way.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.switch.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Deadline);
        }
        self.now = end;
    }

    pub fn send(&mut self, from: SocketAddr, message: &Message) {
        self.raw(from, &message.to_bytes());
    }

    pub fn raw(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.input(Input::Datagram {
            flow: Flow {
                local: self.at,
                ..flow(from)
            },
            bytes: bytes.to_vec(),
        });
    }

    /// The next message at a place; fails if there is none.
    #[track_caller]
    pub fn next(&mut self, at: SocketAddr) -> Message {
        self.try_next(at)
            .unwrap_or_else(|| panic!("nothing came to {at}"))
    }

    pub fn try_next(&mut self, at: SocketAddr) -> Option<Message> {
        self.inboxes.entry(at).or_default().pop_front()
    }

    /// The next response at a place that is not 100.
    #[track_caller]
    pub fn response(&mut self, at: SocketAddr) -> Message {
        loop {
            let message = self.next(at);
            match message.status() {
                Some(100) => {}
                Some(_) => return message,
                None => panic!("a request came to {at}: {:?}", message.start),
            }
        }
    }

    /// The next request at a place; responses before it are dropped.
    #[track_caller]
    pub fn request(&mut self, at: SocketAddr, method: &Method) -> Message {
        loop {
            let message = self.next(at);
            if let Some(seen) = message.method() {
                assert_eq!(seen, method);
                return message;
            }
        }
    }

    pub fn clear(&mut self) {
        self.inboxes.clear();
    }

    pub fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bKtest{}", self.branches)
    }

    /// A request of a peer outside any dialog.
    pub fn out_of_dialog(&mut self, from: SocketAddr, method: Method, uri: &str) -> Message {
        let branch = self.branch();
        let mut request = Message::request(method.clone(), Uri::parse(uri).unwrap());
        let headers = &mut request.headers;
        headers.push(
            HeaderName::Via,
            format!("SIP/2.0/UDP {from};rport;branch={branch}"),
        );
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(
            HeaderName::From,
            format!("\"Ivan\" <sip:+74242123456@{from}>;tag={branch}"),
        );
        headers.push(HeaderName::To, format!("<{uri}>"));
        headers.push(HeaderName::CallId, format!("{branch}@test"));
        headers.push(HeaderName::CSeq, format!("1 {}", method.as_str()));
        headers.push(HeaderName::Contact, format!("<sip:{from}>"));
        request
    }

    pub fn invite(&mut self, number: &str) -> Message {
        let uri = format!("sip:{number}@{}", self.at);
        self.out_of_dialog(trunk(), Method::Invite, &uri)
            .with_body("application/sdp", OFFER.into())
    }

    /// Registers telephone `n`; the final status.
    pub fn register(&mut self, n: u8, password: &str) -> u16 {
        self.register_at(n, phone(n), password)
    }

    /// Registers a telephone of operator `n` at a place; the final status.
    pub fn register_at(&mut self, n: u8, at: SocketAddr, password: &str) -> u16 {
        let request = self.register_request(n, at);
        self.authorised(n, at, request, password)
    }

    /// Registers a telephone of operator `n` with parameters in its Contact; the final status.
    pub fn register_with(&mut self, n: u8, at: SocketAddr, params: &str) -> u16 {
        let mut request = self.register_request(n, at);
        let contact = format!("<sip:op{n}@{at}>;{params}");
        request.headers.set(HeaderName::Contact, contact);
        self.authorised(n, at, request, "secret")
    }

    /// A REGISTER without credentials.
    pub fn register_request(&mut self, n: u8, at: SocketAddr) -> Message {
        let uri = format!("sip:{}", self.at);
        let mut request = self.out_of_dialog(at, Method::Register, &uri);
        let address = format!("<sip:op{n}@{}>", self.at);
        let headers = &mut request.headers;
        headers.set(HeaderName::From, format!("{address};tag=r{n}"));
        headers.set(HeaderName::To, &address);
        headers.set(HeaderName::Contact, format!("<sip:op{n}@{at}>"));
        headers.set(HeaderName::Expires, "3600");
        request
    }

    /// Sends a request of operator `n`, and again with credentials; the final status.
    pub fn authorised(&mut self, n: u8, at: SocketAddr, request: Message, password: &str) -> u16 {
        self.send(at, &request);
        let challenge = self.response(at);
        assert_eq!(challenge.status(), Some(401));
        let request = self.signed(n, at, request, &challenge, password);
        self.send(at, &request);
        self.response(at).status().unwrap()
    }

    /// The request as operator `n` sends it again after a challenge.
    pub fn signed(
        &mut self,
        n: u8,
        at: SocketAddr,
        mut request: Message,
        challenge: &Message,
        password: &str,
    ) -> Message {
        let branch = self.branch();
        let via = format!("SIP/2.0/UDP {at};rport;branch={branch}");
        request.headers.set(HeaderName::Via, via);
        let cseq = request.cseq().unwrap();
        let cseq = format!("{} {}", cseq.number + 1, cseq.method.as_str());
        request.headers.set(HeaderName::CSeq, cseq);
        let user = format!("op{n}");
        sip::authorize(&mut request, challenge, &user, password, "cnonce", 1).unwrap();
        request
    }

    /// An ACK, BYE, re-INVITE ... of whoever sent `invite` and got `answer`.
    pub fn in_dialog(&mut self, invite: &Message, answer: &Message, method: Method) -> Message {
        let branch = self.branch();
        let cseq = invite.cseq().unwrap().number;
        let number = if method == Method::Ack {
            cseq
        } else {
            cseq + 1
        };
        let target = answer.contacts().unwrap().remove(0).uri;
        let mut request = Message::request(method.clone(), target);
        let headers = &mut request.headers;
        let from = invite.via().unwrap();
        headers.push(
            HeaderName::Via,
            format!(
                "SIP/2.0/UDP {}:{};rport;branch={branch}",
                from.host,
                from.port.unwrap()
            ),
        );
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(
            HeaderName::From,
            invite.headers.first(&HeaderName::From).unwrap(),
        );
        headers.push(
            HeaderName::To,
            answer.headers.first(&HeaderName::To).unwrap(),
        );
        headers.push(HeaderName::CallId, invite.call_id().unwrap());
        headers.push(HeaderName::CSeq, format!("{number} {}", method.as_str()));
        request
    }

    /// A caller dials, is answered, acknowledges, and hears the greeting; then waits.
    pub fn waiting_caller(&mut self) -> (Message, Message) {
        let invite = self.invite("1300");
        self.send(trunk(), &invite);
        let answer = self.response(trunk());
        assert_eq!(answer.status(), Some(200));
        let ack = self.in_dialog(&invite, &answer, Method::Ack);
        self.send(trunk(), &ack);
        (invite, answer)
    }

    pub fn caller_hangs_up(&mut self, invite: &Message, answer: &Message) {
        let bye = self.in_dialog(invite, answer, Method::Bye);
        self.send(trunk(), &bye);
        assert_eq!(self.response(trunk()).status(), Some(200));
    }

    /// A telephone's answer to an INVITE of the engine.
    pub fn answer(&mut self, n: u8, invite: &Message, status: u16) -> Message {
        self.answer_from(phone(n), n, invite, status)
    }

    /// The answer of a telephone of operator `n` at a place.
    pub fn answer_from(&mut self, at: SocketAddr, n: u8, invite: &Message, status: u16) -> Message {
        let mut response = invite.respond(status, Some(&format!("phone{n}-{at}")));
        if (200..300).contains(&status) {
            response
                .headers
                .push(HeaderName::Contact, format!("<sip:op{n}@{}>", at));
            let body = OFFER
                .replace("192.0.2.10", "203.0.113.1")
                .replace("8 0 101", "8 101");
            response = response.with_body("application/sdp", body.into());
        }
        self.send(at, &response);
        response
    }

    /// A telephone's 200 without a body: to a BYE.
    pub fn answer_plain(&mut self, n: u8, request: &Message) {
        self.send(phone(n), &request.respond(200, None));
    }

    /// Telephone `n` takes the call with a description that is one part of several.
    pub fn answer_in_parts(&mut self, n: u8, invite: &Message) -> Message {
        let at = phone(n);
        let mut response = invite.respond(200, Some(&format!("phone{n}-{at}")));
        let contact = format!("<sip:op{n}@{at}>");
        response.headers.push(HeaderName::Contact, contact);
        let body = OFFER
            .replace("192.0.2.10", "203.0.113.1")
            .replace("8 0 101", "8 101");
        let part = format!("--b\r\nContent-Type: application/sdp\r\n\r\n{body}\r\n--b--\r\n");
        let response = response.with_body("multipart/mixed;boundary=b", part.into());
        self.send(at, &response);
        response
    }

    /// A BYE of telephone `n`, which answered `invite` with `answer`.
    pub fn operator_hangs_up(&mut self, n: u8, invite: &Message, answer: &Message) {
        let branch = self.branch();
        let target = invite.contacts().unwrap().remove(0).uri;
        let mut bye = Message::request(Method::Bye, target);
        let headers = &mut bye.headers;
        headers.push(
            HeaderName::Via,
            format!("SIP/2.0/UDP {};rport;branch={branch}", phone(n)),
        );
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(
            HeaderName::From,
            answer.headers.first(&HeaderName::To).unwrap(),
        );
        headers.push(
            HeaderName::To,
            answer.headers.first(&HeaderName::From).unwrap(),
        );
        headers.push(HeaderName::CallId, invite.call_id().unwrap());
        headers.push(HeaderName::CSeq, "1 BYE");
        self.send(phone(n), &bye);
        assert_eq!(self.response(phone(n)).status(), Some(200));
    }

    /// Answers a BYE of the engine at a place.
    pub fn take_bye(&mut self, at: SocketAddr) {
        let bye = self.request(at, &Method::Bye);
        let answer = bye.respond(200, None);
        self.send(at, &answer);
    }

    pub fn ended(&self) -> Vec<(vocab::Outcome, vocab::EndedBy)> {
        self.facts
            .iter()
            .filter_map(|event| match event.fact {
                Fact::CallEnded {
                    outcome, ended_by, ..
                } => Some((outcome, ended_by)),
                _ => None,
            })
            .collect()
    }

    pub fn offer_results(&self) -> Vec<vocab::OfferResult> {
        self.facts
            .iter()
            .filter_map(|event| match event.fact {
                Fact::OfferEnded { result, .. } => Some(result),
                _ => None,
            })
            .collect()
    }

    /// After the longest time anything may take nothing is left of the calls, and the facts of
    /// each call make sense.
    #[track_caller]
    pub fn assert_quiet(&mut self) {
        self.pass(Duration::from_secs(200));
        for (table, size) in self.switch.tables() {
            assert_eq!(size, 0, "{table} is not empty");
        }
        assert_eq!(self.switch.snapshot().counts.bugs, 0);
        assert!(self.legs.is_empty(), "sockets stayed open: {:?}", self.legs);
        let mut arrived = BTreeSet::new();
        let mut ended = BTreeSet::new();
        let mut ids = self.facts.iter().map(|event| event.id.counter());
        assert!(
            ids.clone().eq(1..=u32::try_from(self.facts.len()).unwrap()),
            "{:?}",
            ids.next()
        );
        for event in &self.facts {
            match &event.fact {
                Fact::CallArrived { call, .. } => assert!(arrived.insert(*call)),
                Fact::CallEnded { call, .. } => assert!(ended.insert(*call), "ended twice"),
                // The media plane closes a leg after the call has ended.
                Fact::LegMeasured { call, .. } => assert!(arrived.contains(call)),
                // The operator's work goes on when the caller is gone.
                Fact::WrapUpEnded { .. } => {}
                // Of a call that was missed long ago.
                Fact::CallbackOwed { .. } | Fact::CallbackSettled { .. } => {}
                fact => {
                    if let Some(call) = fact.call() {
                        assert!(!ended.contains(&call), "after the end: {fact:?}");
                    }
                }
            }
        }
        assert_eq!(arrived, ended, "a call without an end");
        let open = self
            .facts
            .iter()
            .filter(|e| matches!(e.fact, Fact::OfferMade { .. }))
            .count();
        assert_eq!(open, self.offer_results().len(), "an offer without an end");
    }

    /// A whole call: a caller dials, waits, is answered by operator 1 and hangs up; then all timers
    /// run out.
    pub fn whole_call(&mut self) {
        let (invite, answer) = self.waiting_caller();
        let ring = self.request(phone(1), &Method::Invite);
        self.answer(1, &ring, 180);
        self.answer(1, &ring, 200);
        self.request(phone(1), &Method::Ack);
        self.caller_hangs_up(&invite, &answer);
        let bye = self.request(phone(1), &Method::Bye);
        self.answer_plain(1, &bye);
        self.pass(Duration::from_secs(60));
        assert!(self.try_next(trunk()).is_none(), "nothing is repeated");
    }

    pub fn from_of(message: &Message) -> NameAddr {
        message.from().unwrap()
    }
}
