//! Owns the bucket of an S3-compatible store for archived recordings: where it is, with which key, and what fits
//! together.

use std::path::PathBuf;
use std::time::Duration;

use super::Settings;
use super::define::section;
use super::kinds::Size;
use super::problem::Problem;
use super::reader::Reader;

section! {
    /// A bucket of an S3-compatible store, into which recordings go when they are in the archive
    /// (docs/recording.md). Without an endpoint they stay on this machine alone.
    one ArchiveBucket "bucket" {
        /// Where the store is: protocol, host and port.
        endpoint: Option<String> = Empty "\"https://s3.example:9000\"";
        /// The name of the bucket. It must keep no versions of objects: what is destroyed is to be gone.
        name: Option<String> = Empty "\"hotline\"";
        /// The region for which requests are signed; stores of one's own mostly take any.
        region: String = Default "\"us-east-1\"";
        /// What stands before each name in the bucket.
        prefix: Option<String> = Empty "\"archive\"";
        /// The access key. It needs to put, get and delete objects, and to abort uploads.
        access_key: Option<String> = Empty "\"hotline\"";
        /// A file whose first line is the secret of the access key.
        secret_file: Option<PathBuf> = Empty "\"/etc/hotline/bucket.secret\"";
        /// Whether the endpoint may be http://, in clear text: for a store on this machine or in a network
        /// of its own.
        plain_http: bool = Default "false";
        /// How long the copy on this machine stays after the one in the bucket was read back and compared;
        /// "0s" removes it then. Without it it stays for as long as the recording is kept.
        keep_local: Option<Duration> = Empty "\"7d\"";
        /// Longer files go up in parts of this size, of which none is sent twice. Two of them are held in
        /// memory.
        part: Size = Default "\"8 MiB\"", in "\"5 MiB\"" ..= "\"512 MiB\"";
        /// How long the store may say nothing; then it is tried again, later and later, up to ten minutes.
        timeout: Duration = Default "\"30s\"", in "\"1s\"" ..= "\"5 min\"";
    }
}

impl ArchiveBucket {
    /// What is needed to talk to it; `None` where there is none.
    ///
    /// # Errors
    /// One sentence saying which file has no secret.
    pub fn place(&self) -> Result<Option<bucket::Place>, String> {
        let (Some(endpoint), Some(name), Some(access_key)) =
            (&self.endpoint, &self.name, &self.access_key)
        else {
            return Ok(None);
        };
        let secret =
            super::check_trunk::read_secret("bucket", "", (self.secret_file.as_deref(), None))?;
        Ok(Some(bucket::Place {
            endpoint: endpoint.clone(),
            bucket: name.clone(),
            region: self.region.clone(),
            prefix: self.prefix.clone().unwrap_or_default(),
            access_key: access_key.clone(),
            secret: secret.unwrap_or_default(),
            plain_http: self.plain_http,
            part_bytes: self.part.0,
            timeout: self.timeout,
        }))
    }
}

/// Notes what does not fit together.
pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>, warnings: &mut Vec<Problem>) {
    let ours = &settings.bucket;
    let mut wrong = |key: &str, message: String, help: Option<&str>| {
        let message = format!("{key}: {message}");
        reader.note_at(&format!("bucket.{key}"), message, help.map(str::to_owned));
    };
    let given = [
        ("name", ours.name.is_some()),
        ("access_key", ours.access_key.is_some()),
        ("secret_file", ours.secret_file.is_some()),
    ];
    let Some(endpoint) = &ours.endpoint else {
        if let Some((key, _)) = given.iter().find(|(_, given)| *given) {
            wrong(key, "has no meaning without endpoint".to_owned(), None);
        }
        return;
    };
    let missing: Vec<&str> = given
        .iter()
        .filter_map(|(key, given)| (!given).then_some(*key))
        .collect();
    if !missing.is_empty() {
        let message = format!("needs {} beside it", missing.join(" and "));
        wrong("endpoint", message, None);
    }
    let (secure, plain) = (
        endpoint.strip_prefix("https://"),
        endpoint.strip_prefix("http://"),
    );
    let host = secure.or(plain).map(|host| host.trim_end_matches('/'));
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if !host.is_some_and(|host| !host.is_empty() && host.chars().all(fits)) {
        let message = format!("expected https://, a host and a port, found {endpoint:?}");
        wrong("endpoint", message, None);
    } else if plain.is_some() && !ours.plain_http {
        let message = format!("expected https://, found {endpoint:?}");
        wrong(
            "endpoint",
            message,
            Some("clear text takes plain_http = true"),
        );
    }
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    if let Some(name) = &ours.name
        && (!(3..=63).contains(&name.len()) || !name.chars().all(named))
    {
        let message =
            format!("expected 3 to 63 small letters, digits, dots and hyphens, found {name:?}");
        wrong("name", message, None);
    }
    let part = |part: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(fits)
    };
    if let Some(prefix) = ours
        .prefix
        .as_ref()
        .filter(|prefix| !prefix.split('/').all(part))
    {
        let message = format!(
            "expected names of letters, digits, hyphens and dots with / between them, found {prefix:?}"
        );
        wrong("prefix", message, None);
    }
    if settings.recordings.archive_after.is_none() {
        let message = "endpoint: nothing goes into the bucket without recordings.archive_after";
        let help = "recordings go there when they are in the archive".to_owned();
        warnings.push(reader.problem_at("bucket.endpoint", message.to_owned(), Some(help)));
    }
}
