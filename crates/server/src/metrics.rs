//! What is counted while the server runs, and who may read it. Labels come from the program
//! (route patterns, statuses, names of jobs) or are bounded in number, so that nobody outside can
//! make the page grow.

mod page;
mod state;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rustc_hash::FxHashMap;
use subtle::ConstantTimeEq;

use self::page::{Kind, Page};
use crate::app::App;
use crate::codes::Code;
use crate::http::blocking;
use crate::http::error::ApiError;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/metrics", get(show))
}

/// Upper ends of the latency buckets, in seconds.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Everything that is counted.
pub(crate) struct Metrics {
    routes: Mutex<FxHashMap<String, FxHashMap<&'static str, Series>>>,
    pub(crate) connections: Arc<Gauge>,
    pub(crate) in_flight: Arc<Gauge>,
    pub(crate) maintenance: Counter,
    pub(crate) collected_objects: Counter,
    pub(crate) collected_bytes: Counter,
    pub(crate) purged_jobs: Counter,
}

/// The requests of one method of one route.
#[derive(Default)]
struct Series {
    statuses: FxHashMap<u16, u64>,
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

/// A number that goes up.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn value(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

/// How many are inside.
#[derive(Default)]
pub(crate) struct Gauge(AtomicU64);

/// Somebody inside, until it is dropped.
pub(crate) struct Inside(Arc<Gauge>);

impl Gauge {
    pub(crate) fn enter(self: &Arc<Self>) -> Inside {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(self))
    }

    fn value(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            routes: Mutex::default(),
            connections: Arc::default(),
            in_flight: Arc::default(),
            maintenance: Counter::default(),
            collected_objects: Counter::default(),
            collected_bytes: Counter::default(),
            purged_jobs: Counter::default(),
        }
    }

    /// Notes an answered request. `route` is a pattern of the router.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), FxHashMap::default());
        }
        let Some(methods) = routes.get_mut(route) else { return };
        let series = methods.entry(method_label(method)).or_default();
        *series.statuses.entry(status).or_default() += 1;
        series.count += 1;
        series.seconds += seconds;
        if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
            series.buckets[bucket] += 1;
        }
    }

    fn write(&self, page: &mut Page) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let all = || {
            let mut all: Vec<(&str, &str, &Series)> = Vec::new();
            for (route, methods) in routes.iter() {
                all.extend(methods.iter().map(|(method, series)| (route.as_str(), *method, series)));
            }
            all.sort_by_key(|(route, method, _)| (*route, *method));
            all
        };
        page.family("gestalt_http_requests_total", Kind::Counter, "Requests answered.");
        for (route, method, series) in all() {
            let mut statuses: Vec<_> = series.statuses.iter().collect();
            statuses.sort();
            for (status, count) in statuses {
                let labels = [("method", method), ("route", route), ("status", &status.to_string())];
                page.sample("", &labels, *count as f64);
            }
        }
        page.family(
            "gestalt_http_request_seconds",
            Kind::Histogram,
            "From a request's head to its answer's.",
        );
        for (route, method, series) in all() {
            let mut below = 0;
            for (end, count) in BUCKETS.iter().zip(series.buckets) {
                below += count;
                let labels = [("method", method), ("route", route), ("le", &end.to_string())];
                page.sample("_bucket", &labels, below as f64);
            }
            let labels = [("method", method), ("route", route), ("le", "+Inf")];
            page.sample("_bucket", &labels, series.count as f64);
            page.sample("_sum", &labels[..2], series.seconds);
            page.sample("_count", &labels[..2], series.count as f64);
        }
        drop(routes);
        page.gauge("gestalt_http_connections", "Open connections.", self.connections.value());
        page.gauge("gestalt_http_requests_in_flight", "Requests being answered.", self.in_flight.value());
        page.counter(
            "gestalt_store_maintenance_total",
            "Folds and compactions done.",
            self.maintenance.value(),
        );
        page.counter("gestalt_garbage_objects_total", "Objects collected.", self.collected_objects.value());
        page.counter("gestalt_garbage_bytes_total", "Bytes collected.", self.collected_bytes.value());
        page.counter(
            "gestalt_jobs_purged_total",
            "Ended jobs that were forgotten.",
            self.purged_jobs.value(),
        );
    }
}

/// Methods that clients make up count as one.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

async fn show(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer);
    if !may_read(app.config().metrics_token.as_deref(), peer, &headers) {
        return Err(ApiError::about(Code::Unauthenticated, ": /metrics needs the metrics token"));
    }
    let text = blocking(move || {
        let mut page = Page::default();
        app.metrics().write(&mut page);
        state::write(&app, &mut page)?;
        Ok(page.into_text())
    });
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((StatusCode::OK, kind, text.await?).into_response())
}

/// With a token set, whoever brings it; without one, this machine. What a proxy passes on comes
/// from elsewhere, although the proxy stands here.
fn may_read(token: Option<&str>, peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let Some(token) = token else {
        let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        let is_direct = !passed_on.iter().any(|name| headers.contains_key(*name));
        return is_direct && peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    };
    let brought = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let brought = brought.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    brought.as_bytes().ct_eq(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn this_machine_reads_without_a_token_and_others_with_it() {
        let local: SocketAddr = "127.0.0.1:5".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:127.0.0.1]:5".parse().unwrap();
        let other: SocketAddr = "192.0.2.1:5".parse().unwrap();
        let plain = HeaderMap::new();
        assert!(may_read(None, Some(local), &plain) && may_read(None, Some(mapped), &plain));
        assert!(!may_read(None, Some(other), &plain) && !may_read(None, None, &plain));
        let mut passed_on = HeaderMap::new();
        passed_on.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        assert!(!may_read(None, Some(local), &passed_on));
        let bearing = |token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            headers
        };
        assert!(may_read(Some("secret"), Some(other), &bearing("secret")));
        for (peer, headers) in [(other, bearing("secre")), (other, bearing("")), (local, plain)] {
            assert!(!may_read(Some("secret"), Some(peer), &headers));
        }
    }

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = Metrics::new();
        for (method, status, milliseconds) in
            [("GET", 200, 1), ("GET", 200, 3), ("GET", 404, 40_000), ("FROB", 404, 1)]
        {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            metrics.answered(&method, "/v2/{project}", status, Duration::from_millis(milliseconds));
        }
        let mut page = Page::default();
        metrics.write(&mut page);
        let text = page.into_text();
        for line in [
            r#"gestalt_http_requests_total{method="GET",route="/v2/{project}",status="200"} 2"#,
            r#"gestalt_http_requests_total{method="GET",route="/v2/{project}",status="404"} 1"#,
            r#"gestalt_http_requests_total{method="other",route="/v2/{project}",status="404"} 1"#,
            r#"gestalt_http_request_seconds_bucket{method="GET",route="/v2/{project}",le="0.001"} 1"#,
            r#"gestalt_http_request_seconds_bucket{method="GET",route="/v2/{project}",le="0.005"} 2"#,
            r#"gestalt_http_request_seconds_bucket{method="GET",route="/v2/{project}",le="30"} 2"#,
            r#"gestalt_http_request_seconds_bucket{method="GET",route="/v2/{project}",le="+Inf"} 3"#,
            r#"gestalt_http_request_seconds_count{method="GET",route="/v2/{project}"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
