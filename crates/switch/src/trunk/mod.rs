//! Owns trunks: what tells their calls, what is read from them, how calls go out to them, and
//! their live state. Refuses to know calls.

mod caller;
mod clean;
mod did;
mod limits;
mod network;
mod numbers;
mod route;
mod settings;
mod strangers;

use core::time::Duration;

use sip::Flow;
use vocab::Time;

pub use caller::Caller;
pub use did::Dialled;
pub use limits::{Direction, Full, Seat};
pub use network::{Network, NotANetwork};
pub use numbers::{DialForm, Dialling, NumberRules};
pub use route::{Denied, NoWay, Wanted, Way};
pub use settings::{
    Account, CallerSource, DidSource, DirectionLimits, Identity, Inbound, Outbound, Password,
    Probe, Registration, Source, Trunk, TrunkId, TrunkLimits,
};
pub use strangers::{Dropped, StrangerPolicy, StrangerSettings, Strangers};

use limits::Usage;
use route::Availability;

/// All trunks and what is known of them at this moment.
#[derive(Debug)]
pub struct Trunks {
    all: Vec<Trunk>,
    live: Vec<Live>,
}

/// What is known of one trunk.
#[derive(Debug)]
struct Live {
    inbound: Usage,
    outbound: Usage,
    servers: Vec<Server>,
}

/// What is known of one server of a trunk.
#[derive(Debug, Default)]
struct Server {
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
        Self { all, live }
    }

    /// The trunk whose calls are known by where they come from.
    #[must_use]
    pub fn by_address(&self, flow: &Flow) -> Option<(TrunkId, &Trunk)> {
        self.iter()
            .find(|(_, trunk)| trunk.source.is_open() && trunk.source.covers(flow))
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
    pub fn knows(&self, flow: &Flow) -> bool {
        let named = |trunk: &Trunk| !trunk.source.networks.is_empty() && trunk.source.covers(flow);
        self.all.iter().any(named)
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
        let rested = |server: &Server| server.resting_until.is_none_or(|until| until <= self.now);
        live.outbound.has_room(self.now) && live.servers.get(server).is_some_and(rested)
    }
}

impl Live {
    fn new(trunk: &Trunk) -> Self {
        let servers = trunk
            .outbound
            .as_ref()
            .map_or(0, |outbound| outbound.servers.len());
        Self {
            inbound: Usage::new(trunk.limits.inbound),
            outbound: Usage::new(trunk.limits.outbound),
            servers: (0..servers).map(|_| Server::default()).collect(),
        }
    }

    fn usage(&mut self, direction: Direction) -> &mut Usage {
        match direction {
            Direction::In => &mut self.inbound,
            Direction::Out => &mut self.outbound,
        }
    }
}
