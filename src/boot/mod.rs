//! Owns the start and the stop of the engine: every part in its order, and what each is told.

mod api;
mod callers;
pub mod control;
mod keeper;
mod opening;
mod operators;
mod orders;
mod plans;
mod queues;
mod recording;
mod reload;
mod services;
mod signalling;
mod standing;
mod tap;
mod translate;
mod trunks;
mod wiring;

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use journal::forms::Forms;
use recorder::Recorder;
use recorder::crypt::Keys;
use switch::Input;

use crate::driver::{self, Driver, Picture};
use crate::handover::{self, Host, Predecessor};
use crate::input_log;
use crate::settings::{Problem, Settings};
use opening::{Clock, Opening, Runtimes};
use reload::Library;
use wiring::{Services, Wiring};

pub use plans::{
    Loaded, Mistake as PlanMistake, load as load_plans, plans_of, read_calendars, read_plan,
    read_plans,
};
pub use signalling::Certificates;

/// How long the peers get to answer our BYEs at a stop.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long recordings may take to be finished at a stop.
const LAST_RECORDINGS: Duration = Duration::from_secs(20);
/// How often a stop looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The running engine.
pub struct Engine {
    driver: Driver,
    library: Mutex<Library>,
    recorder: Recorder,
    services: Services,
    host: Host,
    trace: Option<trace::Running>,
    input_log: Option<input_log::Running>,
    addresses: Vec<SocketAddr>,
    listening: Vec<(sip::Transport, SocketAddr)>,
    api: Option<SocketAddr>,
    /// That of what calls need: names, web services, the tables of people.
    runtime: tokio::runtime::Runtime,
    /// That of SIP messages, which wait for nothing else.
    messages: tokio::runtime::Runtime,
}

/// How an engine begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With sockets of its own.
    Anew,
    /// With those of the engine that runs with the same event files, whose calls go on there; as
    /// [`Self::Anew`] if none runs.
    TakeOver,
}

/// What a stop left behind.
#[derive(Debug, Clone, Copy)]
pub struct Stopped {
    /// Facts that could not be kept on disk.
    pub facts_lost: u64,
    /// Facts that the database will get at the next start.
    pub facts_not_in_sql: u64,
    /// The last live picture's count of broken invariants.
    pub bugs: u64,
}

impl Engine {
    /// Starts every part; when this returns calls are taken.
    ///
    /// # Errors
    /// One plain sentence: a port in use, a folder that cannot be written, a broken database.
    pub fn start(settings: &Settings, begin: Begin) -> anyhow::Result<Self> {
        raise_descriptor_limit();
        let clock = Clock {
            epoch: Instant::now(),
            wall: driver::wall_clock(),
        };
        let runtimes = Runtimes::start()?;
        if let Some(problem) = settings.secret_problems().first() {
            anyhow::bail!("{problem}");
        }
        let certificates = Certificates::load(settings).map_err(first_of)?;
        let forms = Arc::new(read_forms(&settings.journal)?);
        let (library, mut change) = Library::begin(plans::load_or_explain(settings)?);
        let (inbox, intake) = driver::inbox(clock.epoch);
        // From here on callers of an engine that leaves wait for us.
        let mut predecessor = match begin {
            Begin::Anew => None,
            Begin::TakeOver => handover::take_over(&settings.journal.events)?,
        };
        let transport = {
            let _entered = runtimes.messages.enter();
            let sockets = predecessor.as_mut().map(Predecessor::take_sockets);
            let sockets = sockets.unwrap_or_default();
            signalling::listen(settings, certificates, sockets, &inbox)?
        };
        let opening = Opening {
            settings,
            clock,
            inbox: &inbox,
            predecessor: predecessor.as_ref(),
        };
        let opened = opening.open(transport, change.take_audio())?;
        opening.begin(&runtimes.calls, &opened, change)?;
        let wiring = Wiring {
            settings,
            runtimes,
            forms,
            opened,
            inbox,
            library,
        };
        wiring.wire(intake, predecessor)
    }

    /// Where SIP over UDP is taken.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where SIP is taken, by which transport.
    #[must_use]
    pub fn listening(&self) -> &[(sip::Transport, SocketAddr)] {
        &self.listening
    }

    /// Where the HTTP API is, if it is.
    #[must_use]
    pub fn api(&self) -> Option<SocketAddr> {
        self.api
    }

    /// The live picture.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.driver.picture()
    }

    /// Recordings that are not on disk yet.
    #[must_use]
    pub fn recordings_pending(&self) -> usize {
        self.recorder.pending()
    }

    /// Why the engine cannot go on, if it cannot: whoever supervises it is to start it anew, and
    /// the journal closes the calls that were up.
    #[must_use]
    pub fn failure(&self) -> Option<&'static str> {
        if self.driver.is_dead() {
            Some("the driver thread has ended; the log says why")
        } else if self.driver.picture().process.media_dead {
            Some("a media thread has ended; the log says why")
        } else {
            None
        }
    }

    /// Takes no new calls from now on; those that are up go on.
    pub fn drain(&self) {
        self.driver.inbox().input(Input::Drain);
    }

    /// Loads the plans anew: all of them, or none. Calls that are up keep theirs. May take as long
    /// as the making of new prompts does.
    pub fn reload_plans(&self, settings: &Settings) {
        match plans::load(settings).and_then(plans::with_notices) {
            Ok(loaded) => reload::reload(&self.library, loaded, self.driver.inbox()),
            Err(mistakes) => {
                for mistake in &mistakes {
                    tracing::error!(%mistake, "a mistake in the plans");
                }
                let mistakes = mistakes.len();
                tracing::error!(mistakes, "the plans stay as they were");
            }
        }
    }

    /// Runs a future on the engine's IO threads.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Reads the table of operators now, rather than within half a second of its change.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn read_operators(&self, settings: &Settings) -> anyhow::Result<()> {
        let database = &settings.journal.database;
        let inbox = self.driver.inbox();
        self.runtime
            .block_on(operators::read_once(database, &self.addresses, inbox))
    }

    /// Leaves a future to the engine's IO threads.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) {
        self.runtime.spawn(future);
    }

    /// Ends every call, finishes recordings and journal, and stops.
    ///
    /// # Errors
    /// If the driver panicked.
    pub fn stop(self) -> anyhow::Result<Stopped> {
        self.driver.inbox().input(Input::Stop);
        wait_until(GOODBYE, || {
            let picture = self.driver.picture();
            self.driver.is_dead()
                || (picture.process.draining && picture.calls + picture.closing == 0)
        });
        wait_until(LAST_RECORDINGS, || self.recorder.pending() == 0);
        // Its last reports reach the driver before the word to exit does.
        self.recorder.stop();
        drop(self.services.end());
        let bugs = self.driver.picture().snapshot.counts.bugs;
        let parts = self.driver.stop().context("the driver thread panicked")?;
        parts.media.stop();
        drop(parts.transport);
        drop(parts.tracer);
        drop(parts.inputs);
        if let Some(trace) = self.trace {
            trace.join();
        }
        if let Some(input_log) = self.input_log {
            input_log.join();
        }
        let journal = parts.journal.stop();
        self.host.gone();
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        self.messages.shutdown_timeout(Duration::from_secs(1));
        Ok(Stopped {
            facts_lost: journal.lost,
            facts_not_in_sql: journal.not_in_sql,
            bugs,
        })
    }
}

/// The first of several mistakes: a start tells one.
fn first_of(problems: Vec<Problem>) -> anyhow::Error {
    let first = problems.into_iter().next();
    first.map_or_else(
        || anyhow::anyhow!("the settings cannot be used"),
        anyhow::Error::from,
    )
}

/// To whom recordings are encrypted, and with what they are read here.
///
/// # Errors
/// If a key cannot be used.
pub fn recording_keys(settings: &Settings) -> anyhow::Result<Keys> {
    translate::recording_keys(settings)
}

/// The queues as the ACD is told of them.
#[must_use]
pub fn queue_settings(settings: &Settings) -> Vec<acd::QueueSettings> {
    queues::queues(settings)
}

/// What the recorder is told.
///
/// # Errors
/// If a key cannot be used.
pub fn recorder_settings(settings: &Settings) -> anyhow::Result<recorder::Settings> {
    translate::recorder(settings)
}

/// What the switch is told of the settings by a process with these circumstances.
///
/// # Errors
/// If a secret or a key cannot be read.
pub fn switch_settings(
    settings: &Settings,
    head: &input_log::Head,
) -> anyhow::Result<switch::Settings> {
    translate::switch(settings, head)
}

/// Random octets from the kernel.
///
/// # Errors
/// If the kernel gives none.
pub fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("the kernel gives no random numbers")?;
    Ok(bytes)
}

/// Makes the folder that a database is to be in, if it is a file.
///
/// # Errors
/// One sentence naming the folder.
pub fn make_parent_of(database: &journal::Location) -> anyhow::Result<()> {
    database.file().map_or(Ok(()), make_parent)
}

/// The forms of entries.
///
/// # Errors
/// One sentence with the file and the first mistake in it.
pub fn read_forms(settings: &crate::settings::Journal) -> anyhow::Result<Forms> {
    let within = settings.complete_within;
    let Some(path) = &settings.forms else {
        return Ok(Forms::plain(within));
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the forms {} cannot be read", path.display()))?;
    Forms::parse(&text, within).with_context(|| format!("the forms {}", path.display()))
}

/// Makes the folder that a file is to be in.
///
/// # Errors
/// One sentence naming the folder.
pub fn make_parent(file: &Path) -> anyhow::Result<()> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display())),
        _ => Ok(()),
    }
}

fn wait_until(longest: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + longest;
    while !done() && Instant::now() < end {
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A call needs some descriptors; the usual soft limit of 1,024 is too few for a hotline.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let wanted = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, wanted) {
            tracing::warn!(%error, "the limit of open files stays low");
        }
    }
}
