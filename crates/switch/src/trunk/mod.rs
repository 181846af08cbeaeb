//! Owns trunks: what tells their calls, what is read from them, how calls go out to them, and
//! their live state. Refuses to know calls.

mod caller;
mod clean;
mod did;
mod limits;
mod network;
mod numbers;
mod probe;
mod register;
mod route;
mod serve;
mod settings;
mod strangers;

use core::time::Duration;

use sip::Flow;
use vocab::{LiveTrunk, Time};

pub use caller::Caller;
pub use did::Dialled;
pub use limits::{Direction, Full, Seat};
pub use network::{Network, NotANetwork};
pub use numbers::{DialForm, Dialling, NumberRules};
pub use route::{Denied, NoWay, Wanted, Way};
pub use settings::{
    Account, CallerSource, DidSource, DirectionLimits, EarlyMedia, Identity, Inbound, KeysBy,
    Outbound, Password, Probe, Registration, Source, TransferBy, Trunk, TrunkId, TrunkLimits,
};
pub use strangers::{Dropped, StrangerPolicy, StrangerSettings, Strangers};

use limits::Usage;
use probe::Watch;
use register::Register;
use route::Availability;
pub(crate) use serve::Asked;

/// All trunks and what is known of them at this moment.
#[derive(Debug)]
pub struct Trunks {
    all: Vec<Trunk>,
    live: Vec<Live>,
    asked: Asked,
    /// Another engine registers and asks.
    held: bool,
}

/// What is known of one trunk.
#[derive(Debug)]
struct Live {
    inbound: Usage,
    outbound: Usage,
    servers: Vec<Server>,
    register: Option<Register>,
}

/// What is known of one server of a trunk.
#[derive(Debug)]
struct Server {
    watch: Option<Watch>,
    /// It asked to be left alone until then (503 with Retry-After), or was silent to a call.
    resting_until: Option<Time>,
}

/// How long a server is passed over that was silent to a call or refused it for want of room
/// without saying for how long: it costs a caller half a minute to find out again.
const REST: Duration = Duration::from_secs(30);
/// The longest time that a server's Retry-After is obeyed: no peer may switch itself off for good.
const REST_MAX: Duration = Duration::from_secs(600);

impl Trunks {
    /// All trunks, of which nothing is known yet.
    #[must_use]
    pub fn new(all: Vec<Trunk>) -> Self {
        let live = all.iter().map(Live::new).collect();
        Self {
            all,
            live,
            asked: Asked::default(),
            held: false,
        }
    }

    /// The trunk whose calls are known by where they come from: its addresses, or the registrar
    /// that we are registered with. Of several accounts at one place, the one called by its contact.
    #[must_use]
    pub fn by_address(&self, now: Time, flow: &Flow, user: Option<&str>) -> Option<TrunkId> {
        let fits = |(trunk, live): (&Trunk, &Live)| {
            (trunk.source.is_open() && trunk.source.covers(flow)) || live.registers_at(now, flow)
        };
        let mut fitting = self
            .all
            .iter()
            .zip(&self.live)
            .enumerate()
            .filter(|(_, pair)| fits(*pair))
            .map(|(at, (trunk, _))| (TrunkId(at), trunk));
        let (first, trunk) = fitting.next()?;
        let called = |trunk: &Trunk| {
            let registration = trunk.registration.as_ref();
            registration.is_some_and(|one| Some(one.contact_user.as_str()) == user)
        };
        if called(trunk) {
            return Some(first);
        }
        let other = fitting.find(|(_, trunk)| called(trunk));
        Some(other.map_or(first, |(id, _)| id))
    }

    /// The trunk that authenticates itself as this user.
    #[must_use]
    pub fn by_login(&self, user: &str, flow: &Flow) -> Option<(TrunkId, &Trunk)> {
        self.iter().find(|(_, trunk)| {
            let credentials = trunk.source.credentials.as_ref();
            credentials.is_some_and(|(login, _)| login == user) && trunk.source.covers(flow)
        })
    }

    /// One trunk.
    #[must_use]
    pub fn by_id(&self, id: TrunkId) -> Option<&Trunk> {
        self.all.get(id.0)
    }

    /// Whether a trunk's requests come from this address.
    #[must_use]
    pub fn knows(&self, now: Time, flow: &Flow) -> bool {
        let named = |trunk: &Trunk| !trunk.source.networks.is_empty() && trunk.source.covers(flow);
        self.all.iter().any(named) || self.live.iter().any(|live| live.registers_at(now, flow))
    }

    /// Whether a trunk may come from anywhere, and shows who it is by a password.
    #[must_use]
    pub fn any_roams(&self) -> bool {
        let roams =
            |trunk: &Trunk| trunk.source.credentials.is_some() && trunk.source.networks.is_empty();
        self.all.iter().any(roams)
    }

    fn iter(&self) -> impl Iterator<Item = (TrunkId, &Trunk)> {
        let numbered = self.all.iter().enumerate();
        numbered.map(|(at, trunk)| (TrunkId(at), trunk))
    }

    /// A number as our own people dial it, in E.164 by the rules of the first trunk that takes calls.
    #[must_use]
    pub fn normalise(&self, dialled: &str) -> String {
        self.all
            .iter()
            .find(|trunk| trunk.outbound.is_some())
            .map_or_else(
                || dialled.to_owned(),
                |trunk| trunk.numbers.normalise(dialled),
            )
    }

    /// The forms in which trunks bring a number that is written like this, each by its own rules.
    #[must_use]
    pub fn forms(&self, written: &str) -> std::collections::BTreeSet<String> {
        let rules = self.all.iter().map(|trunk| &trunk.numbers);
        rules.map(|rules| rules.normalise(written)).collect()
    }

    /// The ways out to a number, the best first.
    ///
    /// # Errors
    /// If there is none.
    pub fn route(&self, now: Time, wanted: Wanted<'_>) -> Result<Vec<Way>, NoWay> {
        route::ways(&self.all, &At { trunks: self, now }, wanted)
    }

    /// Takes a seat for a new call. Give it back with [`leave`](Self::leave).
    ///
    /// # Errors
    /// The bound that the call would pass.
    pub fn enter(&mut self, now: Time, trunk: TrunkId, direction: Direction) -> Result<Seat, Full> {
        if let Some(live) = self.live.get_mut(trunk.0) {
            live.usage(direction).begin(now)?;
        }
        Ok(Seat { trunk, direction })
    }

    /// Gives the seat of a call back.
    pub fn leave(&mut self, seat: Seat) {
        if let Some(live) = self.live.get_mut(seat.trunk.0) {
            live.usage(seat.direction).end();
        }
    }

    /// A call was sent on this way and refused with a final answer; `retry_after` as it said.
    pub fn refused(&mut self, now: Time, way: &Way, status: u16, retry_after: Option<Duration>) {
        if status == 503 {
            self.rest(now, way, retry_after.unwrap_or(REST));
        }
    }

    /// A call was sent on this way and nothing came back.
    pub fn silent(&mut self, now: Time, way: &Way) {
        self.rest(now, way, REST);
    }

    fn rest(&mut self, now: Time, way: &Way, time: Duration) {
        let time = time.min(REST_MAX);
        tracing::warn!(trunk = way.name, server = %way.next_hop, ?time, "a trunk takes no calls");
        let server = self
            .live
            .get_mut(way.trunk.0)
            .and_then(|live| live.servers.get_mut(way.server));
        if let Some(server) = server {
            server.resting_until = Some(now + time);
        }
    }

    /// The live picture.
    #[must_use]
    pub fn picture(&self, now: Time) -> Vec<LiveTrunk> {
        let both = self.all.iter().zip(&self.live);
        both.map(|(trunk, live)| {
            let addresses = trunk.outbound.iter().flat_map(|outbound| &outbound.servers);
            let servers = addresses.zip(&live.servers);
            LiveTrunk {
                name: trunk.name.clone(),
                registration: live.register.as_ref().map(|register| register.shown(now)),
                servers: servers
                    .map(|(uri, server)| (uri.to_string(), server.is_up(now)))
                    .collect(),
                calls_in: live.inbound.calls,
                calls_out: live.outbound.calls,
            }
        })
        .collect()
    }

    /// Seats that are taken, for checkers.
    pub fn seats(&self) -> usize {
        let of = |live: &Live| live.inbound.calls + live.outbound.calls;
        let seats: u32 = self.live.iter().map(of).sum();
        usize::try_from(seats).unwrap_or(usize::MAX)
    }
}

/// The live state at one moment.
struct At<'a> {
    trunks: &'a Trunks,
    now: Time,
}

impl Availability for At<'_> {
    fn is_available(&self, trunk: TrunkId, server: usize) -> bool {
        let Some(live) = self.trunks.live.get(trunk.0) else {
            return false;
        };
        live.outbound.has_room(self.now)
            && live.is_reached(self.now)
            && live
                .servers
                .get(server)
                .is_some_and(|server| server.is_up(self.now))
    }

    fn service_route(&self, trunk: TrunkId) -> &[sip::NameAddr] {
        let live = self.trunks.live.get(trunk.0);
        let register = live.and_then(|live| live.register.as_ref());
        register.map_or(&[], |register| register.service_route(self.now))
    }
}

impl Server {
    fn is_up(&self, now: Time) -> bool {
        let down = self.watch.as_ref().is_some_and(|watch| watch.down);
        !down && self.resting_until.is_none_or(|until| until <= now)
    }
}

impl Live {
    fn new(trunk: &Trunk) -> Self {
        let servers = trunk
            .outbound
            .as_ref()
            .map_or(0, |outbound| outbound.servers.len());
        let server = || Server {
            watch: trunk.probe.map(Watch::new),
            resting_until: None,
        };
        Self {
            inbound: Usage::new(trunk.limits.inbound),
            outbound: Usage::new(trunk.limits.outbound),
            servers: (0..servers).map(|_| server()).collect(),
            register: trunk.registration.clone().map(|registration| {
                Register::new(&trunk.name, registration, trunk.account.clone())
            }),
        }
    }

    /// Where it wants us registered, we are.
    fn is_reached(&self, now: Time) -> bool {
        self.register
            .as_ref()
            .is_none_or(|register| register.is_registered(now))
    }

    /// Whether this is the registrar that we are registered with.
    fn registers_at(&self, now: Time, flow: &Flow) -> bool {
        self.register.as_ref().is_some_and(|register| {
            let met = register.flow.map(|met| met.remote.ip().to_canonical());
            register.is_registered(now) && met == Some(flow.remote.ip().to_canonical())
        })
    }

    fn usage(&mut self, direction: Direction) -> &mut Usage {
        match direction {
            Direction::In => &mut self.inbound,
            Direction::Out => &mut self.outbound,
        }
    }
}
