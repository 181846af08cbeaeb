//! A bucket of an S3-compatible store in which recordings are archived.
//!
//! The contract: every call blocks until the store has answered, or until it has said nothing for
//! [`Place::timeout`]; nothing is tried again here, so whoever calls decides when. An upload
//! ([`Bucket::upload`]) keeps its state on the disk and goes on where it was cut off; it is done only
//! once what lies in the bucket was read back and has the SHA-256 that it should have.
//!
//! ```no_run
//! use bucket::{Bucket, Place};
//!
//! let place = Place {
//!     endpoint: "https://s3.example".into(),
//!     bucket: "calls".into(),
//!     region: "us-east-1".into(),
//!     prefix: "archive".into(),
//!     access_key: "AK".into(),
//!     secret: "the secret".into(),
//!     plain_http: false,
//!     part_bytes: 8 << 20,
//!     timeout: std::time::Duration::from_secs(30),
//! };
//! let bucket = Bucket::open(&place)?;
//! bucket.put("2026/11/22/a.json", b"{}")?;
//! assert_eq!(bucket.size("2026/11/22/a.json")?, 2);
//! # Ok::<(), bucket::Error>(())
//! ```
//!
//! Non-goals: what is archived and when, and encryption: what is put is put as it is. No async: it
//! is called from threads that may wait, never from those of calls.

mod carrier;
mod object;
mod upload;
mod wait;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStoreExt, RetryConfig};

pub use object::Object;
pub use upload::{Job, Next, Progress, forget, measure};
use wait::wait;

/// Where the bucket is, and how one gets in.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// `https://` or `http://`, host and port.
    pub endpoint: String,
    /// Its name.
    pub bucket: String,
    /// The region for which requests are signed.
    pub region: String,
    /// What stands before each name, without a slash at its ends; may be empty.
    pub prefix: String,
    /// The access key: a name.
    pub access_key: String,
    /// The secret that belongs to it.
    pub secret: String,
    /// Whether an endpoint in clear text may be used.
    pub plain_http: bool,
    /// Octets of a part of an upload; S3 wants 5 MiB at least. Longer files go in parts.
    pub part_bytes: u64,
    /// How long the store may say nothing, or take nothing.
    pub timeout: Duration,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings do not make a bucket.
    #[error("the bucket cannot be used: {0}")]
    Setting(String),
    /// The store does not have it.
    #[error("{at} has no {name}: {why}")]
    Absent {
        /// Which bucket.
        at: String,
        /// What was asked for.
        name: String,
        /// What the store said.
        why: String,
    },
    /// The store does not let us in.
    #[error(
        "{at} refuses the access key {key:?}: {why}; check access_key, secret_file and the rights in the store"
    )]
    Refused {
        /// Which bucket.
        at: String,
        /// As whom we came.
        key: String,
        /// What the store said.
        why: String,
    },
    /// The store cannot be reached, or does not do its work.
    #[error("{at}: {why}")]
    Trouble {
        /// Which bucket.
        at: String,
        /// What happened.
        why: String,
    },
    /// What lies there, or here, is not what it should be.
    #[error("{0}")]
    Changed(String),
    /// The disk here refuses.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Disk(error) => error,
            Error::Absent { .. } => Self::new(io::ErrorKind::NotFound, error),
            Error::Refused { .. } => Self::new(io::ErrorKind::ConnectionRefused, error),
            Error::Setting(_) | Error::Trouble { .. } => {
                Self::new(io::ErrorKind::ConnectionAborted, error)
            }
            Error::Changed(_) => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// An open bucket; a copy of it is the same bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Arc<AmazonS3>,
    place: Arc<Place>,
}

impl Bucket {
    /// Makes ready to talk to it. Nothing is asked yet.
    ///
    /// # Errors
    /// If the endpoint is none, or in clear text against the settings.
    pub fn open(place: &Place) -> Result<Self, Error> {
        if place.endpoint.starts_with("http://") && !place.plain_http {
            let why = format!("{} is in clear text", place.endpoint);
            return Err(Error::Setting(why));
        }
        let store = AmazonS3Builder::new()
            .with_endpoint(place.endpoint.trim_end_matches('/'))
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_access_key_id(&place.access_key)
            .with_secret_access_key(&place.secret)
            .with_allow_http(place.plain_http)
            .with_virtual_hosted_style_request(false)
            // Not every store has the other way of deleting.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .with_http_connector(carrier::Carrier::new(place))
            .build()
            .map_err(|error| Error::Setting(error.to_string()))?;
        Ok(Self {
            store: Arc::new(store),
            place: Arc::new(place.clone()),
        })
    }

    /// Which bucket it is, for people and for the chain: endpoint, name and prefix.
    #[must_use]
    pub fn at(&self) -> String {
        let Place {
            endpoint,
            bucket,
            prefix,
            ..
        } = &*self.place;
        let endpoint = endpoint.trim_end_matches('/');
        if prefix.is_empty() {
            format!("{endpoint}/{bucket}")
        } else {
            format!("{endpoint}/{bucket}/{prefix}")
        }
    }

    /// Puts a short text; what lay there before is gone.
    ///
    /// # Errors
    /// If the store does not take it.
    pub fn put(&self, name: &str, text: &[u8]) -> Result<(), Error> {
        let text = Bytes::copy_from_slice(text);
        let put = wait(self.store.put(&self.path(name), text.into()));
        put.map(drop).map_err(|error| self.blame(name, &error))
    }

    /// How many octets an object has.
    ///
    /// # Errors
    /// If it is not there, or the store does not say.
    pub fn size(&self, name: &str) -> Result<u64, Error> {
        let found = wait(self.store.head(&self.path(name)));
        found
            .map(|meta| meta.size)
            .map_err(|error| self.blame(name, &error))
    }

    /// An object, to be read from any place.
    ///
    /// # Errors
    /// If it is not there, or the store does not say.
    pub fn object(&self, name: &str) -> Result<Object, Error> {
        let found = wait(self.store.head(&self.path(name)));
        let found = found.map_err(|error| self.blame(name, &error))?;
        Ok(Object::new(self.clone(), name, found.size, found.e_tag))
    }

    /// Removes an object; one that is not there is fine. It is gone when this says so: the store is
    /// asked.
    ///
    /// # Errors
    /// If it is not removed.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        match wait(self.store.delete(&self.path(name))) {
            Ok(()) => {}
            // Some stores say so of an object that is not there. Without its bucket nothing is known of it.
            Err(error @ object_store::Error::NotFound { .. })
                if !reason(&error).starts_with("NoSuchBucket") => {}
            Err(error) => return Err(self.blame(name, &error)),
        }
        match self.size(name) {
            Err(Error::Absent { .. }) => Ok(()),
            Ok(_) => Err(self.trouble(format!("{name} is still there after it was removed"))),
            Err(error) => Err(error),
        }
    }

    /// Octets of an object; fewer only at its end.
    fn piece(
        &self,
        name: &str,
        (from, count): (u64, u64),
        tag: Option<&str>,
    ) -> Result<Bytes, Error> {
        let wanted = GetOptions {
            range: Some(GetRange::Bounded(from..from.saturating_add(count))),
            // Of one object, not of two that bore its name one after the other.
            if_match: tag.map(str::to_owned),
            ..GetOptions::default()
        };
        let path = self.path(name);
        let read = wait(async {
            use object_store::ObjectStore;
            self.store.get_opts(&path, wanted).await?.bytes().await
        });
        read.map_err(|error| self.blame(name, &error))
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.place.prefix))
    }

    fn trouble(&self, why: String) -> Error {
        Error::Trouble { at: self.at(), why }
    }

    /// Whom to blame for what the store, or the way to it, said.
    fn blame(&self, name: &str, error: &object_store::Error) -> Error {
        use object_store::Error as Said;
        let why = reason(error);
        let at = self.at();
        match error {
            Said::NotFound { .. } => Error::Absent {
                at,
                name: name.to_owned(),
                why,
            },
            Said::PermissionDenied { .. } | Said::Unauthenticated { .. } => Error::Refused {
                at,
                key: self.place.access_key.clone(),
                why,
            },
            Said::Precondition { .. } => Error::Changed(format!("{name} was changed meanwhile")),
            _ => Error::Trouble {
                at,
                why: format!("{name}: {why}"),
            },
        }
    }
}

/// What lies deepest in an error, which is what happened; of an answer of S3 its code.
fn reason(error: &object_store::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    let mut text = error.to_string();
    loop {
        let said = deepest.to_string();
        if let Some((code, rest)) = tagged(&said, "Code") {
            let message = tagged(rest, "Message").map_or("", |(message, _)| message);
            return format!("{code} {message}").trim().to_owned();
        }
        let Some(source) = deepest.source() else {
            break;
        };
        deepest = source;
        text = deepest.to_string();
    }
    if text.is_empty() {
        text = format!("{:?}", error.source());
    }
    text.chars().take(400).collect()
}

/// What stands between the tags of a name, and what comes after them.
fn tagged<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
}
