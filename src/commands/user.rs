//! Owns `hotline user`: operators, their lines and their passwords.

use std::io::{self, BufRead};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use journal::operators::{self, Operator, WaitingMessages};
use journal::sessions::{self, Account};
use sip::Secrets;
use vocab::OperatorId;

use super::journal::block_on;
use crate::boot;
use crate::cli::{UserAdd, UserCommand, UserPassword, UserWaiting};
use crate::driver;
use crate::settings::Settings;

pub(super) fn run(command: UserCommand) -> anyhow::Result<ExitCode> {
    match command {
        UserCommand::Add(user) => {
            let settings = prepared(&user.config.config)?;
            let password = password(user.password_stdin)?;
            add(&settings, user, &password)?;
        }
        UserCommand::List(config) => list(&prepared(&config.config)?)?,
        UserCommand::Remove(user) => {
            let settings = prepared(&user.config.config)?;
            block_on(operators::remove(&settings.journal.database, &user.login))??;
        }
        UserCommand::Passwd(user) => {
            let settings = prepared(&user.config.config)?;
            let password = password(user.password_stdin)?;
            let Secrets { sha256, md5 } = Secrets::new(&user.login, &settings.sip.realm, &password);
            let database = &settings.journal.database;
            block_on(operators::set_secrets(database, &user.login, &sha256, &md5))??;
        }
        UserCommand::Password(user) => sign_in(&user)?,
        UserCommand::Address(user) => {
            let settings = prepared(&user.config.config)?;
            let (database, address) = (&settings.journal.database, user.address.as_deref());
            block_on(operators::set_address(database, &user.login, address))??;
        }
        UserCommand::Waiting(user) => {
            let settings = prepared(&user.config.config)?;
            let UserWaiting {
                login, new, old, ..
            } = user;
            let waiting = WaitingMessages { new, old };
            let database = &settings.journal.database;
            block_on(operators::set_waiting(database, &login, waiting))??;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets somebody sign in to the API, or no more.
fn sign_in(user: &UserPassword) -> anyhow::Result<()> {
    let settings = prepared(&user.config.config)?;
    let database = &settings.journal.database;
    if user.remove {
        if !block_on(sessions::remove_account(database, &user.login))?? {
            bail!(
                "{:?} could not sign in to the API before either",
                user.login
            );
        }
        return Ok(());
    }
    let password = password(user.password_stdin)?;
    let account = Account {
        login: user.login.clone(),
        password: console::kept(&password, boot::random_bytes()?)?,
        rights: user.right.join(","),
    };
    let now = driver::wall_clock();
    block_on(sessions::set_account(database, &account, now))??;
    super::print_out(&format!("{} may sign in to the API\n", account.login))
}

/// The settings, with a database that is there and current.
fn prepared(config: &Path) -> anyhow::Result<Settings> {
    let settings = super::load(config)?;
    boot::make_parent_of(&settings.journal.database)?;
    block_on(journal::migrate(&settings.journal.database))??;
    Ok(settings)
}

fn add(settings: &Settings, user: UserAdd, password: &str) -> anyhow::Result<()> {
    let operator = operator(&settings.sip.realm, user, password);
    let added = block_on(operators::add(&settings.journal.database, operator))??;
    super::print_out(&format!("added {} on line {}\n", added.login, added.line))
}

/// The operator to be stored: name and line default to the login.
fn operator(realm: &str, user: UserAdd, password: &str) -> Operator {
    let Secrets { sha256, md5 } = Secrets::new(&user.login, realm, password);
    Operator {
        // The database gives the number.
        id: OperatorId(0),
        name: user.name.unwrap_or_else(|| user.login.clone()),
        line: user.line.unwrap_or_else(|| user.login.clone()),
        login: user.login,
        ha1_sha256: sha256,
        ha1_md5: md5,
        skills: user.skills.into_iter().collect(),
        enabled: true,
        address: user.address,
    }
}

fn list(settings: &Settings) -> anyhow::Result<()> {
    let accounts = block_on(sessions::accounts(&settings.journal.database))??;
    let mut may = String::new();
    for Account { login, rights, .. } in accounts {
        may.push_str(&format!("{login:<20} may sign in to the API: {rights}\n"));
    }
    let operators = block_on(operators::list(&settings.journal.database))??;
    if operators.is_empty() {
        eprintln!("there are no operators yet; `hotline user add` makes one");
        return super::print_out(&may);
    }
    let mut table = format!("{:<20} {:<8} {:<28} skills\n", "login", "line", "name");
    for Operator {
        login,
        line,
        name,
        skills,
        enabled,
        address,
        ..
    } in operators
    {
        let skills: Vec<String> = skills
            .iter()
            .map(|(skill, level)| format!("{skill}={level}"))
            .collect();
        let disabled = if enabled { "" } else { " (disabled)" };
        let skills = skills.join(" ");
        let address = address.map_or(String::new(), |address| format!(" at {address}"));
        table.push_str(&format!(
            "{login:<20} {line:<8} {name:<28} {skills}{address}{disabled}\n"
        ));
    }
    table.push_str(&may);
    super::print_out(&table)
}

/// The password: the first line of standard input, or asked for twice on the terminal.
fn password(from_stdin: bool) -> anyhow::Result<String> {
    let password = if from_stdin {
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .context("standard input cannot be read")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        let ask = |prompt| {
            rpassword::prompt_password(prompt)
                .context("no password can be asked for here; give it with --password-stdin")
        };
        let first = ask("password: ")?;
        if first != ask("once more: ")? {
            bail!("the two passwords are not the same");
        }
        first
    };
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password)
}
