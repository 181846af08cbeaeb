//! The load against a small exchange: a registrar with digest and a proxy that leaves the
//! audio to the two telephones. What the load says of itself must be true.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use load::{
    CallReport, CallerPattern, DurationRange, Ending, Load, LoadReport, LoadSettings, OfferEnd,
    OperatorAccount, OperatorBehaviour,
};
use sip::{
    Authenticator, Datagram, HeaderName, Message, Method, Secrets, Start, Uri, Verdict,
    parse_datagram,
};
use vocab::Time;

struct Exchange {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

struct Inside {
    socket: UdpSocket,
    authenticator: Authenticator,
    begun: Instant,
    registered: BTreeMap<String, Uri>,
    /// Where the requests of a call go that are not sent to a contact.
    targets: BTreeMap<String, Uri>,
}

impl Exchange {
    fn open() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut inside = Inside {
            socket,
            authenticator: Authenticator::new("exchange", [7; 32]),
            begun: Instant::now(),
            registered: BTreeMap::new(),
            targets: BTreeMap::new(),
        };
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, source)) = inside.socket.recv_from(&mut bytes) else {
                    continue;
                };
                match parse_datagram(&bytes[..length]) {
                    Ok(Datagram::Message(message)) => inside.take(message, source),
                    other => panic!("the load sent {other:?}"),
                }
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Inside {
    fn take(&mut self, mut message: Message, source: SocketAddr) {
        match message.method().cloned() {
            None => {
                // A response goes to the Via below ours.
                let vias: Vec<String> = message
                    .headers
                    .all(&HeaderName::Via)
                    .map(str::to_owned)
                    .collect();
                message.headers.remove(&HeaderName::Via);
                for via in vias[1..].iter().rev() {
                    message.headers.insert_first(HeaderName::Via, via.clone());
                }
                let via = message.via().unwrap();
                let address = format!("{}:{}", via.host, via.port.unwrap());
                self.socket.send_to(&message.to_bytes(), address).unwrap();
            }
            Some(Method::Register) => {
                let response = self.register(&message, source.ip());
                self.socket.send_to(&response.to_bytes(), source).unwrap();
            }
            Some(_) => self.forward(message),
        }
    }

    fn register(&mut self, request: &Message, source: IpAddr) -> Message {
        let now = Time::from_micros(self.begun.elapsed().as_micros() as u64);
        let secrets = |user: &str| Some(Secrets::new(user, "exchange", "right"));
        match self.authenticator.check(now, source, request, secrets) {
            Verdict::Accepted { user } => {
                let contact = request.contacts().unwrap().remove(0);
                self.registered.insert(user, contact.uri.clone());
                let mut response = request.respond(200, Some("r"));
                response
                    .headers
                    .push(HeaderName::Contact, format!("{contact};expires=60"));
                response
            }
            Verdict::Refused { .. } => request.respond(403, Some("r")),
            _ => {
                let mut response = request.respond(401, Some("r"));
                self.authenticator
                    .challenge(now, source, false, &mut response);
                response
            }
        }
    }

    fn forward(&mut self, mut request: Message) {
        let uri = request.request_uri().unwrap().clone();
        let call = request.call_id().unwrap().to_owned();
        let engine = self.socket.local_addr().unwrap();
        let target = if uri.socket_addr() == Some(engine) {
            let first = self.registered.values().next().cloned().unwrap();
            self.targets.entry(call).or_insert(first).clone()
        } else {
            uri
        };
        let address = target.socket_addr().unwrap();
        if let Start::Request { uri, .. } = &mut request.start {
            *uri = target;
        }
        let branch = request.via().unwrap().branch().unwrap().to_owned();
        request.headers.insert_first(
            HeaderName::Via,
            format!("SIP/2.0/UDP {engine};branch={branch}x"),
        );
        self.socket.send_to(&request.to_bytes(), address).unwrap();
    }
}

/// Addresses of its own for each test.
fn settings(exchange: &Exchange, test: u8, calls: u64) -> LoadSettings {
    let address = |last| IpAddr::V4(Ipv4Addr::new(127, 77, test, last));
    LoadSettings {
        caller_address: address(2),
        operator_address: address(3),
        operators: vec![OperatorAccount::new("anna", "right")],
        behaviour: OperatorBehaviour {
            answer_delay: DurationRange::exactly(Duration::from_millis(50)),
            ..OperatorBehaviour::default()
        },
        callers: CallerPattern {
            number: "1300".into(),
            calls: Some(calls),
            rate: 50.0,
            at_once: 1,
            talk: DurationRange::exactly(Duration::from_millis(1_200)),
            ..CallerPattern::default()
        },
        ..LoadSettings::new(exchange.address)
    }
}

fn run(settings: LoadSettings) -> LoadReport {
    let load = Load::start(settings).unwrap();
    assert!(load.wait(Duration::from_secs(30)), "{:?}", load.counts());
    load.stop()
}

#[test]
fn callers_and_operators_talk_and_hear_each_other_whole() {
    let exchange = Exchange::open();
    for (test, share, ending) in [
        (1, 0.0, Ending::CallerHungUp),
        (2, 1.0, Ending::EngineHungUp),
    ] {
        let mut settings = settings(&exchange, test, 3);
        settings.callers.operator_hangs_up = share;
        let report = run(settings);
        assert_eq!(report.calls.len(), 3);
        assert_eq!(
            (report.not_registered, report.strange_offers),
            (vec![], vec![])
        );
        assert_eq!(report.counts.double_offers, 0);
        for call in &report.calls {
            assert_eq!(call.judge(), Ok(()), "{call:?}");
            assert_eq!(call.ending, ending);
            let talked = call.talked().unwrap();
            assert!(talked >= Duration::from_millis(1_150), "{talked:?}");
        }
    }
}

#[test]
fn a_busy_operator_refuses_and_an_impatient_caller_cancels() {
    let exchange = Exchange::open();
    let mut busy = settings(&exchange, 3, 1);
    busy.behaviour.busy = 1.0;
    let end = |call: &CallReport| (call.ending, call.offers[0].end);
    assert_eq!(
        end(&run(busy).calls[0]),
        (Ending::Refused(486), OfferEnd::Busy)
    );

    let mut ringing = settings(&exchange, 4, 1);
    ringing.behaviour.ring_on = 1.0;
    ringing.callers.patience = DurationRange::exactly(Duration::from_millis(500));
    let report = run(ringing);
    assert_eq!(end(&report.calls[0]), (Ending::GaveUp, OfferEnd::Cancelled));
    assert!(report.calls[0].judge().is_err());
}

#[test]
fn a_wrong_password_is_reported() {
    let exchange = Exchange::open();
    let mut settings = settings(&exchange, 5, 0);
    settings.operators = vec![OperatorAccount::new("anna", "wrong")];
    let load = Load::start(settings).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while load.counts().not_registered == 0 {
        assert!(Instant::now() < deadline, "{:?}", load.counts());
        std::thread::sleep(Duration::from_millis(10));
    }
    let expected = ("anna".to_owned(), "REGISTER got 403".to_owned());
    assert_eq!(load.stop().not_registered, [expected]);
}
