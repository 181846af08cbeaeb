//! CPU of the media thread per recorded call-second, and the delay it adds.
//!
//! `cargo bench -p media --bench relay -- [--seconds N] [--runs N] [--gather-us N]...
//! [--io io_uring|epoll]... [CALLS]...`
//!
//! Beside it the floor, run by run in turns: a loop that receives and sends by the same backend and
//! looks at nothing. The ratio holds on any machine; the figures themselves only on one that does
//! nothing else.
//!
//! A call is two legs with 50 packets/s each way, G.711, recorded into a tap that copies every
//! packet into a ring as the recorder's does. Senders and receivers are threads of this process;
//! only the media thread's own time on a core is counted. On loopback that includes the kernel's
//! delivery of each packet to the peer's socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    missing_docs
)]

mod compare;

use std::time::Duration;

use compare::Plan;
use media::Settings;
use udp_io::{Backend, Choice, choose};

struct Arguments {
    calls: Vec<usize>,
    gathers: Vec<Duration>,
    backends: Vec<Backend>,
    length: Duration,
    runs: usize,
}

impl Arguments {
    fn read() -> Self {
        let mut this = Self {
            calls: Vec::new(),
            gathers: Vec::new(),
            backends: Vec::new(),
            length: Duration::from_secs(5),
            runs: 3,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("a value after an option");
            match word.as_str() {
                "--seconds" => this.length = Duration::from_secs(value().parse().unwrap()),
                "--runs" => this.runs = value().parse().unwrap(),
                "--gather-us" => {
                    let pause = Duration::from_micros(value().parse().unwrap());
                    this.gathers.push(pause);
                }
                "--io" => this.backends.push(match value().as_str() {
                    "io_uring" => Backend::IoUring,
                    "epoll" => Backend::Epoll,
                    other => panic!("no backend is called {other}"),
                }),
                "--bench" => {}
                number => this.calls.push(number.parse().expect("a number of calls")),
            }
        }
        if this.calls.is_empty() {
            this.calls = vec![100, 500];
        }
        if this.gathers.is_empty() {
            this.gathers = vec![Settings::default().gather];
        }
        if this.backends.is_empty() {
            this.backends = vec![Backend::Epoll];
            match choose(Choice::IoUring) {
                Ok(_) => this.backends.push(Backend::IoUring),
                Err(problem) => println!("io_uring does not work here: {problem}"),
            }
        }
        this
    }
}

fn main() {
    let arguments = Arguments::read();
    compare::print_head();
    for calls in &arguments.calls {
        for backend in &arguments.backends {
            for gather in &arguments.gathers {
                compare::print(Plan {
                    backend: *backend,
                    calls: *calls,
                    gather: *gather,
                    length: arguments.length,
                    runs: arguments.runs,
                });
            }
        }
    }
}
