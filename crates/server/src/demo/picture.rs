//! What is looked at before the damage, after it, and after the restore.

use ::client::Api;
use serde_json::{Value, json};

use super::DemoError;
use super::client::data_list;
use super::packages::{CUT_OFF, FALSIFIED, Victims};
use super::story::{BATCH, DATA};

/// The graph as its data plane shows it: counts per label, content root, and everything that the
/// damage hits, element by element.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) summary: Value,
    /// The packages that are hit, with their properties.
    packages: Vec<Value>,
    /// All edges between the ends of the edges that are hit.
    edges: Vec<Value>,
}

/// One line of a comparison.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) before: Shown,
    pub(super) after: Shown,
}

/// A number or a text in a comparison.
#[derive(Debug, PartialEq)]
pub(super) enum Shown {
    Number(u64),
    Text(String),
}

impl Picture {
    pub(super) fn take(api: &Api, victims: &Victims) -> Result<Self, DemoError> {
        let summary = api.get(&format!("{DATA}/summary?label_details=true"))?;
        let root = &summary.body["data"]["contentRoot"];
        if !root.is_string() {
            return Err(summary.lacks("contentRoot").into());
        }
        let names: Vec<&String> = victims.cut_off.iter().chain(&victims.falsified).collect();
        let path = format!("{DATA}/vertices/action?action_id=batch-query");
        let packages = data_list(api, &path, &json!({"vertices": names}), "vertices")?;
        let path = format!("{DATA}/edges/action?action_id=batch-query");
        let mut edges = Vec::new();
        for batch in victims.edges.chunks(BATCH) {
            let ends = |(source, target): &(String, String)| json!({"source": source, "target": target});
            let asked = json!({"edges": batch.iter().map(ends).collect::<Vec<_>>()});
            edges.extend(data_list(api, &path, &asked, "edges")?);
        }
        Ok(Self { summary: summary.body["data"].clone(), packages, edges })
    }

    /// How many elements were read one by one.
    pub(super) fn elements(&self) -> usize {
        self.packages.len() + self.edges.len()
    }

    pub(super) fn count(&self, field: &str) -> u64 {
        self.summary[field].as_u64().unwrap_or_default()
    }

    pub(super) fn root(&self) -> &str {
        self.summary["contentRoot"].as_str().unwrap_or_default()
    }

    /// Counts of vertices or edges, the most frequent label first.
    fn labels(&self, group: &str) -> Vec<(String, u64)> {
        let counts = self.summary["labelDetails"][group].as_object();
        let counts = counts.into_iter().flatten();
        let mut labels: Vec<(String, u64)> =
            counts.map(|(label, count)| (label.clone(), count.as_u64().unwrap_or_default())).collect();
        labels.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        labels
    }

    /// The version of a package that is hit.
    fn version(&self, package: &str) -> String {
        let found = self.packages.iter().find(|vertex| vertex["id"] == package);
        let version = found.and_then(|vertex| vertex["properties"]["version"][0].as_str());
        version.unwrap_or("none").into()
    }

    /// What a package that is hit depends on.
    fn depends(&self, package: &str) -> String {
        let edges = self.edges.iter().filter(|edge| edge["source"] == package && edge["label"] == "Depends");
        let targets: Vec<&str> = edges.filter_map(|edge| edge["target"].as_str()).collect();
        if targets.is_empty() { "nothing".into() } else { targets.join(", ") }
    }

    /// Side by side: all counts, the root, and two packages of those that are hit.
    pub(super) fn compare(&self, after: &Self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (what, field, group) in
            [("vertices", "vertexNum", "labelInVertex"), ("edges", "edgeNum", "labelInEdge")]
        {
            let number = |picture: &Self| Shown::Number(picture.count(field));
            rows.push(Row { what: what.into(), before: number(self), after: number(after) });
            let later = after.labels(group);
            for (label, count) in self.labels(group) {
                let left = later.iter().find(|(name, _)| *name == label).map_or(0, |(_, count)| *count);
                let what = format!("  {label}");
                rows.push(Row { what, before: Shown::Number(count), after: Shown::Number(left) });
            }
        }
        let mut text = |what: String, show: &dyn Fn(&Self) -> String| {
            rows.push(Row { what, before: Shown::Text(show(self)), after: Shown::Text(show(after)) });
        };
        text("content root".into(), &|picture| picture.root().into());
        text(format!("{CUT_OFF} depends on"), &|picture| picture.depends(CUT_OFF));
        text(format!("version of {FALSIFIED}"), &|picture| picture.version(FALSIFIED));
        rows
    }
}
