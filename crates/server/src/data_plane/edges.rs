use axum::Json;
use model::{DEFAULT_LABEL, Props, VertexRecord, Vid};
use serde_json::{Map, Value, json};
use store::{EdgeKey, GraphState, Snapshot, Transaction};

use super::values;
use super::vertices::{Change, given_properties};
use super::{Body, DataError, Target, action_of, batch, success};
use crate::http::Parameters;
use crate::http::body::Fields;

/// A list of edges is null.
const NO_EDGES: &str = "GES.8110";
/// Properties of an edge cannot be changed.
const PROPERTIES: &str = "GES.8221";

/// Which edges are meant: all between two vertices, or those of an index or label.
#[derive(Debug, Clone)]
struct Selection {
    source: String,
    target: String,
    index: Option<u32>,
    label: Option<String>,
}

/// An edge as a request gives it.
struct NewEdge {
    source: String,
    target: String,
    label: Option<String>,
    properties: Map<String, Value>,
}

/// What to do with edges that are parallel to a new one.
#[derive(Clone, Copy)]
struct Parallel {
    action: Action,
    by_label: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Allow,
    Ignore,
    Override,
}

fn text(item: &Map<String, Value>, name: &str) -> Result<Option<String>, DataError> {
    match item.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(DataError::parameter(format!("[edges]: [{name}] has another type"))),
    }
}

fn end(item: &Map<String, Value>, name: &str) -> Result<String, DataError> {
    let end = text(item, name)?.filter(|end| !end.is_empty());
    end.ok_or_else(|| DataError::parameter(format!("[edges]: [{name}] is missing")))
}

fn object(item: Value) -> Result<Map<String, Value>, DataError> {
    match item {
        Value::Object(item) => Ok(item),
        _ => Err(DataError::parameter("[edges] holds something that is no edge")),
    }
}

impl Selection {
    fn of_parameters(parameters: &Parameters) -> Result<Self, DataError> {
        let given = parameters.iter().map(|(name, text)| (name.clone(), Value::String(text.clone())));
        Self::parse(&given.collect())
    }

    fn parse(item: &Map<String, Value>) -> Result<Self, DataError> {
        let index = match item.get("index") {
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => text(item, "index")?.filter(|index| !index.is_empty()),
        };
        let number = |index: String| {
            index.parse().map_err(|_| DataError::parameter(format!("[index] has no value [{index}]")))
        };
        Ok(Self {
            source: end(item, "source")?,
            target: end(item, "target")?,
            index: index.map(number).transpose()?,
            label: text(item, "label")?.filter(|label| !label.is_empty()),
        })
    }

    fn find(&self, state: &GraphState) -> Result<Vec<EdgeKey>, DataError> {
        let ends = (state.vertex_by_id(&self.source)?, state.vertex_by_id(&self.target)?);
        let (Some(source), Some(target)) = ends else { return Ok(Vec::new()) };
        let mut edges = state.edges_between(source, target)?;
        let label = |edge: &EdgeKey| state.schema().label_name(edge.label).to_owned();
        edges.retain(|edge| {
            self.index.is_none_or(|index| index == edge.rank)
                && self.label.as_ref().is_none_or(|wanted| *wanted == label(edge))
        });
        Ok(edges)
    }

    fn missing(&self) -> DataError {
        DataError::new(PROPERTIES, format!("edge from [{}] to [{}] does not exist", self.source, self.target))
    }
}

fn show(state: &GraphState, selection: &Selection) -> Result<Vec<Value>, DataError> {
    let mut shown = Vec::new();
    for edge in selection.find(state)? {
        let props = state.edge_props(edge)?.unwrap_or_default();
        shown.push(json!({
            "source": selection.source, "target": selection.target, "index": edge.rank.to_string(),
            "label": state.schema().label_name(edge.label), "properties": values::show(state.schema(), &props),
        }));
    }
    Ok(shown)
}

pub(super) async fn detail(target: Target, parameters: Parameters) -> Result<Json<Value>, DataError> {
    let selection = Selection::of_parameters(&parameters)?;
    target.read(move |snapshot| Ok(json!({"data": {"edges": show(snapshot, &selection)?}}))).await
}

pub(super) async fn action(
    target: Target,
    parameters: Parameters,
    Body(body): Body,
) -> Result<Json<Value>, DataError> {
    let action = action_of(&parameters)?;
    let items = || -> Result<Vec<_>, DataError> {
        batch(&body, "edges", NO_EDGES)?.into_iter().map(object).collect()
    };
    match action {
        "batch-query" => {
            let selections = items()?.iter().map(Selection::parse).collect::<Result<Vec<_>, _>>()?;
            let reply = move |snapshot: &Snapshot| {
                let found = selections.iter().map(|selection| show(snapshot, selection));
                let found = found.collect::<Result<Vec<_>, _>>()?.concat();
                Ok(json!({"data": {"edges": found}, "result": "success"}))
            };
            target.read(reply).await
        }
        "batch-add" => {
            let edges = items()?.into_iter().map(NewEdge::parse).collect::<Result<Vec<_>, _>>()?;
            let create = body.flag("createNotExists")?.unwrap_or(false);
            let keys = insert(target, edges, Parallel::parse(&body)?, create).await?;
            Ok(Json(json!({"data": {"edges": keys}, "result": "success"})))
        }
        "batch-delete" => {
            let selections = items()?.iter().map(Selection::parse).collect::<Result<Vec<_>, _>>()?;
            remove(target, selections).await
        }
        other => Err(DataError::parameter(format!("[action_id] has no value [{other}]"))),
    }
}

async fn remove(target: Target, selections: Vec<Selection>) -> Result<Json<Value>, DataError> {
    target
        .writable()?
        .run(move |target| {
            target.graph.write(move |tx| {
                for selection in &selections {
                    for edge in selection.find(tx)? {
                        tx.remove_edge(edge)?;
                    }
                }
                Ok(Json(success()))
            })
        })
        .await
}

impl NewEdge {
    fn parse(item: Map<String, Value>) -> Result<Self, DataError> {
        let properties = match item.get("properties") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(properties)) => properties.clone(),
            Some(_) => return Err(DataError::parameter("[edges]: [properties] must be an object")),
        };
        Ok(Self {
            source: end(&item, "source")?,
            target: end(&item, "target")?,
            label: text(&item, "label")?,
            properties,
        })
    }
}

impl Parallel {
    fn parse(body: &Fields) -> Result<Self, DataError> {
        let wanted = body.object("parallelEdge")?.unwrap_or_default();
        let action = match wanted.optional_text("action")?.as_deref() {
            None | Some("allow") => Action::Allow,
            Some("ignore") => Action::Ignore,
            Some("override") => Action::Override,
            Some(_) => {
                return Err(DataError::parameter("[parallelEdge.action] must be allow, ignore or override"));
            }
        };
        Ok(Self { action, by_label: !wanted.flag("ignoreLabel")?.unwrap_or(true) })
    }
}

/// Adds edges in one transaction; the keys of those that are there afterwards, in order.
async fn insert(
    target: Target,
    edges: Vec<NewEdge>,
    parallel: Parallel,
    create: bool,
) -> Result<Vec<Value>, DataError> {
    let limit = target.edge_limit();
    target
        .writable()?
        .run(move |target| {
            target.graph.write(move |tx| {
                let room = limit.saturating_sub(tx.content().edges.count);
                if edges.len() as u64 > room {
                    return Err(DataError::parameter(format!("the graph holds at most {limit} edges")));
                }
                edges.iter().map(|edge| put(tx, edge, parallel, create)).collect()
            })
        })
        .await
}

fn put(
    tx: &mut Transaction<'_>,
    edge: &NewEdge,
    parallel: Parallel,
    create: bool,
) -> Result<Value, DataError> {
    let label = tx.label(edge.label.as_deref().unwrap_or(DEFAULT_LABEL))?;
    let given = values::read(tx.schema(), &[label], &edge.properties)?;
    let props = values::merge(tx, Props::new(), &given)?;
    let (source, target) = (vertex(tx, &edge.source, create)?, vertex(tx, &edge.target, create)?);
    let shown =
        |key: EdgeKey| json!({"index": key.rank.to_string(), "source": edge.source, "target": edge.target});
    if parallel.action != Action::Allow {
        let mut rivals = tx.edges_between(source, target)?;
        rivals.retain(|rival| !parallel.by_label || rival.label == label);
        match (parallel.action, rivals.first()) {
            (Action::Ignore, Some(first)) => return Ok(shown(*first)),
            (Action::Override, Some(_)) => rivals.into_iter().try_for_each(|rival| tx.remove_edge(rival))?,
            _ => {}
        }
    }
    Ok(shown(tx.add_edge(source, target, label, props)?))
}

fn vertex(tx: &mut Transaction<'_>, id: &str, create: bool) -> Result<Vid, DataError> {
    match tx.vertex_by_id(id)? {
        Some(vid) => Ok(vid),
        None if create => {
            let labels = vec![tx.label(DEFAULT_LABEL)?];
            Ok(tx.add_vertex(VertexRecord { id: id.into(), labels, props: Props::new() })?)
        }
        None => Err(DataError::parameter(format!("vertex [{id}] does not exist"))),
    }
}

pub(super) async fn add(target: Target, Body(body): Body) -> Result<Json<Value>, DataError> {
    let fields = ["source", "target", "label", "properties"].iter();
    let item = fields.filter_map(|name| Some(((*name).to_owned(), body.get(name)?.clone()))).collect();
    let edge = NewEdge::parse(item)?;
    let keys = insert(target, vec![edge], Parallel::parse(&body)?, false).await?;
    let index = keys.first().map(|key| key["index"].clone()).unwrap_or_default();
    Ok(Json(json!({"result": "success", "data": {"index": index}})))
}

pub(super) async fn delete(target: Target, parameters: Parameters) -> Result<Json<Value>, DataError> {
    remove(target, vec![Selection::of_parameters(&parameters)?]).await
}

pub(super) async fn properties(
    target: Target,
    parameters: Parameters,
    Body(body): Body,
) -> Result<Json<Value>, DataError> {
    let change = Change::parse(action_of(&parameters)?)?;
    let selection = Selection::of_parameters(&parameters)?;
    let given = given_properties(&body, PROPERTIES)?;
    target
        .writable()?
        .run(move |target| {
            target.graph.write(move |tx| {
                // Without an index the first one is meant.
                let edge = *selection.find(tx)?.first().ok_or_else(|| selection.missing())?;
                let props = tx.edge_props(edge)?.unwrap_or_default();
                let props = change.apply(tx, &[edge.label], props, &given)?;
                tx.replace_edge(edge, props)?;
                Ok::<_, DataError>(Json(success()))
            })
        })
        .await
}
