//! Owns first-contact resolution: who had to come again for the same matter.

use std::collections::BTreeMap;

use super::ratio;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The windows that reports show, in days, the shortest first.
pub const REPEAT_DAYS: [u16; 3] = [1, 3, 7];

/// One contact of somebody who can be told by a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The normalised number; a contact without one is left out.
    pub number: String,
    /// The topic; entries without one are of one topic, the unknown.
    pub topic: String,
    /// When, UTC ms.
    pub at: i64,
}

/// Contacts that are alike as far as the windows of [`REPEAT_DAYS`] go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactLot {
    /// How many.
    pub contacts: u64,
    /// The shortest window in which the same person came again for the same matter, in days; none if in
    /// no window.
    pub again_within: Option<u16>,
    /// The longest window that has passed, in days; 0 if none has.
    pub passed: u16,
}

/// First-contact resolution within a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolution {
    /// The window in days; shown with the figure.
    pub window_days: u16,
    /// Contacts whose window has passed.
    pub judged: u64,
    /// Of those, the ones with no repeat.
    pub resolved: u64,
    /// Contacts whose window has not passed: nothing can be said of them yet.
    pub pending: u64,
}

impl Resolution {
    /// The resolution within one of [`REPEAT_DAYS`].
    #[must_use]
    pub fn of_lots(lots: &[ContactLot], window_days: u16) -> Self {
        let mut resolution = Self {
            window_days,
            judged: 0,
            resolved: 0,
            pending: 0,
        };
        for lot in lots {
            if lot.passed < window_days {
                resolution.pending += lot.contacts;
                continue;
            }
            resolution.judged += lot.contacts;
            if lot.again_within.is_none_or(|days| days > window_days) {
                resolution.resolved += lot.contacts;
            }
        }
        resolution
    }

    /// The part of contacts that were the only one; `None` until the window of one has passed.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        ratio(self.resolved, self.judged)
    }
}

/// Judges the contacts of `[from, to)`. `contacts` must reach to the end of the last one's window, or
/// to `now`. A repeat is another contact of the same number on the same topic, later, and not after
/// the window.
#[must_use]
pub fn first_contact_resolution(
    contacts: &[Contact],
    (from, to): (i64, i64),
    window_days: u16,
    now: i64,
) -> Resolution {
    let window = i64::from(window_days) * DAY_MS;
    let mut by_matter: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    for contact in contacts.iter().filter(|contact| !contact.number.is_empty()) {
        let matter = (contact.number.as_str(), contact.topic.as_str());
        by_matter.entry(matter).or_default().push(contact.at);
    }
    let mut resolution = Resolution {
        window_days,
        judged: 0,
        resolved: 0,
        pending: 0,
    };
    for times in by_matter.values_mut() {
        times.sort_unstable();
        for (place, &at) in times.iter().enumerate() {
            if at < from || at >= to {
                continue;
            }
            if at.saturating_add(window) > now {
                resolution.pending += 1;
                continue;
            }
            resolution.judged += 1;
            let next = times.get(place + 1);
            let again = next.is_some_and(|next| *next <= at.saturating_add(window));
            resolution.resolved += u64::from(!again);
        }
    }
    resolution
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(number: &str, topic: &str, day: i64) -> Contact {
        Contact {
            number: number.to_owned(),
            topic: topic.to_owned(),
            at: day * DAY_MS,
        }
    }

    #[test]
    fn a_repeat_is_of_the_same_number_and_topic_within_the_window() {
        let contacts = [
            contact("+1", "a", 0),
            contact("+1", "a", 1), // repeats the one before, at the very end of a window of one day
            contact("+1", "b", 1), // another topic
            contact("+2", "a", 1), // another number
            contact("", "a", 0),   // nobody knows who
            contact("", "a", 1),
        ];
        let all = (0, 10 * DAY_MS);
        let one = first_contact_resolution(&contacts, all, 1, 100 * DAY_MS);
        assert_eq!((one.judged, one.resolved, one.pending), (4, 3, 0));
        assert_eq!(one.rate(), Some(0.75));
    }

    #[test]
    fn nothing_is_said_before_the_window_has_passed() {
        let contacts = [contact("+1", "a", 0), contact("+2", "a", 5)];
        let now = 6 * DAY_MS;
        let week = first_contact_resolution(&contacts, (0, now), 7, now);
        assert_eq!((week.judged, week.pending), (0, 2));
        assert_eq!(week.rate(), None);
        let three = first_contact_resolution(&contacts, (0, now), 3, now);
        assert_eq!((three.judged, three.resolved, three.pending), (1, 1, 1));
    }
}
