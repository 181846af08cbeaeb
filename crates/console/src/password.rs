//! Owns what is kept of a password: scrypt (RFC 7914) of it with a salt of its own, never the password.

use scrypt::{Params, scrypt};

use crate::token::{hex, octets};

/// log2 of the blocks of 1 KiB that a guess takes: 32 MiB, some tens of milliseconds.
const LOG_N: u8 = 15;
const R: u32 = 8;
const P: u32 = 1;
/// Highest cost that is computed, so that a damaged row takes no gigabytes.
const LOG_N_MAX: u8 = 20;
/// Octets of a salt, and of what comes out.
const SALT: usize = 16;
const OUT: usize = 32;

/// Shortest and longest password.
pub(crate) const LENGTH: std::ops::RangeInclusive<usize> = 8..=1_024;

/// Why a password cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("expected a password of {} to {} octets", LENGTH.start(), LENGTH.end())]
    Length,
    /// The parameters are not those of scrypt.
    #[error("scrypt cannot be computed")]
    Cost,
}

/// What is kept of a password: `scrypt:LOG_N:R:P:SALT:HASH`, both in hex.
///
/// # Errors
/// If it is too short or too long.
pub fn kept(password: &str, salt: [u8; SALT]) -> Result<String, PasswordError> {
    if !LENGTH.contains(&password.len()) {
        return Err(PasswordError::Length);
    }
    let out = computed(password, &salt, (LOG_N, R, P)).ok_or(PasswordError::Cost)?;
    Ok(format!(
        "scrypt:{LOG_N}:{R}:{P}:{}:{}",
        hex(&salt),
        hex(&out)
    ))
}

/// What is compared with where there is no account, so that a guess at it takes as long.
pub(crate) fn nobodys() -> String {
    format!(
        "scrypt:{LOG_N}:{R}:{P}:{}:{}",
        hex(&[0; SALT]),
        hex(&[0; OUT])
    )
}

/// Whether a password is the one of which that is kept.
#[must_use]
pub fn is_it(password: &str, kept: &str) -> bool {
    let mut parts = kept.split(':');
    let mut next = || parts.next().unwrap_or_default();
    let (kind, log_n, r, p, salt, hash) = (next(), next(), next(), next(), next(), next());
    let cost = (log_n.parse().ok(), r.parse().ok(), p.parse().ok());
    let (Some(log_n), Some(r), Some(p)) = cost else {
        return false;
    };
    let (Some(salt), Some(hash)) = (octets(salt), octets(hash)) else {
        return false;
    };
    if kind != "scrypt" || log_n > LOG_N_MAX || r > R * 4 || p > P * 16 {
        return false;
    }
    let Some(out) = computed(password, &salt, (log_n, r, p)) else {
        return false;
    };
    // All octets are looked at, wherever they begin to differ.
    let differs = out.iter().zip(&hash).fold(0, |sum, (a, b)| sum | (a ^ b));
    hash.len() == OUT && differs == 0
}

fn computed(password: &str, salt: &[u8], (log_n, r, p): (u8, u32, u32)) -> Option<[u8; OUT]> {
    let params = Params::new(log_n, r, p, OUT).ok()?;
    let mut out = [0; OUT];
    scrypt(password.as_bytes(), salt, &params, &mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_what_is_kept_of_it_and_no_other_is() {
        let kept = kept("correct horse", [7; 16]).unwrap();
        assert!(!kept.contains("horse"));
        assert!(is_it("correct horse", &kept));
        assert!(!is_it("correct horsf", &kept));
        assert!(!is_it("", &kept));
        assert!(!is_it("correct horse", &nobodys()));
        for broken in [
            "",
            "scrypt",
            "scrypt:15:8:1:00:",
            "scrypt:60:8:1:00:00",
            "md5:1:1:1:00:00",
        ] {
            assert!(!is_it("correct horse", broken), "{broken}");
        }
    }

    #[test]
    fn it_is_the_scrypt_of_rfc_7914() {
        // Section 12, the second vector, its first half: N = 1024, r = 8, p = 16.
        let kept = "scrypt:10:8:16:4e61436c:\
                    fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162";
        assert!(is_it("password", kept));
    }

    #[test]
    fn short_and_endless_passwords_are_not_kept() {
        assert!(kept("1234567", [0; 16]).is_err());
        assert!(kept(&"x".repeat(1_025), [0; 16]).is_err());
    }
}
