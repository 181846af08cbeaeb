//! Owns the dialogs of a line as they are told, and the text of `application/dialog-info+xml` (RFC
//! 4235 §4): all of them, or those that changed since the last time.

use core::fmt::Write;

use crate::wire::Uri;

/// Who began a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The line called.
    Initiator,
    /// The line was called.
    Recipient,
}

/// How far a dialog has come (RFC 4235 §3.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// The INVITE is out, and nobody has said more than 100.
    Trying,
    /// It rings.
    Early,
    /// They talk.
    Confirmed,
}

impl LineState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
        }
    }
}

/// The other party of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The name; may be empty.
    pub name: String,
    /// The address.
    pub uri: Uri,
}

/// One dialog of a line. The tags are as the line's telephone has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDialog {
    /// What tells it from others of the line; never given twice.
    pub id: String,
    /// Its Call-ID.
    pub call_id: String,
    /// The telephone's tag; none before it said one.
    pub local_tag: Option<String>,
    /// Our tag.
    pub remote_tag: Option<String>,
    /// Who began it.
    pub direction: Direction,
    /// How far it is.
    pub state: LineState,
    /// The other party, for those who may know.
    pub remote: Option<Party>,
}

/// A list of dialogs in a document, each with its state there.
type Listed<'a> = Vec<(&'a LineDialog, &'static str)>;

/// What a document tells.
pub(super) enum Extent<'a> {
    /// All dialogs that there are.
    Full,
    /// What changed since these were told.
    Since(&'a [LineDialog]),
}

/// The document; `None` if nothing changed.
pub(super) fn print(
    entity: &Uri,
    version: u32,
    extent: &Extent<'_>,
    dialogs: &[LineDialog],
) -> Option<String> {
    let (state, listed) = match extent {
        Extent::Full => ("full", dialogs.iter().map(as_it_is).collect()),
        Extent::Since(told) => ("partial", changes(told, dialogs)),
    };
    if listed.is_empty() && !matches!(extent, Extent::Full) {
        return None;
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
    let entity = escaped(&entity.to_string());
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
         state=\"{state}\" entity=\"{entity}\">\r\n"
    );
    for (dialog, state) in listed {
        print_one(&mut text, dialog, state);
    }
    text.push_str("</dialog-info>\r\n");
    Some(text)
}

const fn as_it_is(dialog: &LineDialog) -> (&LineDialog, &'static str) {
    (dialog, dialog.state.as_str())
}

/// What is new or another than before, and what is gone: that is told once, as terminated.
fn changes<'a>(told: &'a [LineDialog], now: &'a [LineDialog]) -> Listed<'a> {
    let gone = told
        .iter()
        .filter(|old| !now.iter().any(|new| new.id == old.id))
        .map(|old| (old, "terminated"));
    let changed = now.iter().filter(|new| !told.contains(new)).map(as_it_is);
    gone.chain(changed).collect()
}

fn print_one(text: &mut String, dialog: &LineDialog, state: &str) {
    let _ = write!(
        text,
        "<dialog id=\"{}\" call-id=\"{}\"",
        escaped(&dialog.id),
        escaped(&dialog.call_id)
    );
    let tags = [
        ("local-tag", &dialog.local_tag),
        ("remote-tag", &dialog.remote_tag),
    ];
    for (name, tag) in tags {
        if let Some(tag) = tag {
            let _ = write!(text, " {name}=\"{}\"", escaped(tag));
        }
    }
    let direction = match dialog.direction {
        Direction::Initiator => "initiator",
        Direction::Recipient => "recipient",
    };
    let _ = write!(
        text,
        " direction=\"{direction}\">\r\n<state>{state}</state>\r\n"
    );
    if let Some(Party { name, uri }) = &dialog.remote {
        let display = if name.is_empty() {
            String::new()
        } else {
            format!(" display=\"{}\"", escaped(name))
        };
        let uri = escaped(&uri.to_string());
        let _ = write!(
            text,
            "<remote>\r\n<identity{display}>{uri}</identity>\r\n</remote>\r\n"
        );
    }
    text.push_str("</dialog>\r\n");
}

/// Text as it may stand in an attribute or an element. What XML 1.0 §2.2 has no place for becomes the
/// replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dialog(id: &str, state: LineState) -> LineDialog {
        LineDialog {
            id: id.to_owned(),
            call_id: format!("c{id}"),
            local_tag: Some("l".to_owned()),
            remote_tag: Some("r".to_owned()),
            direction: Direction::Recipient,
            state,
            remote: None,
        }
    }

    fn entity() -> Uri {
        Uri::parse("sip:101@example.com").unwrap()
    }

    #[test]
    fn a_full_document_has_every_dialog_with_its_party() {
        let mut talk = dialog("1", LineState::Confirmed);
        talk.remote = Some(Party {
            name: "Ann \"A\" <&>".to_owned(),
            uri: Uri::parse("sip:+74242123456@192.0.2.1").unwrap(),
        });
        let text = print(&entity(), 7, &Extent::Full, &[talk]).unwrap();
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"7\" \
             state=\"full\" entity=\"sip:101@example.com\">\r\n\
             <dialog id=\"1\" call-id=\"c1\" local-tag=\"l\" remote-tag=\"r\" \
             direction=\"recipient\">\r\n<state>confirmed</state>\r\n<remote>\r\n\
             <identity display=\"Ann &quot;A&quot; &lt;&amp;&gt;\">sip:+74242123456@192.0.2.1\
             </identity>\r\n</remote>\r\n</dialog>\r\n</dialog-info>\r\n"
        );
    }

    #[test]
    fn a_partial_document_has_what_changed_and_what_is_gone_and_nothing_else() {
        let told = [
            dialog("1", LineState::Early),
            dialog("2", LineState::Confirmed),
            dialog("3", LineState::Confirmed),
        ];
        let now = [
            dialog("1", LineState::Confirmed),
            dialog("3", LineState::Confirmed),
        ];
        let text = print(&entity(), 1, &Extent::Since(&told), &now).unwrap();
        assert!(text.contains("state=\"partial\""), "{text}");
        let states: Vec<&str> = ["id=\"1\"", "id=\"2\"", "id=\"3\""]
            .iter()
            .map(|id| match text.split(id).nth(1) {
                Some(rest) => rest.split("<state>").nth(1).unwrap(),
                None => "absent",
            })
            .map(|rest| rest.split('<').next().unwrap())
            .collect();
        assert_eq!(states, ["confirmed", "terminated", "absent"]);
        assert_eq!(print(&entity(), 1, &Extent::Since(&now), &now), None);
    }

    fn read_back(text: &str) -> String {
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&apos;", "'")
            .replace("&amp;", "&")
    }

    proptest! {
        /// Whatever a peer calls itself, it makes no element and no attribute of ours.
        #[test]
        fn no_name_or_tag_can_break_out_of_its_place(name in ".{1,40}", tag in "\\PC{1,40}") {
            let mut one = dialog("1", LineState::Early);
            one.local_tag = Some(tag.clone());
            one.remote = Some(Party { name: name.clone(), uri: entity() });
            let text = print(&entity(), 0, &Extent::Full, &[one]).unwrap();
            prop_assert_eq!(text.matches('<').count(), 11);
            prop_assert_eq!(text.matches('>').count(), 11);
            let shown = text.split("display=\"").nth(1).unwrap().split('"').next().unwrap();
            let clean = |c: char| {
                if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }
            };
            prop_assert_eq!(read_back(shown), name.chars().map(clean).collect::<String>());
            let shown = text.split("local-tag=\"").nth(1).unwrap().split('"').next().unwrap();
            prop_assert_eq!(read_back(shown), tag.chars().map(clean).collect::<String>());
        }
    }
}
