//! Owns the change of plans while calls are up: all of them or none, and what is different.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use dialplan::Plans;
use media::Audio;
use vocab::media::PromptId;

use super::plans::Loaded;
use crate::driver::Inbox;
use crate::input_log::Sources;

/// The plans in force, and the audio that the media plane has.
pub(super) struct Library {
    plans: Plans,
    /// What each name and language stands for now. Audio that nothing stands for any more stays
    /// with the media plane, for calls that still play it.
    known: BTreeMap<(String, String), (PromptId, Audio)>,
    next: u32,
}

/// What a reload hands to the driver.
pub(super) struct Change {
    plans: Plans,
    /// The texts they were read from.
    sources: Sources,
    prompts: BTreeMap<(String, String), PromptId>,
    audio: BTreeMap<PromptId, Audio>,
    /// What is different, in words.
    told: Vec<String>,
}

impl Library {
    /// What the engine begins with.
    pub(super) fn begin(loaded: Loaded) -> (Self, Change) {
        let mut library = Self {
            plans: Plans::default(),
            known: BTreeMap::new(),
            next: 0,
        };
        let change = library.take(loaded);
        (library, change)
    }

    /// Takes new plans. Audio that is as before keeps its id; everything else gets a new one, so
    /// that a call never plays the text of another plan.
    fn take(&mut self, loaded: Loaded) -> Change {
        let mut told = self.plans.changes(&loaded.plans);
        let mut known = BTreeMap::new();
        let mut audio = BTreeMap::new();
        for (name, new) in loaded.audio {
            let id = match self.known.get(&name) {
                Some((id, old)) if *old == new => *id,
                Some(_) | None => {
                    let id = PromptId(self.next);
                    self.next += 1;
                    audio.insert(id, new.clone());
                    id
                }
            };
            known.insert(name, (id, new));
        }
        if !audio.is_empty() {
            told.push(format!("{} new pieces of audio", audio.len()));
        }
        self.known = known;
        self.plans = loaded.plans.clone();
        let prompts = self.known.iter();
        Change {
            plans: loaded.plans,
            sources: loaded.sources,
            prompts: prompts.map(|(name, (id, _))| (name.clone(), *id)).collect(),
            audio,
            told,
        }
    }
}

impl Change {
    /// The audio, for a media plane that is about to start.
    pub(super) fn take_audio(&mut self) -> BTreeMap<PromptId, Audio> {
        core::mem::take(&mut self.audio)
    }

    /// Hands the change to the driver: audio first, then the plans that play it.
    pub(super) fn hand(self, inbox: &Inbox) {
        inbox.plans((self.plans, self.sources), self.prompts, self.audio);
    }
}

/// Puts new plans in force and says in the log what is different.
pub(super) fn reload(library: &Mutex<Library>, loaded: Loaded, inbox: &Inbox) {
    let mut library = library.lock().unwrap_or_else(PoisonError::into_inner);
    let change = library.take(loaded);
    for different in &change.told {
        tracing::info!(different, "plans");
    }
    let plans = change.plans.iter().count();
    tracing::info!(
        plans,
        "new plans are in force; calls that are up keep theirs"
    );
    change.hand(inbox);
}
