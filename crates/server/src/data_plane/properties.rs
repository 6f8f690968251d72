//! Giving elements properties: typing what a request gives, and applying it to what is there.

use model::{Cardinality, KeyId, LabelId, Property, Props, SchemaError, SchemaMode, Value};
use serde_json::Value as Json;
use store::{GraphState, Transaction};

use super::error::DataError;
use super::request::{Change, Given};
use super::values;

/// The element whose properties they are.
pub(crate) struct Bearer<'a> {
    pub(crate) labels: &'a [LabelId],
    /// `vertex [x]`, for refusals.
    pub(crate) name: &'a dyn Fn() -> String,
}

/// The properties of a new element.
pub(crate) fn fresh(
    transaction: &mut Transaction<'_>,
    bearer: &Bearer<'_>,
    given: &Given,
) -> Result<Props, DataError> {
    let mut props = Props::new();
    change(transaction, bearer, Change::Update, given, &mut props)?;
    Ok(props)
}

/// Applies a change to the properties of an element.
pub(crate) fn change(
    transaction: &mut Transaction<'_>,
    bearer: &Bearer<'_>,
    change: Change,
    given: &Given,
    props: &mut Props,
) -> Result<(), DataError> {
    for (name, list) in &given.0 {
        let declared = declared(transaction, bearer, name)?;
        let collects = declared.map(|property| property.cardinality != Cardinality::Single);
        let value = match change {
            // What a single value was does not matter when it goes.
            Change::Remove if collects == Some(false) => None,
            _ => typed(declared, bearer, name, list)?,
        };
        if value.is_none() && transaction.schema().key_id(name).is_none() {
            continue;
        }
        let key = transaction.key(name)?;
        match change {
            Change::Update => put(props, key, value),
            Change::Add => add(props, key, collects, value),
            Change::Remove => remove(props, key, value),
        }
    }
    Ok(())
}

/// The declaration of a property; an open schema has none where it was not told.
fn declared<'a>(
    state: &'a GraphState,
    bearer: &Bearer<'_>,
    name: &str,
) -> Result<Option<&'a Property>, DataError> {
    let schema = state.schema();
    let declared = schema.property(bearer.labels, name);
    if declared.is_none() && schema.mode() == SchemaMode::Closed {
        let label = bearer.labels.first().map_or_else(String::new, |id| schema.label_name(*id).into());
        return Err(SchemaError::UnknownProperty { label, property: name.into() }.into());
    }
    Ok(declared)
}

/// A given value as the property's type has it.
pub(crate) fn typed(
    declared: Option<&Property>,
    bearer: &Bearer<'_>,
    name: &str,
    given: &[Json],
) -> Result<Option<Value>, DataError> {
    values::read(declared, given).map_err(|unfit| DataError::Value {
        element: (bearer.name)(),
        property: name.into(),
        given: unfit.given,
        expected: unfit.expected,
    })
}

fn put(props: &mut Props, key: KeyId, value: Option<Value>) {
    match value {
        Some(value) => props.set(key, value),
        None => drop(props.remove(key)),
    }
}

/// Joins what is there. `collects` is unknown without a declaration: then values make a list.
fn add(props: &mut Props, key: KeyId, collects: Option<bool>, value: Option<Value>) {
    let Some(value) = value else { return };
    let joined = match (collects, props.remove(key)) {
        (Some(false), _) | (_, None) => value,
        (_, Some(present)) => {
            let is_set = matches!((&present, &value), (Value::Set(_), _) | (_, Value::Set(_)));
            let mut items = items(present);
            items.extend(self::items(value));
            if is_set { Value::set(items) } else { Value::List(items) }
        }
    };
    props.set(key, joined);
}

/// Takes values out of a list or set; without values, or of a single value, everything goes.
fn remove(props: &mut Props, key: KeyId, value: Option<Value>) {
    let Some(present) = props.remove(key) else { return };
    let Some(value) = value else { return };
    let gone = items(value);
    let is_gone = |item: &Value| gone.iter().any(|value| value.total_cmp(item).is_eq());
    match present {
        Value::List(mut left) => {
            left.retain(|item| !is_gone(item));
            put(props, key, Some(Value::List(left)).filter(|list| *list != Value::List(Vec::new())));
        }
        Value::Set(mut left) => {
            left.retain(|item| !is_gone(item));
            put(props, key, Some(Value::Set(left)).filter(|set| *set != Value::Set(Vec::new())));
        }
        _ => {}
    }
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::List(items) | Value::Set(items) => items,
        one => vec![one],
    }
}
