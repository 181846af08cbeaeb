//! Owns the start and the stop of the engine: every part in its order, and what each is told.

mod api;
mod callers;
pub mod control;
mod keeper;
mod operators;
mod orders;
mod plans;
mod queues;
mod reload;
mod services;
mod signalling;
mod tap;
mod translate;
mod trunks;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use journal::desk::Desk;
use journal::forms::Forms;
use journal::{Journal, Recovery};
use recorder::crypt::Keys;
use recorder::{Recorder, Report};
use switch::{Input, Switch};
use trace::Tracer;
use vocab::media::RecordingKey;
use vocab::{MissingReason, WallTime};

use crate::daily;
use crate::driver::{self, Driver, Inbox, Outbox, Parts, Picture};
use crate::input_log::{self, InputLog};
use crate::keeping::Keeping;
use crate::settings::{Problem, Settings};
use crate::webhooks;
use keeper::Keeper;
use reload::Library;

pub use plans::{
    Loaded, Mistake as PlanMistake, load as load_plans, plans_of, read_calendars, read_plan,
    read_plans,
};
pub use signalling::Certificates;

/// How long the peers get to answer our BYEs at a stop.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long recordings may take to be finished at a stop.
const LAST_RECORDINGS: Duration = Duration::from_secs(20);
/// Callers whose operators are handed in at once: a millisecond of the driver's.
const REGULARS_PIECE: usize = 1_000;
/// And then the driver has so long for calls.
const REGULARS_PAUSE: Duration = Duration::from_millis(20);
/// How often a stop looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The running engine.
pub struct Engine {
    driver: Driver,
    library: Mutex<Library>,
    recorder: Recorder,
    keeper: Keeper,
    trace: Option<trace::Running>,
    input_log: Option<input_log::Running>,
    addresses: Vec<SocketAddr>,
    listening: Vec<(sip::Transport, SocketAddr)>,
    api: Option<SocketAddr>,
    runtime: tokio::runtime::Runtime,
    /// That of SIP messages, which wait for nothing else.
    messages: tokio::runtime::Runtime,
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
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        raise_descriptor_limit();
        let epoch = Instant::now();
        let wall_zero = driver::wall_clock();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("io")
            .enable_all()
            .build()
            .context("cannot start the IO threads")?;
        let messages = signalling::runtime().context("cannot start the thread of SIP messages")?;
        if let Some(problem) = settings.secret_problems().first() {
            anyhow::bail!("{problem}");
        }
        let certificates = Certificates::load(settings).map_err(first_of)?;
        let forms = Arc::new(read_forms(&settings.journal)?);
        let (library, mut change) = Library::begin(plans::load_or_explain(settings)?);
        let (inbox, outbox) = driver::inbox(epoch);
        let transport = {
            let _entered = messages.enter();
            signalling::listen(settings, certificates, &inbox)?
        };
        let listening = transport.addresses();
        let addresses: Vec<SocketAddr> = listening
            .iter()
            .filter(|(protocol, _)| *protocol == sip::Transport::Udp)
            .map(|(_, address)| *address)
            .collect();
        let (boot, journal, recovery) = open_journal(settings, wall_zero, &inbox)?;
        let (taps, recorder) = open_recorder(settings, wall_zero, &inbox, &recovery)?;
        let taps = tap::adapt(taps);
        let (tracer, trace) = open_trace(settings)?;
        let identity = translate::browser_identity(settings)?;
        let media = {
            let inbox = inbox.clone();
            let report = move |event| inbox.input(Input::Media(event));
            let media = translate::media(settings, taps.len(), identity.clone());
            media::Media::start(media, epoch, change.take_audio(), taps, report)
                .context("cannot start the media threads")?
        };
        let head = input_log::Head {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot,
            at: wall_zero,
            seed: random_bytes()?,
            listening: listening.clone(),
            certificate: identity.as_ref().map(media::Identity::fingerprint),
            settings: settings.sha256.clone(),
        };
        let switch = Switch::new(switch_settings(settings, &head)?);
        let (inputs, input_log) = open_input_log(settings, &head)?;
        let zone = settings.journal.zone();
        inbox.input(Input::Wall(driver::wall_clock()));
        inbox.input(driver::local_clock(&zone, driver::wall_clock()));
        change.hand(&inbox);
        let operators = runtime.block_on(operators::follow(
            &settings.journal.database,
            addresses.clone(),
            inbox.clone(),
        ))?;
        runtime.spawn(operators);
        let callers = runtime.block_on(callers::follow(settings, inbox.clone()))?;
        runtime.spawn(callers);
        restore_standing(&runtime, settings, boot, &inbox);
        restore_regulars(&runtime, settings, &inbox);
        restore_bindings(&runtime, settings, boot, (&addresses, &inbox));
        restore_emergencies(&runtime, settings, boot, &inbox);
        let ledger = control::Engine {
            inbox: inbox.clone(),
            progress: journal.progress(),
        };
        let desk = Desk::new(
            &settings.journal.database,
            Arc::clone(&forms),
            Arc::new(ledger),
        );
        let orders = orders::Orders {
            inbox: inbox.clone(),
            database: settings.journal.database.clone(),
        };
        let progress = journal.progress();
        let answer_wait = settings.journal.answer_wait;
        let resolve = signalling::resolver(settings, &runtime, inbox.clone());
        let fetch = services::fetcher(&runtime, inbox.clone());
        let parts = Parts {
            switch,
            transport,
            resolve,
            fetch,
            media,
            journal,
            tracer,
            inputs,
            answer_wait,
            zone,
        };
        let keeping = Keeping::of(settings)?;
        let uploading = keeping.uploading();
        let keeper = Keeper::start(keeping, inbox.clone())
            .context("cannot start the keeper of recordings")?;
        let driver = start_driver(inbox, outbox, parts)?;
        webhooks::start(&runtime, settings, &progress)?;
        daily::start(&runtime, settings, forms);
        let counter = control::Counter {
            desk: desk.clone(),
            orders: orders.clone(),
            picture: driver.shared_picture(),
        };
        control::open(&settings.journal.events, &runtime, counter)?;
        let api = api::Parts {
            desk,
            orders,
            progress,
            picture: driver.shared_picture(),
            recording: recorder.figures(),
            uploading,
        };
        let api = api::start(&runtime, settings, api)?;
        Ok(Self {
            driver,
            library: Mutex::new(library),
            recorder,
            keeper,
            trace,
            input_log,
            addresses,
            listening,
            api,
            runtime,
            messages,
        })
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
        drop(self.keeper);
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

/// Hands in the telephones that were registered before. Without them the engine starts as well:
/// each telephone comes back with its next REGISTER.
fn restore_bindings(
    runtime: &tokio::runtime::Runtime,
    settings: &Settings,
    boot: u32,
    (listening, inbox): (&[SocketAddr], &Inbox),
) {
    let ours = &settings.journal;
    let load = journal::bindings::load(&ours.events, &ours.database, boot);
    match runtime.block_on(load) {
        Ok(registrations) => inbox.input(Input::Bindings {
            registrations,
            listening: listening.to_vec(),
        }),
        Err(error) => tracing::error!(%error, "registered telephones are not taken up again"),
    }
}

/// Hands in what stood at the last event: who was on duty, which queues were closed. Without it the
/// engine starts as well, and everybody is as if nothing had been chosen.
fn restore_standing(
    runtime: &tokio::runtime::Runtime,
    settings: &Settings,
    boot: u32,
    inbox: &Inbox,
) {
    let ours = &settings.journal;
    let load = journal::standing::load(&ours.events, &ours.database, boot);
    match runtime.block_on(load) {
        Ok(standing) => inbox.input(Input::Standing(standing)),
        Err(error) => tracing::error!(%error, "what operators chose is not taken up again"),
    }
}

/// Hands in who talked to whom longer ago, in pieces and while calls are taken already: the talks of a
/// month are a second's work for the database. Until then such callers go to whoever is free.
fn restore_regulars(runtime: &tokio::runtime::Runtime, settings: &Settings, inbox: &Inbox) {
    let (database, inbox) = (settings.journal.database.clone(), inbox.clone());
    runtime.spawn(async move {
        match journal::regulars(&database).await {
            Ok(regulars) => {
                for piece in regulars.chunks(REGULARS_PIECE) {
                    inbox.input(Input::Regulars(piece.to_vec()));
                    tokio::time::sleep(REGULARS_PAUSE).await;
                }
            }
            Err(error) => tracing::error!(%error, "who talked to whom before is not known"),
        }
    });
}

/// Hands in the emergency switches that people have set. Should they not be readable, the plans' files
/// count, and that is told as loudly as can be.
fn restore_emergencies(
    runtime: &tokio::runtime::Runtime,
    settings: &Settings,
    boot: u32,
    inbox: &Inbox,
) {
    let ours = &settings.journal;
    let load = journal::emergencies::load(&ours.events, &ours.database, boot);
    match runtime.block_on(load) {
        Ok(events) => {
            let switched: BTreeMap<String, bool> = events.iter().filter_map(switched).collect();
            for (plan, on) in &switched {
                tracing::warn!(plan, on, "the emergency switch stands as a person set it");
            }
            inbox.input(Input::Emergencies(switched));
        }
        Err(error) => tracing::error!(%error, "the emergency switches are not known"),
    }
}

/// The plan and the place of its switch, where it is not as the file says.
fn switched(event: &vocab::Event) -> Option<(String, bool)> {
    match &event.fact {
        vocab::Fact::EmergencySwitched { plan, on, .. } => Some((plan.clone(), (*on)?)),
        _ => None,
    }
}

fn open_journal(
    settings: &Settings,
    wall: WallTime,
    inbox: &Inbox,
) -> anyhow::Result<(u32, Journal, Recovery)> {
    let ours = &settings.journal;
    make_parent_of(&ours.database)?;
    let boot = journal::choose_boot(&ours.events, wall)?;
    let told = journal::Settings {
        dir: ours.events.clone(),
        database: ours.database.clone(),
        group: ours.group,
    };
    let inbox = inbox.clone();
    let (journal, recovery) = journal::start(told, boot, move |event| inbox.durable(event))?;
    if !recovery.interrupted.is_empty() {
        let calls = recovery.interrupted.len();
        tracing::warn!(calls, "calls were cut off by a crash; each has an entry");
    }
    Ok((boot, journal, recovery))
}

/// Starts the recorder; what an earlier process left is repaired by then, and what is beyond
/// repair is said in the journal.
fn open_recorder(
    settings: &Settings,
    wall_zero: WallTime,
    inbox: &Inbox,
    recovery: &Recovery,
) -> anyhow::Result<(Vec<recorder::Tap>, Recorder)> {
    let reported: Arc<Mutex<BTreeSet<RecordingKey>>> = Arc::default();
    let report = {
        let (inbox, reported) = (inbox.clone(), Arc::clone(&reported));
        move |report: Report| {
            if let Report::Stored { key, .. } | Report::Missing { key, .. } = &report {
                reported
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(*key);
            }
            take_report(&inbox, report);
        }
    };
    let told = translate::recorder(settings)?;
    if !told.keys.encrypts() {
        tracing::warn!("recordings are not encrypted at rest: [recordings] encryption = \"none\"");
    } else if told.keys.can_read() && !told.keys.reads_what_it_writes() {
        tracing::warn!("no key of recordings.identity reads what is recorded from now on");
    }
    let root = told.root.clone();
    let started = recorder::start(told, wall_zero, report)?;
    let repaired = reported.lock().unwrap_or_else(PoisonError::into_inner);
    let awaited: Vec<RecordingKey> = recovery
        .recordings_awaited
        .iter()
        .filter(|key| !repaired.contains(key))
        .copied()
        .collect();
    drop(repaired);
    // They may lie there all the same: stored, and the journal was not told before the crash, or
    // `hotline recordings repair` made them.
    let found: BTreeMap<_, _> = recorder::mend::find(&root, &awaited)?.into_iter().collect();
    for key in awaited {
        inbox.input(match found.get(&key).cloned() {
            Some(file) => Input::RecordingStored { key, file },
            None => Input::RecordingMissing {
                key,
                reason: MissingReason::LostInCrash,
            },
        });
    }
    Ok(started)
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

fn open_input_log(
    settings: &Settings,
    head: &input_log::Head,
) -> anyhow::Result<(InputLog, Option<input_log::Running>)> {
    let ours = &settings.input_log;
    if !ours.enabled {
        return Ok((InputLog::off(), None));
    }
    let wanted = input_log::Settings {
        folder: ours.folder.clone(),
        size: ours.size.0,
    };
    let (log, running) = input_log::start(&wanted, head)
        .with_context(|| format!("cannot write the input log in {}", ours.folder.display()))?;
    Ok((log, Some(running)))
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

fn open_trace(settings: &Settings) -> anyhow::Result<(Tracer, Option<trace::Running>)> {
    let ours = &settings.trace;
    if !ours.enabled {
        return Ok((Tracer::off(), None));
    }
    let (tracer, running) = trace::start(trace::Settings {
        folder: ours.folder.clone(),
        size: ours.size.0,
        age: ours.age,
    })?;
    Ok((tracer, Some(running)))
}

fn take_report(inbox: &Inbox, report: Report) {
    match report {
        Report::Stored { key, file } => inbox.input(Input::RecordingStored { key, file }),
        Report::Missing { key, reason } => inbox.input(Input::RecordingMissing { key, reason }),
        Report::DiskTrouble { message } => {
            tracing::error!(message, "recordings cannot be written");
            inbox.input(Input::RecordingTrouble(true));
        }
        Report::DiskFine => {
            tracing::info!("recordings can be written again");
            inbox.input(Input::RecordingTrouble(false));
        }
        Report::LowWater { path, free } => {
            let path = path.display();
            tracing::error!(%path, free, "little room is left for recordings");
        }
        Report::RoomAgain => tracing::info!("there is room for recordings again"),
        Report::FinaliserLate { lag, waiting } => {
            let seconds = lag.as_secs();
            tracing::error!(seconds, waiting, "recordings wait too long to be stored");
        }
        Report::FinaliserInTime => tracing::info!("recordings are stored in time again"),
    }
}

fn start_driver(inbox: Inbox, outbox: Outbox, parts: Parts) -> anyhow::Result<Driver> {
    Driver::start(inbox, outbox, parts).context("cannot start the driver thread")
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
