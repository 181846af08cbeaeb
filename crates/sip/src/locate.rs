//! Owns the location of servers (RFC 3263): which questions to ask of the DNS for a URI, and in
//! which order to try what the answers give. Asks nobody: answers are looked up by the caller.
//!
//! A pure function of the URI, the answers known so far and a seed. While answers are missing it
//! tells which; the caller gets them and asks again. The same seed gives the same order.
//!
//! | URI | asked |
//! |---|---|
//! | an address | nothing: UDP (`sips:` TLS) unless the URI says another |
//! | a name with port | addresses of the name |
//! | a name with transport | SRV of that transport, or else addresses |
//! | a name alone | NAPTR, then SRV of what it names (or of each transport), or else addresses |
//!
//! `maddr` is not obeyed: it would let a peer aim our requests at a third party.

use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use vocab::SplitMix64;

use crate::transaction::Transport;
use crate::wire::{Host, Scheme, Uri};

/// Services of one name, and servers of one service, that are looked at.
const RECORDS_MAX: usize = 16;
/// Addresses of one server that are tried.
const ADDRESSES_MAX: usize = 8;
/// Ways to one peer that are tried.
const CANDIDATES_MAX: usize = 16;

/// What to ask the DNS. Names are as they stand in the URI or in an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// NAPTR records of a domain: which transports it wants.
    Naptr(String),
    /// SRV records of a service.
    Srv(String),
    /// A and AAAA records of a host.
    Addresses(String),
    /// Not the DNS's: which address of ours leads to this peer, by the routes of this machine. Where
    /// a socket is bound to all addresses, Via and Contact need it. [`locate`] does not ask this.
    Local(IpAddr),
}

/// A NAPTR record (RFC 3403 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naptr {
    /// The lowest counts first.
    pub order: u16,
    /// Among those of one order, the lowest counts first.
    pub preference: u16,
    /// `s` for those that lead to SRV records.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub services: String,
    /// The name of the SRV records.
    pub replacement: String,
}

/// A SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Srv {
    /// The lowest is tried first.
    pub priority: u16,
    /// Its share among those of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` means that there is no such service.
    pub target: String,
}

/// What the DNS said. Nothing found and no answer at all are empty lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Question::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Question::Srv`].
    Srv(Vec<Srv>),
    /// To [`Question::Addresses`], and the one to [`Question::Local`].
    Addresses(Vec<IpAddr>),
}

/// One way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// What carries the request.
    pub transport: Transport,
    /// Where to.
    pub address: SocketAddr,
}

/// How far the location has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// Try these in their order; there is one at least.
    Ways(Vec<Candidate>),
    /// These answers are needed first.
    Missing(Vec<Question>),
    /// There is no way.
    Nowhere(Nowhere),
}

/// Why there is no way to a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Nowhere {
    /// Neither `sip:` nor `sips:`.
    #[error("a request can be sent to a sip: or sips: URI only")]
    Scheme,
    /// The URI asks for a transport that we do not have or may not use.
    #[error("the URI asks for a transport that is not there")]
    Transport,
    /// The names lead to no address.
    #[error("the name leads to no address")]
    Name,
}

/// A host that the records name, before its addresses are known.
struct Target {
    transport: Transport,
    host: String,
    port: u16,
}

/// The ways to a URI. `transports`: those that we can send by. `known`: looks an answer up.
pub fn locate(
    uri: &Uri,
    transports: &[Transport],
    seed: u64,
    known: impl Fn(&Question) -> Option<Answer>,
) -> Located {
    let secure = match uri.scheme {
        Scheme::Sip => false,
        Scheme::Sips => true,
        Scheme::Tel | Scheme::Other(_) => return Located::Nowhere(Nowhere::Scheme),
    };
    let asks = uri.params.has("transport");
    let named = uri.transport().filter(|_| asks);
    if asks && named.is_none() {
        return Located::Nowhere(Nowhere::Transport);
    }
    let usual = if secure {
        Transport::Tls
    } else {
        Transport::Udp
    };
    let transport = named.unwrap_or(usual);
    let port = uri.port.unwrap_or(transport.default_port());
    let name = match &uri.host {
        Host::Ip(address) => {
            let address = SocketAddr::new(*address, port);
            return ways(vec![Candidate { transport, address }], transports);
        }
        Host::Name(name) => name,
    };
    let itself = |transport: Transport| Target {
        transport,
        host: name.clone(),
        port: uri.port.unwrap_or(transport.default_port()),
    };
    if uri.port.is_some() {
        return addresses(&[itself(transport)], transports, &known);
    }
    let services = match services(name, named, secure, transports, &known) {
        Ok(services) => services,
        Err(missing) => return Located::Missing(missing),
    };
    match servers(&services, seed, &known) {
        Err(missing) => Located::Missing(missing),
        Ok(None) => addresses(&[itself(transport)], transports, &known),
        Ok(Some(targets)) => addresses(&targets, transports, &known),
    }
}

/// The names of SRV records to ask for, the preferred one first (RFC 3263 §4.1).
fn services(
    name: &str,
    named: Option<Transport>,
    secure: bool,
    transports: &[Transport],
    known: &impl Fn(&Question) -> Option<Answer>,
) -> Result<Vec<(Transport, String)>, Vec<Question>> {
    let of = |transport: Transport| {
        let label = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
            Transport::Ws => "_sip._ws",
            Transport::Wss => "_sips._ws",
        };
        (transport, format!("{label}.{name}"))
    };
    if let Some(named) = named {
        return Ok(vec![of(named)]);
    }
    let question = Question::Naptr(name.to_owned());
    let mut records = match known(&question) {
        None => return Err(vec![question]),
        Some(Answer::Naptr(records)) => records,
        Some(Answer::Srv(_) | Answer::Addresses(_)) => Vec::new(),
    };
    records.sort_by_key(|record| (record.order, record.preference));
    let found: Vec<_> = records
        .iter()
        .filter(|record| record.flags.eq_ignore_ascii_case("s"))
        .filter_map(|record| Some((service(&record.services)?, record.replacement.clone())))
        .filter(|(transport, _)| may_use(*transport, secure, transports))
        .take(RECORDS_MAX)
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let all: &[Transport] = if secure {
        &[Transport::Tls]
    } else {
        &[Transport::Udp, Transport::Tcp]
    };
    let usable = all
        .iter()
        .filter(|transport| may_use(**transport, secure, transports));
    Ok(usable.copied().map(of).collect())
}

/// RFC 3263 §4.1: "SIP+D2X" and "SIPS+D2T". WebSocket servers are never sought: browsers call us.
fn service(text: &str) -> Option<Transport> {
    [
        ("SIP+D2U", Transport::Udp),
        ("SIP+D2T", Transport::Tcp),
        ("SIPS+D2T", Transport::Tls),
    ]
    .into_iter()
    .find_map(|(name, transport)| text.eq_ignore_ascii_case(name).then_some(transport))
}

fn may_use(transport: Transport, secure: bool, transports: &[Transport]) -> bool {
    transports.contains(&transport) && (transport.is_secure() || !secure)
}

/// The servers of the services, in the order in which they are tried; `None` if there are no SRV
/// records at all. An only record with the target `.` is a service that is not offered.
fn servers(
    services: &[(Transport, String)],
    seed: u64,
    known: &impl Fn(&Question) -> Option<Answer>,
) -> Result<Option<Vec<Target>>, Vec<Question>> {
    let mut missing = Vec::new();
    let mut targets = Vec::new();
    let mut any = false;
    let mut random = SplitMix64::new(seed);
    for (transport, name) in services {
        let question = Question::Srv(name.clone());
        match known(&question) {
            None => missing.push(question),
            Some(Answer::Srv(records)) => {
                any |= !records.is_empty();
                let ordered = ordered(records, &mut random);
                targets.extend(ordered.into_iter().map(|record| Target {
                    transport: *transport,
                    host: record.target,
                    port: record.port,
                }));
            }
            Some(Answer::Naptr(_) | Answer::Addresses(_)) => {}
        }
    }
    if missing.is_empty() {
        Ok(any.then_some(targets))
    } else {
        Err(missing)
    }
}

/// RFC 2782: by priority; within one priority drawn by weight, those of weight 0 last but for a
/// small chance.
fn ordered(mut records: Vec<Srv>, random: &mut SplitMix64) -> Vec<Srv> {
    records.retain(|record| !matches!(record.target.as_str(), "." | ""));
    records.truncate(RECORDS_MAX);
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let alike = || records.iter().take_while(|one| one.priority == priority);
        let sum: u64 = alike().map(|one| u64::from(one.weight)).sum();
        let drawn = random.below(sum + 1);
        let mut running = 0;
        let chosen = alike().position(|one| {
            running += u64::from(one.weight);
            running >= drawn
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

/// The addresses of the targets, in their order.
fn addresses(
    targets: &[Target],
    transports: &[Transport],
    known: &impl Fn(&Question) -> Option<Answer>,
) -> Located {
    let mut missing = Vec::new();
    let mut candidates = Vec::new();
    for target in targets {
        let question = Question::Addresses(target.host.clone());
        match known(&question) {
            None if missing.contains(&question) => {}
            None => missing.push(question),
            Some(Answer::Addresses(found)) => {
                let found = found.into_iter().take(ADDRESSES_MAX);
                candidates.extend(found.map(|address| Candidate {
                    transport: target.transport,
                    address: SocketAddr::new(address, target.port),
                }));
            }
            Some(Answer::Naptr(_) | Answer::Srv(_)) => {}
        }
    }
    if missing.is_empty() {
        ways(candidates, transports)
    } else {
        Located::Missing(missing)
    }
}

fn ways(mut candidates: Vec<Candidate>, transports: &[Transport]) -> Located {
    if candidates.is_empty() {
        return Located::Nowhere(Nowhere::Name);
    }
    candidates.retain(|way| {
        transports.contains(&way.transport)
            && !way.transport.is_accepted_only()
            && way.address.port() != 0
            && !way.address.ip().is_unspecified()
    });
    candidates.truncate(CANDIDATES_MAX);
    if candidates.is_empty() {
        Located::Nowhere(Nowhere::Transport)
    } else {
        Located::Ways(candidates)
    }
}

#[cfg(test)]
mod tests;
