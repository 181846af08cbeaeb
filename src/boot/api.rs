//! Owns the start of the HTTP API, where the settings have an address for it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use console::{Console, Live, Tokens};
use journal::Health;
use journal::desk::Desk;
use journal::metrics::Durations;
use recorder::crypt::OpenError;
use tokio::net::TcpListener;
use vocab::{LiveProcess, LiveRecording, Snapshot, WallTime};

use crate::driver::{self, Picture};
use crate::keeping::{self, Afar};
use crate::settings::Settings;

/// How long a port that is in use is tried again.
const PATIENCE: Duration = Duration::from_secs(2);
const TRY_EVERY: Duration = Duration::from_millis(50);

/// The live picture in the hands of the API.
struct Engine {
    picture: Arc<Mutex<Picture>>,
    recording: recorder::Figures,
    uploading: Arc<keeping::Figures>,
}

impl Engine {
    fn look<T>(&self, at: impl FnOnce(&Picture) -> T) -> T {
        at(&self.picture.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Live for Engine {
    fn snapshot(&self) -> Snapshot {
        self.look(|picture| picture.snapshot.clone())
    }

    fn health(&self) -> Health {
        self.look(|picture| picture.journal)
    }

    fn recording(&self) -> LiveRecording {
        let counts = self.recording.counts();
        LiveRecording {
            stored: counts.stored,
            missing: counts.missing,
            dropped: counts.dropped,
            spool_bytes: counts.spool_bytes,
            waiting: counts.waiting as u64,
            lag_ms: u64::try_from(counts.lag.as_millis()).unwrap_or(u64::MAX),
            disk_failing: self.recording.disk_failing(),
            uploads_waiting: self.uploading.waiting(),
            uploads_oldest_ms: u64::try_from(self.uploading.oldest(self.now()).as_millis())
                .unwrap_or(u64::MAX),
            upload_failures: self.uploading.failures(),
        }
    }

    fn process(&self) -> LiveProcess {
        self.look(|picture| picture.process)
    }

    fn durations(&self) -> Durations {
        self.look(|picture| picture.durations.clone())
    }

    fn now(&self) -> WallTime {
        driver::wall_clock()
    }
}

/// The keys of this machine in the hands of the API.
struct Keys(recorder::crypt::Keys);

impl console::Keys for Keys {
    fn play(
        &self,
        file: Box<dyn console::Sound>,
    ) -> std::io::Result<Option<Box<dyn console::Sound>>> {
        if !self.0.can_read() {
            return Ok(None);
        }
        let sound = self.0.play(file).map_err(|error| match error {
            OpenError::Disk(error) => error,
            other => std::io::Error::other(other),
        })?;
        Ok(Some(Box::new(sound)))
    }
}

/// What the API stands on.
pub(super) struct Parts {
    pub(super) desk: Desk,
    pub(super) orders: super::orders::Orders,
    pub(super) progress: journal::Progress,
    pub(super) picture: Arc<Mutex<Picture>>,
    pub(super) recording: recorder::Figures,
    pub(super) uploading: Arc<keeping::Figures>,
}

/// Takes requests from now on; says where, if anywhere.
///
/// # Errors
/// If the address cannot be used, or the tokens cannot be read.
pub(super) fn start(
    runtime: &tokio::runtime::Runtime,
    settings: &Settings,
    parts: Parts,
) -> anyhow::Result<Option<SocketAddr>> {
    let Some(listen) = settings.api.listen else {
        return Ok(None);
    };
    let tokens = Tokens::load(&settings.api.tokens)?;
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "the API is in clear text: a proxy with TLS belongs in front of it");
    }
    let console = Console {
        desk: parts.desk,
        database: settings.journal.database.clone(),
        progress: parts.progress,
        orders: Box::new(parts.orders),
        live: Box::new(Engine {
            picture: parts.picture,
            recording: parts.recording,
            uploading: parts.uploading,
        }),
        recordings: settings.recordings.root.clone(),
        afar: Afar::of(settings)?.map(|afar| Box::new(afar) as Box<dyn console::Afar>),
        keys: Box::new(Keys(super::recording_keys(settings)?)),
        zone: settings.journal.zone(),
        tokens,
        sessions: console::SessionRules {
            idle: settings.api.session_idle,
            longest: settings.api.session_longest,
            secure: settings.api.secure_cookie,
        },
        random: || super::random_bytes().map_err(std::io::Error::other),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let listener = runtime.block_on(bind(listen));
    let listener = listener.with_context(|| format!("cannot take HTTP on {listen}"))?;
    let address = listener.local_addr()?;
    let router = console::router(console);
    runtime.spawn(async move {
        // It ends with the process.
        if let Err(error) = console::serve(listener, router).await {
            tracing::error!(%error, "the API has ended");
        }
    });
    Ok(Some(address))
}

/// A leaving engine may still be about to close the socket.
async fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    let end = Instant::now() + PATIENCE;
    loop {
        match TcpListener::bind(listen).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < end => {
                tokio::time::sleep(TRY_EVERY).await;
            }
            result => return result,
        }
    }
}
