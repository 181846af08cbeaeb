//! Owns the media threads: starts them, picks the one that has the call, says whether all live,
//! stops them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use browser::Identity;
use udp_io::{Backend, Batch, Choice, Chosen, Epoll, IoUring, Udp, Unavailable};
use vocab::media::{MediaCommand, MediaEvent, PromptId};
use vocab::{CallId, LegCounts, LegId, LegQuality, Time};

use crate::audio::Audio;
use crate::lane::{self, Control, Handed, Inbox};
use crate::latch::Latching;
use crate::ports::Ports;
use crate::reports::NtpClock;
use crate::stock::Stock;
use crate::tap::Tap;
use crate::worker::{Rules, Worker};

/// Packets handled between two looks at the clock; small, so that they stay in the cache.
const BATCH_PACKETS: usize = 64;
/// From 1900, where NTP counts from, to 1970 (RFC 5905 §6).
const NTP_TO_UNIX: Duration = Duration::from_secs(2_208_988_800);
/// Nice value of the threads: packets do not wait for what is not urgent.
const NICE: i32 = -10;
/// Commands obeyed between two looks at the sockets.
const COMMANDS_PER_TURN: usize = 256;

/// How the media plane is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where legs are bound.
    pub address: IpAddr,
    /// Ports of legs: even ones for RTP, the next for RTCP. `None`: any free ones.
    pub ports: Option<RangeInclusive<u16>>,
    /// Threads; one per core is right.
    pub threads: usize,
    /// Commands that may wait for one thread before it counts as too far behind.
    pub ring: usize,
    /// Whose packets a leg takes for its peer's.
    pub latching: Latching,
    /// After such a silence of a peer who ought to send, that is told (`Silent`); never if `None`.
    pub silence: Option<Duration>,
    /// How long packets gather before a thread that has work wakes up again. Adds at most this
    /// to the delay of a packet, and saves wake-ups: see the figures of `benches/relay.rs`.
    pub gather: Duration,
    /// How the system moves packets.
    pub io: Choice,
    /// How browsers are served; `None`: they are not.
    pub browsers: Option<BrowserSettings>,
}

/// How browsers are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSettings {
    /// The UDP port of the first thread; each further thread has the next. 0: any free ones.
    pub port: u16,
    /// Who we are in handshakes.
    pub identity: Identity,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            ports: None,
            threads: 1,
            ring: 16_384,
            latching: Latching::default(),
            silence: None,
            gather: Duration::from_millis(2),
            io: Choice::Auto,
            browsers: None,
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
    /// The port for browsers is taken, or there are not so many.
    #[error("the port {port} for browsers cannot be had at {address}: {problem}")]
    BrowserPort {
        /// The address.
        address: IpAddr,
        /// The port of the thread.
        port: u16,
        /// What the system said.
        problem: io::Error,
    },
    /// io_uring is asked for and cannot be had.
    #[error("io_uring does not work here ({0}); media sockets can be served by epoll instead")]
    IoUring(Unavailable),
    /// No thread, or no descriptor for it.
    #[error("a media thread cannot be started: {0}")]
    System(#[from] io::Error),
}

/// The media plane.
pub struct Media {
    threads: Vec<Thread>,
    report: Mutex<Box<dyn Fn(MediaEvent) + Send>>,
    overflows: AtomicU64,
}

/// One thread as the others see it.
struct Thread {
    lane: lane::Lane,
    /// Ports of legs to come.
    stock: Stock,
    /// The port of all its browsers.
    browser: Option<u16>,
    stop: Arc<AtomicBool>,
    waker: Waker,
    handle: Option<JoinHandle<()>>,
}

/// A thread that is about to start.
struct New<'a, R> {
    settings: &'a Settings,
    index: usize,
    epoch: Instant,
    ntp: NtpClock,
    prompts: BTreeMap<PromptId, Audio>,
    tap: Box<dyn Tap>,
    report: R,
}

impl<R: Fn(MediaEvent) + Send + 'static> New<'_, R> {
    fn start(self, udp: impl Udp + Send + 'static) -> Result<Thread, StartError> {
        let Settings {
            address,
            ports,
            threads,
            ring,
            latching,
            silence,
            gather,
            browsers,
            ..
        } = self.settings.clone();
        let waker = udp.waker();
        let ports = Ports::new(address, ports, self.index, threads);
        let rules = Rules {
            latching,
            silence,
            ntp: self.ntp,
        };
        let mut worker = Worker::new(udp, ports, rules, self.tap, self.report);
        worker.add_prompts(self.prompts);
        if let Some(BrowserSettings { port, identity }) = browsers {
            let port = nth_port(port, self.index);
            let listened = worker.listen_to_browsers((address, port), identity, self.epoch);
            listened.map_err(|problem| StartError::BrowserPort {
                address,
                port,
                problem,
            })?;
        }
        let (lane, inbox) = lane::pair(ring);
        let stock = worker.stock().clone();
        let browser = worker.browser_port();
        let stop = Arc::<AtomicBool>::default();
        let orders = Orders {
            inbox,
            stop: Arc::clone(&stop),
        };
        let epoch = self.epoch;
        let handle = std::thread::Builder::new()
            .name(format!("media-{}", self.index))
            .spawn(move || run(worker, orders, epoch, gather))?;
        Ok(Thread {
            lane,
            stock,
            browser,
            stop,
            waker,
            handle: Some(handle),
        })
    }
}

impl Media {
    /// Starts the threads. `taps` has one per thread. `epoch` is the instant of [`Time::ZERO`].
    /// `report` is called on the media threads, and on that of whoever opens a leg; it must not block.
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
        let Chosen { backend, instead } =
            udp_io::choose(settings.io).map_err(StartError::IoUring)?;
        let ntp = ntp_clock(epoch);
        let mut media = Self {
            threads: Vec::new(),
            report: Mutex::new(Box::new(report.clone())),
            overflows: AtomicU64::new(0),
        };
        for (index, tap) in taps.into_iter().enumerate() {
            let new = New {
                settings: &settings,
                index,
                epoch,
                prompts: prompts.clone(),
                tap,
                report: report.clone(),
                ntp,
            };
            media.threads.push(match backend {
                Backend::IoUring => new.start(IoUring::new()?)?,
                Backend::Epoll => new.start(Epoll::new()?)?,
            });
        }
        tracing::info!(
            threads = settings.threads,
            address = %settings.address,
            backend = backend.name(),
            not_io_uring = instead.map(tracing::field::display),
            "media plane started"
        );
        Ok(media)
    }

    /// Hands a command to the thread of its call. Never blocks. When the thread is that far
    /// behind, an `Open` is answered by `OpenFailed` and anything else waits aside, in order; both
    /// are counted in [`Self::overflows`].
    pub fn send(&self, command: MediaCommand) {
        let index = command.call().counter() as usize % self.threads.len().max(1);
        let Some(thread) = self.threads.get(index) else {
            return;
        };
        if let MediaCommand::Open { call, leg } = command
            && self.open_at_once(thread, call, leg)
        {
            thread.waker.wake_by_ref();
            return;
        }
        match thread.lane.hand(command) {
            Handed::InTime => {}
            Handed::Aside => self.note_overflow(index),
            Handed::Refused(open) => {
                self.note_overflow(index);
                self.answer(open);
            }
            Handed::Gone(command) => self.answer(command),
        }
        thread.waker.wake_by_ref();
    }

    /// Opens a leg at ports that are bound already: whoever waits for the port, as an INVITE does, need not
    /// wait for the thread. False if there are none, or the thread is too far behind.
    fn open_at_once(&self, thread: &Thread, call: CallId, leg: LegId) -> bool {
        let Some(sockets) = thread.stock.take() else {
            return false;
        };
        if !thread.lane.hand_open(call, leg, sockets) {
            thread.stock.put(sockets);
            return false;
        }
        self.tell(MediaEvent::Opened {
            call,
            leg,
            port: sockets.port,
            browser: thread.browser,
        });
        true
    }

    /// Gives all threads more prompts, or new versions; what plays now plays on. Waits while a
    /// thread is too far behind to take them, as this happens when settings are read only.
    pub fn add_prompts(&self, prompts: &BTreeMap<PromptId, Audio>) {
        for thread in &self.threads {
            thread.waker.wake_by_ref();
            thread.lane.hand_prompts(prompts.clone());
            thread.waker.wake_by_ref();
        }
    }

    /// Lets go of prompts that nothing will play any more; what plays now plays on.
    pub fn forget_prompts(&self, prompts: &BTreeSet<PromptId>) {
        for thread in &self.threads {
            thread.waker.wake_by_ref();
            thread.lane.hand_forgotten(prompts.clone());
            thread.waker.wake_by_ref();
        }
    }

    /// Commands that found their thread too far behind, since the start.
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// Whether all threads run. False for ever once one has ended by itself (a panic, or the
    /// system refused to say when packets come): its share of the calls has no audio any more.
    /// Their legs were not reported as closed and their recordings were not ended. Whoever asks
    /// is to end the process, so that recovery accounts for them.
    pub fn is_alive(&self) -> bool {
        self.threads
            .iter()
            .filter_map(|thread| thread.handle.as_ref())
            .all(|handle| !handle.is_finished())
    }

    /// Obeys the commands given so far, closes all legs, ends their recordings and the threads.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        for thread in &self.threads {
            thread.stop.store(true, Ordering::Release);
            thread.waker.wake_by_ref();
        }
        for thread in &mut self.threads {
            if thread
                .handle
                .take()
                .is_some_and(|handle| handle.join().is_err())
            {
                tracing::error!("a media thread has panicked; its calls had no audio");
            }
        }
    }

    fn note_overflow(&self, thread: usize) {
        let before = self.overflows.fetch_add(1, Ordering::Relaxed);
        // At each doubling: a flood of commands is not made one of log lines.
        if (before + 1).is_power_of_two() {
            tracing::warn!(thread, commands = before + 1, "media thread behind");
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
                quality: LegQuality::default(),
            },
            // Nothing waits for an answer to these.
            MediaCommand::SetRemote { .. }
            | MediaCommand::Key { .. }
            | MediaCommand::Press { .. }
            | MediaCommand::Play { .. }
            | MediaCommand::Stop { .. }
            | MediaCommand::Bridge { .. }
            | MediaCommand::Mix { .. }
            | MediaCommand::Unbridge { .. }
            | MediaCommand::Record { .. }
            | MediaCommand::RecordWait { .. }
            | MediaCommand::EndRecord { .. }
            | MediaCommand::PauseRecording { .. }
            | MediaCommand::ResumeRecording { .. } => return,
        };
        self.tell(event);
    }

    fn tell(&self, event: MediaEvent) {
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

/// The port of a thread; beyond the last port there is none that can be bound twice.
fn nth_port(first: u16, index: usize) -> u16 {
    match first {
        0 => 0,
        first => first.saturating_add(u16::try_from(index).unwrap_or(u16::MAX)),
    }
}

/// What NTP's clock showed at the epoch. A wall clock before 1970 is a broken one, and any will do.
fn ntp_clock(epoch: Instant) -> NtpClock {
    let unix = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let at_epoch = (unix + NTP_TO_UNIX).saturating_sub(epoch.elapsed());
    NtpClock(u64::try_from(at_epoch.as_micros()).unwrap_or(u64::MAX))
}

/// What reaches a thread from outside.
struct Orders {
    inbox: Inbox,
    stop: Arc<AtomicBool>,
}

impl Orders {
    /// Obeys what waits; true if more may be left.
    fn obey<U: Udp, R: Fn(MediaEvent)>(&mut self, worker: &mut Worker<U, R>, now: Time) -> bool {
        for _ in 0..COMMANDS_PER_TURN {
            match self.inbox.next() {
                Some(Control::Command(command)) => worker.command(now, command),
                Some(Control::Open { call, leg, sockets }) => worker.open_ready(call, leg, sockets),
                Some(Control::Prompts(prompts)) => worker.add_prompts(prompts),
                Some(Control::Forget(prompts)) => worker.forget_prompts(&prompts),
                None => return false,
            }
        }
        true
    }
}

/// The life of a media thread.
///
/// With work it beats: packets gather for a while, then all that are ready are handled in one go.
/// Without, it sleeps until a packet, a command or a prompt's next frame.
///
/// Legs are closed and recordings ended only when it is told to stop. If it fails, they are left as
/// they are: a talk that goes on is not over, and its recording is not whole.
fn run<U: Udp, R: Fn(MediaEvent)>(
    mut worker: Worker<U, R>,
    mut orders: Orders,
    epoch: Instant,
    gather: Duration,
) {
    // On Linux this is the thread's own; where it is refused, audio passes all the same.
    let _ = rustix::process::setpriority_process(None, NICE);
    let clock =
        || Time::from_micros(u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX));
    let mut batch = Batch::new(BATCH_PACKETS);
    // When the packets of the last turn were taken, if there were any.
    let mut busy_since = None;
    loop {
        let now = clock();
        // Looked at before the ring, so that all commands given before the stop are obeyed.
        let stop = orders.stop.load(Ordering::Acquire);
        let more = orders.obey(&mut worker, now);
        // Not before this thread runs: a ring serves the one thread that used it first.
        worker.fill();
        if stop && !more {
            break;
        }
        let until_due = worker.next_due().map(|due| due.since(now));
        let (pause, timeout) = if more {
            (Duration::ZERO, Some(Duration::ZERO))
        } else if let Some(taken) = busy_since {
            // From beat to beat, not from work to work: a full turn must not add to the delay.
            let pause = gather.saturating_sub(now.since(taken));
            (until_due.map_or(pause, |due| due.min(pause)), until_due)
        } else {
            (Duration::ZERO, until_due)
        };
        if let Err(problem) = worker.udp().wait(pause, timeout) {
            tracing::error!(%problem, "a media thread cannot wait for packets and ends");
            return;
        }
        let taken = clock();
        busy_since = (worker.turn(&mut batch, clock) > 0).then_some(taken);
    }
    worker.close_all(clock());
}

#[cfg(test)]
mod tests;
