//! Owns how long to wait before a modification is tried again that met the peer's own.

use core::time::Duration;

/// The largest Retry-After of a 500 for overlapping requests (RFC 3261 §14.2, RFC 3311 §5.2: "a
/// randomly chosen value of between 0 and 10 seconds").
pub const UPDATE_RETRY_AFTER_MAX_S: u64 = 10;

/// How long to wait after a 491 (RFC 3261 §14.1): 2.1 to 4 s for the side that chose the Call-ID, 0 to
/// 2 s for the other, in steps of 10 ms. `random` is any number.
#[must_use]
pub const fn retry_interval(own_call_id: bool, random: u64) -> Duration {
    let steps = if own_call_id {
        210 + random % 191
    } else {
        random % 201
    };
    Duration::from_millis(10 * steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_call_id_waits_longer_than_the_other_side() {
        for random in 0..1_000 {
            let (owner, other) = (retry_interval(true, random), retry_interval(false, random));
            assert!((Duration::from_millis(2_100)..=Duration::from_secs(4)).contains(&owner));
            assert!(other <= Duration::from_secs(2));
            assert_eq!(owner.as_millis() % 10 + other.as_millis() % 10, 0);
        }
    }
}
