//! Owns text to speech: runs the configured command, once for each text, and keeps what it made.
//!
//! The cache is named by content, so that a changed text, voice or command is made anew and
//! nothing has to be cleared. Refuses to let the command run longer than it may.

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::sound::Sound;
use super::wav;
use crate::hex::hex;
use crate::settings::Prompts as Settings;

/// How often the command is looked at while it runs.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Most that is read of what the command complains about, in bytes.
const COMPLAINT_MAX: u64 = 4_096;

/// A text to be said.
pub(super) struct Request<'a> {
    /// Its language, a code.
    pub(super) language: &'a str,
    /// The text.
    pub(super) text: &'a str,
}

/// Why there is no speech.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "the speech command {command:?} cannot be run: {error} (see speech_command in [prompts])"
    )]
    NotRun {
        command: String,
        error: std::io::Error,
    },
    #[error("the speech command `{command}` ended with {status}{complaint}")]
    Failed {
        command: String,
        status: String,
        complaint: String,
    },
    #[error("the speech command `{command}` was stopped after {} s (see speech_timeout)", .after.as_secs())]
    TimedOut { command: String, after: Duration },
    #[error("the speech command `{command}` made no use of {{output}}: {error}{complaint}")]
    NoAudio {
        command: String,
        error: wav::Error,
        complaint: String,
    },
    #[error("the prompt cache {}: {error}", .folder.display())]
    Cache {
        folder: PathBuf,
        error: std::io::Error,
    },
}

/// The speech of a text, from the cache or made now.
pub(super) fn speak(request: &Request<'_>, settings: &Settings) -> Result<Sound, Error> {
    let voice = settings
        .voices
        .get(request.language)
        .map_or(request.language, String::as_str);
    let name = content_name(request, voice, &settings.speech_command);
    let kept = settings.cache.join(format!("{name}.wav"));
    // What cannot be read is made anew: the cache is nothing but a convenience.
    if let Ok(sound) = wav::read(&kept) {
        return Ok(sound);
    }
    let cache = |error| Error::Cache {
        folder: settings.cache.clone(),
        error,
    };
    fs::create_dir_all(&settings.cache).map_err(cache)?;
    let work = Work::new(&settings.cache, &name);
    let mut text = File::create(&work.text).map_err(cache)?;
    text.write_all(request.text.trim().as_bytes())
        .map_err(cache)?;
    text.write_all(b"\n").map_err(cache)?;
    drop(text);

    let words: Vec<String> = settings
        .speech_command
        .iter()
        .map(|word| {
            word.replace("{text_file}", &work.text.to_string_lossy())
                .replace("{output}", &work.output.to_string_lossy())
                .replace("{voice}", voice)
                .replace("{language}", request.language)
        })
        .collect();
    let shown = settings.speech_command.join(" ");
    run(&words, &shown, &work, settings.speech_timeout)?;
    let sound = wav::read(&work.output).map_err(|error| Error::NoAudio {
        command: shown,
        error,
        complaint: complaint(&work.complaints),
    })?;
    File::open(&work.output)
        .and_then(|file| file.sync_all())
        .map_err(cache)?;
    fs::rename(&work.output, &kept).map_err(cache)?;
    Ok(sound)
}

/// The name under which speech is kept: a hash of all that makes it.
fn content_name(request: &Request<'_>, voice: &str, command: &[String]) -> String {
    let mut hash = Sha256::new();
    let parts = command
        .iter()
        .map(String::as_str)
        .chain([voice, request.language, request.text]);
    for part in parts {
        // Lengths keep neighbouring parts apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

/// Files of one run of the command, removed when it is over.
struct Work {
    text: PathBuf,
    output: PathBuf,
    complaints: PathBuf,
}

impl Work {
    fn new(folder: &Path, name: &str) -> Self {
        /// Tells apart runs of one process; the process id tells apart processes.
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let path = |end: &str| folder.join(format!(".{name}.{}.{run}.{end}", std::process::id()));
        Self {
            text: path("txt"),
            output: path("wav"),
            complaints: path("err"),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        for path in [&self.text, &self.output, &self.complaints] {
            // Absent ones were renamed or never made.
            let _ = fs::remove_file(path);
        }
    }
}

/// Runs the command to its end, or stops it and all that it started.
fn run(words: &[String], shown: &str, work: &Work, timeout: Duration) -> Result<(), Error> {
    let Some((program, arguments)) = words.split_first() else {
        let error = std::io::Error::other("it has no words");
        return Err(Error::NotRun {
            command: shown.to_owned(),
            error,
        });
    };
    let not_run = |error| Error::NotRun {
        command: program.clone(),
        error,
    };
    // A file, not a pipe: a command that complains a lot must not wait for us.
    let complaints = File::create(&work.complaints).map_err(not_run)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(complaints)
        .process_group(0)
        .spawn()
        .map_err(not_run)?;
    let status = wait(&mut child, timeout).map_err(not_run)?;
    match status {
        None => Err(Error::TimedOut {
            command: shown.to_owned(),
            after: timeout,
        }),
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Error::Failed {
            command: shown.to_owned(),
            status: match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "no exit code".to_owned(),
            },
            complaint: complaint(&work.complaints),
        }),
    }
}

/// Waits for the end; `None` when it was stopped at the end of its time.
fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<Option<ExitStatus>> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            stop(child)?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Kills the command's whole group: a script's children hold on otherwise.
fn stop(child: &mut Child) -> std::io::Result<()> {
    let group = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    match group {
        Some(group) => {
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL)?;
        }
        None => child.kill()?,
    }
    child.wait().map(|_| ())
}

/// The first line of what the command wrote to standard error, to end a sentence with.
fn complaint(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(COMPLAINT_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    match text.lines().map(str::trim).find(|line| !line.is_empty()) {
        // Control characters must not reach a terminal.
        Some(line) => {
            let line: String = line.chars().filter(|c| !c.is_control()).collect();
            format!(": {line}")
        }
        None => String::new(),
    }
}
