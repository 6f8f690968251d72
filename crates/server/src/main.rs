//! `gestalt`: the server, its demonstration, and its client.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use server::demo::{self, DemoOptions};
use server::{Config, LogFormat, ServeOptions, Server};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A graph engine service that loses no graph.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve graphs over HTTP
    Serve(Box<ServeOptions>),
    /// Look after the audit record
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Import a real graph, back it up, damage it, bring it back, and prove it
    Demo(DemoOptions),
    #[command(flatten)]
    Client(client::Verb),
}

#[derive(Subcommand)]
enum AuditVerb {
    /// Check that no record was changed, removed, moved or cut off
    Verify(VerifyOptions),
}

#[derive(Args)]
struct VerifyOptions {
    /// The data directory; the server may be running
    #[arg(long, value_name = "DIR", env = "GESTALT_DATA", default_value = "./gestalt-data")]
    data: PathBuf,
    /// A record that an earlier check printed: it must still be there
    #[arg(long, value_name = "NUMBER:CODE", value_parser = noted)]
    expect: Option<(u64, String)>,
}

fn noted(text: &str) -> Result<(u64, String), String> {
    let (number, code) = text.split_once(':').ok_or("a number, a colon and a code")?;
    let number = number.parse().map_err(|_| "the number is none")?;
    Ok((number, code.to_owned()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.verb {
        Verb::Serve(options) => serve(*options),
        Verb::Demo(options) => demo(options),
        Verb::Client(verb) => return client::run(verb, Arguments::command()),
        Verb::Audit(AuditVerb::Verify(options)) => verify_audit(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, reason = "the one line that says what to do")]
fn report(error: &str) {
    eprintln!("gestalt: {error}");
}

#[allow(clippy::print_stdout, reason = "the result of the command")]
fn verify_audit(options: VerifyOptions) -> Result<(), Box<dyn std::error::Error>> {
    let verified = server::audit::verify(&options.data, options.expect)?;
    println!(
        "{} records are whole; the last one is {}:{}",
        verified.records, verified.records, verified.head
    );
    Ok(())
}

fn serve(options: ServeOptions) -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::load(options, std::env::var("GESTALT_ADMIN_PASSWORD").ok())?;
    log(config.log_format, "info");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let server = Server::bind(config).await?;
        server.run(stop_signal()).await
    });
    // What still runs is of no use to anybody: the next start settles it.
    runtime.shutdown_background();
    Ok(served?)
}

/// Logs to standard error what `GESTALT_LOG` asks for, or from this level on.
fn log(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_env("GESTALT_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(true).with_span_list(false).init()
        }
    }
}

/// Runs the demonstration. Its server logs only what is wrong.
fn demo(options: DemoOptions) -> Result<(), Box<dyn std::error::Error>> {
    log(LogFormat::Text, "warn");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async { demo::run(options, stop_signal()).await });
    runtime.shutdown_background();
    Ok(done?)
}

/// Ends with SIGTERM or SIGINT. They are listened for from the call on, so that one that comes as
/// soon as the server is ready stops it in order.
fn stop_signal() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::terminate()).and_then(|t| Ok((t, signal(SignalKind::interrupt())?)));
    async move {
        let Ok((mut terminate, mut interrupt)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
