//! Owns the translation of the trunks' settings into what the switch wants to be told.

use anyhow::Context;
use sip::{Host, Secrets, Uri};
use switch::trunk::{
    Account, CallerSource, DialForm, Dialling, DirectionLimits, EarlyMedia, Identity, Inbound,
    KeysBy, Outbound, Password, Probe, Registration, Source, StrangerPolicy, StrangerSettings,
    TransferBy, Trunk, TrunkLimits,
};

use crate::settings::{self, CallerPlace, SipServer, Strangers};

/// What unknown addresses get.
pub(super) fn strangers(sip: &settings::Sip) -> StrangerSettings {
    StrangerSettings {
        policy: match sip.strangers {
            Strangers::Refuse => StrangerPolicy::Refuse,
            Strangers::Drop => StrangerPolicy::Drop,
        },
        telephones: sip.telephones.clone(),
        per_second: sip.strangers_rate,
        ..StrangerSettings::default()
    }
}

/// One trunk. `realm`: of the challenges that it answers to us.
pub(super) fn trunk(found: &settings::Trunk, realm: &str) -> anyhow::Result<Trunk> {
    let secret = found.secret().map_err(anyhow::Error::msg)?;
    let credentials = match (&found.user, secret) {
        (Some(user), Some(secret)) => Some((user.clone(), Secrets::new(user, realm, &secret))),
        _ => None,
    };
    let numbers = numbers(found);
    let domain = domain(found)?;
    Ok(Trunk {
        source: Source {
            networks: found.addresses.clone(),
            peer_port: found.peer_port,
            our_port: found.our_port,
            credentials,
        },
        inbound: Inbound {
            did: found.did.iter().map(|place| place.0.clone()).collect(),
            aliases: aliases(found, &numbers),
            caller: found.caller.iter().map(|place| caller(*place)).collect(),
            trusted: found.trusted,
        },
        outbound: (!found.servers.is_empty()).then(|| outbound(found, &numbers)),
        account: account(found, domain.as_ref())?,
        registration: registration(found, domain),
        probe: found.probe.map(|every| Probe {
            every,
            failures: found.probe_failures,
        }),
        protection: found.srtp.into(),
        codecs: found.codecs.iter().map(|codec| (*codec).into()).collect(),
        keys: match found.dtmf {
            settings::Dtmf::Rfc4733 => KeysBy::Events,
            settings::Dtmf::Info => KeysBy::Info,
            settings::Dtmf::Inband => KeysBy::Tones,
        },
        transfer: match found.transfer {
            settings::TransferBy::Here => TransferBy::Here,
            settings::TransferBy::Refer => TransferBy::Refer,
        },
        limits: TrunkLimits {
            inbound: DirectionLimits {
                calls: found.calls_in,
                per_second: found.rate_in,
            },
            outbound: DirectionLimits {
                calls: found.calls_out,
                per_second: found.rate_out,
            },
        },
        numbers,
        ..Trunk::new(&found.name)
    })
}

fn numbers(found: &settings::Trunk) -> switch::NumberRules {
    let prefixes = found.national_prefix.as_deref().unwrap_or_default();
    switch::NumberRules {
        country_code: found.country_code.clone().unwrap_or_default(),
        national_prefixes: prefixes
            .split(',')
            .map(|prefix| prefix.trim().to_owned())
            .filter(|prefix| !prefix.is_empty())
            .collect(),
        international_prefix: found.international_prefix.clone().unwrap_or_default(),
        national_length: found.national_length,
        area_code: found.area_code.clone().unwrap_or_default(),
    }
}

/// Numbers are written as people like; the switch looks them up whole.
fn aliases(
    found: &settings::Trunk,
    rules: &switch::NumberRules,
) -> std::collections::BTreeMap<String, String> {
    let whole = |(number, meant): (&String, &String)| (rules.normalise(number), meant.clone());
    found.stands_for.iter().map(whole).collect()
}

const fn caller(place: CallerPlace) -> CallerSource {
    match place {
        CallerPlace::Asserted => CallerSource::Asserted,
        CallerPlace::RemoteParty => CallerSource::RemoteParty,
        CallerPlace::From => CallerSource::From,
    }
}

/// The domain of the trunk's addresses, if it has one.
fn domain(found: &settings::Trunk) -> anyhow::Result<Option<Host>> {
    match &found.domain {
        Some(domain) => Host::parse(domain)
            .map(Some)
            .with_context(|| format!("domain of trunk {:?}", found.name)),
        None => Ok(found.servers.first().map(|server| server.0.host.clone())),
    }
}

fn outbound(found: &settings::Trunk, numbers: &switch::NumberRules) -> Outbound {
    let mut allowed = found.dial_allowed.clone();
    if let (true, Some(country)) = (allowed.is_empty(), &found.country_code) {
        allowed.push(format!("+{country}"));
    }
    let number = found.number.as_deref();
    Outbound {
        servers: servers(found),
        proxy: proxy(found),
        domain: found
            .domain
            .as_deref()
            .and_then(|text| Host::parse(text).ok()),
        from_user: found.from_user.clone(),
        contact_user: contact_user(found),
        number: number.map(|number| numbers.normalise(number)),
        identity: match found.identity {
            CallerPlace::From => Identity::From,
            CallerPlace::Asserted => Identity::Asserted,
            CallerPlace::RemoteParty => Identity::RemoteParty,
        },
        early_media: match found.early_media {
            settings::EarlyMedia::Relay => EarlyMedia::Relay,
            settings::EarlyMedia::Ignore => EarlyMedia::Ignore,
        },
        dialling: Dialling {
            form: match found.dial {
                settings::DialForm::E164 => DialForm::Plus,
                settings::DialForm::Digits => DialForm::Digits,
                settings::DialForm::National => DialForm::National,
            },
            strip: found.dial_strip.clone().unwrap_or_default(),
            prefix: found.dial_prefix.clone().unwrap_or_default(),
        },
        allowed,
        refused: found.dial_refused.clone(),
        priority: found.priority,
    }
}

fn servers(found: &settings::Trunk) -> Vec<Uri> {
    found
        .servers
        .iter()
        .map(|server| server.0.clone())
        .collect()
}

fn proxy(found: &settings::Trunk) -> Option<Uri> {
    let SipServer(uri) = found.proxy.as_ref()?;
    Some(uri.clone())
}

fn contact_user(found: &settings::Trunk) -> Option<String> {
    found.contact_user.clone().or_else(|| found.account.clone())
}

fn account(found: &settings::Trunk, domain: Option<&Host>) -> anyhow::Result<Option<Account>> {
    let secret = found.account_secret().map_err(anyhow::Error::msg)?;
    let user = found.account_user.as_ref().or(found.account.as_ref());
    let (Some(user), Some(secret)) = (user, secret) else {
        return Ok(None);
    };
    let realm = found.realm.clone();
    Ok(Some(Account {
        user: user.clone(),
        password: Password(secret),
        realm: realm
            .or_else(|| domain.map(ToString::to_string))
            .unwrap_or_default(),
    }))
}

fn registration(found: &settings::Trunk, domain: Option<Host>) -> Option<Registration> {
    let account = found.account.as_deref().filter(|_| found.register)?;
    Some(Registration {
        registrars: servers(found),
        address: Uri::sip(Some(account), domain?, None),
        from_user: found.from_user.clone(),
        contact_user: contact_user(found)?,
        proxy: proxy(found),
        expiry: found.register_expiry,
    })
}

#[cfg(test)]
mod tests;
