use axum::Json;
use axum::extract::Path;
use model::{DEFAULT_LABEL, LabelId, Props, VertexRecord, Vid};
use serde_json::{Map, Value, json};
use store::{Snapshot, Transaction};

use super::values::{self, Given};
use super::{Body, DataError, Target, action_of, batch, success};
use crate::http::Parameters;
use crate::http::body::Fields;

/// A list of vertices is null.
const NO_VERTICES: &str = "GES.8214";
/// Properties of a vertex cannot be changed.
const PROPERTIES: &str = "GES.8220";

/// A vertex as a request gives it.
struct Wanted {
    id: String,
    label: Option<String>,
    properties: Map<String, Value>,
}

pub(super) async fn detail(target: Target, parameters: Parameters) -> Result<Json<Value>, DataError> {
    let ids = parameters.get("vertexIds").filter(|ids| !ids.is_empty());
    let ids = ids.ok_or_else(|| DataError::parameter("[vertexIds] is missing"))?;
    let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
    target.read(move |snapshot| Ok(json!({"data": {"vertices": find(snapshot, &ids)?}}))).await
}

/// The vertices that are there; others are left out without a word.
fn find(snapshot: &Snapshot, ids: &[String]) -> Result<Vec<Value>, DataError> {
    let mut found = Vec::new();
    for id in ids {
        if let Some(vid) = snapshot.vertex_by_id(id)?
            && let Some(vertex) = snapshot.vertex(vid)?
        {
            found.push(show(snapshot, &vertex));
        }
    }
    Ok(found)
}

fn show(snapshot: &Snapshot, vertex: &VertexRecord) -> Value {
    let schema = snapshot.schema();
    let names: Vec<&str> = vertex.labels.iter().map(|label| schema.label_name(*label)).collect();
    let mut shown = json!({
        "id": &*vertex.id,
        "label": names.first().copied().unwrap_or_default(),
        "properties": values::show(schema, &vertex.props),
    });
    if names.len() > 1 {
        shown["labels"] = json!(names);
    }
    shown
}

pub(super) async fn action(
    target: Target,
    parameters: Parameters,
    Body(body): Body,
) -> Result<Json<Value>, DataError> {
    match action_of(&parameters)? {
        "batch-query" => {
            let ids = ids(&body)?;
            let reply = move |snapshot: &Snapshot| {
                Ok(json!({"data": {"vertices": find(snapshot, &ids)?}, "result": "success"}))
            };
            target.read(reply).await
        }
        "batch-add" => {
            let items = batch(&body, "vertices", NO_VERTICES)?;
            let given = items.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
            let replace = body.flag("overrideExists")?.unwrap_or(false);
            let existing = if replace { Existing::Replace } else { Existing::Keep };
            write(target, move |tx| given.iter().try_for_each(|vertex| put(tx, vertex, existing))).await
        }
        "batch-delete" => {
            let ids = ids(&body)?;
            write(target, move |tx| {
                for id in &ids {
                    if let Some(vid) = tx.vertex_by_id(id)? {
                        tx.remove_vertex(vid)?;
                    }
                }
                Ok(())
            })
            .await
        }
        other => Err(DataError::parameter(format!("[action_id] has no value [{other}]"))),
    }
}

async fn write(
    target: Target,
    change: impl FnOnce(&mut Transaction<'_>) -> Result<(), DataError> + Send + 'static,
) -> Result<Json<Value>, DataError> {
    target
        .writable()?
        .run(move |target| {
            target.graph.write(change)?;
            Ok(Json(success()))
        })
        .await
}

fn ids(body: &Fields) -> Result<Vec<String>, DataError> {
    let id = |item: Value| match item {
        Value::String(id) => Ok(id),
        other => Err(DataError::parameter(format!("[vertices] holds [{other}], which is no id"))),
    };
    batch(body, "vertices", NO_VERTICES)?.into_iter().map(id).collect()
}

fn parse(item: Value) -> Result<Wanted, DataError> {
    let refuse =
        |what: &str| DataError::parameter(format!("[vertices]: [{what}] is missing or has another type"));
    let Value::Object(mut item) = item else { return Err(refuse("vertex")) };
    let id = match item.remove("vertex") {
        Some(Value::String(id)) if !id.is_empty() => id,
        _ => return Err(refuse("vertex")),
    };
    let label = match item.remove("label") {
        None | Some(Value::Null) => None,
        Some(Value::String(label)) => Some(label),
        Some(_) => return Err(refuse("label")),
    };
    let properties = match item.remove("properties") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(refuse("properties")),
    };
    Ok(Wanted { id, label, properties })
}

/// What to do with a vertex that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Keep,
    Replace,
    Refuse,
}

fn put(tx: &mut Transaction<'_>, given: &Wanted, existing: Existing) -> Result<(), DataError> {
    let labels = vec![tx.label(given.label.as_deref().unwrap_or(DEFAULT_LABEL))?];
    let read = values::read(tx.schema(), &labels, &given.properties)?;
    let props = values::merge(tx, Props::new(), &read)?;
    match (tx.vertex_by_id(&given.id)?, existing) {
        (None, _) => {
            tx.add_vertex(VertexRecord { id: given.id.as_str().into(), labels, props })?;
        }
        (Some(_), Existing::Keep) => {}
        (Some(vid), Existing::Replace) => tx.replace_vertex(vid, labels, props)?,
        (Some(_), Existing::Refuse) => {
            return Err(DataError::parameter(format!("vertex [{}] already exists", given.id)));
        }
    }
    Ok(())
}

pub(super) async fn add(target: Target, Body(body): Body) -> Result<Json<Value>, DataError> {
    let item = ["vertex", "label", "properties"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), body.get(name)?.clone())));
    let given = parse(Value::Object(item.collect()))?;
    write(target, move |tx| put(tx, &given, Existing::Refuse)).await
}

fn id_in(path: &Map<String, Value>) -> String {
    path.get("vertex").and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) async fn delete(
    target: Target,
    Path(path): Path<Map<String, Value>>,
) -> Result<Json<Value>, DataError> {
    let id = id_in(&path);
    write(target, move |tx| {
        let vid = existing(tx, &id)?;
        tx.remove_vertex(vid)?;
        Ok(())
    })
    .await
}

fn existing(tx: &Transaction<'_>, id: &str) -> Result<Vid, DataError> {
    tx.vertex_by_id(id)?.ok_or_else(|| DataError::new(PROPERTIES, format!("vertex [{id}] does not exist")))
}

/// Which way properties change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They take the place of what was there.
    Update,
    /// They are appended to lists and sets.
    Add,
    /// They go.
    Delete,
}

impl Change {
    pub(super) fn parse(action: &str) -> Result<Self, DataError> {
        match action {
            "update" => Ok(Self::Update),
            "add" => Ok(Self::Add),
            "del" => Ok(Self::Delete),
            other => Err(DataError::parameter(format!("[action_id] has no value [{other}]"))),
        }
    }

    /// The properties after the change.
    pub(super) fn apply(
        self,
        tx: &mut Transaction<'_>,
        labels: &[LabelId],
        mut props: Props,
        given: &Map<String, Value>,
    ) -> Result<Props, DataError> {
        let read = match self {
            Self::Delete => given.keys().map(|name| (name.clone(), None)).collect(),
            Self::Update | Self::Add => values::read(tx.schema(), labels, given)?,
        };
        if self != Self::Add {
            return values::merge(tx, props, &read);
        }
        for (name, value) in read {
            let key = tx.key(&name)?;
            let joined = match (props.remove(key), value) {
                (Some(model::Value::List(mut old)), Some(model::Value::List(new))) => {
                    old.extend(new);
                    Some(model::Value::List(old))
                }
                (Some(model::Value::Set(mut old)), Some(model::Value::Set(new))) => {
                    old.extend(new);
                    Some(model::Value::set(old))
                }
                (old, new) => new.or(old),
            };
            let single: Given = vec![(name, joined)];
            props = values::merge(tx, props, &single)?;
        }
        Ok(props)
    }
}

pub(super) async fn properties(
    target: Target,
    Path(path): Path<Map<String, Value>>,
    parameters: Parameters,
    Body(body): Body,
) -> Result<Json<Value>, DataError> {
    let (id, change) = (id_in(&path), Change::parse(action_of(&parameters)?)?);
    let given = given_properties(&body, PROPERTIES)?;
    write(target, move |tx| {
        let vid = existing(tx, &id)?;
        let vertex =
            tx.vertex(vid)?.ok_or_else(|| DataError::parameter(format!("vertex [{id}] does not exist")))?;
        let props = change.apply(tx, &vertex.labels, vertex.props, &given)?;
        Ok(tx.replace_vertex(vid, vertex.labels, props)?)
    })
    .await
}

/// `properties`, which must be an object.
pub(super) fn given_properties(body: &Fields, absent: &'static str) -> Result<Map<String, Value>, DataError> {
    match body.get("properties") {
        Some(Value::Object(properties)) => Ok(properties.clone()),
        _ => Err(DataError::new(absent, "[properties] must be an object")),
    }
}
