//! Owns the bucket of the settings as the place where archived recordings lie: for the ledger, for exports and for
//! the API.

use std::io;
use std::sync::Arc;

use bucket::Bucket;
use recorder::afar;

use crate::settings::Settings;

/// The bucket in the hands of whoever reads recordings.
#[derive(Debug, Clone)]
pub struct Afar(pub(super) Bucket);

impl Afar {
    /// That of the settings; `None` where there is none.
    ///
    /// # Errors
    /// If its secret cannot be read.
    pub fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let place = settings
            .bucket
            .place()
            .map_err(|why| anyhow::anyhow!("{}", settings.problem_at("bucket.secret_file", why)))?;
        let bucket = place.as_ref().map(Bucket::open).transpose()?;
        Ok(bucket.map(Self))
    }

    /// The same, as the recorder wants it.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_recorder(settings: &Settings) -> anyhow::Result<Option<Arc<dyn afar::Afar>>> {
        Ok(Self::of(settings)?.map(|afar| Arc::new(afar) as Arc<dyn afar::Afar>))
    }
}

impl afar::Afar for Afar {
    fn at(&self) -> String {
        self.0.at()
    }

    fn open(&self, file: &str) -> io::Result<Box<dyn afar::Octets>> {
        Ok(Box::new(self.0.object(file)?))
    }
}

impl console::Afar for Afar {
    fn open(&self, path: &str) -> io::Result<Box<dyn console::Sound>> {
        Ok(Box::new(self.0.object(path)?))
    }
}
