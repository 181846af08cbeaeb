//! Owns the judgement of what one party heard: which frames of whose voice, in what order.
//! Refuses to judge whether that is good; the report does.
//!
//! | state \ frame | the one expected | another of the same voice | of another voice | of nobody |
//! |---|---|---|---|---|
//! | nothing heard yet | - | begins | begins | announcement |
//! | hearing | heard | heard, gap counted as missed | heard, switch counted | foreign |
//! | any | own voice of one's own side: echo | | | |

use vocab::media::Side;

use crate::voice::{Library, Place};

/// What one party of a call heard of the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Frames of the other side's voice, octet for octet as spoken.
    pub frames: u64,
    /// Frames of that voice left out between the first and the last heard.
    pub missed: u64,
    /// Frames that came again or too late.
    pub repeated: u64,
    /// Frames before the voice that are nobody's: announcements and music of the engine.
    pub announced: u64,
    /// Frames after the voice began that are nobody's: music in the talk, or broken audio.
    pub foreign: u64,
    /// Times the voice changed to another clip: another call's audio, or another talker.
    pub switched: u64,
    /// Frames of the party's own side: echo, or another party's audio.
    pub echoed: u64,
    /// Clip and frame number of the first frame heard.
    pub first: Option<(u16, u32)>,
}

/// Frames by which a voice may jump forward and still count as lost packets: five seconds.
const GAP_MAX: u32 = 250;
/// Frames by which one may jump back and count as reordered or repeated.
const BACK_MAX: u32 = 50;

/// Follows one party's ear.
#[derive(Debug)]
pub(crate) struct Hearing {
    own: Side,
    expected: Option<Place>,
    heard: Heard,
}

impl Hearing {
    /// The ear of a party on side `own`.
    pub(crate) fn new(own: Side) -> Self {
        Self {
            own,
            expected: None,
            heard: Heard::default(),
        }
    }

    /// One received frame. True for the first frame of the other side's voice.
    pub(crate) fn frame(&mut self, library: &Library, octets: &[u8]) -> bool {
        if let Some(expected) = self.expected
            && library.frame(expected).is_some_and(|frame| frame == octets)
        {
            self.heard.frames += 1;
            self.expected = Some(library.after(expected));
            return false;
        }
        let Some(place) = library.find(octets) else {
            match self.expected {
                Some(_) => self.heard.foreign += 1,
                None => self.heard.announced += 1,
            }
            return false;
        };
        if place.side == self.own {
            self.heard.echoed += 1;
            return false;
        }
        let began = self.expected.is_none();
        self.other_place(library, place);
        began
    }

    fn other_place(&mut self, library: &Library, place: Place) {
        match self.expected {
            None => self.heard.first = Some((place.clip, place.frame)),
            Some(expected) if expected.clip == place.clip => {
                let ahead = library.distance(expected, place);
                if ahead <= GAP_MAX {
                    self.heard.missed += u64::from(ahead);
                } else if library.distance(place, expected) <= BACK_MAX {
                    // It was counted as missed when it was passed over, unless it is a copy.
                    self.heard.repeated += 1;
                    return;
                } else {
                    self.heard.switched += 1;
                }
            }
            Some(_) => self.heard.switched += 1,
        }
        self.heard.frames += 1;
        self.expected = Some(library.after(place));
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::Voices;
    use vocab::media::Law;

    fn library() -> Library {
        Library::new(&Voices::generated(9), Law::Pcma, 9)
    }

    fn hear(ear: &mut Hearing, library: &Library, side: Side, clip: u16, frame: u32) -> bool {
        let octets = *library.frame(Place { side, clip, frame }).unwrap();
        ear.frame(library, &octets)
    }

    #[test]
    fn a_clean_talk_is_heard_whole() {
        let library = library();
        let mut ear = Hearing::new(Side::Caller);
        assert!(
            !ear.frame(&library, &[0xd5; 160]),
            "an announcement is not the operator"
        );
        assert!(hear(&mut ear, &library, Side::Operator, 2, 990));
        for n in 991..1_100 {
            assert!(!hear(&mut ear, &library, Side::Operator, 2, n % 1_000));
        }
        let expected = Heard {
            frames: 110,
            announced: 1,
            first: Some((2, 990)),
            ..Heard::default()
        };
        assert_eq!(ear.heard(), expected);
    }

    #[test]
    fn loss_repetition_and_foreign_audio_are_told_apart() {
        let library = library();
        let mut ear = Hearing::new(Side::Caller);
        for n in [10, 11, 14, 13, 15] {
            hear(&mut ear, &library, Side::Operator, 0, n);
        }
        ear.frame(&library, &[0x55; 160]);
        let expected = Heard {
            frames: 4,
            missed: 2,
            repeated: 1,
            foreign: 1,
            first: Some((0, 10)),
            ..Heard::default()
        };
        assert_eq!(ear.heard(), expected);
    }

    #[test]
    fn crosstalk_and_echo_do_not_pass_for_the_operator() {
        let library = library();
        let mut ear = Hearing::new(Side::Caller);
        assert!(!hear(&mut ear, &library, Side::Caller, 0, 5));
        hear(&mut ear, &library, Side::Operator, 0, 5);
        hear(&mut ear, &library, Side::Operator, 1, 5);
        hear(&mut ear, &library, Side::Operator, 1, 700);
        let heard = ear.heard();
        assert_eq!((heard.echoed, heard.switched, heard.frames), (1, 2, 3));
    }
}
