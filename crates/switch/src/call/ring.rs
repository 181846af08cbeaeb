//! Owns the ringing of an operator's telephones: which of them, the INVITE, and what becomes of an
//! answer that nobody waits for any more. Refuses to decide about the offer: `operator` does.

use sip::{ClientTx, Dialog, Flow, HeaderName, Message, Method, NameAddr, Uri};
use vocab::{Fact, LegId, OfferResult, OperatorId, Party, Time};

use super::Call;
use super::leg::{Description, MediaState, decorate, next_hop};
use super::operator::{OperatorLeg, Sip};
use crate::context::{Context, Owner, Timer};

/// An INVITE of ours.
pub(super) struct Sent {
    pub(super) tx: ClientTx,
    at: Time,
    flow: Flow,
    invite: Message,
}

/// Where a telephone of an operator is reached.
#[derive(Clone)]
pub(super) struct Telephone {
    contact: Uri,
    flow: Flow,
    route: Vec<NameAddr>,
}

impl Telephone {
    /// The telephone of an operator that is to ring next: the registered ones by their q, then the
    /// line's fixed address; none to which an INVITE of `tried` went.
    pub(super) fn next(ctx: &Context, operator: OperatorId, tried: &[Sent]) -> Option<Self> {
        let operator = ctx.operators.get(&operator)?;
        let registered = ctx.registrar.bindings(&operator.login).map(|binding| Self {
            contact: binding.contact.clone(),
            flow: binding.flow,
            route: binding.path.clone(),
        });
        let fixed = operator.address.iter().map(|fixed| Self {
            contact: fixed.uri.clone(),
            flow: fixed.flow,
            route: Vec::new(),
        });
        registered.chain(fixed).find(|telephone| {
            !tried.iter().any(|sent| {
                sent.flow == telephone.flow && sent.invite.request_uri() == Some(&telephone.contact)
            })
        })
    }
}

impl OperatorLeg {
    /// The dialog that a 2xx to an INVITE of ours makes.
    pub(super) fn dialog_of(&self, tx: ClientTx, response: &Message) -> Option<Dialog> {
        let sent = self.invites.iter().find(|sent| sent.tx == tx)?;
        Dialog::uac(&sent.invite, response, sent.flow).ok()
    }

    /// Whether this is a 2xx that nobody waits for: of another telephone behind the same address
    /// (RFC 3261 §13.2.2.4), or of one that was given up.
    pub(super) fn is_stray(&self, status: u16, tx: ClientTx, response: &Message) -> bool {
        let invited = response
            .cseq()
            .is_ok_and(|cseq| cseq.method == Method::Invite);
        let awaited = match self.sip {
            Sip::Inviting { tx: awaited } | Sip::Cancelling { tx: awaited } => awaited == tx,
            Sip::Preparing | Sip::Talking | Sip::Closing { .. } | Sip::Closed => false,
        };
        (200..300).contains(&status) && invited && !awaited
    }

    /// A telephone that is silent, or never answers, is not registered any more: the state shown
    /// is the state there is, and its next REGISTER brings it back.
    pub(super) fn unregister(&self, ctx: &mut Context) {
        if let Some(operator) = ctx.operators.get(&self.operator) {
            ctx.registrar
                .forget_contact(&operator.login, &self.telephone.contact);
            ctx.lines.silent(self.operator, &self.telephone.contact);
        }
    }
}

impl Call {
    pub(super) fn operator_media_opened(&mut self, ctx: &mut Context, id: LegId, port: u16) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.media != MediaState::Opening || leg.sip != Sip::Preparing {
            return;
        }
        leg.media = MediaState::Open(port);
        // The caller's codec first: then nothing has to be translated.
        let mut codecs = ctx.settings.codecs.clone();
        let spoken = self.caller.codec();
        codecs.sort_by_key(|codec| Some(*codec) != spoken);
        let address = ctx.media_address(&leg.telephone.flow);
        let description = Description::new(ctx, address, port, codecs);
        leg.description = Some(description);
        self.ring(ctx, id);
    }

    /// Sends the INVITE to the telephone of the leg.
    fn ring(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let Some(description) = &leg.description else {
            ctx.bug(
                "an operator is to ring without a description",
                Some(self.id),
            );
            return;
        };
        let body = sdp::offer(&description.local()).into_bytes();
        let Telephone {
            contact,
            flow,
            route,
        } = leg.telephone.clone();
        let mut invite = Message::request(Method::Invite, contact);
        let login = ctx
            .operators
            .get(&leg.operator)
            .map(|o| o.login.clone())
            .unwrap_or_default();
        for hop in &route {
            invite.headers.push(HeaderName::Route, hop.to_string());
        }
        let host = ctx.sip_address(&flow).ip();
        let tag = ctx.entropy.tag();
        let shown = if self.private {
            ""
        } else {
            self.caller_number.as_str()
        };
        let from = caller_identity(shown, &self.caller_name, host).with_tag(&tag);
        let to = Uri::sip(Some(&login), sip::Host::Ip(flow.remote.ip()), None);
        invite.headers.push(HeaderName::MaxForwards, "70");
        invite.headers.push(HeaderName::From, from.to_string());
        invite.headers.push(HeaderName::To, format!("<{to}>"));
        let sip_call_id = ctx.entropy.call_id();
        invite
            .headers
            .push(HeaderName::CallId, sip_call_id.as_str());
        invite.headers.push(HeaderName::CSeq, "1 INVITE");
        decorate(ctx, &flow, &mut invite);
        let invite = invite.with_body("application/sdp", body);
        if let Some(operator) = ctx.operator_ref(leg.operator) {
            ctx.record(Fact::LegStarted {
                call: self.id,
                leg: id,
                party: Party::Operator(operator),
                sip_call_id,
            });
        }
        let tx = ctx.request(
            Owner {
                call: self.id,
                leg: id,
            },
            flow,
            invite.clone(),
        );
        let at = ctx.now;
        leg.invites.push(Sent {
            tx,
            at,
            flow,
            invite,
        });
        leg.sip = Sip::Inviting { tx };
        let silence = ctx.settings.unreachable_after;
        self.timers
            .push(ctx.set_timer(self.id, silence, Timer::Unreachable(id)));
    }

    /// The telephone has not said a word, not even 100: it is dead, and the caller is not to
    /// wait for Timer B (32 s).
    pub(super) fn operator_silent(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        // The timer may be of a telephone that said no before the one that rings now.
        let newest = leg.invites.last().map_or(ctx.now, |sent| sent.at);
        if let Sip::Inviting { tx } = leg.sip
            && ctx.now.since(newest) >= ctx.settings.unreachable_after
            && !ctx.is_heard(tx)
        {
            leg.unregister(ctx);
            ctx.cancel(tx);
            if !self.ring_next(ctx, id)
                && let Some(leg) = self.legs.get_mut(&id)
            {
                leg.sip = Sip::Cancelling { tx };
                self.offer_failed(ctx, id, OfferResult::Unreachable, None);
            }
        }
    }

    /// Tries the next telephone of the operator, if there is one; the offer goes on.
    pub(super) fn ring_next(&mut self, ctx: &mut Context, id: LegId) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let Some(next) = Telephone::next(ctx, leg.operator, &leg.invites) else {
            return false;
        };
        leg.telephone = next;
        self.ring(ctx, id);
        true
    }

    /// A telephone answered that is not to talk: it gets ACK and BYE, and what it says to the BYE
    /// is of no interest.
    pub(super) fn hang_up_stray(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let dialog = self
            .legs
            .get(&id)
            .and_then(|leg| leg.dialog_of(tx, response));
        if let Some(mut dialog) = dialog {
            let number = response.cseq().map_or(1, |cseq| cseq.number);
            ctx.ack(tx, next_hop(&dialog), dialog.ack(number));
            let bye = dialog.request(Method::Bye);
            ctx.request_unowned(next_hop(&dialog), bye);
        }
    }
}

/// How the caller is shown to the operator (From); nameless where the number is withheld
/// (RFC 3323 §4.1.1.3).
fn caller_identity(number: &str, name: &str, host: core::net::IpAddr) -> NameAddr {
    let (uri, display) = if number.is_empty() {
        let host = sip::Host::Name("anonymous.invalid".to_owned());
        (
            Uri::sip(Some("anonymous"), host, None),
            Some("Anonymous".to_owned()),
        )
    } else {
        let display = (!name.is_empty()).then(|| name.to_owned());
        (Uri::sip(Some(number), sip::Host::Ip(host), None), display)
    };
    NameAddr {
        display,
        uri,
        params: sip::Params::default(),
    }
}
