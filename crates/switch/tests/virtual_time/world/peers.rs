//! One side of a dialog with the engine, so that a test can say what a telephone sends in it.

use core::net::SocketAddr;

use sip::{HeaderName, Message, Method, Uri};
use switch::trunk::Outbound;

use super::{OFFER, World, phone, settings, trunk};

/// A telephone or trunk in a dialog.
#[derive(Clone)]
pub struct Peer {
    pub at: SocketAddr,
    pub call_id: String,
    /// Our address with our tag, and the engine's with its.
    pub local: String,
    pub remote: String,
    target: Uri,
    cseq: u32,
}

impl Peer {
    /// The one who sent the INVITE.
    pub fn caller(at: SocketAddr, invite: &Message, answer: &Message) -> Self {
        let header = |message: &Message, name| message.headers.first(&name).unwrap().to_owned();
        Self {
            at,
            call_id: invite.call_id().unwrap().to_owned(),
            local: header(answer, HeaderName::From),
            remote: header(answer, HeaderName::To),
            target: answer.contacts().unwrap().remove(0).uri,
            cseq: invite.cseq().unwrap().number,
        }
    }

    /// The one who answered an INVITE of the engine.
    pub fn called(at: SocketAddr, invite: &Message, answer: &Message) -> Self {
        let header = |name| answer.headers.first(&name).unwrap().to_owned();
        Self {
            at,
            call_id: invite.call_id().unwrap().to_owned(),
            local: header(HeaderName::To),
            remote: header(HeaderName::From),
            target: invite.contacts().unwrap().remove(0).uri,
            cseq: 10,
        }
    }

    pub fn tag(&self) -> &str {
        self.local.split("tag=").nth(1).unwrap()
    }

    pub fn remote_tag(&self) -> &str {
        self.remote.split("tag=").nth(1).unwrap()
    }

    /// The Refer-To of an attended transfer to the other side of this dialog.
    pub fn as_refer_to(&self) -> String {
        format!(
            "<sip:x@198.51.100.1?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
            self.call_id,
            self.remote_tag(),
            self.tag()
        )
    }

    pub fn request(&mut self, world: &mut World, method: Method) -> Message {
        self.cseq += u32::from(method != Method::Ack);
        let branch = world.branch();
        let mut request = Message::request(method.clone(), self.target.clone());
        let headers = &mut request.headers;
        let via = format!("SIP/2.0/UDP {};rport;branch={branch}", self.at);
        headers.push(HeaderName::Via, via);
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, self.local.as_str());
        headers.push(HeaderName::To, self.remote.as_str());
        headers.push(HeaderName::CallId, self.call_id.as_str());
        let cseq = format!("{} {}", self.cseq, method.as_str());
        headers.push(HeaderName::CSeq, cseq);
        headers.push(HeaderName::Contact, format!("<sip:{}>", self.at));
        request
    }

    /// Sends a REFER; the status it is answered with.
    pub fn refer(&mut self, world: &mut World, to: &str) -> u16 {
        self.refer_with(world, to, &[])
    }

    pub fn refer_with(&mut self, world: &mut World, to: &str, more: &[(HeaderName, &str)]) -> u16 {
        let mut refer = self.request(world, Method::Refer);
        refer.headers.push(HeaderName::ReferTo, to);
        for (name, value) in more {
            refer.headers.push(name.clone(), *value);
        }
        world.send(self.at, &refer);
        world.response(self.at).status().unwrap()
    }

    pub fn hang_up(&mut self, world: &mut World) {
        let bye = self.request(world, Method::Bye);
        world.send(self.at, &bye);
        // News and hang-ups of the engine may be on their way.
        loop {
            let message = world.next(self.at);
            match message.status() {
                Some(100) => {}
                Some(status) => {
                    assert_eq!(status, 200);
                    return;
                }
                None if message.method() == Some(&Method::Bye) => {
                    // To the other party of ours at the same place.
                    world.send(self.at, &message.respond(200, None));
                }
                None => {}
            }
        }
    }
}

impl World {
    /// The next NOTIFY at a place, answered: the status line in it, and whether more may follow.
    #[track_caller]
    pub fn news(&mut self, at: SocketAddr) -> (String, bool) {
        let notify = self.request(at, &Method::Notify);
        assert!(
            notify
                .headers
                .first(&HeaderName::Event)
                .unwrap()
                .starts_with("refer")
        );
        self.send(at, &notify.respond(200, None));
        let state = notify
            .headers
            .first(&HeaderName::SubscriptionState)
            .unwrap();
        let body = String::from_utf8(notify.body.clone()).unwrap();
        (body.trim_end().to_owned(), state.starts_with("active"))
    }

    /// A talk with operator `n`, who is the next to be offered a call: the caller and the operator.
    pub fn talk_with(&mut self, n: u8) -> (Peer, Peer) {
        let (invite, answer) = self.waiting_caller();
        let caller = Peer::caller(trunk(), &invite, &answer);
        (caller, self.operator_takes(n))
    }

    /// Telephone `n` rings and is answered.
    #[track_caller]
    pub fn operator_takes(&mut self, n: u8) -> Peer {
        self.takes(phone(n), n)
    }

    #[track_caller]
    pub fn takes(&mut self, at: SocketAddr, n: u8) -> Peer {
        let ring = self.request(at, &Method::Invite);
        let accepted = self.answer_from(at, n, &ring, 200);
        self.request(at, &Method::Ack);
        Peer::called(at, &ring, &accepted)
    }

    /// Operator `n` dials, with password: the INVITE as it was taken.
    pub fn dials(&mut self, n: u8, number: &str) -> Message {
        self.dials_with(n, phone(n), number, &[])
    }

    pub fn dials_with(
        &mut self,
        n: u8,
        at: SocketAddr,
        number: &str,
        more: &[(HeaderName, &str)],
    ) -> Message {
        let uri = format!("sip:{number}@{}", self.at);
        let mut invite = self
            .out_of_dialog(at, Method::Invite, &uri)
            .with_body("application/sdp", OFFER.into());
        for (name, value) in more {
            invite.headers.push(name.clone(), *value);
        }
        self.send(at, &invite);
        let challenge = self.response(at);
        assert_eq!(challenge.status(), Some(401));
        let invite = self.signed(n, at, invite, &challenge, "secret");
        self.send(at, &invite);
        invite
    }

    /// The answer to what operator `n` dialled is 200, and is acknowledged.
    #[track_caller]
    pub fn dialled_through(&mut self, n: u8, invite: &Message) -> Peer {
        let answer = loop {
            let response = self.response(phone(n));
            if response.status().unwrap() >= 200 {
                break response;
            }
        };
        assert_eq!(answer.status(), Some(200));
        let mut peer = Peer::caller(phone(n), invite, &answer);
        let ack = peer.request(self, Method::Ack);
        self.send(phone(n), &ack);
        peer
    }

    /// Answers every BYE of the engine at these places.
    pub fn take_byes(&mut self, at: &[SocketAddr]) {
        for at in at {
            self.take_bye(*at);
        }
    }
}

/// Settings with a trunk that takes calls to +7 numbers, but not to +7900.
pub fn with_outer() -> switch::Settings {
    let mut settings = settings();
    settings.trunks[0].outbound = Some(Outbound {
        servers: vec![
            Uri::parse("sip:192.0.2.10:5060").unwrap(),
            Uri::parse("sip:192.0.2.11:5060").unwrap(),
        ],
        proxy: None,
        domain: None,
        from_user: None,
        contact_user: None,
        number: None,
        identity: switch::trunk::Identity::From,
        early_media: Default::default(),
        dialling: switch::trunk::Dialling::default(),
        allowed: vec!["+7".into()],
        refused: vec!["+7900".into()],
        priority: 0,
    });
    settings
}
