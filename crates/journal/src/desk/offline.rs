//! Owns the ledger of a process that is no engine: it takes the journal for itself, as a boot of its
//! own, states its facts and lets go. While an engine runs it cannot; the engine is asked then.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use vocab::{CallId, Event, EventId, Fact, Time, WallTime};

use super::{Answer, Ledger, Stated, Statement};
use crate::{Journal, Settings, StartError, Stopped, choose_boot};

/// The journal in the hands of a command.
#[derive(Debug)]
pub struct Offline {
    journal: Journal,
    boot: u32,
    begun: Instant,
    next: Mutex<Next>,
}

#[derive(Debug, Default)]
struct Next {
    event: u32,
    call: u32,
}

impl Offline {
    /// Takes the journal. What an earlier crash left open is closed with that, as at a start of the
    /// engine.
    ///
    /// # Errors
    /// If an engine has it, or it cannot be used.
    pub fn start(settings: Settings, version: &str) -> Result<Self, StartError> {
        let boot = choose_boot(&settings.dir, wall())?;
        let (journal, _recovery) = crate::start(settings, boot, |_| {})?;
        let ledger = Self {
            journal,
            boot,
            begun: Instant::now(),
            next: Mutex::default(),
        };
        ledger.append(|_| Fact::EngineStarted {
            version: format!("{version} (command)"),
        });
        Ok(ledger)
    }

    /// A handle that tells how far the database is.
    #[must_use]
    pub fn progress(&self) -> crate::Progress {
        self.journal.progress()
    }

    /// Waits until everything is in the database, for 15 s at most, and lets go.
    #[must_use]
    pub fn stop(self) -> Stopped {
        self.append(|_| Fact::EngineStopped);
        self.journal.stop()
    }

    /// Events must come in the order of their ids, so the lock is held until it is handed over.
    fn append(&self, fact: impl FnOnce(&mut dyn FnMut() -> CallId) -> Fact) -> Stated {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let (boot, mut calls) = (self.boot, next.call);
        let fact = fact(&mut || {
            calls += 1;
            CallId::new(boot, calls)
        });
        next.call = calls;
        next.event += 1;
        let event = EventId::new(boot, next.event);
        let call = fact.call().unwrap_or(CallId::new(boot, 0));
        let up = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.journal.append(Event {
            id: event,
            at: wall(),
            up: Time::from_micros(up),
            fact,
        });
        Stated { event, call }
    }
}

impl Ledger for Offline {
    fn state(&self, statement: Statement) -> Answer<'_, Result<Stated, String>> {
        let stated = self.append(|new_call| match statement {
            Statement::Fact(fact) => fact,
            Statement::Contact(contact) => Fact::ContactAdded {
                call: new_call(),
                contact,
            },
        });
        Box::pin(std::future::ready(Ok(stated)))
    }

    fn in_sql(&self, event: EventId) -> Answer<'_, ()> {
        let mut progress = self.journal.progress();
        Box::pin(async move { progress.reached(event).await })
    }
}

fn wall() -> WallTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
