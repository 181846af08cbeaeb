//! Owns the translation of `hotline.toml` into what each part wants to be told.

use std::sync::Arc;

use anyhow::Context;
use recorder::crypt::Keys;

use crate::input_log;
use crate::settings::{self, Backend, RecordingFormat, Settings};

/// What each media thread may have on its way to the recorder's writer, which never waits for the
/// disk: at 500 recorded calls a thread this is 0.4 s without a processor for it. It is filled
/// from end to end again and again, so all of it is resident.
const RING_BYTES: usize = 4 << 20;

/// Threads of the media plane, and so taps of the recorder.
fn threads(settings: &Settings) -> usize {
    match settings.media.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// What the recorder is told. Makes the key of the installation where there is none.
pub(super) fn recorder(settings: &Settings) -> anyhow::Result<recorder::Settings> {
    let ours = &settings.recordings;
    super::make_parent(&ours.signing_key)?;
    let signing = recorder::SigningKey::load_or_make(&ours.signing_key)
        .with_context(|| format!("cannot use the key {}", ours.signing_key.display()))?;
    Ok(recorder::Settings {
        root: ours.root.clone(),
        spool: ours.spool.clone(),
        beside: false,
        format: match ours.format {
            RecordingFormat::Alaw => recorder::Format::Alaw,
            RecordingFormat::Pcm => recorder::Format::Pcm,
        },
        keys: recording_keys(settings)?,
        signing: Some(Arc::new(signing)),
        threads: threads(settings),
        ring_bytes: RING_BYTES,
        sync_every: ours.sync,
        low_water: ours.low_water.0,
    })
}

/// To whom recordings are encrypted, and with what they are read here.
pub(super) fn recording_keys(settings: &Settings) -> anyhow::Result<Keys> {
    let ours = &settings.recordings;
    let identities = match &ours.identity {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the identity file {}", path.display()))?,
        ),
        None => None,
    };
    Ok(Keys::read(&ours.recipients, identities.as_deref())?)
}

/// Who we are to browsers, and to telephones with DTLS: made anew at each start. `None`: none can come.
pub(super) fn browser_identity(settings: &Settings) -> anyhow::Result<Option<media::Identity>> {
    let telephones = settings.registrar.srtp == settings::TelephoneProtection::Dtls;
    if settings.sip.ws.is_empty() && settings.sip.wss.is_empty() && !telephones {
        return Ok(None);
    }
    Ok(Some(media::Identity::generate()?))
}

pub(super) fn media(
    settings: &Settings,
    threads: usize,
    identity: Option<media::Identity>,
) -> media::Settings {
    media::Settings {
        browsers: identity.map(|identity| media::BrowserSettings {
            port: settings.media.browser_port,
            identity,
        }),
        address: settings.media.address,
        ports: settings.media.ports.as_ref().map(|range| range.0.clone()),
        threads,
        io: match settings.media.backend {
            Backend::Auto => media::Choice::Auto,
            Backend::IoUring => media::Choice::IoUring,
            Backend::Epoll => media::Choice::Epoll,
        },
        silence: settings.media.silence_timeout,
        ..media::Settings::default()
    }
}

pub(super) fn switch(
    settings: &Settings,
    head: &input_log::Head,
) -> anyhow::Result<switch::Settings> {
    let Settings {
        sip,
        limits,
        registrar,
        ..
    } = settings;
    Ok(switch::Settings {
        boot: head.boot,
        seed: head.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        realm: sip.realm.clone(),
        digest: sip
            .digest
            .iter()
            .map(|digest| match digest {
                settings::Digest::Sha256 => ::sip::Algorithm::Sha256,
                settings::Digest::Md5 => ::sip::Algorithm::Md5,
            })
            .collect(),
        user_agent: sip.user_agent.clone(),
        calls_max: limits.calls,
        transactions_max: limits.transactions,
        retry_after: limits.retry_after,
        advertised: sip.advertise,
        sockets: super::signalling::sockets(&head.listening),
        media_address: Some(settings.media.address).filter(|address| !address.is_unspecified()),
        unreachable_after: sip.unreachable_after,
        probe_every: registrar.probe_every.max(sip.unreachable_after * 2),
        session_timer: ::sip::SessionTimerSettings {
            expires_s: whole_seconds(sip.session_expires),
            min_s: whole_seconds(sip.session_expires_min),
        },
        reliable: sip.reliable_provisional == settings::Reliable::Supported,
        call_longest: limits.call_longest,
        protection: settings.registrar.srtp.into(),
        browsers: head.certificate.map(|certificate| switch::Browsers {
            certificate,
            addresses: settings.media.browser_addresses.clone(),
        }),
        silence_timeout: settings.media.silence_timeout,
        codecs: settings
            .media
            .codecs
            .iter()
            .map(|codec| (*codec).into())
            .collect(),
        timers: ::sip::Timers::default(),
        lockout: ::sip::LockoutSettings {
            attempts: registrar.lockout_after,
            longest: registrar.lockout_longest,
        },
        registrar: ::sip::RegistrarSettings {
            min_expires: registrar.expiry_min,
            default_expires: registrar.expiry_default,
            max_expires: registrar.expiry_max,
            contacts_per_user: registrar.contacts,
        },
        trunks: settings
            .trunks
            .iter()
            .map(|found| super::trunks::trunk(found, &sip.realm))
            .collect::<anyhow::Result<_>>()?,
        strangers: super::trunks::strangers(sip),
        queues: super::queues::queues(settings),
        members: super::queues::members(settings),
        weights: super::queues::weights(settings),
        whispers: super::queues::whispers(settings),
        staff_language: super::queues::staff_language(settings),
        feature_codes: super::queues::feature_codes(settings),
        attendance: super::queues::attendance(settings),
        breaks: super::queues::breaks(settings),
        callbacks: super::queues::callbacks(settings),
        languages: super::queues::languages(settings),
        operator_calls: switch::OperatorCalls {
            at_once_max: settings.operator_calls.at_once,
            ring_time: settings.operator_calls.ring_time,
            recorded: settings.operator_calls.recorded,
        },
        subscriptions: ::sip::SubscriptionSettings {
            min_expires: sip.subscription_min,
            max_expires: sip.subscription_max.max(sip.subscription_min),
            most: limits.subscriptions,
            most_per_subscriber: limits.subscriptions_per_operator,
            ..::sip::SubscriptionSettings::default()
        },
        lines_watched_by: sip.lines_watched_by.into(),
        parties_shown_to: sip.parties_shown_to.into(),
        messages: match sip.messages {
            settings::Messages::Refuse => switch::Messages::Refuse,
            settings::Messages::Operators => switch::Messages::Operators,
        },
        recording_keys: recording_keys_pressed(settings),
        conference_keys: settings
            .operator_calls
            .conference_keys
            .clone()
            .unwrap_or_default(),
        supervision_keys: switch::SupervisionKeys {
            listen: settings.supervision.listen_key.chars().next(),
            whisper: settings.supervision.whisper_key.chars().next(),
            barge: settings.supervision.barge_key.chars().next(),
        },
        recording_mandatory: settings.recordings.mandatory,
    })
}

fn recording_keys_pressed(settings: &Settings) -> switch::RecordingKeys {
    let ours = &settings.recordings;
    switch::RecordingKeys {
        card: ours.pause_card_keys.clone().unwrap_or_default(),
        medical: ours.pause_medical_keys.clone().unwrap_or_default(),
        resume: ours.resume_keys.clone().unwrap_or_default(),
        longest: ours.pause_longest,
    }
}

fn whole_seconds(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
