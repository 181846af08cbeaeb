//! A media thread whose sockets fail.

use std::net::SocketAddr;
use std::sync::mpsc;

use udp_io::{SimNet, SimSockets, SocketId};
use vocab::media::{RecordingKey, Side};
use vocab::{CallId, LegId, PauseReason};

use super::*;

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
