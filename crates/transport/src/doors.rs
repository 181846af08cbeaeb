//! Owns the changing of hands of listening sockets: an engine that leaves gives them to its successor,
//! with all that waits in them, so that no datagram and no connection is refused in between.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use sip::Transport as Protocol;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::listener::Listener;
use crate::udp::Udp;

/// How often it is looked whether a task has ended that was told to.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// A listening socket in other hands.
#[derive(Debug)]
pub struct Inherited {
    /// What it carries.
    pub transport: Protocol,
    /// The socket itself.
    pub socket: OwnedFd,
}

/// The listening sockets of a transport, for another thread.
#[derive(Clone)]
pub struct Doors {
    pub(crate) sockets: Arc<[Udp]>,
    pub(crate) listeners: Arc<[Listener]>,
}

impl Doors {
    /// Takes nothing more from the network on them, when this returns. What comes waits in the sockets, of
    /// which duplicates are given. Sending goes on, and so do connections that are up.
    ///
    /// # Errors
    /// If the process has no descriptor left; they are open again then.
    pub fn close(&self) -> io::Result<Vec<Inherited>> {
        self.sockets.iter().for_each(Udp::close_door);
        self.listeners.iter().for_each(Listener::close_door);
        let udp = self.sockets.iter().map(|socket| {
            Ok(Inherited {
                transport: Protocol::Udp,
                socket: socket.duplicate()?,
            })
        });
        let others = self.listeners.iter().map(|listener| {
            Ok(Inherited {
                transport: listener.address().0,
                socket: listener.duplicate()?,
            })
        });
        let given: io::Result<Vec<Inherited>> = udp.chain(others).collect();
        if given.is_err() {
            self.open()?;
        }
        given
    }

    /// Takes from the network again.
    ///
    /// # Errors
    /// If the process has no descriptor left.
    pub fn open(&self) -> io::Result<()> {
        self.sockets.iter().try_for_each(Udp::open_door)?;
        self.listeners.iter().try_for_each(Listener::open_door)
    }
}

/// Sockets that were handed over, as they are asked for.
#[derive(Default)]
pub(crate) struct Handed(Vec<(Protocol, SocketAddr, OwnedFd)>);

impl Handed {
    pub(crate) fn new(inherited: Vec<Inherited>) -> io::Result<Self> {
        let addressed = inherited.into_iter().map(|one| {
            let address = address_of(one.transport, &one.socket)?;
            Ok((one.transport, address, one.socket))
        });
        addressed.collect::<io::Result<_>>().map(Self)
    }

    /// The socket for an address of the settings, of which port 0 is any.
    pub(crate) fn take(&mut self, protocol: Protocol, wanted: SocketAddr) -> Option<OwnedFd> {
        let found = self.0.iter().position(|(of, address, _)| {
            let port = wanted.port() == 0 || wanted.port() == address.port();
            *of == protocol && address.ip() == wanted.ip() && port
        })?;
        Some(self.0.remove(found).2)
    }
}

fn address_of(protocol: Protocol, socket: &OwnedFd) -> io::Result<SocketAddr> {
    let socket = socket.try_clone()?;
    match protocol {
        Protocol::Udp => UdpSocket::from(socket).local_addr(),
        Protocol::Tcp | Protocol::Tls | Protocol::Ws | Protocol::Wss => {
            TcpListener::from(socket).local_addr()
        }
    }
}

/// A task that can be ended and begun again, from any thread.
pub(crate) struct Task {
    runtime: Handle,
    running: Mutex<Option<JoinHandle<()>>>,
}

impl Task {
    /// Within a tokio runtime.
    pub(crate) fn new() -> Self {
        Self {
            runtime: Handle::current(),
            running: Mutex::new(None),
        }
    }

    pub(crate) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.runtime.spawn(task);
        if let Some(before) = self.lock().replace(task) {
            before.abort();
        }
    }

    /// Ends it, between two things that it does, before this returns. Not from within the runtime's only
    /// thread.
    pub(crate) fn end(&self) {
        if let Some(task) = self.lock().take() {
            task.abort();
            while !task.is_finished() {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.lock().take() {
            task.abort();
        }
    }
}
