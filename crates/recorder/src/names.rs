//! Owns the names of recordings: the engine alone names them, from ids and dates, never from what a
//! peer sent.

use vocab::WallTime;
use vocab::media::RecordingKey;

const DAY_MS: i64 = 86_400_000;

/// Folder of a day (UTC) below the root, `2026/11/22`.
pub(crate) fn folder(start: WallTime) -> String {
    let (year, month, day) = date(start);
    format!("{year:04}/{month:02}/{day:02}")
}

/// A day (UTC) as the chain names it, `2026-11-22`.
pub(crate) fn day(time: WallTime) -> String {
    let (year, month, day) = date(time);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day of an RFC 3339 time as the chain names it.
pub(crate) fn parse_day(time: &str) -> Option<String> {
    time.get(..10).map(str::to_owned)
}

/// Which recording a file name belongs to, and the ending after it: `wav`, `json`, `wav.age`.
pub(crate) fn parse(name: &str) -> Option<(RecordingKey, &str)> {
    let (stem, ending) = name.split_once('.')?;
    let (call, segment) = stem.rsplit_once('-')?;
    let key = RecordingKey {
        call: call.parse().ok()?,
        segment: segment.parse().ok()?,
    };
    (self::stem(key) == stem).then_some((key, ending))
}

/// Name of a recording without its ending.
pub(crate) fn stem(key: RecordingKey) -> String {
    format!("{}-{}", key.call, key.segment)
}

/// RFC 3339 with milliseconds, `2026-11-22T08:01:02.003Z`.
pub(crate) fn rfc3339(time: WallTime) -> String {
    let (year, month, day) = date(time);
    let ms = time.as_unix_millis().rem_euclid(DAY_MS);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        ms % 1_000
    )
}

/// Year, month and day of a time in UTC. Counts in eras of 400 years (146,097 days) that begin on
/// 1 March, so that the leap day is the last of its year.
fn date(time: WallTime) -> (i64, i64, i64) {
    let days = time.as_unix_millis().div_euclid(DAY_MS) + 719_468; // from 0000-03-01
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::CallId;

    #[test]
    fn known_days() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_795_334_462, "2026-11-22T08:01:02.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(
                rfc3339(WallTime::from_unix_millis(seconds * 1_000)),
                expected
            );
        }
        assert_eq!(
            rfc3339(WallTime::from_unix_millis(-1)),
            "1969-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for n in 0..60_000i64 {
            assert_eq!(
                date(WallTime::from_unix_millis(n * DAY_MS + 5)),
                (year, month, day)
            );
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn a_name_is_made_of_ids_and_a_date() {
        let key = RecordingKey {
            call: CallId::new(7, 1),
            segment: 2,
        };
        assert_eq!(stem(key), "00000007-00000001-2");
        assert_eq!(parse("00000007-00000001-2.wav.age"), Some((key, "wav.age")));
        for other in [
            "x.wav",
            "00000007-00000001.json",
            "7-1-2.wav",
            "00000007-00000001-2",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(
            folder(WallTime::from_unix_millis(1_795_334_462_000)),
            "2026/11/22"
        );
    }
}
