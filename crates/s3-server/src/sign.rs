//! Owns checking signatures: AWS Signature Version 4, in the form that S3 has.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::http::Head;

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The code of the error of S3 that a request deserves.
pub(crate) fn fault(head: &Head, body: &[u8], key: &str, secret: &str) -> Option<&'static str> {
    let Some(given) = head
        .header("authorization")
        .strip_prefix("AWS4-HMAC-SHA256 ")
    else {
        return Some("AccessDenied");
    };
    let part = |name: &str| {
        let mut parts = given.split(',').map(str::trim);
        parts
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
    };
    let (credential, signed) = (part("Credential"), part("SignedHeaders"));
    let Some((who, scope)) = credential.split_once('/') else {
        return Some("AuthorizationHeaderMalformed");
    };
    if who != key {
        return Some("InvalidAccessKeyId");
    }
    let sent = head.header("x-amz-content-sha256");
    if sent != "UNSIGNED-PAYLOAD" && sent != hex(&Sha256::digest(body)) {
        return Some("XAmzContentSHA256Mismatch");
    }
    let mut query: Vec<String> = head
        .query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.contains('=') {
            true => pair.to_owned(),
            false => format!("{pair}="),
        })
        .collect();
    query.sort_unstable();
    let headers: String = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", head.header(name)))
        .collect();
    let request = [
        &head.method,
        &head.path,
        &query.join("&"),
        &headers,
        signed,
        sent,
    ]
    .join("\n");
    let request = hex(&Sha256::digest(request));
    let date = head.header("x-amz-date");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}");
    let mut derived = format!("AWS4{secret}").into_bytes();
    for word in scope.split('/') {
        derived = hmac(&derived, word);
    }
    (hex(&hmac(&derived, &text)) != part("Signature")).then_some("SignatureDoesNotMatch")
}
