//! Owns the line between two processes: messages of JSON with their length before them, one of
//! which may bring descriptors. Sending never blocks the sender: a thread writes what waits.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::Told;

/// Longest message: a batch of events with the longest fields.
const LENGTH_MAX: usize = 64 << 20;
/// Descriptors of one message at most; the kernel passes 253.
const DESCRIPTORS_MAX: usize = 128;

/// Writes one message.
pub(super) fn send(stream: &mut UnixStream, told: &Told) -> io::Result<()> {
    let (head, bytes) = framed(told)?;
    stream.write_all(&head)?;
    stream.write_all(&bytes)
}

/// A message and its length before it.
fn framed(told: &Told) -> io::Result<([u8; 4], Vec<u8>)> {
    let bytes = serde_json::to_vec(told)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    Ok((length.to_be_bytes(), bytes))
}

/// Writes one message, and descriptors with its first octets.
pub(super) fn send_with(
    stream: &mut UnixStream,
    told: &Told,
    descriptors: &[OwnedFd],
) -> io::Result<()> {
    if descriptors.len() > DESCRIPTORS_MAX {
        return Err(io::Error::other("too many sockets to hand over"));
    }
    let (head, bytes) = framed(told)?;
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&borrowed));
    // Four octets are taken at once or not at all.
    sendmsg(
        &*stream,
        &[IoSlice::new(&head)],
        &mut control,
        SendFlags::empty(),
    )?;
    stream.write_all(&bytes)
}

/// Reads one message; `None` at the end of the line.
pub(super) fn receive(stream: &mut UnixStream) -> io::Result<Option<Told>> {
    receive_with(stream).map(|told| told.map(|(told, _)| told))
}

/// Reads one message and the descriptors that came with it; `None` at the end of the line.
pub(super) fn receive_with(stream: &mut UnixStream) -> io::Result<Option<(Told, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut head = [0; 4];
    let got = recvmsg(
        &*stream,
        &mut [IoSliceMut::new(&mut head)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if got.bytes == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(given) = message {
            descriptors.extend(given);
        }
    }
    if let Some(rest) = head.get_mut(got.bytes..) {
        stream.read_exact(rest)?;
    }
    let length = usize::try_from(u32::from_be_bytes(head)).map_err(io::Error::other)?;
    if length > LENGTH_MAX {
        return Err(io::Error::other("a message of the handover is too long"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    let told = serde_json::from_slice(&bytes)?;
    Ok(Some((told, descriptors)))
}

/// The other engine, as any thread of ours speaks to it. Without one, words go nowhere.
#[derive(Clone, Default)]
pub(crate) struct Peer(Arc<Mutex<Option<Sender<Told>>>>);

impl Peer {
    /// Tells the other engine something; false if there is none.
    pub(crate) fn tell(&self, told: Told) -> bool {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().is_some_and(|queue| queue.send(told).is_ok())
    }

    /// What is told from now on waits to be written.
    pub(crate) fn open(&self) -> Receiver<Told> {
        let (queue, waiting) = unbounded();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        waiting
    }

    /// Nothing more is told.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Writes what waits, until nothing more is told or the line breaks: which whoever reads it notices.
pub(super) fn write_all(
    mut stream: UnixStream,
    waiting: Receiver<Told>,
) -> io::Result<JoinHandle<()>> {
    let write = move || {
        for told in waiting {
            if let Err(error) = send(&mut stream, &told) {
                tracing::debug!(%error, "the other engine of the handover does not read");
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("handover-write".to_owned())
        .spawn(write)
}
