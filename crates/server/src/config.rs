//! Settings: flags win over the environment, the environment over the file, the file over the
//! defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

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
    /// How many graphs a project may have
    #[arg(long, value_name = "N", env = "GESTALT_GRAPH_QUOTA")]
    pub graph_quota: Option<u32>,
    /// How long a token is good for
    #[arg(long, value_name = "SECONDS", env = "GESTALT_TOKEN_LIFETIME_SECONDS")]
    pub token_lifetime_seconds: Option<i64>,
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
    graph_quota: Option<u32>,
    token_lifetime_seconds: Option<i64>,
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
    /// Graphs a project may have.
    pub graph_quota: u32,
    /// How long a token is good for.
    pub token_seconds: i64,
    /// The first user's password, if it was chosen.
    pub admin_password: Option<String>,
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
}

impl Config {
    /// Puts flags, environment (which `clap` has read) and file together.
    pub fn load(options: ServeOptions, admin_password: Option<String>) -> Result<Self, ConfigError> {
        let file = options.config.as_ref().map(read).transpose()?.unwrap_or_default();
        let default_listen = SocketAddr::from(([127, 0, 0, 1], 7780));
        let mib = options.cache_mib.or(file.cache_mib).unwrap_or(1024);
        Ok(Self {
            data: options.data.or(file.data).unwrap_or_else(|| "./gestalt-data".into()),
            listen: options.listen.or(file.listen).unwrap_or(default_listen),
            ready_file: options.ready_file.or(file.ready_file),
            cache_bytes: mib.saturating_mul(1 << 20),
            backup_quota: options.backup_quota.or(file.backup_quota).unwrap_or(1000),
            graph_quota: options.graph_quota.or(file.graph_quota).unwrap_or(100),
            token_seconds: options.token_lifetime_seconds.or(file.token_lifetime_seconds).unwrap_or(86_400),
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
