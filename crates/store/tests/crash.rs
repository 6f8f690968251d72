//! A short history, stopped at every one of its disk operations, and recovered: what was
//! acknowledged is there, what was in flight is there wholly or not at all, and every backup that
//! is listed can be restored. What comes first after a stop differs: an opening, one that is
//! stopped too, a garbage collection, or a restore.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

mod graph;

use graph::world::{Dice, Step, World, history, settings};
use model::Kind;
use store::sim::{Faults, SimDisk, env_on};
use store::{Error, Settings, Store};

/// With memory enough, or reading would take most of the time.
fn roomy() -> Settings {
    Settings { cache_bytes: 1 << 22, ..settings() }
}

/// Runs the history until something fails. `None` if the graph was never acknowledged.
fn run(disk: &SimDisk, seed: u64) -> Option<World> {
    let mut world = World::on(disk, seed, roomy()).ok()?;
    for step in history(&Dice::new(seed)) {
        if world.run(&step).is_err() {
            break;
        }
    }
    Some(world)
}

/// What must be true after a crash at operation `stop`.
fn check_stop(seed: u64, stop: u64) {
    let disk = SimDisk::default();
    disk.set_faults(Faults { stop_at: Some(stop), ..Faults::default() });
    let world = run(&disk, seed);
    let dice = Dice::new(seed ^ stop.wrapping_mul(0x9e37_79b9));
    let kept = dice.below(255).saturating_mul(dice.below(3));
    disk.crash(kept);
    let Some(mut world) = world else { return check_creation(&disk, seed) };
    match dice.below(5) {
        0 | 1 => stop_recovery(&mut world, u64::from(dice.below(12)), kept),
        2 => world.restart_collecting().unwrap(),
        3 => world.restart_restoring(usize::from(dice.below(8))).unwrap(),
        _ => {}
    }
    world.restart().unwrap();
    assert!(!disk.paths().iter().any(|path| path.contains("/tmp/")), "leftovers are removed");
    world.settle();
    world.check_list();
    world.check_clone();
    let held = world.graph().snapshot();
    let rest = [
        Step::CollectGarbage,
        Step::Commit(dice.changes(4)),
        Step::Crash { kept: dice.below(255) },
        Step::Maintain,
        Step::Fold,
        Step::CollectGarbage,
        Step::Commit(dice.changes(4)),
    ];
    graph::check(&held, &world.model);
    for step in &rest {
        world.run(step).unwrap();
        graph::check(&world.graph().snapshot(), &world.model);
    }
    world.restore_all();
    world.run(&Step::CollectGarbage).unwrap();
    world.restore_all();
}

fn stop_recovery(world: &mut World, after: u64, kept: u8) {
    let stop_at = Some(world.disk.operations() + after);
    world.disk.set_faults(Faults { stop_at, ..Faults::default() });
    // It may get through: opening a graph that was closed changes little.
    let _ = world.restart();
    world.disk.crash(kept);
}

/// A graph whose creation was not acknowledged is there and empty, or can be created.
fn check_creation(disk: &SimDisk, seed: u64) {
    let mut world = match World::on(disk, seed + 1, roomy()) {
        Err(error) if error.kind() == Kind::Conflict => {
            let mut world = World::new(seed);
            world.move_to(disk);
            world
        }
        world => world.unwrap(),
    };
    world.settle();
    world.run(&Step::Commit(Dice::new(seed).changes(5))).unwrap();
    world.run(&Step::Crash { kept: 0 }).unwrap();
    world.settle();
}

fn every_stop(seed: u64, stride: u64) {
    let disk = SimDisk::default();
    let mut world = run(&disk, seed).unwrap();
    let operations = disk.operations();
    assert!(operations > 150, "the history got through: {operations}");
    world.settle();
    world.check_list();
    let stops: Vec<u64> = (1 + seed % stride..=operations).step_by(stride as usize).collect();
    for stop in stops {
        let stopped = std::panic::catch_unwind(|| check_stop(seed, stop));
        assert!(stopped.is_ok(), "seed {seed}, stopped at operation {stop} of {operations}");
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing() {
    every_stop(1, 1);
}

#[test]
fn nor_in_other_histories() {
    for seed in 2..12 {
        every_stop(seed, 5);
    }
}

/// The names of manifests may go in any order until their directory is synced.
#[test]
fn a_removed_graph_stays_removed() {
    let run = |disk: &SimDisk, removed: &mut bool| -> Result<(), Error> {
        let mut world = World::on(disk, 1, settings())?;
        world.run(&Step::Commit(Dice::new(1).changes(6)))?;
        world.run(&Step::Fold)?;
        world.graph().close()?;
        world.pool.remove_graph("g")?;
        *removed = true;
        world.pool.collect_garbage().map(drop)
    };
    let whole = SimDisk::default();
    run(&whole, &mut false).unwrap();
    assert!(!whole.paths().iter().any(|path| path.contains("manifest")));
    for (stop, kept) in (1..=whole.operations()).flat_map(|stop| (0..=255).step_by(5).map(move |k| (stop, k)))
    {
        let disk = SimDisk::default();
        disk.set_faults(Faults { stop_at: Some(stop), ..Faults::default() });
        let mut removed = false;
        run(&disk, &mut removed).unwrap_err();
        disk.crash(kept);
        let pool = Store::new(env_on(&disk, 2), settings()).pool("p").unwrap();
        pool.collect_garbage().unwrap();
        assert!(!removed || !pool.exists("g").unwrap(), "stopped at {stop}, kept {kept}");
    }
}
