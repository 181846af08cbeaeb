//! Owns the application: what it stands on, and the router made of the table of operations.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::middleware;
use jiff::tz::TimeZone;
use journal::desk::Desk;
use journal::metrics::Durations;
use journal::{Health, Location, Progress};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vocab::{LiveProcess, LiveRecording, Snapshot, WallTime};

use crate::auth;
use crate::guesses::Guesses;
use crate::operation::operations;
use crate::orders::Orders;
use crate::problem::Problem;
use crate::recordings::{Afar, Hearings, Keys};
use crate::session::SessionRules;
use crate::token::Tokens;

/// Longest body of a request.
const BODY_MAX: usize = 256 * 1_024;

/// Questions to the database at once; more wait. Each has a connection of its own.
const READERS: usize = 8;

/// Streams of events at once; more get 503.
const STREAMS: usize = 100;

/// People who sign in at once; more get 503.
const SIGN_INS: usize = 32;

/// What the running engine tells of itself.
pub trait Live: Send + Sync {
    /// The picture of this moment.
    fn snapshot(&self) -> Snapshot;
    /// How the journal is.
    fn health(&self) -> Health;
    /// How recording is.
    fn recording(&self) -> LiveRecording;
    /// How the process is.
    fn process(&self) -> LiveProcess;
    /// How long waits, ringings and talks lasted since its start.
    fn durations(&self) -> Durations;
    /// What the wall clock reads.
    fn now(&self) -> WallTime;
}

/// What the API stands on.
pub struct Console {
    /// Where wishes of people are carried out.
    pub desk: Desk,
    /// The journal's database.
    pub database: Location,
    /// How far the database is.
    pub progress: Progress,
    /// Where orders to the queues are carried out.
    pub orders: Box<dyn Orders>,
    /// The engine.
    pub live: Box<dyn Live>,
    /// The root of recordings.
    pub recordings: PathBuf,
    /// Where those lie that are not there any more.
    pub afar: Option<Box<dyn Afar>>,
    /// How encrypted ones are read.
    pub keys: Box<dyn Keys>,
    /// The installation's zone.
    pub zone: TimeZone,
    /// Who may come in by token.
    pub tokens: Tokens,
    /// How long those who signed in may stay.
    pub sessions: SessionRules,
    /// Random octets of the kernel, for what nobody is to guess.
    pub random: fn() -> std::io::Result<[u8; 32]>,
    /// Version of the program.
    pub version: String,
}

/// The application in the hands of every request.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) console: Arc<Console>,
    readers: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) hearings: Arc<Mutex<Hearings>>,
    guesses: Arc<Mutex<Guesses>>,
    /// Who may wait for the turn to have a password compared.
    pub(crate) sign_ins: Arc<Semaphore>,
    /// Whose turn it is.
    pub(crate) guess_turn: Arc<Semaphore>,
}

/// A place among those who ask the database, as long as it is held.
type Place = OwnedSemaphorePermit;

/// A connection to the database, and the place that it takes.
pub(crate) struct Reader {
    pub(crate) journal: journal::query::Journal,
    _place: Place,
}

impl App {
    /// Guesses at passwords.
    pub(crate) fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for what opens its own connection.
    pub(crate) async fn place(&self) -> Result<Place, Problem> {
        let place = Arc::clone(&self.readers).acquire_owned().await;
        place.map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the engine is about to stop",
            )
        })
    }

    /// A connection for reading.
    pub(crate) async fn reader(&self) -> Result<Reader, Problem> {
        let place = self.place().await?;
        Ok(Reader {
            journal: journal::query::open(&self.console.database).await?,
            _place: place,
        })
    }
}

/// The API as a service.
pub fn router(console: Console) -> Router {
    let app = App {
        console: Arc::new(console),
        readers: Arc::new(Semaphore::new(READERS)),
        streams: Arc::new(Semaphore::new(STREAMS)),
        hearings: Arc::default(),
        guesses: Arc::default(),
        sign_ins: Arc::new(Semaphore::new(SIGN_INS)),
        guess_turn: Arc::new(Semaphore::new(1)),
    };
    let mut router = Router::new();
    for operation in operations() {
        router = router.route(operation.path, (operation.route)());
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), auth::admit))
        .with_state(app)
}

async fn unknown(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {:?}", uri.path()))
}

async fn not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this cannot be done here; /api/v1/openapi.json says what can",
    )
}

/// Takes requests until the process ends.
///
/// # Errors
/// If the socket fails for good.
pub async fn serve(listener: tokio::net::TcpListener, router: Router) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await
}
