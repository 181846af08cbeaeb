//! Owns the acts of destruction: who destroyed what, when, by which rule. In Russia the confirmation
//! of a destruction is an act and an export of the event log, both kept for three years (Federal
//! Law 152-FZ art. 21 part 7, order of Roskomnadzor No. 179 of 28 October 2022). They are made of the
//! chain, so a crash loses none. Refuses to delete any.
//!
//! `acts/<act>.json` is for programs, `acts/<act>.txt` is the act as the order wants it, and
//! `acts/<act>.csv` the export of the event log. None holds a number or a name of a caller: the
//! id of the call in the journal stands for the person.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::chain::{Deed, Link};
use crate::disk::{Disk, RealDisk};
use crate::ledger::Ledger;

/// Folder of the acts below the root.
pub(crate) const FOLDER: &str = "acts";
const VOICE: &str = "голос абонента и сведения, сообщённые в телефонном разговоре";
const ENTRY: &str = "номер телефона, фамилия, имя, отчество, содержание обращения";
const CARD: &str = "карточка лица: фамилия, имя, отчество, номера телефонов, заметки";
const METHOD: &str = "удаление файлов и стирание полей журнала программой hotline";

/// What the acts say of whose data they are.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Name and address of the organisation (оператор персональных данных).
    pub data_operator: String,
    /// Name of the information system.
    pub information_system: String,
}

#[derive(Serialize)]
struct Act<'a> {
    act: &'a str,
    data_operator: &'a str,
    information_system: &'a str,
    method: &'a str,
    destroyed: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    /// The id of the call, or of the card.
    call: String,
    /// None: it was the entry's personal fields, or a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<u16>,
    category: &'static str,
    /// When it had been recorded, the entry had come, or the card was last written.
    recorded_at: &'a str,
    destroyed_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    reason: &'a str,
}

impl<'a> Line<'a> {
    fn of(link: &'a Link) -> Option<Self> {
        let destroyed_at = &link.at;
        match &link.deed {
            Deed::Destroyed {
                call,
                segment,
                sha256,
                recorded_at,
                reason,
                ..
            } => Some(Self {
                call: call.to_string(),
                segment: Some(*segment),
                category: VOICE,
                recorded_at,
                destroyed_at,
                sha256: Some(sha256),
                reason,
            }),
            Deed::PersonalDestroyed {
                call,
                arrived_at,
                reason,
                ..
            } => Some(Self {
                call: call.to_string(),
                segment: None,
                category: ENTRY,
                recorded_at: arrived_at,
                destroyed_at,
                sha256: None,
                reason,
            }),
            Deed::CardDestroyed {
                person,
                written_at,
                reason,
                ..
            } => Some(Self {
                call: person.to_string(),
                segment: None,
                category: CARD,
                recorded_at: written_at,
                destroyed_at,
                sha256: None,
                reason,
            }),
            Deed::Stored { .. }
            | Deed::Uploaded { .. }
            | Deed::Call { .. }
            | Deed::Exported { .. }
            | Deed::Held { .. }
            | Deed::Released { .. } => None,
        }
    }
}

/// Writes the acts that the chain names and that are not there yet; their names.
///
/// # Errors
/// If the disk refuses.
pub fn write_missing(root: &Path, ledger: &Ledger, words: &Words) -> io::Result<Vec<String>> {
    let dir = root.join(FOLDER);
    let mut written = Vec::new();
    for (act, links) in ledger.acts_wanted() {
        RealDisk.make_dirs(&dir)?;
        let lines: Vec<Line<'_>> = links.iter().filter_map(Line::of).collect();
        write(&dir, &format!("{act}.csv"), csv(&lines, words).as_bytes())?;
        write(
            &dir,
            &format!("{act}.txt"),
            text(act, &lines, words).as_bytes(),
        )?;
        let json = serde_json::to_vec_pretty(&Act {
            act,
            data_operator: &words.data_operator,
            information_system: &words.information_system,
            method: METHOD,
            destroyed: lines,
        })?;
        // The last: its being there says that the act is whole.
        write(&dir, &format!("{act}.json"), &json)?;
        written.push(act.clone());
    }
    Ok(written)
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let part = dir.join(format!(".{name}.part"));
    let file = RealDisk.create(&part)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    RealDisk.rename(&part, &dir.join(name))?;
    RealDisk.sync_dir(dir)
}

/// The export of the event log: what clause 5 of the order wants in it.
fn csv(lines: &[Line<'_>], words: &Words) -> String {
    let mut out = String::from(
        "\"субъект (звонок в журнале)\",\"сегмент\",\"перечень категорий уничтоженных данных\",\
         \"информационная система\",\"причина уничтожения\",\"дата уничтожения\"\r\n",
    );
    for line in lines {
        let fields = [
            line.call.as_str(),
            &line.segment.map(|n| n.to_string()).unwrap_or_default(),
            line.category,
            &words.information_system,
            line.reason,
            line.destroyed_at,
        ];
        let quoted: Vec<String> = fields
            .iter()
            .map(|field| format!("\"{}\"", field.replace('"', "\"\"")))
            .collect();
        out.push_str(&quoted.join(","));
        out.push_str("\r\n");
    }
    out
}

/// The act: what clause 3 of the order wants in it. Who answers for it signs it.
fn text(act: &str, lines: &[Line<'_>], words: &Words) -> String {
    let recordings = lines.iter().filter(|line| line.segment.is_some()).count();
    let cards = lines.iter().filter(|line| line.category == CARD).count();
    let entries = lines.len() - recordings - cards;
    let mut categories: Vec<&str> = lines.iter().map(|line| line.category).collect();
    categories.sort_unstable();
    categories.dedup();
    let categories = categories.join("; ");
    let Words {
        data_operator,
        information_system,
    } = words;
    let mut out = format!(
        "АКТ № {act}\nоб уничтожении персональных данных\n\n\
         Оператор: {data_operator}\n\
         Информационная система: {information_system}\n\
         Перечень категорий уничтоженных данных: {categories}\n\
         Способ уничтожения: {METHOD}\n\
         Уничтожено записей разговоров: {recordings}\n\
         Стёрто персональных данных в записях журнала: {entries}\n\
         Стёрто карточек лиц: {cards}\n\n"
    );
    for line in lines {
        let Line {
            call,
            segment,
            recorded_at,
            destroyed_at,
            reason,
            ..
        } = line;
        out.push_str(&match segment {
            Some(segment) => format!(
                "звонок {call}, сегмент {segment}, запись от {recorded_at}: уничтожена \
                 {destroyed_at}, причина: {reason}\n"
            ),
            None if line.category == CARD => format!(
                "карточка {call}, последняя запись от {recorded_at}: стёрта {destroyed_at}, \
                 причина: {reason}\n"
            ),
            None => format!(
                "звонок {call}, обращение от {recorded_at}: персональные данные стёрты \
                 {destroyed_at}, причина: {reason}\n"
            ),
        });
    }
    out.push_str("\nЛица, уничтожившие данные (фамилия, имя, отчество, должность, подпись):\n\n");
    out
}
