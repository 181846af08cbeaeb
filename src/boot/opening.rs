//! Owns the opening of all that an engine stands on, in its order: files, sockets, threads. Nothing is
//! connected yet; that is `wiring`'s.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use anyhow::Context;
use journal::{Journal, Recovery};
use media::{Audio, Media};
use recorder::Recorder;
use switch::{Input, Switch};
use tokio::runtime::{Builder, Handle, Runtime};
use trace::Tracer;
use transport::Transport;
use vocab::WallTime;
use vocab::media::PromptId;

use super::reload::Change;
use super::{callers, operators, recording, signalling, standing, tap, translate};
use crate::driver::{self, Inbox};
use crate::handover::Predecessor;
use crate::input_log::{self, InputLog};
use crate::settings::Settings;

/// The clocks at the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// Time zero of the process.
    pub(super) epoch: Instant,
    /// What the wall clock read then.
    pub(super) wall: WallTime,
}

/// The IO threads.
pub(super) struct Runtimes {
    /// What calls need: names, web services, the tables of people.
    pub(super) calls: Runtime,
    /// SIP messages, which wait for nothing else.
    pub(super) messages: Runtime,
}

/// A runtime of one thread.
pub(super) fn named_runtime(name: &str) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name(name).enable_all();
    builder.build().context("cannot start the IO threads")
}

impl Runtimes {
    pub(super) fn start() -> anyhow::Result<Self> {
        Ok(Self {
            calls: named_runtime("io")?,
            messages: signalling::runtime().context("cannot start the thread of SIP messages")?,
        })
    }
}

/// What an engine is opened with.
pub(super) struct Opening<'a> {
    pub(super) settings: &'a Settings,
    pub(super) clock: Clock,
    pub(super) inbox: &'a Inbox,
    /// The engine whose calls go on.
    pub(super) predecessor: Option<&'a Predecessor>,
}

/// What is open.
pub(super) struct Opened {
    pub(super) boot: u32,
    pub(super) switch: Switch,
    pub(super) transport: Transport,
    pub(super) listening: Vec<(sip::Transport, SocketAddr)>,
    pub(super) journal: Journal,
    pub(super) recorder: Recorder,
    pub(super) media: Media,
    pub(super) tracer: Tracer,
    pub(super) trace: Option<trace::Running>,
    pub(super) inputs: InputLog,
    pub(super) input_log: Option<input_log::Running>,
}

impl Opened {
    /// Where SIP over UDP is taken.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let udp = self.listening.iter();
        let udp = udp.filter(|(protocol, _)| *protocol == sip::Transport::Udp);
        udp.map(|(_, address)| *address).collect()
    }
}

impl Opening<'_> {
    /// Opens everything behind the sockets of SIP.
    pub(super) fn open(
        &self,
        transport: Transport,
        audio: BTreeMap<PromptId, Audio>,
    ) -> anyhow::Result<Opened> {
        let settings = self.settings;
        let listening = transport.addresses();
        let (boot, journal, recovery) = self.journal()?;
        let beside = (self.inbox, self.predecessor.is_some());
        let (taps, recorder) = recording::open(settings, self.clock.wall, beside, &recovery)?;
        let (tracer, trace) = self.trace()?;
        let identity = translate::browser_identity(settings)?;
        let fingerprint = identity.as_ref().map(media::Identity::fingerprint);
        let media = self.media(taps, audio, identity)?;
        let head = input_log::Head {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot,
            at: self.clock.wall,
            seed: super::random_bytes()?,
            listening: listening.clone(),
            certificate: fingerprint,
            settings: settings.sha256.clone(),
        };
        let switch = Switch::new(super::switch_settings(settings, &head)?);
        let (inputs, input_log) = self.input_log(&head)?;
        Ok(Opened {
            boot,
            switch,
            transport,
            listening,
            journal,
            recorder,
            media,
            tracer,
            trace,
            inputs,
            input_log,
        })
    }

    fn journal(&self) -> anyhow::Result<(u32, Journal, Recovery)> {
        let ours = &self.settings.journal;
        super::make_parent_of(&ours.database)?;
        let boot = journal::choose_boot(&ours.events, self.clock.wall)?;
        let told = journal::Settings {
            dir: ours.events.clone(),
            database: ours.database.clone(),
            group: ours.group,
            leaving: self.predecessor.map(Predecessor::of_journal),
        };
        let inbox = self.inbox.clone();
        let (journal, recovery) = journal::start(told, boot, move |event| inbox.durable(event))?;
        if !recovery.interrupted.is_empty() {
            let calls = recovery.interrupted.len();
            tracing::warn!(calls, "calls were cut off by a crash; each has an entry");
        }
        Ok((boot, journal, recovery))
    }

    fn media(
        &self,
        taps: Vec<recorder::Tap>,
        audio: BTreeMap<PromptId, Audio>,
        identity: Option<media::Identity>,
    ) -> anyhow::Result<Media> {
        let taps = tap::adapt(taps);
        let inbox = self.inbox.clone();
        let report = move |event| inbox.input(Input::Media(event));
        let mut media = translate::media(self.settings, taps.len(), identity);
        if self.predecessor.is_some() {
            // Its browsers send to the port of the settings until its last call has ended.
            let address = media.address;
            let browsers = media
                .browsers
                .as_mut()
                .filter(|browsers| browsers.port != 0);
            if let Some(browsers) = browsers
                && UdpSocket::bind((address, browsers.port)).is_err()
            {
                let port = browsers.port;
                tracing::warn!(port, "browsers get another port until the next start");
                browsers.port = 0;
            }
        }
        media::Media::start(media, self.clock.epoch, audio, taps, report)
            .context("cannot start the media threads")
    }

    fn input_log(
        &self,
        head: &input_log::Head,
    ) -> anyhow::Result<(InputLog, Option<input_log::Running>)> {
        let ours = &self.settings.input_log;
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

    fn trace(&self) -> anyhow::Result<(Tracer, Option<trace::Running>)> {
        let ours = &self.settings.trace;
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

    /// Hands in what the core knows before its first message.
    pub(super) fn begin(
        &self,
        runtime: &Runtime,
        opened: &Opened,
        change: Change,
    ) -> anyhow::Result<()> {
        let (settings, inbox, boot) = (self.settings, self.inbox, opened.boot);
        let zone = settings.journal.zone();
        if let Some(predecessor) = self.predecessor {
            inbox.input(predecessor.of_core());
        }
        inbox.input(Input::Wall(driver::wall_clock()));
        inbox.input(driver::local_clock(&zone, driver::wall_clock()));
        change.hand(inbox);
        let addresses = opened.addresses();
        let database = &settings.journal.database;
        let follow = operators::follow(database, addresses.clone(), inbox.clone());
        runtime.spawn(runtime.block_on(follow)?);
        runtime.spawn(runtime.block_on(callers::follow(settings, inbox.clone()))?);
        let handle: &Handle = runtime.handle();
        standing::standing(handle, settings, boot, inbox);
        standing::regulars(handle, settings, inbox);
        standing::bindings(handle, settings, boot, (&addresses, inbox));
        standing::emergencies(handle, settings, boot, inbox);
        Ok(())
    }
}
