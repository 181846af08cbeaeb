//! Two sides of a session that offer whenever they may, over a network that delivers in any order: after
//! all has been delivered both know the same session, and neither has anything open.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use proptest::prelude::*;
use sip::session::{Offers, Refusal, Task};

/// A description by its number; no two are the same.
type Description = u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invite,
    Update,
}

/// Transactions repeat what is lost, so to a session loss is only delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Request(Kind, u32, Option<Description>),
    Final(Kind, u32, Result<Option<Description>, u16>),
    Ack(Option<Description>),
}

/// One side, as a user agent would use the core.
#[derive(Debug, Default)]
struct Peer {
    offers: Offers,
    /// Offer and answer that hold.
    agreed: (Description, Description),
    /// Our offer that is out.
    offered: Description,
    cseq: u32,
    peer_cseq: u32,
    /// Our request that has no final response.
    asking: Option<(Kind, u32)>,
    refused: u32,
}

struct World {
    peers: [Peer; 2],
    /// To whom, and what.
    under_way: Vec<(usize, Message)>,
    descriptions: Description,
}

impl World {
    fn new() -> Self {
        Self {
            peers: Default::default(),
            under_way: Vec::new(),
            descriptions: 0,
        }
    }

    fn describe(&mut self) -> Description {
        self.descriptions += 1;
        self.descriptions
    }

    fn send(&mut self, from: usize, message: Message) {
        self.under_way.push((1 - from, message));
    }

    /// A side asks for a change, if that is legal now.
    fn ask(&mut self, at: usize, kind: Kind, with_offer: bool) {
        let peer = &self.peers[at];
        let may = match kind {
            Kind::Invite => peer.offers.may_invite(),
            Kind::Update => peer.offers.may_update(),
        };
        if !may || peer.asking.is_some() {
            return;
        }
        let offer = with_offer.then(|| self.describe());
        let peer = &mut self.peers[at];
        peer.cseq += 1;
        peer.asking = Some((kind, peer.cseq));
        peer.offered = offer.unwrap_or_default();
        match kind {
            Kind::Invite => peer.offers.invite_sent(with_offer),
            Kind::Update => peer.offers.update_sent(with_offer),
        }
        let cseq = peer.cseq;
        self.send(at, Message::Request(kind, cseq, offer));
    }

    fn deliver(&mut self, place: usize, refuse: bool) {
        let (at, message) = self.under_way.remove(place);
        match message {
            Message::Request(kind, cseq, body) => self.asked(at, kind, cseq, body, refuse),
            Message::Final(kind, cseq, result) => self.answered(at, kind, cseq, result),
            Message::Ack(body) => {
                let peer = &mut self.peers[at];
                if peer.offers.ack_came(body.is_some()) == Task::Take {
                    peer.agreed = (peer.offered, body.unwrap());
                }
            }
        }
    }

    fn asked(&mut self, at: usize, kind: Kind, cseq: u32, body: Option<Description>, refuse: bool) {
        let fresh = self.describe();
        let peer = &mut self.peers[at];
        let task = match kind {
            _ if cseq < peer.peer_cseq => Err(Refusal::Overlap),
            Kind::Invite => peer.offers.invite_came(body.is_some()),
            Kind::Update => peer.offers.update_came(body.is_some()),
        };
        peer.peer_cseq = peer.peer_cseq.max(cseq);
        let result = match task {
            Err(refusal) => {
                peer.refused += 1;
                Err(refusal.status())
            }
            Ok(_) if refuse => {
                match kind {
                    Kind::Invite => peer.offers.invite_refused(),
                    Kind::Update => peer.offers.answered(),
                }
                Err(488)
            }
            Ok(task) => {
                let said = match task {
                    Task::Answer => {
                        peer.agreed = (body.unwrap(), fresh);
                        Some(fresh)
                    }
                    Task::Offer => {
                        peer.offered = fresh;
                        Some(fresh)
                    }
                    Task::Nothing => None,
                    Task::Take => panic!("nothing of ours waits for a request"),
                };
                match kind {
                    Kind::Invite => peer.offers.success_sent(said.is_some()),
                    Kind::Update => peer.offers.answered(),
                }
                Ok(said)
            }
        };
        self.send(at, Message::Final(kind, cseq, result));
    }

    fn answered(
        &mut self,
        at: usize,
        kind: Kind,
        cseq: u32,
        result: Result<Option<Description>, u16>,
    ) {
        let fresh = self.describe();
        let peer = &mut self.peers[at];
        assert_eq!(
            peer.asking.take(),
            Some((kind, cseq)),
            "one request at a time"
        );
        match (kind, result) {
            (Kind::Invite, Err(_)) => peer.offers.refusal_came(),
            (Kind::Update, Err(_)) => peer.offers.response_came(),
            (Kind::Update, Ok(body)) => {
                if let Some(answer) = body {
                    peer.agreed = (peer.offered, answer);
                }
                peer.offers.response_came();
            }
            (Kind::Invite, Ok(body)) => {
                let answer = match peer.offers.success_came(body.is_some()) {
                    Task::Take => {
                        peer.agreed = (peer.offered, body.unwrap());
                        None
                    }
                    Task::Answer => {
                        peer.agreed = (body.unwrap(), fresh);
                        Some(fresh)
                    }
                    Task::Nothing | Task::Offer => None,
                };
                peer.offers.ack_sent();
                self.send(at, Message::Ack(answer));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_meets_on_the_way_both_sides_know_one_session_at_rest(
        steps in prop::collection::vec((0_u8..8, any::<prop::sample::Index>(), any::<bool>()), 1..120),
    ) {
        let mut world = World::new();
        for (step, place, flag) in steps {
            match step {
                0..=3 => {
                    let kind = if step < 2 { Kind::Invite } else { Kind::Update };
                    world.ask(usize::from(step % 2 == 0), kind, flag);
                }
                _ if world.under_way.is_empty() => {}
                _ => {
                    // What one side sends arrives in its order, however late.
                    let at = place.index(2);
                    let next = world.under_way.iter().position(|(to, _)| *to == at);
                    world.deliver(next.unwrap_or_default(), step == 7 && flag);
                }
            }
        }
        while !world.under_way.is_empty() {
            world.deliver(0, false);
        }
        let [one, other] = &world.peers;
        prop_assert!(one.offers.is_at_rest() && other.offers.is_at_rest());
        prop_assert_eq!(one.agreed, other.agreed);
    }
}

#[test]
fn offers_do_meet_in_this_world() {
    let mut world = World::new();
    world.ask(0, Kind::Invite, true);
    world.ask(1, Kind::Invite, true);
    while !world.under_way.is_empty() {
        world.deliver(0, false);
    }
    assert_eq!(world.peers.each_ref().map(|peer| peer.refused), [1, 1]);
    assert_eq!(world.peers[0].agreed, world.peers[1].agreed);
}
