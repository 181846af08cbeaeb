//! Owns what callers hear: finds, makes and prepares the audio of every prompt of the plans.
//!
//! A WAV file of the prompt's name wins; else its text becomes speech; else, for music, we have
//! a piece of our own. What cannot be made is a [`Problem`], and a tone stands in for it, so that
//! a caller hears that something was to be heard. Refuses to play anything.

mod music;
mod sound;
mod speech;
mod tones;
mod wav;

use std::fmt;
use std::path::{Component, Path, PathBuf};

use dialplan::PromptRef;

use crate::settings::Settings;

/// Samples in a second of every prepared prompt, the rate of G.711.
pub const RATE: u32 = 8_000;

/// Where the plans keep music; a piece there that does not exist is ours.
const MUSIC: &str = "music/";

/// A prompt ready to be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The name in the plan.
    pub name: String,
    /// The language; empty for music.
    pub language: String,
    /// 8 kHz, mono, linear.
    pub pcm: Vec<i16>,
    /// Where it came from.
    pub source: Source,
}

/// Where a prompt's audio came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A WAV file.
    File(PathBuf),
    /// Its text, made into speech now or earlier.
    Speech,
    /// The waiting music of this program, or its tone before a message.
    Music,
    /// It could not be made: a tone stands in for it.
    Tone,
}

/// A prompt that cannot be played as its plan wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name in the plan.
    pub name: String,
    /// The language; empty for music.
    pub language: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prompt {:?}", self.name)?;
        if !self.language.is_empty() {
            write!(f, " in {:?}", self.language)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Problem {}

/// All prompts of the plans, and what was wrong with some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Library {
    /// One for each prompt asked for, in that order; twice the same is there once.
    pub prompts: Vec<Prepared>,
    /// A mistake for `hotline check`; while taking calls, something to be warned of.
    pub problems: Vec<Problem>,
}

/// Finds or makes the audio of every prompt.
///
/// Runs the speech command where nothing else is there, one prompt after another; may take
/// `speech_timeout` for each. Never fails as a whole: see [`Library::problems`].
#[must_use]
pub fn prepare(refs: &[PromptRef], settings: &Settings) -> Library {
    let mut library = Library::default();
    let mut command_missing = None;
    for (at, prompt) in refs.iter().enumerate() {
        let mut earlier = refs.iter().take(at);
        let same = |one: &&PromptRef| one.name == prompt.name && one.language == prompt.language;
        if let Some(first) = earlier.find(same) {
            if first != prompt {
                library.problems.push(Problem {
                    name: prompt.name.clone(),
                    language: prompt.language.clone(),
                    message: "two plans give it different texts or files: rename one".to_owned(),
                });
            }
            continue;
        }
        let (pcm, source) = match audio(prompt, settings, &mut command_missing) {
            Ok(found) => found,
            Err(message) => {
                let (name, language) = (prompt.name.clone(), prompt.language.clone());
                library.problems.push(Problem {
                    name,
                    language,
                    message,
                });
                (music::tone(), Source::Tone)
            }
        };
        let (name, language) = (prompt.name.clone(), prompt.language.clone());
        library.prompts.push(Prepared {
            name,
            language,
            pcm,
            source,
        });
    }
    library
}

/// The audio of one prompt and where it came from, or what is wrong.
fn audio(
    prompt: &PromptRef,
    all: &Settings,
    command_missing: &mut Option<String>,
) -> Result<(Vec<i16>, Source), String> {
    let settings = &all.prompts;
    let candidates = candidates(prompt, all)?;
    if let Some(path) = candidates.iter().find(|path| path.is_file()) {
        let sound = wav::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok((sound.prepared(), Source::File(path.clone())));
    }
    if let Some(text) = prompt
        .text
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    {
        if !settings.languages.contains(&prompt.language) {
            return Err(format!(
                "the language is not in [prompts] languages, which has {}",
                settings.languages.join(", ")
            ));
        }
        // Tried once; told for every prompt, as each problem is read by itself.
        if let Some(told) = command_missing {
            return Err(told.clone());
        }
        let request = speech::Request {
            language: &prompt.language,
            text,
        };
        return match speech::speak(&request, settings) {
            Ok(sound) => Ok((sound.prepared(), Source::Speech)),
            Err(error) => {
                let told = error.to_string();
                if matches!(error, speech::Error::NotRun { .. }) {
                    *command_missing = Some(told.clone());
                }
                Err(told)
            }
        };
    }
    if let Some(signal) = tones::Signal::named(&prompt.name) {
        return Ok((tones::tone(settings.tones, signal), Source::Music));
    }
    if is_music(prompt) {
        return Ok((music::waiting(), Source::Music));
    }
    if prompt.name == dialplan::VOICEMAIL_TONE {
        return Ok((music::beep(), Source::Music));
    }
    let looked: Vec<_> = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Err(format!(
        "it has no text in this language and no WAV file: looked for {}",
        looked.join(", ")
    ))
}

/// Music that is not there is ours: a plan may name `music/…` without bringing a file.
fn is_music(prompt: &PromptRef) -> bool {
    prompt.name.starts_with(MUSIC)
        || prompt
            .file
            .as_ref()
            .is_some_and(|file| file.starts_with(MUSIC))
}

/// The WAV files that would win over the text, in order.
fn candidates(prompt: &PromptRef, settings: &Settings) -> Result<Vec<PathBuf>, String> {
    for text in [
        Some(&prompt.name),
        prompt.file.as_ref(),
        Some(&prompt.language),
    ] {
        // A plan names files below the folder, never beside it.
        let Some(text) = text else { continue };
        if !Path::new(text)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(format!(
                "expected a name or a path below the folder of prompts, found {text:?}"
            ));
        }
    }
    let folder = &settings.prompts.folder;
    let mut all = Vec::new();
    if let Some(file) = &prompt.file {
        // Beside the plan that names it, or among the other prompts.
        all.push(settings.dialplans.folder.join(file));
        all.push(folder.join(file));
    }
    let name = match prompt.name.strip_suffix(".wav") {
        Some(_) => prompt.name.clone(),
        None => format!("{}.wav", prompt.name),
    };
    if !prompt.language.is_empty() {
        all.push(folder.join(&prompt.language).join(&name));
    }
    let plain = folder.join(&name);
    if !all.contains(&plain) {
        all.push(plain);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
