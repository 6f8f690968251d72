//! Values as files carry them, and the narrowest column that takes a value.

use model::{Cardinality, DataType, Date, DateTime, Value};

use crate::csv::join_items;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnType {
    pub(super) data_type: DataType,
    pub(super) cardinality: Cardinality,
}

/// The days from 0000-01-01 to 9999-12-31, which is what four digits reach.
const WRITABLE_DAYS: std::ops::RangeInclusive<i64> = -719_528..=2_932_896;

/// The text of a value in a column; `None` if only absence comes near it.
pub(super) fn text(value: &Value, cardinality: Cardinality) -> Option<String> {
    match value {
        Value::List(items) | Value::Set(items) if items.is_empty() => None,
        Value::List(items) | Value::Set(items) if cardinality != Cardinality::Single => {
            Some(join_items(items.iter().map(model::to_text)))
        }
        value => Some(model::to_text(value)),
    }
}

/// The narrowest column for a value, and whether the value reads back from it as it was. `None`
/// for an empty list.
pub(super) fn narrowest(value: &Value) -> Option<(ColumnType, bool)> {
    let (cardinality, items) = match value {
        Value::List(items) => (Cardinality::List, items.as_slice()),
        Value::Set(items) => (Cardinality::Set, items.as_slice()),
        single => (Cardinality::Single, std::slice::from_ref(single)),
    };
    let mut types = items.iter().map(scalar);
    let (mut data_type, mut exact) = types.next()?;
    for (next, next_exact) in types {
        exact &= next_exact && next == data_type;
        data_type = widen_type(data_type, next);
    }
    Some((ColumnType { data_type, cardinality }, exact))
}

fn scalar(value: &Value) -> (DataType, bool) {
    let exactly = |data_type| (data_type, true);
    match value {
        Value::Bool(_) => exactly(DataType::Bool),
        Value::Int(_) => exactly(DataType::Int),
        Value::Long(_) => exactly(DataType::Long),
        Value::Float(value) => (DataType::Float, !value.is_nan() || value.to_bits() == f32::NAN.to_bits()),
        Value::Double(value) => (DataType::Double, !value.is_nan() || value.to_bits() == f64::NAN.to_bits()),
        Value::Char(_) => exactly(DataType::Char),
        Value::Text(_) => exactly(DataType::String),
        Value::Date(Date(day)) if WRITABLE_DAYS.contains(&i64::from(*day)) => exactly(DataType::Date),
        Value::DateTime(DateTime(second)) if WRITABLE_DAYS.contains(&second.div_euclid(86_400)) => {
            exactly(DataType::Date)
        }
        Value::Date(_) | Value::DateTime(_) | Value::List(_) | Value::Set(_) => (DataType::String, false),
    }
}

/// A column that takes the values of both.
pub(super) fn widen(one: ColumnType, other: ColumnType) -> ColumnType {
    if one.cardinality == other.cardinality {
        return ColumnType { data_type: widen_type(one.data_type, other.data_type), ..one };
    }
    ColumnType { data_type: DataType::String, cardinality: Cardinality::Single }
}

fn widen_type(one: DataType, other: DataType) -> DataType {
    use DataType::{Double, Float, Int, Long, String};
    match (one, other) {
        (one, other) if one == other => one,
        (Int, Long) | (Long, Int) => Long,
        (Int | Long | Float | Double, Int | Long | Float | Double) => Double,
        _ => String,
    }
}
