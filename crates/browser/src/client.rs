//! A browser as far as ICE and DTLS go, for tests and for load: it asks, shakes hands, and has keys. No part
//! of the engine.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use ring::hmac;
use rtc_dtls::config::ConfigBuilder;
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::default_provider;
use rtc_dtls::endpoint::Endpoint;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Profile;
use vocab::browser::{Fingerprint, IceCredentials};
use vocab::srtp::{Crypto, Suite};

use crate::dtls::{IdentityError, LABEL, PEER, fingerprint, keys_of};
use crate::stun;

/// One browser.
pub struct Client {
    endpoint: Endpoint,
    certificate: Fingerprint,
}

impl Client {
    /// One that knows these suites; it begins its handshake at once.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new(now: Instant, suites: &[Suite]) -> Result<Self, IdentityError> {
        let told = |problem: &dyn ToString| IdentityError(problem.to_string());
        let provider = default_provider().map_err(|problem| told(&problem))?;
        let names = vec!["browser".to_owned()];
        let own = Certificate::generate_self_signed(names, provider.crypto())
            .map_err(|problem| told(&problem))?;
        let certificate = own.certificate.first().map(|der| fingerprint(der));
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![own])
            .with_srtp_protection_profiles(suites.iter().map(|suite| profile(*suite)).collect())
            .with_insecure_skip_verify(true)
            .build(true, Some(PEER))
            .map_err(|problem| told(&problem))?;
        let mut endpoint = Endpoint::new(PEER, Default::default(), None);
        endpoint
            .connect(now, PEER, Arc::new(config), None)
            .map_err(|problem| told(&problem))?;
        Ok(Self {
            endpoint,
            certificate: certificate.ok_or_else(|| told(&"it is empty"))?,
        })
    }

    /// What its session description says of it.
    #[must_use]
    pub const fn certificate(&self) -> Fingerprint {
        self.certificate
    }

    /// Takes a datagram of the handshake.
    pub fn hear(&mut self, now: Instant, datagram: &[u8]) {
        let _ = self
            .endpoint
            .read(now, PEER, None, BytesMut::from(datagram));
    }

    /// Repeats what was not answered, if it is time.
    pub fn due(&mut self, now: Instant) {
        let _ = self.endpoint.handle_timeout(PEER, now);
    }

    /// What it has to send.
    pub fn next_datagram(&mut self) -> Option<Vec<u8>> {
        Some(self.endpoint.poll_transmit()?.message.to_vec())
    }

    /// Says that it goes.
    pub fn close(&mut self, now: Instant) {
        let _ = self.endpoint.close(now);
    }

    /// The keys, as the engine has them: ours are the engine's. `None`: the handshake is not over.
    #[must_use]
    pub fn keys(&self) -> Option<Crypto> {
        let state = self.endpoint.get_connection_state(PEER)?;
        keys_of(state.srtp_protection_profile(), |octets| {
            let exported = state.export_keying_material(LABEL, &[], octets).ok()?;
            Some(exported.into_bytes())
        })
    }

    /// The certificate of the engine.
    #[must_use]
    pub fn server(&self) -> Option<Fingerprint> {
        let state = self.endpoint.get_connection_state(PEER)?;
        state.peer_certificates.first().map(|der| fingerprint(der))
    }
}

const fn profile(suite: Suite) -> Profile {
    match suite {
        Suite::AesCm128HmacSha1_80 => Profile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        Suite::AesCm128HmacSha1_32 => Profile::Srtp_Aes128_Cm_Hmac_Sha1_32,
        Suite::AeadAes128Gcm => Profile::Srtp_Aead_Aes_128_Gcm,
        Suite::AeadAes256Gcm => Profile::Srtp_Aead_Aes_256_Gcm,
    }
}

/// That the sender decides (RFC 8445 §7.1.3).
pub const CONTROLLING: (u16, &[u8]) = (0x802a, &[1; 8]);
/// That the pair is to be used (RFC 8445 §7.1.2).
pub const NOMINATES: (u16, &[u8]) = (0x0025, &[]);

/// A check with these attributes, for whom goes by `ours`, under a password.
#[must_use]
pub fn check(ours: &IceCredentials, password: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    message.extend([9; 12]);
    let name = format!("{}:peer", ours.ufrag());
    put(&mut message, 0x0006, name.as_bytes());
    for (kind, value) in attributes {
        put(&mut message, *kind, value);
    }
    let whole = message.len() + 24;
    stun::write_length(&mut message, whole);
    let tag = hmac::sign(&stun::key(password), &message);
    put(&mut message, 0x0008, tag.as_ref());
    let whole = message.len() + 8;
    stun::write_length(&mut message, whole);
    let sum = crc32fast::hash(&message) ^ stun::CHECKSUM_MASK;
    put(&mut message, 0x8028, &sum.to_be_bytes());
    message
}

fn put(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}
