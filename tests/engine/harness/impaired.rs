//! A way of datagrams between a client and the engine that loses some and lets others overtake, by a
//! seed, and remembers what the engine sent before anything happened to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vocab::SplitMix64;

use super::free_port;

/// A packet that nothing overtakes goes on after this.
const HELD_FOR: Duration = Duration::from_millis(60);

/// What befalls datagrams, in each direction.
#[derive(Debug, Clone, Copy)]
pub struct Impairment {
    pub seed: u64,
    /// Of a hundred.
    pub lost: u64,
    pub overtaken: u64,
}

/// What the way did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub lost: u64,
    pub overtaken: u64,
}

/// The way; its threads end with it.
pub struct Impaired {
    /// Where the engine sends to, and by which it knows the client.
    pub outer: SocketAddr,
    /// Where the client sends to.
    pub inner: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    engine: Mutex<Option<SocketAddr>>,
    client: Mutex<Option<SocketAddr>>,
    /// What the engine sent, and when it came.
    sent_by_engine: Mutex<Vec<(Instant, Vec<u8>)>>,
    passed: AtomicU64,
    lost: AtomicU64,
    overtaken: AtomicU64,
    over: AtomicBool,
}

impl Impaired {
    /// A way at an address of the client's. The engine is where it first sends from, if it is not
    /// known.
    pub fn start(at: IpAddr, engine: Option<SocketAddr>, impairment: Impairment) -> Self {
        let outer = UdpSocket::bind((at, free_port(at))).unwrap();
        let inner = UdpSocket::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
        Self::between(outer, inner, engine, impairment)
    }

    /// The same, where the client's side is at the address as well: for signalling.
    pub fn for_signalling(at: IpAddr, engine: SocketAddr, impairment: Impairment) -> Self {
        let [outer, inner] = [(); 2].map(|()| UdpSocket::bind((at, free_port(at))).unwrap());
        Self::between(outer, inner, Some(engine), impairment)
    }

    fn between(
        outer: UdpSocket,
        inner: UdpSocket,
        engine: Option<SocketAddr>,
        impairment: Impairment,
    ) -> Self {
        let way = Self {
            outer: outer.local_addr().unwrap(),
            inner: inner.local_addr().unwrap(),
            shared: Arc::default(),
        };
        *way.shared.engine.lock().unwrap() = engine;
        for (inwards, seed) in [(true, impairment.seed), (false, !impairment.seed)] {
            let (outer, inner) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
            let shared = Arc::clone(&way.shared);
            let fate = Fate {
                impairment,
                random: SplitMix64::new(seed),
                held: None,
            };
            std::thread::spawn(move || match inwards {
                true => pass(&shared, (&outer, &inner), fate, true),
                false => pass(&shared, (&inner, &outer), fate, false),
            });
        }
        way
    }

    /// What the engine sent so far, in the order in which it came, whole.
    pub fn sent_by_engine(&self) -> Vec<(Instant, Vec<u8>)> {
        self.shared.sent_by_engine.lock().unwrap().clone()
    }

    /// What happened so far, both directions together.
    pub fn counts(&self) -> Counts {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        Counts {
            passed: count(&self.shared.passed),
            lost: count(&self.shared.lost),
            overtaken: count(&self.shared.overtaken),
        }
    }
}

impl Drop for Impaired {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

/// What becomes of the datagrams of one direction.
struct Fate {
    impairment: Impairment,
    random: SplitMix64,
    /// One that others overtake, and how many are still to.
    held: Option<(Vec<u8>, u64)>,
}

impl Fate {
    /// What goes on now that this one came.
    fn came(&mut self, shared: &Shared, packet: Vec<u8>) -> Vec<Vec<u8>> {
        let Impairment {
            lost, overtaken, ..
        } = self.impairment;
        let lot = self.random.below(100);
        if lot < lost {
            shared.lost.fetch_add(1, Ordering::Relaxed);
            return Vec::new();
        }
        shared.passed.fetch_add(1, Ordering::Relaxed);
        if lot < lost + overtaken && self.held.is_none() {
            shared.overtaken.fetch_add(1, Ordering::Relaxed);
            self.held = Some((packet, 1 + self.random.below(2)));
            return Vec::new();
        }
        let mut on = vec![packet];
        if let Some((_, left)) = &mut self.held {
            *left -= 1;
            if *left == 0 {
                on.extend(self.release());
            }
        }
        on
    }

    fn release(&mut self) -> Option<Vec<u8>> {
        Some(self.held.take()?.0)
    }
}

fn pass(shared: &Shared, (from, to): (&UdpSocket, &UdpSocket), mut fate: Fate, inwards: bool) {
    from.set_read_timeout(Some(HELD_FOR)).unwrap();
    let (sender, receiver) = match inwards {
        true => (&shared.engine, &shared.client),
        false => (&shared.client, &shared.engine),
    };
    let mut buffer = [0; 65_536];
    while !shared.over.load(Ordering::Relaxed) {
        let on = match from.recv_from(&mut buffer) {
            Ok((length, source)) => {
                let packet = buffer[..length].to_vec();
                sender.lock().unwrap().get_or_insert(source);
                if inwards {
                    let came = (Instant::now(), packet.clone());
                    shared.sent_by_engine.lock().unwrap().push(came);
                }
                fate.came(shared, packet)
            }
            // Nothing came for a while, or what was sent found nobody (ICMP).
            Err(_) => fate.release().into_iter().collect(),
        };
        let to_whom = *receiver.lock().unwrap();
        for packet in on {
            if let Some(to_whom) = to_whom {
                let _ = to.send_to(&packet, to_whom);
            }
        }
    }
}
