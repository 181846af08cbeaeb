//! Telephones that obey: they ring, are answered when a test says so, and answer whatever else comes.

use core::net::SocketAddr;
use core::time::Duration;

use sip::{Message, Method};

use super::World;
use super::peers::Peer;

/// Telephones that obey, with what they know.
pub struct Room {
    /// Where they are.
    pub places: Vec<SocketAddr>,
    /// They say 100 at once; else those that are left ringing count as dead.
    pub trying: bool,
    /// INVITEs without a final answer.
    pub rings: Vec<(SocketAddr, Message)>,
    /// INVITEs that were accepted and have no ACK yet.
    pub answered: Vec<(SocketAddr, Message, Message)>,
    /// INVITEs of theirs without a final answer.
    pub dialled: Vec<(SocketAddr, Message)>,
    /// Their dialogs.
    pub peers: Vec<Peer>,
}

impl Room {
    pub fn at(places: Vec<SocketAddr>) -> Self {
        Self {
            places,
            trying: false,
            rings: Vec::new(),
            answered: Vec::new(),
            dialled: Vec::new(),
            peers: Vec::new(),
        }
    }

    /// Takes everything that came, and answers what must be answered at once.
    pub fn settle(&mut self, world: &mut World) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for at in self.places.clone() {
                while let Some(message) = world.try_next(at) {
                    quiet = false;
                    self.take(world, at, &message);
                }
            }
        }
    }

    fn take(&mut self, world: &mut World, at: SocketAddr, message: &Message) {
        let call_id = message.call_id().unwrap().to_owned();
        match message.method() {
            // A change or refresh of what is up.
            Some(Method::Invite) if message.to().unwrap().tag().is_some() => {
                world.answer_from(at, 0, message, 200);
            }
            Some(Method::Invite) => {
                let known = |(_, ring): &(SocketAddr, Message)| ring.via() == message.via();
                if !self.rings.iter().any(known) {
                    if self.trying {
                        world.send(at, &message.respond(100, None));
                    }
                    self.rings.push((at, message.clone()));
                }
            }
            Some(Method::Ack) => {
                let of = |(_, invite, _): &(SocketAddr, Message, Message)| {
                    invite.call_id().unwrap() == call_id
                };
                if let Some(found) = self.answered.iter().position(of) {
                    let (at, invite, answer) = self.answered.remove(found);
                    self.peers.push(Peer::called(at, &invite, &answer));
                }
            }
            Some(Method::Cancel) => {
                world.send(at, &message.respond(200, None));
                let of = |(_, ring): &(SocketAddr, Message)| ring.call_id().unwrap() == call_id;
                if let Some(found) = self.rings.iter().position(of) {
                    let (at, ring) = self.rings.remove(found);
                    world.send(at, &ring.respond(487, Some("gone")));
                }
            }
            Some(Method::Bye) => {
                self.peers.retain(|peer| peer.call_id != call_id);
                world.send(at, &message.respond(200, None));
            }
            Some(_) => world.send(at, &message.respond(200, None)),
            None => self.take_response(world, at, message),
        }
    }

    fn take_response(&mut self, world: &mut World, at: SocketAddr, message: &Message) {
        let cseq = message.cseq().unwrap();
        let of = |(_, invite): &(SocketAddr, Message)| {
            invite.call_id() == message.call_id() && invite.cseq() == Ok(cseq.clone())
        };
        let Some(found) = self.dialled.iter().position(of) else {
            return;
        };
        if message.status().unwrap() < 200 {
            return;
        }
        let (_, invite) = self.dialled.remove(found);
        if message.status() == Some(200) {
            let mut peer = Peer::caller(at, &invite, message);
            let ack = peer.request(world, Method::Ack);
            world.send(at, &ack);
            self.peers.push(peer);
        }
    }

    /// The dialog number `which` of a telephone.
    pub fn peer(&self, at: SocketAddr, which: usize) -> Option<Peer> {
        self.peers
            .iter()
            .filter(|peer| peer.at == at)
            .nth(which)
            .cloned()
    }

    /// Sends a request in a dialog, with what `change` adds to it.
    pub fn send(
        &mut self,
        world: &mut World,
        mut peer: Peer,
        method: Method,
        change: impl FnOnce(Message) -> Message,
    ) {
        let request = change(peer.request(world, method.clone()));
        self.peers.retain(|known| known.call_id != peer.call_id);
        world.send(peer.at, &request);
        if method != Method::Bye {
            self.peers.push(peer);
        }
    }

    /// The telephone at a place answers the ring that came first.
    pub fn answer(&mut self, world: &mut World, at: SocketAddr, n: u8, status: u16) {
        let Some(found) = self.rings.iter().position(|(ringing, _)| *ringing == at) else {
            return;
        };
        let (_, ring) = self.rings[found].clone();
        if status >= 200 {
            self.rings.remove(found);
        }
        let answer = world.answer_from(at, n, &ring, status);
        if status == 200 {
            self.answered.push((at, ring, answer));
        }
    }

    /// Hangs up one dialog or declines one ring; whether there was any.
    pub fn close_one(&mut self, world: &mut World) -> bool {
        self.settle(world);
        if let Some(peer) = self.peers.last().cloned() {
            self.send(world, peer, Method::Bye, |bye| bye);
        } else if let Some((at, _)) = self.rings.last().cloned() {
            self.answer(world, at, 9, 486);
        } else {
            return false;
        }
        true
    }

    /// Everybody hangs up and declines, until nothing is left.
    pub fn close(&mut self, world: &mut World) {
        for _ in 0..60 {
            if !self.close_one(world) {
                world.pass(Duration::from_secs(1));
            }
        }
        world.input(switch::Input::Stop);
        self.settle(world);
    }
}
