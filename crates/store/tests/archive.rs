//! Backups that leave as an archive and come in elsewhere: what arrives is what left, or nothing
//! arrives and the file at fault is named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

mod graph;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use graph::check;
use graph::world::{Dice, Kept, Listed, Step, World, history, request, settings};
use model::Kind;
use store::sim::{Faults, SimDisk, env_on};
use store::{ArchiveIndex, Error, Pin, PinKind, PinRequest, Pool, Settings, Shelf, ShelfFile, Store};

type Files = BTreeMap<String, Vec<u8>>;

/// A folder in memory, which stops taking files when `room` is used up.
#[derive(Clone, Default)]
struct Folder {
    files: Arc<Mutex<Files>>,
    room: Option<usize>,
}

struct Draft {
    folder: Folder,
    name: String,
    bytes: Vec<u8>,
}

impl Shelf for Folder {
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let files = self.files.lock().unwrap();
        let bytes = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn ShelfFile>> {
        Ok(Box::new(Draft { folder: self.clone(), name: name.into(), bytes: Vec::new() }))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ShelfFile for Draft {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut files = self.folder.files.lock().unwrap();
        if self.folder.room.is_some_and(|room| files.len() >= room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        files.insert(self.name, self.bytes);
        Ok(())
    }
}

impl Folder {
    fn of(files: &Files) -> Self {
        Self { files: Arc::new(Mutex::new(files.clone())), room: None }
    }

    fn files(&self) -> Files {
        self.files.lock().unwrap().clone()
    }
}

fn roomy() -> Settings {
    Settings { cache_bytes: 1 << 22, ..settings() }
}

fn pool_on(disk: &SimDisk, seed: u64) -> Pool {
    Store::new(env_on(disk, seed), roomy()).pool("q").unwrap()
}

fn imported(id: &str) -> PinRequest {
    PinRequest { kind: PinKind::Imported, ..request(id) }
}

fn export(pool: &Pool, pin: &Pin) -> Folder {
    let folder = Folder::default();
    pool.archive(pin).unwrap().export(&folder, &|_, _| true).unwrap();
    folder
}

fn import(pool: &Pool, id: &str, folder: &Folder) -> Result<Pin, Error> {
    pool.import("h", imported(id), folder, &|_, _| true)
}

/// A history with backups in many places, and those that are listed.
fn world(seed: u64) -> (World, Vec<Kept>) {
    let mut world = World::on(&SimDisk::default(), seed, roomy()).unwrap();
    for step in history(&Dice::new(seed)) {
        world.run(&step).unwrap();
        if world.pins.len() < 12 {
            world.run(&Step::Pin).unwrap();
        }
    }
    let kept = world.pins.iter().filter(|kept| kept.listed == Listed::Yes).cloned().collect();
    (world, kept)
}

/// One archive with chunks, a delta of the pool and a delta of its own, and what it holds.
fn sample() -> (Folder, Kept) {
    let dice = Dice::new(3);
    let mut world = World::on(&SimDisk::default(), 3, roomy()).unwrap();
    let commit = || Step::Commit(dice.changes(12));
    for step in [Step::Bulk(dice.load()), commit(), Step::Fold, commit(), Step::Pin, commit()] {
        world.run(&step).unwrap();
    }
    let kept = world.pins[0].clone();
    let folder = export(&world.pool, &world.pool.pin("g", &kept.id).unwrap());
    let count = |dir: &str| folder.files().keys().filter(|name| name.starts_with(dir)).count();
    assert!(count("chunk/") > 4 && count("delta/") == 2, "{:?}", folder.files().keys());
    (folder, kept)
}

fn check_restored(pool: &Pool, id: &str, kept: &Kept) {
    let pin = pool.pin("h", id).unwrap();
    assert_eq!((pin.owner(), pin.kind), ("h", PinKind::Imported));
    let graph = pool.restore("h", &pin).unwrap();
    let snapshot = graph.snapshot();
    assert_eq!(snapshot.recount().unwrap().root(), pin.root);
    check(&snapshot, &kept.model);
    graph.close().unwrap();
}

#[test]
fn every_backup_of_a_history_arrives_as_it_left() {
    for seed in 1..5 {
        let (world, all) = world(seed);
        let disk = SimDisk::default();
        let mut pool = pool_on(&disk, seed);
        for kept in &all {
            let pin = world.pool.pin("g", &kept.id).unwrap();
            let folder = export(&world.pool, &pin);
            let index = ArchiveIndex::read(&folder).unwrap().unwrap();
            assert_eq!((index.backup.as_str(), index.graph.as_str()), (pin.id.as_str(), "g"));
            let arrived = import(&pool, &kept.id, &folder).unwrap();
            assert_eq!((arrived.root, arrived.lsn, arrived.time_us), (pin.root, pin.lsn, pin.time_us));
            pool.collect_garbage().unwrap();
        }
        assert_eq!(pool.graphs().unwrap(), ["h"], "homes are no graphs");
        assert!(!pool.exists("h").unwrap());
        assert_eq!(pool.pins("h").unwrap().len(), all.len());
        for (kept, process) in all.iter().rev().zip(100..) {
            check_restored(&pool, &kept.id, kept);
            pool.collect_garbage().unwrap();
            disk.crash(0);
            pool = pool_on(&disk, process);
        }
        for kept in &all {
            pool.remove_pin("h", &kept.id).unwrap();
            assert_eq!(pool.remove_pin("h", &kept.id).unwrap_err().kind(), Kind::NotFound);
        }
        pool.collect_garbage().unwrap();
        let homes = disk.paths().iter().filter(|path| path.contains("_import_")).count();
        assert_eq!(homes, 0, "homes go with their backups");
        check_opens(&pool);
    }
}

fn check_opens(pool: &Pool) {
    let graph = pool.open("h").unwrap();
    let snapshot = graph.snapshot();
    assert_eq!(snapshot.recount().unwrap(), *snapshot.content());
    graph.close().unwrap();
}

#[test]
fn a_second_hand_archive_is_the_same_graph() {
    let (folder, kept) = sample();
    let pool = pool_on(&SimDisk::default(), 1);
    let first = import(&pool, "first", &folder).unwrap();
    let again = export(&pool, &first);
    let other = pool_on(&SimDisk::default(), 2);
    let second = import(&other, "second", &again).unwrap();
    assert_eq!(second.root, first.root);
    check_restored(&other, "second", &kept);
    // In the pool where everything is there already.
    import(&pool, "third", &again).unwrap();
    check_restored(&pool, "third", &kept);
    assert_eq!(import(&pool, "third", &again).unwrap_err().kind(), Kind::Conflict);
    check_restored(&pool, "third", &kept);
}

#[test]
fn an_archive_is_the_same_whenever_it_is_written() {
    let (mut world, kept) = world(7);
    let pins: Vec<Pin> = kept.iter().map(|kept| world.pool.pin("g", &kept.id).unwrap()).collect();
    let before: Vec<Files> = pins.iter().map(|pin| export(&world.pool, pin).files()).collect();
    for step in [Step::Fold, Step::Maintain, Step::CollectGarbage, Step::Reopen] {
        world.run(&step).unwrap();
    }
    for (pin, before) in pins.iter().zip(before) {
        let folder = export(&world.pool, pin);
        assert_eq!(folder.files(), before);
        world.pool.archive(pin).unwrap().export(&folder, &|_, _| true).unwrap();
    }
}

#[test]
fn an_archive_outlives_its_backup_while_it_is_held() {
    let (world, kept) = world(2);
    let pin = world.pool.pin("g", &kept[0].id).unwrap();
    let archive = world.pool.archive(&pin).unwrap();
    for kept in &kept {
        world.pool.remove_pin("g", &kept.id).unwrap();
    }
    world.pool.collect_garbage().unwrap();
    let folder = Folder::default();
    archive.export(&folder, &|_, _| true).unwrap();
    let total: u64 = archive.files().map(|(_, len)| len).sum();
    assert_eq!(total as usize, folder.files().values().map(Vec::len).sum::<usize>());
    let pool = pool_on(&SimDisk::default(), 1);
    import(&pool, "x", &folder).unwrap();
    check_restored(&pool, "x", &kept[0]);
}

#[test]
fn a_folder_keeps_the_backup_that_it_holds() {
    let (world, kept) = world(2);
    let pin = |nr: usize| world.pool.pin("g", &kept[nr].id).unwrap();
    let folder = export(&world.pool, &pin(0));
    let before = folder.files();
    let error = world.pool.archive(&pin(1)).unwrap().export(&folder, &|_, _| true).unwrap_err();
    assert!(error.kind() == Kind::Conflict && error.to_string().contains(&kept[0].id), "{error}");
    folder.files.lock().unwrap().insert("index".into(), b"nothing\n".to_vec());
    let error = world.pool.archive(&pin(0)).unwrap().export(&folder, &|_, _| true).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    folder.files.lock().unwrap().insert("index".into(), before["index"].clone());
    assert_eq!(folder.files(), before);
}

#[test]
fn an_export_that_ends_early_is_no_archive() {
    let (world, kept) = world(2);
    let pin = world.pool.pin("g", &kept[3].id).unwrap();
    let archive = world.pool.archive(&pin).unwrap();
    let total = archive.files().count();
    for room in 0..total {
        let folder = Folder { room: Some(room), ..Folder::default() };
        assert_eq!(archive.export(&folder, &|_, _| true).unwrap_err().kind(), Kind::Unavailable);
        assert!(ArchiveIndex::read(&folder).unwrap().is_none());
        let error = import(&pool_on(&SimDisk::default(), 1), "x", &folder).unwrap_err();
        assert!(error.kind() == Kind::Corrupt && error.to_string().starts_with("index"), "{error}");
    }
    let folder = Folder::default();
    let error = archive.export(&folder, &|done, _| done < 100).unwrap_err();
    assert!(matches!(error, Error::Interrupted));
    archive.export(&folder, &|_, _| true).unwrap();
}

/// Imports a spoilt archive into a pool with a graph: it must be refused by a name of `named`, and
/// leave nothing.
fn refused(files: &Files, named: &[&str], what: &str) {
    let disk = SimDisk::default();
    let pool = pool_on(&disk, 1);
    let error = import(&pool, "x", &Folder::of(files)).err();
    let error = error.unwrap_or_else(|| panic!("{named:?} {what} was taken in"));
    let message = error.to_string();
    assert!(matches!(error.kind(), Kind::Corrupt), "{named:?} {what}: {message}");
    assert!(named.iter().any(|name| message.contains(name)), "{named:?} {what}: {message}");
    assert!(pool.pins("h").unwrap().is_empty() && pool.graphs().unwrap().is_empty());
    pool.collect_garbage().unwrap();
    assert_eq!(disk.paths(), [""; 0], "{named:?} {what}: nothing is left");
}

#[test]
fn a_file_that_is_spoilt_is_named_and_nothing_arrives() {
    let (folder, _) = sample();
    let files = folder.files();
    for (name, bytes) in &files {
        let spoil = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut files = files.clone();
            change(files.get_mut(name).unwrap());
            refused(&files, &[name], what);
        };
        for len in [0, 1, 5, bytes.len() / 2, bytes.len() - 1] {
            spoil(&format!("cut to {len}"), &|bytes| bytes.truncate(len));
        }
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(23)) {
            spoil(&format!("with byte {at} changed"), &|bytes| bytes[at] ^= 1 << (at % 8));
        }
        spoil("with a byte more", &|bytes| bytes.push(b'\n'));
        let mut without = files.clone();
        without.remove(name);
        refused(&without, &[name], "gone");
        for (other, foreign) in files.iter().filter(|(other, _)| *other != name) {
            let what = format!("with the bytes of {other}");
            spoil(&what, &|bytes| bytes.clone_from(foreign));
        }
    }
}

/// Writes a file of two lines anew after a change of its first.
fn rewrite(files: &mut Files, name: &str, old: &str, new: &str) {
    let text = String::from_utf8(files[name].clone()).unwrap();
    let json = text.lines().next().unwrap();
    assert!(json.contains(old), "{json}");
    let json = json.replacen(old, new, 1);
    let hash = blake3::hash(json.as_bytes());
    files.insert(name.into(), format!("{json}\n{hash}\n").into_bytes());
}

/// Brings the index in line with a file that was changed.
fn rename_hash(files: &mut Files, name: &str, before: &[u8]) {
    let after = files[name].clone();
    let entry = |bytes: &[u8]| {
        let hash = blake3::hash(bytes);
        format!(r#"{{"name":"{name}","len":{},"blake3":"{hash}"}}"#, bytes.len())
    };
    rewrite(files, "index", &entry(before), &entry(&after));
}

/// Files whose hashes are all right and that do not belong together.
#[test]
fn an_archive_that_lies_is_refused() {
    let (folder, kept) = sample();
    let files = folder.files();
    let index = ArchiveIndex::read(&folder).unwrap().unwrap();
    let mut more = files.clone();
    more.insert("chunk/extra".into(), b"x".to_vec());
    let hash = blake3::hash(b"x");
    let extra = format!(r#""files":[{{"name":"../../../escape","len":1,"blake3":"{hash}"}},"#);
    rewrite(&mut more, "index", r#""files":["#, &extra);
    refused(&more, &["index"], "with a name that nothing needs");

    let mut twice = files.clone();
    let manifest = format!(
        r#"{{"name":"manifest","len":{},"blake3":"{}"}}"#,
        files["manifest"].len(),
        blake3::hash(&files["manifest"])
    );
    rewrite(&mut twice, "index", &manifest, &format!("{manifest},{manifest}"));
    refused(&twice, &["index"], "with a name twice");

    for (old, new) in [(kept.id.as_str(), "pin-9"), (&index.root, "00000000000000000000000000000000")] {
        let mut other = files.clone();
        rewrite(&mut other, "index", old, new);
        refused(&other, &["index"], "of another backup");
    }
    for (name, old, new) in [
        ("pin", format!(r#""vertices":{}"#, index.vertices), format!(r#""vertices":{}"#, index.vertices + 1)),
        ("pin", format!(r#""lsn":{}"#, index.lsn), format!(r#""lsn":{}"#, index.lsn + 1)),
        ("manifest", r#""removed":false"#.into(), r#""removed":true"#.into()),
        ("manifest", r#""format":1"#.into(), r#""format":2"#.into()),
        (
            "manifest",
            r#""deltas":["#.into(),
            r#""deltas":[{"id":"0000000000000000000000000000000000000000000000000000000000000000","len":9},"#
                .into(),
        ),
    ] {
        let mut lying = files.clone();
        rewrite(&mut lying, name, &old, &new);
        rename_hash(&mut lying, name, &files[name]);
        refused(&lying, &["index", "manifest", "pin"], &format!("with {new} in {name}"));
    }
    // Counts and root that agree with each other and not with the graph.
    let mut lying = files.clone();
    for name in ["pin", "manifest"] {
        rewrite(&mut lying, name, &index.root_or_sum(name, &files), "11111111111111111111111111111111");
        rename_hash(&mut lying, name, &files[name]);
    }
    rewrite(&mut lying, "index", &index.root, "11111111111111111111111111111111");
    refused(&lying, &["11111111111111111111111111111111"], "with another root");
}

/// What to falsify: the root of a pin, the first sum of a manifest.
trait Claim {
    fn root_or_sum(&self, name: &str, files: &Files) -> String;
}

impl Claim for ArchiveIndex {
    fn root_or_sum(&self, name: &str, files: &Files) -> String {
        let text = String::from_utf8(files[name].clone()).unwrap();
        match text.split_once(r#""sum":""#) {
            Some((_, rest)) if name == "manifest" => rest[..32].into(),
            _ => self.root.clone(),
        }
    }
}

/// After a crash at any operation of an import, and of a restore from it, the backup is whole or
/// not there, and what is left goes with the garbage.
#[test]
fn a_crash_at_any_operation_of_an_import() {
    let (folder, kept) = sample();
    let whole = SimDisk::default();
    import(&pool_on(&whole, 1), "x", &folder).unwrap();
    let operations = whole.operations();
    assert!(operations > 30, "{operations}");
    let mut arrived = 0;
    for (stop, lost) in (1..=operations + 1).flat_map(|stop| [0, 100, 200, 255].map(|lost| (stop, lost))) {
        let disk = SimDisk::default();
        let pool = pool_on(&disk, 1);
        disk.set_faults(Faults { stop_at: Some(stop), ..Faults::default() });
        let acknowledged = import(&pool, "x", &folder).is_ok();
        drop(pool);
        disk.crash(lost);
        let pool = pool_on(&disk, 2);
        pool.collect_garbage().unwrap();
        let listed = !pool.pins("h").unwrap().is_empty();
        assert!(listed || !acknowledged, "stopped at {stop}: it was acknowledged");
        assert!(!pool.exists("h").unwrap());
        if listed {
            arrived += 1;
            check_restored(&pool, "x", &kept);
        } else {
            pool.collect_garbage().unwrap();
            assert_eq!(disk.paths(), [""; 0], "stopped at {stop}, kept {lost}");
            import(&pool, "x", &folder).unwrap();
            check_restored(&pool, "x", &kept);
        }
    }
    assert!(arrived >= 4, "the last ones got through");
}

/// One sync that fails, and a disk that is full: the import fails, and can be done again.
#[test]
fn an_import_that_fails_can_be_repeated() {
    let (folder, kept) = sample();
    let whole = SimDisk::default();
    import(&pool_on(&whole, 1), "x", &folder).unwrap();
    let (operations, size) = (whole.operations(), whole.size());
    let syncs = (1..operations).map(|at| Faults { fail_sync_at: Some(at), ..Faults::default() });
    let full = (0..size).step_by(97).map(|room| Faults { capacity: Some(room), ..Faults::default() });
    for faults in syncs.chain(full) {
        let disk = SimDisk::default();
        let pool = pool_on(&disk, 1);
        disk.set_faults(faults.clone());
        let failed = import(&pool, "x", &folder);
        disk.set_faults(Faults::default());
        if let Err(error) = failed {
            assert_eq!(error.kind(), Kind::Unavailable, "{faults:?}: {error}");
            assert!(pool.pins("h").unwrap().is_empty(), "{faults:?}");
            pool.collect_garbage().unwrap();
            assert_eq!(disk.paths(), [""; 0], "{faults:?}");
            import(&pool, "x", &folder).unwrap();
        }
        check_restored(&pool, "x", &kept);
    }
}

/// Collections between the files of an import take nothing from it.
#[test]
fn garbage_is_collected_beside_an_import() {
    let (folder, kept) = sample();
    let disk = SimDisk::default();
    let pool = pool_on(&disk, 1);
    let beside = pool.clone();
    let collect = |_: u64, _: u64| beside.collect_garbage().is_ok();
    pool.import("h", imported("x"), &folder, &collect).unwrap();
    pool.collect_garbage().unwrap();
    check_restored(&pool, "x", &kept);
}
