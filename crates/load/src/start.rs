//! Owns the life of a load: opens everything, runs the threads, ends them, puts the report
//! together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::agent::Agent;
use crate::audio::AudioThread;
use crate::callers::Callers;
use crate::clock::Clock;
use crate::operators::Operators;
use crate::random::Random;
use crate::report::{CallReport, Counters, LoadCounts, LoadReport, OfferReport};
use crate::settings::LoadSettings;
use crate::signalling::{Shared, Signalling, Waker, Wish};
use crate::sockets::Seats;
use crate::voice::Library;

/// Why a load could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket could not be opened.
    #[error("the load cannot open a UDP socket for its {who}: {error}")]
    Socket {
        /// Callers, operators or audio.
        who: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// A thread could not be started.
    #[error("the load cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// A running load. Dropping it without [`Load::stop`] abandons its calls: the engine sees
/// telephones that went dead.
#[derive(Debug)]
pub struct Load {
    wishes: Sender<Wish>,
    waker: Waker,
    signalling: JoinHandle<(Callers, Operators)>,
    audio: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
    library: Arc<Library>,
    clock: Clock,
    settings: LoadSettings,
}

impl Load {
    /// Registers the operators, and begins to place the calls when they are registered.
    ///
    /// # Errors
    /// When sockets or threads are refused by the system.
    pub fn start(settings: LoadSettings) -> Result<Self, StartError> {
        let clock = Clock::start();
        let counters = Arc::new(Counters::default());
        let library = Arc::new(Library::new(
            &settings.voices,
            settings.codec,
            settings.seed,
        ));
        let waker = Waker::new().map_err(StartError::Thread)?;
        let (notices, notices_in) = crossbeam_channel::unbounded();
        let (seats, sockets) = Seats::open(
            (settings.caller_address, settings.callers.at_once),
            (settings.operator_address, settings.operators.len()),
            settings.media_threads,
        )
        .map_err(|error| StartError::Socket {
            who: "audio",
            error,
        })?;
        let mut orders = Vec::new();
        let mut audio = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let (order, orders_in) = crossbeam_channel::unbounded();
            orders.push(order);
            let thread = AudioThread::new(
                (clock, Arc::clone(&library), Arc::clone(&counters)),
                sockets,
                orders_in,
                (notices.clone(), waker.clone()),
            );
            audio.push(spawn(format!("load-audio-{index}"), move || thread.run())?);
        }
        let shared = Shared::new(
            settings.clone(),
            Arc::clone(&counters),
            Arc::clone(&library),
            seats,
            orders,
        );
        let (callers, operators) = people(&settings)?;
        let (wishes, wishes_in) = crossbeam_channel::unbounded();
        let signalling = Signalling {
            clock,
            shared,
            callers,
            operators,
            notices: notices_in,
            wishes: wishes_in,
            waker: waker.clone(),
        };
        let signalling = spawn("load-sip".to_owned(), move || signalling.run())?;
        Ok(Self {
            wishes,
            waker,
            signalling,
            audio,
            counters,
            library,
            clock,
            settings,
        })
    }

    /// The counts of this moment.
    #[must_use]
    pub fn counts(&self) -> LoadCounts {
        self.counters.read()
    }

    /// Whether all calls that were asked for have been placed and are over. Never true of a
    /// load without a number of calls.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.settings
            .callers
            .calls
            .is_some_and(|calls| self.counts().ended >= calls)
    }

    /// Waits until the load is finished, `within` at the longest; whether it is.
    #[must_use]
    pub fn wait(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while !self.finished() {
            if Instant::now() >= deadline || self.signalling.is_finished() {
                return self.finished();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// What callers and operators say, to compare recordings with.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Hangs up what is up, unregisters the operators, ends the threads and reports.
    #[must_use]
    pub fn stop(self) -> LoadReport {
        let _ = self.wishes.send(Wish::Stop);
        self.waker.wake();
        let people = self.signalling.join();
        for thread in self.audio {
            // An audio thread that panicked shows as calls that heard nothing.
            let _ = thread.join();
        }
        let started = self.clock.started();
        let counts = self.counters.read();
        let Ok((mut callers, mut operators)) = people else {
            tracing::error!("bug: the load's signalling thread panicked");
            let calls = Vec::new();
            let (strange_offers, not_registered) = (Vec::new(), Vec::new());
            return LoadReport {
                started,
                counts,
                calls,
                strange_offers,
                not_registered,
            };
        };
        let mut calls: Vec<CallReport> = std::mem::take(&mut callers.reports).into();
        calls.extend(callers.unfinished());
        let mut offers: Vec<OfferReport> = std::mem::take(&mut operators.reports).into();
        offers.extend(operators.unfinished());
        let strange_offers = join(&mut calls, offers);
        let not_registered = operators.refused();
        LoadReport {
            started,
            counts,
            calls,
            strange_offers,
            not_registered,
        }
    }
}

fn people(settings: &LoadSettings) -> Result<(Callers, Operators), StartError> {
    // Tags and branches must differ from those of an earlier load at the same engine, whose
    // transactions it may still remember: the process and the moment go into them.
    let salt = u64::from(std::process::id())
        ^ std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64);
    let open = |who, address, stream| {
        Agent::open(address, settings.engine, Random::new(salt, stream))
            .map_err(|error| StartError::Socket { who, error })
    };
    let callers = Callers::new(open("callers", settings.caller_address, 1)?, settings.seed);
    let agent = open("operators", settings.operator_address, 2)?;
    let operators = Operators::new(agent, settings.operators.clone(), settings.seed);
    Ok((callers, operators))
}

fn spawn<T: Send + 'static>(
    name: String,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    std::thread::Builder::new()
        .name(name)
        .spawn(run)
        .map_err(StartError::Thread)
}

/// Puts each offer to the call whose number it showed; gives back those of nobody.
fn join(calls: &mut [CallReport], offers: Vec<OfferReport>) -> Vec<OfferReport> {
    let by_caller: BTreeMap<String, usize> = (0..)
        .zip(calls.iter())
        .map(|(index, call)| (call.caller.clone(), index))
        .collect();
    let mut strange = Vec::new();
    for offer in offers {
        let digits: String = offer.caller.chars().filter(char::is_ascii_digit).collect();
        match by_caller
            .get(&digits)
            .and_then(|index| calls.get_mut(*index))
        {
            Some(call) => call.offers.push(offer),
            None => strange.push(offer),
        }
    }
    strange
}
