use model::SchemaMode;
use transfer::{Dialect, ExportJob, FileStatus, ImportJob};

use crate::bucket::{Bucket, graph, import};

fn example(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../data/debian/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_example_graph_comes_in_whole_and_out_again() {
    let bucket = Bucket::default();
    for name in ["vertices.csv.gz", "edges.csv.gz", "schema.xml"] {
        bucket.put(&format!("debian/{name}"), &example(name));
    }
    let job = |folder: &str, end: &str| ImportJob {
        schema_path: Some(format!("{folder}/schema.xml")),
        vertexset_path: Some(format!("{folder}/vertices.csv{end}")),
        edgeset_path: Some(format!("{folder}/edges.csv{end}")),
        log_dir: Some("log".into()),
        ..ImportJob::default()
    };
    let first = graph(SchemaMode::Closed, &[]);
    let report = import(&first, &bucket, &job("debian", ".gz")).unwrap();
    for (files, lines) in [(&report.vertexset, 107_521), (&report.edgeset, 411_096)] {
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].status, FileStatus::Success);
        assert_eq!(
            (files[0].total_lines, files[0].failed_lines, files[0].successful_lines),
            (lines, 0, lines)
        );
        assert_eq!((&files[0].log, &files[0].cause), (&None, &None));
    }
    let snapshot = first.snapshot();
    assert_eq!(snapshot.content().vertices.count, 107_521);
    assert_eq!(snapshot.content().edges.count, 411_096);

    let export = ExportJob {
        path: "out/".into(),
        edge_set_name: "edges.csv".into(),
        vertex_set_name: "vertices.csv".into(),
        schema_name: "schema.xml".into(),
        rows_per_file: "200000".parse().ok(),
        dialect: Dialect::default(),
    };
    let report = transfer::export(&snapshot, &export, &bucket, &()).unwrap();
    assert_eq!(report.differences, []);
    let pages: Vec<_> = report.files.iter().map(|file| (file.path.as_str(), file.rows)).collect();
    assert_eq!(
        pages,
        [
            ("out/vertices.csv", 107_521),
            ("out/edges.csv/page-00000001.csv", 200_000),
            ("out/edges.csv/page-00000002.csv", 200_000),
            ("out/edges.csv/page-00000003.csv", 11_096),
            ("out/schema.xml", 0),
        ]
    );

    let second = graph(SchemaMode::Closed, &[]);
    import(&second, &bucket, &job("out", "")).unwrap();
    assert_eq!(second.snapshot().content().root(), snapshot.content().root());
}
