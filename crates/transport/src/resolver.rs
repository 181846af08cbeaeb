//! Owns the asking of the DNS: NAPTR, SRV, A and AAAA by hickory-resolver, and of our own routes.
//! Keeps nothing: the switch knows how long an answer holds.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use sip::{Answer, Naptr, Question, Srv};

use crate::local;

/// How long the answer "there is nothing", or none, holds.
const NOTHING_HOLDS: Duration = Duration::from_secs(30);
/// How long the routes of this machine hold.
const ROUTE_HOLDS: Duration = Duration::from_secs(60);
/// The longest wait for one server, and how often it is asked: together below the switch's limit.
const WAIT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// The DNS as this machine is set up for it, or as the settings say.
#[derive(Clone)]
pub struct Resolver(Option<Arc<TokioResolver>>);

/// The DNS cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the DNS cannot be used: {0}")]
pub struct ResolverError(String);

impl Resolver {
    /// Asks these name servers; none: those that this machine asks.
    ///
    /// # Errors
    /// If the resolver cannot be set up.
    pub fn new(name_servers: &[SocketAddr]) -> Result<Self, ResolverError> {
        let failed = |error: hickory_resolver::net::NetError| ResolverError(error.to_string());
        let mut builder = if name_servers.is_empty() {
            TokioResolver::builder_tokio().map_err(failed)?
        } else {
            let servers = name_servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = WAIT;
        options.attempts = ATTEMPTS;
        // The switch keeps answers itself.
        options.cache_size = 0;
        let resolver = builder.build().map_err(failed)?;
        Ok(Self(Some(Arc::new(resolver))))
    }

    /// Answers questions about our own routes alone, where there is no DNS.
    #[must_use]
    pub const fn without_dns() -> Self {
        Self(None)
    }

    /// Finds the answer and for how long it holds. Nothing found, and nobody there, is an empty
    /// answer.
    pub async fn ask(&self, question: &Question) -> (Answer, Duration) {
        match question {
            Question::Local(remote) => {
                let ours = local::route(SocketAddr::new(*remote, 9));
                (Answer::Addresses(ours.into_iter().collect()), ROUTE_HOLDS)
            }
            Question::Naptr(name) => {
                let (found, holds) = self.look_up(name, RecordType::NAPTR).await;
                (
                    Answer::Naptr(found.iter().filter_map(naptr).collect()),
                    holds,
                )
            }
            Question::Srv(name) => {
                let (found, holds) = self.look_up(name, RecordType::SRV).await;
                (Answer::Srv(found.iter().filter_map(srv).collect()), holds)
            }
            Question::Addresses(name) => {
                // hosts files are read for these two by the resolver.
                let (v4, v6) = tokio::join!(
                    self.look_up(name, RecordType::A),
                    self.look_up(name, RecordType::AAAA),
                );
                let addresses = v4.0.iter().chain(&v6.0).filter_map(address).collect();
                let holds = match (v4.0.is_empty(), v6.0.is_empty()) {
                    (false, true) => v4.1,
                    (true, false) => v6.1,
                    (false, false) | (true, true) => v4.1.min(v6.1),
                };
                (Answer::Addresses(addresses), holds)
            }
        }
    }

    async fn look_up(&self, name: &str, kind: RecordType) -> (Vec<RData>, Duration) {
        let Some(resolver) = &self.0 else {
            return (Vec::new(), NOTHING_HOLDS);
        };
        // Names in SIP are whole: no search list.
        let whole = format!("{}.", name.trim_end_matches('.'));
        match resolver.lookup(whole, kind).await {
            Ok(lookup) => {
                let holds = lookup.valid_until().duration_since(Instant::now());
                (records(&lookup), holds)
            }
            Err(error) => {
                tracing::debug!(name, %kind, %error, "nothing found");
                (Vec::new(), NOTHING_HOLDS)
            }
        }
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn records(lookup: &Lookup) -> Vec<RData> {
    let answers = lookup.answers().iter();
    answers.map(|record| record.data.clone()).collect()
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(record) = data else {
        return None;
    };
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Some(Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        services: text(&record.services),
        replacement: record.replacement.to_utf8(),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(record) = data else {
        return None;
    };
    Some(Srv {
        priority: record.priority,
        weight: record.weight,
        port: record.port,
        target: record.target.to_utf8(),
    })
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}
