//! Owns the settings of webhooks, the rules among them, and their secrets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::Settings;
use super::define::section;
use super::kinds::choice;
use super::reader::{Reader, path_of};
use super::value::{Fault, Listed, Value, text};

choice! {
    /// What a webhook may be told of.
    Topic expected "\"call.arrived\", \"call.offered\", \"call.answered\", \"call.ended\", \
        \"entry.completed\" or \"recording.ready\"" {
        /// A call reached the engine.
        Arrived = "call.arrived",
        /// A call began to ring at an operator.
        Offered = "call.offered",
        /// Somebody began to talk to the caller.
        Answered = "call.answered",
        /// A call is over.
        Ended = "call.ended",
        /// A person completed an entry.
        Completed = "entry.completed",
        /// A recording can be heard.
        Recorded = "recording.ready",
    }
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Arrived,
        Self::Offered,
        Self::Answered,
        Self::Ended,
        Self::Completed,
        Self::Recorded,
    ];
}

impl Listed for Topic {
    const LIST: &'static str = "a list of what is told, such as [\"call.arrived\", \"call.ended\"]";
}

section! {
    /// A web service that is told what happens, by signed HTTP requests (docs/webhooks.md). What it did
    /// not take is tried again.
    many Webhook "webhook" {
        /// The name, by which the journal knows how far it is. With another name it begins anew.
        name: String = Required "\"crm\"";
        /// Where requests go, by POST. "https" unless it is on this machine or in a network of your own.
        /// Without it nothing is told, and what happens meanwhile is not told later.
        url: Option<String> = Empty "\"https://crm.example/hotline\"";
        /// A file whose first line is the key of signatures.
        secret_file: Option<PathBuf> = Empty "\"/etc/hotline/crm.secret\"";
        /// An environment variable that holds it, in place of secret_file.
        secret_env: Option<String> = Empty "\"HOTLINE_CRM_SECRET\"";
        /// What it is told.
        events: Vec<Topic> = Default
            "[\"call.arrived\", \"call.offered\", \"call.answered\", \"call.ended\", \"entry.completed\", \"recording.ready\"]";
        /// Whether numbers and names are sent whole. Without it all but the end of each is masked;
        /// who has a token of the API can look the entry up.
        personal: bool = Default "false";
        /// How long one request may take.
        timeout: Duration = Default "\"10s\"", in "\"1s\"" ..= "\"1 min\"";
        /// How long a letter that is not taken is tried again; then it is dead until somebody sends it
        /// again (`hotline webhook resend`).
        give_up_after: Duration = Default "\"1d\"", in "\"1s\"" ..= "\"30d\"";
    }
}

impl Webhook {
    /// The key of its signatures, from the file or the environment variable named.
    ///
    /// # Errors
    /// One sentence saying which file or variable has none, or that none is named.
    pub fn secret(&self) -> Result<String, String> {
        let whose = format!("webhook {:?}", self.name);
        let secret = super::check_trunk::read_secret(
            &whose,
            "",
            (self.secret_file.as_deref(), self.secret_env.as_deref()),
        )?;
        secret.ok_or_else(|| format!("{whose} needs secret_file or secret_env"))
    }
}

/// Notes what is wrong with each.
pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    for (at, webhook) in settings.webhooks.iter().enumerate() {
        let path = path_of("webhook", at);
        let url = webhook.url.as_deref().unwrap_or("https://none");
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let plain = |c: char| c.is_ascii_graphic();
        let whole = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if !whole || !url.chars().all(plain) {
            let message = format!("url: expected http:// or https:// and a host, found {url:?}");
            reader.note_at(&format!("{path}.url"), message, None);
        }
        let secrets =
            usize::from(webhook.secret_file.is_some()) + usize::from(webhook.secret_env.is_some());
        if secrets > 1 || (webhook.url.is_some() && secrets == 0) {
            let message = format!(
                "webhook {:?} needs secret_file or secret_env, one of them",
                webhook.name
            );
            reader.note_at(&format!("{path}.name"), message, None);
        }
        if webhook.events.is_empty() {
            let message = "events: expected at least one, found an empty list".to_owned();
            reader.note_at(&format!("{path}.events"), message, None);
        }
    }
}
