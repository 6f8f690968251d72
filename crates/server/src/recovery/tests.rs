//! What the next process makes of jobs that had not ended.

use serde_json::json;

use super::*;
use crate::backups::Noted;
use crate::config::ServeOptions;
use crate::http::body::Fields;
use crate::jobs::{self, BackupOf};
use crate::world::World;

/// How far a job was.
#[derive(Debug, Clone, Copy)]
enum Was {
    Waiting,
    /// And begun so often.
    Running(i64),
}

struct Left {
    world: World,
    graph: GraphRow,
}

/// A graph with a vertex in it.
fn left() -> Left {
    let world = World::new(ServeOptions::default());
    let graph = world.add_graph("a", "2");
    add_vertex(&world);
    Left { world, graph }
}

fn add_vertex(world: &World) {
    let graph = world.app.graph(&GraphId("a".into())).unwrap();
    let id = format!("vertex {}", graph.snapshot().lsn()).into();
    let vertex = model::VertexRecord { id, labels: Vec::new(), props: model::Props::new() };
    graph.write::<_, store::Error>(|change| change.add_vertex(vertex)).unwrap();
}

impl Left {
    /// Leaves a job and the graph in the state that the job had put it into.
    fn job(&self, work: &Work, was: Was, status: Status) -> JobId {
        let (status_text, starts) = match was {
            Was::Waiting => ("pending", 0),
            Was::Running(starts) => ("running", starts),
        };
        let noted = self.world.app.db().write(|db| {
            record::set_status(db, &self.graph.id, status, self.world.app.now())?;
            let graph = GraphRow { status, ..self.graph.clone() };
            let job = jobs::note(&self.world.app, db, graph, work.clone())?;
            let sql = "UPDATE jobs SET status = ?2, starts = ?3 WHERE id = ?1";
            db.execute(sql, params![job.id, status_text, starts])?;
            Ok::<_, ApiError>(job.id)
        });
        noted.unwrap()
    }

    fn set(&self, sql: &str) {
        self.world.app.db().write(|db| db.execute(sql, [])).unwrap();
    }

    fn text(&self, sql: &str) -> Option<String> {
        use rusqlite::OptionalExtension;
        self.world.app.db().read(|db| db.query_row(sql, [], |row| row.get(0)).optional()).unwrap()
    }

    fn status(&self) -> i64 {
        let sql = "SELECT status FROM graphs WHERE id = 'a'";
        self.world.app.db().read(|db| db.query_row(sql, [], |row| row.get(0))).unwrap()
    }

    fn job_status(&self, job: &JobId) -> String {
        self.text(&format!("SELECT status FROM jobs WHERE id = '{job}'")).unwrap()
    }

    /// What recovery hands to the new process.
    fn recovered(self) -> (Self, Vec<Job>) {
        let left = Self { world: self.world.crashed(), ..self };
        let again = recover(&left.world.app).unwrap();
        (left, again)
    }
}

fn request(value: serde_json::Value) -> Fields {
    serde_json::from_value(value).unwrap()
}

fn import() -> Work {
    Work::ImportGraph { request: request(json!({"vertexset_path": "bucket/none.csv"})) }
}

fn export() -> Work {
    let to = json!({"graph_export_path": "bucket/out/", "edge_set_name": "e", "vertex_set_name": "v", "schema_name": "s"});
    Work::ExportGraph { request: request(to) }
}

fn noted(id: &str) -> Noted {
    Noted { id: BackupId(id.into()), name: id.into() }
}

fn list_backup(left: &Left, id: &str, method: &str) {
    left.set(&format!(
        "INSERT INTO backups (id, project_id, graph_id, graph_name, name, method, status, started)
         VALUES ('{id}', 'p', 'a', 'graph_a', '{id}', '{method}', 'backing_up', 1)"
    ));
}

#[test]
fn jobs_end_or_go_on_by_how_far_they_were() {
    use Was::{Running, Waiting};
    let clear = || Work::ClearGraph { schema_too: false };
    let cases: Vec<(Work, Was, Status, &str, i64)> = vec![
        (import(), Waiting, Status::Importing, "pending", 202),
        (import(), Running(1), Status::Importing, "pending", 202),
        (import(), Running(2), Status::Importing, "failed", 200),
        (export(), Running(1), Status::Exporting, "pending", 204),
        (clear(), Running(1), Status::Clearing, "pending", 205),
        (Work::ResizeGraph { size_index: "3".into() }, Running(1), Status::Resizing, "pending", 207),
        (Work::ExpandGraph { replicas: 2 }, Waiting, Status::AddingReplicas, "pending", 211),
        (Work::StopGraph, Running(1), Status::Stopping, "success", 900),
        (Work::RestartGraph, Running(1), Status::Stopping, "success", 200),
        (Work::StartGraph { from: None }, Waiting, Status::Starting, "pending", 920),
        (Work::StartGraph { from: None }, Running(2), Status::Starting, "failed", 900),
        (Work::CreateGraph, Running(1), Status::Creating, "success", 200),
        (Work::DeleteGraph, Running(1), Status::Deleted, "success", 400),
        // The graph has left the state of the job: a restart has ended it.
        (import(), Running(1), Status::Running, "failed", 200),
        (import(), Waiting, Status::Stopped, "failed", 900),
    ];
    for (work, was, during, expected, status) in cases {
        let left = left();
        let job = left.job(&work, was, during);
        let (left, again) = left.recovered();
        assert_eq!((left.job_status(&job).as_str(), left.status()), (expected, status), "{work:?} {was:?}");
        assert_eq!(again.len(), usize::from(expected == "pending"), "{work:?} {was:?}");
        let (left, again) = left.recovered();
        assert_eq!(left.job_status(&job), expected, "recovery may be repeated: {work:?} {was:?}");
        assert_eq!(again.len(), usize::from(expected == "pending"), "{work:?} {was:?}");
    }
}

#[tokio::test]
async fn what_goes_on_is_done() {
    let works = [
        (Work::ClearGraph { schema_too: false }, Status::Clearing),
        (Work::ResizeGraph { size_index: "3".into() }, Status::Resizing),
        (Work::StartGraph { from: None }, Status::Starting),
        (export(), Status::Exporting),
    ];
    for (work, during) in works {
        let left = left();
        let job = left.job(&work, Was::Running(1), during);
        let (left, again) = left.recovered();
        for job in again {
            jobs::run(job).await;
        }
        assert_eq!((left.job_status(&job).as_str(), left.status()), ("success", 200), "{work:?}");
        let graph = left.world.app.graph(&left.graph.id).unwrap();
        let cleared = matches!(work, Work::ClearGraph { .. });
        assert_eq!(graph.snapshot().content().vertices.count, u64::from(!cleared), "{work:?}");
    }
}

#[tokio::test]
async fn a_graph_that_was_not_made_yet_is_made() {
    let world = World::new(ServeOptions::default());
    let graph = world.row("a", Status::Creating, "2");
    world.app.db().write(|db| record::insert(db, &graph)).unwrap();
    let left = Left { world, graph };
    let job = left.job(&Work::CreateGraph, Was::Waiting, Status::Creating);
    let (left, again) = left.recovered();
    assert_eq!((left.status(), again.len()), (100, 1));
    for job in again {
        jobs::run(job).await;
    }
    assert_eq!((left.job_status(&job).as_str(), left.status()), ("success", 200));
}

#[test]
fn an_import_whose_commit_is_there_was_done() {
    let left = left();
    let job = left.job(&import(), Was::Running(1), Status::Importing);
    let before = left.world.app.graph(&left.graph.id).unwrap().snapshot().lsn();
    left.set(&format!("UPDATE jobs SET lsn_before = {before}"));
    add_vertex(&left.world);
    let (left, again) = left.recovered();
    assert_eq!((left.job_status(&job).as_str(), left.status(), again.len()), ("success", 200, 0));
}

#[test]
fn a_restart_that_was_interrupted_has_ended_what_ran() {
    let left = left();
    let import = left.job(&import(), Was::Running(1), Status::Importing);
    let restart = left.job(&Work::RestartGraph, Was::Running(1), Status::Stopping);
    let (left, again) = left.recovered();
    assert_eq!(
        (left.job_status(&import).as_str(), left.job_status(&restart).as_str()),
        ("failed", "success")
    );
    assert_eq!((left.status(), again.len()), (200, 0));
}

#[test]
fn jobs_go_on_in_their_order() {
    let left = left();
    let other = left.world.add_graph("b", "2");
    let first = left.job(&import(), Was::Waiting, Status::Importing);
    let noted = left.world.app.db().write(|db| {
        record::set_status(db, &other.id, Status::Exporting, left.world.app.now())?;
        jobs::note(&left.world.app, db, GraphRow { status: Status::Exporting, ..other }, export())
    });
    let second = noted.unwrap().id;
    left.set("UPDATE graphs SET created = 0 WHERE id = 'b'");
    let (_, again) = left.recovered();
    assert_eq!(again.into_iter().map(|job| job.id).collect::<Vec<_>>(), [first, second]);
}

#[tokio::test]
async fn a_backup_goes_on_until_its_pin_is_there() {
    let left = left();
    let work = Work::CreateBackup { backup: noted("one"), user: "ann".into(), keep: None };
    list_backup(&left, "one", "manual");
    let job = left.job(&work, Was::Running(1), Status::Running);
    let backup = |left: &Left| left.text("SELECT status FROM backups WHERE id = 'one'");
    let (left, again) = left.recovered();
    assert_eq!((left.job_status(&job).as_str(), backup(&left).as_deref()), ("pending", Some("backing_up")));
    for job in again {
        jobs::run(job).await;
    }
    assert_eq!((left.job_status(&job).as_str(), backup(&left).as_deref()), ("success", Some("success")));
    // As if the end had not been noted.
    left.set("UPDATE jobs SET status = 'running', ended = NULL");
    left.set("UPDATE backups SET status = 'backing_up', ended = NULL, bytes = NULL");
    let (left, again) = left.recovered();
    assert_eq!((left.job_status(&job).as_str(), backup(&left).as_deref()), ("success", Some("success")));
    assert!(again.is_empty());
}

#[test]
fn backups_that_nobody_makes_any_more_do_not_stay_half_made() {
    let left = left();
    let jobs = ["manual", "import"].map(|method| {
        list_backup(&left, method, method);
        let (backup, user) = (noted(method), "ann".to_owned());
        let work = match method {
            "manual" => Work::CreateBackup { backup, user, keep: None },
            _ => Work::ImportBackup { backup, user, folder: "bucket/folder".into() },
        };
        left.job(&work, Was::Running(2), Status::Running)
    });
    let (left, again) = left.recovered();
    assert!(again.is_empty() && jobs.iter().all(|job| left.job_status(job) == "failed"));
    assert_eq!(
        left.text("SELECT group_concat(id || ' ' || status) FROM backups"),
        Some("manual failed".into())
    );
}

#[test]
fn a_backup_that_a_waiting_job_reads_stays_held() {
    let left = left();
    let from = Some(BackupOf { graph: left.graph.id.clone(), backup: BackupId("one".into()) });
    left.job(&Work::StartGraph { from }, Was::Waiting, Status::Starting);
    let (left, _) = left.recovered();
    assert_eq!(left.text("SELECT backup_id FROM jobs WHERE status = 'pending'"), Some("one".into()));
}

#[test]
fn work_of_an_earlier_version_fails_and_nothing_else_does() {
    for work in ["NULL", "'{\"Unknown\":{}}'", "'not json'"] {
        let left = left();
        let job = left.job(&import(), Was::Waiting, Status::Importing);
        left.set(&format!("UPDATE jobs SET work = {work}"));
        let (left, again) = left.recovered();
        assert_eq!((left.job_status(&job).as_str(), left.status(), again.len()), ("failed", 200, 0));
        assert_eq!(left.text("SELECT fail_reason FROM jobs").as_deref(), Some(INTERRUPTED));
    }
}

#[test]
fn nothing_goes_on_in_a_graph_that_cannot_be_opened() {
    let left = left();
    let job = left.job(&import(), Was::Waiting, Status::Importing);
    left.world.damage("/manifest/");
    let (left, again) = left.recovered();
    assert_eq!((left.job_status(&job).as_str(), left.status(), again.len()), ("failed", 300, 0));
}
