//! Owns the sessions of people: signing in with login and password, who is signed in, signing out. Each of
//! it is a fact of the journal.
//!
//! The browser has 256 random bits in a cookie that scripts cannot read and other sites cannot send; the
//! database has their hash. What a session may not do by the cookie alone is write: a write names the
//! session's CSRF token, which only a page of this origin can have read.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use journal::desk::Wish;
use journal::sessions::{self, Found};
use serde::Deserialize;
use serde_json::json;
use vocab::SessionChange;

use crate::app::App;
use crate::entries::as_json;
use crate::operation::Right;
use crate::password;
use crate::problem::Problem;
use crate::token::{Token, hash, hex};
use crate::write::read;

/// Name of the cookie.
const COOKIE: &str = "hotline_session";

/// The header in which a write by cookie names its token.
pub(crate) const CSRF: &str = "x-csrf-token";

/// Longest login, in characters.
const LOGIN_MAX: usize = 128;

/// How often the use of a session is written down at most.
const SEEN_EVERY_MS: i64 = 60_000;

/// How sessions are kept.
#[derive(Debug, Clone, Copy)]
pub struct SessionRules {
    /// One that is not used for so long is over.
    pub idle: Duration,
    /// One that is so old is over.
    pub longest: Duration,
    /// The cookie goes over TLS alone, also where no proxy says that it was used.
    pub secure: bool,
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Hash of the secret, by which the database knows it.
    hash: String,
    csrf: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    login: String,
    password: String,
}

/// Finds the session of a request; none if it has no cookie, or that of one which is over.
pub(crate) async fn find(
    app: &App,
    headers: &HeaderMap,
) -> Result<Option<(Token, Session)>, Problem> {
    let Some(secret) = cookie(headers) else {
        return Ok(None);
    };
    let hash = hash(secret);
    let database = &app.console.database;
    let _place = app.place().await?;
    let Some(found) = sessions::find(database, &hash).await? else {
        return Ok(None);
    };
    let now = app.console.live.now();
    if is_over(&found, now.as_unix_millis(), &app.console.sessions) {
        // It goes with the next sign-in, if not now.
        if let Err(error) = sessions::end(database, &hash).await {
            tracing::debug!(%error, "a session that is over stays a while");
        }
        return Ok(None);
    }
    if now.as_unix_millis().saturating_sub(found.seen_at) >= SEEN_EVERY_MS
        && let Err(error) = sessions::seen(database, &hash, now).await
    {
        tracing::debug!(%error, "the use of a session was not written down");
    }
    let csrf = csrf(secret);
    Ok(Some((token(&found), Session { hash, csrf })))
}

fn token(found: &Found) -> Token {
    Token {
        name: found.login.clone(),
        rights: rights(&found.rights).collect(),
    }
}

/// The rights of an account; a name that there is not gives none.
fn rights(names: &str) -> impl Iterator<Item = Right> {
    names.split(',').filter_map(Right::named)
}

fn is_over(found: &Found, now: i64, rules: &SessionRules) -> bool {
    let older = |since: i64, than: Duration| {
        let age = now.saturating_sub(since);
        u128::try_from(age).is_ok_and(|age| age >= than.as_millis())
    };
    older(found.seen_at, rules.idle) || older(found.began_at, rules.longest)
}

/// Judges that a write comes from a page of ours.
pub(crate) fn judge_write(session: &Session, headers: &HeaderMap) -> Result<(), Problem> {
    let named = headers.get(CSRF).map(HeaderValue::as_bytes);
    if named == Some(session.csrf.as_bytes()) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "a write by cookie needs the header X-CSRF-Token with the `csrf` of GET /api/v1/session",
    ))
}

/// The secret of the cookie, if there is one.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let named = pairs.filter_map(|pair| pair.trim().split_once('='));
    let mut ours = named.filter(|(name, _)| *name == COOKIE);
    ours.next().map(|(_, secret)| secret)
}

/// What a page must name to write: it follows from the secret, and does not lead back to it.
fn csrf(secret: &str) -> String {
    hash(&format!("csrf {secret}"))
}

/// `POST /api/v1/session`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let SignIn { login, password } = read(&headers, &body)?;
    let fits = !login.trim().is_empty()
        && login.chars().count() <= LOGIN_MAX
        && !login.chars().any(char::is_control)
        && password.len() <= *password::LENGTH.end();
    if !fits {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("expected a login of 1 to {LOGIN_MAX} characters and a password"),
        ));
    }
    let from = peer.map(|Extension(ConnectInfo(peer))| peer.ip().to_string());
    let from = from.unwrap_or_default();
    let now = app.console.live.now();
    let locked = app.guesses().locked_for(&login, now.as_unix_millis());
    if let Some(left) = locked {
        return Ok(locked_out(left));
    }
    let database = &app.console.database;
    let account = {
        let _place = app.place().await?;
        sessions::account(database, &login).await?
    };
    if !judged(
        &app,
        account.as_ref().map(|one| one.password.clone()),
        password,
    )
    .await?
    {
        let locks = app.guesses().failed(&login, now.as_unix_millis());
        let change = if locks {
            SessionChange::LockedOut
        } else {
            SessionChange::Refused
        };
        note(&app, login, change, from).await?;
        return Err(wrong());
    }
    let Some(account) = account else {
        return Err(wrong());
    };
    app.guesses().forget(&login);
    note(&app, account.login.clone(), SessionChange::Began, from).await?;
    let octets = (app.console.random)().map_err(|error| {
        tracing::error!(%error, "the kernel gives no random numbers");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try again later")
    })?;
    let secret = hex(&octets);
    let oldest = now
        .as_unix_millis()
        .saturating_sub(ms(app.console.sessions.longest));
    sessions::begin(database, &hash(&secret), &account.login, (now, oldest)).await?;
    let body = json!({
        "name": account.login,
        "rights": rights(&account.rights).map(Right::name).collect::<Vec<_>>(),
        "csrf": csrf(&secret),
    });
    let mut response = as_json(&body);
    let longest = app.console.sessions.longest.as_secs();
    set_cookie(
        &app,
        &headers,
        &mut response,
        &format!("{secret}; Max-Age={longest}"),
    );
    Ok(response)
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The same for a login that there is and for one that there is not.
fn wrong() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "the login or the password is wrong",
    )
}

fn locked_out(left_ms: i64) -> Response {
    let seconds = left_ms.saturating_add(999) / 1_000;
    let problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        format!("too many wrong guesses; the next is judged in {seconds} s"),
    );
    let wait = [(header::RETRY_AFTER, HeaderValue::from(seconds))];
    (wait, problem).into_response()
}

/// Compares a password, one at a time: a guess takes 32 MiB, and no core of the media's for long. Who
/// finds too many waiting is sent away.
async fn judged(app: &App, kept: Option<String>, password: String) -> Result<bool, Problem> {
    let busy = || {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many people sign in at once; try again in a moment",
        )
    };
    let _place = app.sign_ins.try_acquire().map_err(|_| busy())?;
    let _turn = app.guess_turn.acquire().await.map_err(|_| busy())?;
    let kept = kept.unwrap_or_else(password::nobodys);
    let compared = tokio::task::spawn_blocking(move || password::is_it(&password, &kept));
    compared.await.map_err(|_| busy())
}

async fn note(
    app: &App,
    login: String,
    change: SessionChange,
    from: String,
) -> Result<(), Problem> {
    let wish = Wish::Session {
        login,
        change,
        from,
    };
    app.console.desk.carry_out(wish).await?;
    Ok(())
}

/// `GET /api/v1/session`.
pub(crate) async fn who(
    Extension(token): Extension<Token>,
    session: Option<Extension<Session>>,
) -> Response {
    let rights: Vec<&str> = token.rights.iter().map(|right| right.name()).collect();
    let csrf = session.map(|Extension(session)| session.csrf);
    as_json(&json!({ "name": token.name, "rights": rights, "csrf": csrf }))
}

/// `DELETE /api/v1/session`.
pub(crate) async fn sign_out(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    session: Option<Extension<Session>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(Extension(session)) = session else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "a token has no session; `hotline token remove` takes it away",
        ));
    };
    sessions::end(&app.console.database, &session.hash).await?;
    note(&app, token.name, SessionChange::Ended, String::new()).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &headers, &mut response, "; Max-Age=0");
    Ok(response)
}

/// `Secure` where the settings say so, or a proxy that it was reached by TLS.
fn set_cookie(app: &App, headers: &HeaderMap, response: &mut Response, value: &str) {
    let proxied = headers.get(HeaderName::from_static("x-forwarded-proto"));
    let by_tls = proxied.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"));
    let secure = if app.console.sessions.secure || by_tls {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    let private = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, private);
}
