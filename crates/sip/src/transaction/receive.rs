//! Owns the way of a message from the network to its machine, and what is answered without one:
//! 200 and 481 to CANCEL, 482, 503. Refuses to keep anything itself.

use std::sync::Arc;

use vocab::Time;

use super::table::{Cancellable, Transactions};
use super::{Flow, Output, ServerTx, client, key, routing, server};
use crate::wire::{CSeq, HeaderName, Message, Method, ParseError};

/// What Retry-After says when the limit is reached: long enough for a wave of new calls to pass,
/// short enough for a caller to wait.
const RETRY_AFTER_S: &str = "5";

impl Transactions {
    pub(super) fn receive_response(
        &mut self,
        now: Time,
        status: u16,
        response: Message,
    ) -> Result<(), ParseError> {
        // RFC 3261 §8.1.3.3: more than one Via means that it was not meant for us.
        if response.headers.values(&HeaderName::Via).nth(1).is_some() {
            return Ok(());
        }
        key::client(
            &mut self.scratch,
            response.branch()?.unwrap_or(""),
            &response.cseq()?.method,
        );
        if let Some(tx) = self.client_keys.get(self.scratch.as_str()).copied() {
            self.step_client(now, now, tx, client::Input::Response { status, response });
        }
        Ok(())
    }

    pub(super) fn receive_request(
        &mut self,
        now: Time,
        flow: Flow,
        mut request: Message,
    ) -> Result<(), ParseError> {
        let via = request.via()?;
        let cseq = request.cseq()?;
        key::server(&mut self.scratch, &request, &via, &cseq)?;
        let found = self.server_keys.get(self.scratch.as_str()).copied();
        if cseq.method == Method::Ack {
            return self.receive_ack(now, found, &cseq, request);
        }
        if let (Some(tx), false) = (found, cseq.method == Method::Cancel) {
            self.step_server(now, now, tx, server::Input::Again);
            return Ok(());
        }
        let key: Arc<str> = Arc::from(self.scratch.as_str());
        let reply = routing::mark(&mut request, via, flow);
        if cseq.method == Method::Cancel {
            self.receive_cancel(reply.flow, found, &request);
            return Ok(());
        }
        let mergeable = key::merged(&mut self.scratch, &request, &cseq)?;
        let merged = mergeable && self.merge_keys.contains_key(self.scratch.as_str());
        let limit = if mergeable {
            self.limit
        } else {
            self.limit.saturating_add(self.limit / 4)
        };
        if self.len() >= limit {
            let mut response = request.respond(503, Some(&key::stateless_tag(&request)));
            response.headers.set(HeaderName::RetryAfter, RETRY_AFTER_S);
            self.send_unasked(reply.flow, &response);
            return Ok(());
        }
        let merge_key = (mergeable && !merged).then(|| Arc::from(self.scratch.as_str()));
        let tx = self.start_server(now, reply, key, merge_key, &request, &cseq.method);
        if merged {
            let response = request.respond(482, Some(&key::stateless_tag(&request)));
            self.respond(now, tx, response);
        } else {
            self.out.push_back(Output::Request { tx, flow, request });
        }
        Ok(())
    }

    /// Whether a message belongs to a transaction that lives: an answer to a request of ours, a copy of a request, an
    /// ACK, a CANCEL.
    pub fn knows(&mut self, message: &Message) -> bool {
        let known = match message.status() {
            Some(_) => self.knows_response(message),
            None => self.knows_request(message),
        };
        // The parser has refused messages without these fields.
        known.unwrap_or(false)
    }

    fn knows_response(&mut self, response: &Message) -> Result<bool, ParseError> {
        let (via, method) = (response.via()?, response.cseq()?.method);
        key::client(&mut self.scratch, via.branch().unwrap_or(""), &method);
        Ok(self.client_keys.contains_key(self.scratch.as_str()))
    }

    fn knows_request(&mut self, request: &Message) -> Result<bool, ParseError> {
        let (via, cseq) = (request.via()?, request.cseq()?);
        key::server(&mut self.scratch, request, &via, &cseq)?;
        if self.server_keys.contains_key(self.scratch.as_str()) {
            return Ok(true);
        }
        key::acknowledged(&mut self.scratch, request, &cseq)?;
        Ok(cseq.method == Method::Ack && self.ack_keys.contains_key(self.scratch.as_str()))
    }

    fn receive_ack(
        &mut self,
        now: Time,
        by_branch: Option<ServerTx>,
        cseq: &CSeq,
        ack: Message,
    ) -> Result<(), ParseError> {
        key::acknowledged(&mut self.scratch, &ack, cseq)?;
        // By branch: for a refusal. By dialog: for a 2xx. Old clients reuse the branch for both.
        let by_dialog = self.ack_keys.get(self.scratch.as_str()).copied();
        if let Some(tx) = by_dialog.or(by_branch) {
            self.step_server(now, now, tx, server::Input::Ack(Box::new(ack)));
        }
        Ok(())
    }

    /// RFC 3261 §9.2. CANCEL has no transaction of its own: its copies find the INVITE again for
    /// as long as that is remembered, and get the same answer. Only INVITEs are looked for: to
    /// cancel other requests is forbidden (§9.1).
    fn receive_cancel(&mut self, reply: Flow, found: Option<ServerTx>, cancel: &Message) {
        let slot = found.and_then(|tx| Some((tx, self.servers.get_mut(tx.0)?)));
        let Some((tx, slot)) = slot else {
            let response = cancel.respond(481, Some(&key::stateless_tag(cancel)));
            self.send_unasked(reply, &response);
            return;
        };
        // "the To tag of the response to the CANCEL and the To tag in the response to the
        // original request SHOULD be the same".
        let tag = slot
            .to_tag
            .clone()
            .unwrap_or_else(|| key::stateless_tag(cancel));
        let had_effect = slot.cancel == Cancellable::Yes;
        slot.cancel = Cancellable::No;
        self.send_unasked(reply, &cancel.respond(200, Some(&tag)));
        if had_effect {
            self.out.push_back(Output::Cancelled { tx });
        }
    }

    fn send_unasked(&mut self, flow: Flow, response: &Message) {
        self.out.push_back(Output::Send {
            flow,
            bytes: response.to_bytes(),
            tx: None,
            first: false,
        });
    }
}
