//! How much is asked of the server at a time, and how often by one and the same.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::error::ApiError;
use crate::app::App;
use crate::codes::Code;
use crate::config::Config;
use crate::times::Time;

/// How many askers are told apart; beyond that the quiet ones are forgotten.
const ASKERS: usize = 65_536;
/// Seconds of the rate that may be used up at once after a pause.
const BURST_SECONDS: i64 = 2;

/// The limits in force.
pub(crate) struct Limits {
    places: Arc<Semaphore>,
    rate: Option<Rate>,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        let places = Arc::new(Semaphore::new(config.max_in_flight.min(Semaphore::MAX_PERMITS)));
        Self { places, rate: config.rate_limit.map(Rate::new) }
    }
}

/// Refuses what is too much before anything is done for it. Probes and metrics always pass: they
/// are asked for most when there is too much.
pub(crate) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if matches!(path, "/healthz" | "/readyz" | "/metrics") {
        return next.run(request).await;
    }
    let limits = app.limits();
    if let Some(rate) = &limits.rate
        && let Err(seconds) = rate.ask(Asker::of(&request), app.now())
    {
        return later(ApiError::new(Code::TooManyRequests), seconds);
    }
    match Arc::clone(&limits.places).try_acquire_owned() {
        Ok(_place) => next.run(request).await,
        Err(_) => later(ApiError::new(Code::Overloaded), 1),
    }
}

fn later(error: ApiError, seconds: i64) -> Response {
    let mut response = error.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// A token, an access key or an address, as a hash: nothing secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Asker([u8; 16]);

impl Asker {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        if let Some(token) = headers.get("x-auth-token") {
            return Self::hash(b't', token.as_bytes());
        }
        if let Some(key) = access_key(headers) {
            return Self::hash(b'k', key.as_bytes());
        }
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self::hash(b'a', peer.map(|peer| peer.0.ip().to_string()).unwrap_or_default().as_bytes())
    }

    fn hash(sort: u8, name: &[u8]) -> Self {
        let digest = Sha256::new().chain_update([sort]).chain_update(name).finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Self(short)
    }
}

fn access_key(headers: &HeaderMap) -> Option<&str> {
    let signed = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    signed.split("Access=").nth(1)?.split(',').next()
}

/// So many a second for each, evenly; after a pause a burst.
struct Rate {
    /// Microseconds between two requests.
    interval: i64,
    burst: i64,
    paid: Mutex<Paid>,
}

#[derive(Default)]
struct Paid {
    /// When each has paid for all its requests.
    until: FxHashMap<Asker, i64>,
    /// When the quiet ones were last forgotten.
    forgot: i64,
}

impl Paid {
    /// Makes room, at most once a second.
    fn has_room_for(&mut self, asker: &Asker, now: Time) -> bool {
        let is_full = |paid: &Self| paid.until.len() >= ASKERS && !paid.until.contains_key(asker);
        if is_full(self) && now.0 - self.forgot >= 1_000_000 {
            self.until.retain(|_, until| *until > now.0);
            self.forgot = now.0;
        }
        !is_full(self)
    }
}

impl Rate {
    fn new(per_second: NonZeroU32) -> Self {
        let interval = (1_000_000 / i64::from(per_second.get())).max(1);
        Self { interval, burst: BURST_SECONDS * 1_000_000, paid: Mutex::default() }
    }

    /// Seconds to wait, if it is too often.
    fn ask(&self, asker: Asker, now: Time) -> Result<(), i64> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if !paid.has_room_for(&asker, now) {
            // All of them are busy: an attack or a large cluster, and the number of places
            // protects from either.
            return Ok(());
        }
        let until = paid.until.entry(asker).or_insert(0);
        let next = (*until).max(now.0) + self.interval;
        let ahead = next - now.0;
        if ahead > self.burst.max(self.interval) {
            return Err((ahead - self.burst).div_euclid(1_000_000) + 1);
        }
        *until = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32) -> Rate {
        Rate::new(NonZeroU32::new(per_second).unwrap())
    }

    fn asked(rate: &Rate, name: &str, now: i64, times: usize) -> usize {
        let asker = Asker::hash(b't', name.as_bytes());
        (0..times).filter(|_| rate.ask(asker, Time(now)).is_ok()).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let rate = rate(10);
        assert_eq!(asked(&rate, "one", 0, 100), 20);
        assert_eq!(asked(&rate, "other", 0, 5), 5, "each for itself");
        assert_eq!(asked(&rate, "one", 1_000_000, 100), 10);
        assert_eq!(asked(&rate, "one", 100_000_000, 100), 20);
        assert_eq!(rate.ask(Asker::hash(b't', b"one"), Time(100_000_000)), Err(1));
    }

    #[test]
    fn one_in_two_seconds_is_possible_too() {
        let rate = Rate { interval: 5_000_000, burst: 0, paid: Mutex::default() };
        assert_eq!(asked(&rate, "one", 0, 3), 1);
        assert_eq!(asked(&rate, "one", 4_000_000, 1), 0);
        assert_eq!(asked(&rate, "one", 5_000_000, 1), 1);
    }

    #[test]
    fn the_quiet_are_forgotten_before_there_are_too_many() {
        let rate = rate(10);
        for number in 0..ASKERS {
            assert_eq!(asked(&rate, &number.to_string(), 0, 1), 1);
        }
        assert_eq!(asked(&rate, "new", 10_000_000, 1), 1);
        assert_eq!(rate.paid.lock().unwrap().until.len(), 1);
    }

    #[test]
    fn tokens_keys_and_addresses_are_told_apart() {
        assert_ne!(Asker::hash(b't', b"x"), Asker::hash(b'k', b"x"));
        let mut headers = HeaderMap::new();
        let signed = "SDK-HMAC-SHA256 Access=KEY, SignedHeaders=host, Signature=abc";
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(signed));
        assert_eq!(access_key(&headers), Some("KEY"));
    }
}
