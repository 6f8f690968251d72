//! Property values as JSON: always arrays, typed by the schema, or by their form in an open one.

use model::{
    Cardinality, DataType, LabelId, Property, Props, Schema, SchemaError, SchemaMode, Value, parse_text,
    to_text,
};
use serde_json::{Map, Value as Json};
use store::Transaction;

use super::DataError;

/// Properties as a request gives them: a value, or `None` for an empty list, which takes the
/// property away.
pub(crate) type Given = Vec<(String, Option<Value>)>;

/// Reads the properties of an element with these labels.
pub(crate) fn read(
    schema: &Schema,
    labels: &[LabelId],
    properties: &Map<String, Json>,
) -> Result<Given, DataError> {
    let value = |(name, json): (&String, &Json)| {
        let declared = schema.property(labels, name);
        let value = match (schema.mode(), declared) {
            (_, Some(property)) => typed(property, json)?,
            (SchemaMode::Open, None) => inferred(name, json)?,
            (SchemaMode::Closed, None) => {
                let label = labels.first().map_or("", |label| schema.label_name(*label)).into();
                return Err(SchemaError::UnknownProperty { label, property: name.clone() }.into());
            }
        };
        Ok((name.clone(), value))
    };
    properties.iter().map(value).collect()
}

/// Puts given properties into those that are there.
pub(crate) fn merge(tx: &mut Transaction<'_>, mut props: Props, given: &Given) -> Result<Props, DataError> {
    for (name, value) in given {
        let key = tx.key(name)?;
        match value {
            Some(value) => props.set(key, value.clone()),
            None => drop(props.remove(key)),
        }
    }
    Ok(props)
}

fn items(json: &Json) -> &[Json] {
    match json {
        Json::Array(items) => items,
        Json::Null => &[],
        single => std::slice::from_ref(single),
    }
}

fn typed(property: &Property, json: &Json) -> Result<Option<Value>, DataError> {
    let refuse = |reason: &str| DataError::parameter(format!("property [{}]: {reason}", property.name));
    let single = Property { cardinality: Cardinality::Single, ..property.clone() };
    let values = items(json).iter().map(|item| scalar(&single, item).map_err(|reason| refuse(&reason)));
    let mut values = values.collect::<Result<Vec<_>, _>>()?;
    match property.cardinality {
        _ if values.is_empty() => Ok(None),
        Cardinality::Single if values.len() > 1 => Err(refuse("it has one value, not several")),
        Cardinality::Single => Ok(values.pop()),
        Cardinality::List => Ok(Some(Value::List(values))),
        Cardinality::Set => Ok(Some(Value::set(values))),
    }
}

/// Numbers and flags are taken as such or as the text that files would hold.
fn scalar(property: &Property, json: &Json) -> Result<Value, String> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number)
            if property.data_type == DataType::Float || property.data_type == DataType::Double =>
        {
            number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
        }
        Json::Bool(_) | Json::Number(_) if !is_text(&property.data_type) => json.to_string(),
        _ => return Err(format!("[{json}] has another type")),
    };
    let value = parse_text(property, &text).map_err(|error| error.to_string())?;
    let finite = !matches!(value, Value::Float(f) if !f.is_finite())
        && !matches!(value, Value::Double(d) if !d.is_finite());
    if finite { Ok(value) } else { Err(format!("[{text}] is out of range")) }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::String | DataType::Char | DataType::CharArray(_) | DataType::Enum(_) | DataType::Date
    )
}

/// An open schema takes a value's type from its form; several values are a list.
fn inferred(name: &str, json: &Json) -> Result<Option<Value>, DataError> {
    let one = |item: &Json| match item {
        Json::Bool(flag) => Ok(Value::Bool(*flag)),
        Json::String(text) => Ok(Value::text(text.as_str())),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Value::Long(whole)),
            (None, Some(real)) => Ok(Value::Double(real)),
            (None, None) => {
                Err(DataError::parameter(format!("property [{name}]: [{number}] is out of range")))
            }
        },
        _ => Err(DataError::parameter(format!("property [{name}]: values are flags, numbers and texts"))),
    };
    let mut values = items(json).iter().map(one).collect::<Result<Vec<_>, _>>()?;
    match values.len() {
        0 => Ok(None),
        1 => Ok(values.pop()),
        _ => Ok(Some(Value::List(values))),
    }
}

/// Properties as replies show them.
pub(crate) fn show(schema: &Schema, props: &Props) -> Json {
    let pair = |(key, value): &(model::KeyId, Value)| (schema.key_name(*key).to_owned(), array(value));
    Json::Object(props.iter().map(pair).collect())
}

fn array(value: &Value) -> Json {
    match value {
        Value::List(items) | Value::Set(items) => items.iter().map(one).collect(),
        single => Json::Array(vec![one(single)]),
    }
}

fn one(value: &Value) -> Json {
    match value {
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Long(number) => (*number).into(),
        // By its shortest text: 0.1 stays 0.1 on its way through 64 bits.
        Value::Float(number) => number.to_string().parse::<f64>().map_or(Json::Null, Json::from),
        Value::Double(number) => (*number).into(),
        Value::List(_) | Value::Set(_) => array(value),
        Value::Char(_) | Value::Text(_) | Value::Date(_) | Value::DateTime(_) => to_text(value).into(),
    }
}
