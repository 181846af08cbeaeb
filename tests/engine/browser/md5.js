// MD5 (RFC 1321) in hexadecimal, for digest with clients that know nothing better: a page has none.

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));

function padded(octets) {
  const length = Math.ceil((octets.length + 9) / 64) * 64;
  const room = new DataView(new ArrayBuffer(length));
  octets.forEach((octet, at) => room.setUint8(at, octet));
  room.setUint8(octets.length, 0x80);
  room.setUint32(length - 8, octets.length * 8, true);
  return room;
}

function step(round, b, c, d) {
  switch (round) {
    case 0:
      return (b & c) | (~b & d);
    case 1:
      return (d & b) | (~d & c);
    case 2:
      return b ^ c ^ d;
    default:
      return c ^ (b | ~d);
  }
}

export function md5(text) {
  const room = padded(new TextEncoder().encode(text));
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let block = 0; block < room.byteLength; block += 64) {
    let [a, b, c, d] = state;
    for (let i = 0; i < 64; i += 1) {
      const round = i >> 4;
      const word = [i, 5 * i + 1, 3 * i + 5, 7 * i][round] % 16;
      const sum = a + step(round, b, c, d) + SINES[i] + room.getUint32(block + word * 4, true);
      const shift = SHIFTS[round * 4 + (i % 4)];
      const turned = (sum << shift) | ((sum >>> 0) >>> (32 - shift));
      [a, d, c, b] = [d, c, b, (b + turned) | 0];
    }
    [a, b, c, d].forEach((word, at) => (state[at] = (state[at] + word) | 0));
  }
  const octets = state.flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff));
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join('');
}
