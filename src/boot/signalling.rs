//! Owns the opening of the signalling sockets: certificates, listeners, the resolver.

use std::net::SocketAddr;

use sip::{Question, Transport as Protocol};
use switch::Input;
use transport::{Identity, Inherited, Limits, Resolver, TlsError, Transport, Trust};

use crate::driver::Inbox;
use crate::priority;
use crate::settings::{Problem, Settings};

/// Port of TLS where nothing listens for it: shown to peers of connections that we open.
const TLS_PORT: u16 = 5061;

/// The thread of the sockets: one of its own, so that no report and no page of the console stands between a
/// message and the driver.
///
/// # Errors
/// If the system gives no thread.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("sip")
        .on_thread_start(|| priority::set(priority::CALL_CONTROL))
        .enable_all()
        .build()
}

/// What TLS needs.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    identity: Option<Identity>,
    trust: Option<Trust>,
}

impl Certificates {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// Each file that cannot be used, at its place in the settings.
    pub fn load(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let sip = &settings.sip;
        let mut problems = Vec::new();
        let mut note = |path: &str, error: &TlsError| {
            problems.push(settings.problem_at(path, error.to_string()));
        };
        let identity = match (&sip.certificate, &sip.key) {
            (Some(certificate), Some(key)) => Identity::load(certificate, key)
                .map_err(|error| {
                    let of_key = match &error {
                        TlsError::File { file, .. } => file == key,
                        TlsError::Mismatch { .. } => true,
                        TlsError::NoRoots => false,
                    };
                    note(if of_key { "sip.key" } else { "sip.certificate" }, &error);
                })
                .ok(),
            _ => None,
        };
        let trust = match &sip.authorities {
            Some(file) => Trust::load(file)
                .map_err(|error| note("sip.authorities", &error))
                .ok(),
            // A machine without authorities can take TLS, and open none.
            None => Trust::system().ok(),
        };
        if problems.is_empty() {
            Ok(Self { identity, trust })
        } else {
            Err(problems)
        }
    }
}

/// Opens the sockets that were not inherited. Within a tokio runtime.
pub(super) fn listen(
    settings: &Settings,
    certificates: Certificates,
    inherited: Vec<Inherited>,
    inbox: &Inbox,
) -> anyhow::Result<Transport> {
    let (sip, limits) = (&settings.sip, &settings.limits);
    let told = transport::Settings {
        udp: sip.listen.clone(),
        tcp: sip.tcp.clone(),
        tls: sip.tls.clone(),
        ws: sip.ws.clone(),
        wss: sip.wss.clone(),
        identity: certificates.identity,
        trust: certificates.trust,
        origins: sip.origins.clone(),
        limits: Limits {
            connections: limits.connections,
            per_address: limits.connections_per_address,
            idle: limits.connection_idle,
            ..Limits::default()
        },
    };
    Ok(Transport::take_over(told, inherited, inbox.clone())?)
}

/// Where requests leave from: where we listen, and for TLS without a listener the address of another.
pub(super) fn sockets(listening: &[(Protocol, SocketAddr)]) -> Vec<(Protocol, SocketAddr)> {
    let mut sockets: Vec<_> = listening
        .iter()
        .copied()
        .filter(|(protocol, _)| !protocol.is_accepted_only())
        .collect();
    if !sockets.iter().any(|(one, _)| *one == Protocol::Tls) {
        let of_tcp = |(one, _): &&(Protocol, SocketAddr)| *one == Protocol::Tcp;
        let tls: Vec<_> = listening
            .iter()
            .filter(of_tcp)
            .map(|(_, address)| (Protocol::Tls, SocketAddr::new(address.ip(), TLS_PORT)))
            .collect();
        sockets.extend(tls);
    }
    sockets
}

/// Puts the switch's questions to the DNS, each in a task of its own; the switch bounds their
/// number.
pub(super) fn resolver(
    settings: &Settings,
    runtime: &tokio::runtime::Runtime,
    inbox: Inbox,
) -> Box<dyn Fn(Question) + Send> {
    let _entered = runtime.enter();
    let resolver = Resolver::new(&settings.sip.name_servers).unwrap_or_else(|error| {
        tracing::warn!(%error, "peers can be called by address only");
        Resolver::without_dns()
    });
    let runtime = runtime.handle().clone();
    Box::new(move |question| {
        let (resolver, inbox) = (resolver.clone(), inbox.clone());
        runtime.spawn(async move {
            let (answer, holds) = resolver.ask(&question).await;
            inbox.input(Input::Resolved {
                question,
                answer,
                holds,
            });
        });
    })
}
