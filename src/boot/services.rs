//! Owns the asking of web services for plans: one request, one reply, in a bounded time and size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switch::Input;

use crate::driver::{Fetch, Inbox};

/// Questions under way at once; more get no reply. At 11 calls a second with a question of half a
/// second each it is six.
const AT_ONCE: usize = 64;

/// What the driver calls to ask a web service; the reply comes as an input.
pub(super) fn fetcher(
    runtime: &tokio::runtime::Runtime,
    inbox: Inbox,
) -> Box<dyn Fn(Fetch) + Send> {
    let under_way = Arc::new(AtomicUsize::new(0));
    let runtime = runtime.handle().clone();
    Box::new(move |fetch| {
        let inbox = inbox.clone();
        let (call, question) = (fetch.call, fetch.question);
        let reply = move |reply| {
            inbox.input(Input::Fetched {
                call,
                question,
                reply,
            });
        };
        if under_way.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
            under_way.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(call = %fetch.call, "too many questions to web services at once");
            reply(None);
            return;
        }
        let under_way = Arc::clone(&under_way);
        runtime.spawn_blocking(move || {
            let answer = ask(&fetch);
            under_way.fetch_sub(1, Ordering::Relaxed);
            let answer = answer.map_err(|error| {
                // The URL has the caller's number in it.
                tracing::warn!(call = %fetch.call, %error, "a web service gave no good reply");
            });
            reply(answer.ok());
        });
    })
}

/// What we say we are.
const NAME: &str = concat!("hotline/", env!("CARGO_PKG_VERSION"));

/// The body of a reply that is 2xx; anything else is an error.
fn ask(fetch: &Fetch) -> Result<String, ureq::Error> {
    // A redirect could lead a request with a caller's number to anybody.
    let mut reply = match &fetch.body {
        Some(body) => ureq::post(&fetch.url)
            .config()
            .timeout_global(Some(fetch.timeout))
            .max_redirects(0)
            .user_agent(NAME)
            .build()
            .header("Content-Type", "application/json")
            .send(body)?,
        None => ureq::get(&fetch.url)
            .config()
            .timeout_global(Some(fetch.timeout))
            .max_redirects(0)
            .user_agent(NAME)
            .build()
            .call()?,
    };
    if !reply.status().is_success() {
        return Err(ureq::Error::StatusCode(reply.status().as_u16()));
    }
    let most = dialplan::limits::REPLY_BYTES;
    reply
        .body_mut()
        .with_config()
        .limit(u64::try_from(most).unwrap_or(u64::MAX))
        .read_to_string()
}
