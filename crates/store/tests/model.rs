//! Random histories against a plain model in memory: transactions, bulk loads, folds,
//! compactions, pins, restores, garbage collections, reopenings and crashes. After every step the
//! whole content of the graph equals the model's, by every way to read it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

mod graph;

use graph::world::{Step, World, parallel};
use graph::{Load, Model, check};
use proptest::prelude::*;

fn step() -> impl Strategy<Value = Step> {
    let load = (
        prop::collection::vec((0..40u8, any::<u8>()), 0..20),
        prop::collection::vec((0..40u8, 0..40u8, 0..3u8), 0..30),
        (0..5u8).prop_map(parallel),
    );
    prop_oneof![
        10 => prop::collection::vec(graph::change(), 1..12).prop_map(Step::Commit),
        2 => load.prop_map(|(vertices, edges, parallel)| Step::Bulk(Load { vertices, edges, parallel })),
        1 => Just(Step::Clear),
        4 => Just(Step::Fold),
        4 => Just(Step::Maintain),
        2 => Just(Step::Pin),
        1 => any::<usize>().prop_map(Step::RemovePin),
        2 => any::<usize>().prop_map(Step::Restore),
        1 => any::<usize>().prop_map(Step::Clone),
        2 => Just(Step::CollectGarbage),
        2 => Just(Step::Reopen),
        2 => any::<u8>().prop_map(|kept| Step::Crash { kept }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_what_the_model_holds(steps in prop::collection::vec(step(), 1..40), seed: u32) {
        let mut world = World::new(u64::from(seed));
        let mut held = vec![(world.graph().snapshot(), Model::default())];
        for (nr, step) in steps.iter().enumerate() {
            world.run(step).unwrap();
            check(&world.graph().snapshot(), &world.model);
            if matches!(step, Step::Reopen | Step::Crash { .. }) {
                held.clear();
            }
            if nr % 4 == 0 {
                held.push((world.graph().snapshot(), world.model.clone()));
            }
        }
        // Snapshots that this process took are valid, whatever was compacted and collected since.
        for (snapshot, model) in held {
            check(&snapshot, &model);
        }
        world.check_list();
        world.restore_all();
    }
}
