//! Owns the connecting of the parts of an engine, and what runs around its core.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use journal::desk::Desk;
use journal::forms::Forms;
use switch::Input;
use tokio::runtime::Runtime;

use super::keeper::Keeper;
use super::opening::{Opened, Runtimes};
use super::reload::Library;
use super::{Engine, api, control, orders, recording, services, signalling, standing};
use crate::driver::{self, Driver, Inbox, Intake, Parts};
use crate::handover::{End, Goods, Host, Peer, Predecessor};
use crate::keeping::Keeping;
use crate::settings::Settings;
use crate::{daily, webhooks};

/// How long services may take to end at a handover.
const LAST_SERVICE: Duration = Duration::from_millis(200);

/// What a leaving engine ends, because only one engine may do it.
#[derive(Clone)]
pub(super) struct Services(Arc<Mutex<Option<(Runtime, Keeper)>>>);

impl Services {
    /// Ends them, and gives back the keeper of recordings, which finishes that at which it is. Not from within
    /// a tokio runtime.
    pub(super) fn end(&self) -> Option<Keeper> {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (runtime, keeper) = running?;
        runtime.shutdown_timeout(LAST_SERVICE);
        Some(keeper)
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
        let keeping = Keeping::of(settings)?;
        let uploading = keeping.uploading();
        let keeper = Keeper::start(keeping, inbox.clone())
            .context("cannot start the keeper of recordings")?;
        let driver = Driver::start(inbox.clone(), intake, parts)
            .context("cannot start the driver thread")?;
        let services = runtimes.services;
        let facing = Facing {
            settings,
            forms,
            inbox: &inbox,
            driver: &driver,
            progress,
        };
        let recording = opened.recorder.figures();
        let api = facing.open(&services, recording, uploading)?;
        let services = Services(Arc::new(Mutex::new(Some((services, keeper)))));
        let lives = predecessor.as_ref().map(Predecessor::lives);
        if let Some(predecessor) = predecessor {
            succeed(
                predecessor,
                &runtimes.calls,
                settings,
                (&peer, &inbox, &helm, boot),
            )?;
        }
        let goods = Goods {
            boot,
            inbox,
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

/// What faces people and other programs.
struct Facing<'a> {
    settings: &'a Settings,
    forms: Arc<Forms>,
    inbox: &'a Inbox,
    driver: &'a Driver,
    progress: journal::Progress,
}

impl Facing<'_> {
    /// Opens the doors for commands and requests; where the API is, if it is.
    fn open(
        self,
        runtime: &Runtime,
        recording: recorder::Figures,
        uploading: Arc<crate::keeping::Figures>,
    ) -> anyhow::Result<Option<std::net::SocketAddr>> {
        let (settings, inbox) = (self.settings, self.inbox);
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
        webhooks::start(runtime, settings, &self.progress)?;
        daily::start(runtime, settings, self.forms);
        let counter = control::Counter {
            desk: desk.clone(),
            orders: orders.clone(),
            picture: self.driver.shared_picture(),
        };
        control::open(&settings.journal.events, runtime, counter)?;
        let api = api::Parts {
            desk,
            orders,
            progress: self.progress,
            picture: self.driver.shared_picture(),
            recording,
            uploading,
        };
        api::start(runtime, settings, api)
    }
}

/// Hears a predecessor from now on, and clears up after it.
fn succeed(
    predecessor: Predecessor,
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
        .follow(peer, inbox.clone(), clear_up)
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
