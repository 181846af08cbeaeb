//! Owns the choice of ports: an even one for RTP and the next for RTCP (RFC 3550 §11).
//!
//! Where the peer takes RTCP on the port of RTP the other is bound all the same: which it will be
//! nobody knows when the leg is opened.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use udp_io::{SocketId, Udp};

/// Pairs tried for one leg when other processes sit in the range.
const PAIR_TRIES: usize = 64;
/// Tries for a free pair when any port will do; after them an odd or lone port is taken.
const ANY_TRIES: usize = 8;

/// Where the legs of one thread are bound.
#[derive(Debug)]
pub(crate) struct Ports {
    address: IpAddr,
    /// Even ports of a range, the one unused for longest first; `None`: any.
    range: Option<VecDeque<u16>>,
}

/// The sockets of one leg.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) rtp: SocketId,
    pub(crate) rtcp: Option<SocketId>,
    pub(crate) port: u16,
}

impl Ports {
    /// The share of thread `lane` of `lanes` in a range: no two threads compete for a port.
    pub(crate) fn new(
        address: IpAddr,
        range: Option<RangeInclusive<u16>>,
        lane: usize,
        lanes: usize,
    ) -> Self {
        let even = range.map(|range| {
            let last = *range.end();
            let even = range.filter(|port| port % 2 == 0 && *port != 0 && *port < last);
            even.skip(lane).step_by(lanes.max(1)).collect()
        });
        Self {
            address,
            range: even,
        }
    }

    /// Binds a pair.
    pub(crate) fn open(&mut self, udp: &mut impl Udp) -> io::Result<Pair> {
        match self.range.as_ref().map(VecDeque::len) {
            None => self.open_any(udp),
            Some(free) => self.open_in_range(udp, free.min(PAIR_TRIES)),
        }
    }

    /// Closes a pair.
    pub(crate) fn close(&mut self, udp: &mut impl Udp, pair: Pair) {
        udp.close(pair.rtp);
        if let Some(rtcp) = pair.rtcp {
            udp.close(rtcp);
        }
        if let Some(range) = &mut self.range {
            range.push_back(pair.port);
        }
    }

    fn open_in_range(&mut self, udp: &mut impl Udp, tries: usize) -> io::Result<Pair> {
        for _ in 0..tries {
            let Some(port) = self.range.as_mut().and_then(VecDeque::pop_front) else {
                break;
            };
            let result = self.open_pair(udp, port);
            if let (Err(_), Some(range)) = (&result, &mut self.range) {
                range.push_back(port);
            }
            match result {
                Err(problem) if problem.kind() == io::ErrorKind::AddrInUse => {}
                result => return result,
            }
        }
        let reason = "no free pair of ports in the range of the settings: make the range wider";
        Err(io::Error::new(io::ErrorKind::AddrInUse, reason))
    }

    fn open_pair(&self, udp: &mut impl Udp, port: u16) -> io::Result<Pair> {
        let rtp = udp.bind(SocketAddr::new(self.address, port))?;
        match udp.bind(SocketAddr::new(self.address, port + 1)) {
            Ok(rtcp) => Ok(Pair {
                rtp,
                rtcp: Some(rtcp),
                port,
            }),
            Err(problem) => {
                udp.close(rtp);
                Err(problem)
            }
        }
    }

    fn open_any(&self, udp: &mut impl Udp) -> io::Result<Pair> {
        for attempt in 1..=ANY_TRIES {
            let rtp = udp.bind(SocketAddr::new(self.address, 0))?;
            let port = udp.local(rtp).map_or(0, |local| local.port());
            if port % 2 == 0
                && let Ok(rtcp) = udp.bind(SocketAddr::new(self.address, port.saturating_add(1)))
            {
                return Ok(Pair {
                    rtp,
                    rtcp: Some(rtcp),
                    port,
                });
            }
            if attempt == ANY_TRIES {
                return Ok(Pair {
                    rtp,
                    rtcp: None,
                    port,
                });
            }
            udp.close(rtp);
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

#[cfg(test)]
mod tests {
    use udp_io::SimNet;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_range_gives_even_ports_whose_neighbour_is_for_rtcp() {
        let mut udp = SimNet::new().sockets();
        let mut ports = Ports::new(HERE, Some(30_001..=30_007), 0, 1);
        let taken: Vec<u16> = (0..3)
            .map_while(|_| Some(ports.open(&mut udp).ok()?.port))
            .collect();
        // 30006 has its neighbour 30007 within the range.
        assert_eq!(taken, [30_002, 30_004, 30_006]);
        assert!(udp.bind(SocketAddr::new(HERE, 30_003)).is_err());
        let problem = ports.open(&mut udp).unwrap_err();
        assert!(problem.to_string().contains("range"));
    }

    #[test]
    fn a_port_comes_back_last_and_other_peoples_ports_are_passed_over() {
        let mut udp = SimNet::new().sockets();
        let mut ports = Ports::new(HERE, Some(30_000..=30_007), 0, 1);
        udp.bind(SocketAddr::new(HERE, 30_003)).unwrap();
        let first = ports.open(&mut udp).unwrap();
        assert_eq!(first.port, 30_000);
        ports.close(&mut udp, first);
        let order: Vec<u16> = (0..3).map(|_| ports.open(&mut udp).unwrap().port).collect();
        assert_eq!(order, [30_004, 30_006, 30_000]);
    }

    #[test]
    fn threads_share_a_range_without_meeting() {
        let mut udp = SimNet::new().sockets();
        let mut all = Vec::new();
        for lane in 0..2 {
            let mut ports = Ports::new(HERE, Some(30_000..=30_009), lane, 2);
            while let Ok(pair) = ports.open(&mut udp) {
                all.push(pair.port);
            }
        }
        all.sort_unstable();
        assert_eq!(all, [30_000, 30_002, 30_004, 30_006, 30_008]);
    }

    #[test]
    fn any_port_is_even_with_its_neighbour_held() {
        let mut udp = SimNet::new().sockets();
        let mut ports = Ports::new(HERE, None, 0, 1);
        let pair = ports.open(&mut udp).unwrap();
        assert_eq!(pair.port % 2, 0);
        assert!(udp.bind(SocketAddr::new(HERE, pair.port + 1)).is_err());
    }
}
