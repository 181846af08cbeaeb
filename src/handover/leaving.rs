//! Owns the leaving engine's end of a handover: waits for a successor, gives what it has, and hears from
//! the successor until the last call has ended; takes everything back if the successor dies.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use switch::Input;
use vocab::Event;

use super::line::{self, Peer};
use super::{Given, PROTOCOL, Told};
use crate::driver::Inbox;
use crate::private_socket;

/// What the socket is for.
const PURPOSE: &str = "handovers";

/// How long a successor may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of this engine waits for a successor to hear of it.
const LAST_WORD: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Pause after a failure, so that one that lasts fills no log.
const BREATH: Duration = Duration::from_secs(1);

/// What changes hands, and what ends when it does.
pub(crate) struct Goods {
    pub(crate) boot: u32,
    pub(crate) inbox: Inbox,
    pub(crate) doors: transport::Doors,
    pub(crate) helm: journal::Helm,
    pub(crate) peer: Peer,
    /// Ends what only one of two engines may do: the API, webhooks, the keeping of recordings.
    pub(crate) end_services: Box<dyn Fn() + Send>,
    /// Takes up again what the successor had of people, and those services.
    pub(crate) resume: Box<dyn Fn() + Send>,
    /// Whether a predecessor of ours still has calls.
    pub(crate) has_predecessor: Box<dyn Fn() -> bool + Send>,
}

/// The waiting for a successor.
pub(crate) struct Host {
    path: PathBuf,
    peer: Peer,
    line: Arc<Line>,
}

/// What the thread that waits shares with the end of the engine.
#[derive(Default)]
struct Line {
    /// The engine has ended: what a successor has stays there.
    over: AtomicBool,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Host {
    /// Waits for a successor from now on, in a thread of its own.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub(crate) fn start(events: &Path, goods: Goods) -> anyhow::Result<Self> {
        let path = super::socket(events);
        let listener = private_socket::listen(&path, PURPOSE)?;
        let host = Self {
            path: path.clone(),
            peer: goods.peer.clone(),
            line: Arc::default(),
        };
        let line = Arc::clone(&host.line);
        std::thread::Builder::new()
            .name("handover".to_owned())
            .spawn(move || serve(&path, listener, &goods, &line))
            .context("cannot start the thread of handovers")?;
        Ok(host)
    }

    /// Tells a successor, if there is one, that this engine has ended. When it returns the successor has been
    /// told.
    pub(crate) fn gone(self) {
        self.line.over.store(true, Ordering::SeqCst);
        let told = self.peer.tell(Told::Gone);
        self.peer.close();
        let writer = self.line.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        let end = Instant::now() + LAST_WORD;
        while writer.as_ref().is_some_and(|writer| !writer.is_finished()) && Instant::now() < end {
            std::thread::sleep(LOOK_EVERY);
        }
        if !told {
            // Ours still: the next engine has a socket of its own.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// One successor after the other, until the process ends.
fn serve(path: &Path, mut listener: UnixListener, goods: &Goods, line: &Line) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a successor cannot be heard");
                std::thread::sleep(BREATH);
                continue;
            }
        };
        match hand_over(stream, goods, line) {
            Ok(true) => {
                // The successor had the path meanwhile, and is dead.
                match private_socket::listen(path, PURPOSE) {
                    Ok(ours) => listener = ours,
                    Err(error) => tracing::error!(%error, "no other successor can take over"),
                }
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the handover came to nothing"),
        }
    }
}

/// From the first word of a successor to its last; whether it had what we gave.
fn hand_over(mut stream: UnixStream, goods: &Goods, ours: &Line) -> io::Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let Some(Told::TakeOver { protocol, version }) = line::receive(&mut stream)? else {
        return Ok(false);
    };
    stream.set_read_timeout(None)?;
    if protocol != PROTOCOL {
        let why = format!(
            "the running engine ({}) hands over by protocol {PROTOCOL}, hotline {version} by {protocol}",
            env!("CARGO_PKG_VERSION")
        );
        line::send(&mut stream, &Told::Refused(why))?;
        return Ok(false);
    }
    if (goods.has_predecessor)() {
        let why = "the engine before the running one still has calls: wait for their ends";
        line::send(&mut stream, &Told::Refused(why.to_owned()))?;
        return Ok(false);
    }
    tracing::info!(
        version,
        "a successor takes over; calls that are up go on here"
    );
    let writing = goods.peer.open();
    let given = goods.give();
    let (given, descriptors) = match given {
        Ok(given) => given,
        Err(error) => {
            goods.take_back();
            let _ = line::send(&mut stream, &Told::Refused(error.to_string()));
            return Err(error);
        }
    };
    let sent = line::send_with(&mut stream, &Told::Given(Box::new(given)), &descriptors);
    // Ours is a duplicate of each.
    drop(descriptors);
    let heard = sent.and_then(|()| {
        let thread = line::write_all(stream.try_clone()?, writing)?;
        *ours.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        hear(&mut stream, goods)
    });
    if let Err(error) = heard {
        tracing::error!(%error, "the successor is not understood");
    }
    let over = ours.over.load(Ordering::SeqCst);
    if !over {
        goods.take_back();
    }
    Ok(!over)
}

/// What the successor says, until it says nothing more.
fn hear(stream: &mut UnixStream, goods: &Goods) -> io::Result<()> {
    while let Some(told) = line::receive(stream)? {
        match told {
            Told::Ready => goods.helm.carry(ToSuccessor(goods.peer.clone())),
            Told::Durable(event) => goods.helm.durable(event),
            Told::Word(word) => goods.inbox.input(Input::Told(word)),
            // Ours to say.
            Told::TakeOver { .. }
            | Told::Given(_)
            | Told::Refused(_)
            | Told::Events(_)
            | Told::Gone => {}
        }
    }
    Ok(())
}

impl Goods {
    /// Lets go of everything, in this order: nothing more comes in, what came is done, nobody else asks
    /// this engine for anything, what it stated is on disk.
    fn give(&self) -> io::Result<(Given, Vec<OwnedFd>)> {
        let sockets = self.doors.close()?;
        let left = self.inbox.leave().blocking_recv();
        let left = left.map_err(|_| io::Error::other("the engine is about to stop"))?;
        (self.end_services)();
        let lock = self.helm.hand_over()?;
        let (mut carried, mut descriptors) = (Vec::new(), vec![OwnedFd::from(lock)]);
        for inherited in sockets {
            carried.push(inherited.transport);
            descriptors.push(inherited.socket);
        }
        let given = Given {
            boot: self.boot,
            sockets: carried,
            calls: left.calls,
            callbacks: left.callbacks,
        };
        Ok((given, descriptors))
    }

    /// There is no successor, or none any more.
    fn take_back(&self) {
        self.peer.close();
        if let Err(error) = self.helm.take_back() {
            tracing::error!(%error, "the event files are not ours again");
        }
        self.inbox.input(Input::TakenBack);
        if let Err(error) = self.doors.open() {
            tracing::error!(%error, "SIP is not received any more");
        }
        (self.resume)();
    }
}

/// Brings events of this engine's journal to the successor.
struct ToSuccessor(Peer);

impl journal::Courier for ToSuccessor {
    fn carry(&mut self, events: &[Event]) -> io::Result<()> {
        if self.0.tell(Told::Events(events.to_vec())) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}
