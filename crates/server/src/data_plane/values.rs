//! Property values between JSON and the graph. A declared property says which type its values
//! have; without a declaration the JSON does.

use model::{Cardinality, DataType, Property, Value, parse_text, to_text};
use serde_json::{Number, Value as Json};

/// Why a JSON value is no value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// The offender, cut to a readable length.
    pub(crate) given: String,
    /// What it should have been.
    pub(crate) expected: String,
}

/// The value that a list of JSON values means; `None` for an empty list.
pub(crate) fn read(declared: Option<&Property>, given: &[Json]) -> Result<Option<Value>, Unfit> {
    if given.is_empty() {
        return Ok(None);
    }
    let items =
        |property| given.iter().map(|item| declared_item(property, item)).collect::<Result<Vec<_>, _>>();
    match declared {
        None => inferred(given).map(Some),
        Some(property) => match (property.cardinality, given) {
            (Cardinality::Single, [one]) => declared_item(property, one).map(Some),
            (Cardinality::Single, _) => Err(unfit(&Json::Array(given.to_vec()), "single value")),
            (Cardinality::List, _) => items(property).map(|items| Some(Value::List(items))),
            (Cardinality::Set, _) => items(property).map(|items| Some(Value::set(items))),
        },
    }
}

/// Several values without a declaration are a list.
fn inferred(given: &[Json]) -> Result<Value, Unfit> {
    match given {
        [one] => inferred_item(one),
        several => several.iter().map(inferred_item).collect::<Result<_, _>>().map(Value::List),
    }
}

fn inferred_item(item: &Json) -> Result<Value, Unfit> {
    match item {
        Json::Bool(value) => Ok(Value::Bool(*value)),
        Json::String(text) => Ok(Value::text(text.as_str())),
        Json::Number(number) => {
            let whole = number.as_i64().map(Value::Long);
            whole.or_else(|| number.as_f64().map(Value::Double)).ok_or_else(|| unfit(item, "double"))
        }
        Json::Null | Json::Array(_) | Json::Object(_) => Err(unfit(item, "boolean, number or string")),
    }
}

/// Text is read as files are, so `"7"` is a number where a number is declared, and a number is
/// text where text is.
fn declared_item(property: &Property, item: &Json) -> Result<Value, Unfit> {
    let text = match item {
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) => item.to_string(),
        Json::Null | Json::Array(_) | Json::Object(_) => {
            return Err(unfit(item, type_name(&property.data_type)));
        }
    };
    let single = Property { cardinality: Cardinality::Single, ..property.clone() };
    let value = parse_text(&single, &text).map_err(|error| unfit(item, error.expected))?;
    let overflows = match value {
        Value::Float(number) => item.is_number() && number.is_infinite(),
        _ => false,
    };
    if overflows { Err(unfit(item, "float")) } else { Ok(value) }
}

fn unfit(given: &Json, expected: &str) -> Unfit {
    Unfit { given: given.to_string().chars().take(64).collect(), expected: expected.into() }
}

/// The values of a property, always as a list.
pub(crate) fn write(value: &Value) -> Json {
    match value {
        Value::List(items) | Value::Set(items) => items.iter().map(write_item).collect(),
        one => Json::Array(vec![write_item(one)]),
    }
}

fn write_item(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Long(value) => Json::from(*value),
        // Through its shortest text, so that 0.1 does not become 0.10000000149011612.
        Value::Float(value) => {
            value.to_string().parse().map_or(Json::Null, |wide| number(wide, value.to_string()))
        }
        Value::Double(value) => number(*value, value.to_string()),
        // Lists do not nest in requests; a nested one in stored data is shown as its text.
        other => Json::String(to_text(other)),
    }
}

/// JSON has no infinities and no NaN: they are text, which reads back as the same value.
fn number(value: f64, text: String) -> Json {
    Number::from_f64(value).map_or(Json::String(text), Json::Number)
}

/// A type as GES names it.
pub(crate) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Char => "char",
        DataType::CharArray(_) => "char array",
        DataType::String => "string",
        DataType::Bool => "bool",
        DataType::Int => "int",
        DataType::Long => "long",
        DataType::Float => "float",
        DataType::Double => "double",
        DataType::Date => "date",
        DataType::Enum(_) => "enum",
    }
}

/// A cardinality as GES names it.
pub(crate) fn cardinality_name(cardinality: Cardinality) -> &'static str {
    match cardinality {
        Cardinality::Single => "single",
        Cardinality::List => "list",
        Cardinality::Set => "set",
    }
}

#[cfg(test)]
mod tests {
    use model::{Date, DateTime};
    use serde_json::json;

    use super::*;

    fn property(data_type: DataType, cardinality: Cardinality) -> Property {
        Property { name: "p".into(), data_type, cardinality }
    }

    /// What goes in, what it means, and what comes out again.
    #[test]
    fn declared_values() {
        use Cardinality::{List, Set, Single};
        let cases = [
            (DataType::Long, Single, json!([7]), Value::Long(7), json!([7])),
            (DataType::Long, Single, json!(["7"]), Value::Long(7), json!([7])),
            (DataType::Int, List, json!([3, "3"]), Value::List(vec![Value::Int(3); 2]), json!([3, 3])),
            (DataType::String, Single, json!(["a;b"]), Value::text("a;b"), json!(["a;b"])),
            (DataType::String, Single, json!([5]), Value::text("5"), json!(["5"])),
            (
                DataType::String,
                Set,
                json!(["b", "a", "b"]),
                Value::set(vec![Value::text("a"), Value::text("b")]),
                json!(["a", "b"]),
            ),
            (DataType::Bool, Single, json!([1]), Value::Bool(true), json!([true])),
            (DataType::Bool, Single, json!(["false"]), Value::Bool(false), json!([false])),
            (DataType::Float, Single, json!([0.1]), Value::Float(0.1), json!([0.1])),
            (DataType::Double, Single, json!([1]), Value::Double(1.0), json!([1.0])),
            (DataType::Double, Single, json!(["inf"]), Value::Double(f64::INFINITY), json!(["inf"])),
            (DataType::Char, Single, json!(["ü"]), Value::Char('ü'), json!(["ü"])),
            (DataType::Date, Single, json!(["1970-01-02"]), Value::Date(Date(1)), json!(["1970-01-02"])),
            (
                DataType::Date,
                Single,
                json!(["1970-01-01 00:00:09"]),
                Value::DateTime(DateTime(9)),
                json!(["1970-01-01 00:00:09"]),
            ),
            (DataType::Enum(vec!["m".into()]), Single, json!(["m"]), Value::text("m"), json!(["m"])),
        ];
        for (data_type, cardinality, given, value, shown) in cases {
            let property = property(data_type, cardinality);
            let list = given.as_array().unwrap();
            assert_eq!(read(Some(&property), list), Ok(Some(value.clone())), "{given}");
            assert!(property.accepts(&value));
            assert_eq!(write(&value), shown);
        }
    }

    #[test]
    fn what_does_not_fit_a_declaration() {
        let cases = [
            (DataType::Int, json!([99_999_999_999_i64])),
            (DataType::Int, json!([1, 2])),
            (DataType::Int, json!([1.5])),
            (DataType::Int, json!(["old"])),
            (DataType::Int, json!([null])),
            (DataType::Int, json!([[1]])),
            (DataType::Bool, json!([2])),
            (DataType::Float, json!([1e300])),
            (DataType::CharArray(2), json!(["abc"])),
            (DataType::Date, json!(["soon"])),
            (DataType::Enum(vec!["m".into()]), json!(["x"])),
        ];
        for (data_type, given) in cases {
            let unfit = read(Some(&property(data_type, Cardinality::Single)), given.as_array().unwrap());
            assert!(unfit.is_err(), "{given}: {unfit:?}");
        }
    }

    #[test]
    fn undeclared_values_say_their_type_themselves() {
        let cases = [
            (json!([true]), Some(Value::Bool(true))),
            (json!([7]), Some(Value::Long(7))),
            (json!([u64::MAX]), Some(Value::Double(1.844_674_407_370_955_2e19))),
            (json!([0.5]), Some(Value::Double(0.5))),
            (json!(["7"]), Some(Value::text("7"))),
            (json!([1, "a"]), Some(Value::List(vec![Value::Long(1), Value::text("a")]))),
            (json!([]), None),
        ];
        for (given, value) in cases {
            assert_eq!(read(None, given.as_array().unwrap()), Ok(value), "{given}");
        }
        assert!(read(None, &[json!({"a": 1})]).is_err());
    }
}
