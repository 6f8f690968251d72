//! Settings: flags win over the environment, the environment over the file, the file over the
//! defaults.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use client::Trust;
use serde::Deserialize;

/// Ended jobs are kept a month.
const MONTH_SECONDS: i64 = 30 * 86_400;

/// What `gestalt serve` can be told. Every flag is also an environment variable `GESTALT_…` and a
/// key of the configuration file.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServeOptions {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", env = "GESTALT_DATA")]
    pub data: Option<PathBuf>,
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", env = "GESTALT_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// A TOML file with these settings
    #[arg(long, value_name = "FILE", env = "GESTALT_CONFIG")]
    pub config: Option<PathBuf>,
    /// A file to create when requests are accepted: {"url":…,"pid":…}
    #[arg(long, value_name = "FILE", env = "GESTALT_READY_FILE")]
    pub ready_file: Option<PathBuf>,
    /// Memory for graph data, in MiB
    #[arg(long, value_name = "MIB", env = "GESTALT_CACHE_MIB")]
    pub cache_mib: Option<usize>,
    /// How many backups a project may have
    #[arg(long, value_name = "N", env = "GESTALT_BACKUP_QUOTA")]
    pub backup_quota: Option<u32>,
    /// How often each graph is backed up automatically; 0 never, unless its policy says otherwise
    #[arg(long, value_name = "SECONDS", env = "GESTALT_AUTO_BACKUP_SECONDS")]
    pub auto_backup_seconds: Option<u32>,
    /// How many graphs a project may have
    #[arg(long, value_name = "N", env = "GESTALT_GRAPH_QUOTA")]
    pub graph_quota: Option<u32>,
    /// How long a token is good for
    #[arg(long, value_name = "SECONDS", env = "GESTALT_TOKEN_LIFETIME_SECONDS")]
    pub token_lifetime_seconds: Option<i64>,
    /// How long ended jobs stay in the task centre
    #[arg(long, value_name = "SECONDS", env = "GESTALT_JOB_RETENTION_SECONDS")]
    pub job_retention_seconds: Option<i64>,
    /// A PEM file with the certificate and those above it; serves HTTPS
    #[arg(long, value_name = "FILE", env = "GESTALT_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// A PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", env = "GESTALT_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", env = "GESTALT_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Who brings this token may read /metrics, from anywhere; without one, only this machine may
    #[arg(long, value_name = "TOKEN", env = "GESTALT_METRICS_TOKEN", hide_env_values = true)]
    pub metrics_token: Option<String>,
    /// Requests that are answered at the same time; more get a 503
    #[arg(long, value_name = "N", env = "GESTALT_MAX_IN_FLIGHT")]
    pub max_in_flight: Option<usize>,
    /// Requests per second that one token, key or address may make; 0 is no limit
    #[arg(long, value_name = "N", env = "GESTALT_RATE_LIMIT")]
    pub rate_limit: Option<u32>,
    /// How long a client may keep the server waiting for the next bytes
    #[arg(long, value_name = "SECONDS", env = "GESTALT_CLIENT_TIMEOUT_SECONDS")]
    pub client_timeout_seconds: Option<u32>,
    /// Another Keystone that knows the tokens; ends with /v3
    #[arg(long, value_name = "URL", env = "GESTALT_KEYSTONE_URL")]
    pub keystone_url: Option<String>,
    /// Believe the certificates in this PEM file about it, instead of those that the machine believes
    #[arg(long, value_name = "FILE", env = "GESTALT_KEYSTONE_CA_CERT")]
    pub keystone_ca_cert: Option<PathBuf>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The same as a file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOptions {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    ready_file: Option<PathBuf>,
    cache_mib: Option<usize>,
    backup_quota: Option<u32>,
    auto_backup_seconds: Option<u32>,
    graph_quota: Option<u32>,
    token_lifetime_seconds: Option<i64>,
    job_retention_seconds: Option<i64>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    log_format: Option<LogFormat>,
    metrics_token: Option<String>,
    max_in_flight: Option<usize>,
    rate_limit: Option<u32>,
    client_timeout_seconds: Option<u32>,
    keystone_url: Option<String>,
    keystone_ca_cert: Option<PathBuf>,
}

/// Settings in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// To be created when requests are accepted.
    pub ready_file: Option<PathBuf>,
    /// Bytes of memory for graph data.
    pub cache_bytes: usize,
    /// Backups a project may have.
    pub backup_quota: u32,
    /// Seconds between automatic backups of a graph; 0 for none.
    pub auto_backup_seconds: i64,
    /// Graphs a project may have.
    pub graph_quota: u32,
    /// How long a token is good for.
    pub token_seconds: i64,
    /// How long ended jobs are kept.
    pub job_retention_seconds: i64,
    /// Certificate and key, if connections are to be encrypted.
    pub tls: Option<TlsFiles>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// What readers of `/metrics` bring.
    pub metrics_token: Option<String>,
    /// Requests answered at the same time.
    pub max_in_flight: usize,
    /// Requests per second of one token, key or address.
    pub rate_limit: Option<NonZeroU32>,
    /// How long the server waits for the next bytes of a client.
    pub client_timeout: Duration,
    /// Another Keystone that knows the tokens.
    pub keystone: Option<KeystoneAt>,
    /// The first user's password, if it was chosen.
    pub admin_password: Option<String>,
}

/// Where certificate and key are.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate and those above it, PEM.
    pub certificates: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// Where the other Keystone is, and what it proves itself with.
#[derive(Debug, Clone)]
pub struct KeystoneAt {
    /// Ends with `/v3`.
    pub url: String,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("the configuration file {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or says something unknown.
    #[error("the configuration file {path} is wrong: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// Where and why, on one line.
        reason: String,
    },
    /// One half of a pair.
    #[error("tls_cert and tls_key go together: set both or neither")]
    HalfTls,
    /// Nothing to speak to another Keystone with.
    #[error("keystone_ca_cert cannot be used: {reason}")]
    KeystoneTrust {
        /// Which file, and why.
        reason: String,
    },
}

impl Config {
    /// Puts flags, environment (which `clap` has read) and file together.
    pub fn load(options: ServeOptions, admin_password: Option<String>) -> Result<Self, ConfigError> {
        let file = options.config.as_ref().map(read).transpose()?.unwrap_or_default();
        let default_listen = SocketAddr::from(([127, 0, 0, 1], 7780));
        let mib = options.cache_mib.or(file.cache_mib).unwrap_or(1024);
        let tls = match (options.tls_cert.or(file.tls_cert), options.tls_key.or(file.tls_key)) {
            (Some(certificates), Some(key)) => Some(TlsFiles { certificates, key }),
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        let keystone_url = options.keystone_url.or(file.keystone_url).filter(|url| !url.is_empty());
        let believed = options.keystone_ca_cert.or(file.keystone_ca_cert);
        let keystone = keystone_url.map(|url| match Trust::of(believed.as_deref()) {
            Ok(trust) => Ok(KeystoneAt { url, trust }),
            Err(error) => Err(ConfigError::KeystoneTrust { reason: error.to_string() }),
        });
        let metrics_token = options.metrics_token.or(file.metrics_token);
        let client_timeout = options.client_timeout_seconds.or(file.client_timeout_seconds).unwrap_or(60);
        Ok(Self {
            data: options.data.or(file.data).unwrap_or_else(|| "./gestalt-data".into()),
            listen: options.listen.or(file.listen).unwrap_or(default_listen),
            ready_file: options.ready_file.or(file.ready_file),
            cache_bytes: mib.saturating_mul(1 << 20),
            backup_quota: options.backup_quota.or(file.backup_quota).unwrap_or(1000),
            auto_backup_seconds: options
                .auto_backup_seconds
                .or(file.auto_backup_seconds)
                .unwrap_or(86_400)
                .into(),
            graph_quota: options.graph_quota.or(file.graph_quota).unwrap_or(100),
            token_seconds: options.token_lifetime_seconds.or(file.token_lifetime_seconds).unwrap_or(86_400),
            job_retention_seconds: options
                .job_retention_seconds
                .or(file.job_retention_seconds)
                .unwrap_or(MONTH_SECONDS),
            tls,
            log_format: options.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            metrics_token: metrics_token.filter(|token| !token.is_empty()),
            max_in_flight: options.max_in_flight.or(file.max_in_flight).unwrap_or(1024).max(1),
            rate_limit: NonZeroU32::new(options.rate_limit.or(file.rate_limit).unwrap_or(20_000)),
            client_timeout: Duration::from_secs(u64::from(client_timeout.max(1))),
            keystone: keystone.transpose()?,
            admin_password: admin_password.filter(|password| !password.is_empty()),
        })
    }
}

fn read(path: &PathBuf) -> Result<FileOptions, ConfigError> {
    let shown = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: shown.clone(), source })?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse {
        path: shown,
        reason: error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" "),
    })
}
