//! Owns the ways to a party: a telephone of an operator, or a trunk to an outer number. Each is all
//! that an INVITE of ours needs besides its body.

use sip::{Binding, Flow, HeaderName, Host, Message, Method, NameAddr, Params, Scheme, Uri};
use vocab::OperatorId;

use crate::context::Context;
use crate::trunk::{self, NoWay, Wanted};

/// One way to a party, ready to be tried.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// The Request-URI.
    pub(crate) target: Uri,
    /// From, without tag.
    from: NameAddr,
    to: NameAddr,
    /// Proxies on the way, the next one first.
    route: Vec<NameAddr>,
    /// More headers: who calls.
    headers: Vec<(HeaderName, String)>,
    /// The user of Contact.
    contact_user: Option<String>,
    /// Where it goes.
    pub(crate) next: Next,
}

/// Where an INVITE goes.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    /// To a telephone, on this flow.
    Telephone(Flow),
    /// To a trunk, which says where (RFC 3263); with what it wants to be told of the call.
    Trunk(Box<trunk::Way>),
}

impl Way {
    /// The INVITE, without Via, and without what depends on the flow.
    pub(crate) fn invite(&self, ctx: &mut Context) -> Message {
        let mut invite = self.head(ctx, Method::Invite);
        let headers = &mut invite.headers;
        for (name, value) in &self.headers {
            headers.push(name.clone(), value.as_str());
        }
        headers.push(HeaderName::Allow, crate::context::ALLOW);
        if let Next::Telephone(_) = self.next {
            // RFC 6665 §8.2.2; a trunk's subscriptions are refused.
            headers.push(HeaderName::AllowEvents, sip::subscription::ALLOW_EVENTS);
        }
        invite
    }

    /// A request outside a dialog, without Via and without what depends on the flow.
    pub(crate) fn head(&self, ctx: &mut Context, method: Method) -> Message {
        let cseq = format!("1 {method}");
        let mut request = Message::request(method, self.target.clone());
        let headers = &mut request.headers;
        for hop in &self.route {
            headers.print(HeaderName::Route, hop);
        }
        let from = self.from.clone().with_tag(&ctx.entropy.tag());
        headers.push(HeaderName::MaxForwards, "70");
        headers.print(HeaderName::From, &from);
        headers.print(HeaderName::To, &self.to);
        headers.push(HeaderName::CallId, ctx.entropy.call_id());
        headers.push(HeaderName::CSeq, cseq);
        request
    }

    /// The user of Contact in requests on this way.
    pub(crate) fn contact_user(&self) -> Option<&str> {
        self.contact_user.as_deref()
    }

    /// What the trunk said of this way, if it is one's.
    pub(crate) fn trunk(&self) -> Option<&trunk::Way> {
        match &self.next {
            Next::Trunk(way) => Some(way),
            Next::Telephone(_) => None,
        }
    }
}

/// How the other party is shown to whom we call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The number; empty if it is withheld.
    pub(crate) number: String,
    /// The name; may be empty.
    pub(crate) name: String,
}

impl Shown {
    /// As an address; nameless where the number is withheld (RFC 3323 §4.1.1.3).
    pub(crate) fn address(&self, host: Host) -> NameAddr {
        let (uri, display) = if self.number.is_empty() {
            let host = Host::Name("anonymous.invalid".to_owned());
            let display = Some("Anonymous".to_owned());
            (Uri::sip(Some("anonymous"), host, None), display)
        } else {
            let display = (!self.name.is_empty()).then(|| self.name.clone());
            (Uri::sip(Some(&self.number), host, None), display)
        };
        NameAddr {
            display,
            uri,
            params: Params::default(),
        }
    }
}

/// Ways that are tried at once; never empty.
pub(crate) type Group = Vec<Way>;

/// The telephones of an operator: the registered ones by their q, those of one q at once (RFC 3261
/// §16.6), then the line's fixed address.
pub(crate) fn telephones(ctx: &Context, operator: OperatorId, shown: &Shown) -> Vec<Group> {
    let Some(operator) = ctx.operators.get(&operator) else {
        return Vec::new();
    };
    let way = |target: &Uri, route: &[NameAddr], flow: Flow| {
        let peer = Host::Ip(flow.remote.ip());
        Way {
            target: target.clone(),
            from: shown.address(Host::Ip(ctx.sip_address(&flow).ip())),
            to: NameAddr::new(Uri::sip(Some(&operator.login), peer, None)),
            route: route.to_vec(),
            headers: Vec::new(),
            contact_user: None,
            next: Next::Telephone(flow),
        }
    };
    // One that wants `sips:` and is not on TLS cannot be rung (RFC 5630 §5.3). Its REGISTER is refused;
    // what comes back after a restart may be older than that.
    let may_ring = |binding: &&Binding| {
        binding.contact.scheme != Scheme::Sips || binding.flow.transport.is_secure()
    };
    let bindings = ctx.registrar.bindings(&operator.login);
    let registered: Vec<&Binding> = bindings.filter(may_ring).collect();
    let mut groups = Vec::new();
    for equals in registered.chunk_by(|one, next| one.q == next.q) {
        groups.extend(rounds(equals).into_iter().map(|round| {
            let ways = round.into_iter();
            ways.map(|binding| way(&binding.contact, &binding.path, binding.flow))
                .collect()
        }));
    }
    let fixed = operator.address.iter();
    groups.extend(fixed.map(|fixed| vec![way(&fixed.uri, &[], fixed.flow)]));
    groups
}

/// Bindings of one q by who may ring at once: the flows of one instance are ways to one telephone, and
/// tried one after another (RFC 5626 §7).
fn rounds<'a>(equals: &[&'a Binding]) -> Vec<Vec<&'a Binding>> {
    let instance = |binding: &Binding| binding.params.value("+sip.instance").map(str::to_owned);
    let mut rounds: Vec<Vec<&Binding>> = Vec::new();
    for binding in equals {
        let own = instance(binding);
        let is_same = |other: &&Binding| own.is_some() && instance(other) == own;
        match rounds.iter_mut().find(|round| !round.iter().any(is_same)) {
            Some(round) => round.push(binding),
            None => rounds.push(vec![binding]),
        }
    }
    rounds
}

/// The ways to an outer number, the preferred one first, each a group by itself: a call must not reach
/// anybody through two trunks at once.
///
/// # Errors
/// If there is none: the number is not allowed, or no trunk for it is up.
pub(crate) fn trunks(ctx: &Context, number: &str, shown: &Shown) -> Result<Vec<Group>, NoWay> {
    let wanted = Wanted {
        number,
        caller: &shown.number,
        caller_name: &shown.name,
        private: shown.number.is_empty(),
    };
    let way = |way: trunk::Way| Way {
        target: way.target.clone(),
        from: way.from.clone(),
        to: way.to.clone(),
        route: way.route.clone(),
        headers: way.identity.clone(),
        contact_user: way.contact_user.clone(),
        next: Next::Trunk(Box::new(way)),
    };
    let ways = ctx.trunks.route(ctx.now, wanted)?;
    Ok(ways.into_iter().map(|one| vec![way(one)]).collect())
}
