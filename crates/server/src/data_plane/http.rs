//! The calls, each with the function that it is for.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

use super::body::Fields;
use super::call::{Answer, Call, ENGINE_VERSION, Target};
use super::edges::{self, AddOptions};
use super::error::{DataError, ElementList, Operation};
use super::labels::{self, NewLabel};
use super::request::{self, EdgeChange, EdgeRef, Existing, NewEdge, NewVertex, Parallel, VertexChange};
use super::{read, vertices};
use crate::app::App;

/// All calls of the data plane.
pub(crate) fn routes() -> Router<App> {
    let at = |path: &str| format!("/ges/v1.0/{{project_id}}/graphs/{{graph}}{path}");
    // `detail` and `action` are also legal ids of vertices to delete.
    Router::new()
        .route(&at("/summary"), get(summary))
        .route(&at("/version"), get(version))
        .route(&at("/schema"), get(schema))
        .route(&at("/schema/labels"), post(add_label))
        .route(&at("/schema/labels/action"), post(act_on_labels))
        .route(&at("/schema/labels/{label}/properties"), post(set_properties))
        .route(&at("/vertices"), post(add_vertex))
        .route(&at("/vertices/detail"), get(vertex_detail).delete(delete_vertex))
        .route(&at("/vertices/action"), post(act_on_vertices).delete(delete_vertex))
        .route(&at("/vertices/properties/action"), post(change_vertices))
        .route(&at("/vertices/{vertex}"), delete(delete_vertex))
        .route(&at("/vertices/{vertex}/properties/action"), post(change_vertex))
        .route(&at("/vertices/{vertex}/labels"), post(add_vertex_label))
        .route(&at("/vertices/{vertex}/labels/{label}"), delete(remove_vertex_label))
        .route(&at("/edges"), post(add_edge).delete(delete_edges))
        .route(&at("/edges/detail"), get(edge_detail))
        .route(&at("/edges/action"), post(act_on_edges))
        .route(&at("/edges/properties/action"), post(change_edges))
}

/// Update, add and delete, as actions on the properties of one element name them.
const SINGLE: [&str; 3] = ["update", "add", "del"];
/// The same for a batch.
const BATCH: [&str; 3] = ["batch-update", "batch-add", "batch-del"];

fn unknown_action(expected: &'static str) -> DataError {
    DataError::Field { field: "action_id".into(), expected }
}

fn success() -> Answer {
    Ok(Json(json!({"result": "success"})).into_response())
}

/// `{"data": …}`
fn data(data: impl Serialize) -> Answer {
    #[derive(Serialize)]
    struct Body<T> {
        data: T,
    }
    Ok(Json(Body { data }).into_response())
}

/// `{"data": {name: …}, "result": "success"}`
fn found(name: &'static str, elements: impl Serialize) -> Answer {
    #[derive(Serialize)]
    struct Body<T> {
        data: BTreeMap<&'static str, T>,
        result: &'static str,
    }
    Ok(Json(Body { data: BTreeMap::from([(name, elements)]), result: "success" }).into_response())
}

async fn summary(call: Call) -> Response {
    call.answer(Operation::Summary, |asked, target| {
        data(read::summary(&target.graph.snapshot(), asked.query.flag("label_details")?))
    })
    .await
}

async fn version(call: Call) -> Response {
    call.answer(Operation::Version, |_, _| Ok(Json(json!({"version": ENGINE_VERSION})).into_response())).await
}

async fn schema(call: Call) -> Response {
    call.answer(Operation::ReadSchema, |asked, target| {
        let snapshot = target.graph.snapshot();
        match asked.query.get("label") {
            Some(label) => data(read::label(&snapshot, label)?),
            None => data(json!({"schema": read::schema(&snapshot)})),
        }
    })
    .await
}

async fn add_label(call: Call) -> Response {
    call.answer(Operation::ChangeSchema, |asked, target| {
        let label = NewLabel::parse(asked.body()?)?;
        target.graph.write(move |transaction| labels::add(transaction, label))?;
        success()
    })
    .await
}

async fn act_on_labels(call: Call) -> Response {
    call.answer(Operation::ChangeSchema, |asked, target| {
        if asked.action()? != "batch-add" {
            return Err(unknown_action("batch-add"));
        }
        let mut body = asked.body()?;
        let given = body.objects("labels")?.ok_or_else(|| body.missing("labels"))?;
        let given = given.into_iter().map(NewLabel::parse).collect::<Result<Vec<_>, _>>()?;
        let failed = target.graph.write(move |transaction| labels::add_all(transaction, given))?;
        if failed.is_empty() {
            return success();
        }
        Ok(Json(json!({"result": "partial success", "data": {"failed": failed}})).into_response())
    })
    .await
}

async fn set_properties(call: Call) -> Response {
    call.answer(Operation::ChangeSchema, |asked, target| {
        let mut body = asked.body()?;
        let (properties, replace) = (labels::properties(&mut body)?, body.flag("override", false)?);
        let label = asked.segment("label").to_owned();
        target.graph.write(move |transaction| transaction.set_properties(&label, properties, replace))?;
        success()
    })
    .await
}

async fn add_vertex(call: Call) -> Response {
    call.answer(Operation::ChangeVertices, |asked, target| {
        let vertex = NewVertex::parse(asked.body()?)?;
        target.graph.write(move |transaction| vertices::add(transaction, &[vertex], Existing::Refuse))?;
        success()
    })
    .await
}

/// Ids stand between commas. One with a comma in it can be asked for in a batch.
async fn vertex_detail(call: Call) -> Response {
    call.answer(Operation::QueryVertices, |asked, target| {
        let ids = asked.query.text("vertexIds")?.split(',').filter(|id| !id.is_empty());
        data(json!({"vertices": read::vertices(&target.graph.snapshot(), ids)?}))
    })
    .await
}

async fn act_on_vertices(call: Call) -> Response {
    let operation = match call.asked.action() {
        Ok("batch-query") => Operation::QueryVertices,
        _ => Operation::ChangeVertices,
    };
    call.answer(operation, |asked, target| {
        let mut body = asked.body()?;
        let ids = |body: &mut Fields| {
            let ids = body.texts(ElementList::Vertices.name())?;
            ids.ok_or(DataError::NoList(ElementList::Vertices))
        };
        match asked.action()? {
            "batch-query" => {
                let ids = ids(&mut body)?;
                let snapshot = target.graph.snapshot();
                return found("vertices", read::vertices(&snapshot, ids.iter().map(String::as_str))?);
            }
            "batch-add" => {
                let new = request::all(&mut body, ElementList::Vertices, NewVertex::parse)?;
                let overrides = body.flag("overrideExists", false)?;
                let existing = if overrides { Existing::Override } else { Existing::Ignore };
                target.graph.write(move |transaction| vertices::add(transaction, &new, existing))?;
            }
            "batch-delete" => {
                let ids = ids(&mut body)?;
                target.graph.write(move |transaction| vertices::delete_all(transaction, &ids))?;
            }
            _ => return Err(unknown_action("batch-query, batch-add or batch-delete")),
        }
        success()
    })
    .await
}

async fn delete_vertex(call: Call) -> Response {
    call.answer(Operation::ChangeVertices, |asked, target| {
        let id = asked.segment("vertex").to_owned();
        target.graph.write(move |transaction| vertices::delete(transaction, &id))?;
        success()
    })
    .await
}

async fn change_vertex(call: Call) -> Response {
    call.answer(Operation::VertexProperties, |asked, target| {
        let how = asked.change(SINGLE)?.ok_or_else(|| unknown_action("update, add or del"))?;
        let change = [VertexChange::of(asked.segment("vertex").into(), asked.body()?)?];
        target.graph.write(move |transaction| vertices::change(transaction, &change, how, false))?;
        success()
    })
    .await
}

async fn change_vertices(call: Call) -> Response {
    call.answer(Operation::VertexProperties, |asked, target| {
        let unknown = || unknown_action("batch-update, batch-add or batch-del");
        let how = asked.change(BATCH)?.ok_or_else(unknown)?;
        let mut body = asked.body()?;
        let changes = request::all(&mut body, ElementList::Vertices, VertexChange::parse)?;
        let ignore = body.flag("ignoreError", false)?;
        target.graph.write(move |transaction| vertices::change(transaction, &changes, how, ignore))?;
        success()
    })
    .await
}

async fn add_vertex_label(call: Call) -> Response {
    call.answer(Operation::AddVertexLabel, |asked, target| {
        let (id, label) = (asked.segment("vertex").to_owned(), asked.body()?.text("label")?);
        let several = target.multi_label;
        target.graph.write(move |transaction| vertices::add_label(transaction, &id, &label, several))?;
        Ok(Json(json!({})).into_response())
    })
    .await
}

async fn remove_vertex_label(call: Call) -> Response {
    call.answer(Operation::RemoveVertexLabel, |asked, target| {
        let (id, label) = (asked.segment("vertex").to_owned(), asked.segment("label").to_owned());
        target.graph.write(move |transaction| vertices::remove_label(transaction, &id, &label))?;
        Ok(Json(json!({})).into_response())
    })
    .await
}

async fn edge_detail(call: Call) -> Response {
    call.answer(Operation::EdgeDetail, |asked, target| {
        let wanted = [EdgeRef::of_query(&asked.query)?];
        data(json!({"edges": read::edges(&target.graph.snapshot(), &wanted)?}))
    })
    .await
}

fn add_options(body: &mut Fields, target: &Target) -> Result<AddOptions, DataError> {
    Ok(AddOptions {
        parallel: Parallel::parse(body)?,
        create_ends: body.flag("createNotExists", false)?,
        limit: target.edge_limit,
    })
}

async fn add_edge(call: Call) -> Response {
    call.answer(Operation::ChangeEdges, |asked, target| {
        let mut body = asked.body()?;
        let options = add_options(&mut body, target)?;
        let edge = [NewEdge::parse(body)?];
        let added = target.graph.write(move |transaction| edges::add(transaction, &edge, options))?;
        found("index", added.into_iter().next().map(|added| added.index))
    })
    .await
}

async fn delete_edges(call: Call) -> Response {
    call.answer(Operation::ChangeEdges, |asked, target| {
        let query = &asked.query;
        let mut edge = EdgeRef::of_query(query)?;
        let missing = |name: &str| DataError::Missing(name.into());
        match (query.get("property").map(str::to_owned), query.get("value").map(str::to_owned)) {
            (Some(property), Some(value)) => target
                .graph
                .write(move |transaction| edges::delete_by_value(transaction, &edge, &property, &value))?,
            (Some(_), None) => return Err(missing("value")),
            (None, Some(_)) => return Err(missing("property")),
            (None, None) => {
                // A label only speeds up the search for a value; alone it says nothing.
                edge.label = None;
                target.graph.write(move |transaction| edges::delete(transaction, &[edge], false))?;
            }
        }
        success()
    })
    .await
}

async fn act_on_edges(call: Call) -> Response {
    let operation = match call.asked.action() {
        Ok("batch-query") => Operation::QueryEdges,
        _ => Operation::ChangeEdges,
    };
    call.answer(operation, |asked, target| {
        let mut body = asked.body()?;
        match asked.action()? {
            "batch-query" => {
                let wanted =
                    request::all(&mut body, ElementList::Edges, |mut edge| EdgeRef::parse(&mut edge))?;
                found("edges", read::edges(&target.graph.snapshot(), &wanted)?)
            }
            "batch-add" => {
                let new = request::all(&mut body, ElementList::Edges, NewEdge::parse)?;
                let options = add_options(&mut body, target)?;
                let added = target.graph.write(move |transaction| edges::add(transaction, &new, options))?;
                found("edges", added)
            }
            "batch-delete" => {
                let gone = request::all(&mut body, ElementList::Edges, |mut edge| EdgeRef::parse(&mut edge))?;
                if body.optional_text("executionMode")?.is_some_and(|mode| mode != "sync") {
                    return Err(body.wrong("executionMode", "sync"));
                }
                let ignore = body.flag("ignoreError", false)?;
                target.graph.write(move |transaction| edges::delete(transaction, &gone, ignore))?;
                success()
            }
            _ => Err(unknown_action("batch-query, batch-add or batch-delete")),
        }
    })
    .await
}

/// One edge by the query or a batch by the body, as the action says.
async fn change_edges(call: Call) -> Response {
    call.answer(Operation::EdgeProperties, |asked, target| {
        let (changes, how, ignore) = match asked.change(SINGLE)? {
            Some(how) => (vec![EdgeChange::of(EdgeRef::of_query(&asked.query)?, asked.body()?)?], how, false),
            None => {
                let unknown = || unknown_action("update, add, del, batch-update, batch-add or batch-del");
                let how = asked.change(BATCH)?.ok_or_else(unknown)?;
                let mut body = asked.body()?;
                let changes = request::all(&mut body, ElementList::Edges, EdgeChange::parse)?;
                (changes, how, body.flag("ignoreError", false)?)
            }
        };
        target.graph.write(move |transaction| edges::change(transaction, &changes, how, ignore))?;
        success()
    })
    .await
}
