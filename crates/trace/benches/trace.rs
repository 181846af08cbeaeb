//! What the SIP trace costs a call: to the thread that hands over, and all together.
//!
//! `cargo bench -p trace`. Calls of 14 messages of about 700 octets, 5,000 calls a second.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use sip::{Flow, Transport};
use trace::{Direction, Settings};
use vocab::CallId;

const CALLS: u32 = 10_000;
const MESSAGES: u32 = 14;
/// Calls handed over before the thread gets its time.
const BURST: u32 = 25;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (tracer, running) = trace::start(Settings::new(folder.path())).unwrap();
    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "192.0.2.2:5060".parse().unwrap(),
    };
    let mut handing = Duration::ZERO;
    let before = ran();
    for n in 0..CALLS {
        let call = CallId::new(1, n);
        let id = format!("{n:08x}9f3b22aa@198.51.100.7");
        let message = message(&id);
        let begun = Instant::now();
        tracer.leg(call, &id);
        for at in 0..MESSAGES {
            let way = if at % 2 == 0 {
                Direction::In
            } else {
                Direction::Out
            };
            tracer.message(1_795_340_000_000_000, &flow, way, message.clone());
        }
        tracer.ended(call, 1_795_340_000_000_000);
        handing += begun.elapsed();
        if n % BURST == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    let all = ran() - before;
    let dropped = tracer.dropped();
    drop(tracer);
    running.join();
    let per_call = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(CALLS);
    println!(
        "{:.1} us a call where messages are handed over (copies included), {:.1} us CPU a call all \
         together; {dropped} dropped",
        per_call(handing),
        per_call(all)
    );
}

/// Processor time of all threads so far.
fn ran() -> Duration {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        nanos += stat.split(' ').next().unwrap().parse::<u64>().unwrap();
    }
    Duration::from_nanos(nanos)
}

fn message(id: &str) -> Vec<u8> {
    format!(
        "INVITE sip:1300@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK776asdhds;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:79140000001@192.0.2.2>;tag=1928301774\r\n\
         To: <sip:1300@192.0.2.1>\r\nCall-ID: {id}\r\nCSeq: 314159 INVITE\r\n\
         Contact: <sip:79140000001@192.0.2.2>\r\nContent-Type: application/sdp\r\n\
         Content-Length: 260\r\n\r\n{}",
        "a=rtpmap:8 PCMA/8000\r\n".repeat(12)
    )
    .into_bytes()
}
