//! Turns on a clock that the test sets.

use std::sync::Arc;

use model::{Schema, SchemaMode};
use serde_json::Map;
use store::sim::{SimClock, SimDisk, SimEntropy};
use store::{Env, Settings, Store};

use super::*;
use crate::audit::Audit;
use crate::config::{Config, ServeOptions};
use crate::db::Db;
use crate::graphs::record::{self, GraphRow};
use crate::graphs::states::Status;
use crate::identity::bootstrap::InstanceKey;
use crate::system::Ambient;

const START: i64 = 1_700_000_000;
const DAY: i64 = 86_400;

struct World {
    app: App,
    clock: Arc<SimClock>,
    _dir: tempfile::TempDir,
}

fn world(options: ServeOptions) -> World {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimClock::new(START * 1_000_000));
    let entropy = Arc::new(SimEntropy::new(1));
    let ambient = Ambient { clock: Arc::clone(&clock) as Arc<_>, entropy: Arc::clone(&entropy) as Arc<_> };
    let env = Env { disk: Arc::new(SimDisk::default()), clock: Arc::clone(&clock) as Arc<_>, entropy };
    let config = Config::load(options, None).unwrap();
    let key = InstanceKey::load(dir.path(), &ambient).unwrap();
    let db = Db::open(&dir.path().join("test.db")).unwrap();
    db.write(|db| {
        db.execute("INSERT INTO domains VALUES ('d', 'd')", [])?;
        db.execute("INSERT INTO projects (id, domain_id, name) VALUES ('p', 'd', 'p')", [])
    })
    .unwrap();
    let audit = Audit::open(dir.path(), key.audit(), db.clone(), ambient.clone()).unwrap();
    let app = App::new(config, ambient, db, Store::new(env, Settings::default()), key, audit);
    World { app, clock, _dir: dir }
}

impl World {
    fn add_graph(&self, id: &str, size_index: &str) {
        let row = GraphRow {
            id: GraphId(id.into()),
            project: ProjectId("p".into()),
            name: format!("graph_{id}"),
            status: Status::Running,
            size_index: size_index.into(),
            origin_size_index: size_index.into(),
            resized: None,
            replicas: 1,
            expanded: None,
            schema_mode: "open".into(),
            created_by: "test".into(),
            created: self.app.now(),
            updated: self.app.now(),
            fields: Map::new(),
            files: Map::new(),
        };
        self.app.db().write(|db| record::insert(db, &row)).unwrap();
        let pool = self.app.pool(&row.project).unwrap();
        self.app.register(&row.id, pool.create(id, Schema::new(SchemaMode::Open)).unwrap());
    }

    /// Sets the clock to seconds after the start, looks, and waits for what begins.
    async fn look_at(&self, seconds: i64) -> usize {
        self.clock.set((START + seconds) * 1_000_000);
        let begun = begin_due(&self.app).unwrap();
        let count = begun.len();
        for begun in begun {
            run(begun).await;
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
    let world = world(ServeOptions::default());
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
    let world = world(ServeOptions::default());
    world.add_graph("a", "2");
    assert_eq!(world.look_at(9 * DAY).await, 1);
    assert_eq!(world.look_at(9 * DAY + 1).await, 0);
    assert_eq!(world.look_at(10 * DAY + 1).await, 1);
}

#[tokio::test]
async fn manual_backups_and_those_in_use_are_never_rotated() {
    let world = world(ServeOptions { auto_backup_seconds: Some(100), ..ServeOptions::default() });
    world.add_graph("a", "2");
    let (project, graph) = (ProjectId("p".into()), GraphId("a".into()));
    let begin = || {
        world.app.db().write(|db| {
            let job = jobs::begin(&world.app, db, &project, &graph, Operation::Backup)?;
            let noted = note(&world.app, db, &job, Method::Manual)?;
            Ok::<_, ApiError>((job, noted))
        })
    };
    let (job, noted) = begin().unwrap();
    jobs::run(job, move |job| pin(job, &noted, "test".into(), PinKind::Manual)).await;
    world.look_at(100).await;
    let oldest: String = world
        .app
        .db()
        .read(|db| db.query_row("SELECT id FROM backups WHERE method = 'auto'", [], |row| row.get(0)))
        .unwrap();
    let reader = world.app.db().write(|db| {
        let row = record::find(db, &project, &graph)?.unwrap();
        let job = jobs::note(&world.app, db, row, "ExportBackup")?;
        super::super::hold(db, &job.id, &BackupId(oldest.clone()))?;
        Ok::<_, ApiError>(job)
    });
    for turn in 2..20 {
        assert_eq!(world.look_at(turn * 100).await, 1);
    }
    assert_eq!((world.count("a", "auto"), world.count("a", "manual")), (8, 1), "one is in use");
    jobs::run(reader.unwrap(), |_| jobs::End { outcome: Ok(()), detail: None, status: None, also: None })
        .await;
    world.look_at(20 * 100).await;
    assert_eq!((world.count("a", "auto"), world.count("a", "manual")), (7, 1));
    assert_eq!(world.pins("a"), 8);
}

#[tokio::test]
async fn a_turn_that_the_quota_refuses_is_not_tried_every_second() {
    let options = ServeOptions { backup_quota: Some(0), ..ServeOptions::default() };
    let world = world(options);
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
    let world = world(ServeOptions::default());
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
