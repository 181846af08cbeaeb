//! Owns the door by which commands of this machine ask the running engine to write into the journal,
//! or give it orders: a socket in the folder of event files, for the engine's user alone. One line of JSON each way.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use journal::desk::{Answer, Desk, Done, Ledger, Refusal, Stated, Statement, Wish};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use vocab::{EventId, Instruction, OrderRefusal, Snapshot};

use super::orders::Orders;
use crate::driver::{Inbox, Picture};
use crate::private_socket;

/// Longest line: the longest fields of an entry, each octet escaped.
const LINE_MAX: u64 = 1 << 20;
/// Commands served at once; more wait.
const AT_ONCE: usize = 16;
/// How long a command waits for the engine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Request {
    /// An order to the queues.
    Order(Instruction),
    /// Something to be written into the journal.
    Wish(Wish),
    /// The live picture.
    Look {
        /// Nothing else can be looked at.
        look: Look,
    },
}

/// What can be looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// The live picture.
    Picture,
}

/// What goes back to a command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(Done),
    Refused(Refusal),
    Ordered(EventId),
    NotOrdered(OrderRefusal),
    Picture(Box<Snapshot>),
}

/// What stands behind the door.
#[derive(Clone)]
pub(super) struct Counter {
    pub(super) desk: Desk,
    pub(super) orders: Orders,
    pub(super) picture: Arc<Mutex<Picture>>,
}

impl Counter {
    async fn serve(&self, request: Request) -> Reply {
        match request {
            Request::Wish(wish) => match self.desk.carry_out(wish).await {
                Ok(done) => Reply::Done(done),
                Err(refusal) => Reply::Refused(refusal),
            },
            Request::Order(wanted) => match console::Orders::give(&self.orders, wanted).await {
                Ok(event) => Reply::Ordered(event),
                Err(refusal) => Reply::NotOrdered(refusal),
            },
            Request::Look {
                look: Look::Picture,
            } => {
                let picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
                Reply::Picture(Box::new(picture.snapshot.clone()))
            }
        }
    }
}

fn socket(events: &Path) -> PathBuf {
    events.join("control")
}

/// The ledger of the running engine: facts go through the driver, like its own.
pub(super) struct Engine {
    pub(super) inbox: Inbox,
    pub(super) progress: journal::Progress,
}

impl Ledger for Engine {
    fn state(&self, statement: Statement) -> Answer<'_, Result<Stated, String>> {
        let stated = self.inbox.write(statement);
        Box::pin(async move {
            let stated = stated.await;
            stated.map_err(|_| "the engine is about to stop".to_owned())
        })
    }

    fn in_sql(&self, event: EventId) -> Answer<'_, ()> {
        let mut progress = self.progress.clone();
        Box::pin(async move { progress.reached(event).await })
    }
}

/// Opens the door.
pub(super) fn open(
    events: &Path,
    runtime: &tokio::runtime::Runtime,
    counter: Counter,
) -> anyhow::Result<()> {
    let listener = private_socket::listen(&socket(events), "commands")?;
    listener.set_nonblocking(true)?;
    let _entered = runtime.enter();
    let listener = UnixListener::from_std(listener)?;
    runtime.spawn(serve(listener, counter));
    Ok(())
}

async fn serve(listener: UnixListener, counter: Counter) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let counter = counter.clone();
                tokio::spawn(async move {
                    let served = tokio::time::timeout(PATIENCE, answer(stream, counter)).await;
                    if let Ok(Err(error)) = served {
                        tracing::debug!(%error, "a command went away");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "commands cannot reach the engine");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(stream: tokio::net::UnixStream, counter: Counter) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = tokio::io::BufReader::new(read.take(LINE_MAX));
    read.read_line(&mut line).await?;
    let reply = match serde_json::from_str::<Request>(&line) {
        Ok(request) => counter.serve(request).await,
        Err(error) => Reply::Refused(Refusal::Unfit {
            message: format!("the engine does not understand the command: {error}"),
        }),
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

/// Whether an engine runs with these event files.
#[must_use]
pub fn is_running(events: &Path) -> bool {
    UnixStream::connect(socket(events)).is_ok()
}

/// Asks the engine that runs with these event files; `None` if none does.
///
/// # Errors
/// If the engine does not answer.
pub fn ask(events: &Path, wish: &Wish) -> anyhow::Result<Option<Result<Done, Refusal>>> {
    let reply = request(events, &Request::Wish(wish.clone()))?;
    Ok(match reply {
        None => None,
        Some(Reply::Done(done)) => Some(Ok(done)),
        Some(Reply::Refused(refusal)) => Some(Err(refusal)),
        Some(other) => return Err(not_understood(&other)),
    })
}

/// Gives an order to the engine that runs with these event files; `None` if none does.
///
/// # Errors
/// If the engine does not answer.
pub fn order(
    events: &Path,
    wanted: Instruction,
) -> anyhow::Result<Option<Result<EventId, OrderRefusal>>> {
    Ok(match request(events, &Request::Order(wanted))? {
        None => None,
        Some(Reply::Ordered(event)) => Some(Ok(event)),
        Some(Reply::NotOrdered(refusal)) => Some(Err(refusal)),
        Some(other) => return Err(not_understood(&other)),
    })
}

/// Asks the engine that runs with these event files for the live picture; `None` if none does.
///
/// # Errors
/// If the engine does not answer.
pub fn picture(events: &Path) -> anyhow::Result<Option<Snapshot>> {
    let look = Look::Picture;
    Ok(match request(events, &Request::Look { look })? {
        None => None,
        Some(Reply::Picture(picture)) => Some(*picture),
        Some(other) => return Err(not_understood(&other)),
    })
}

fn not_understood(reply: &Reply) -> anyhow::Error {
    // What an older engine says to a question that it does not know.
    match reply {
        Reply::Refused(refusal) => anyhow::anyhow!("{refusal}"),
        Reply::Done(_) | Reply::Ordered(_) | Reply::NotOrdered(_) | Reply::Picture(_) => {
            anyhow::anyhow!("the engine answered something else than was asked")
        }
    }
}

fn request(events: &Path, request: &Request) -> anyhow::Result<Option<Reply>> {
    let path = socket(events);
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot reach {}", path.display()));
        }
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    stream.write_all(text.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .context("the engine does not answer")?;
    let reply = serde_json::from_str(&line).context("the engine's answer is not understood")?;
    Ok(Some(reply))
}
