//! Owns the load's RTP sockets, bound once at the start and shared by many parties each: the
//! engine knows a party by the engine's own port, so the party's port need not be its own.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use vocab::media::Side;

/// Parties that share one socket. With one packet per 20 ms each, and a look every 5 ms, a
/// socket buffers about a dozen packets.
pub(crate) const PARTIES_PER_SOCKET: usize = 50;
/// Sockets of a side at most (50,000 parties).
const SOCKETS_MAX: usize = 1_000;

/// What the kernel keeps for a socket while its thread is busy elsewhere.
const RECEIVE_BUFFER: usize = 2 << 20;

/// Opens a UDP socket without waiting, with a large receive buffer if the system allows.
pub(crate) fn bind(address: IpAddr, port: u16) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(address, port))?;
    socket.set_nonblocking(true)?;
    // The limit of rmem_max gives way only to a privileged process; the plain request is
    // silently cut to it. Either is good enough, so neither may fail the start.
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
    }
    Ok(socket)
}

/// A party's place: which thread serves it, on which of the thread's sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) thread: usize,
    pub(crate) socket: usize,
    pub(crate) port: u16,
    index: usize,
    side: Side,
}

/// Who sits where.
#[derive(Debug)]
pub(crate) struct Seats {
    callers: Vec<(Seat, usize)>,
    operators: Vec<(Seat, usize)>,
}

impl Seats {
    /// Binds sockets for so many parties of each side and deals them out to `threads` threads.
    /// Gives the seats, and each thread's sockets in the order the seats number them.
    pub(crate) fn open(
        (caller_address, callers): (IpAddr, usize),
        (operator_address, operators): (IpAddr, usize),
        threads: usize,
    ) -> std::io::Result<(Self, Vec<Vec<UdpSocket>>)> {
        let mut sockets: Vec<Vec<UdpSocket>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
        let mut open = |side, address, parties: usize| {
            let count = parties.div_ceil(PARTIES_PER_SOCKET).clamp(1, SOCKETS_MAX);
            (0..count)
                .map(|index| open_seat(&mut sockets, side, address, index))
                .collect()
        };
        let callers: std::io::Result<Vec<_>> = open(Side::Caller, caller_address, callers);
        let operators: std::io::Result<Vec<_>> = open(Side::Operator, operator_address, operators);
        Ok((
            Self {
                callers: callers?,
                operators: operators?,
            },
            sockets,
        ))
    }

    /// The seat with the fewest parties.
    pub(crate) fn take(&mut self, side: Side) -> Option<Seat> {
        let (seat, taken) = self.side(side).iter_mut().min_by_key(|(_, taken)| *taken)?;
        *taken += 1;
        Some(*seat)
    }

    /// A party left its seat.
    pub(crate) fn leave(&mut self, seat: Seat) {
        if let Some((_, taken)) = self.side(seat.side).get_mut(seat.index) {
            *taken = taken.saturating_sub(1);
        }
    }

    fn side(&mut self, side: Side) -> &mut Vec<(Seat, usize)> {
        match side {
            Side::Caller => &mut self.callers,
            Side::Operator => &mut self.operators,
        }
    }
}

fn open_seat(
    sockets: &mut [Vec<UdpSocket>],
    side: Side,
    address: IpAddr,
    index: usize,
) -> std::io::Result<(Seat, usize)> {
    let socket = bind(address, 0)?;
    let port = socket.local_addr()?.port();
    let thread = index % sockets.len().max(1);
    let of_thread = sockets
        .get_mut(thread)
        .ok_or(std::io::ErrorKind::InvalidInput)?;
    of_thread.push(socket);
    Ok((
        Seat {
            thread,
            socket: of_thread.len() - 1,
            port,
            index,
            side,
        },
        0,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn parties_are_dealt_out_evenly() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (mut seats, sockets) = Seats::open((local, 200), (local, 60), 2).unwrap();
        assert_eq!(sockets.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
        let taken: Vec<Seat> = (0..200).filter_map(|_| seats.take(Side::Caller)).collect();
        for seat in &taken[..4] {
            assert_eq!(
                taken.iter().filter(|other| *other == seat).count(),
                PARTIES_PER_SOCKET
            );
            assert_eq!(
                sockets[seat.thread][seat.socket]
                    .local_addr()
                    .unwrap()
                    .port(),
                seat.port
            );
        }
        seats.leave(taken[7]);
        assert_eq!(seats.take(Side::Caller), Some(taken[7]));
    }
}
