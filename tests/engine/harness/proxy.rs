//! A way between the engine and a server over TCP that can become slow, fall silent, or be cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How the way is at the moment.
#[derive(Default)]
struct State {
    /// Before each piece is passed on.
    delay_ms: AtomicU64,
    /// Nothing is passed on, and nothing is closed.
    silent: AtomicBool,
    /// How often all connections were broken.
    cuts: AtomicU64,
}

/// The way; its threads end with their connections.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
}

impl Proxy {
    /// From a free port to a server.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<State> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Who cannot be reached answers nobody.
                let Ok(far) = TcpStream::connect(server) else {
                    continue;
                };
                pass(&shared, near.try_clone().unwrap(), far.try_clone().unwrap());
                pass(&shared, far, near);
            }
        });
        Self { address, state }
    }

    /// Each piece takes so long from now on.
    pub fn slow(&self, delay: Duration) {
        let ms = delay.as_millis() as u64;
        self.state.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// Nothing comes through any more, either way, and nobody is told: connections are half open.
    pub fn silent(&self, silent: bool) {
        self.state.silent.store(silent, Ordering::Relaxed);
    }

    /// Breaks every connection that is up.
    pub fn cut(&self) {
        self.state.cuts.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often a connection on which nothing is said is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn pass(state: &Arc<State>, mut from: TcpStream, mut to: TcpStream) {
    let state = Arc::clone(state);
    let begun = state.cuts.load(Ordering::Relaxed);
    from.set_read_timeout(Some(LOOK_EVERY)).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while state.cuts.load(Ordering::Relaxed) == begun {
            let length = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(_) => break,
            };
            let delay = state.delay_ms.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(delay));
            while state.silent.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK_EVERY);
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
