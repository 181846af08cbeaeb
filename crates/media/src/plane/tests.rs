//! A media thread whose sockets fail.

use std::net::SocketAddr;
use std::sync::mpsc;

use udp_io::{SimNet, SimSockets, SocketId};
use vocab::media::{RecordingKey, Side};
use vocab::{CallId, LegId, PauseReason};

use super::*;
use crate::tap::NoTap;

/// Sockets of which the system does not say any more when they have packets.
struct Broken(SimSockets);

impl Udp for Broken {
    fn bind(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.0.bind(local)
    }
    fn hold(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.0.hold(local)
    }
    fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.0.local(socket)
    }
    fn connect(&mut self, socket: SocketId, peer: SocketAddr) -> io::Result<()> {
        self.0.connect(socket, peer)
    }
    fn disconnect(&mut self, socket: SocketId) -> io::Result<()> {
        self.0.disconnect(socket)
    }
    fn close(&mut self, socket: SocketId) {
        self.0.close(socket);
    }
    fn wait(&mut self, _gather: Duration, _timeout: Option<Duration>) -> io::Result<()> {
        Err(io::Error::other("the descriptor is gone"))
    }
    fn receive(&mut self, batch: &mut Batch) -> bool {
        self.0.receive(batch)
    }
    fn send(&mut self, socket: SocketId, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<()> {
        self.0.send(socket, to, bytes)
    }
    fn waker(&self) -> Waker {
        self.0.waker()
    }
}

struct Notes(mpsc::Sender<&'static str>);

impl Tap for Notes {
    fn start(&mut self, _key: RecordingKey, _at: Time) {
        self.0.send("start").unwrap();
    }
    fn packet(&mut self, _key: RecordingKey, _side: Side, _arrived: Time, _rtp: &[u8]) {}
    fn pause(&mut self, _key: RecordingKey, _at: Time, _reason: PauseReason) {}
    fn resume(&mut self, _key: RecordingKey, _at: Time) {}
    fn discard(&mut self, _key: RecordingKey, _at: Time) {}
    fn stop(&mut self, _key: RecordingKey, _at: Time) {
        self.0.send("stop").unwrap();
    }
}

#[test]
fn a_thread_that_cannot_wait_ends_and_calls_nothing_over() {
    let (notes, noted) = mpsc::channel();
    let (report, events) = mpsc::channel();
    let (lane, inbox) = lane::pair(16);
    let (call, caller, operator) = (CallId::new(1, 1), LegId::new(1, 1), LegId::new(1, 2));
    let record = Some(RecordingKey { call, segment: 1 });
    for leg in [caller, operator] {
        lane.hand(MediaCommand::Open { call, leg });
    }
    lane.hand(MediaCommand::Bridge {
        call,
        caller,
        operator,
        record,
    });
    let worker = Worker::new(
        Broken(SimNet::new().sockets()),
        Ports::new("10.0.0.1".parse().unwrap(), None, 0, 1),
        Rules::default(),
        Box::new(Notes(notes)),
        move |event| report.send(event).unwrap(),
    );
    let stop = Arc::default();
    run(
        worker,
        Orders { inbox, stop },
        Instant::now(),
        Duration::ZERO,
    );
    let opened = |event: &MediaEvent| matches!(event, MediaEvent::Opened { .. });
    let events: Vec<MediaEvent> = events.iter().collect();
    assert!(events.len() == 2 && events.iter().all(opened), "{events:?}");
    assert_eq!(noted.iter().collect::<Vec<_>>(), ["start"]);
    let close = MediaCommand::Close { call, leg: caller };
    assert_eq!(lane.hand(close.clone()), Handed::Gone(close));
}

const CALL: CallId = CallId::new(1, 1);
const PATIENCE: Duration = Duration::from_secs(10);

fn plane(ports: Option<RangeInclusive<u16>>) -> (Media, mpsc::Receiver<MediaEvent>) {
    let (report, events) = mpsc::channel();
    let settings = Settings {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ports,
        ..Settings::default()
    };
    let report = move |event| drop(report.send(event));
    let taps: Vec<Box<dyn Tap>> = vec![Box::new(NoTap)];
    let media = Media::start(settings, Instant::now(), BTreeMap::new(), taps, report).unwrap();
    (media, events)
}

fn open(media: &Media, leg: u32) {
    let leg = LegId::new(1, leg);
    media.send(MediaCommand::Open { call: CALL, leg });
}

fn wait_for_stock(media: &Media) {
    let begun = Instant::now();
    while media.threads[0].stock.is_low() {
        assert!(begun.elapsed() < PATIENCE, "nothing is bound");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_leg_is_open_at_once_whatever_its_thread_does() {
    let (media, events) = plane(None);
    wait_for_stock(&media);
    let mut ports = BTreeSet::new();
    for leg in 1..=8 {
        open(&media, leg);
        // Told before the command returns.
        let event = events.try_recv().unwrap();
        let MediaEvent::Opened { port, .. } = event else {
            panic!("{event:?}")
        };
        assert!(ports.insert(port), "{port} is another leg's");
    }
    assert!(media.is_alive());
}

#[test]
fn ports_held_ready_are_all_given_to_legs_and_come_back_when_these_close() {
    // Four pairs, if nobody else sits there; at least one.
    let first = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let first = first.local_addr().unwrap().port().clamp(1_024, 65_000) & !1;
    let (media, events) = plane(Some(first..=first + 7));
    let opened = |leg| {
        open(&media, leg);
        let event = events.recv_timeout(PATIENCE).unwrap();
        matches!(event, MediaEvent::Opened { .. })
    };
    let pairs = (1..=5).take_while(|leg| opened(*leg)).count();
    assert!((1..=4).contains(&pairs), "{pairs}");
    for round in 0..3 {
        let leg = LegId::new(1, 1);
        media.send(MediaCommand::Close { call: CALL, leg });
        let closed = events.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(closed, MediaEvent::Closed { .. }), "{closed:?}");
        // The system may keep a closed port for a moment.
        let begun = Instant::now();
        while !opened(1) {
            assert!(begun.elapsed() < PATIENCE, "round {round}");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!opened(9), "round {round}: there is no other pair");
    }
    assert!(media.is_alive());
}

#[test]
fn a_leg_that_is_opened_twice_keeps_its_port() {
    let (media, events) = plane(None);
    wait_for_stock(&media);
    open(&media, 1);
    open(&media, 1);
    let port_of = |event| match event {
        MediaEvent::Opened { port, .. } => port,
        other => panic!("{other:?}"),
    };
    let told: Vec<u16> = events.iter().take(3).map(port_of).collect();
    assert_eq!(told[0], told[2], "{told:?}");
}
