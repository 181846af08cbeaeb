//! Owns the tests of the jitter buffer.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn header(number: u16) -> Header {
    Header::new(8, number, u32::from(number) * 160, 7)
}

fn numbered(number: u16) -> [u8; 2] {
    number.to_be_bytes()
}

#[test]
fn packets_come_out_in_their_order_and_a_lost_one_is_named_with_what_follows() {
    let mut jitter = Jitter::new(8_000);
    for number in [10, 12, 11, 14] {
        assert!(jitter.put(ms(0), &header(number), Some(&numbered(number))));
    }
    for number in [10_u16, 11, 12] {
        let taken = jitter.take(ms(0));
        assert!(matches!(taken, Taken::Payload { payload, .. } if payload == numbered(number)));
    }
    assert_eq!(jitter.take(ms(0)), Taken::Lost(Some(&numbered(14))));
    assert!(!jitter.put(ms(1), &header(13), Some(&[1])), "too late");
    assert!(matches!(jitter.take(ms(0)), Taken::Payload { .. }));
    assert_eq!(jitter.take(ms(0)), Taken::Nothing);
    jitter.put(ms(1), &header(15), None);
    assert_eq!(jitter.take(ms(0)), Taken::Pause);
}

#[test]
fn the_wait_follows_the_lateness_up_at_once_and_down_in_four_seconds() {
    let mut jitter = Jitter::new(8_000);
    let mut number = 0;
    let mut run = |count: u16, late: fn(u16) -> u64| {
        for _ in 0..count {
            jitter.put(
                ms(1_000 + u64::from(number) * 20 + late(number)),
                &header(number),
                Some(&[1]),
            );
            jitter.take(ms(0));
            number += 1;
        }
        jitter.target()
    };
    assert_eq!(run(100, |_| 0), TARGET_MIN);
    assert_eq!(
        run(10, |number| if number.is_multiple_of(5) { 60 } else { 0 }),
        65_000
    );
    assert_eq!(run(210, |_| 0), TARGET_MIN);
    assert_eq!(
        run(10, |number| if number.is_multiple_of(5) { 900 } else { 0 }),
        TARGET_MAX
    );
}

#[test]
fn another_source_and_a_jump_of_numbers_begin_anew() {
    let mut jitter = Jitter::new(8_000);
    jitter.put(ms(0), &header(10), Some(&[1]));
    jitter.put(ms(0), &header(30_000), Some(&[2]));
    assert!(matches!(
        jitter.take(ms(0)),
        Taken::Payload { payload: [2], .. }
    ));
    let other = Header::new(8, 5, 0, 8);
    jitter.put(ms(0), &header(30_001), Some(&[3]));
    jitter.put(ms(0), &other, Some(&[4]));
    assert!(matches!(
        jitter.take(ms(0)),
        Taken::Payload { payload: [4], .. }
    ));
    assert_eq!(jitter.take(ms(0)), Taken::Nothing);
}

proptest! {
    #[test]
    fn whatever_comes_is_taken_once_in_order_and_never_more_than_fits(
        first: u16,
        steps in prop::collection::vec((0_u16..40, 0_u16..60, any::<bool>(), 0_u64..80), 1..300),
    ) {
        let mut jitter = Jitter::new(8_000);
        let (mut now, mut taken) = (0, BTreeSet::new());
        let mut newest = None::<i64>;
        for (ahead, back, takes, pause) in steps {
            now += pause;
            let number = first.wrapping_add((now / 20) as u16).wrapping_add(ahead).wrapping_sub(back);
            jitter.put(ms(now), &header(number), Some(&numbered(number)));
            prop_assert!(jitter.waiting() <= SLOTS);
            prop_assert!((TARGET_MIN..=TARGET_MAX).contains(&jitter.target()));
            let _ = jitter.waited(ms(now));
            if takes && let Taken::Payload { payload, .. } = jitter.take(ms(now)) {
                let number = u16::from_be_bytes([payload[0], payload[1]]);
                let place = i64::from(number.wrapping_sub(first).cast_signed());
                prop_assert!(taken.insert(place), "{} twice", place);
                prop_assert!(newest.is_none_or(|newest| place > newest), "{place} after {newest:?}");
                newest = Some(place);
            }
        }
    }

    #[test]
    fn nothing_disturbs_it(
        packets in prop::collection::vec((any::<u16>(), any::<u32>(), 0_u32..3, 0_usize..2_000, any::<u32>()), 1..200),
    ) {
        let mut jitter = Jitter::new(48_000);
        for (number, timestamp, source, length, at) in packets {
            let now = Time::from_micros(u64::from(at));
            let header = Header::new(111, number, timestamp, source);
            let payload = vec![1; length];
            jitter.put(now, &header, (length > 0).then_some(&payload));
            let _ = (jitter.waited(now), jitter.target());
            let _ = jitter.take(now);
        }
    }
}
