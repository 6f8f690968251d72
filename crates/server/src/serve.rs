//! A server from its first file to its last.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::{Env, LocalDisk, Settings, Store};
use tokio::net::TcpListener;

use crate::app::App;
use crate::audit::{Audit, AuditError};
use crate::backups::schedule;
use crate::config::Config;
use crate::db::{Db, OpenError};
use crate::identity::bootstrap::{self, BootstrapError, InstanceKey};
use crate::listen::{self, Serving};
use crate::system::{Ambient, SystemClock, SystemEntropy};
use crate::tls::Tls;
use crate::{http, jobs, recovery};

/// How long running requests and jobs may take once the server is to stop.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often background work of the store is looked for.
const MAINTENANCE: Duration = Duration::from_millis(100);
/// How often ended jobs are looked through for those that are to be forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How often garbage is collected.
const COLLECTION: Duration = Duration::from_secs(3600);

/// A server that listens.
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    /// Held until the process ends.
    _lock: File,
}

/// Why a server does not start. The text says what to do, on one line.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ServeError {
    #[error("the data directory {path} cannot be used: {source}; choose another with --data")]
    Data { path: String, source: std::io::Error },
    #[error("the data directory {path} is in use by process {holder}; stop it or choose another with --data")]
    Locked { path: String, holder: String },
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the ready file {path} cannot be written: {source}; choose another with --ready-file")]
    Ready { path: String, source: std::io::Error },
    #[error("{reason}; set --tls-cert and --tls-key to files that hold them")]
    Tls { reason: String },
    #[error("the server ended: {0}")]
    Run(tokio::task::JoinError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Why the control plane does not open.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DatabaseError(String);

impl From<OpenError> for ServeError {
    fn from(error: OpenError) -> Self {
        Self::Database(DatabaseError(error.to_string()))
    }
}

impl From<AuditError> for ServeError {
    fn from(error: AuditError) -> Self {
        Self::Database(DatabaseError(error.to_string()))
    }
}

impl From<BootstrapError> for ServeError {
    fn from(error: BootstrapError) -> Self {
        Self::Database(DatabaseError(error.to_string()))
    }
}

impl Server {
    /// Takes the data directory and the address. Nothing is answered before [`Server::run`].
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        let tls = config.tls.as_ref().map(Tls::load).transpose();
        let tls = tls.map_err(|error| ServeError::Tls { reason: error.to_string() })?;
        let lock = take_data(&config.data)?;
        let address = config.listen;
        let listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let ambient = Ambient::real();
        let key = InstanceKey::load(&config.data, &ambient)?;
        let db = Db::open(&config.data.join("gestalt.db"))?;
        bootstrap::first_start(&config.data, &db, &key, &ambient, config.admin_password.clone())?;
        let env = Env {
            disk: Arc::new(LocalDisk::new(&config.data)),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let settings = Settings { cache_bytes: config.cache_bytes, ..Settings::default() };
        let audit = Audit::open(&config.data, key.audit(), db.clone(), ambient.clone())?;
        let app = App::new(config, ambient, db, Store::new(env, settings), key, audit);
        let server = Self { app, listener, address, tls, _lock: lock };
        server.app.set_url(server.url());
        Ok(server)
    }

    /// What it answers with, for tests that walk all routes.
    #[cfg(test)]
    pub(crate) fn router(&self) -> axum::Router {
        http::router(self.app.clone())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        url(self.address, self.tls.as_ref())
    }

    /// Recovers, says that it is ready, and answers until `stop` ends; then finishes what runs and
    /// closes every graph.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let Self { app, listener, address, tls, _lock } = self;
        let ready_file = app.config().ready_file.clone();
        if let Some(path) = &ready_file {
            check_writable(path)?;
        }
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let signal = app.clone();
        tokio::spawn(async move {
            stop.await;
            signal.set_stopping();
            let _ = stopping.send(true);
        });
        let url = url(address, tls.as_ref());
        let serving = Serving {
            router: http::router(app.clone()),
            tls: tls.clone(),
            patience: app.config().client_timeout,
            open: Arc::clone(&app.metrics().connections),
        };
        let mut serving = tokio::spawn(listen::serve(listener, serving, stopped.clone()));
        reload_on_signal(tls);
        let recovering = app.clone();
        let recovered = tokio::task::spawn_blocking(move || recovery::recover(&recovering)).await;
        match recovered {
            Ok(Ok(unfinished)) => {
                app.set_ready();
                unfinished.into_iter().for_each(jobs::start);
            }
            Ok(Err(error)) => return Err(DatabaseError(format!("recovery failed: {error}")).into()),
            Err(error) => return Err(DatabaseError(format!("recovery failed: {error}")).into()),
        }
        maintain(&app);
        keep_house(&app);
        schedule::start(&app);
        if let Some(path) = &ready_file {
            write_ready(path, &url)?;
        }
        tracing::info!(url, "ready");
        let _ = stopped.wait_for(|stop| *stop).await;
        tracing::info!("stopping");
        let served = tokio::time::timeout(PATIENCE, &mut serving).await;
        serving.abort();
        wait_for_jobs(&app).await;
        close_all(&app).await;
        app.audit().close().await;
        match served {
            Ok(Err(error)) => Err(ServeError::Run(error)),
            _ => Ok(()),
        }
    }
}

/// Long jobs see that the server stops and give up, to be begun anew by the next start, as is what
/// does not end in time.
async fn wait_for_jobs(app: &App) {
    let ended = async {
        app.short_jobs().idle().await;
        app.long_jobs().idle().await;
    };
    let _ = tokio::time::timeout(PATIENCE, ended).await;
}

fn url(address: SocketAddr, tls: Option<&Tls>) -> String {
    format!("{}://{address}", if tls.is_some() { "https" } else { "http" })
}

/// Takes up new certificates with each SIGHUP.
fn reload_on_signal(tls: Option<Tls>) {
    use tokio::signal::unix::{SignalKind, signal};
    let Some(tls) = tls else { return };
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::error!(%error, "certificates can only be renewed by a restart");
            return;
        }
    };
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            match tls.reload() {
                Ok(()) => tracing::info!("new connections get the new certificate"),
                Err(error) => tracing::error!(%error, "the old certificate stays"),
            }
        }
    });
}

/// Forgets ended jobs, from the start on and until the server stops.
fn keep_house(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        let mut times = tokio::time::interval(HOUSEKEEPING);
        while !app.is_stopping() {
            times.tick().await;
            let purging = app.clone();
            match http::blocking(move || jobs::purge(&purging)).await {
                Ok(jobs) => app.metrics().purged_jobs.add(jobs as u64),
                Err(error) => tracing::warn!(%error, "ended jobs could not be forgotten"),
            }
        }
    });
}

async fn close_all(app: &App) {
    let closing = app.clone();
    let closed = tokio::task::spawn_blocking(move || {
        for (id, _) in closing.open_graphs() {
            if let Err(error) = closing.close(&id) {
                tracing::warn!(graph = %id, %error, "a graph was not closed cleanly");
            }
        }
    });
    let _ = closed.await;
}

/// Folds, compacts and collects garbage on a thread of its own until the server stops.
fn maintain(app: &App) {
    let app = app.clone();
    let spawned = std::thread::Builder::new().name("maintenance".into()).spawn(move || {
        let mut since_collection = Duration::ZERO;
        while !app.is_stopping() {
            let busy = app.open_graphs().iter().fold(false, |busy, (id, graph)| match graph.maintain() {
                Ok(worked) => {
                    app.metrics().maintenance.add(u64::from(worked));
                    busy || worked
                }
                Err(error) => {
                    tracing::error!(graph = %id, %error, "background work of a graph failed");
                    busy
                }
            });
            if !busy {
                std::thread::park_timeout(MAINTENANCE);
                since_collection += MAINTENANCE;
            }
            if since_collection >= COLLECTION {
                since_collection = Duration::ZERO;
                collect(&app);
            }
        }
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread for background work");
    }
}

fn collect(app: &App) {
    for pool in app.pools() {
        match pool.collect_garbage() {
            Ok(collected) => {
                app.metrics().collected_objects.add(collected.objects);
                app.metrics().collected_bytes.add(collected.bytes);
                tracing::info!(collected.objects, collected.bytes, "garbage collected");
            }
            Err(error) => tracing::error!(%error, "garbage could not be collected"),
        }
    }
}

/// Locks the data directory. The lock goes with the process; the file only tells whose it is.
fn take_data(data: &Path) -> Result<File, ServeError> {
    let path = data.display().to_string();
    let unusable = |source| ServeError::Data { path: path.clone(), source };
    fs::create_dir_all(data).map_err(unusable)?;
    let mut options = OpenOptions::new();
    let mut lock = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(data.join("lock"))
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let read = lock.read_to_string(&mut holder);
            let holder = if read.is_ok() && !holder.is_empty() { holder } else { "unknown".into() };
            return Err(ServeError::Locked { path, holder });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    let write = |lock: &mut File| {
        lock.set_len(0)?;
        lock.rewind()?;
        lock.write_all(std::process::id().to_string().as_bytes())
    };
    write(&mut lock).map_err(unusable)?;
    Ok(lock)
}

fn check_writable(path: &Path) -> Result<(), ServeError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::metadata(folder)
        .map(|_| ())
        .map_err(|source| ServeError::Ready { path: path.display().to_string(), source })
}

fn write_ready(path: &Path, url: &str) -> Result<(), ServeError> {
    let ready = serde_json::json!({"url": url, "pid": std::process::id()});
    let tmp = path.with_extension(format!("tmp{}", std::process::id()));
    let written = fs::write(&tmp, ready.to_string()).and_then(|()| fs::rename(&tmp, path));
    written.map_err(|source| ServeError::Ready { path: path.display().to_string(), source })
}
