//! Owns `hotline token`: who may use the HTTP API.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::boot;
use crate::cli::{TokenAdd, TokenCommand, TokenNamed};

/// Octets of randomness in a token.
const OCTETS: usize = 32;

pub(super) fn run(command: &TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Add(token) => add(token),
        TokenCommand::List(config) => {
            let settings = super::load(&config.config)?;
            let text = read(&settings.api.tokens)?;
            let mut list = String::new();
            for words in text.lines().filter_map(words) {
                // Writing to a String cannot fail.
                let _ = writeln!(list, "{:<24} {}", words.0, words.2);
            }
            super::print_out(&list)?;
            Ok(ExitCode::SUCCESS)
        }
        TokenCommand::Remove(token) => remove(token),
    }
}

/// Name, hash and rights of a line.
fn words(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.split_whitespace();
    let words = (words.next()?, words.next()?, words.next()?);
    (!words.0.starts_with('#')).then_some(words)
}

/// The file of tokens; one that is not there is empty.
fn read(path: &std::path::Path) -> anyhow::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn add(token: &TokenAdd) -> anyhow::Result<ExitCode> {
    let settings = super::load(&token.config.config)?;
    let path = &settings.api.tokens;
    let text = read(path)?;
    let name = &token.name;
    let sound = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(sound) {
        bail!("expected a name of letters, digits and - _ . only, found {name:?}");
    }
    if text
        .lines()
        .filter_map(words)
        .any(|(known, ..)| known == name)
    {
        bail!("there is already a token {name:?}; remove it first");
    }
    let secret = format!("hl_{}", crate::hex::hex(&boot::random_bytes::<OCTETS>()?));
    let rights = token.right.join(",");
    let line = format!("{name} {} {rights}\n", console::hash(&secret));
    console::Tokens::parse(&format!("{text}{line}"), &path.display().to_string())?;
    boot::make_parent(path)?;
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    // The one time that it is shown: the file has only its hash.
    super::print_out(&format!("{secret}\n"))?;
    eprintln!("hotline: a running engine knows it after its next start");
    Ok(ExitCode::SUCCESS)
}

fn remove(token: &TokenNamed) -> anyhow::Result<ExitCode> {
    let settings = super::load(&token.config.config)?;
    let path = &settings.api.tokens;
    let text = read(path)?;
    let is_it = |line: &&str| words(line).is_some_and(|(known, ..)| known == token.name);
    if !text.lines().any(|line| is_it(&line)) {
        bail!(
            "there is no token {:?}; `hotline token list` shows them all",
            token.name
        );
    }
    let kept: String = text
        .lines()
        .filter(|line| !is_it(line))
        .map(|line| format!("{line}\n"))
        .collect();
    // Whole or not at all: a crash must not lose the other tokens.
    let new = path.with_extension("new");
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(kept.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&new, path));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}
