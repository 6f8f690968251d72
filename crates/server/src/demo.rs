//! `gestalt demo`: a real graph is imported, backed up, damaged, brought back, and compared with
//! what it was, over HTTP like any client and watched by whoever started it.
//!
//! `story` has the steps in order, `packages` the example graph and whom the damage hits,
//! `picture` what is compared, `client` what it takes of `gestalt`'s own client, `screen` the looks.

mod client;
mod packages;
mod picture;
mod screen;
mod story;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, ConfigError, ServeOptions};
use crate::serve::{ServeError, Server};

/// What the demonstration can be told.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// Exit when everything is proven, instead of serving on
    #[arg(long)]
    pub exit: bool,
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Keep the data here, instead of in a temporary directory
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Why the demonstration ended early. The text is one line.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DemoError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("no temporary directory can be made: {0}; choose one with --data")]
    Directory(#[source] std::io::Error),
    #[error("the directory {0} is not empty; choose another with --data, or serve it with `gestalt serve`")]
    NotEmpty(String),
    #[error("signals cannot be caught: {0}")]
    Signal(#[source] std::io::Error),
    #[error("the example data cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Client(#[from] ::client::Error),
    #[error("not proven: {0}")]
    NotProven(String),
    #[error("it was stopped before it was proven")]
    Interrupted,
    #[error("a task of the demonstration ended early")]
    Task(#[from] tokio::task::JoinError),
}

/// Serves in a temporary directory, or where it was told, and is its own first client. Ends with
/// the proof if that is all that was asked for, else with `stop`.
pub async fn run(options: DemoOptions, stop: impl Future<Output = ()> + Send) -> Result<(), DemoError> {
    // A closed terminal is a stop, too: the temporary directory must go.
    let mut hangup = signal(SignalKind::hangup()).map_err(DemoError::Signal)?;
    let stop = async {
        tokio::select! {
            () = stop => {}
            _ = hangup.recv() => {}
        }
    };
    if let Some(data) = &options.data {
        if data.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(DemoError::NotEmpty(data.display().to_string()));
        }
        return serve_and_tell(&options, data, stop).await;
    }
    // Goes, with all that is in it, when this returns.
    let temporary = tempfile::tempdir().map_err(DemoError::Directory)?;
    serve_and_tell(&options, temporary.path(), stop).await
}

async fn serve_and_tell(
    options: &DemoOptions,
    data: &Path,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), DemoError> {
    let serving =
        ServeOptions { data: Some(data.into()), listen: Some(options.listen), ..Default::default() };
    let config = Config::load(serving, None)?;
    let server = Server::bind(config).await?;
    let url = server.url();
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        // Either way it is time: a lost sender means that nobody is left to say so.
        let _ = finished.await;
    }));
    let place = story::Place { url, data: data.into(), keeps_data: options.data.is_some() };
    let exit = options.exit;
    let mut stop = std::pin::pin!(stop);
    let told = tokio::select! {
        told = tokio::task::spawn_blocking(move || story::tell(&place, exit)) => told?,
        () = &mut stop => Err(DemoError::Interrupted),
    };
    if told.is_ok() && !exit {
        stop.await;
    }
    let _ = finish.send(());
    // If the server ended by itself, that is why the story did.
    running.await??;
    told
}
