//! Owns carrying the requests of object_store over HTTP: by ureq, blocking, with the roots of trust
//! of this machine. Refuses redirects: one could lead a signed request to anybody.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::Place;

/// What we say we are.
const NAME: &str = concat!("hotline/", env!("CARGO_PKG_VERSION"));
/// An answer is a piece that was asked for, or a text of some kilobytes.
const ANSWER_MAX: u64 = 2 << 30;
/// Connections that are kept open: requests come one after another.
const IDLE_MAX: usize = 2;

/// How requests get there.
#[derive(Debug, Clone)]
pub(crate) struct Carrier(ureq::Agent);

impl Carrier {
    pub(crate) fn new(place: &Place) -> Self {
        let wait = Some(place.timeout.max(Duration::from_millis(1)));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!place.plain_http)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(IDLE_MAX)
            .timeout_resolve(wait)
            .timeout_connect(wait)
            .timeout_recv_response(wait)
            .timeout_per_read(wait)
            .timeout_per_write(wait)
            .user_agent(NAME)
            .proxy(None);
        // Reading the roots of trust costs some milliseconds, and is of no use without TLS.
        let config = if place.endpoint.starts_with("https://") {
            config.tls_config(TlsConfig::builder().root_certs(roots()).build())
        } else {
            config
        };
        Self(config.build().new_agent())
    }
}

/// Those of this machine, among them that of a private authority; Mozilla's where it has none.
fn roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of this machine cannot be read");
    }
    if found.certs.is_empty() {
        return RootCerts::WebPki;
    }
    let certificates = found.certs.iter();
    let certificates = certificates.map(|one| Certificate::from_der(one).to_owned());
    RootCerts::Specific(Arc::new(certificates.collect()))
}

impl HttpConnector for Carrier {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Carrier {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let takes_body = [Method::PUT, Method::POST].contains(&head.method);
        let answer = if takes_body {
            let body = body.collect().await?.to_bytes();
            self.0.run(Request::from_parts(head, &body[..]))
        } else {
            self.0.run(Request::from_parts(head, ()))
        };
        let (head, mut body) = answer.map_err(failed)?.into_parts();
        let text = body.with_config().limit(ANSWER_MAX).read_to_vec();
        let text = Bytes::from(text.map_err(failed)?);
        Ok(HttpResponse::from_parts(head, text.into()))
    }
}

fn failed(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => HttpErrorKind::Connect,
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        ureq::Error::Io(_) => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}
