//! The bytes on disk are those of `docs/format.md`, today and in every later version: a store
//! that is written from a seed equals the one in `golden/store`, byte by byte, and that one reads
//! as `golden/content.txt` says. After a wanted change of the format, or of zstd, write both anew:
//!
//! `GESTALT_BLESS=1 cargo test -p gestalt-store --test format`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at a surprise")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use model::{
    Cardinality, DataType, Date, DateTime, Kind, Label, LabelKind, Property, Props, Schema, SchemaMode,
    Value, VertexRecord,
};
use store::sim::{SimDisk, env_on};
use store::{
    BulkOptions, Disk, EdgeBatch, Error, Graph, GraphState, Pin, PinKind, PinRequest, Pool, Settings,
    Snapshot, Store, Transaction,
};

type Files = BTreeMap<String, Vec<u8>>;

fn settings() -> Settings {
    Settings {
        log_room_bytes: 256,
        compact_min_bytes: 0,
        compact_min_ids: 0,
        history_us: i64::MAX,
        ..Settings::default()
    }
}

fn pool(disk: &SimDisk, seed: u64) -> Pool {
    Store::new(env_on(disk, seed), settings()).pool("p").unwrap()
}

/// One of every type and cardinality.
fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("bool", Value::Bool(true)),
        ("int", Value::Int(-7)),
        ("long", Value::Long(i64::MIN)),
        ("float", Value::Float(0.5)),
        ("double", Value::Double(-0.0)),
        ("char", Value::Char('ß')),
        ("text", Value::text("naïve \"text\", 文字")),
        ("day", Value::Date(Date(-1))),
        ("second", Value::DateTime(DateTime(1_700_000_000))),
        ("list", Value::List(vec![Value::Int(2), Value::Int(1), Value::Int(2)])),
        ("set", Value::set(vec![Value::text("b"), Value::text("a"), Value::text("b")])),
    ]
}

fn props(tx: &mut Transaction<'_>, values: &[(&str, Value)]) -> Result<Props, Error> {
    let pairs = values.iter().map(|(name, value)| Ok((tx.key(name)?, value.clone())));
    Ok(Props::from_pairs(pairs.collect::<Result<_, Error>>()?))
}

fn add(tx: &mut Transaction<'_>, id: &str, labels: &[&str], values: &[(&str, Value)]) -> Result<(), Error> {
    let labels = labels.iter().map(|label| tx.label(label)).collect::<Result<_, _>>()?;
    let props = props(tx, values)?;
    tx.add_vertex(VertexRecord { id: id.into(), labels, props }).map(drop)
}

fn link(
    tx: &mut Transaction<'_>,
    ends: (&str, &str),
    label: &str,
    values: &[(&str, Value)],
) -> Result<(), Error> {
    let find = |tx: &Transaction<'_>, id: &str| Ok::<_, Error>(tx.vertex_by_id(id)?.unwrap());
    let (source, target, label) = (find(tx, ends.0)?, find(tx, ends.1)?, tx.label(label)?);
    let props = props(tx, values)?;
    tx.add_edge(source, target, label, props).map(drop)
}

fn commit(graph: &Graph, change: impl FnOnce(&mut Transaction<'_>) -> Result<(), Error> + Send + 'static) {
    graph.write(change).unwrap();
}

fn pin(graph: &Graph, id: &str, kind: PinKind) -> Pin {
    let request =
        PinRequest { id: id.into(), name: format!("the {id} one"), kind, requested_by: "us".into() };
    graph.add_pin(request).unwrap()
}

/// A graph that goes through everything, and ends with a log that is not folded.
fn write_open_graph(pool: &Pool) {
    let graph = pool.create("open", Schema::new(SchemaMode::Open)).unwrap();
    commit(&graph, |tx| {
        add(tx, "all", &["thing", "other thing"], &values())?;
        add(tx, "none", &["thing"], &[])?;
        add(tx, "mixed", &["other thing"], &[("int", Value::text("not an int")), ("text", Value::text(""))])?;
        link(tx, ("all", "none"), "likes", &values())?;
        link(tx, ("all", "none"), "likes", &[("int", Value::Int(1))])?;
        link(tx, ("all", "none"), "knows", &[])?;
        link(tx, ("none", "none"), "likes", &[])
    });
    pin(&graph, "first", PinKind::Manual);
    graph.fold().unwrap();
    while graph.maintain().unwrap() {}
    commit(&graph, |tx| {
        let (all, none) = (tx.vertex_by_id("all")?.unwrap(), tx.vertex_by_id("none")?.unwrap());
        let (first, label) = (tx.edges_between(all, none)?[0], tx.label("thing")?);
        tx.remove_edge(first)?;
        let props = props(tx, &[("long", Value::Long(12))])?;
        tx.replace_vertex(none, vec![label], props)?;
        let mixed = tx.vertex_by_id("mixed")?.unwrap();
        tx.remove_vertex(mixed)?;
        add(tx, "mixed", &[], &[])
    });
    graph.fold().unwrap();
    pin(&graph, "second", PinKind::Automatic);
    load(&graph);
    commit(&graph, |tx| add(tx, "late", &["thing"], &[]));
    let third = pin(&graph, "third", PinKind::Imported);
    commit(&graph, |tx| add(tx, "later", &["thing"], &[]));
    graph.close().unwrap();
    drop(graph);
    let graph = pool.restore("open", &third).unwrap();
    commit(&graph, |tx| add(tx, "last", &["thing"], &values()[..3]));
}

fn load(graph: &Graph) {
    let mut load = graph.bulk_load(BulkOptions::default()).unwrap();
    let key = load.schema_mut().intern_key("number").unwrap();
    let label = load.schema_mut().intern_label("loaded").unwrap();
    let vertex = |nr: i32| {
        let props = Props::from_pairs(vec![(key, Value::Int(nr))]);
        VertexRecord { id: format!("n{nr}").into(), labels: vec![label], props }
    };
    load.add_vertices((0..5).map(vertex).collect()).unwrap();
    let mut batch = EdgeBatch::new();
    for nr in 0..5 {
        let end = |nr: i32| load.find(&format!("n{}", nr % 5)).unwrap().unwrap();
        batch.push(end(nr), end(nr + 1), label, &Props::new());
    }
    load.add_edges(&batch).unwrap();
    load.commit().unwrap();
}

/// A graph with a closed schema that was closed in good order, and one that was removed.
fn write_closed_graph(pool: &Pool) {
    let graph = pool.create("closed", Schema::new(SchemaMode::Closed)).unwrap();
    commit(&graph, |tx| {
        let property = |(name, data_type, cardinality): (&str, DataType, Cardinality)| Property {
            name: name.into(),
            data_type,
            cardinality,
        };
        let declared = [
            ("grade", DataType::Enum(vec!["low".into(), "high".into()]), Cardinality::Single),
            ("code", DataType::CharArray(3), Cardinality::Single),
            ("tags", DataType::String, Cardinality::Set),
        ];
        let properties = declared.map(property).into();
        tx.add_label(Label { name: "declared".into(), kind: LabelKind::Vertex, properties })?;
        let values = [("grade", Value::text("low")), ("tags", Value::set(vec![Value::text("x")]))];
        add(tx, "v", &["declared"], &values)
    });
    graph.close().unwrap();
    drop(graph);
    let removed = pool.create("removed", Schema::new(SchemaMode::Open)).unwrap();
    commit(&removed, |tx| add(tx, "gone", &[], &[]));
    removed.close().unwrap();
    pool.remove_graph("removed").unwrap();
}

fn written() -> Files {
    let disk = SimDisk::default();
    let pool = pool(&disk, 1);
    write_open_graph(&pool);
    write_closed_graph(&pool);
    disk.paths().into_iter().map(|path| (path.clone(), disk.read(&path).unwrap())).collect()
}

/// Everything there is to read, for people.
fn describe(snapshot: &Snapshot) -> Result<String, Error> {
    assert_eq!(snapshot.recount()?, *snapshot.content());
    let content = snapshot.content();
    let mut out = format!(
        "commit {} at {} µs, {} vertices, {} edges, root {}\n",
        snapshot.lsn(),
        snapshot.time_us(),
        content.vertices.count,
        content.edges.count,
        content.root()
    );
    for chunk in 0..snapshot.chunks() {
        for (vid, vertex) in snapshot.chunk_vertices(chunk)? {
            assert_eq!(snapshot.vertex_by_id(&vertex.id)?, Some(vid));
            let labels: Vec<_> =
                vertex.labels.iter().map(|label| snapshot.schema().label_name(*label)).collect();
            writeln!(out, "{} {labels:?} {}", vertex.id, describe_props(snapshot, &vertex.props)).unwrap();
        }
        for (edge, props) in snapshot.chunk_edges(chunk)? {
            let id = |vid| Ok::<_, Error>(snapshot.vertex_id(vid)?.unwrap());
            let (source, target) = (id(edge.source)?, id(edge.target)?);
            let label = snapshot.schema().label_name(edge.label);
            let props = describe_props(snapshot, &props);
            writeln!(out, "{source} -{label}[{}]-> {target} {props}", edge.rank).unwrap();
        }
    }
    Ok(out)
}

fn describe_props(state: &GraphState, props: &Props) -> String {
    let pairs = props.iter().map(|(key, value)| format!("{}={value:?}", state.schema().key_name(*key)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Graphs, then backups.
fn describe_all(files: &Files) -> String {
    let disk = SimDisk::default();
    for (path, bytes) in files {
        disk.create(path).unwrap().write_all(bytes).unwrap();
    }
    let pool = pool(&disk, 99);
    let mut out = String::new();
    for id in pool.graphs().unwrap() {
        for (nr, pin) in pool.pins(&id).unwrap().iter().enumerate() {
            let copy = pool.restore(&format!("copy-{id}-{nr}"), pin).unwrap();
            // The name of the state before a restore is drawn from the seed.
            let name = if pin.kind == PinKind::Undo { "undo" } else { &pin.name };
            let what = format!("{:?} by {}, {} bytes", pin.kind, pin.requested_by, pin.stored_bytes);
            writeln!(out, "== {id}, {name}: {what}, {:?}", pin.labels).unwrap();
            out += &describe(&copy.snapshot()).unwrap();
        }
        let graph = pool.open(&id).unwrap();
        writeln!(out, "== {id}, {:?}", graph.snapshot().schema().labels()).unwrap();
        out += &describe(&graph.snapshot()).unwrap();
    }
    out
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read_golden(dir: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_golden(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, std::fs::read(entry.path()).unwrap());
        }
    }
}

fn bless(files: &Files) {
    let store = golden().join("store");
    if store.exists() {
        std::fs::remove_dir_all(&store).unwrap();
    }
    for (path, bytes) in files {
        let path = store.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(golden().join("content.txt"), describe_all(files)).unwrap();
}

#[test]
fn what_is_written_and_read_is_golden() {
    let written = written();
    if std::env::var_os("GESTALT_BLESS").is_some() {
        bless(&written);
    }
    let mut stored = Files::new();
    read_golden(&golden().join("store"), "", &mut stored);
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&stored));
    for (path, bytes) in &written {
        let differs = bytes.iter().zip(&stored[path]).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{path} differs at this byte");
        assert_eq!(bytes.len(), stored[path].len(), "{path} has another length");
    }
    let content = std::fs::read_to_string(golden().join("content.txt")).unwrap();
    assert_eq!(describe_all(&stored), content);
}

#[test]
fn every_kind_of_file_and_of_value_is_among_them() {
    let written = written();
    let magic = |wanted: &[u8]| written.values().any(|bytes| bytes.starts_with(wanted));
    for wanted in ["GLOG", "GSEG", "GDLT", "GTRE", "GPAG", "GPRT\x01", "GPRT\x02", "GPRT\x03", "GPRT\x04"] {
        assert!(magic(wanted.as_bytes()), "{wanted:?}");
    }
    for place in ["/manifest/", "/pin/"] {
        assert!(written.keys().any(|path| path.contains(place)));
    }
    let tags: Vec<u8> = values().iter().map(|(_, value)| value.tag()).collect();
    assert_eq!(tags, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
}

/// A newer version may have changed anything but the number of its format.
#[test]
fn a_newer_format_is_refused_by_name() {
    for (place, needed) in [("/manifest/", 4), ("/pin/", 4)] {
        let files = written();
        let mut refusals = 0;
        for path in files.keys().filter(|path| path.contains("/open/") && path.contains(place)) {
            let disk = SimDisk::default();
            for (path, bytes) in &files {
                disk.create(path).unwrap().write_all(bytes).unwrap();
            }
            disk.tamper(path, |bytes| {
                let json = r#"{"format":2,"everything":"else"}"#;
                *bytes = format!("{json}\n{}\n", blake3::hash(json.as_bytes()).to_hex()).into_bytes();
            });
            let pool = pool(&disk, 2);
            let id = path.rsplit('/').next().unwrap();
            let refused = [
                pool.open("open").map(drop).err(),
                pool.pin("open", id).map(drop).err(),
                pool.collect_garbage().map(drop).err(),
            ];
            let refused = refused.into_iter().flatten().filter(|error| error.kind() == Kind::Corrupt);
            let messages: Vec<_> = refused.map(|error| error.to_string()).collect();
            let told = |text: &String| text.contains("newer version") && text.contains(path.as_str());
            assert!(messages.iter().all(told), "{path}: {messages:?}");
            refusals += usize::from(!messages.is_empty());
        }
        assert!(refusals >= needed, "{refusals} of {place}");
    }
}
