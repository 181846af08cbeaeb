//! Owns one connection that carries a stream, TCP or TLS: its messages are cut out and handed up,
//! the queue is written, keep-alives are answered and sent, and each wait has an end.
//!
//! | what is awaited | how long | then |
//! |---|---|---|
//! | the first octets of a peer's connection | message limit | closed |
//! | the rest of a message | message limit | answered if it can be, closed |
//! | anything from a peer that opened it | idle limit | closed |
//! | the peer's taking of what is written | message limit | closed |
//! | a pong, from a peer that has sent one before | keep-alive limit | closed |

use core::time::Duration;

use sip::wire::{Frame, Opener, PING, PONG, StreamFramer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, timeout, timeout_at};

use crate::table::{Place, Queue};

/// Octets read at once.
const READ: usize = 16 << 10;
/// How long what is queued may still be written after the end was decided.
const FAREWELL: Duration = Duration::from_secs(1);
/// A connection of ours on which nothing but our own pings was heard of for this long is closed.
const OUR_IDLE: Duration = Duration::from_secs(3_600);

/// What our pings tell of the peer.
struct Liveness {
    /// The last one went out.
    at: Instant,
    /// Nothing came since.
    awaiting: bool,
    /// Whoever has answered one answers all; others are not to be judged by it.
    answers: bool,
}

/// Serves a connection to its end.
pub(crate) async fn run<IO>(io: IO, place: Place, mut queue: Queue)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (reader, mut writer) = split(io);
    let decent = tokio::select! {
        decent = read(reader, &place) => decent,
        () = write(&mut writer, &place, &mut queue) => false,
        () = place.closing() => false,
    };
    if decent {
        // The answer to what made us end it.
        let rest = async {
            while let Some(bytes) = queue.ready() {
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            let _ = writer.shutdown().await;
        };
        let _ = timeout(FAREWELL, rest).await;
    }
}

/// Reads until the end; true if what is queued is still to be written.
async fn read<IO: AsyncRead>(mut io: ReadHalf<IO>, place: &Place) -> bool {
    let limits = place.table.limits;
    let (opener, idle, first) = if place.accepted {
        (Opener::Peer, limits.idle, limits.message)
    } else {
        (Opener::Ourselves, OUR_IDLE, OUR_IDLE)
    };
    let mut framer = StreamFramer::new(opener);
    let mut buffer = vec![0; READ];
    let mut until = Instant::now() + first;
    let mut alive = Liveness {
        at: Instant::now(),
        awaiting: false,
        answers: false,
    };
    loop {
        let wait = match opener {
            Opener::Ourselves if !framer.is_within_message() => {
                until.min(alive.at + limits.keep_alive)
            }
            Opener::Ourselves | Opener::Peer => until,
        };
        let length = match timeout_at(wait, io.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return false,
            Ok(Ok(length)) => length,
            Err(_) if wait < until => {
                if alive.awaiting && alive.answers {
                    tracing::debug!(remote = %place.flow.remote, "no pong");
                    return false;
                }
                place.send(PING);
                alive.at = Instant::now();
                alive.awaiting = true;
                continue;
            }
            Err(_) => return too_slow(&mut framer, place),
        };
        let mut octets = buffer.get(..length).unwrap_or_default();
        let within = framer.is_within_message();
        let mut cut = false;
        loop {
            match framer.take(&mut octets) {
                Ok(Some(Frame::Message(bytes))) => place.deliver(bytes).await,
                Ok(Some(Frame::Ping)) => place.send(PONG),
                Ok(Some(Frame::Pong)) => alive.answers = true,
                Ok(None) => break,
                Err(malformed) => {
                    place.table.counts().framing_lost.add();
                    answer(place, malformed);
                    return true;
                }
            }
            cut = true;
        }
        let now = Instant::now();
        alive.awaiting = false;
        if !framer.is_within_message() {
            until = now + idle;
        } else if !within || cut {
            until = now + limits.message;
        }
    }
}

/// The wait for more has lasted too long.
fn too_slow(framer: &mut StreamFramer, place: &Place) -> bool {
    if !framer.is_within_message() {
        return false;
    }
    place.table.counts().slow.add();
    if let Some(malformed) = framer.give_up() {
        answer(place, malformed);
    }
    true
}

/// Puts the answer to a message that cannot be handed up into the queue.
fn answer(place: &Place, malformed: sip::Malformed) {
    tracing::debug!(remote = %place.flow.remote, problem = %malformed.problem, "framing lost");
    if let Some(mut answer) = malformed.answer {
        // On a connection it goes back on it: only Via is completed.
        let _ = sip::address_response(&mut answer, place.flow);
        place.send(&answer.to_bytes());
    }
}

/// Writes the queue until it ends or the peer does not take it.
async fn write<IO: AsyncWrite>(io: &mut WriteHalf<IO>, place: &Place, queue: &mut Queue) {
    while let Some(bytes) = queue.next().await {
        let limit = place.table.limits.message;
        match timeout(limit, async {
            io.write_all(&bytes).await.and(io.flush().await)
        })
        .await
        {
            Ok(Ok(())) => queue.written(bytes.len()),
            Ok(Err(_)) => return,
            Err(_) => {
                place.table.counts().slow.add();
                return;
            }
        }
    }
}
