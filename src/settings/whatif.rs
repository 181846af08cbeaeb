//! Owns the file of `hotline simulate`: a queue as it might be, and who would be there.

use super::Settings;
use super::define::{Section, Table, section};
use super::problem::Problem;
use super::queues::SkillWanted;
use super::sections::Queue;

/// The sections of the file.
const SECTIONS: &[Section] = &[Queue::SECTION, Staff::SECTION];

section! {
    /// Operators who would be there, all alike.
    many Staff "staff" {
        /// How many.
        operators: usize = Default "1", in "1" ..= "5000";
        /// Their skills with the level of each; without a level it is 1.
        skills: Vec<SkillWanted> = Empty "[\"health 80\", \"uk 60\"]";
    }
}

/// A queue as it might be.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    /// The queue, with its rules.
    pub queue: Queue,
    /// Who would be there; nobody named: those of the table of operators.
    pub staff: Vec<Staff>,
}

impl WhatIf {
    /// Reads a file. `file` is its name in messages.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        super::read_text(file, text, SECTIONS, |reader| {
            let queues: Vec<Queue> = reader.many()?;
            let staff = reader.many();
            let count = queues.len();
            let Some(queue) = queues.into_iter().next().filter(|_| count == 1) else {
                let message = format!("expected one table [[queue]], found {count}");
                reader.note_at("queue", message, None);
                return None;
            };
            Some(Self {
                queue,
                staff: staff?,
            })
        })
    }

    /// Settings that have this queue and no other.
    #[must_use]
    pub fn settings(&self) -> Option<Settings> {
        let mut settings = Settings::parse("", "").ok()?;
        settings.queues = vec![self.queue.clone()];
        Some(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_queue_and_who_would_be_there() {
        let text = "[[queue]]\nname = \"health\"\nskill = \"health\"\n\n\
            [[staff]]\noperators = 12\nskills = [\"health 80\"]\n\n[[staff]]\noperators = 3\n";
        let read = WhatIf::parse("what.toml", text).unwrap();
        assert_eq!(read.queue.name, "health");
        assert_eq!(
            read.staff.iter().map(|one| one.operators).sum::<usize>(),
            15
        );
        assert_eq!(read.settings().unwrap().queues.len(), 1);
        let twice = format!("{text}\n[[queue]]\nname = \"other\"\n");
        for bad in ["", &twice, "[[queue]]\nname = \"a\"\n[sip]\n"] {
            assert!(WhatIf::parse("what.toml", bad).is_err(), "{bad}");
        }
    }
}
