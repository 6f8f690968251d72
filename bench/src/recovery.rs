//! From a killed process, and from a backup, to the first answer. The killed process is a child
//! of this one, so nothing is closed, and this process has read nothing of the graph before.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::Vid;
use store::{Direction, Graph, PinKind, PinRequest};

use crate::commits;
use crate::measure::{Durations, row};
use crate::world::{self, Random, Rmat};

/// What the child does: commits until it is killed, saying so on its standard output.
pub fn child(dir: &Path, rmat: Rmat) -> anyhow::Result<()> {
    let graph = world::pool(dir)?.open("rmat")?;
    println!("ready");
    commits::load(&graph, rmat, 8, Duration::from_secs(3600))?;
    Ok(())
}

pub fn run(dir: &Path, rmat: Rmat) -> anyhow::Result<()> {
    let (mut reopened, mut restored) = (Durations::default(), Durations::default());
    let pin = {
        let graph = world::pool(dir)?.open("rmat")?;
        let id = "recovery".to_owned();
        let request =
            PinRequest { name: id.clone(), id, kind: PinKind::Manual, requested_by: "bench".into() };
        let pin = graph.add_pin(request)?;
        graph.close()?;
        pin
    };
    let mut random = Random(5);
    for _ in 0..5 {
        kill_under_load(dir)?;
        let start = Instant::now();
        let pool = world::pool(dir)?;
        let graph = pool.open("rmat")?;
        first_answer(&graph, &mut random, rmat)?;
        reopened.push(start.elapsed());
        graph.close()?;
        let start = Instant::now();
        let graph = pool.restore("rmat", &pin)?;
        first_answer(&graph, &mut random, rmat)?;
        restored.push(start.elapsed());
        anyhow::ensure!(graph.snapshot().content().root() == pin.root, "the backup's content is back");
        graph.close()?;
    }
    row("open after kill -9 under load, to the first answer", reopened.show());
    row("start from a backup, to the first answer", restored.show());
    Ok(())
}

/// A vertex by id and its neighbours.
fn first_answer(graph: &Graph, random: &mut Random, rmat: Rmat) -> anyhow::Result<()> {
    let snapshot = graph.snapshot();
    let found = snapshot.vertex_by_id(&world::id(random.below(rmat.vertices())))?;
    anyhow::ensure!(found.is_some(), "every vertex is found");
    snapshot.neighbours(found.unwrap_or(Vid(0)), Direction::Out, None, |_| {})?;
    Ok(())
}

fn kill_under_load(dir: &Path) -> anyhow::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--commit-until-killed")
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    std::thread::sleep(Duration::from_millis(1_500));
    child.kill()?;
    child.wait()?;
    Ok(())
}
