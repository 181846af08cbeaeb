//! Owns searches for octets in short texts, eight octets at a time.
//!
//! The parser searches dozens of times in a message, mostly over less than fifty octets. There the
//! choice of the best instructions that `memchr` makes at run time costs more than the search.
//!
//! Each search makes a word of eight octets whose highest bits mark what is looked for. Only the
//! lowest mark has to be right: carries and borrows of a hit spoil higher octets, never lower ones.

/// The highest bit of each octet.
const MARKS: u64 = all(0x80);

/// This octet eight times.
const fn all(octet: u8) -> u64 {
    u64::from_le_bytes([octet; 8])
}

/// Marks octets that are zero.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(all(1)) & !word & MARKS
}

/// Marks octets that are smaller than `limit`, which is 0x80 at most.
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(all(limit)) & !word & MARKS
}

/// Position of this octet.
#[inline]
pub(super) fn find(needle: u8, octets: &[u8]) -> Option<usize> {
    let needles = all(needle);
    first(octets, |word| zeros(word ^ needles))
}

/// Position of the first of two octets.
#[inline]
pub(super) fn find2(needles: [u8; 2], octets: &[u8]) -> Option<usize> {
    let [a, b] = needles.map(all);
    first(octets, |word| zeros(word ^ a) | zeros(word ^ b))
}

/// Position of the first of three octets.
#[inline]
pub(super) fn find3(needles: [u8; 3], octets: &[u8]) -> Option<usize> {
    let [a, b, c] = needles.map(all);
    first(octets, |word| {
        zeros(word ^ a) | zeros(word ^ b) | zeros(word ^ c)
    })
}

/// Position of the first octet that is no printable ASCII: control characters, tabs and line ends
/// included.
#[inline]
pub(super) fn unprintable(octets: &[u8]) -> Option<usize> {
    first(octets, |word| {
        (word.wrapping_sub(all(b' ')) | word.wrapping_add(all(1))) & MARKS
    })
}

/// Position of the first white space or control character.
#[inline]
pub(super) fn blank(octets: &[u8]) -> Option<usize> {
    first(octets, |word| {
        below(word, b' ' + 1) | zeros(word ^ all(0x7f))
    })
}

/// Position of the first white space, control character or angle bracket.
#[inline]
pub(super) fn blank_or_angle(octets: &[u8]) -> Option<usize> {
    // The brackets differ in one bit.
    const EITHER: u8 = !(b'<' ^ b'>');
    first(octets, |word| {
        let angles = zeros((word & all(EITHER)) ^ all(b'<' & EITHER));
        below(word, b' ' + 1) | zeros(word ^ all(0x7f)) | angles
    })
}

/// Position of the first octet that `marks` marks.
#[inline]
fn first(octets: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, tail) = octets.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(at + lowest(found));
        }
        at += word.len();
    }
    if tail.is_empty() {
        return None;
    }
    let (begin, word) = match octets.last_chunk::<8>() {
        // Holds octets of the word before again, which are no hits.
        Some(word) => (octets.len() - word.len(), u64::from_le_bytes(*word)),
        None => (0, short_word(octets)),
    };
    let place = begin + lowest(marks(word));
    (place < octets.len()).then_some(place)
}

/// Position of the lowest marked octet; 8 if none is.
const fn lowest(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// Less than eight octets, the rest filled up by zeros.
fn short_word(octets: &[u8]) -> u64 {
    octets
        .iter()
        .rev()
        .fold(0, |word, octet| (word << 8) | u64::from(*octet))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn plainly(octets: &[u8], hit: impl Fn(u8) -> bool) -> Option<usize> {
        octets.iter().position(|octet| hit(*octet))
    }

    fn agree(octets: &[u8]) {
        assert_eq!(find(b':', octets), plainly(octets, |o| o == b':'));
        assert_eq!(find(0, octets), plainly(octets, |o| o == 0));
        assert_eq!(
            find2(*b"\"\\", octets),
            plainly(octets, |o| b"\"\\".contains(&o))
        );
        assert_eq!(
            find3(*b"%:\"", octets),
            plainly(octets, |o| b"%:\"".contains(&o))
        );
        assert_eq!(
            unprintable(octets),
            plainly(octets, |o| !(b' '..0x7f).contains(&o))
        );
        assert_eq!(blank(octets), plainly(octets, |o| o <= b' ' || o == 0x7f));
        assert_eq!(
            blank_or_angle(octets),
            plainly(octets, |o| o <= b' ' || o == 0x7f || o == b'<' || o == b'>')
        );
    }

    #[test]
    fn every_octet_in_every_place_is_seen_as_by_a_plain_search() {
        for octet in 0..=u8::MAX {
            for length in 0..20 {
                for place in 0..length {
                    let mut octets = vec![b'a'; length];
                    octets[place] = octet;
                    agree(&octets);
                    // Neighbours are where carries and borrows could show.
                    octets[length - 1] = octet.wrapping_add(1);
                    agree(&octets);
                    octets[length - 1] = octet.wrapping_sub(1);
                    agree(&octets);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_seen_as_by_a_plain_search(octets in vec(any::<u8>(), 0..40)) {
            agree(&octets);
        }

        #[test]
        fn text_is_seen_as_by_a_plain_search(text in "[ -~\t:%\"<>\\\\я]{0,40}") {
            agree(text.as_bytes());
        }
    }
}
