//! Owns what each request does.

use std::collections::BTreeMap;
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::http::{self, Head, Reply};
use crate::sign::{self, hex};
use crate::{Fault, Shared, State, Upload};

/// None: the connection is cut.
pub(crate) fn answer(head: &Head, reader: &mut impl Read, shared: &Shared) -> Option<Reply> {
    let name = head.path.strip_prefix('/')?;
    let (bucket, name) = name.split_once('/').unwrap_or((name, ""));
    let part: Option<u32> = head.asked("partNumber").and_then(|part| part.parse().ok());
    {
        let mut state = shared.state();
        let request = format!("{} {name} {}", head.method, head.query);
        state.requests.push(request.trim_end().to_owned());
        if part.is_some_and(|part| state.fails(Fault::CutPart(part))) {
            drop(state);
            drop(http::body(reader, head.length() / 2));
            return None;
        }
    }
    let body = http::body(reader, head.length()).ok()?;
    let mut state = shared.state();
    if state.fails(Fault::Unavailable)
        || (head.method == "DELETE" && state.fails(Fault::Undeletable))
    {
        return Some(error(503, "SlowDown"));
    }
    if let Some(code) = sign::fault(head, &body, &shared.access_key, &shared.secret) {
        return Some(error(403, code));
    }
    if bucket != shared.bucket {
        return Some(error(404, "NoSuchBucket"));
    }
    let upload = head.asked("uploadId").map(str::to_owned);
    match (head.method.as_str(), upload) {
        ("PUT", Some(upload)) => Some(put_part(&mut state, &upload, part?, body)),
        ("PUT", None) => {
            let tag = tag(&body);
            let body = flipped(&mut state, body);
            state.objects.insert(name.to_owned(), body);
            Some(tagged(200, tag))
        }
        ("POST", Some(upload)) => complete(&mut state, &upload, &body),
        ("POST", None) => Some(begin(&mut state, name)),
        ("GET", Some(upload)) => Some(list_parts(&state, &upload)),
        ("GET" | "HEAD", None) => Some(get(&state, name, head.header("range"), head)),
        ("DELETE", Some(upload)) => Some(match state.uploads.remove(&upload) {
            Some(_) => status(204),
            None => error(404, "NoSuchUpload"),
        }),
        ("DELETE", None) => {
            state.objects.remove(name);
            Some(status(204))
        }
        _ => Some(error(405, "MethodNotAllowed")),
    }
}

fn status(status: u16) -> Reply {
    Reply {
        status,
        ..Reply::default()
    }
}

fn text(status: u16, text: &str) -> Reply {
    Reply {
        status,
        headers: vec![("Content-Type", "application/xml".to_owned())],
        body: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{text}").into_bytes(),
    }
}

fn error(status: u16, code: &str) -> Reply {
    let said = format!("<Error><Code>{code}</Code><Message>by order</Message></Error>");
    text(status, &said)
}

fn tag(octets: &[u8]) -> String {
    let digest = hex(&Sha256::digest(octets));
    format!("\"{}\"", digest.get(..32).unwrap_or_default())
}

fn tagged(status: u16, tag: String) -> Reply {
    Reply {
        status,
        headers: vec![("ETag", tag)],
        ..Reply::default()
    }
}

fn flipped(state: &mut State, mut octets: Vec<u8>) -> Vec<u8> {
    let middle = octets.len() / 2;
    if let Some(octet) = octets.get_mut(middle)
        && state.fails(Fault::Flip)
    {
        *octet ^= 1;
    }
    octets
}

fn begin(state: &mut State, name: &str) -> Reply {
    state.begun += 1;
    let upload = format!("upload{}", state.begun);
    let begun = Upload {
        name: name.to_owned(),
        parts: BTreeMap::new(),
    };
    state.uploads.insert(upload.clone(), begun);
    text(
        200,
        &format!(
            "<InitiateMultipartUploadResult><Key>{name}</Key><UploadId>{upload}</UploadId>\
             </InitiateMultipartUploadResult>"
        ),
    )
}

fn put_part(state: &mut State, upload: &str, number: u32, body: Vec<u8>) -> Reply {
    let tag = tag(&body);
    let body = flipped(state, body);
    let Some(upload) = state.uploads.get_mut(upload) else {
        return error(404, "NoSuchUpload");
    };
    upload.parts.insert(number, (tag.clone(), body));
    tagged(200, tag)
}

fn list_parts(state: &State, upload: &str) -> Reply {
    let Some(upload) = state.uploads.get(upload) else {
        return error(404, "NoSuchUpload");
    };
    let parts = upload.parts.iter().map(|(number, (tag, octets))| {
        let size = octets.len();
        format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><Size>{size}</Size></Part>"
        )
    });
    let parts: String = parts.collect();
    text(200, &format!("<ListPartsResult>{parts}</ListPartsResult>"))
}

/// The parts that are named, in their order, become the object.
fn complete(state: &mut State, upload: &str, body: &[u8]) -> Option<Reply> {
    let Some(begun) = state.uploads.get(upload) else {
        return Some(error(404, "NoSuchUpload"));
    };
    let said = String::from_utf8_lossy(body).into_owned();
    let mut octets = Vec::new();
    for part in said.split("<Part>").skip(1) {
        let of = |name: &str| {
            let value = part.split_once(&format!("<{name}>"))?.1;
            Some(value.split_once('<')?.0.replace("&quot;", "\""))
        };
        let number = of("PartNumber").and_then(|number| number.parse().ok());
        let found = number.and_then(|number: u32| begun.parts.get(&number));
        let Some((tag, part)) = found.filter(|(tag, _)| {
            of("ETag").is_some_and(|named| named.trim_matches('"') == tag.trim_matches('"'))
        }) else {
            return Some(error(400, "InvalidPart"));
        };
        let _ = tag;
        octets.extend_from_slice(part);
    }
    let name = begun.name.clone();
    let tag = tag(&octets);
    state.uploads.remove(upload);
    state.objects.insert(name.clone(), octets);
    if state.fails(Fault::Untold) {
        return None;
    }
    Some(text(
        200,
        &format!(
            "<CompleteMultipartUploadResult><Location>/{name}</Location><Key>{name}</Key>\
             <ETag>{tag}</ETag></CompleteMultipartUploadResult>"
        ),
    ))
}

fn get(state: &State, name: &str, range: &str, head: &Head) -> Reply {
    let Some(octets) = state.objects.get(name) else {
        return error(404, "NoSuchKey");
    };
    let tag = tag(octets);
    if !head.header("if-match").is_empty() && head.header("if-match") != tag {
        return error(412, "PreconditionFailed");
    }
    let mut reply = tagged(200, tag);
    let modified = "Sun, 22 Nov 2026 08:00:00 GMT".to_owned();
    reply.headers.push(("Last-Modified", modified));
    let wanted = range.strip_prefix("bytes=").and_then(|range| {
        let (from, to) = range.split_once('-')?;
        let to = to
            .parse()
            .unwrap_or(usize::MAX)
            .min(octets.len().checked_sub(1)?);
        Some((from.parse::<usize>().ok()?, to))
    });
    match wanted {
        Some((from, to)) if from <= to => {
            let told = format!("bytes {from}-{to}/{}", octets.len());
            reply.status = 206;
            reply.headers.push(("Content-Range", told));
            reply.body = octets.get(from..=to).unwrap_or_default().to_vec();
        }
        Some(_) => return error(416, "InvalidRange"),
        None => reply.body = octets.clone(),
    }
    reply
}
