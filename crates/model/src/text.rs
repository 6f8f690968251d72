//! Values as text, as GES files write them: `1;2;3` for lists and sets, days as `2024-01-31`,
//! seconds as `2024-01-31 23:59:59`. What [`to_text`] writes, [`parse_text`] reads back.

use jiff::civil;

use crate::schema::{Cardinality, DataType, Property};
use crate::value::{Date, DateTime, Value};

/// Text that is no value of the declared type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{text}] is no {expected}")]
pub struct TextError {
    /// The text, cut to 64 characters.
    pub text: String,
    /// The type it should have had.
    pub expected: &'static str,
}

/// Reads the value of a property. Items of lists and sets stand between semicolons.
pub fn parse_text(property: &Property, text: &str) -> Result<Value, TextError> {
    let parse = |item: &str| parse_scalar(&property.data_type, item);
    match property.cardinality {
        Cardinality::Single => parse(text),
        Cardinality::List => text.split(';').map(parse).collect::<Result<_, _>>().map(Value::List),
        Cardinality::Set => text.split(';').map(parse).collect::<Result<_, _>>().map(Value::set),
    }
}

fn parse_scalar(data_type: &DataType, text: &str) -> Result<Value, TextError> {
    let refuse = |expected| TextError { text: text.chars().take(64).collect(), expected };
    match data_type {
        DataType::Char => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Ok(Value::Char(c)),
                _ => Err(refuse("char")),
            }
        }
        DataType::CharArray(max) if text.chars().count() <= *max as usize => Ok(Value::text(text)),
        DataType::CharArray(_) => Err(refuse("char array of the declared length")),
        DataType::String => Ok(Value::text(text)),
        DataType::Bool => match text {
            "1" | "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
            "0" | "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
            _ => Err(refuse("bool")),
        },
        DataType::Int => text.parse().map(Value::Int).map_err(|_| refuse("int")),
        DataType::Long => text.parse().map(Value::Long).map_err(|_| refuse("long")),
        DataType::Float => text.parse().map(Value::Float).map_err(|_| refuse("float")),
        DataType::Double => text.parse().map(Value::Double).map_err(|_| refuse("double")),
        DataType::Date => parse_date(text).ok_or_else(|| refuse("date")),
        DataType::Enum(names) if names.iter().any(|name| name == text) => Ok(Value::text(text)),
        DataType::Enum(_) => Err(refuse("name of the enum")),
    }
}

/// Exactly `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS`.
fn parse_date(text: &str) -> Option<Value> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let small = |from: usize, to: usize| number(from, to).and_then(|n| i8::try_from(n).ok());
    let separators: &[(usize, u8)] = match text.len() {
        10 => &[(4, b'-'), (7, b'-')],
        19 => &[(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')],
        _ => return None,
    };
    let separated = |(at, byte): &(usize, u8)| text.as_bytes()[*at] == *byte;
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if !separators.iter().all(separated) || digits + separators.len() != text.len() {
        return None;
    }
    let day = civil::Date::new(number(0, 4)?, small(5, 7)?, small(8, 10)?).ok()?;
    let days = day_number(day)?;
    if text.len() == 10 {
        return Some(Value::Date(Date(days)));
    }
    let time = civil::Time::new(small(11, 13)?, small(14, 16)?, small(17, 19)?, 0).ok()?;
    let second = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    Some(Value::DateTime(DateTime(i64::from(days) * 86_400 + second)))
}

fn epoch() -> civil::Date {
    civil::Date::constant(1970, 1, 1)
}

fn day_number(day: civil::Date) -> Option<i32> {
    day.since(epoch()).ok().map(|span| span.get_days())
}

/// The day as text; numbers outside of years -9999 to 9999 come out as numbers.
fn day_text(day: i32) -> String {
    let span = jiff::Span::new().try_days(day);
    span.and_then(|span| epoch().checked_add(span)).map_or_else(|_| day.to_string(), |day| day.to_string())
}

/// Writes a value as files carry it.
pub fn to_text(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Char(value) => value.to_string(),
        Value::Text(value) => value.to_string(),
        Value::Date(day) => day_text(day.0),
        Value::DateTime(second) => {
            let (days, rest) = (second.0.div_euclid(86_400), second.0.rem_euclid(86_400));
            let day = i32::try_from(days).map_or_else(|_| days.to_string(), day_text);
            format!("{day} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
        }
        Value::List(items) | Value::Set(items) => items.iter().map(to_text).collect::<Vec<_>>().join(";"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data_type: DataType, cardinality: Cardinality, text: &str) -> Option<Value> {
        let property = Property { name: "p".into(), data_type, cardinality };
        let value = parse_text(&property, text).ok()?;
        assert!(property.accepts(&value));
        let again = parse_text(&property, &to_text(&value)).unwrap();
        assert_eq!(again.total_cmp(&value), std::cmp::Ordering::Equal, "{text}");
        Some(value)
    }

    #[test]
    fn texts_of_every_type() {
        use Cardinality::*;
        use DataType::*;
        let good = [
            (Char, Single, "ü", Value::Char('ü')),
            (CharArray(2), Single, "ab", Value::text("ab")),
            (String, Single, "a;b", Value::text("a;b")),
            (Bool, Single, "1", Value::Bool(true)),
            (Int, Single, "-7", Value::Int(-7)),
            (Long, List, "1;1;1", Value::List(vec![Value::Long(1); 3])),
            (Long, Set, "2;1;2", Value::Set(vec![Value::Long(1), Value::Long(2)])),
            (Float, Single, "1.5", Value::Float(1.5)),
            (Double, Single, "1e300", Value::Double(1e300)),
            (Date, Single, "1970-01-02", Value::Date(crate::Date(1))),
            (Date, Single, "1969-12-31 23:59:59", Value::DateTime(crate::DateTime(-1))),
            (Enum(vec!["m".into()]), Single, "m", Value::text("m")),
        ];
        for (data_type, cardinality, text, value) in good {
            assert_eq!(check(data_type, cardinality, text), Some(value), "{text}");
        }
        let bad = [
            (Char, "ab"),
            (CharArray(2), "abc"),
            (Bool, "yes"),
            (Int, "2147483648"),
            (Long, "1.0"),
            (Double, ""),
            (Date, "2024-2-03"),
            (Date, "2024-02-30"),
            (Date, "2024-02-03T00:00:00"),
            (Date, "2024-02-03 24:00:00"),
            (Date, "+024-02-03"),
            (Enum(vec!["m".into()]), "x"),
        ];
        for (data_type, text) in bad {
            assert_eq!(check(data_type, Single, text), None, "{text}");
        }
    }
}
