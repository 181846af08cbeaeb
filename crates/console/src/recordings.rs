//! Owns the hearing of recordings: the audio of a segment, whole or a range of it. Each hearing is a
//! fact of the journal before the first octet goes out.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path as FsPath, PathBuf};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use journal::desk::Wish;
use journal::rows::RecordingRow;
use vocab::{CallId, WallTime};

use crate::app::App;
use crate::problem::Problem;
use crate::query::call_id;
use crate::token::Token;

/// Octets read at a time.
const PIECE: usize = 64 * 1_024;

/// Requests of one person for one recording within this are one hearing: players ask for a file in
/// many ranges.
const ONE_HEARING_MS: i64 = 60_000;

/// Hearings remembered; beyond it all are forgotten, and the next requests are written down again.
const HEARINGS_MAX: usize = 10_000;

/// What can be read from any place.
pub trait Sound: Read + Seek + Send {}

impl<T: Read + Seek + Send> Sound for T {}

/// How encrypted recordings are read.
pub trait Keys: Send + Sync {
    /// The audio inside an encrypted file; `None` where there is no key to read with.
    ///
    /// # Errors
    /// If the file is damaged, or none of the keys opens it.
    fn play(&self, file: Box<dyn Sound>) -> std::io::Result<Option<Box<dyn Sound>>>;
}

/// A place far away, in which recordings lie under the names that they had here.
pub trait Afar: Send + Sync {
    /// The file that has this path below the root.
    ///
    /// # Errors
    /// `NotFound` if it is not there; any other if that is not known.
    fn open(&self, path: &str) -> std::io::Result<Box<dyn Sound>>;
}

/// Who was given which recording last, and when.
pub(crate) type Hearings = BTreeMap<(String, CallId, u16), WallTime>;

/// A recording that can be sent.
struct Opened {
    sound: Box<dyn Sound>,
    length: u64,
    kind: &'static str,
    tag: String,
}

pub(crate) async fn one(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    Path((id, segment)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let call = call_id(&id)?;
    let nothing = || Problem::not_found(format!("there is no recording {segment:?} of {call}"));
    let number: u16 = segment.parse().map_err(|_| nothing())?;
    let row = {
        let mut reader = app.reader().await?;
        let rows = reader.journal.call(call).await?.ok_or_else(nothing)?;
        let mut rows = rows.recordings.into_iter();
        rows.find(|row| row.segment == i64::from(number))
    };
    let opened = open(&app, row.ok_or_else(nothing)?, (call, number)).await?;
    let mut about = about(&opened);
    let (length, known) = (opened.length, headers.get(header::IF_NONE_MATCH));
    if known.is_some() && known == about.get(header::ETAG) && length > 0 {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let (status, from, count) = match range(&headers, &about, length) {
        Range::Whole => (StatusCode::OK, 0, length),
        Range::Part { from, count } => {
            let told = format!("bytes {from}-{}/{length}", from + count - 1);
            if let Ok(told) = HeaderValue::from_str(&told) {
                about.insert(header::CONTENT_RANGE, told);
            }
            (StatusCode::PARTIAL_CONTENT, from, count)
        }
        Range::Beyond => {
            if let Ok(told) = HeaderValue::from_str(&format!("bytes */{length}")) {
                about.insert(header::CONTENT_RANGE, told);
            }
            about.remove(header::CONTENT_TYPE);
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                format!("the recording has {length} octets"),
            );
            return Ok((about, problem).into_response());
        }
    };
    about.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    if method == Method::HEAD {
        return Ok((status, about).into_response());
    }
    write_down(&app, token.name, (call, number)).await?;
    Ok((status, about, body(opened.sound, from, count)).into_response())
}

/// The headers of every answer.
fn about(opened: &Opened) -> HeaderMap {
    let mut about = HeaderMap::new();
    if let Ok(tag) = HeaderValue::from_str(&opened.tag) {
        about.insert(header::ETAG, tag);
    }
    about.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    about.insert(header::CONTENT_TYPE, HeaderValue::from_static(opened.kind));
    // Personal data: in no shared cache.
    about.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    about
}

/// The audio of a recording; the encrypted file as it lies where there is no key.
async fn open(
    app: &App,
    row: RecordingRow,
    (call, number): (CallId, u16),
) -> Result<Opened, Problem> {
    let Some(path) = row.path else {
        let reason = row.missing.unwrap_or_default();
        let why = format!("segment {number} of {call} was not recorded: {reason}");
        return Err(Problem::not_found(why));
    };
    let gone = || Problem::new(StatusCode::GONE, "the recording is not kept any more");
    let file = within(&app.console.recordings, &path).ok_or_else(gone)?;
    let sha256 = row.sha256.unwrap_or_default();
    let console = std::sync::Arc::clone(&app.console);
    let opened = tokio::task::spawn_blocking(move || -> std::io::Result<Opened> {
        let raw = || -> std::io::Result<Box<dyn Sound>> {
            match (std::fs::File::open(&file), &console.afar) {
                (Err(error), Some(afar)) if error.kind() == std::io::ErrorKind::NotFound => {
                    afar.open(&path)
                }
                (opened, _) => Ok(Box::new(opened?)),
            }
        };
        let inner = path.strip_suffix(".age");
        let played = match inner {
            Some(_) => console.keys.play(raw()?)?,
            None => None,
        };
        let (mut sound, kind, tag) = match (played, inner) {
            (Some(sound), Some(inner)) => (sound, kind(inner), format!("\"{sha256}.audio\"")),
            (_, _) => (raw()?, kind(&path), format!("\"{sha256}\"")),
        };
        let length = sound.seek(SeekFrom::End(0))?;
        Ok(Opened {
            sound,
            length,
            kind,
            tag,
        })
    });
    match opened.await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Err(gone()),
        Ok(Err(error)) if is_away(&error) => {
            tracing::error!(%error, %call, number, "a recording cannot be fetched");
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the recording lies in a bucket that cannot be asked now; the log says why",
            ))
        }
        Ok(Err(error)) => {
            tracing::error!(%error, %call, number, "a recording cannot be read");
            Err(Problem::new(
                StatusCode::GONE,
                "the recording cannot be read; the log says why",
            ))
        }
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the engine is about to stop",
        )),
    }
}

/// Whether it is the way to a recording that fails, and not the recording.
fn is_away(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused)
}

/// Writes down who hears what. Without that nobody hears it.
async fn write_down(app: &App, by: String, (call, segment): (CallId, u16)) -> Result<(), Problem> {
    let now = app.console.live.now();
    let which = (by.clone(), call, segment);
    let last = hearings(app).get(&which).copied();
    let again = last.is_some_and(|last| {
        (0..ONE_HEARING_MS).contains(&(now.as_unix_millis() - last.as_unix_millis()))
    });
    if again {
        return Ok(());
    }
    let wish = Wish::Hear { call, segment, by };
    app.console.desk.carry_out(wish).await?;
    let mut hearings = hearings(app);
    if hearings.len() >= HEARINGS_MAX {
        hearings.clear();
    }
    hearings.insert(which, now);
    Ok(())
}

fn hearings(app: &App) -> std::sync::MutexGuard<'_, Hearings> {
    let hearings = app.hearings.lock();
    hearings.unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A part of a sound in pieces, so that a long recording takes no memory.
fn body(sound: Box<dyn Sound>, from: u64, count: u64) -> Body {
    let begin = (sound, Some(from), count);
    let pieces = futures_util::stream::unfold(begin, |(sound, from, left)| async move {
        if left == 0 {
            return None;
        }
        let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let read = tokio::task::spawn_blocking(move || piece(sound, from, size));
        match read.await {
            Ok(Ok((piece, sound))) if !piece.is_empty() => {
                let left = left.saturating_sub(piece.len() as u64);
                Some((Ok(piece), (sound, None, left)))
            }
            // Shorter than it was: the client sees that the answer was cut off.
            Ok(Ok(_)) | Err(_) => None,
            Ok(Err(error)) => {
                let nothing: Box<dyn Sound> = Box::new(std::io::empty());
                Some((Err(error), (nothing, None, 0)))
            }
        }
    });
    Body::from_stream(pieces)
}

fn piece(
    mut sound: Box<dyn Sound>,
    from: Option<u64>,
    size: usize,
) -> std::io::Result<(Vec<u8>, Box<dyn Sound>)> {
    if let Some(from) = from {
        sound.seek(SeekFrom::Start(from))?;
    }
    let mut piece = vec![0; size];
    let read = sound.read(&mut piece)?;
    piece.truncate(read);
    Ok((piece, sound))
}

/// The file of a path below the root; `None` if the path leads out of it.
fn within(root: &FsPath, path: &str) -> Option<PathBuf> {
    let path = FsPath::new(path);
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| root.join(path))
}

/// What a file is, by its name.
fn kind(path: &str) -> &'static str {
    if path.ends_with(".age") {
        "application/octet-stream"
    } else if path.ends_with(".opus") || path.ends_with(".ogg") {
        "audio/ogg"
    } else {
        "audio/wav"
    }
}

/// What of the file is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part { from: u64, count: u64 },
    Beyond,
}

/// RFC 9110 section 14.2: one range of octets; several, or what is none, is answered with the whole.
/// A range of another version (If-Range) is, too.
fn range(headers: &HeaderMap, about: &HeaderMap, length: u64) -> Range {
    let wanted = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let same = headers
        .get(header::IF_RANGE)
        .is_none_or(|tag| Some(tag) == about.get(header::ETAG));
    match wanted.filter(|_| same) {
        Some(wanted) => part(wanted, length),
        None => Range::Whole,
    }
}

fn part(wanted: &str, length: u64) -> Range {
    let Some((first, last)) = wanted
        .trim()
        .strip_prefix("bytes=")
        .and_then(|one| one.split_once('-'))
    else {
        return Range::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last && first < length => Range::Part {
            from: first,
            count: last.min(length - 1) - first + 1,
        },
        (Ok(first), Ok(last)) if first <= last => Range::Beyond,
        (Ok(first), Err(_)) if last.is_empty() && first < length => Range::Part {
            from: first,
            count: length - first,
        },
        (Ok(_), Err(_)) if last.is_empty() => Range::Beyond,
        (Err(_), Ok(0)) if first.is_empty() => Range::Beyond,
        (Err(_), Ok(last)) if first.is_empty() && length > 0 => {
            let count = last.min(length);
            Range::Part {
                from: length - count,
                count,
            }
        }
        (Err(_), Ok(_)) if first.is_empty() => Range::Beyond,
        (_, _) => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        let some = |from, count| Range::Part { from, count };
        for (wanted, expected) in [
            ("bytes=0-499", some(0, 500)),
            ("bytes=500-", some(500, 500)),
            ("bytes=-100", some(900, 100)),
            ("bytes=-5000", some(0, 1_000)),
            ("bytes=999-5000", some(999, 1)),
            ("bytes=1000-", Range::Beyond),
            ("bytes=1000-2000", Range::Beyond),
            ("bytes=-0", Range::Beyond),
            ("bytes=5-4", Range::Whole),
            ("bytes=0-1,5-6", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("octets=0-1", Range::Whole),
        ] {
            assert_eq!(part(wanted, 1_000), expected, "{wanted}");
        }
        assert_eq!(part("bytes=0-", 0), Range::Beyond);
        assert_eq!(part("bytes=-1", 0), Range::Beyond);
    }

    #[test]
    fn no_path_leads_out_of_the_root() {
        let root = FsPath::new("recordings");
        for path in ["../secret", "a/../../b", "/etc/passwd", "./a"] {
            assert_eq!(within(root, path), None, "{path}");
        }
        assert_eq!(
            within(root, "2026/11/a.wav"),
            Some("recordings/2026/11/a.wav".into())
        );
    }
}
