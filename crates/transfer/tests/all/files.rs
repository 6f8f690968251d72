//! Which files are taken, which are refused, and that a refused import leaves nothing.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::{Kind, SchemaMode};
use store::{BulkOptions, ParallelEdges};
use transfer::{Dialect, Entry, Error, FileStatus, Files, ImportJob, Output, Sink, Source, Watch};

use crate::bucket::{Bucket, both, contents, graph, import, import_with};

#[test]
fn folders_and_packed_files_are_read_in_order_of_name() {
    let bucket = Bucket::with(&[
        ("in/v/part-2", "b,\n"),
        ("in/v/part-1/x.csv", "a,\n"),
        ("in/v/empty", ""),
        ("in/v/marker/", ""),
        ("in/e/plain", "a,b,first\n"),
    ]);
    bucket.put_gzip("in/e/zipped.CSV.GZ", b"a,b,second\n");
    let two_members = [bucket.get("in/e/zipped.CSV.GZ").unwrap(), bucket.get("in/e/zipped.CSV.GZ").unwrap()];
    bucket.put("in/e/zipped.CSV.GZ", &two_members.concat());
    let job = ImportJob {
        vertexset_path: Some("in/v/".into()),
        edgeset_path: Some("in/e".into()),
        ..ImportJob::default()
    };
    let keep_last = ParallelEdges::Override { by_label: false };
    let graph = graph(SchemaMode::Open, &[]);
    let report = import_with(&graph, &bucket, &job, keep_last).unwrap();
    let paths: Vec<_> = report.vertexset.iter().map(|file| (file.path.as_str(), file.total_lines)).collect();
    assert_eq!(paths, [("in/v/empty", 0), ("in/v/part-1/x.csv", 1), ("in/v/part-2", 1)]);
    assert_eq!(report.edgeset[1].total_lines, 2);
    assert_eq!(contents(&graph), ["(a:)", "(b:)", "a-[second]->b"]);
}

#[test]
fn parallel_edges_are_kept_as_asked() {
    let edges = "a,b,x\na,b,y\na,b,x\nb,a,x\n";
    let cases = [
        (ParallelEdges::Allow, &["a-[x]->b", "a-[x]->b", "a-[y]->b", "b-[x]->a"][..]),
        (ParallelEdges::Ignore { by_label: false }, &["a-[x]->b", "b-[x]->a"]),
        (ParallelEdges::Ignore { by_label: true }, &["a-[x]->b", "a-[y]->b", "b-[x]->a"]),
        (ParallelEdges::Override { by_label: false }, &["a-[x]->b", "b-[x]->a"]),
        (ParallelEdges::Override { by_label: true }, &["a-[x]->b", "a-[y]->b", "b-[x]->a"]),
    ];
    for (parallel, expected) in cases {
        let graph = graph(SchemaMode::Open, &[]);
        let job = ImportJob { edgeset_path: Some("edges.csv".into()), ..ImportJob::default() };
        import_with(&graph, &Bucket::with(&[("edges.csv", edges)]), &job, parallel).unwrap();
        let vertices = ["(a:__DEFAULT__)", "(b:__DEFAULT__)"];
        assert_eq!(contents(&graph), [&vertices[..], expected].concat(), "{parallel:?}");
    }
}

#[test]
fn vertices_come_from_the_edges_if_there_are_no_others() {
    let graph = graph(SchemaMode::Open, &[]);
    let bucket = Bucket::with(&[("edges.csv", "a,b,r\nb,c,s\nx,y,r,1\n"), ("more.csv", "c,a,r\nd,d,\n")]);
    for path in ["edges.csv", "more.csv"] {
        let job = ImportJob { edgeset_path: Some(path.into()), ..ImportJob::default() };
        import(&graph, &bucket, &job).unwrap();
    }
    let vertices = ["(a:__DEFAULT__)", "(b:__DEFAULT__)", "(c:__DEFAULT__)", "(d:__DEFAULT__)"];
    let edges = ["a-[r]->b", "b-[s]->c", "c-[r]->a", "d-[__DEFAULT__]->d"];
    assert_eq!(contents(&graph), [vertices, edges].concat(), "bad lines give no vertices");
}

#[test]
fn other_characters_can_stand_between_fields() {
    let graph = graph(SchemaMode::Open, &[]);
    let job = ImportJob { dialect: Dialect::parse(Some("，"), Some("'")).unwrap(), ..both() };
    let bucket = Bucket::with(&[
        ("vertices.csv", "'a，b'，l\n\"c\"，l\n'it''s'，l\n"),
        ("edges.csv", "'a，b'，\"c\"，r"),
    ]);
    import(&graph, &bucket, &job).unwrap();
    assert_eq!(contents(&graph), ["(\"c\":l)", "(a，b:l)", "(it's:l)", "a，b-[r]->\"c\""]);
}

#[test]
fn a_wrong_file_is_an_error_and_nothing_is_loaded() {
    let damaged = {
        let bucket = Bucket::default();
        let text: String = (0..5000).map(|n| format!("v{},v{},r\n", n * 7919 % 5000, n)).collect();
        bucket.put_gzip("x", text.as_bytes());
        let mut bytes = bucket.get("x").unwrap();
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    let cases: [(&str, &[u8], Kind, &str); 6] = [
        ("", b"", Kind::Invalid, "[edgeset_path] is empty"),
        ("nowhere.csv", b"", Kind::NotFound, "[edgeset_path]: there is no file at [nowhere.csv]"),
        (
            "bad.csv.gz",
            b"a,b,r\n",
            Kind::Invalid,
            "[bad.csv.gz] is named .gz but is not compressed with gzip",
        ),
        ("bad.csv.gz", b"", Kind::Invalid, "[bad.csv.gz] is named .gz but is not compressed with gzip"),
        ("cut.csv.gz", &damaged, Kind::Invalid, "[cut.csv.gz] is damaged"),
        (
            "wrong.csv",
            b"a|b|r\nb|c|r\n",
            Kind::Invalid,
            "none of the 2 lines of [wrong.csv] is good; the first: line 1: the line has 1 columns, but needs \
             at least 3: source, target, label",
        ),
    ];
    for (path, bytes, kind, message) in cases {
        let bucket = Bucket::with(&[("vertices.csv", "a,\nb,\n")]);
        if !bytes.is_empty() || path.ends_with(".gz") {
            bucket.put(path, bytes);
        }
        let graph = graph(SchemaMode::Open, &[]);
        let before = graph.snapshot().lsn();
        let job = ImportJob { edgeset_path: Some(path.into()), ..both() };
        let failure = import(&graph, &bucket, &job).unwrap_err();
        assert_eq!(failure.to_string(), message);
        assert_eq!(failure.error.kind(), kind, "{message}");
        assert_eq!((contents(&graph), graph.snapshot().lsn()), (vec![], before));
        if let [file] = failure.report.edgeset.as_slice() {
            assert_eq!((file.status, file.cause.as_deref()), (FileStatus::Failed, Some(message)));
        }
        // The graph takes writes again.
        import(&graph, &bucket, &ImportJob { edgeset_path: None, ..both() }).unwrap();
    }
}

#[test]
fn nothing_to_do_is_an_error() {
    let failure =
        import(&graph(SchemaMode::Open, &[]), &Bucket::default(), &ImportJob::default()).unwrap_err();
    assert!(matches!(failure.error, Error::NothingToImport));
}

#[test]
fn edges_beyond_the_limit_are_too_many() {
    for (limit, expected) in [(2, Ok(2)), (1, Err(Kind::Quota)), (0, Err(Kind::Quota))] {
        let graph = graph(SchemaMode::Open, &[]);
        let job = ImportJob {
            edgeset_path: Some("edges.csv".into()),
            edge_limit: Some(limit),
            ..ImportJob::default()
        };
        let bucket = Bucket::with(&[("edges.csv", "a,b,r\nbad\na,c,r\n")]);
        let done = import(&graph, &bucket, &job).map_err(|failure| failure.error.kind());
        assert_eq!(done.map(|report| report.loaded.unwrap().edges_added), expected);
        assert_eq!(contents(&graph).is_empty(), expected.is_err());
    }
}

/// One file that is said to have this many bytes, but ends after one line. No log can be written.
struct Liar(u64);

impl Source for Liar {
    fn list(&self, path: &str) -> io::Result<Vec<Entry>> {
        Ok(vec![Entry { path: path.into(), size: self.0 }])
    }

    fn open(&self, _: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(&b"a,b,r\nbad\n"[..]))
    }
}

impl Sink for Liar {
    fn create(&self, _: &str) -> io::Result<Box<dyn Output>> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn remove(&self, _: &str) -> io::Result<bool> {
        Ok(false)
    }
}

#[test]
fn a_failing_bucket_ends_the_import() {
    let run = |size, log_dir: Option<&str>| {
        let graph = graph(SchemaMode::Open, &[]);
        let load = graph.bulk_load(BulkOptions::default()).unwrap();
        let (edgeset_path, log_dir) = (Some("edges.csv".into()), log_dir.map(String::from));
        let job = ImportJob { edgeset_path, log_dir, ..ImportJob::default() };
        let bucket = Liar(size);
        let done = transfer::import(load, &job, Files { source: &bucket, sink: &bucket }, &());
        assert_eq!(contents(&graph).is_empty(), done.is_err());
        done.map(|_| ()).map_err(|failure| (failure.error.kind(), failure.to_string()))
    };
    assert_eq!(run(10, None), Ok(()));
    assert_eq!(run(11, None), Err((Kind::Invalid, "[edges.csv] is damaged".into())));
    let unwritten = "[log/edges-001-edges.csv] cannot be written";
    assert_eq!(run(10, Some("log/")), Err((Kind::Unavailable, unwritten.into())));
    let large = "[edges.csv] has 5368709121 bytes; a file has at most 5 GB";
    assert_eq!(run((5 << 30) + 1, None), Err((Kind::Invalid, large.into())));
}

#[test]
fn lines_are_counted_through_a_large_file() {
    let good = "a,b,\"r\"\r\n".repeat(400_000);
    let bucket = Bucket::with(&[("edges.csv", &format!("bad\n{good}\nbad\n{good}bad"))]);
    let graph = graph(SchemaMode::Open, &[]);
    let report = import(&graph, &bucket, &ImportJob { vertexset_path: None, ..both() }).unwrap();
    let [file] = report.edgeset.as_slice() else { panic!("{report:?}") };
    assert_eq!((file.total_lines, file.failed_lines, file.successful_lines), (800_003, 3, 800_000));
    let log = bucket.text("log/edges-001-edges.csv");
    let lines: Vec<_> = log.lines().map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(lines, ["1", "400003", "800004"]);
}

#[derive(Default)]
struct Impatient {
    seen: AtomicU64,
    stop_after: u64,
    stop: AtomicBool,
}

impl Watch for Impatient {
    fn progress(&self, done: u64, total: u64) {
        assert!(done <= total);
        assert!(self.seen.fetch_max(done, Ordering::SeqCst) <= done, "progress never goes back");
        if done >= self.stop_after {
            self.stop.store(true, Ordering::SeqCst);
        }
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

#[test]
fn an_import_can_be_watched_and_stopped() {
    let text: String = (0..600_000).map(|n| format!("v{},v{},r\n", n % 100, n / 100 % 100)).collect();
    let bucket = Bucket::with(&[("edges.csv", &text)]);
    let job = ImportJob { edgeset_path: Some("edges.csv".into()), ..ImportJob::default() };
    let run = |stop_after| {
        let graph = graph(SchemaMode::Open, &[]);
        let load = graph.bulk_load(BulkOptions::default()).unwrap();
        let watch = Impatient { stop_after, ..Impatient::default() };
        let done = transfer::import(load, &job, bucket.as_files(), &watch);
        (
            done.map(|_| ()).map_err(|failure| failure.to_string()),
            watch.seen.into_inner(),
            contents(&graph).len(),
        )
    };
    assert_eq!(run(u64::MAX), (Ok(()), text.len() as u64, 600_100));
    let (stopped, seen, elements) = run(1);
    assert_eq!((stopped, elements), (Err("stopped on request".into()), 0));
    assert!(seen > 0);
}
