//! Owns the form of a trace file: pcapng (draft-ietf-opsawg-pcapng), little-endian.
//!
//! A file is one Section Header Block, one Interface Description Block for each transport, and an
//! Enhanced Packet Block for each message, with its direction and its comment. Refuses to read
//! files of others beyond what it must: blocks it does not know are passed over.

use std::io::{self, Read, Write};

use crate::packet::{Direction, Packet, frame, unframe};

/// Block types.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// What tells the order of octets.
const MAGIC: u32 = 0x1a2b_3c4d;
/// LINKTYPE_RAW: a packet begins with its IP header.
const RAW_IP: u16 = 101;
/// Options: a comment, an interface's name, the program's, and the flags of a packet.
const COMMENT: u16 = 1;
const NAME: u16 = 2;
const PROGRAM: u16 = 4;
const FLAGS: u16 = 2;
/// The direction in the flags of a packet.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// Longest block read. Ours are at most 66 KB; only damage claims more.
const BLOCK_MAX: usize = 256 << 10;
/// Longest comment written.
const COMMENT_MAX: usize = 1_024;

/// The transports, each an interface of its own; the number of an interface is its place here.
const TRANSPORTS: [&str; 5] = ["UDP", "TCP", "TLS", "WS", "WSS"];

/// The head of a file.
#[must_use]
pub fn head() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(MAGIC.to_le_bytes());
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    // The length of the section is not known.
    body.extend(u64::MAX.to_le_bytes());
    option(&mut body, PROGRAM, b"hotline");
    end_of_options(&mut body);
    let mut bytes = block(SECTION, &body);
    for transport in TRANSPORTS {
        let mut body = Vec::new();
        body.extend(RAW_IP.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // No packet is cut by a limit of the interface.
        body.extend(0_u32.to_le_bytes());
        option(&mut body, NAME, transport.to_ascii_lowercase().as_bytes());
        end_of_options(&mut body);
        bytes.extend(block(INTERFACE, &body));
    }
    bytes
}

/// A packet, times in microseconds (the resolution that is usual).
#[must_use]
pub fn packet(packet: &Packet) -> Vec<u8> {
    let interface = TRANSPORTS.iter().position(|name| *name == packet.transport);
    let interface = interface.and_then(|at| u32::try_from(at).ok()).unwrap_or(0);
    let at = packet.at_us.max(0).cast_unsigned();
    let frame = frame(packet);
    let length = u32::try_from(frame.len()).unwrap_or(0);
    let cut = packet
        .bytes
        .len()
        .saturating_sub(crate::packet::MESSAGE_MAX);
    let whole = length.saturating_add(u32::try_from(cut).unwrap_or(0));
    let mut body = Vec::with_capacity(frame.len() + 64);
    for number in [interface, (at >> 32) as u32, at as u32, length, whole] {
        body.extend(number.to_le_bytes());
    }
    body.extend(&frame);
    pad(&mut body);
    let flags = match packet.direction {
        Direction::In => INBOUND,
        Direction::Out => OUTBOUND,
    };
    option(&mut body, FLAGS, &flags.to_le_bytes());
    if !packet.comment.is_empty() {
        let comment = packet.comment.as_bytes();
        option(
            &mut body,
            COMMENT,
            comment.get(..COMMENT_MAX).unwrap_or(comment),
        );
    }
    end_of_options(&mut body);
    block(PACKET, &body)
}

/// Writes a whole file.
///
/// # Errors
/// If the output does not take it.
pub fn write(mut output: impl Write, packets: &[Packet]) -> io::Result<()> {
    output.write_all(&head())?;
    for one in packets {
        output.write_all(&packet(one))?;
    }
    output.flush()
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(0);
    let mut bytes = Vec::with_capacity(body.len() + 12);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(body);
    bytes.extend(length.to_le_bytes());
    bytes
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Everything is in words of four octets.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Reads the packets of a file, in order. A tail that is not whole, as a crash leaves it, ends
/// the file.
pub struct Reader<R> {
    input: R,
    interfaces: Vec<&'static str>,
}

impl<R: Read> Reader<R> {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no pcapng file of this order of octets.
    pub fn new(input: R) -> io::Result<Self> {
        let mut reader = Self {
            input,
            interfaces: Vec::new(),
        };
        match reader.block()? {
            Some((SECTION, body)) if word(&body, 0) == Some(MAGIC) => Ok(reader),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "expected a little-endian pcapng file",
            )),
        }
    }

    /// The next packet; none at the end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn packet(&mut self) -> io::Result<Option<Packet>> {
        while let Some((kind, body)) = self.block()? {
            match kind {
                INTERFACE => {
                    let name = options(body.get(8..).unwrap_or_default())
                        .find(|(code, _)| *code == NAME)
                        .and_then(|(_, name)| {
                            TRANSPORTS
                                .into_iter()
                                .find(|one| one.as_bytes().eq_ignore_ascii_case(name))
                        });
                    self.interfaces.push(name.unwrap_or("UDP"));
                }
                PACKET => {
                    if let Some(packet) = self.read_packet(&body) {
                        return Ok(Some(packet));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn read_packet(&self, body: &[u8]) -> Option<Packet> {
        let interface = usize::try_from(word(body, 0)?).ok()?;
        let at = u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?);
        let length = usize::try_from(word(body, 12)?).ok()?;
        let frame = body.get(20..20_usize.checked_add(length)?)?;
        let (from, to, message) = unframe(frame)?;
        let rest = body.get((20 + length).next_multiple_of(4)..)?;
        let (mut flags, mut comment) = (0, String::new());
        for (code, value) in options(rest) {
            match code {
                FLAGS => flags = word(value, 0)?,
                COMMENT => comment = String::from_utf8_lossy(value).into_owned(),
                _ => {}
            }
        }
        let (direction, local, remote) = if flags & 3 == OUTBOUND {
            (Direction::Out, from, to)
        } else {
            (Direction::In, to, from)
        };
        Some(Packet {
            at_us: i64::try_from(at).ok()?,
            transport: self.interfaces.get(interface).copied()?,
            local,
            remote,
            direction,
            comment,
            bytes: message.to_vec(),
        })
    }

    /// Type and body of the next block; none when no whole and sound one follows.
    fn block(&mut self) -> io::Result<Option<(u32, Vec<u8>)>> {
        let mut start = [0; 8];
        if !self.fill(&mut start)? {
            return Ok(None);
        }
        let (Some(kind), Some(length)) = (word(&start, 0), word(&start, 4)) else {
            return Ok(None);
        };
        let octets = usize::try_from(length).unwrap_or(0);
        if !(12..=BLOCK_MAX).contains(&octets) || !octets.is_multiple_of(4) {
            return Ok(None);
        }
        let mut body = vec![0; octets - 8];
        if !self.fill(&mut body)? || word(&body, octets - 12) != Some(length) {
            return Ok(None);
        }
        body.truncate(octets - 12);
        Ok(Some((kind, body)))
    }

    /// Fills the buffer; says false when the file ends before that.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.input.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let octets: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(octets))
}

fn options(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let head = word(bytes, 0)?;
        let (code, length) = (head as u16, usize::try_from(head >> 16).ok()?);
        if code == 0 {
            return None;
        }
        let value = bytes.get(4..4 + length)?;
        bytes = bytes.get((4 + length).next_multiple_of(4)..)?;
        Some((code, value))
    })
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    fn address() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
        prop_oneof![
            (any::<([u8; 4], u16)>(), any::<([u8; 4], u16)>())
                .prop_map(|(one, other)| (one.into(), other.into())),
            (any::<([u8; 16], u16)>(), any::<([u8; 16], u16)>())
                .prop_map(|(one, other)| (one.into(), other.into())),
        ]
    }

    fn any_packet() -> impl Strategy<Value = Packet> {
        (
            0_i64..4_102_444_800_000_000,
            prop::sample::select(TRANSPORTS.to_vec()),
            address(),
            any::<bool>(),
            "[ -~]{0,40}",
            prop::collection::vec(any::<u8>(), 0..2_000),
        )
            .prop_map(
                |(at_us, transport, (local, remote), inbound, comment, bytes)| Packet {
                    at_us,
                    transport,
                    local,
                    remote,
                    direction: if inbound {
                        Direction::In
                    } else {
                        Direction::Out
                    },
                    comment,
                    bytes,
                },
            )
    }

    fn read(bytes: &[u8]) -> Vec<Packet> {
        let mut reader = Reader::new(bytes).unwrap();
        core::iter::from_fn(|| reader.packet().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(packets in prop::collection::vec(any_packet(), 0..8)) {
            let mut file = Vec::new();
            write(&mut file, &packets).unwrap();
            prop_assert_eq!(read(&file), packets);
        }

        #[test]
        fn a_torn_tail_costs_only_the_message_that_was_being_written(
            packets in prop::collection::vec(any_packet(), 1..5),
            cut in 1_usize..64,
        ) {
            let mut file = Vec::new();
            write(&mut file, &packets).unwrap();
            file.truncate(file.len() - cut);
            let left = packets.split_last().unwrap().1;
            // A short cut may take nothing but the last block, a longer one no more either.
            prop_assert_eq!(read(&file), left);
        }

        #[test]
        fn damage_never_panics(mut file in Just(sample()), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
            for (at, octet) in hits {
                let at = at.index(file.len());
                file[at] = octet;
            }
            if let Ok(mut reader) = Reader::new(file.as_slice()) {
                while let Ok(Some(_)) = reader.packet() {}
            }
        }
    }

    fn sample() -> Vec<u8> {
        let packet = Packet {
            at_us: 1_795_340_000_000_001,
            transport: "TLS",
            local: "192.0.2.1:5061".parse().unwrap(),
            remote: "192.0.2.2:40000".parse().unwrap(),
            direction: Direction::Out,
            comment: "call 0cff1234-0000002a".to_owned(),
            bytes: b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        };
        let mut file = Vec::new();
        write(&mut file, &[packet.clone(), packet]).unwrap();
        file
    }

    #[test]
    fn a_message_that_is_too_long_for_ip_is_cut() {
        let mut packet = read(&sample()).remove(0);
        packet.bytes = vec![b'x'; 70_000];
        let mut file = Vec::new();
        write(&mut file, &[packet]).unwrap();
        assert_eq!(read(&file)[0].bytes.len(), crate::packet::MESSAGE_MAX);
    }

    #[test]
    fn the_comment_names_the_call() {
        let packet = read(&sample()).remove(0);
        assert_eq!(packet.call(), "0cff1234-0000002a".parse().ok());
    }
}
