//! What all handlers share: database, store, open graphs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use store::{Graph, Pool, Store};
use tokio::sync::Semaphore;

use crate::audit::Audit;
use crate::backups::links;
use crate::codes::Code;
use crate::config::Config;
use crate::db::Db;
use crate::http::error::ApiError;
use crate::http::limits::Limits;
use crate::identity::bootstrap::InstanceKey;
use crate::identity::keystone::Keystone;
use crate::identity::lockout::Lockouts;
use crate::identity::session::Sessions;
use crate::ids::{GraphId, ProjectId};
use crate::metrics::Metrics;
use crate::system::Ambient;
use crate::times::Time;
use crate::turns::Turns;

/// Imports and exports that run at the same time, and those of one project; more wait their turn.
const LONG_JOBS: (usize, usize) = (4, 2);
/// The same for all other jobs, which take moments.
const SHORT_JOBS: (usize, usize) = (16, 8);

/// Passwords that are checked at the same time; each check takes 19 MiB.
const PASSWORD_CHECKS: usize = 4;

/// The application. Clones are the same one.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

struct Shared {
    config: Config,
    ambient: Ambient,
    db: Db,
    store: Store,
    key: InstanceKey,
    audit: Audit,
    sessions: Sessions,
    lockouts: Lockouts,
    keystone: Option<Keystone>,
    password_checks: Arc<Semaphore>,
    url: OnceLock<String>,
    pools: Mutex<FxHashMap<ProjectId, Pool>>,
    open: Mutex<FxHashMap<GraphId, Graph>>,
    /// Flags by which running jobs are told to end early.
    cancels: Mutex<FxHashMap<GraphId, Arc<AtomicBool>>>,
    long_jobs: Turns,
    short_jobs: Turns,
    metrics: Metrics,
    limits: Limits,
    archives: Mutex<links::Held>,
    ready: AtomicBool,
    stopping: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    pub(crate) fn new(
        config: Config,
        ambient: Ambient,
        db: Db,
        store: Store,
        key: InstanceKey,
        audit: Audit,
    ) -> Self {
        let keystone = config.keystone.as_ref().map(Keystone::new);
        let limits = Limits::of(&config);
        Self(Arc::new(Shared {
            config,
            ambient,
            db,
            store,
            key,
            audit,
            sessions: Sessions::default(),
            lockouts: Lockouts::default(),
            keystone,
            password_checks: Arc::new(Semaphore::new(PASSWORD_CHECKS)),
            url: OnceLock::new(),
            pools: Mutex::default(),
            open: Mutex::default(),
            cancels: Mutex::default(),
            long_jobs: Turns::new(LONG_JOBS.0, LONG_JOBS.1),
            short_jobs: Turns::new(SHORT_JOBS.0, SHORT_JOBS.1),
            metrics: Metrics::new(),
            limits,
            archives: Mutex::default(),
            ready: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        }))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn ambient(&self) -> &Ambient {
        &self.0.ambient
    }

    pub(crate) fn now(&self) -> Time {
        self.0.ambient.now()
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn instance_key(&self) -> &InstanceKey {
        &self.0.key
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.0.audit
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn lockouts(&self) -> &Lockouts {
        &self.0.lockouts
    }

    /// The Keystone that knows the tokens, if it is not this server.
    pub(crate) fn keystone(&self) -> Option<&Keystone> {
        self.0.keystone.as_ref()
    }

    pub(crate) fn password_checks(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.password_checks)
    }

    pub(crate) fn token_seconds(&self) -> i64 {
        self.0.config.token_seconds
    }

    pub(crate) fn long_jobs(&self) -> &Turns {
        &self.0.long_jobs
    }

    pub(crate) fn short_jobs(&self) -> &Turns {
        &self.0.short_jobs
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Bytes of graph data in memory.
    pub(crate) fn cache_bytes(&self) -> usize {
        self.0.store.resident_bytes()
    }

    pub(crate) fn set_url(&self, url: String) {
        // Set once, when the listener is bound.
        let _ = self.0.url.set(url);
    }

    /// Backups that are being downloaded.
    pub(crate) fn archives(&self) -> MutexGuard<'_, links::Held> {
        lock(&self.0.archives)
    }

    /// Where the sender of these headers reaches this server.
    pub(crate) fn url_for(&self, headers: &HeaderMap) -> String {
        let own = self.0.url.get().map_or("", String::as_str);
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| host.parse::<Authority>().is_ok());
        match (host, own.split_once("://")) {
            (Some(host), Some((scheme, _))) => format!("{scheme}://{host}"),
            _ => own.into(),
        }
    }

    /// The folder of a project's buckets.
    pub(crate) fn buckets(&self, project: &ProjectId) -> PathBuf {
        self.0.config.data.join("obs").join(project.as_str())
    }

    /// The project's pool; one per process, as pools know which of their graphs are open.
    pub(crate) fn pool(&self, project: &ProjectId) -> Result<Pool, ApiError> {
        let mut pools = lock(&self.0.pools);
        if let Some(pool) = pools.get(project) {
            return Ok(pool.clone());
        }
        let pool = self.0.store.pool(project.as_str())?;
        pools.insert(project.clone(), pool.clone());
        Ok(pool)
    }

    pub(crate) fn pools(&self) -> Vec<Pool> {
        lock(&self.0.pools).values().cloned().collect()
    }

    /// An open graph.
    pub(crate) fn graph(&self, id: &GraphId) -> Result<Graph, ApiError> {
        lock(&self.0.open).get(id).cloned().ok_or_else(|| ApiError::new(Code::GraphNotRunning))
    }

    pub(crate) fn open_graphs(&self) -> Vec<(GraphId, Graph)> {
        lock(&self.0.open).iter().map(|(id, graph)| (id.clone(), graph.clone())).collect()
    }

    /// Makes an opened graph reachable.
    pub(crate) fn register(&self, id: &GraphId, graph: Graph) {
        lock(&self.0.open).insert(id.clone(), graph);
    }

    /// Closes a graph, if it is open.
    pub(crate) fn close(&self, id: &GraphId) -> Result<(), ApiError> {
        let graph = lock(&self.0.open).remove(id);
        graph.map_or(Ok(()), |graph| Ok(graph.close()?))
    }

    /// The flag that ends a graph's running job early.
    pub(crate) fn cancel_flag(&self, id: &GraphId) -> Arc<AtomicBool> {
        let fresh = || Arc::new(AtomicBool::new(false));
        Arc::clone(lock(&self.0.cancels).entry(id.clone()).or_insert_with(fresh))
    }

    /// Ends a graph's running job early; the next one gets a flag of its own.
    pub(crate) fn cancel(&self, id: &GraphId) {
        if let Some(flag) = lock(&self.0.cancels).remove(id) {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// Whether what an earlier process left is in order again.
    pub(crate) fn is_recovered(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_recovered() && !self.is_stopping()
    }

    pub(crate) fn set_ready(&self) {
        self.0.ready.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn set_stopping(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// The service catalog of a token.
    pub(crate) fn catalog(&self, project: Option<&ProjectId>) -> Value {
        let url = self.0.url.get().map_or("", String::as_str);
        let service = |name: &str, url: String| {
            let endpoint = json!({"id": name, "interface": "public", "region": "local-1", "region_id": "local-1", "url": url});
            json!({"id": name, "name": name, "type": name, "endpoints": [endpoint]})
        };
        let log_in_at = match &self.0.config.keystone {
            Some(keystone) => keystone.url.clone(),
            None => format!("{url}/v3"),
        };
        let identity = service("identity", log_in_at);
        match project {
            Some(project) => json!([identity, service("ges", format!("{url}/v2/{project}"))]),
            None => json!([identity]),
        }
    }
}
