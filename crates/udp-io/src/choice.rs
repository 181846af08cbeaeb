//! Owns the choice between the real backends: by trying, as neither the version of the kernel nor
//! a file in /proc tells what a container or a seccomp filter permits.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::{Batch, IoUring, Udp};

/// What the settings ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// io_uring if it works here, else epoll.
    #[default]
    Auto,
    /// io_uring or nothing.
    IoUring,
    /// epoll, which works everywhere.
    Epoll,
}

/// A backend for real sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// [`IoUring`].
    IoUring,
    /// [`crate::Epoll`].
    Epoll,
}

/// What was chosen.
#[derive(Debug)]
pub struct Chosen {
    /// The backend.
    pub backend: Backend,
    /// Why it is not the better one, if that was asked for and does not work here.
    pub instead: Option<Unavailable>,
}

/// io_uring does not work here.
#[derive(Debug)]
pub struct Unavailable {
    step: &'static str,
    problem: io::Error,
}

/// How long a packet to ourselves may take.
const PATIENCE: Duration = Duration::from_secs(2);
const PROBE: &[u8] = b"probe";

impl Backend {
    /// The name as the settings have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        }
    }
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step, self.problem)
    }
}

impl std::error::Error for Unavailable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.problem)
    }
}

/// Chooses, by trying where the choice is ours.
///
/// # Errors
/// io_uring alone will do, and does not work here.
pub fn choose(choice: Choice) -> Result<Chosen, Unavailable> {
    let found = match choice {
        Choice::Epoll => None,
        Choice::Auto | Choice::IoUring => Some(probe_apart()),
    };
    match (choice, found) {
        (_, Some(Ok(()))) => Ok(Chosen {
            backend: Backend::IoUring,
            instead: None,
        }),
        (Choice::IoUring, Some(Err(problem))) => Err(problem),
        (_, found) => Ok(Chosen {
            backend: Backend::Epoll,
            instead: found.and_then(Result::err),
        }),
    }
}

/// Probes on a thread that ends with it: when a ring goes, the kernel interrupts the thread that
/// made it, and a system call of that thread fails with EINTR that has nothing to do with us.
fn probe_apart() -> Result<(), Unavailable> {
    let failed = |problem| Unavailable {
        step: "io_uring cannot be tried",
        problem,
    };
    let thread = std::thread::Builder::new().name("io-probe".to_owned());
    let thread = thread.spawn(probe).map_err(failed)?;
    let ended = thread.join();
    ended.map_err(|_| failed(io::Error::other("the trial has panicked")))?
}

/// Does with io_uring once what a call does: a packet to oneself, with and without an address, and
/// the port free again at once.
fn probe() -> Result<(), Unavailable> {
    let at = |step| move |problem| Unavailable { step, problem };
    let mut set = IoUring::new().map_err(at("io_uring cannot be set up"))?;
    let mut bind = || {
        let v4 = set.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        v4.or_else(|_| set.bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))))
    };
    let socket = bind().map_err(at("no socket can be bound"))?;
    let local = set
        .local(socket)
        .ok_or(io::ErrorKind::NotFound.into())
        .map_err(at("no socket can be bound"))?;
    for to in [Some(local), None] {
        set.send(socket, to, PROBE)
            .and_then(|()| hear(&mut set))
            .map_err(at("a packet to ourselves does not come through io_uring"))?;
        set.connect(socket, local)
            .map_err(at("a socket cannot be connected"))?;
    }
    set.close(socket);
    set.bind(local)
        .map_err(at("io_uring does not let go of a closed socket"))?;
    Ok(())
}

fn hear(set: &mut IoUring) -> io::Result<()> {
    let mut batch = Batch::new(1);
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        set.wait(Duration::ZERO, Some(left))?;
        set.receive(&mut batch);
        if batch.packets().any(|packet| packet.bytes() == PROBE) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoll_is_taken_when_asked_for_and_io_uring_only_where_it_works() {
        let epoll = choose(Choice::Epoll).unwrap();
        assert_eq!(epoll.backend, Backend::Epoll);
        assert!(epoll.instead.is_none(), "nothing else was asked for");
        let auto = choose(Choice::Auto).unwrap();
        match choose(Choice::IoUring) {
            Ok(only) => assert_eq!(
                (only.backend, auto.backend),
                (Backend::IoUring, Backend::IoUring)
            ),
            Err(problem) => {
                assert_eq!(auto.backend, Backend::Epoll);
                assert_eq!(auto.instead.unwrap().to_string(), problem.to_string());
            }
        }
    }
}
