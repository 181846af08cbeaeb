//! Owns the 64 bits by which a completion is known again.
//!
//! | bits | receive | send | the waker |
//! |---|---|---|---|
//! | 56..64 | 1 | 2 | 3 |
//! | 32..56 | generation of the socket's place | 0 | 0 |
//! | 0..32 | number of the socket | number of the buffer | 0 |

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// The standing receive of a socket.
    Receive {
        /// Number of the socket.
        socket: u32,
        /// How often its place was taken, 24 bits: the completion may be of a former socket.
        generation: u32,
    },
    /// A packet that is sent from this buffer.
    Send(u16),
    /// The standing watch of the waker.
    Wake,
}

/// What a generation can be.
pub(super) const GENERATION_MASK: u32 = 0x00ff_ffff;

const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const WAKE: u64 = 3;

impl Tag {
    pub(super) fn to_bits(self) -> u64 {
        match self {
            Self::Receive { socket, generation } => {
                let generation = u64::from(generation & GENERATION_MASK);
                RECEIVE << 56 | generation << 32 | u64::from(socket)
            }
            Self::Send(buffer) => SEND << 56 | u64::from(buffer),
            Self::Wake => WAKE << 56,
        }
    }

    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        match bits >> 56 {
            RECEIVE => Some(Self::Receive {
                socket: bits as u32,
                generation: (bits >> 32) as u32 & GENERATION_MASK,
            }),
            SEND => Some(Self::Send(bits as u16)),
            WAKE => Some(Self::Wake),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_was_written() {
        let tags = [
            Tag::Receive {
                socket: u32::MAX,
                generation: GENERATION_MASK,
            },
            Tag::Receive {
                socket: 0,
                generation: 0,
            },
            Tag::Send(u16::MAX),
            Tag::Wake,
        ];
        for tag in tags {
            assert_eq!(Tag::from_bits(tag.to_bits()), Some(tag));
        }
        assert_eq!(Tag::from_bits(0), None);
    }
}
