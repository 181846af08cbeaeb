//! Owns the early dialogs of an INVITE of ours: each branch behind a forking proxy has one (RFC 3261
//! §12.1.2, §13.2.2.4), with reliable provisional responses of its own (RFC 3262 §4).
//!
//! Whose early media is heard: **that of the branch which described its media last**. A proxy that
//! tries one telephone after another sends their 183s in that order, and one that tries them at once
//! gives no better rule. The 2xx decides for good.

use super::offers::{Carrier, Offers, Side};
use crate::dialog::{Dialog, DialogId};
use crate::transaction::Flow;
use crate::wire::{HeaderName, Message, Method};

/// Branches that are told apart; what a further one says before it answers is ignored.
pub const FORKED_DIALOGS_MAX: usize = 16;

/// What one branch has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyDialog {
    /// The dialog, for requests within it.
    pub dialog: Dialog,
    /// Its newest description; an answer that a 2xx without body leaves standing.
    pub description: Vec<u8>,
    /// Who may offer what in it; our INVITEs hold an offer.
    pub offers: Offers,
    /// The number of its newest reliable response.
    rseq: Option<u32>,
}

/// What a provisional response means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Take note of it. `prack`: what is to be sent, within the dialog of that branch; the answer
    /// to an offer in the response is put into it.
    Progress {
        /// The branch, for [`Forks::early`].
        tag: String,
        /// Acknowledges the response if it is reliable.
        prack: Option<Box<Message>>,
    },
    /// A copy, out of order, or of one branch too many; or no dialog comes of it (199 is such: RFC
    /// 6228 tells of a branch's end, which nothing of ours hangs on).
    Nothing,
}

/// The branches of one INVITE of ours.
#[derive(Debug, Clone)]
pub struct Forks {
    invite: Message,
    flow: Flow,
    early: Vec<EarlyDialog>,
}

impl Forks {
    /// For this INVITE as it was sent.
    #[must_use]
    pub const fn new(invite: Message, flow: Flow) -> Self {
        Self {
            invite,
            flow,
            early: Vec::new(),
        }
    }

    /// The INVITE as it was sent.
    #[must_use]
    pub const fn invite(&self) -> &Message {
        &self.invite
    }

    /// Where it was sent.
    #[must_use]
    pub const fn flow(&self) -> Flow {
        self.flow
    }

    /// The early dialog with this tag of the peer.
    pub fn early(&mut self, tag: &str) -> Option<&mut EarlyDialog> {
        self.early
            .iter_mut()
            .find(|early| early.dialog.remote_tag == tag)
    }

    /// The branch with this tag is over; what it says later begins anew.
    pub fn forget(&mut self, tag: &str) {
        self.early.retain(|early| early.dialog.remote_tag != tag);
    }

    /// The ids of all early dialogs.
    pub fn ids(&self) -> impl Iterator<Item = DialogId> {
        self.early.iter().map(|early| early.dialog.id())
    }

    /// A provisional response other than 100 came.
    pub fn provisional(&mut self, response: &Message) -> Heard {
        let reliable = response
            .headers
            .lists(&HeaderName::Require, "100rel")
            .then(|| rseq(response))
            .flatten();
        let Ok(dialog) = Dialog::uac(&self.invite, response, self.flow) else {
            return Heard::Nothing;
        };
        let tag = dialog.remote_tag.clone();
        if tag.is_empty() || response.status() == Some(199) {
            return Heard::Nothing;
        }
        if self.early(&tag).is_none() {
            if self.early.len() >= FORKED_DIALOGS_MAX {
                return Heard::Nothing;
            }
            // Mostly there is one.
            self.early.reserve_exact(1);
            self.early.push(EarlyDialog {
                dialog,
                description: Vec::new(),
                offers: Offers::inviting(true),
                rseq: None,
            });
        }
        let cseq = self.invite.cseq().map_or(1, |cseq| cseq.number);
        let Some(early) = self.early(&tag) else {
            return Heard::Nothing;
        };
        let mut prack = None;
        if let Some(number) = reliable {
            // §4: in order, without gaps; what is out of order is repeated by the peer.
            let expected = early
                .rseq
                .is_none_or(|newest| newest.checked_add(1) == Some(number));
            if !expected {
                return Heard::Nothing;
            }
            early.rseq = Some(number);
            // The answer; what is said again after it is no offer (RFC 6337 §3.1.1).
            if early.offers.open_offer() == Some((Side::Ours, Carrier::Invite)) {
                early.offers.reliable_came(!response.body.is_empty());
            }
            early.dialog.refresh_target(response);
            let mut request = early.dialog.request(Method::Prack);
            request
                .headers
                .push(HeaderName::RAck, format!("{number} {cseq} INVITE"));
            prack = Some(Box::new(request));
        }
        if !response.body.is_empty() {
            early.description = response.body.clone();
        }
        Heard::Progress { tag, prack }
    }

    /// The dialog that a 2xx makes; it goes on counting where the early dialog of that branch is
    /// (RFC 3261 §13.2.2.4: only the route set is computed anew).
    #[must_use]
    pub fn confirm(&self, response: &Message) -> Option<Dialog> {
        let mut dialog = Dialog::uac(&self.invite, response, self.flow).ok()?;
        let early = self
            .early
            .iter()
            .find(|early| early.dialog.remote_tag == dialog.remote_tag);
        if let Some(early) = early {
            dialog.local_cseq = dialog.local_cseq.max(early.dialog.local_cseq);
            dialog.remote_cseq = early.dialog.remote_cseq;
        }
        Some(dialog)
    }

    /// The description that holds with a 2xx: its own, or the branch's newest where the 2xx has
    /// none (it was said before, RFC 6337 §3.1.1).
    #[must_use]
    pub fn description<'a>(&'a self, response: &'a Message) -> &'a [u8] {
        if !response.body.is_empty() {
            return &response.body;
        }
        let tag = response
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned));
        self.early
            .iter()
            .find(|early| Some(early.dialog.remote_tag.as_str()) == tag.as_deref())
            .map_or(&[], |early| early.description.as_slice())
    }
}

fn rseq(response: &Message) -> Option<u32> {
    response
        .headers
        .first(&HeaderName::RSeq)?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::Transport;
    use crate::wire::Uri;

    fn forks() -> Forks {
        let uri = Uri::parse("sip:100@192.0.2.1").unwrap();
        let mut invite = Message::request(Method::Invite, uri);
        invite
            .headers
            .push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1");
        invite
            .headers
            .push(HeaderName::From, "<sip:us@192.0.2.9>;tag=us");
        invite.headers.push(HeaderName::To, "<sip:100@192.0.2.1>");
        invite.headers.push(HeaderName::CallId, "c");
        invite.headers.push(HeaderName::CSeq, "5 INVITE");
        let flow = Flow {
            transport: Transport::Udp,
            local: "192.0.2.9:5060".parse().unwrap(),
            remote: "192.0.2.1:5060".parse().unwrap(),
        };
        Forks::new(invite, flow)
    }

    fn response(forks: &Forks, status: u16, tag: &str, rseq: Option<u32>, body: &str) -> Message {
        let mut response = forks.invite().respond(status, Some(tag));
        response
            .headers
            .push(HeaderName::Contact, format!("<sip:{tag}@192.0.2.1:5070>"));
        if let Some(rseq) = rseq {
            response.headers.push(HeaderName::Require, "100rel");
            response.headers.push(HeaderName::RSeq, rseq.to_string());
        }
        response.body = body.into();
        response
    }

    fn prack(heard: Heard) -> Option<String> {
        match heard {
            Heard::Progress { prack, .. } => {
                let prack = prack?;
                assert_eq!(prack.method(), Some(&Method::Prack));
                Some(format!(
                    "{} / {} / {}",
                    prack.request_uri().unwrap(),
                    prack.headers.first(&HeaderName::RAck).unwrap(),
                    prack.headers.first(&HeaderName::CSeq).unwrap()
                ))
            }
            Heard::Nothing => Some("nothing".to_owned()),
        }
    }

    #[test]
    fn each_branch_has_its_own_numbers_and_pracks() {
        let mut forks = forks();
        let mut heard = |status, tag, rseq| {
            let response = response(&forks, status, tag, rseq, "");
            prack(forks.provisional(&response))
        };
        assert_eq!(heard(180, "a", None), None);
        assert_eq!(
            heard(183, "a", Some(40)).as_deref(),
            Some("sip:a@192.0.2.1:5070 / 40 5 INVITE / 6 PRACK")
        );
        assert_eq!(
            heard(183, "b", Some(9)).as_deref(),
            Some("sip:b@192.0.2.1:5070 / 9 5 INVITE / 6 PRACK")
        );
        // A copy, a gap, then the next in order.
        assert_eq!(heard(183, "a", Some(40)).as_deref(), Some("nothing"));
        assert_eq!(heard(183, "a", Some(42)).as_deref(), Some("nothing"));
        assert_eq!(
            heard(180, "a", Some(41)).as_deref(),
            Some("sip:a@192.0.2.1:5070 / 41 5 INVITE / 7 PRACK")
        );
        let answer = response(&forks, 200, "a", None, "");
        assert_eq!(
            forks
                .confirm(&answer)
                .unwrap()
                .request(Method::Bye)
                .cseq()
                .unwrap()
                .number,
            8
        );
        let other = response(&forks, 200, "c", None, "");
        assert_eq!(
            forks
                .confirm(&other)
                .unwrap()
                .request(Method::Bye)
                .cseq()
                .unwrap()
                .number,
            6
        );
    }

    #[test]
    fn a_2xx_without_body_means_what_its_branch_said_before() {
        let mut forks = forks();
        for (tag, body) in [("a", "first"), ("b", "other"), ("a", "second"), ("a", "")] {
            let response = response(&forks, 183, tag, None, body);
            forks.provisional(&response);
        }
        let description = |tag, body| {
            let response = response(&forks, 200, tag, None, body);
            String::from_utf8(forks.description(&response).to_vec()).unwrap()
        };
        assert_eq!(description("a", ""), "second");
        assert_eq!(description("b", ""), "other");
        assert_eq!(description("b", "own"), "own");
        assert_eq!(description("c", ""), "");
    }

    #[test]
    fn what_makes_no_dialog_is_ignored_and_branches_are_bounded() {
        let mut forks = forks();
        let untagged = forks.invite().respond(180, None);
        assert_eq!(forks.provisional(&untagged), Heard::Nothing);
        let gone = response(&forks, 199, "a", None, "");
        assert_eq!(forks.provisional(&gone), Heard::Nothing);
        for n in 0..FORKED_DIALOGS_MAX + 5 {
            let ringing = response(&forks, 180, &format!("t{n}"), None, "");
            let known = forks.provisional(&ringing) != Heard::Nothing;
            assert_eq!(known, n < FORKED_DIALOGS_MAX);
        }
        assert_eq!(forks.ids().count(), FORKED_DIALOGS_MAX);
    }
}
