//! Every kind of file, cut short, with flipped bits, in the place of another, or gone: reading
//! gives what was written or an error that names the file, never something else.
//!
//! The one exception: the end of the log of a graph that was not closed. Bytes that are cut off
//! there, or a last record that does not check, are what a crash leaves (`log.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

mod graph;

use std::collections::{BTreeMap, BTreeSet};

use graph::world::{Dice, Step, World, settings};
use graph::{Flat, flatten, read_proven};
use model::Kind;
use store::sim::{SimDisk, env_on};
use store::{Disk, Error, Graph, Settings, Store};

type Files = BTreeMap<String, Vec<u8>>;

/// What a disk holds, and what can be read from it.
struct Image {
    files: Files,
    /// The graph, as it is and as it was after each of the last commits.
    present: Vec<Flat>,
    /// By backup.
    pins: BTreeMap<String, Flat>,
    /// Whether the graph was closed.
    closed: bool,
}

/// A graph with at least one file of every kind, that its present state or a backup needs.
fn image(closed: bool) -> Image {
    let dice = Dice::new(1);
    let commit = || Step::Commit(dice.changes(10));
    let mut world = World::on(&SimDisk::default(), 1, roomy()).unwrap();
    let steps = [
        commit(),
        Step::Fold,
        commit(),
        Step::Pin,
        Step::Fold,
        Step::Maintain,
        Step::Maintain,
        Step::Pin,
        Step::Bulk(dice.load()),
        Step::Pin,
        Step::Bulk(dice.load()),
        commit(),
        Step::Fold,
        Step::Pin,
        commit(),
        Step::Pin,
        commit(),
        Step::Restore(3),
        commit(),
        Step::Fold,
        commit(),
        Step::Pin,
        Step::CollectGarbage,
    ];
    steps.iter().for_each(|step| world.run(step).unwrap());
    let mut present = vec![flatten(&world.model)];
    for _ in 0..3 {
        world.run(&commit()).unwrap();
        present.push(flatten(&world.model));
    }
    if closed {
        world.close();
    }
    let pins = world.pins.iter().map(|kept| (kept.id.clone(), flatten(&kept.model)));
    let read = |path: String| (path.clone(), world.disk.read(&path).unwrap());
    let files = world.disk.paths().into_iter().map(read).collect();
    Image { files, present, pins: pins.collect(), closed }
}

fn roomy() -> Settings {
    Settings { cache_bytes: 1 << 22, ..settings() }
}

/// The kind of a file, by its place and its first bytes.
fn kind_of(path: &str, bytes: &[u8]) -> &'static str {
    match (path, bytes.get(..4).unwrap_or_default()) {
        (path, _) if path.contains("/manifest/") => "manifest",
        (path, _) if path.contains("/pin/") => "pin",
        (_, b"GLOG") => "active segment",
        (_, b"GSEG") => "sealed segment",
        (_, b"GDLT") => "delta",
        (_, b"GTRE") => "tree",
        (_, b"GPAG") => "page",
        (_, b"GPRT") => ["rows", "out-edges", "in-edges", "ids"][usize::from(bytes[4]) - 1],
        _ => panic!("{path} is of no known kind"),
    }
}

impl Image {
    /// Reads everything from `files`. Whatever can be read is right; returns what cannot.
    fn examine(&self, files: &Files) -> Vec<Error> {
        let disk = SimDisk::default();
        for (path, bytes) in files {
            disk.create(path).unwrap().write_all(bytes).unwrap();
        }
        let pool = Store::new(env_on(&disk, 99), roomy()).pool("p").unwrap();
        let read = |graph: Graph| read_proven(&graph.snapshot());
        let mut errors = Vec::new();
        match pool.open("g").and_then(read) {
            Ok(found) if self.closed => assert_eq!(found, self.present[self.present.len() - 1]),
            Ok(found) => assert!(self.present.contains(&found), "a state that never was: {found:?}"),
            Err(error) => errors.push(error),
        }
        for (id, kept) in &self.pins {
            let restored = pool.pin("g", id).and_then(|pin| pool.restore(&format!("of-{id}"), &pin));
            match restored.and_then(read) {
                Ok(found) => assert_eq!(found, *kept, "{id}"),
                Err(error) => errors.push(error),
            }
        }
        errors.extend(pool.pins("g").err());
        errors.extend(pool.collect_garbage().err());
        errors
    }

    /// Damages files, and checks that whatever cannot be read because of it is said to be damaged,
    /// by name. Returns whether anything was.
    fn try_damage(&self, damaged: &[&str], what: &str, change: impl FnOnce(&mut Files)) -> bool {
        let mut files = self.files.clone();
        change(&mut files);
        let errors = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.examine(&files)));
        let errors = errors.unwrap_or_else(|_| panic!("{damaged:?}: {what}"));
        for error in &errors {
            let message = error.to_string();
            assert_eq!(error.kind(), Kind::Corrupt, "{damaged:?}: {what}: {message}");
            assert!(damaged.iter().any(|path| message.contains(path)), "{damaged:?}: {what}: {message}");
        }
        !errors.is_empty()
    }

    /// Files by kind.
    fn kinds(&self) -> BTreeMap<&'static str, Vec<&str>> {
        let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (path, bytes) in &self.files {
            kinds.entry(kind_of(path, bytes)).or_default().push(path.as_str());
        }
        kinds
    }

    /// The length up to which a file must be as it was.
    fn guarded(&self, path: &str) -> usize {
        let bytes = &self.files[path];
        if kind_of(path, bytes) != "active segment" || self.closed {
            return bytes.len();
        }
        let mut ends = record_ends(bytes);
        ends.pop();
        ends.pop().unwrap()
    }
}

/// Where the header and each record of a segment end.
fn record_ends(bytes: &[u8]) -> Vec<usize> {
    // Magic, version, length and name of the timeline, one byte of number, hash, checksum.
    let mut end = 4 + 1 + 1 + 32 + 1 + 32 + 4;
    let mut ends = vec![end];
    // Room is zeros.
    while let Some(len @ 1..) =
        bytes.get(end..).and_then(|rest| rest.first_chunk()).map(|len| u32::from_le_bytes(*len))
    {
        end += 12 + len as usize;
        ends.push(end);
    }
    ends
}

const KINDS: [&str; 11] = [
    "active segment",
    "delta",
    "ids",
    "in-edges",
    "manifest",
    "out-edges",
    "page",
    "pin",
    "rows",
    "sealed segment",
    "tree",
];

/// Runs `damage` on every file of every kind; each kind must have been found out at least once.
fn each_file(image: &Image, damage: impl Fn(&str, &[u8]) -> bool) {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for (kind, paths) in image.kinds() {
        for path in paths {
            if damage(path, &image.files[path]) {
                found.insert(kind);
            }
        }
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), KINDS);
}

#[test]
fn the_undamaged_images_hold_every_kind_and_read_well() {
    for closed in [true, false] {
        let image = image(closed);
        assert_eq!(image.kinds().into_keys().collect::<Vec<_>>(), KINDS);
        let errors = image.examine(&image.files);
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn files_that_are_cut_short() {
    let image = image(false);
    each_file(&image, |path, bytes| {
        let lengths = [0, 1, 4, 5, 8, bytes.len() / 3, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1];
        let cut = |len: usize| {
            image.try_damage(&[path], &format!("cut to {len}"), |files| {
                files.get_mut(path).unwrap().truncate(len);
            })
        };
        lengths.into_iter().filter(|len| cut(*len)).count() > 0
    });
}

#[test]
fn flipped_bits() {
    let image = image(false);
    let dice = Dice::new(2);
    each_file(&image, |path, bytes| {
        let guarded = image.guarded(path);
        let stride = bytes.len().div_ceil(40).max(1);
        let places = (0..bytes.len()).filter(|at| *at < 12 || at % stride == 0 || at + 3 > bytes.len());
        let flip = |at: usize| {
            let bit = dice.below(8);
            let found = image.try_damage(&[path], &format!("bit {bit} of byte {at}"), |files| {
                files.get_mut(path).unwrap()[at] ^= 1 << bit;
            });
            let log = kind_of(path, bytes).contains("active");
            assert!(found || !log || at >= guarded, "bit {bit} of byte {at} of {path} was not found");
            found
        };
        places.filter(|at| flip(*at)).count() > 0
    });
}

/// Every bit of every record of a log that is not its last one.
#[test]
fn flipped_bits_in_an_active_segment() {
    let image = image(false);
    let logs = image.kinds().remove("active segment").unwrap();
    let newest = logs.into_iter().max_by_key(|path| image.files[*path].len()).unwrap();
    for at in 0..image.guarded(newest) {
        let bit = (at * 5) % 8;
        let flip = |files: &mut Files| files.get_mut(newest).unwrap()[at] ^= 1 << bit;
        let found = image.try_damage(&[newest], &format!("bit {bit} of byte {at}"), flip);
        assert!(found, "bit {bit} of byte {at} of {newest} was not found");
    }
}

#[test]
fn files_in_each_others_place() {
    let image = image(true);
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for (kind, paths) in image.kinds() {
        for pair in paths.windows(2) {
            let swap = |files: &mut Files| {
                let first = files.insert(pair[0].into(), image.files[pair[1]].clone()).unwrap();
                files.insert(pair[1].into(), first);
            };
            if image.try_damage(pair, "swapped", swap) {
                found.insert(kind);
            }
        }
    }
    let alone: Vec<_> = KINDS.into_iter().filter(|kind| !found.contains(kind)).collect();
    assert_eq!(alone, ["active segment"], "of which there is one");
}

#[test]
fn files_that_are_gone() {
    for closed in [true, false] {
        let image = image(closed);
        each_file(&image, |path, _| {
            let mut files = image.files.clone();
            files.remove(path);
            let examined = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| image.examine(&files)));
            let errors = examined.unwrap_or_else(|_| panic!("{path} is gone"));
            for error in &errors {
                // What is gone cannot always be named; then the place where it is missed is.
                let missing_pin = error.kind() == Kind::NotFound && path.contains("/pin/");
                let told = error.kind() == Kind::Corrupt && error.to_string().contains("pool/p/");
                assert!(missing_pin || told, "{path} is gone: {error}");
            }
            !errors.is_empty()
        });
    }
}

/// Bytes that nobody wrote, after the end.
#[test]
fn files_that_are_too_long() {
    let image = image(true);
    for path in image.files.keys() {
        for extra in [&[0u8][..], b"\n", &[0xff; 40]] {
            image.try_damage(&[path], &format!("{} bytes more", extra.len()), |files| {
                files.get_mut(path).unwrap().extend_from_slice(extra);
            });
        }
    }
}

/// Damage that a restore must get past: the graph is broken, its backup is not.
#[test]
fn a_graph_whose_log_is_damaged_can_be_restored() {
    let image = image(false);
    let logs = image.kinds().remove("active segment").unwrap();
    let newest = logs.into_iter().max_by_key(|path| record_ends(&image.files[*path]).len()).unwrap();
    let disk = SimDisk::default();
    for (path, bytes) in &image.files {
        disk.create(path).unwrap().write_all(bytes).unwrap();
    }
    // In a record that no backup needs.
    disk.tamper(newest, |bytes| bytes[image.guarded(newest) - 3] ^= 1);
    let pool = Store::new(env_on(&disk, 99), roomy()).pool("p").unwrap();
    assert_eq!(pool.open("g").unwrap_err().kind(), Kind::Corrupt);
    for (id, kept) in &image.pins {
        let pin = pool.pin("g", id).unwrap();
        let graph = pool.restore("g", &pin).unwrap();
        assert_eq!(read_proven(&graph.snapshot()).unwrap(), *kept);
        graph.close().unwrap();
        pool.collect_garbage().unwrap();
    }
    let undo = pool.pins("g").unwrap().into_iter().filter(|pin| pin.id.starts_with("undo")).count();
    assert!(undo > image.pins.len(), "even the damaged state is kept as far as it can be read");
}
