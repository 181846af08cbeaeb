//! Owns the answer to a STUN binding request on a SIP socket: the keep-alive of telephones behind
//! a NAT, which learn from it whether their address has changed (RFC 5626 §3.5.2, RFC 8489).

use core::net::{IpAddr, SocketAddr};

const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];
const HEADER: usize = 20;

/// The response, if the datagram is a binding request of RFC 8489. Attributes are not looked at:
/// RFC 5626 §8 wants none answered to. A SIP message never begins with a zero octet.
pub(crate) fn answer(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let header: &[u8; HEADER] = datagram.first_chunk()?;
    let [k0, k1, l0, l1, c0, c1, c2, c3, id @ ..] = header;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    if [*k0, *k1] != BINDING_REQUEST
        || [*c0, *c1, *c2, *c3] != MAGIC_COOKIE
        || datagram.len() != HEADER + length
        || !length.is_multiple_of(4)
    {
        return None;
    }
    // §14.2: the port is XORed with the cookie's first half, the address with cookie and id.
    let mask = MAGIC_COOKIE.iter().chain(id);
    let (family, octets) = match source.ip().to_canonical() {
        IpAddr::V4(v4) => (1, v4.octets().to_vec()),
        IpAddr::V6(v6) => (2, v6.octets().to_vec()),
    };
    let port = source.port() ^ 0x2112;
    let size = 4 + octets.len() as u16;
    let mut answer = Vec::with_capacity(HEADER + 4 + usize::from(size));
    answer.extend(BINDING_SUCCESS);
    answer.extend((size + 4).to_be_bytes());
    answer.extend(MAGIC_COOKIE);
    answer.extend(id);
    answer.extend(XOR_MAPPED_ADDRESS);
    answer.extend(size.to_be_bytes());
    answer.extend([0, family]);
    answer.extend(port.to_be_bytes());
    answer.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<u8> {
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        request.extend(*b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae");
        request
    }

    /// The addresses and results of RFC 5769 §2.2 and §2.3.
    #[test]
    fn a_binding_request_gets_its_address_back() {
        let answer4 = answer(&request(), "192.0.2.1:32853".parse().unwrap()).unwrap();
        let expected = [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(answer4[..4], [1, 1, 0, 12]);
        assert_eq!(answer4[20..], expected);
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        let answer6 = answer(&request(), v6.parse().unwrap()).unwrap();
        let expected = [
            0, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc,
            0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(answer6[20..], expected);
    }

    #[test]
    fn anything_else_gets_no_answer() {
        let source = "192.0.2.1:32853".parse().unwrap();
        let good = request();
        assert_eq!(answer(b"", source), None);
        assert_eq!(answer(b"OPTIONS sip:a@h SIP/2.0\r\n\r\n", source), None);
        assert_eq!(answer(&good[..19], source), None);
        for (place, octet) in [(0, 1), (1, 2), (3, 4), (4, 0)] {
            let mut bad = good.clone();
            bad[place] = octet;
            assert_eq!(answer(&bad, source), None, "octet {place}");
        }
    }
}
