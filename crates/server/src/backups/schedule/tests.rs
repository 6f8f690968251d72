//! Turns on a clock that the test sets.

use super::*;
use crate::config::ServeOptions;
use crate::graphs::record;
use crate::graphs::states::Status;
use crate::world::{START, World};

const DAY: i64 = 86_400;

impl World {
    /// Sets the clock to seconds after the start, looks, and waits for what begins.
    async fn look_at(&self, seconds: i64) -> usize {
        self.clock.set((START + seconds) * 1_000_000);
        let begun = begin_due(&self.app).unwrap();
        let count = begun.len();
        for job in begun {
            jobs::run(job).await;
        }
        count
    }

    fn count(&self, graph: &str, method: &str) -> i64 {
        let sql = "SELECT count(*) FROM backups WHERE graph_id = ?1 AND method = ?2 AND status = 'success'";
        self.app.db().read(|db| db.query_row(sql, [graph, method], |row| row.get(0))).unwrap()
    }

    fn pins(&self, graph: &str) -> usize {
        self.app.pool(&ProjectId("p".into())).unwrap().pins(graph).unwrap().len()
    }
}

#[tokio::test]
async fn one_a_day_and_seven_are_kept() {
    let world = World::new(ServeOptions::default());
    world.add_graph("a", "2");
    world.add_graph("small", "0");
    assert_eq!(world.look_at(0).await, 0, "not at once");
    let mut begun = 0;
    for hour in 1..=24 * 20 {
        begun += world.look_at(hour * 3600).await;
    }
    assert_eq!(begun, 20);
    assert_eq!((world.count("a", "auto"), world.pins("a")), (7, 7));
    assert_eq!(world.pins("small"), 0, "the smallest size has none");
}

#[tokio::test]
async fn missed_turns_are_made_up_for_once() {
    let world = World::new(ServeOptions::default());
    world.add_graph("a", "2");
    assert_eq!(world.look_at(9 * DAY).await, 1);
    assert_eq!(world.look_at(9 * DAY + 1).await, 0);
    assert_eq!(world.look_at(10 * DAY + 1).await, 1);
}

#[tokio::test]
async fn manual_backups_and_those_in_use_are_never_rotated() {
    let world = World::new(ServeOptions { auto_backup_seconds: Some(100), ..ServeOptions::default() });
    world.add_graph("a", "2");
    let (project, graph) = (ProjectId("p".into()), GraphId("a".into()));
    let manual = world.app.db().write(|db| {
        jobs::begin(&world.app, db, &project, &graph, Operation::Backup, |graph| {
            let backup = note(&world.app, db, graph, Method::Manual)?;
            Ok(Work::CreateBackup { backup, user: "test".into(), keep: None })
        })
    });
    jobs::run(manual.unwrap()).await;
    world.look_at(100).await;
    let oldest: String = world
        .app
        .db()
        .read(|db| db.query_row("SELECT id FROM backups WHERE method = 'auto'", [], |row| row.get(0)))
        .unwrap();
    let reader = world.app.db().write(|db| {
        let row = record::find(db, &project, &graph)?.unwrap();
        let export = Work::ExportBackup { backup: BackupId(oldest.clone()), folder: "bucket/folder".into() };
        jobs::note(&world.app, db, row, export)
    });
    for turn in 2..20 {
        assert_eq!(world.look_at(turn * 100).await, 1);
    }
    assert_eq!((world.count("a", "auto"), world.count("a", "manual")), (8, 1), "one is in use");
    jobs::run(reader.unwrap()).await;
    world.look_at(20 * 100).await;
    assert_eq!((world.count("a", "auto"), world.count("a", "manual")), (7, 1));
    assert_eq!(world.pins("a"), 8);
}

#[tokio::test]
async fn a_turn_that_the_quota_refuses_is_not_tried_every_second() {
    let options = ServeOptions { backup_quota: Some(0), ..ServeOptions::default() };
    let world = World::new(options);
    world.add_graph("a", "2");
    world.look_at(DAY).await;
    let tried: Time = world
        .app
        .db()
        .read(|db| db.query_row("SELECT tried FROM backup_turns", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(tried, Time(0).plus_seconds(START + DAY));
    assert_eq!(world.pins("a"), 0);
}

#[tokio::test]
async fn a_graph_that_is_busy_has_its_turn_later() {
    let world = World::new(ServeOptions::default());
    world.add_graph("a", "2");
    let set = |status| {
        world
            .app
            .db()
            .write(|db| record::set_status(db, &GraphId("a".into()), status, world.app.now()))
            .unwrap();
    };
    set(Status::Importing);
    assert_eq!(world.look_at(3 * DAY).await, 0);
    set(Status::Running);
    assert_eq!(world.look_at(3 * DAY + 60).await, 1);
}
