//! A server without a network, for tests: the store on a simulated disk, time from a clock that the
//! test sets.

use std::sync::Arc;

use model::{Schema, SchemaMode};
use serde_json::Map;
use store::sim::{SimClock, SimDisk, SimEntropy};
use store::{Env, Settings, Store};

use crate::app::App;
use crate::audit::Audit;
use crate::config::{Config, ServeOptions};
use crate::db::Db;
use crate::graphs::record::{self, GraphRow};
use crate::graphs::states::Status;
use crate::identity::bootstrap::InstanceKey;
use crate::ids::{GraphId, ProjectId};
use crate::system::Ambient;

/// When it begins, in seconds.
pub(crate) const START: i64 = 1_700_000_000;

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Arc<SimClock>,
    disk: Arc<SimDisk>,
    entropy: Arc<SimEntropy>,
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(options: ServeOptions) -> Self {
        let (dir, disk) = (tempfile::tempdir().unwrap(), Arc::new(SimDisk::default()));
        let clock = Arc::new(SimClock::new(START * 1_000_000));
        let entropy = Arc::new(SimEntropy::new(1));
        let options = ServeOptions { data: Some(dir.path().to_owned()), ..options };
        let app = start(&dir, &disk, &clock, &entropy, options);
        let project = |db: &rusqlite::Transaction<'_>| {
            db.execute("INSERT INTO domains VALUES ('d', 'd')", [])?;
            db.execute("INSERT INTO projects (id, domain_id, name) VALUES ('p', 'd', 'p')", [])
        };
        app.db().write(project).unwrap();
        Self { app, clock, disk, entropy, dir }
    }

    /// The next process after a loss of power.
    pub(crate) fn crashed(self) -> Self {
        let Self { app, clock, disk, entropy, dir } = self;
        drop(app);
        disk.crash(0);
        let options = ServeOptions { data: Some(dir.path().to_owned()), ..ServeOptions::default() };
        let app = start(&dir, &disk, &clock, &entropy, options);
        Self { app, clock, disk, entropy, dir }
    }

    /// Changes a byte in each of the store's files with this in their path.
    pub(crate) fn damage(&self, part: &str) {
        for path in self.disk.paths().into_iter().filter(|path| path.contains(part)) {
            self.disk.tamper(&path, |bytes| bytes[0] ^= 1);
        }
    }

    /// A graph that is in no list yet.
    pub(crate) fn row(&self, id: &str, status: Status, size_index: &str) -> GraphRow {
        GraphRow {
            id: GraphId(id.into()),
            project: ProjectId("p".into()),
            name: format!("graph_{id}"),
            status,
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
        }
    }

    /// A running graph.
    pub(crate) fn add_graph(&self, id: &str, size_index: &str) -> GraphRow {
        let row = self.row(id, Status::Running, size_index);
        self.app.db().write(|db| record::insert(db, &row)).unwrap();
        let pool = self.app.pool(&row.project).unwrap();
        self.app.register(&row.id, pool.create(id, Schema::new(SchemaMode::Open)).unwrap());
        row
    }
}

fn start(
    dir: &tempfile::TempDir,
    disk: &Arc<SimDisk>,
    clock: &Arc<SimClock>,
    entropy: &Arc<SimEntropy>,
    options: ServeOptions,
) -> App {
    let ambient = Ambient { clock: Arc::clone(clock) as Arc<_>, entropy: Arc::clone(entropy) as Arc<_> };
    let env = Env {
        disk: Arc::clone(disk) as Arc<_>,
        clock: Arc::clone(clock) as Arc<_>,
        entropy: Arc::clone(entropy) as Arc<_>,
    };
    let config = Config::load(options, None).unwrap();
    let key = InstanceKey::load(dir.path(), &ambient).unwrap();
    let db = Db::open(&dir.path().join("test.db")).unwrap();
    let audit = Audit::open(dir.path(), key.audit(), db.clone(), ambient.clone()).unwrap();
    App::new(config, ambient, db, Store::new(env, Settings::default()), key, audit)
}
