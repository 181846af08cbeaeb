//! Owns the successor's end of a handover: asks for what the running engine has, and hears from that one
//! until it has ended or died.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use crossbeam_channel::Receiver;
use switch::Input;
use transport::Inherited;

use super::line::{self, Peer};
use super::{Given, PROTOCOL, Told};
use crate::driver::Inbox;

/// How long the running engine may take to sync its events and let go.
const PATIENCE: Duration = Duration::from_secs(30);

/// The engine that was here before, with what it gave.
pub(crate) struct Predecessor {
    stream: UnixStream,
    given: Given,
    lock: Arc<std::fs::File>,
    sockets: Vec<Inherited>,
    lives: Arc<AtomicBool>,
}

/// How a predecessor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In order: everything of it is known.
    Gone,
    /// Its calls are open.
    Died,
}

/// Takes over from the engine that runs with these event files; `None` if none does.
///
/// # Errors
/// If it does not let go, in one sentence.
pub(crate) fn take_over(events: &Path) -> anyhow::Result<Option<Predecessor>> {
    let mut stream = match UnixStream::connect(super::socket(events)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).context("the running engine cannot be asked"),
    };
    let wish = Told::TakeOver {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let failed = || "the running engine did not hand over";
    line::send(&mut stream, &wish).with_context(failed)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (given, descriptors) = match line::receive_with(&mut stream).with_context(failed)? {
        Some((Told::Given(given), descriptors)) => (*given, descriptors),
        Some((Told::Refused(why), _)) => bail!("{why}"),
        Some(_) | None => bail!("{}", failed()),
    };
    stream.set_read_timeout(None)?;
    let mut descriptors = descriptors.into_iter();
    let lock: OwnedFd = descriptors.next().with_context(failed)?;
    let sockets = given.sockets.iter().zip(descriptors);
    let sockets = sockets.map(|(transport, socket)| Inherited {
        transport: *transport,
        socket,
    });
    let sockets = sockets.collect();
    Ok(Some(Predecessor {
        stream,
        given,
        lock: Arc::new(lock.into()),
        sockets,
        lives: Arc::new(AtomicBool::new(true)),
    }))
}

impl Predecessor {
    /// What the journal is to know of it.
    pub(crate) fn of_journal(&self) -> journal::Leaving {
        journal::Leaving {
            boot: self.given.boot,
            lock: Arc::clone(&self.lock),
        }
    }

    /// What the core is to know of it.
    pub(crate) fn of_core(&self) -> Input {
        Input::Predecessor {
            calls: self.given.calls.clone(),
            callbacks: self.given.callbacks.clone(),
        }
    }

    /// Its sockets, once.
    pub(crate) fn take_sockets(&mut self) -> Vec<Inherited> {
        std::mem::take(&mut self.sockets)
    }

    /// Its boot, which is that of its calls.
    pub(crate) fn boot(&self) -> u32 {
        self.given.boot
    }

    /// True for as long as it has calls.
    pub(crate) fn lives(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lives)
    }

    /// We have begun: tells it what waits, hears it from now on, and says when and how it ended.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub(crate) fn follow(
        mut self,
        (peer, waiting): (&Peer, Receiver<Told>),
        inbox: Inbox,
        ended: impl FnOnce(End) + Send + 'static,
    ) -> io::Result<()> {
        line::write_all(self.stream.try_clone()?, waiting)?;
        peer.tell(Told::Ready);
        let peer = peer.clone();
        let hear = move || {
            let end = self.hear(&inbox);
            peer.close();
            self.lives.store(false, Ordering::Relaxed);
            ended(end);
        };
        std::thread::Builder::new()
            .name("handover-hear".to_owned())
            .spawn(hear)?;
        Ok(())
    }

    fn hear(&mut self, inbox: &Inbox) -> End {
        loop {
            match line::receive(&mut self.stream) {
                Ok(Some(Told::Events(events))) => inbox.adopt(events),
                Ok(Some(Told::Word(word))) => inbox.input(Input::Told(word)),
                Ok(Some(Told::Gone)) => return End::Gone,
                // Ours to say.
                Ok(Some(
                    Told::TakeOver { .. }
                    | Told::Given(_)
                    | Told::Refused(_)
                    | Told::Ready
                    | Told::Durable(_),
                )) => {}
                Ok(None) => return End::Died,
                Err(error) => {
                    tracing::error!(%error, "the leaving engine is not understood");
                    return End::Died;
                }
            }
        }
    }
}
