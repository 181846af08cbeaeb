//! Owns the offer/answer state of one session (RFC 3264 §4, RFC 6337 §2): who has an offer out, in
//! which message, and so what either side may send next. Refuses to look into bodies.

/// One of the two sides of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// We.
    Ours,
    /// The peer.
    Theirs,
}

/// The message an offer went in; it decides where the answer must be (RFC 6337 §2.2, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// INVITE: answered in a reliable 1xx or in the 2xx.
    Invite,
    /// A reliable 1xx of an INVITE without offer: answered in its PRACK.
    Reliable,
    /// The 2xx of an INVITE without offer: answered in the ACK.
    Success,
    /// PRACK: answered in its 2xx.
    Prack,
    /// UPDATE: answered in its 2xx.
    Update,
}

/// What a request of the peer asks of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// To answer its offer, or to refuse it and leave everything as it was.
    Answer,
    /// To take the answer to the offer that we made.
    Take,
    /// To make an offer: it is an INVITE without one.
    Offer,
    /// Nothing: no description is due either way.
    Nothing,
}

/// Why a request of the peer cannot be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 491: we have an offer or an INVITE out (RFC 3261 §14.2, RFC 3311 §5.2).
    Glare,
    /// 500 with Retry-After: an earlier request of the same peer is not done (the same sections).
    Overlap,
    /// 400: our reliable offer is to be answered in the PRACK, and was not (RFC 3262 §5).
    Unanswered,
}

impl Refusal {
    /// The status that says so.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Glare => 491,
            Self::Overlap => 500,
            Self::Unanswered => 400,
        }
    }
}

/// An INVITE transaction of the session that is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Inviting {
    /// It has no final response.
    Open(Side),
    /// The peer's has our 2xx, whose ACK did not come yet.
    Unacknowledged,
}

/// The offer/answer state of one session.
///
/// `offer` × what comes from the peer:
///
/// | offer out        | INVITE + SDP | INVITE   | UPDATE + SDP | UPDATE  | PRACK + SDP | PRACK   | ACK + SDP | ACK     |
/// |------------------|--------------|----------|--------------|---------|-------------|---------|-----------|---------|
/// | none             | Answer       | Offer    | Answer       | Nothing | Answer      | Nothing | Nothing   | Nothing |
/// | ours in INVITE   | 491          | 491      | 491          | Nothing | -           | Nothing | -         | -       |
/// | ours in 1xx      | 500          | 500      | 491          | Nothing | Take        | 400     | -         | -       |
/// | ours in 2xx      | 491          | 491      | 491          | Nothing | -           | Nothing | Take      | lost    |
/// | ours in UPDATE   | 491          | 491      | 491          | Nothing | 491         | Nothing | -         | -       |
/// | theirs (any)     | 500          | 500      | 500          | Nothing | 500         | Nothing | -         | -       |
///
/// Before that, an INVITE of the peer's is refused while another INVITE is open: 491 if it is ours, 500
/// if it is the peer's own (RFC 3261 §14.2). A 2xx of ours without ACK is no obstacle unless it
/// holds an offer: the ACK may be lost or late. "Lost": the session stays what it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Offers {
    offer: Option<(Side, Carrier)>,
    inviting: Option<Inviting>,
}

impl Offers {
    /// The session of an INVITE that came from the peer.
    #[must_use]
    pub fn invited(with_offer: bool) -> Self {
        Self {
            offer: with_offer.then_some((Side::Theirs, Carrier::Invite)),
            inviting: Some(Inviting::Open(Side::Theirs)),
        }
    }

    /// The session of an INVITE of ours.
    #[must_use]
    pub fn inviting(with_offer: bool) -> Self {
        Self {
            offer: with_offer.then_some((Side::Ours, Carrier::Invite)),
            inviting: Some(Inviting::Open(Side::Ours)),
        }
    }

    /// The offer that is out.
    #[must_use]
    pub const fn open_offer(&self) -> Option<(Side, Carrier)> {
        self.offer
    }

    /// True when nothing is under way: both sides know the same session.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        self.offer.is_none() && self.inviting.is_none()
    }

    // What the peer sends.

    /// A re-INVITE came.
    ///
    /// # Errors
    /// How to refuse it.
    pub fn invite_came(&mut self, with_offer: bool) -> Result<Task, Refusal> {
        match (self.inviting, self.offer) {
            (Some(Inviting::Open(Side::Ours)), _) => return Err(Refusal::Glare),
            (Some(Inviting::Open(Side::Theirs)), _) => return Err(Refusal::Overlap),
            (_, Some((Side::Ours, _))) => return Err(Refusal::Glare),
            (_, Some((Side::Theirs, _))) => return Err(Refusal::Overlap),
            (Some(Inviting::Unacknowledged) | None, None) => {}
        }
        self.inviting = Some(Inviting::Open(Side::Theirs));
        if !with_offer {
            return Ok(Task::Offer);
        }
        self.offer = Some((Side::Theirs, Carrier::Invite));
        Ok(Task::Answer)
    }

    /// An UPDATE came (RFC 3311 §5.2).
    ///
    /// # Errors
    /// How to refuse it.
    pub fn update_came(&mut self, with_offer: bool) -> Result<Task, Refusal> {
        if !with_offer {
            return Ok(Task::Nothing);
        }
        match self.offer {
            Some((Side::Ours, _)) => Err(Refusal::Glare),
            Some((Side::Theirs, _)) => Err(Refusal::Overlap),
            None => {
                self.offer = Some((Side::Theirs, Carrier::Update));
                Ok(Task::Answer)
            }
        }
    }

    /// The PRACK of a reliable 1xx of ours came (RFC 3262 §5).
    ///
    /// # Errors
    /// How to refuse it.
    pub fn prack_came(&mut self, with_description: bool) -> Result<Task, Refusal> {
        match (self.offer, with_description) {
            (Some((Side::Ours, Carrier::Reliable)), true) => {
                self.offer = None;
                Ok(Task::Take)
            }
            (Some((Side::Ours, Carrier::Reliable)), false) => Err(Refusal::Unanswered),
            (Some(_) | None, false) => Ok(Task::Nothing),
            (Some((Side::Ours, _)), true) => Err(Refusal::Glare),
            (Some((Side::Theirs, _)), true) => Err(Refusal::Overlap),
            (None, true) => {
                self.offer = Some((Side::Theirs, Carrier::Prack));
                Ok(Task::Answer)
            }
        }
    }

    /// The ACK of our 2xx came.
    pub fn ack_came(&mut self, with_description: bool) -> Task {
        if self.inviting == Some(Inviting::Unacknowledged) {
            self.inviting = None;
        }
        if self.offer != Some((Side::Ours, Carrier::Success)) {
            return Task::Nothing;
        }
        self.offer = None;
        if with_description {
            Task::Take
        } else {
            Task::Nothing
        }
    }

    /// No ACK came to our 2xx: an offer in it was never answered.
    pub fn ack_missing(&mut self) {
        self.ack_came(false);
    }

    // What we answer.

    /// Our answer to an UPDATE or PRACK went out, be it a refusal.
    pub fn answered(&mut self) {
        if let Some((Side::Theirs, Carrier::Update | Carrier::Prack)) = self.offer {
            self.offer = None;
        }
    }

    /// A reliable 1xx of ours went out.
    pub fn reliable_sent(&mut self, with_description: bool) {
        if with_description {
            self.description_sent(Carrier::Reliable);
        }
    }

    /// A 2xx of ours to the peer's INVITE went out.
    pub fn success_sent(&mut self, with_description: bool) {
        self.inviting = Some(Inviting::Unacknowledged);
        if with_description {
            self.description_sent(Carrier::Success);
        }
    }

    /// We refused the peer's INVITE: its offer never was.
    pub fn invite_refused(&mut self) {
        if self.inviting == Some(Inviting::Open(Side::Theirs)) {
            self.inviting = None;
        }
        if matches!(
            self.offer,
            Some((Side::Theirs, Carrier::Invite) | (Side::Ours, Carrier::Reliable))
        ) {
            self.offer = None;
        }
    }

    fn description_sent(&mut self, carrier: Carrier) {
        self.offer = match self.offer {
            Some((Side::Theirs, Carrier::Invite)) => None,
            // Said before, reliably: RFC 6337 §3.1.1.
            open @ Some(_) => open,
            None => Some((Side::Ours, carrier)),
        };
    }

    // What we send.

    /// Whether a re-INVITE of ours is legal now (RFC 3261 §14.1).
    #[must_use]
    pub const fn may_invite(&self) -> bool {
        self.is_at_rest()
    }

    /// Whether an UPDATE of ours is legal now (RFC 3311 §5.1).
    #[must_use]
    pub const fn may_update(&self) -> bool {
        // One without offer always is, but there is no need for one while an INVITE is open.
        self.is_at_rest()
    }

    /// A re-INVITE of ours went out.
    pub fn invite_sent(&mut self, with_offer: bool) {
        *self = Self::inviting(with_offer);
    }

    /// An UPDATE of ours went out.
    pub fn update_sent(&mut self, with_offer: bool) {
        if with_offer {
            self.offer = Some((Side::Ours, Carrier::Update));
        }
    }

    /// A PRACK of ours with an offer went out.
    pub fn prack_sent(&mut self, with_description: bool) {
        match self.offer {
            Some((Side::Theirs, Carrier::Reliable)) => self.offer = None,
            Some(_) => {}
            None if with_description => self.offer = Some((Side::Ours, Carrier::Prack)),
            None => {}
        }
    }

    /// A final response to an UPDATE or PRACK of ours came, or none in time.
    pub fn response_came(&mut self) {
        if let Some((Side::Ours, Carrier::Update | Carrier::Prack)) = self.offer {
            self.offer = None;
        }
    }

    /// A reliable 1xx to our INVITE came: what is to be done with its description.
    pub fn reliable_came(&mut self, with_description: bool) -> Task {
        self.description_came(with_description, Carrier::Reliable)
    }

    /// A 2xx to our INVITE came: what is to be done with its description. [`Task::Answer`]: the answer
    /// goes into the ACK.
    pub fn success_came(&mut self, with_description: bool) -> Task {
        self.inviting = None;
        let task = self.description_came(with_description, Carrier::Success);
        // A 2xx that owes an answer and has none leaves the session as it was.
        if self.offer == Some((Side::Ours, Carrier::Invite)) {
            self.offer = None;
        }
        task
    }

    /// Our ACK went out.
    pub fn ack_sent(&mut self) {
        if self.offer == Some((Side::Theirs, Carrier::Success)) {
            self.offer = None;
        }
    }

    /// Our INVITE was refused, or never answered.
    pub fn refusal_came(&mut self) {
        if self.inviting == Some(Inviting::Open(Side::Ours)) {
            self.inviting = None;
        }
        if matches!(
            self.offer,
            Some((Side::Ours, Carrier::Invite) | (Side::Theirs, Carrier::Reliable))
        ) {
            self.offer = None;
        }
    }

    fn description_came(&mut self, with_description: bool, carrier: Carrier) -> Task {
        if !with_description {
            return Task::Nothing;
        }
        match self.offer {
            Some((Side::Ours, Carrier::Invite)) => {
                self.offer = None;
                Task::Take
            }
            // Nothing may be offered while an offer is out: a repetition of what is known.
            Some(_) => Task::Nothing,
            None => {
                self.offer = Some((Side::Theirs, carrier));
                Task::Answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session at rest.
    fn rest() -> Offers {
        Offers::default()
    }

    fn ours(carrier: Carrier) -> Offers {
        let mut offers = match carrier {
            Carrier::Invite => return Offers::inviting(true),
            Carrier::Reliable | Carrier::Success => Offers::invited(false),
            Carrier::Prack | Carrier::Update => rest(),
        };
        match carrier {
            Carrier::Invite => {}
            Carrier::Reliable => offers.reliable_sent(true),
            Carrier::Success => offers.success_sent(true),
            Carrier::Prack => offers.prack_sent(true),
            Carrier::Update => offers.update_sent(true),
        }
        assert_eq!(offers.open_offer(), Some((Side::Ours, carrier)));
        offers
    }

    /// What INVITE, UPDATE and PRACK get, each with and without a description.
    fn row(offers: Offers) -> [Result<Task, Refusal>; 6] {
        let of = |take: fn(&mut Offers) -> Result<Task, Refusal>| take(&mut offers.clone());
        [
            of(|offers| offers.invite_came(true)),
            of(|offers| offers.invite_came(false)),
            of(|offers| offers.update_came(true)),
            of(|offers| offers.update_came(false)),
            of(|offers| offers.prack_came(true)),
            of(|offers| offers.prack_came(false)),
        ]
    }

    #[test]
    fn each_request_gets_what_the_table_says() {
        use Refusal::{Glare, Overlap, Unanswered};
        use Task::{Answer, Nothing, Offer, Take};
        assert_eq!(
            row(rest()),
            [
                Ok(Answer),
                Ok(Offer),
                Ok(Answer),
                Ok(Nothing),
                Ok(Answer),
                Ok(Nothing)
            ]
        );
        for carrier in [Carrier::Invite, Carrier::Success, Carrier::Update] {
            assert_eq!(
                row(ours(carrier)),
                [
                    Err(Glare),
                    Err(Glare),
                    Err(Glare),
                    Ok(Nothing),
                    Err(Glare),
                    Ok(Nothing)
                ],
                "{carrier:?}"
            );
        }
        assert_eq!(
            row(ours(Carrier::Reliable)),
            [
                Err(Overlap),
                Err(Overlap),
                Err(Glare),
                Ok(Nothing),
                Ok(Take),
                Err(Unanswered)
            ]
        );
        assert_eq!(
            row(Offers::invited(true)),
            [
                Err(Overlap),
                Err(Overlap),
                Err(Overlap),
                Ok(Nothing),
                Err(Overlap),
                Ok(Nothing)
            ]
        );
    }

    #[test]
    fn an_invite_is_answered_once_reliably_or_in_its_2xx() {
        let mut offers = Offers::invited(true);
        offers.reliable_sent(true);
        assert_eq!(offers.open_offer(), None);
        assert_eq!(offers.prack_came(false), Ok(Task::Nothing));
        // Early, and the exchange is over: the caller may modify (RFC 3311 §5.1).
        assert_eq!(offers.update_came(true), Ok(Task::Answer));
        offers.answered();
        offers.success_sent(false);
        assert!(!offers.may_invite());
        assert_eq!(offers.ack_came(false), Task::Nothing);
        assert!(offers.is_at_rest());
    }

    #[test]
    fn a_late_offer_of_ours_is_answered_in_prack_or_ack() {
        let mut early = ours(Carrier::Reliable);
        assert_eq!(early.prack_came(true), Ok(Task::Take));
        early.success_sent(false);
        assert_eq!(early.ack_came(false), Task::Nothing);
        assert!(early.is_at_rest());
        let mut late = ours(Carrier::Success);
        assert_eq!(late.ack_came(true), Task::Take);
        assert!(late.is_at_rest());
        let mut lost = ours(Carrier::Success);
        lost.ack_missing();
        assert!(lost.is_at_rest());
    }

    #[test]
    fn an_invite_of_ours_without_offer_is_answered_in_prack_or_ack() {
        let mut late = Offers::inviting(false);
        assert_eq!(late.success_came(true), Task::Answer);
        late.ack_sent();
        assert!(late.is_at_rest());
        let mut early = Offers::inviting(false);
        assert_eq!(early.reliable_came(true), Task::Answer);
        early.prack_sent(true);
        assert_eq!(early.success_came(false), Task::Nothing);
        assert!(early.is_at_rest());
    }

    #[test]
    fn a_2xx_after_a_reliable_answer_changes_nothing() {
        let mut offers = Offers::inviting(true);
        assert_eq!(offers.reliable_came(true), Task::Take);
        assert_eq!(offers.success_came(false), Task::Nothing);
        assert!(offers.is_at_rest());
        let mut silent = Offers::inviting(true);
        assert_eq!(silent.success_came(false), Task::Nothing);
        assert!(
            silent.is_at_rest(),
            "a 2xx that owes its answer ends the exchange"
        );
    }

    #[test]
    fn invites_that_meet_are_refused_both_ways_and_leave_nothing() {
        let mut offers = rest();
        offers.invite_sent(true);
        assert_eq!(offers.invite_came(true), Err(Refusal::Glare));
        assert_eq!(offers.update_came(true), Err(Refusal::Glare));
        offers.refusal_came();
        assert!(offers.is_at_rest());
        assert_eq!(offers.invite_came(true), Ok(Task::Answer));
        assert!(!offers.may_invite() && !offers.may_update());
        assert_eq!(offers.invite_came(true), Err(Refusal::Overlap));
        offers.invite_refused();
        assert!(offers.is_at_rest());
    }

    #[test]
    fn a_second_invite_before_the_ack_of_the_first_is_taken_unless_an_offer_waits_in_it() {
        let mut offers = rest();
        offers.invite_came(true).unwrap();
        offers.success_sent(true);
        assert_eq!(offers.invite_came(true), Ok(Task::Answer));
        assert_eq!(
            ours(Carrier::Success).invite_came(true),
            Err(Refusal::Glare)
        );
    }
}
