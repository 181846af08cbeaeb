//! Owns what a load found out: live counts for a screen, and each call's facts for checking
//! the engine's journal against them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vocab::{Time, WallTime};

use crate::hearing::Heard;

/// Packets of one party, and what it heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audio {
    /// Clip the party spoke, and the frame it began with.
    pub spoke: (u16, u32),
    /// RTP packets sent to the engine.
    pub sent: u64,
    /// RTP packets received from the engine.
    pub received: u64,
    /// Packets missing in the engine's sequence numbers.
    pub lost: u64,
    /// Times the engine changed its SSRC.
    pub ssrc_changes: u64,
    /// When the other side's voice was first heard, since the load's start.
    pub first_heard: Option<Time>,
    /// What was heard of the other side.
    pub heard: Heard,
}

/// How a call ended, as its caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The caller had talked enough and hung up.
    CallerHungUp,
    /// The caller lost patience before hearing an operator.
    GaveUp,
    /// The engine hung up: an operator did, or the plan came to its end.
    EngineHungUp,
    /// The engine refused the call with this status.
    Refused(u16),
    /// No final answer to the INVITE ever came.
    Unanswered,
    /// The engine's SDP was of no use.
    BadAnswer,
    /// The load was stopped while the call was up.
    Stopped,
}

/// How an offer ended, as the operator's telephone saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferEnd {
    /// 200 and ACK: a talk.
    Talked,
    /// 486 as told by the behaviour.
    Busy,
    /// 603 as told by the behaviour.
    Rejected,
    /// The engine cancelled it while it rang.
    Cancelled,
    /// The telephone played dead.
    Dead,
    /// 486 because the operator was ringing or in talk already: the engine offered twice.
    DoubleOffer,
    /// 200 was sent and no ACK came.
    AckMissing,
    /// 488: the engine's offer was of no use.
    BadOffer,
}

/// One ringing at one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferReport {
    /// Whose telephone.
    pub login: String,
    /// The caller's number that it showed.
    pub caller: String,
    /// When the INVITE came.
    pub offered_at: Time,
    /// When the telephone answered, if it did.
    pub answered_at: Option<Time>,
    /// When it was over.
    pub ended_at: Time,
    /// How.
    pub end: OfferEnd,
    /// Whether this operator hung up first.
    pub hung_up: bool,
    /// The operator's audio; empty without a talk.
    pub audio: Audio,
}

/// One call, from its caller's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReport {
    /// Number of the call within the load, from 0.
    pub index: u64,
    /// The caller's number.
    pub caller: String,
    /// The number dialled.
    pub number: String,
    /// Call-ID of the caller's INVITE.
    pub sip_call_id: String,
    /// When the INVITE was sent.
    pub placed_at: Time,
    /// When the engine answered.
    pub answered_at: Option<Time>,
    /// When the call was over for the caller.
    pub ended_at: Time,
    /// How it ended.
    pub ending: Ending,
    /// The caller's audio.
    pub audio: Audio,
    /// The BYE was never answered.
    pub bye_unanswered: bool,
    /// The ringings the call caused, in the order they ended.
    pub offers: Vec<OfferReport>,
}

/// A side may miss this many frames at the start and the end of a talk (bridging, hanging up).
const EDGE_FRAMES: u64 = 25;
/// Of a hundred frames, so many may be lost on a busy machine before the talk counts as broken.
const LOST_PER_HUNDRED: u64 = 5;

impl CallReport {
    /// The offer that became the talk.
    #[must_use]
    pub fn talk(&self) -> Option<&OfferReport> {
        self.offers
            .iter()
            .find(|offer| offer.end == OfferEnd::Talked)
    }

    /// How long caller and operator talked, by the operator's telephone.
    #[must_use]
    pub fn talked(&self) -> Option<Duration> {
        let talk = self.talk()?;
        Some(talk.ended_at.since(talk.answered_at?))
    }

    /// Whether an operator answered and both sides heard each other whole and nobody else.
    ///
    /// # Errors
    /// What was wrong, in words.
    pub fn judge(&self) -> Result<(), String> {
        match self.ending {
            Ending::CallerHungUp | Ending::EngineHungUp => {}
            Ending::Stopped if self.talk().is_some() => {}
            other => return Err(format!("the call ended as {other:?}")),
        }
        if self.bye_unanswered {
            return Err("the caller's BYE was never answered".into());
        }
        let Some(talk) = self.talk() else {
            return Err("no operator talked to the caller".into());
        };
        if self
            .offers
            .iter()
            .filter(|offer| offer.end == OfferEnd::Talked)
            .count()
            > 1
        {
            return Err("two operators answered the call".into());
        }
        let frames = self
            .talked()
            .map_or(0, |talked| talked.as_millis() as u64 / 20);
        judge_ear("the caller", &self.audio, &talk.audio, frames)?;
        judge_ear("the operator", &talk.audio, &self.audio, frames)
    }
}

fn judge_ear(who: &str, ear: &Audio, mouth: &Audio, frames: u64) -> Result<(), String> {
    let heard = &ear.heard;
    let least = (frames.saturating_sub(EDGE_FRAMES)) * (100 - LOST_PER_HUNDRED) / 100;
    if heard.frames < least || (heard.frames == 0 && frames > EDGE_FRAMES) {
        return Err(format!(
            "{who} heard {} frames of about {frames}",
            heard.frames
        ));
    }
    if heard.first.is_some_and(|(clip, _)| clip != mouth.spoke.0) {
        return Err(format!("{who} heard somebody else's voice"));
    }
    if heard.switched + heard.echoed + heard.foreign > 0 {
        return Err(format!(
            "{who} heard other audio in the talk: {} switches, {} echoes, {} foreign frames",
            heard.switched, heard.echoed, heard.foreign
        ));
    }
    Ok(())
}

/// What a load found out.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// Wall-clock time of the load's start (`Time::ZERO` of all its times).
    pub started: WallTime,
    /// The last counts.
    pub counts: LoadCounts,
    /// Finished calls in the order they ended, the oldest dropped beyond `reports_max`.
    pub calls: Vec<CallReport>,
    /// Offers whose caller number belongs to no call of this load.
    pub strange_offers: Vec<OfferReport>,
    /// Operators who could not register, with the reason.
    pub not_registered: Vec<(String, String)>,
}

/// Declares the live counts once, as atomics for the threads and as plain numbers to read.
macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts of a load at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct LoadCounts { $($(#[$doc])* pub $name: u64,)* }

        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)* }

        impl Counters {
            pub(crate) fn read(&self) -> LoadCounts {
                LoadCounts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Operators registered now.
    registered,
    /// Registrations refused since the start.
    not_registered,
    /// Calls placed since the start.
    placed,
    /// Calls up now (INVITE sent, not over).
    up,
    /// Talks going on now.
    talking,
    /// Calls the engine answered since the start.
    answered,
    /// Calls that an operator answered since the start.
    talked,
    /// Calls over since the start.
    ended,
    /// Callers who lost patience.
    gave_up,
    /// Calls refused by the engine.
    refused,
    /// Calls that ended in no proper way: unanswered INVITE or BYE, useless SDP.
    failed,
    /// Offers to an operator who was ringing or in talk already. Must stay 0.
    double_offers,
    /// RTP packets sent.
    rtp_sent,
    /// RTP packets received that belong to a call.
    rtp_received,
    /// Packets from ports that belong to no talking party (late ones after a BYE, mostly).
    rtp_strays,
    /// Packets the system refused to send.
    rtp_unsent,
    /// The latest that a tick of audio ever was, microseconds. Above 20,000 the load itself is
    /// the bottleneck and its judgement of audio is worth little.
    late_us_max,
}

pub(crate) fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

pub(crate) fn subtract(counter: &AtomicU64, number: u64) {
    counter.fetch_sub(number, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good_call() -> CallReport {
        let ear = |clip| Audio {
            spoke: (clip, 5),
            heard: Heard {
                frames: 490,
                first: Some((3 - clip, 7)),
                ..Heard::default()
            },
            ..Audio::default()
        };
        CallReport {
            index: 0,
            caller: "79140000000".into(),
            number: "1300".into(),
            sip_call_id: "a".into(),
            placed_at: Time::ZERO,
            answered_at: Some(Time::from_millis(5)),
            ended_at: Time::from_millis(11_000),
            ending: Ending::CallerHungUp,
            audio: ear(1),
            bye_unanswered: false,
            offers: vec![OfferReport {
                login: "anna".into(),
                caller: "79140000000".into(),
                offered_at: Time::from_millis(100),
                answered_at: Some(Time::from_millis(1_000)),
                ended_at: Time::from_millis(11_000),
                end: OfferEnd::Talked,
                hung_up: false,
                audio: ear(2),
            }],
        }
    }

    #[test]
    fn a_good_call_is_good() {
        assert_eq!(good_call().judge(), Ok(()));
        assert_eq!(good_call().talked(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn each_fault_of_a_call_is_seen() {
        type Spoil = fn(&mut CallReport);
        let faults: [(&str, Spoil); 8] = [
            ("ended as Refused(503)", |call| {
                call.ending = Ending::Refused(503)
            }),
            ("BYE", |call| call.bye_unanswered = true),
            ("no operator", |call| call.offers.clear()),
            ("two operators", |call| {
                call.offers.push(call.offers[0].clone())
            }),
            ("caller heard 0 frames", |call| call.audio.heard.frames = 0),
            ("operator heard 300 frames", |call| {
                call.offers[0].audio.heard.frames = 300
            }),
            ("somebody else", |call| {
                call.audio.heard.first = Some((0, 7))
            }),
            ("1 echoes", |call| call.audio.heard.echoed = 1),
        ];
        for (expected, spoil) in faults {
            let mut call = good_call();
            spoil(&mut call);
            let said = call.judge().unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
    }
}
