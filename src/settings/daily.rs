//! Owns the settings of the daily report, the rules among them, and the secret of its mail.

use std::path::{Path, PathBuf};

use jiff::civil;
use toml::Spanned;
use toml::de::DeValue;

use super::Settings;
use super::define::section;
use super::kinds::choice;
use super::reader::Reader;
use super::value::{Fault, Listed, Value, text};

choice! {
    /// The form of a report in a file.
    ReportForm expected "\"xlsx\", \"csv\", \"html\" or \"json\"" {
        /// A workbook.
        Xlsx = "xlsx",
        /// Comma-separated values.
        Csv = "csv",
        /// A page.
        Html = "html",
        /// For programs.
        Json = "json",
    }
}

impl Listed for ReportForm {
    const LIST: &'static str = "a list of forms: \"xlsx\", \"csv\", \"html\", \"json\"";
}

choice! {
    /// How mail is protected on its way to the server.
    MailTls expected "\"starttls\", \"tls\" or \"none\"" {
        /// By TLS that begins within the connection (port 587).
        Starttls = "starttls",
        /// By TLS from the first octet (port 465).
        Tls = "tls",
        /// Not at all.
        None = "none",
    }
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(pub civil::Time);

impl Value for TimeOfDay {
    const EXPECTED: &'static str = "a time of day, such as \"06:00\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
            civil::Time::new(hour, minute, 0, 0).ok().map(Self)
        })
    }
}

section! {
    /// The daily report of the day before, made each day by itself (docs/reports.md).
    one DailyReport "daily_report" {
        /// The folder in which it is put, as daily-2026-11-22.xlsx. Without it there is none.
        folder: Option<PathBuf> = Empty "\"reports\"";
        /// When, in the zone of [journal]. Days that were missed come later, 31 at most.
        at: TimeOfDay = Default "\"06:00\"";
        /// In which forms.
        forms: Vec<ReportForm> = Default "[\"xlsx\"]";
        /// To whom it is mailed as well.
        mail_to: Vec<String> = Empty "[\"head@hotline.example\"]";
        /// From whom the mail is.
        mail_from: Option<String> = Empty "\"hotline@hotline.example\"";
        /// The server that takes the mail: host and port.
        mail_server: Option<String> = Empty "\"mail.example:587\"";
        /// How the way there is protected: "starttls", "tls", or "none", which is for a server on this
        /// machine.
        mail_tls: MailTls = Default "\"starttls\"";
        /// The name as which we sign in there. Without it we do not.
        mail_user: Option<String> = Empty "\"hotline\"";
        /// A file whose first line is the password of mail_user.
        mail_secret_file: Option<PathBuf> = Empty "\"/etc/hotline/mail.secret\"";
        /// An environment variable that holds it, in place of mail_secret_file.
        mail_secret_env: Option<String> = Empty "\"HOTLINE_MAIL_SECRET\"";
    }
}

impl DailyReport {
    /// The password of `mail_user`; `None` where nobody signs in.
    ///
    /// # Errors
    /// One sentence saying which file or variable has none.
    pub fn mail_secret(&self) -> Result<Option<String>, String> {
        super::check_trunk::read_secret(
            "daily_report",
            "mail_",
            (
                self.mail_secret_file.as_deref(),
                self.mail_secret_env.as_deref(),
            ),
        )
    }
}

/// Notes what does not fit together.
pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    let ours = &settings.daily_report;
    let mut wrong = |key: &str, message: &str| {
        reader.note_at(
            &format!("daily_report.{key}"),
            format!("{key}: {message}"),
            None,
        );
    };
    if ours.forms.is_empty() {
        wrong("forms", "expected at least one form, found an empty list");
    }
    if !ours.mail_to.is_empty() {
        if ours.folder.is_none() {
            wrong("mail_to", "has no meaning without folder");
        }
        if ours.mail_from.is_none() || ours.mail_server.is_none() {
            wrong("mail_to", "needs mail_from and mail_server");
        }
    }
    let addresses = ours.mail_to.iter().chain(&ours.mail_from);
    for address in addresses {
        if address.parse::<lettre::message::Mailbox>().is_err() {
            let message = format!("expected a mail address, found {address:?}");
            wrong("mail_to", &message);
        }
    }
    if let Some(server) = &ours.mail_server {
        let port = server.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(1..))) {
            let message = format!("expected a host and a port, found {server:?}");
            wrong("mail_server", &message);
        }
    }
    let secrets =
        usize::from(ours.mail_secret_file.is_some()) + usize::from(ours.mail_secret_env.is_some());
    if secrets != usize::from(ours.mail_user.is_some()) {
        wrong(
            "mail_user",
            "belongs together with one of mail_secret_file and mail_secret_env",
        );
    }
}
