//! Disks that fail or are full, and clocks that jump: work fails with a clear error, nothing that
//! was acknowledged is lost, and it goes on when the outside world does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

mod graph;

use graph::world::{Dice, Step, World, history, settings};
use graph::{check, holds};
use model::Kind;
use store::sim::{Faults, SimDisk};
use store::{Error, Settings};

const YEAR: i64 = 365 * 24 * 3600;

fn roomy() -> Settings {
    Settings { cache_bytes: 1 << 22, ..settings() }
}

/// After a step that failed: what must hold at once, and what a user would do next.
fn recover(world: &mut World, step: &Step, error: &Error) {
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    if matches!(step, Step::Reopen | Step::Restore(_)) {
        world.restart().unwrap();
    } else if world.graph().health().log_failed.is_some() {
        check_refusal(world);
        // Reports the failure once more; the graph is closed all the same.
        world.graph().close().unwrap_err();
        world.restart().unwrap();
    }
    world.settle();
    world.check_list();
    world.check_clone();
    world.run(&Step::Pin).unwrap();
}

/// After its log has failed, a graph takes no writes and says so; reads go on.
fn check_refusal(world: &World) {
    let graph = world.graph();
    let refused = graph::apply(graph, &world.model, &Dice::new(1).changes(3)).unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable, "{refused}");
    let refused = graph.fold().unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable, "{refused}");
    assert!(graph.clear(false).is_err());
    // Background work goes on trying. A full disk must not get fuller by it.
    for _ in 0..3 {
        assert!(graph.fold().is_err());
    }
    let left: Vec<String> = world.disk.paths().into_iter().filter(|path| path.contains("/tmp/")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(holds(&graph.snapshot(), &world.model), "what was not durable was never seen");
    check(&graph.snapshot(), &world.model);
}

/// Loses power and checks that all of it is there.
fn check_end(mut world: World) {
    world.run(&Step::Crash { kept: 0 }).unwrap();
    check(&world.graph().snapshot(), &world.model);
    world.check_list();
    world.restore_all();
    world.run(&Step::CollectGarbage).unwrap();
    world.restore_all();
}

#[test]
fn a_failed_sync_loses_nothing() {
    let whole = SimDisk::default();
    run_with(&whole, 3, |_, _| ());
    for lost_is_readable in [false, true] {
        for at in (1..=whole.operations()).step_by(2) {
            let disk = SimDisk::default();
            disk.set_faults(Faults { fail_sync_at: Some(at), lost_is_readable, ..Faults::default() });
            let run = || {
                let Ok(mut world) = World::on(&disk, 3, roomy()) else { return };
                for step in history(&Dice::new(3)) {
                    if let Err(error) = world.run(&step) {
                        recover(&mut world, &step, &error);
                        // A disk fails once here.
                        world.run(&step).unwrap();
                    }
                    check(&world.graph().snapshot(), &world.model);
                }
                check_end(world);
            };
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            assert!(run.is_ok(), "the sync after operation {at} fails, lost_is_readable: {lost_is_readable}");
        }
    }
}

/// Runs a history with `before` each step, none of which may fail.
fn run_with(disk: &SimDisk, seed: u64, before: impl Fn(&mut World, usize)) {
    let mut world = World::on(disk, seed, roomy()).unwrap();
    for (nr, step) in history(&Dice::new(seed)).iter().enumerate() {
        before(&mut world, nr);
        world.run(step).unwrap();
        check(&world.graph().snapshot(), &world.model);
    }
    check_end(world);
}

#[test]
fn a_full_disk_loses_nothing() {
    let steps = history(&Dice::new(4));
    let mut failed = 0;
    for full_at in 0..steps.len() {
        for room in [0, 1, 50, 151, 400, 701, 1000, 1501, 2500, 4001, 6000] {
            let disk = SimDisk::default();
            let mut world = World::on(&disk, 4, roomy()).unwrap();
            for (nr, step) in steps.iter().enumerate() {
                if nr == full_at {
                    let capacity = Some(disk.size() + room);
                    disk.set_faults(Faults { capacity, ..Faults::default() });
                }
                let Err(error) = world.run(step) else { continue };
                failed += 1;
                let used = disk.paths().into_iter().filter(|path| path.contains("/tmp/")).collect::<Vec<_>>();
                assert!(used.is_empty(), "{step:?} failed and left {used:?}");
                disk.set_faults(Faults::default());
                recover(&mut world, step, &error);
                // Background work may as well be left for later.
                if room % 50 == 0 || !matches!(step, Step::Fold | Step::Maintain | Step::CollectGarbage) {
                    world.run(step).unwrap();
                }
                check(&world.graph().snapshot(), &world.model);
            }
            check_end(world);
        }
    }
    assert!(failed > 100, "the disk was full {failed} times");
}

#[test]
fn a_disk_that_stays_full_serves_reads_and_old_backups() {
    let disk = SimDisk::default();
    let mut world = World::on(&disk, 5, roomy()).unwrap();
    let dice = Dice::new(5);
    for step in [Step::Commit(dice.changes(9)), Step::Pin, Step::Fold, Step::Commit(dice.changes(9))] {
        world.run(&step).unwrap();
    }
    disk.set_faults(Faults { capacity: Some(disk.size()), ..Faults::default() });
    for step in [Step::Fold, Step::Pin, Step::Bulk(dice.load()), Step::Maintain, Step::Fold] {
        let error = world.run(&step).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{step:?}: {error}");
        check(&world.graph().snapshot(), &world.model);
        world.instead = None;
    }
    assert_eq!(world.graph().health().log_failed, None, "none of them wrote to the log");
    assert_eq!(world.pool.pins("g").unwrap().len(), 1);
    // Commits go on in the room that the log has reserved, and end where that does.
    let commits = std::iter::from_fn(|| Some(Step::Commit(dice.changes(9)))).take(100);
    let refused = |step: Step| world.run(&step).err().map(|error| (step, error));
    let (step, error) = { commits }.find_map(refused).expect("the room ends");
    check_refusal(&world);
    disk.set_faults(Faults::default());
    recover(&mut world, &step, &error);
    check_end(world);
}

#[test]
fn a_jumping_clock_removes_nothing_and_never_goes_back_in_commits() {
    let jumps = [-3 * YEAR, 7 * YEAR, -YEAR, 2 * YEAR, -60 * YEAR, 40 * YEAR, 30 * YEAR, -1];
    for seed in 6..12 {
        let mut last_us = 0;
        let disk = SimDisk::default();
        let mut world = World::on(&disk, seed, Settings { undo_us: i64::MAX, ..settings() }).unwrap();
        let mut held = Vec::new();
        for (nr, step) in history(&Dice::new(seed)).iter().enumerate() {
            world.tick(jumps[(nr + seed as usize) % jumps.len()]);
            world.run(step).unwrap();
            world.run(&Step::CollectGarbage).unwrap();
            let snapshot = world.graph().snapshot();
            check(&snapshot, &world.model);
            match step {
                // The state of a backup has the time it had.
                Step::Restore(_) => last_us = snapshot.time_us(),
                Step::Reopen => held.clear(),
                _ => {}
            }
            assert!(snapshot.time_us() >= last_us, "time went back in {step:?}");
            last_us = snapshot.time_us();
            held.push((snapshot, world.model.clone()));
        }
        for (snapshot, model) in held {
            check(&snapshot, &model);
        }
        world.check_list();
        check_end(world);
    }
}

/// Only what was given an end goes by itself, and only then.
#[test]
fn the_state_before_a_restore_goes_when_its_time_is_over() {
    let mut world = World::new(7);
    let dice = Dice::new(7);
    for step in [Step::Commit(dice.changes(9)), Step::Pin, Step::Commit(dice.changes(9)), Step::Restore(0)] {
        world.run(&step).unwrap();
    }
    let ids = |world: &World| world.pool.pins("g").unwrap().into_iter().map(|pin| pin.id).collect::<Vec<_>>();
    for (seconds, left) in [(-10 * YEAR, 2), (10 * YEAR, 2), (23 * 3600, 2), (2 * 3600, 1), (50 * YEAR, 1)] {
        world.tick(seconds);
        world.run(&Step::CollectGarbage).unwrap();
        assert_eq!(ids(&world).len(), left, "after {seconds} s");
    }
    assert_eq!(ids(&world), ["pin-0"]);
    world.restore_all();
}
