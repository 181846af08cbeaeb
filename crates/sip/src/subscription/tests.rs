//! Subscriptions in virtual time: one SUBSCRIBE after the other, and any order of all that can happen.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use vocab::Time;

use super::*;
use crate::transaction::{Flow, Transport};
use crate::wire::{HeaderName, Message, Method, Uri};

const SECOND: Duration = Duration::from_secs(1);

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "192.0.2.9:5060".parse().unwrap(),
    }
}

fn subscribe(n: u32, event: &str, expires: Option<u32>) -> Message {
    let uri = Uri::parse("sip:101@192.0.2.1").unwrap();
    let mut request = Message::request(Method::Subscribe, uri);
    let headers = &mut request.headers;
    headers.push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1");
    headers.push(HeaderName::From, "<sip:op2@192.0.2.1>;tag=theirs");
    headers.push(HeaderName::To, "<sip:101@192.0.2.1>");
    headers.push(HeaderName::CallId, format!("call{n}"));
    headers.push(HeaderName::CSeq, "1 SUBSCRIBE");
    headers.push(HeaderName::Contact, "<sip:op2@192.0.2.9:5060>");
    headers.push(HeaderName::Event, event);
    if let Some(expires) = expires {
        headers.push(HeaderName::Expires, expires.to_string());
    }
    request
}

/// The state of a line of the tests: its dialogs by number.
fn line(states: &[(u8, LineState)]) -> Vec<LineDialog> {
    let dialog = |(id, state): &(u8, LineState)| LineDialog {
        id: id.to_string(),
        call_id: format!("c{id}"),
        local_tag: None,
        remote_tag: Some("r".to_owned()),
        direction: Direction::Recipient,
        state: *state,
        remote: None,
    };
    states.iter().map(dialog).collect()
}

struct Bench {
    table: Subscriptions,
    now: Time,
    dialogs: Vec<LineDialog>,
    waiting: Waiting,
    sent: VecDeque<(SubscriptionId, Message)>,
}

impl Bench {
    fn new() -> Self {
        Self::with(SubscriptionSettings::default())
    }

    fn with(settings: SubscriptionSettings) -> Self {
        Self {
            table: Subscriptions::new(settings),
            now: Time::ZERO,
            dialogs: Vec::new(),
            waiting: Waiting::default(),
            sent: VecDeque::new(),
        }
    }

    fn subscribe(&mut self, request: &Message) -> Result<Message, BadSubscribe> {
        let who = Subscriber {
            user: "op2",
            resource: "op1",
        };
        let done = self
            .table
            .subscribe(self.now, who, request, (flow(), "ours"));
        self.drain();
        done
    }

    fn drain(&mut self) {
        while let Some(due) = self.table.poll(self.now) {
            let content = match due.package {
                Package::Dialog => Content::Dialogs(self.dialogs.clone()),
                Package::MessageSummary => Content::Messages(self.waiting),
            };
            let content = due.with_state.then_some(content);
            if let Some((_, notify)) = self.table.tell(self.now, due.id, content) {
                self.sent.push_back((due.id, notify));
            }
        }
    }

    fn set(&mut self, states: &[(u8, LineState)]) {
        self.dialogs = line(states);
        self.table.changed("op1", Package::Dialog);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.table.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.drain();
        }
        self.now = end;
    }

    /// The next NOTIFY, answered: its state and its body.
    #[track_caller]
    fn told(&mut self) -> (String, String) {
        self.told_and(200, None)
    }

    #[track_caller]
    fn told_and(&mut self, status: u16, retry_after: Option<&str>) -> (String, String) {
        let (id, notify) = self.sent.pop_front().expect("a NOTIFY");
        let mut answer = notify.respond(status, None);
        if let Some(seconds) = retry_after {
            answer.headers.push(HeaderName::RetryAfter, seconds);
        }
        self.table.answered(self.now, id, Some(&answer));
        self.drain();
        let state = notify.headers.first(&HeaderName::SubscriptionState);
        let body = String::from_utf8(notify.body.clone()).unwrap();
        (state.unwrap().to_owned(), body)
    }

    /// The same subscriber again, in the dialog of call `n`.
    fn renew(&mut self, n: u32, cseq: u32, event: &str, expires: u32) -> u16 {
        let mut request = subscribe(n, event, Some(expires));
        request
            .headers
            .set(HeaderName::CSeq, format!("{cseq} SUBSCRIBE"));
        request
            .headers
            .set(HeaderName::To, "<sip:101@192.0.2.1>;tag=ours");
        let dialog = crate::DialogId::of_incoming(&request).unwrap();
        let Some(id) = self.table.find(&dialog) else {
            return 481;
        };
        let done = self.table.renew(self.now, id, &request, flow());
        self.drain();
        match done {
            Ok(response) => response.status().unwrap(),
            Err(bad) => bad.respond(&request, "x").status().unwrap(),
        }
    }
}

fn version(body: &str) -> u32 {
    let text = body.split("version=\"").nth(2).expect("a document");
    text.split('"').next().unwrap().parse().unwrap()
}

#[test]
fn a_subscriber_is_told_all_at_once_then_what_changes_and_the_end() {
    let mut bench = Bench::new();
    bench.dialogs = line(&[(1, LineState::Early)]);
    let accepted = bench
        .subscribe(&subscribe(1, "dialog;id=7", Some(120)))
        .unwrap();
    assert_eq!(accepted.status(), Some(200));
    assert_eq!(accepted.headers.first(&HeaderName::Expires), Some("120"));
    let (_, notify) = bench.sent.front().unwrap();
    assert_eq!(
        notify.headers.first(&HeaderName::Event),
        Some("dialog;id=7")
    );
    let (state, body) = bench.told();
    assert_eq!(state, "active;expires=120");
    assert!(
        body.contains("state=\"full\"") && version(&body) == 0,
        "{body}"
    );
    bench.pass(10 * SECOND);
    bench.set(&[(1, LineState::Confirmed), (2, LineState::Early)]);
    let (state, body) = bench.told();
    assert_eq!(state, "active;expires=110");
    assert!(
        body.contains("state=\"partial\"") && version(&body) == 1,
        "{body}"
    );
    bench.pass(10 * SECOND);
    bench.set(&[]);
    let (_, body) = bench.told();
    assert_eq!(body.matches("<state>terminated</state>").count(), 2);
    bench.pass(200 * SECOND);
    let (state, body) = bench.told();
    assert_eq!(state, "terminated;reason=timeout");
    assert!(
        body.contains("state=\"full\"") && version(&body) == 3,
        "{body}"
    );
    assert!(bench.table.is_empty() && bench.sent.is_empty());
    assert_eq!(bench.table.next_deadline(), None);
}

#[test]
fn no_more_than_one_notify_a_second_and_the_last_state_wins() {
    let mut bench = Bench::new();
    bench.subscribe(&subscribe(1, "dialog", None)).unwrap();
    bench.told();
    for n in 1..=9 {
        bench.set(&[(n, LineState::Early)]);
        bench.pass(SECOND / 10);
    }
    assert!(bench.sent.is_empty(), "within the second of the first");
    bench.pass(SECOND / 10);
    let (_, body) = bench.told();
    assert!(
        body.contains("id=\"9\"") && !body.contains("id=\"8\""),
        "{body}"
    );
    bench.set(&[(9, LineState::Confirmed)]);
    bench.set(&[(9, LineState::Early)]);
    bench.pass(5 * SECOND);
    assert!(bench.sent.is_empty(), "what changed back is no news");
}

#[test]
fn news_waits_for_the_answer_to_the_notify_before() {
    let mut bench = Bench::new();
    bench.subscribe(&subscribe(1, "dialog", None)).unwrap();
    bench.set(&[(1, LineState::Early)]);
    bench.pass(5 * SECOND);
    assert_eq!(bench.sent.len(), 1);
    bench.told();
    assert_eq!(bench.sent.len(), 1, "once it is answered");
}

#[test]
fn a_refresh_is_answered_with_all_there_is() {
    let mut bench = Bench::new();
    bench.subscribe(&subscribe(1, "dialog", Some(100))).unwrap();
    bench.told();
    assert_eq!(bench.renew(1, 2, "dialog", 300), 200);
    let (state, body) = bench.told();
    assert_eq!(state, "active;expires=300");
    assert!(
        body.contains("state=\"full\"") && version(&body) == 1,
        "{body}"
    );
    assert_eq!(bench.renew(1, 1, "dialog", 300), 500, "an old one");
    assert_eq!(
        bench.renew(1, 3, "message-summary", 300),
        481,
        "another event"
    );
    assert_eq!(bench.renew(1, 3, "dialog", 5), 423);
    bench.pass(250 * SECOND);
    assert_eq!(bench.table.len(), 1, "it was refreshed");
}

#[test]
fn expires_zero_fetches_and_unsubscribes() {
    let mut bench = Bench::new();
    let accepted = bench
        .subscribe(&subscribe(1, "message-summary", Some(0)))
        .unwrap();
    assert_eq!(accepted.headers.first(&HeaderName::Expires), Some("0"));
    let (state, body) = bench.told();
    assert_eq!(state, "terminated;reason=timeout");
    let account = "Message-Account: sip:101@192.0.2.1\r\n";
    let text = format!("Messages-Waiting: no\r\n{account}Voice-Message: 0/0\r\n");
    assert_eq!(body, text);
    assert!(bench.table.is_empty());
    bench
        .subscribe(&subscribe(2, "message-summary", None))
        .unwrap();
    bench.told();
    assert_eq!(bench.renew(2, 2, "message-summary", 0), 200);
    assert_eq!(bench.renew(2, 3, "message-summary", 60), 481, "it is over");
    assert_eq!(bench.told().0, "terminated;reason=timeout");
    assert!(bench.table.is_empty());
}

#[test]
fn waiting_messages_are_told_when_they_change() {
    let mut bench = Bench::new();
    bench
        .subscribe(&subscribe(1, "message-summary", None))
        .unwrap();
    bench.told();
    bench.pass(2 * SECOND);
    bench.waiting = Waiting { new: 2, old: 8 };
    bench.table.changed("op1", Package::MessageSummary);
    bench.drain();
    let (_, body) = bench.told();
    assert!(body.starts_with("Messages-Waiting: yes\r\n"), "{body}");
    assert!(body.ends_with("Voice-Message: 2/8\r\n"), "{body}");
    bench.table.changed("op1", Package::MessageSummary);
    bench.pass(2 * SECOND);
    assert!(bench.sent.is_empty(), "nothing changed");
}

#[test]
fn a_notify_that_is_refused_ends_the_subscription_unless_it_says_when_to_try_again() {
    for (status, retry_after, left) in [
        (481, None, 0),
        (481, Some("5"), 0),
        (489, Some("5"), 0),
        (408, None, 0),
        (500, None, 0),
        (302, None, 0),
        (503, Some("5"), 1),
        (500, Some("3 (busy)"), 1),
        (200, None, 1),
    ] {
        let mut bench = Bench::new();
        bench.subscribe(&subscribe(1, "dialog", None)).unwrap();
        bench.told_and(status, retry_after);
        assert_eq!(bench.table.len(), left, "{status} {retry_after:?}");
        let early = bench.sent.len();
        bench.pass(5 * SECOND);
        let again = usize::from(left == 1 && retry_after.is_some());
        assert_eq!((early, bench.sent.len()), (0, again), "{status}");
    }
    let mut bench = Bench::new();
    bench.subscribe(&subscribe(1, "dialog", None)).unwrap();
    let (id, _) = bench.sent.pop_front().unwrap();
    bench.table.answered(bench.now, id, None);
    assert!(bench.table.is_empty(), "silence");
}

#[test]
fn what_cannot_be_accepted_has_its_status_and_what_it_must_say() {
    let mut bench = Bench::new();
    let mut refused = |request: &Message| {
        let bad = bench.subscribe(request).unwrap_err();
        bad.respond(request, "x")
    };
    let unknown = refused(&subscribe(1, "presence", None));
    assert_eq!(unknown.status(), Some(489));
    assert_eq!(
        unknown.headers.first(&HeaderName::AllowEvents),
        Some(ALLOW_EVENTS)
    );
    let brief = refused(&subscribe(1, "dialog", Some(59)));
    assert_eq!(brief.status(), Some(423));
    assert_eq!(brief.headers.first(&HeaderName::MinExpires), Some("60"));
    let mut picky = subscribe(1, "dialog", None);
    picky
        .headers
        .push(HeaderName::Accept, "application/pidf+xml");
    assert_eq!(refused(&picky).status(), Some(406));
    picky
        .headers
        .set(HeaderName::Accept, "text/plain, application/*;q=0.5");
    bench.subscribe(&picky).unwrap();
    let mut refused = |request: &Message| bench.subscribe(request).unwrap_err();
    assert_eq!(refused(&subscribe(2, "Dialog", None)), BadSubscribe::Event);
    assert_eq!(
        refused(&subscribe(2, "dialog;id", None)),
        BadSubscribe::Malformed
    );
    assert_eq!(
        refused(&subscribe(2, "dialog;id=a b", None)),
        BadSubscribe::Malformed
    );
    let mut two = subscribe(2, "dialog", None);
    two.headers.push(HeaderName::Event, "dialog");
    assert_eq!(refused(&two), BadSubscribe::Malformed);
    let mut nowhere = subscribe(2, "dialog", None);
    nowhere.headers.remove(&HeaderName::Contact);
    assert_eq!(refused(&nowhere), BadSubscribe::Malformed);
    two.headers.remove(&HeaderName::Event);
    assert_eq!(refused(&two), BadSubscribe::Event);
}

#[test]
fn subscriptions_are_bounded_in_all_and_for_each_subscriber() {
    let mut bench = Bench::with(SubscriptionSettings {
        most: 3,
        most_per_subscriber: 2,
        ..SubscriptionSettings::default()
    });
    bench.subscribe(&subscribe(1, "dialog", None)).unwrap();
    bench.subscribe(&subscribe(2, "dialog", None)).unwrap();
    let third = subscribe(3, "dialog", None);
    assert_eq!(bench.subscribe(&third), Err(BadSubscribe::Full));
    let other = |bench: &mut Bench, n| {
        let who = Subscriber {
            user: "op3",
            resource: "op1",
        };
        let request = subscribe(n, "dialog", None);
        bench
            .table
            .subscribe(bench.now, who, &request, (flow(), "ours"))
    };
    other(&mut bench, 4).unwrap();
    assert_eq!(other(&mut bench, 5), Err(BadSubscribe::Full));
    bench.told_and(481, None);
    bench.subscribe(&third).unwrap();
}

#[test]
fn each_end_of_ours_is_told_with_its_reason_and_without_state() {
    for reason in [Reason::Deactivated, Reason::Rejected, Reason::NoResource] {
        let mut bench = Bench::new();
        bench.subscribe(&subscribe(1, "dialog", None)).unwrap();
        bench.told();
        match reason {
            Reason::NoResource => bench.table.end_resource(bench.now, "op1", reason),
            Reason::Rejected => bench.table.end_subscriber(bench.now, "op2", reason),
            Reason::Deactivated | Reason::Timeout => bench.table.end_all(bench.now, reason),
        }
        bench.drain();
        let (state, body) = bench.told();
        let word = format!("{reason:?}").to_lowercase();
        assert_eq!(
            (state, body),
            (format!("terminated;reason={word}"), String::new())
        );
        assert!(bench.table.is_empty());
    }
}

/// What can happen, in any order.
#[derive(Debug, Clone)]
enum Step {
    Subscribe { expires: u32 },
    Renew { which: u32, expires: u32 },
    Set(Vec<(u8, LineState)>),
    Answer { which: usize, status: u16 },
    Silence(usize),
    End,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let states = prop::sample::select(vec![LineState::Early, LineState::Confirmed]);
    let set = prop::collection::btree_map(0..4_u8, states, 0..3);
    let status = prop::sample::select(vec![200, 200, 200, 200, 481, 503]);
    let expires = prop::sample::select(vec![0, 60, 100, 3_600]);
    let step = prop_oneof![
        2 => expires.clone().prop_map(|expires| Step::Subscribe { expires }),
        2 => (0..6_u32, expires).prop_map(|(which, expires)| Step::Renew { which, expires }),
        6 => set.prop_map(|set| Step::Set(set.into_iter().collect())),
        8 => (0..3_usize, status).prop_map(|(which, status)| Step::Answer { which, status }),
        1 => (0..3_usize).prop_map(Step::Silence),
        1 => Just(Step::End),
        6 => (0..40_000_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..80)
}

/// What a subscriber makes of the documents, in the order of their numbers.
#[derive(Default)]
struct Picture {
    documents: u32,
    dialogs: BTreeMap<String, String>,
    over: bool,
    /// When the last NOTIFY came that nobody had asked for.
    unasked: Option<Time>,
}

impl Picture {
    fn take(&mut self, notify: &Message) {
        assert!(!self.over, "after the end");
        let state = notify
            .headers
            .first(&HeaderName::SubscriptionState)
            .unwrap();
        self.over = state.starts_with("terminated");
        let body = core::str::from_utf8(&notify.body).unwrap();
        if body.is_empty() {
            assert!(self.over);
            return;
        }
        assert_eq!(version(body), self.documents, "each number once");
        self.documents += 1;
        if body.contains("state=\"full\"") {
            self.dialogs.clear();
        }
        for part in body.split("<dialog id=\"").skip(1) {
            let id = part.split('"').next().unwrap().to_owned();
            let state = part
                .split("<state>")
                .nth(1)
                .unwrap()
                .split('<')
                .next()
                .unwrap();
            if state == "terminated" {
                self.dialogs.remove(&id);
            } else {
                self.dialogs.insert(id, state.to_owned());
            }
        }
    }
}

struct Run {
    bench: Bench,
    pictures: BTreeMap<SubscriptionId, Picture>,
    /// NOTIFYs without an answer.
    open: Vec<(SubscriptionId, Message)>,
    calls: u32,
    cseq: u32,
}

impl Run {
    /// Gives what was sent to its subscribers. `asked`: a SUBSCRIBE or an end of ours made it.
    fn deliver(&mut self, asked: bool) {
        for (id, notify) in core::mem::take(&mut self.bench.sent) {
            let picture = self.pictures.entry(id).or_default();
            picture.take(&notify);
            if !asked && !picture.over {
                let before = picture.unasked.replace(self.bench.now);
                let pause = before.map(|before| self.bench.now.since(before));
                assert!(pause.is_none_or(|pause| pause >= SECOND), "{pause:?}");
            }
            let out = self.open.iter().filter(|(of, _)| *of == id).count();
            assert!(out < 2, "more than two without an answer");
            self.open.push((id, notify));
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Subscribe { expires } => {
                self.calls += 1;
                let _ = self
                    .bench
                    .subscribe(&subscribe(self.calls, "dialog", Some(expires)));
                self.deliver(true);
            }
            Step::Renew { which, expires } => {
                self.cseq += 1;
                self.bench.renew(which, self.cseq, "dialog", expires);
                self.deliver(true);
            }
            Step::Set(states) => {
                self.bench.set(&states);
                self.deliver(false);
            }
            Step::Answer { which, status } if which < self.open.len() => {
                let (id, notify) = self.open.remove(which);
                let mut answer = notify.respond(status, None);
                if status == 503 {
                    answer.headers.push(HeaderName::RetryAfter, "2");
                }
                self.bench.table.answered(self.bench.now, id, Some(&answer));
                self.bench.drain();
                // All that was owed to a SUBSCRIBE may have waited for this.
                self.deliver(true);
            }
            Step::Silence(which) if which < self.open.len() => {
                let (id, _) = self.open.remove(which);
                self.bench.table.answered(self.bench.now, id, None);
                self.bench.drain();
                self.deliver(true);
            }
            Step::Answer { .. } | Step::Silence(_) => {}
            Step::End => {
                let now = self.bench.now;
                self.bench.table.end_all(now, Reason::Deactivated);
                self.bench.drain();
                self.deliver(true);
            }
            Step::Pass(ms) => {
                let end = self.bench.now + Duration::from_millis(ms);
                while let Some(at) = self.bench.table.next_deadline().filter(|at| *at <= end) {
                    let step = at.since(self.bench.now);
                    self.bench.pass(step);
                    // A rest that a 503 wanted is over, or news is due.
                    self.deliver(false);
                }
                self.bench.now = end;
            }
        }
    }

    fn answer_all(&mut self) {
        while !self.open.is_empty() {
            self.step(Step::Answer {
                which: 0,
                status: 200,
            });
        }
    }
}

proptest! {
    #[test]
    fn in_any_order_each_subscriber_ends_up_with_the_line_as_it_is(steps in steps()) {
        let settings = SubscriptionSettings {
            most: 4,
            most_per_subscriber: 4,
            ..SubscriptionSettings::default()
        };
        let mut run = Run {
            bench: Bench::with(settings),
            pictures: BTreeMap::new(),
            open: Vec::new(),
            calls: 0,
            cseq: 1,
        };
        for step in steps {
            run.step(step);
            prop_assert!(run.bench.table.len() <= 4);
        }
        // At rest: what is owed is told and answered.
        for _ in 0..4 {
            run.answer_all();
            run.step(Step::Pass(2_000));
        }
        run.answer_all();
        let real: BTreeMap<String, String> = run
            .bench
            .dialogs
            .iter()
            .map(|one| (one.id.clone(), format!("{:?}", one.state).to_lowercase()))
            .collect();
        let alive: Vec<_> = run.bench.table.ids().collect();
        for id in alive {
            prop_assert_eq!(&run.pictures[&id].dialogs, &real);
        }
        // And at the end: nobody is left, and nothing is remembered.
        run.step(Step::Pass(3_700_000));
        run.answer_all();
        prop_assert!(run.bench.table.is_empty());
        prop_assert_eq!(run.bench.table.remembered(), 0);
    }
}

proptest! {
    /// Whatever stands in the fields that are read here is read or refused; and what was read is said
    /// again in NOTIFYs as one value of one line.
    #[test]
    fn any_event_is_read_or_refused_and_said_again_as_it_came(
        event in "(dialog|message-summary|presence)?[ ;=a-z0-9\"\\\\,]{0,24}",
        accept in "[a-z/*;=+ ,]{0,24}",
        expires in "[0-9 -]{0,12}",
    ) {
        let mut bench = Bench::new();
        let mut request = subscribe(1, &event, None);
        request.headers.push(HeaderName::Accept, &accept);
        request.headers.push(HeaderName::Expires, &expires);
        if let Ok(accepted) = bench.subscribe(&request) {
            let granted = accepted.headers.first(&HeaderName::Expires).unwrap();
            prop_assert!(granted.parse::<u32>().unwrap() <= 3_600);
            let (_, notify) = bench.sent.front().unwrap();
            let Ok(crate::Datagram::Message(read)) = crate::parse_datagram(&printed(notify)) else {
                panic!("what we say cannot be read: {event:?}");
            };
            let said = read.headers.first(&HeaderName::Event).unwrap();
            let package = said.split(';').next().unwrap();
            prop_assert!(event.starts_with(package), "{event:?} {said:?}");
        }
    }
}

/// A request on the wire: with the Via that the transaction layer gives it.
fn printed(notify: &Message) -> Vec<u8> {
    let mut notify = notify.clone();
    let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2";
    notify.headers.insert_first(HeaderName::Via, via);
    notify.to_bytes()
}
