//! Measurements. `cargo xtask bench` runs all; names choose some of them: `import`, `reads`,
//! `commits`, `backups`, `recovery`, `http` (of which `polls` is a part), and `peers`: other engines
//! doing the same.

mod backups;
mod commits;
mod http;
mod import;
mod load;
mod measure;
#[cfg(feature = "peers")]
mod peers;
mod reads;
mod recovery;
mod world;

use std::path::Path;
use std::time::Instant;

use crate::measure::{row, text};
use crate::world::Rmat;

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// 2^20 vertices, 10 million edges.
const LARGE: Rmat = Rmat { scale: 20, edges: 10_000_000 };

fn main() -> anyhow::Result<()> {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, dir] = chosen.as_slice()
        && mode == "--commit-until-killed"
    {
        return recovery::child(Path::new(dir), LARGE);
    }
    if let [mode, files] = chosen.as_slice()
        && mode == "--import"
    {
        return import::child(Path::new(files));
    }
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|c| c == name);
    println!("| what | result |\n|---|---|");
    if wanted("http") || wanted("polls") {
        http::run(wanted("http"))?;
    }
    if matches!(chosen.as_slice(), [one] if one == "http" || one == "polls") {
        return Ok(());
    }
    #[cfg(feature = "peers")]
    if wanted("peers") {
        peers::run(LARGE)?;
    }
    let dir = tempfile::tempdir()?;
    let pool = world::pool(dir.path())?;
    if wanted("import") {
        let files = tempfile::tempdir()?;
        import::run(files.path(), LARGE)?;
    }
    let start = Instant::now();
    let graph = world::load(&pool, "rmat", LARGE)?;
    row("bulk load of 10 M edges through the store API", text(start.elapsed()));
    row("peak memory", format!("{} MiB", measure::peak_memory() >> 20));
    if wanted("reads") {
        reads::run(&graph, LARGE)?;
    }
    if wanted("commits") {
        commits::run(&graph, LARGE, dir.path())?;
    }
    if wanted("backups") {
        backups::run(&pool, &graph, LARGE, dir.path())?;
    }
    graph.close()?;
    if wanted("recovery") {
        drop((graph, pool));
        recovery::run(dir.path(), LARGE)?;
    }
    Ok(())
}
