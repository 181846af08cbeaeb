//! Owns the hearing of recordings: the file of a segment, whole or a range of it.

use std::io::SeekFrom;
use std::path::{Component, Path as FsPath, PathBuf};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::app::App;
use crate::problem::Problem;
use crate::query::call_id;

/// Octets read at a time.
const PIECE: usize = 64 * 1_024;

pub(crate) async fn one(
    State(app): State<App>,
    Path((id, segment)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let call = call_id(&id)?;
    let nothing = || Problem::not_found(format!("there is no recording {segment:?} of {call}"));
    let number: i64 = segment.parse().map_err(|_| nothing())?;
    let rows = {
        let mut reader = app.reader().await?;
        reader.journal.call(call).await?.ok_or_else(nothing)?
    };
    let row = rows
        .recordings
        .into_iter()
        .find(|row| row.segment == number);
    let row = row.ok_or_else(nothing)?;
    let Some(path) = row.path else {
        let reason = row.missing.unwrap_or_default();
        let why = format!("segment {number} of {call} was not recorded: {reason}");
        return Err(Problem::not_found(why));
    };
    let gone = || Problem::new(StatusCode::GONE, "the recording is not kept any more");
    let file = within(&app.console.recordings, &path).ok_or_else(gone)?;
    let mut file = tokio::fs::File::open(file).await.map_err(|_| gone())?;
    let length = file.metadata().await.map_err(|_| gone())?.len();
    let mut about = HeaderMap::new();
    let tag = format!("\"{}\"", row.sha256.unwrap_or_default());
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        about.insert(header::ETAG, tag);
    }
    about.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    about.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(&path)));
    // Personal data: in no shared cache.
    about.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if headers.get(header::IF_NONE_MATCH) == about.get(header::ETAG) && length > 0 {
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
    file.seek(SeekFrom::Start(from)).await.map_err(|_| gone())?;
    Ok((status, about, body(file, count)).into_response())
}

/// The file in pieces, so that a long recording takes no memory.
fn body(file: tokio::fs::File, count: u64) -> Body {
    let pieces = futures_util::stream::unfold((file, count), |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; size];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                let left = left.saturating_sub(read as u64);
                Some((Ok(piece), (file, left)))
            }
            Err(error) => Some((Err(error), (file, 0))),
        }
    });
    Body::from_stream(pieces)
}

/// The file of a path below the root; `None` if the path leads out of it.
fn within(root: &FsPath, path: &str) -> Option<PathBuf> {
    let path = FsPath::new(path);
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| root.join(path))
}

/// An encrypted recording goes out as it lies there: its key is not ours to use.
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
