//! Owns `hotline voicemail`: the messages of callers, and that somebody heard one.

use std::fmt::Write;
use std::process::ExitCode;

use journal::desk::Wish;
use journal::messages::{LeftMessage, PAGE, Wanted};
use journal::query;
use vocab::CallId;

use super::entry;
use super::journal::block_on;
use crate::cli::{MessageHeard, MessageList, TextFormat, VoicemailCommand};

pub(super) fn run(command: VoicemailCommand) -> anyhow::Result<ExitCode> {
    match command {
        VoicemailCommand::List(list) => told(&list),
        VoicemailCommand::Heard(heard) => note(heard),
    }
}

fn told(list: &MessageList) -> anyhow::Result<ExitCode> {
    let settings = super::load(&list.config.config)?;
    let wanted = Wanted {
        heard: list.all,
        mailbox: list.mailbox.clone(),
        ..Wanted::default()
    };
    let messages = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        journal.messages(&wanted).await
    })??;
    let text = match list.format {
        TextFormat::Json => format!("{}\n", serde_json::to_string_pretty(&in_json(&messages))?),
        TextFormat::Text => in_words(&messages),
    };
    super::print_out(&text)?;
    if messages.len() >= PAGE as usize {
        eprintln!("hotline: there are more: these are the first {PAGE}");
    }
    Ok(ExitCode::SUCCESS)
}

/// With the id of the call as people write it.
fn in_json(messages: &[LeftMessage]) -> Vec<serde_json::Value> {
    let one = |message: &LeftMessage| {
        let mut value = serde_json::to_value(message).unwrap_or_default();
        if let Some(call) = value.get_mut("call") {
            *call = CallId::from_i64(message.call).to_string().into();
        }
        value
    };
    messages.iter().map(one).collect()
}

fn in_words(messages: &[LeftMessage]) -> String {
    let mut text = String::new();
    for message in messages {
        let caller = match message.caller.as_str() {
            "" => "number withheld",
            caller => caller,
        };
        let sound = match (&message.path, &message.missing) {
            (_, Some(missing)) => format!("no audio: {missing}"),
            (Some(path), None) => path.clone(),
            (None, None) => "not stored yet".to_owned(),
        };
        let heard = message
            .heard_by
            .as_ref()
            .map(|by| format!(", heard by {by}"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {} {}  {}  {}  {}  {sound}{}",
            CallId::from_i64(message.call),
            message.segment,
            entry::moment(message.started_at),
            message.mailbox,
            entry::printable(caller),
            entry::seconds(message.length_ms.unwrap_or_default()),
            heard.unwrap_or_default(),
        );
    }
    text
}

fn note(heard: MessageHeard) -> anyhow::Result<ExitCode> {
    let settings = super::load(&heard.config.config)?;
    let wish = Wish::Heard {
        call: heard.call,
        segment: heard.segment,
        by: entry::who(heard.by),
    };
    let done = entry::carry_out(&settings, wish)?;
    let told = match done.event {
        Some(_) => "heard",
        None => "was heard before",
    };
    super::print_out(&format!("{}: {told}\n", done.call))?;
    Ok(ExitCode::SUCCESS)
}
