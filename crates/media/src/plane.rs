//! Owns the media threads: starts them, hands commands to the one that has the call, stops them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use udp_io::{Batch, Epoll, Udp};
use vocab::media::{LegCounts, MediaCommand, MediaEvent, PromptId};
use vocab::{CallId, Time};

use crate::audio::Audio;
use crate::latch::Latching;
use crate::ports::Ports;
use crate::tap::Tap;
use crate::worker::Worker;

/// Packets handled between two looks at the clock; small, so that they stay in the cache.
const BATCH_PACKETS: usize = 64;
/// Commands obeyed between two looks at the sockets.
const COMMANDS_PER_TURN: usize = 256;
/// Of the command ring, this part is kept for legs that are open already: one that cannot be
/// opened is refused cleanly, one that cannot be closed is not.
const RING_RESERVE: usize = 4;

/// How the media plane is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where legs are bound.
    pub address: IpAddr,
    /// Ports of legs: even ones for RTP, the next for RTCP. `None`: any free ones.
    pub ports: Option<RangeInclusive<u16>>,
    /// Threads; one per core is right.
    pub threads: usize,
    /// Commands that may wait for one thread.
    pub ring: usize,
    /// Whose packets a leg takes for its peer's.
    pub latching: Latching,
    /// How long packets gather before a thread that has work wakes up again. Adds at most this
    /// to the delay of a packet, and saves wake-ups: see the figures of `benches/relay.rs`.
    pub gather: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ports: None,
            threads: 1,
            ring: 16_384,
            latching: Latching::default(),
            gather: Duration::from_millis(2),
        }
    }
}

/// Why the media plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The caller's mistake.
    #[error(
        "the media plane needs at least one thread and one tap for each: {threads} and {taps} given"
    )]
    Taps {
        /// Threads of the settings.
        threads: usize,
        /// Taps handed over.
        taps: usize,
    },
    /// The range has no pair of ports.
    #[error(
        "the range of media ports {first}-{last} has fewer pairs (an even port and the next) than the {threads} media threads"
    )]
    Ports {
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
        /// Threads that share it.
        threads: usize,
    },
    /// Legs cannot be bound at the address of the settings.
    #[error("media cannot be bound to the address {address}: {problem}")]
    Address {
        /// The address.
        address: IpAddr,
        /// What the system said.
        problem: io::Error,
    },
    /// No thread, or no descriptor for it.
    #[error("a media thread cannot be started: {0}")]
    System(#[from] io::Error),
}

/// The media plane.
pub struct Media {
    lanes: Vec<Lane>,
    report: Mutex<Box<dyn Fn(MediaEvent) + Send>>,
    overflows: AtomicU64,
}

/// One thread as the others see it.
struct Lane {
    sender: Sender<Control>,
    shared: Arc<Shared>,
    waker: Waker,
    /// Opens are refused when so many commands wait.
    opens_max: usize,
    thread: Option<JoinHandle<()>>,
}

/// What goes past the ring.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Closes that found the ring full; at most one per leg.
    closes: Mutex<Vec<MediaCommand>>,
    closes_wait: AtomicBool,
}

enum Control {
    Command(MediaCommand),
    Prompts(BTreeMap<PromptId, Audio>),
}

impl Media {
    /// Starts the threads. `taps` has one per thread. `epoch` is the instant of [`Time::ZERO`].
    /// `report` is called on the media threads and must not block.
    ///
    /// # Errors
    /// The settings cannot work, or the system has no threads or descriptors left.
    pub fn start(
        settings: Settings,
        epoch: Instant,
        prompts: BTreeMap<PromptId, Audio>,
        taps: Vec<Box<dyn Tap>>,
        report: impl Fn(MediaEvent) + Send + Clone + 'static,
    ) -> Result<Self, StartError> {
        check(&settings, taps.len())?;
        let mut media = Self {
            lanes: Vec::new(),
            report: Mutex::new(Box::new(report.clone())),
            overflows: AtomicU64::new(0),
        };
        for (index, tap) in taps.into_iter().enumerate() {
            let udp = Epoll::new()?;
            let waker = udp.waker();
            let Settings {
                address,
                ports,
                threads,
                latching,
                ..
            } = settings.clone();
            let ports = Ports::new(address, ports, index, threads);
            let mut worker = Worker::new(udp, ports, latching, tap, report.clone());
            worker.add_prompts(prompts.clone());
            let ring = settings.ring.max(RING_RESERVE);
            let (sender, receiver) = bounded(ring);
            let shared = Arc::<Shared>::default();
            let inbox = Inbox {
                receiver,
                shared: Arc::clone(&shared),
            };
            let gather = settings.gather;
            let thread = std::thread::Builder::new()
                .name(format!("media-{index}"))
                .spawn(move || run(worker, &inbox, epoch, gather))?;
            media.lanes.push(Lane {
                opens_max: ring - ring / RING_RESERVE,
                sender,
                shared,
                waker,
                thread: Some(thread),
            });
        }
        tracing::info!(
            threads = settings.threads,
            address = %settings.address,
            backend = "epoll",
            "media plane started"
        );
        Ok(media)
    }

    /// Hands a command to the thread of its call. Never blocks. When the thread is that far
    /// behind, an `Open` is answered by `OpenFailed`, a `Close` waits aside, and anything else is
    /// dropped; all are counted in [`Self::overflows`].
    pub fn send(&self, command: MediaCommand) {
        let Some(lane) = self.lane(command.call()) else {
            return;
        };
        let opening = matches!(command, MediaCommand::Open { .. });
        let sent = if opening && lane.sender.len() >= lane.opens_max {
            Err(TrySendError::Full(Control::Command(command)))
        } else {
            lane.sender.try_send(Control::Command(command))
        };
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(Control::Command(command))) => self.overflow(lane, command),
            Err(TrySendError::Disconnected(Control::Command(command))) => self.answer(command),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
        lane.waker.wake_by_ref();
    }

    /// Gives all threads more prompts, or new versions; what plays now plays on. Waits while a
    /// thread is too far behind to take them, as this happens when settings are read only.
    pub fn add_prompts(&self, prompts: &BTreeMap<PromptId, Audio>) {
        for lane in &self.lanes {
            lane.waker.wake_by_ref();
            // Fails only if the thread has ended, and then nobody plays anything.
            let _ = lane.sender.send(Control::Prompts(prompts.clone()));
            lane.waker.wake_by_ref();
        }
    }

    /// Commands that found their thread too far behind, since the start.
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// Obeys the commands given so far, closes all legs, ends their recordings and the threads.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        for lane in &self.lanes {
            lane.shared.stop.store(true, Ordering::Release);
            lane.waker.wake_by_ref();
        }
        for lane in &mut self.lanes {
            if lane
                .thread
                .take()
                .is_some_and(|thread| thread.join().is_err())
            {
                tracing::error!("a media thread has panicked; its calls had no audio");
            }
        }
    }

    fn lane(&self, call: CallId) -> Option<&Lane> {
        let index = call.counter() as usize % self.lanes.len().max(1);
        self.lanes.get(index)
    }

    fn overflow(&self, lane: &Lane, command: MediaCommand) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
        match command {
            MediaCommand::Close { .. } => {
                let mut closes = lane
                    .shared
                    .closes
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                closes.push(command);
                lane.shared.closes_wait.store(true, Ordering::Release);
            }
            MediaCommand::Open { .. } => self.answer(command),
            dropped => tracing::error!(call = %dropped.call(), "media command dropped: ring full"),
        }
    }

    /// Answers in the place of a thread that cannot.
    fn answer(&self, command: MediaCommand) {
        let event = match command {
            MediaCommand::Open { call, leg } => {
                let reason = "the media thread is overloaded or has ended".to_owned();
                MediaEvent::OpenFailed { call, leg, reason }
            }
            MediaCommand::Close { call, leg } => MediaEvent::Closed {
                call,
                leg,
                counts: LegCounts::default(),
            },
            // Nothing waits for an answer to these.
            MediaCommand::SetRemote { .. }
            | MediaCommand::Play { .. }
            | MediaCommand::Stop { .. }
            | MediaCommand::Bridge { .. }
            | MediaCommand::Unbridge { .. } => return,
        };
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report(event);
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.join();
    }
}

fn check(settings: &Settings, taps: usize) -> Result<(), StartError> {
    let Settings {
        address, threads, ..
    } = *settings;
    if threads == 0 || taps != threads {
        return Err(StartError::Taps { threads, taps });
    }
    if let Some(range) = &settings.ports {
        let (first, last) = (*range.start(), *range.end());
        let even = range.clone().filter(|port| port % 2 == 0 && *port < last);
        if even.count() < threads {
            return Err(StartError::Ports {
                first,
                last,
                threads,
            });
        }
    }
    // A wrong address is found at the start and not at the first call.
    match std::net::UdpSocket::bind((address, 0)) {
        Ok(_) => Ok(()),
        Err(problem) => Err(StartError::Address { address, problem }),
    }
}

/// What reaches a thread from outside.
struct Inbox {
    receiver: Receiver<Control>,
    shared: Arc<Shared>,
}

impl Inbox {
    /// Obeys what waits; true if more is left.
    fn drain<U: Udp, R: Fn(MediaEvent)>(&self, worker: &mut Worker<U, R>, now: Time) -> bool {
        for _ in 0..COMMANDS_PER_TURN {
            match self.receiver.try_recv() {
                Ok(Control::Command(command)) => worker.command(now, command),
                Ok(Control::Prompts(prompts)) => worker.add_prompts(prompts),
                Err(_) => {
                    self.drain_closes(worker, now);
                    return false;
                }
            }
        }
        true
    }

    /// After the ring: a close comes after all that was said of its leg.
    fn drain_closes<U: Udp, R: Fn(MediaEvent)>(&self, worker: &mut Worker<U, R>, now: Time) {
        if self.shared.closes_wait.swap(false, Ordering::Acquire) {
            let mut closes = self
                .shared
                .closes
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let closes = std::mem::take(&mut *closes);
            closes
                .into_iter()
                .for_each(|command| worker.command(now, command));
        }
    }
}

/// The life of a media thread.
///
/// With work it beats: packets gather for a while, then all that are ready are handled in one go.
/// Without, it sleeps until a packet, a command or a prompt's next frame.
fn run<U: Udp, R: Fn(MediaEvent)>(
    mut worker: Worker<U, R>,
    inbox: &Inbox,
    epoch: Instant,
    gather: Duration,
) {
    let clock =
        || Time::from_micros(u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX));
    let mut batch = Batch::new(BATCH_PACKETS);
    // When the packets of the last turn were taken, if there were any.
    let mut busy_since = None;
    loop {
        let now = clock();
        // Looked at before the ring, so that all commands given before the stop are obeyed.
        let stop = inbox.shared.stop.load(Ordering::Acquire);
        let more = inbox.drain(&mut worker, now);
        if stop && !more {
            break;
        }
        let until_due = worker.next_due().map(|due| due.since(now));
        let sleep = if more {
            Some(Duration::ZERO)
        } else if let Some(taken) = busy_since {
            // From beat to beat, not from work to work: a full turn must not add to the delay.
            let pause = gather.saturating_sub(now.since(taken));
            worker
                .udp()
                .gather(until_due.map_or(pause, |due| due.min(pause)));
            Some(Duration::ZERO)
        } else {
            until_due
        };
        if let Err(problem) = worker.udp().wait(sleep) {
            tracing::error!(%problem, "a media thread cannot wait for packets and ends");
            break;
        }
        let taken = clock();
        busy_since = (worker.turn(&mut batch, clock) > 0).then_some(taken);
    }
    worker.close_all(clock());
}
