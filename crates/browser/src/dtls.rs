//! Owns the handshake with a browser (DTLS 1.2, RFC 6347) and the keys of SRTP that come of it (RFC 5764).
//! The only file that knows `rtc-dtls`; the trait-like surface of [`Handshake`] is all that the
//! rest sees of it. Refuses to say who the peer is: it hands its certificate over.
//!
//! We are the server always: a browser that calls leaves the choice to us (`actpass`), one that is called
//! must take the client's part (RFC 8842 §5.3).

use core::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use ring::digest;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::default_provider;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Profile;
use vocab::browser::Fingerprint;
use vocab::srtp::{Crypto, MasterKey, Suite};

/// What we agree on; of these the one that the peer likes best is taken. The 32 bit tag and AES-256 are of no use with browsers.
const PROFILES: [Profile; 2] = [
    Profile::Srtp_Aead_Aes_128_Gcm,
    Profile::Srtp_Aes128_Cm_Hmac_Sha1_80,
];
/// RFC 5764 §4.2.
pub(crate) const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// The name in our certificate; nobody reads it.
const NAME: &str = "hotline";
/// By which the endpoint knows the peer. It has but one, wherever that is: ICE knows where.
pub(crate) const PEER: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("the certificate for browsers cannot be made: {0}")]
pub struct IdentityError(pub(crate) String);

/// Who we are in every handshake: a certificate made at the start of the process, which our session
/// descriptions name (RFC 8122). A clone is the same.
#[derive(Clone)]
pub struct Identity {
    config: Arc<HandshakeConfig>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// A new one, of ECDSA on P-256.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn generate() -> Result<Self, IdentityError> {
        let told = |problem: &dyn ToString| IdentityError(problem.to_string());
        let provider = default_provider().map_err(|problem| told(&problem))?;
        let names = vec![NAME.to_owned()];
        let certificate = Certificate::generate_self_signed(names, provider.crypto())
            .map_err(|problem| told(&problem))?;
        let first = certificate.certificate.first();
        let fingerprint = first
            .map(|der| fingerprint(der))
            .ok_or_else(|| told(&"it is empty"))?;
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![certificate])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_extended_master_secret(ExtendedMasterSecretType::Request)
            .with_srtp_protection_profiles(PROFILES.to_vec())
            // No authority vouches for a browser: the session description does.
            .with_insecure_skip_verify(true)
            .build(false, None)
            .map_err(|problem| told(&problem))?;
        Ok(Self {
            config: Arc::new(config),
            fingerprint,
        })
    }

    /// What session descriptions say of it.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Identity {}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

/// A handshake with one peer, and what is left of it afterwards.
pub(crate) struct Handshake {
    endpoint: Endpoint,
    identity: Identity,
    /// We have answered something.
    begun: bool,
}

/// What a datagram has come to.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It is under way.
    Nothing,
    /// It is over.
    Done(Outcome),
    /// The peer says that it goes (RFC 5246 §7.2.1).
    Closed,
}

/// What a finished handshake has brought.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The peer's certificate, for which it has the key.
    pub(crate) certificate: Option<Fingerprint>,
    /// The keys of both directions; `None`: the peer knows no profile of ours.
    pub(crate) keys: Option<Crypto>,
}

impl Handshake {
    pub(crate) fn new(identity: &Identity) -> Self {
        let config = Some(Arc::clone(&identity.config));
        Self {
            endpoint: Endpoint::new(PEER, Default::default(), config),
            identity: identity.clone(),
            begun: false,
        }
    }

    /// Takes a datagram of the peer. What is malformed or out of turn is passed over: whatever it
    /// was, the peer repeats what matters.
    pub(crate) fn hear(&mut self, now: Instant, datagram: &[u8]) -> Heard {
        let read = self
            .endpoint
            .read(now, PEER, None, BytesMut::from(datagram));
        if read.is_err() && !self.begun {
            // A broken beginning would be in the way of a whole one.
            *self = Self::new(&self.identity.clone());
            return Heard::Nothing;
        }
        let mut heard = Heard::Nothing;
        for event in read.unwrap_or_default() {
            match event {
                EndpointEvent::HandshakeComplete => heard = Heard::Done(self.outcome()),
                EndpointEvent::PeerClosed => return Heard::Closed,
                // Nobody sends us data; and what later versions tell does not change the keys.
                _ => {}
            }
        }
        heard
    }

    /// What is to be sent to the peer.
    pub(crate) fn next_datagram(&mut self) -> Option<Vec<u8>> {
        let transmit = self.endpoint.poll_transmit()?;
        self.begun = true;
        Some(transmit.message.to_vec())
    }

    /// Repeats what the peer has not answered, if it is time.
    pub(crate) fn due(&mut self, now: Instant) {
        if self
            .endpoint
            .poll_timeout(&PEER)
            .is_some_and(|due| due <= now)
        {
            // It fails when all is in vain; then nothing is sent, and nothing comes of the session.
            let _ = self.endpoint.handle_timeout(PEER, now);
        }
    }

    /// Says that we go.
    pub(crate) fn close(&mut self, now: Instant) {
        let _ = self.endpoint.close(now);
    }

    fn outcome(&self) -> Outcome {
        let Some(state) = self.endpoint.get_connection_state(PEER) else {
            return Outcome {
                certificate: None,
                keys: None,
            };
        };
        let certificate = state.peer_certificates.first();
        Outcome {
            certificate: certificate.map(|der| fingerprint(der)),
            keys: keys_of(state.srtp_protection_profile(), |octets| {
                let exported = state.export_keying_material(LABEL, &[], octets).ok()?;
                Some(exported.into_bytes())
            }),
        }
    }
}

/// RFC 5764 §4.2: the client's key, ours, the client's salt, ours.
pub(crate) fn keys_of(
    profile: Profile,
    export: impl Fn(usize) -> Option<Vec<u8>>,
) -> Option<Crypto> {
    let suite = match profile {
        Profile::Srtp_Aead_Aes_128_Gcm => Suite::AeadAes128Gcm,
        Profile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Suite::AesCm128HmacSha1_80,
        _ => return None,
    };
    let (key, salt) = (suite.key_octets(), suite.salt_octets());
    let material = export(2 * (key + salt))?;
    let (keys, salts) = material.split_at_checked(2 * key)?;
    let (their_key, our_key) = keys.split_at_checked(key)?;
    let (their_salt, our_salt) = salts.split_at_checked(salt)?;
    Some(Crypto {
        suite,
        ours: MasterKey::of_peer(suite, &[our_key, our_salt].concat())?,
        theirs: MasterKey::of_peer(suite, &[their_key, their_salt].concat())?,
    })
}

pub(crate) fn fingerprint(certificate: &[u8]) -> Fingerprint {
    let hash = digest::digest(&digest::SHA256, certificate);
    Fingerprint(hash.as_ref().try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests;
