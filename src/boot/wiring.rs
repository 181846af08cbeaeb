//! Owns the connecting of the parts of an engine, and what runs around its core.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use crossbeam_channel::Receiver;
use journal::desk::Desk;
use journal::forms::Forms;
use switch::Input;
use tokio::runtime::Runtime;

use super::keeper::Keeper;
use super::opening::{Opened, Runtimes};
use super::reload::Library;
use super::{Engine, api, control, opening, orders, recording, services, signalling, standing};
use crate::driver::{self, Driver, Inbox, Intake, Parts, Picture};
use crate::handover::{End, Goods, Host, Peer, Predecessor, Told};
use crate::keeping::Keeping;
use crate::settings::Settings;
use crate::{daily, webhooks};

/// How long services may take to end at a handover.
const LAST_SERVICE: Duration = Duration::from_millis(200);

/// What runs, and where the API is.
type Running = (Runtime, Keeper, Option<SocketAddr>);

/// What only one of two engines may do: a leaving one ends it, and begins it again should its successor die.
#[derive(Clone)]
pub(super) struct Services(Arc<Inner>);

struct Inner {
    running: Mutex<Option<(Runtime, Keeper)>>,
    facing: Facing,
}

impl Services {
    /// Begins them; where the API is, if it is.
    fn start(facing: Facing) -> anyhow::Result<(Self, Option<SocketAddr>)> {
        let (runtime, keeper, api) = facing.open()?;
        let inner = Inner {
            running: Mutex::new(Some((runtime, keeper))),
            facing,
        };
        Ok((Self(Arc::new(inner)), api))
    }

    /// Ends them, and gives back the keeper of recordings, which finishes that at which it is. Not from within
    /// a tokio runtime.
    pub(super) fn end(&self) -> Option<Keeper> {
        let (runtime, keeper) = self.running().take()?;
        runtime.shutdown_timeout(LAST_SERVICE);
        Some(keeper)
    }

    /// Begins them again, if they were ended.
    fn resume(&self) {
        if self.running().is_some() {
            return;
        }
        match self.0.facing.open() {
            Ok((runtime, keeper, _)) => *self.running() = Some((runtime, keeper)),
            Err(error) => tracing::error!(%error, "calls go on without API and webhooks"),
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<(Runtime, Keeper)>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be connected.
pub(super) struct Wiring<'a> {
    pub(super) settings: &'a Settings,
    pub(super) runtimes: Runtimes,
    pub(super) forms: Arc<Forms>,
    pub(super) opened: Opened,
    pub(super) inbox: Inbox,
    pub(super) library: Library,
}

impl Wiring<'_> {
    /// Connects everything: when this returns calls are taken.
    pub(super) fn wire(
        self,
        intake: Intake,
        predecessor: Option<Predecessor>,
    ) -> anyhow::Result<Engine> {
        let Self {
            settings,
            runtimes,
            forms,
            opened,
            inbox,
            library,
        } = self;
        let (boot, addresses) = (opened.boot, opened.addresses());
        let (progress, helm) = (opened.journal.progress(), opened.journal.helm());
        let (doors, peer) = (opened.transport.doors(), Peer::default());
        let parts = Parts {
            switch: opened.switch,
            transport: opened.transport,
            resolve: signalling::resolver(settings, &runtimes.calls, inbox.clone()),
            fetch: services::fetcher(&runtimes.calls, inbox.clone()),
            media: opened.media,
            journal: opened.journal,
            tracer: opened.tracer,
            inputs: opened.inputs,
            peer: peer.clone(),
            answer_wait: settings.journal.answer_wait,
            zone: settings.journal.zone(),
        };
        // What waits in the sockets may be the predecessor's.
        let followed = predecessor.map(|predecessor| (predecessor, peer.open()));
        let driver = Driver::start(inbox.clone(), intake, parts)
            .context("cannot start the driver thread")?;
        let (services, api) = Services::start(Facing {
            settings: settings.clone(),
            forms,
            inbox: inbox.clone(),
            picture: driver.shared_picture(),
            progress,
            recording: opened.recorder.figures(),
        })?;
        let lives = followed
            .as_ref()
            .map(|(predecessor, _)| predecessor.lives());
        if let Some(followed) = followed {
            succeed(
                followed,
                &runtimes.calls,
                settings,
                (&peer, &inbox, &helm, boot),
            )?;
        }
        let goods = Goods {
            boot,
            inbox: inbox.clone(),
            doors,
            helm,
            peer,
            end_services: {
                let services = services.clone();
                Box::new(move || {
                    let keeper = services.end();
                    // Callers wait: not for a recording that is being put into the archive.
                    std::thread::spawn(move || drop(keeper));
                })
            },
            resume: resumption(
                settings,
                &runtimes.calls,
                &services,
                (&inbox, boot, &addresses),
            ),
            has_predecessor: Box::new(move || {
                let lives = lives.as_ref();
                lives.is_some_and(|lives: &Arc<AtomicBool>| lives.load(Ordering::Relaxed))
            }),
        };
        let host = Host::start(&settings.journal.events, goods)?;
        Ok(Engine {
            driver,
            library: Mutex::new(library),
            recorder: opened.recorder,
            services,
            host,
            trace: opened.trace,
            input_log: opened.input_log,
            addresses,
            listening: opened.listening,
            api,
            runtime: runtimes.calls,
            messages: runtimes.messages,
        })
    }
}

/// What is to be done when a successor died: its telephones and callbacks are ours, and so is what people and
/// other programs ask for.
fn resumption(
    settings: &Settings,
    runtime: &Runtime,
    services: &Services,
    (inbox, boot, addresses): (&Inbox, u32, &[SocketAddr]),
) -> Box<dyn Fn() + Send> {
    let (settings, runtime, services) =
        (settings.clone(), runtime.handle().clone(), services.clone());
    let (inbox, addresses) = (inbox.clone(), addresses.to_vec());
    Box::new(move || {
        standing::bindings(&runtime, &settings, boot, (&addresses, &inbox));
        standing::standing(&runtime, &settings, boot, &inbox);
        services.resume();
    })
}

/// What faces people and other programs.
struct Facing {
    settings: Settings,
    forms: Arc<Forms>,
    inbox: Inbox,
    picture: Arc<Mutex<Picture>>,
    progress: journal::Progress,
    recording: recorder::Figures,
}

impl Facing {
    /// Opens the doors for commands and requests, and begins to keep recordings.
    fn open(&self) -> anyhow::Result<Running> {
        let (settings, inbox) = (&self.settings, &self.inbox);
        let runtime = opening::named_runtime("services")?;
        let database = &settings.journal.database;
        let ledger = control::Engine {
            inbox: inbox.clone(),
            progress: self.progress.clone(),
        };
        let desk = Desk::new(database, Arc::clone(&self.forms), Arc::new(ledger));
        let orders = orders::Orders {
            inbox: inbox.clone(),
            database: database.clone(),
        };
        let keeping = Keeping::of(settings)?;
        let uploading = keeping.uploading();
        let keeper = Keeper::start(keeping, inbox.clone())
            .context("cannot start the keeper of recordings")?;
        webhooks::start(&runtime, settings, &self.progress)?;
        daily::start(&runtime, settings, Arc::clone(&self.forms));
        let counter = control::Counter {
            desk: desk.clone(),
            orders: orders.clone(),
            picture: Arc::clone(&self.picture),
        };
        control::open(&settings.journal.events, &runtime, counter)?;
        let api = api::Parts {
            desk,
            orders,
            progress: self.progress.clone(),
            picture: Arc::clone(&self.picture),
            recording: self.recording.clone(),
            uploading,
        };
        let api = api::start(&runtime, settings, api)?;
        Ok((runtime, keeper, api))
    }
}

/// Hears a predecessor from now on, and clears up after it.
fn succeed(
    (predecessor, waiting): (Predecessor, Receiver<Told>),
    runtime: &Runtime,
    settings: &Settings,
    (peer, inbox, helm, boot): (&Peer, &Inbox, &journal::Helm, u32),
) -> anyhow::Result<()> {
    let before = predecessor.boot();
    let (settings, runtime, helm) = (settings.clone(), runtime.handle().clone(), helm.clone());
    let clear_up = {
        let inbox = inbox.clone();
        move |end| {
            // Not before all that it said is done.
            let _ = inbox.settled().blocking_recv();
            match end {
                End::Gone => tracing::info!("the engine before this one has ended"),
                End::Died => close_up(before, &settings, &inbox, &helm),
            }
            inbox.input(Input::PredecessorGone);
            standing::standing(&runtime, &settings, boot, &inbox);
        }
    };
    predecessor
        .follow((peer, waiting), inbox.clone(), clear_up)
        .context("cannot start the threads of the handover")
}

/// A leaving engine died: its calls end now, and what it recorded is repaired.
fn close_up(boot: u32, settings: &Settings, inbox: &Inbox, helm: &journal::Helm) {
    let (closing, recovery) = helm.close_boot(boot, driver::wall_clock());
    let calls = recovery.interrupted.len();
    tracing::error!(
        calls,
        "the engine before this one died; each of its calls has an entry"
    );
    inbox.adopt(closing);
    if let Err(error) = recording::repair_left(settings, inbox, &recovery) {
        tracing::error!(%error, "its recordings are repaired at the next start");
    }
}
