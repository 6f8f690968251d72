//! What a graph refuses in which state, and what stays of a graph that is closed, removed or
//! being loaded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

mod graph;

use graph::world::{Dice, Step, World, request, settings};
use graph::{Model, check};
use model::{Kind, Props, Schema, SchemaMode, VertexRecord};
use store::sim::SimDisk;
use store::{BulkOptions, EdgeBatch, Error, Graph, Settings};

/// More vertices than one chunk holds, so that the first chunk is written while the load goes on.
const MANY: usize = 5000;

fn vertices(count: usize) -> Vec<VertexRecord> {
    let vertex = |nr| VertexRecord { id: format!("n{nr}").into(), labels: vec![], props: Props::new() };
    (0..count).map(vertex).collect()
}

fn world(steps: &[Step]) -> World {
    let mut world = World::on(&SimDisk::default(), 1, settings()).unwrap();
    for step in steps {
        world.run(step).unwrap();
    }
    world
}

fn commit(seed: u64) -> Step {
    Step::Commit(Dice::new(seed).changes(8))
}

#[test]
fn a_collection_takes_nothing_from_a_load_that_is_under_way() {
    let mut world = world(&[commit(1), Step::Fold]);
    // The same chunk exists as garbage when it is written again.
    let mut dropped = world.graph().bulk_load(BulkOptions::default()).unwrap();
    dropped.add_vertices(vertices(MANY)).unwrap();
    drop(dropped);
    let mut load = world.graph().bulk_load(BulkOptions::default()).unwrap();
    load.add_vertices(vertices(MANY)).unwrap();
    world.pool.collect_garbage().unwrap();
    let label = load.schema_mut().intern_label("next").unwrap();
    let mut batch = EdgeBatch::new();
    for nr in 1..MANY {
        let end = |nr: usize| load.find(&format!("n{nr}")).unwrap().unwrap();
        batch.push(end(nr - 1), end(nr), label, &Props::new());
    }
    load.add_edges(&batch).unwrap();
    world.pool.collect_garbage().unwrap();
    load.commit().unwrap();
    world.pool.collect_garbage().unwrap();
    world.restart().unwrap();
    let snapshot = world.graph().snapshot();
    assert_eq!(snapshot.recount().unwrap(), *snapshot.content());
    assert_eq!(snapshot.content().edges.count, MANY as u64 - 1);
}

#[test]
fn what_a_dropped_load_wrote_is_collected() {
    let mut world = world(&[commit(1), Step::Fold]);
    world.pool.collect_garbage().unwrap();
    let before = world.disk.paths();
    let mut load =
        world.graph().bulk_load(BulkOptions { memory_bytes: 100, ..BulkOptions::default() }).unwrap();
    load.add_vertices(vertices(MANY)).unwrap();
    let label = load.schema_mut().intern_label("self").unwrap();
    let mut batch = EdgeBatch::new();
    for nr in 0..100 {
        let vid = load.find(&format!("n{nr}")).unwrap().unwrap();
        batch.push(vid, vid, label, &Props::new());
    }
    load.add_edges(&batch).unwrap();
    assert_ne!(world.disk.paths(), before);
    drop(load);
    world.pool.collect_garbage().unwrap();
    assert_eq!(world.disk.paths(), before);
    check(&world.graph().snapshot(), &world.model);
    world.run(&commit(2)).unwrap();
    check(&world.graph().snapshot(), &world.model);
}

#[test]
fn a_closed_graph_refuses_everything_but_reading() {
    // Due for a fold and a compaction when it is closed.
    let mut world = world(&[commit(1), Step::Fold, commit(2), Step::Fold, Step::Pin, commit(3)]);
    let old = world.graph().clone();
    let snapshot = old.snapshot();
    world.run(&Step::Reopen).unwrap();
    type Call = fn(&Graph) -> Result<(), Error>;
    let calls: [(&str, Call); 7] = [
        ("write", |graph| graph.write(|tx| tx.label("x").map(drop))),
        ("fold", |graph| graph.fold().map(drop)),
        ("maintain", |graph| graph.maintain().map(drop)),
        ("add_pin", |graph| graph.add_pin(request("late")).map(drop)),
        ("bulk_load", |graph| graph.bulk_load(BulkOptions::default()).map(drop)),
        ("clear", |graph| graph.clear(true)),
        ("write nothing", |graph| graph.write(|_| Ok::<_, Error>(()))),
    ];
    let files = world.disk.paths();
    for (name, call) in calls {
        let error = call(&old).unwrap_err();
        assert_eq!(error.kind(), Kind::WrongState, "{name}: {error}");
    }
    old.close().unwrap();
    assert_eq!(world.disk.paths(), files, "the new owner's files are as they were");
    for _ in 0..3 {
        world.run(&Step::Maintain).unwrap();
    }
    world.run(&Step::CollectGarbage).unwrap();
    check(&world.graph().snapshot(), &world.model);
    check(&snapshot, &world.model);
}

#[test]
fn a_graph_that_is_open_cannot_be_opened_removed_or_restored() {
    let world = world(&[commit(1), Step::Pin]);
    let pin = world.pool.pin("g", "pin-0").unwrap();
    let refused = [
        world.pool.open("g").map(drop),
        world.pool.remove_graph("g"),
        world.pool.restore("g", &pin).map(drop),
    ];
    for error in refused {
        assert_eq!(error.unwrap_err().kind(), Kind::WrongState);
    }
    let taken = world.pool.create("g", Schema::new(SchemaMode::Open)).unwrap_err();
    assert_eq!(taken.kind(), Kind::Conflict);
    assert_eq!(world.graph().add_pin(request("pin-0")).unwrap_err().kind(), Kind::Conflict);
    check(&world.graph().snapshot(), &world.model);
}

#[test]
fn a_load_keeps_writers_out_until_it_ends() {
    let mut world = world(&[commit(1)]);
    let load = world.graph().bulk_load(BulkOptions::default()).unwrap();
    let refused = graph::apply(world.graph(), &world.model, &Dice::new(2).changes(3)).unwrap_err();
    assert_eq!(refused.kind(), Kind::WrongState);
    assert_eq!(world.graph().bulk_load(BulkOptions::default()).err().unwrap().kind(), Kind::WrongState);
    check(&world.graph().snapshot(), &world.model);
    world.graph().add_pin(request("meanwhile")).unwrap();
    drop(load);
    world.run(&commit(2)).unwrap();
    let load = world.graph().bulk_load(BulkOptions::default()).unwrap();
    world.graph().close().unwrap();
    assert_eq!(load.commit().unwrap_err().kind(), Kind::WrongState);
    world.restart().unwrap();
    check(&world.graph().snapshot(), &world.model);
}

/// Backups outlive their graph, and bring it back.
#[test]
fn a_removed_graph_comes_back_from_its_backup_and_leaves_nothing_without() {
    let mut world = world(&[commit(1), Step::Fold, commit(2), Step::Pin, commit(3), Step::Fold]);
    let kept = world.pins[0].model.clone();
    world.close();
    world.pool.remove_graph("g").unwrap();
    assert_eq!(world.pool.remove_graph("g").unwrap_err().kind(), Kind::NotFound);
    world.pool.collect_garbage().unwrap();
    assert_eq!(world.pool.open("g").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(world.pool.graphs().unwrap(), ["g"]);
    let pin = world.pool.pin("g", "pin-0").unwrap();
    let graph = world.pool.restore("g", &pin).unwrap();
    check(&graph.snapshot(), &kept);
    graph.close().unwrap();
    drop(graph);
    world.pool.remove_graph("g").unwrap();
    for pin in world.pool.pins("g").unwrap() {
        world.pool.remove_pin("g", &pin.id).unwrap();
    }
    world.tick(1000);
    world.pool.collect_garbage().unwrap();
    world.pool.collect_garbage().unwrap();
    assert_eq!(world.pool.graphs().unwrap(), [""; 0]);
    assert_eq!(world.disk.paths(), [""; 0], "nothing is left");
    world.pool.create("g", Schema::new(SchemaMode::Open)).unwrap();
    world.pool.open("g").unwrap_err();
}

/// The name of a graph that was removed can be given again; its backups are of the old one.
#[test]
fn a_graph_can_be_created_anew_and_restored_to_the_old_one() {
    let mut world = world(&[commit(1), Step::Pin]);
    world.close();
    world.pool.remove_graph("g").unwrap();
    let fresh = world.pool.create("g", Schema::new(SchemaMode::Open)).unwrap();
    check(&fresh.snapshot(), &Model::default());
    graph::apply(&fresh, &Model::default(), &Dice::new(9).changes(8)).unwrap();
    fresh.fold().unwrap();
    world.pool.collect_garbage().unwrap();
    fresh.close().unwrap();
    let pin = world.pool.pin("g", "pin-0").unwrap();
    let graph = world.pool.restore("g", &pin).unwrap();
    check(&graph.snapshot(), &world.pins[0].model);
    graph.close().unwrap();
    world.restart().unwrap();
    check(&world.graph().snapshot(), &world.pins[0].model);
}

#[test]
fn a_panicking_transaction_changes_nothing_and_holds_nobody_up() {
    let mut world = world(&[commit(1)]);
    let graph = world.graph().clone();
    let panicking = std::thread::spawn(move || {
        graph.write(|tx| -> Result<(), Error> {
            tx.label("never seen")?;
            panic!("on purpose")
        })
    });
    assert!(panicking.join().is_err());
    check(&world.graph().snapshot(), &world.model);
    assert!(world.graph().snapshot().schema().label_id("never seen").is_none());
    for step in [commit(2), Step::Fold, commit(3), Step::Crash { kept: 0 }] {
        world.run(&step).unwrap();
    }
    check(&world.graph().snapshot(), &world.model);
}

#[test]
fn names_that_are_no_names_are_refused() {
    let world = World::on(&SimDisk::default(), 1, Settings::default()).unwrap();
    let long = "x".repeat(129);
    for name in ["", ".", "..", "a/b", "../g", "a b", "ä", "a\0", &long] {
        let refused = [
            world.pool.create(name, Schema::new(SchemaMode::Open)).map(drop),
            world.pool.open(name).map(drop),
            world.pool.exists(name).map(drop),
            world.pool.pins(name).map(drop),
            world.pool.remove_graph(name),
            world.pool.pin("g", name).map(drop),
            world.pool.remove_pin("g", name),
            world.graph().add_pin(request(name)).map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), Kind::Invalid, "{name:?}");
        }
    }
}
