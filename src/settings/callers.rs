//! Owns the settings of lists of callers, and the form of their files.

use std::path::PathBuf;
use std::time::Duration;

use super::define::section;

section! {
    /// A list of callers' numbers: who comes first, who is declined, who has an operator of their own. The
    /// numbers are in a file, in the journal (`hotline callers add`), or in both; a running engine
    /// sees changes of either within a second.
    many CallerList "caller_list" {
        /// Its name.
        name: String = Required "\"vip\"";
        /// The file: a number in each line, then `owner=LOGIN` if an operator looks after the caller;
        /// what follows a # is for people. Without it the list is in the journal alone.
        file: Option<PathBuf> = Empty "\"lists/vip.txt\"";
        /// Added to the priority of their calls.
        priority: usize = Default "0", in "0" ..= "100";
        /// Waiting time that their calls are credited with.
        credit: Duration = Default "\"0s\"", in "\"0s\"" ..= "\"1h\"";
        /// The operator who looks after them, by login: gets their calls first, for as long as the
        /// queue's sticky says.
        owner: Option<String> = Empty "\"ivanova\"";
        /// Their calls are declined (603), and stand in the journal.
        blocked: bool = Default "false";
    }
}

/// A line of a list's file: a number, and the operator who looks after that caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerLine {
    /// As it was written.
    pub number: String,
    /// By login.
    pub owner: Option<String>,
}

/// Reads the file of a list.
///
/// # Errors
/// The first line that is none, with what was expected.
pub fn read_list(text: &str) -> Result<Vec<CallerLine>, String> {
    let mut lines = Vec::new();
    for (at, line) in (1..).zip(text.lines()) {
        let said = line.split('#').next().unwrap_or_default().trim();
        if said.is_empty() {
            continue;
        }
        let wrong =
            || format!("line {at}: expected a number, then owner=LOGIN or nothing, found {said:?}");
        let (number, owner) = match said.split_once("owner=") {
            Some((number, owner)) => (number.trim(), Some(owner.trim())),
            None => (said, None),
        };
        if !is_number(number) || owner.is_some_and(|owner| owner.is_empty() || owner.contains(' '))
        {
            return Err(wrong());
        }
        lines.push(CallerLine {
            number: number.to_owned(),
            owner: owner.map(str::to_owned),
        });
    }
    Ok(lines)
}

/// Whether this can be a caller's number, as people write one.
pub fn is_number(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let spelt = |c: char| c.is_ascii_digit() || "+-() .".contains(c);
    (2..=20).contains(&digits) && text.chars().all(spelt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_lists_are_read_as_people_write_them() {
        let text = "# the governor's office\n+7 (4212) 40-20-00\n\n84212402001 owner=ivanova # her mother\n";
        let lines = read_list(text).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].number, "+7 (4212) 40-20-00");
        assert_eq!(lines[1].owner.as_deref(), Some("ivanova"));
        for bad in ["anna", "1", "84212402001 ivanova", "84212402001 owner="] {
            let told = read_list(&format!("84212402002\n{bad}\n")).unwrap_err();
            assert!(told.starts_with("line 2: expected a number"), "{told}");
        }
    }
}
