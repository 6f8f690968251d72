//! Every reason for which a line is refused, as the log says it.

use model::{Cardinality, DataType, Label, LabelKind, Property, SchemaMode};
use transfer::FileStatus;

use crate::bucket::{Bucket, both, graph, import};

fn labels() -> Vec<Label> {
    let property =
        |name: &str, data_type, cardinality| Property { name: name.into(), data_type, cardinality };
    vec![
        Label {
            name: "person".into(),
            kind: LabelKind::Vertex,
            properties: vec![
                property("age", DataType::Int, Cardinality::Single),
                property("marks", DataType::Long, Cardinality::List),
                property("mood", DataType::Enum(vec!["good".into(), String::new()]), Cardinality::Single),
                property("code", DataType::CharArray(2), Cardinality::Single),
                property("born", DataType::Date, Cardinality::Single),
            ],
        },
        Label {
            name: "knows".into(),
            kind: LabelKind::Edge,
            properties: vec![property("since", DataType::Date, Cardinality::Single)],
        },
    ]
}

/// A line of a vertex file, and what is wrong with it.
const VERTICES: &[(&[u8], &str)] = &[
    (b"a", "the line has 1 columns, but needs at least 2: id, label"),
    (b",person", "column 1: the vertex id is empty"),
    (b"\"\",person", "column 1: the vertex id is empty"),
    (b"a,nobody", "column 2: label [nobody] does not exist"),
    (b"a,person;knows", "column 2: label [person;knows] does not exist"),
    (b"a,knows", "column 2: label [knows] is for Edge elements only"),
    (b"a,person,old", "column 3, property [age]: [old] is no int"),
    (b"a,person, 7", "column 3, property [age]: [ 7] is no int"),
    (b"a,person,\"\"", "column 3, property [age]: [] is no int"),
    (b"a,person,2147483648", "column 3, property [age]: [2147483648] is no int"),
    (b"a,person,,1;x", "column 4, property [marks]: [x] is no long"),
    (b"a,person,,1;", "column 4, property [marks]: [] is no long"),
    (b"a,person,,,bad", "column 5, property [mood]: [bad] is no name of the enum"),
    (b"a,person,,,,abc", "column 6, property [code]: [abc] is no char array of the declared length"),
    (b"a,person,,,,,2024-2-3", "column 7, property [born]: [2024-2-3] is no date"),
    (b"a,person,,,,,,more", "column 8: label [person] declares no property for it"),
    (b"a,,1", "column 3: label [__DEFAULT__] declares no property for it"),
    (b"\"a\"b,person", "column 1: there is text after the closing quote"),
    (b"a\xff,person", "byte 2 of the line is not UTF-8"),
    (b"a,person,\"7", "a quote is opened but never closed"),
];

const EDGES: &[(&[u8], &str)] = &[
    (b"ann,bob", "the line has 2 columns, but needs at least 3: source, target, label"),
    (b",bob,knows", "column 1: the vertex id is empty"),
    (b"ann,,knows", "column 2: the vertex id is empty"),
    (b"eve,bob,knows", "column 1: vertex [eve] does not exist"),
    (b"ann,eve,knows", "column 2: vertex [eve] does not exist"),
    (b"ann,bob,likes", "column 3: label [likes] does not exist"),
    (b"ann,bob,person", "column 3: label [person] is for Vertex elements only"),
    (b"ann,bob,knows,never", "column 4, property [since]: [never] is no date"),
    (b"ann,bob,knows,2024-01-01,x", "column 5: label [knows] declares no property for it"),
];

/// Good lines, then bad ones: the last must be the one whose quote never closes.
fn file(good: &str, bad: &[(&[u8], &str)]) -> Vec<u8> {
    let mut bytes = good.as_bytes().to_vec();
    for (line, _) in bad {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    bytes
}

fn log(path: &str, first_line: usize, bad: &[(&[u8], &str)]) -> String {
    let field = |text: &str| match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    };
    let entry = |(at, (line, reason)): (usize, &(&[u8], &str))| {
        let line = String::from_utf8_lossy(line);
        format!("{path},{},{},{}\n", first_line + at, field(reason), field(&line))
    };
    bad.iter().enumerate().map(entry).collect()
}

#[test]
fn bad_lines_are_logged_and_left_out() {
    let graph = graph(SchemaMode::Closed, &labels());
    let bucket = Bucket::default();
    bucket.put("vertices.csv", &file("ann,person,7,1;2,\"\"\r\n\nbob,person,,,,,,\n", VERTICES));
    bucket.put("edges.csv", &file("ann,bob,knows\nbob,ann,\n", EDGES));
    let report = import(&graph, &bucket, &both()).unwrap();

    let check = |files: &[transfer::FileReport], log_path: &str, first_line: usize, bad: &[(&[u8], &str)]| {
        let [file] = files else { panic!("{files:?}") };
        assert_eq!(file.status, FileStatus::PartFailed);
        assert_eq!(file.failed_lines, bad.len() as u64);
        assert_eq!(file.successful_lines, 2);
        assert_eq!(file.total_lines, bad.len() as u64 + 2);
        assert_eq!(file.cause, Some(format!("line {first_line}: {}", bad[0].1)));
        assert_eq!(file.log.as_deref(), Some(log_path));
        assert_eq!(bucket.text(log_path), log(&file.path, first_line, bad));
    };
    check(&report.vertexset, "log/vertices-001-vertices.csv", 4, VERTICES);
    check(&report.edgeset, "log/edges-001-edges.csv", 3, EDGES);
    let loaded = report.loaded.unwrap();
    assert_eq!((loaded.vertices_added, loaded.edges_added), (2, 2));
    assert_eq!(
        crate::bucket::contents(&graph),
        ["(ann:person age=7 marks=1;2 mood=)", "(bob:person)", "ann-[knows]->bob", "bob-[__DEFAULT__]->ann",]
    );
}

#[test]
fn an_open_graph_refuses_only_what_has_no_name() {
    let graph = graph(SchemaMode::Open, &[]);
    let id = "x".repeat(4097);
    let bucket = Bucket::with(&[
        ("vertices.csv", &format!("a,new\nb,\nc,n;m\nd,new,7\n{id},new\n")),
        ("edges.csv", "a,b,r\na,b,r/s\n"),
    ]);
    let report = import(&graph, &bucket, &both()).unwrap();
    assert_eq!(crate::bucket::contents(&graph), ["(a:new)", "(b:)", "a-[r]->b"]);
    assert_eq!(report.vertexset[0].failed_lines, 3);
    let reason = "label name [n;m] is not legal: 1 to 256 letters, digits, blanks or %@#$:?*.+-_";
    let vertices = [
        format!("vertices.csv,3,\"column 2: {reason}\",\"c,n;m\"\n"),
        "vertices.csv,4,column 3: label [new] declares no property for it,\"d,new,7\"\n".into(),
        format!("vertices.csv,5,\"column 1: the vertex id has 4097 bytes, more than 4096\",\"{id},new\"\n"),
    ];
    assert_eq!(bucket.text("log/vertices-001-vertices.csv"), vertices.concat());
    assert!(bucket.text("log/edges-001-edges.csv").contains("label name [r/s] is not legal"));
}
