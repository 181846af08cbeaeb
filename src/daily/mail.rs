//! Owns the mailing of a report: a message with the files attached, by SMTP.

use std::time::Duration;

use anyhow::Context;
use jiff::civil::Date;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};

use crate::settings::{DailyReport, MailTls, ReportForm};

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A report in one form, and the name of its file.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) form: ReportForm,
    pub(super) octets: Vec<u8>,
}

/// Mails a report; blocks for as long as the server takes.
///
/// # Errors
/// One sentence saying what the server, or the settings, did not allow.
pub(super) fn send(settings: &DailyReport, day: Date, files: Vec<File>) -> anyhow::Result<()> {
    let message = message(settings, day, files)?;
    let server = settings.mail_server.as_deref().unwrap_or_default();
    let (host, port) = server.rsplit_once(':').context("no mail_server")?;
    let tls = || TlsParameters::new(host.to_owned());
    let tls = match settings.mail_tls {
        MailTls::Starttls => Tls::Required(tls()?),
        MailTls::Tls => Tls::Wrapper(tls()?),
        MailTls::None => Tls::None,
    };
    let mut transport = SmtpTransport::builder_dangerous(host)
        .port(port.parse()?)
        .tls(tls)
        .timeout(Some(TIMEOUT));
    let secret = settings.mail_secret().map_err(anyhow::Error::msg)?;
    if let (Some(user), Some(secret)) = (&settings.mail_user, secret) {
        transport = transport.credentials(Credentials::new(user.clone(), secret));
    }
    let sent = transport.build().send(&message);
    sent.with_context(|| format!("the mail server {server} did not take it"))?;
    Ok(())
}

fn message(settings: &DailyReport, day: Date, files: Vec<File>) -> anyhow::Result<Message> {
    let from: Mailbox = settings.mail_from.as_deref().unwrap_or_default().parse()?;
    // A mail that is sent again after a crash is the same mail.
    let id = format!("<hotline-daily-{day}@{}>", from.email.domain());
    let mut message = Message::builder()
        .from(from)
        .message_id(Some(id))
        .subject(format!("hotline: daily report {day}"));
    for to in &settings.mail_to {
        message = message.to(to.parse()?);
    }
    let said = SinglePart::plain(format!("The daily report of {day} is attached.\r\n"));
    let mut parts = MultiPart::mixed().singlepart(said);
    for File { name, form, octets } in files {
        let kind = ContentType::parse(kind(form))?;
        parts = parts.singlepart(Attachment::new(name).body(octets, kind));
    }
    Ok(message.multipart(parts)?)
}

const fn kind(form: ReportForm) -> &'static str {
    match form {
        ReportForm::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ReportForm::Csv => "text/csv; charset=utf-8",
        ReportForm::Html => "text/html; charset=utf-8",
        ReportForm::Json => "application/json",
    }
}
