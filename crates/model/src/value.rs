use std::cmp::Ordering;

use crate::codec::{DecodeError, Reader, Writer};

/// A calendar day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// A second on the calendar, without a zone, counted from 1970-01-01 00:00:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(pub i64);

/// A property value. Absence is the absence of the property, never a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `int`: 32 bits
    Int(i32),
    /// `long`: 64 bits
    Long(i64),
    /// `float`: 32 bits
    Float(f32),
    /// `double`: 64 bits
    Double(f64),
    /// `char`
    Char(char),
    /// `string`, `char array` and `enum`
    Text(Box<str>),
    /// `date` given as a day
    Date(Date),
    /// `date` given with a time of day
    DateTime(DateTime),
    /// cardinality `list`: ordered, repeats kept
    List(Vec<Value>),
    /// cardinality `set`: built by [`Value::set`], so sorted and without repeats
    Set(Vec<Value>),
}

/// How deep lists may nest in stored bytes: reading must not exhaust the stack.
const MAX_DEPTH: u32 = 16;

impl Value {
    /// A string.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A set: sorts the members and drops repeats.
    pub fn set(mut members: Vec<Self>) -> Self {
        members.sort_by(Self::total_cmp);
        members.dedup_by(|a, b| a.total_cmp(b) == Ordering::Equal);
        Self::Set(members)
    }

    /// A total order over all values: by type first, then by value; floats as IEEE 754
    /// `totalOrder`, so that NaN and -0.0 have a place.
    pub fn total_cmp(&self, other: &Self) -> Ordering {
        use Value::*;
        match (self, other) {
            (Bool(a), Bool(b)) => a.cmp(b),
            (Int(a), Int(b)) => a.cmp(b),
            (Long(a), Long(b)) => a.cmp(b),
            (Float(a), Float(b)) => a.total_cmp(b),
            (Double(a), Double(b)) => a.total_cmp(b),
            (Char(a), Char(b)) => a.cmp(b),
            (Text(a), Text(b)) => a.cmp(b),
            (Date(a), Date(b)) => a.cmp(b),
            (DateTime(a), DateTime(b)) => a.cmp(b),
            (List(a), List(b)) | (Set(a), Set(b)) => compare_all(a, b),
            _ => self.tag().cmp(&other.tag()),
        }
    }

    /// The type's number in encoded form (`docs/format.md`, "Values").
    pub fn tag(&self) -> u8 {
        match self {
            Self::Bool(false) => 1,
            Self::Bool(true) => 2,
            Self::Int(_) => 3,
            Self::Long(_) => 4,
            Self::Float(_) => 5,
            Self::Double(_) => 6,
            Self::Char(_) => 7,
            Self::Text(_) => 8,
            Self::Date(_) => 9,
            Self::DateTime(_) => 10,
            Self::List(_) => 11,
            Self::Set(_) => 12,
        }
    }

    /// Appends the canonical encoding: equal values give equal bytes on every machine.
    pub fn encode(&self, out: &mut Writer) {
        out.u8(self.tag());
        match self {
            Self::Bool(_) => {}
            Self::Int(value) => out.zigzag(i64::from(*value)),
            Self::Long(value) => out.zigzag(*value),
            Self::Float(value) => out.raw(&value.to_bits().to_le_bytes()),
            Self::Double(value) => out.raw(&value.to_bits().to_le_bytes()),
            Self::Char(value) => out.varint(u64::from(u32::from(*value))),
            Self::Text(text) => out.str(text),
            Self::Date(day) => out.zigzag(i64::from(day.0)),
            Self::DateTime(second) => out.zigzag(second.0),
            Self::List(items) | Self::Set(items) => {
                out.varint(items.len() as u64);
                items.iter().for_each(|item| item.encode(out));
            }
        }
    }

    /// Reads one value back.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_nested(input, MAX_DEPTH)
    }

    fn decode_nested(input: &mut Reader<'_>, depth: u32) -> Result<Self, DecodeError> {
        let small = |input: &mut Reader<'_>| {
            let value = input.zigzag()?;
            i32::try_from(value).map_err(|_| input.error("a number of 32 bits"))
        };
        Ok(match input.u8()? {
            1 => Self::Bool(false),
            2 => Self::Bool(true),
            3 => Self::Int(small(input)?),
            4 => Self::Long(input.zigzag()?),
            5 => Self::Float(f32::from_bits(u32::from_le_bytes(input.array()?))),
            6 => Self::Double(f64::from_bits(u64::from_le_bytes(input.array()?))),
            7 => {
                let code: u32 = input.number()?;
                Self::Char(char::from_u32(code).ok_or_else(|| input.error("a character"))?)
            }
            8 => Self::Text(input.str()?.into()),
            9 => Self::Date(Date(small(input)?)),
            10 => Self::DateTime(DateTime(input.zigzag()?)),
            tag @ (11 | 12) => {
                let depth = depth.checked_sub(1).ok_or_else(|| input.error("less nesting"))?;
                let count = input.count(1)?;
                let mut items = Vec::with_capacity(count);
                for _ in 0..count {
                    items.push(Self::decode_nested(input, depth)?);
                }
                if tag == 11 { Self::List(items) } else { Self::Set(items) }
            }
            _ => return Err(input.error("a value")),
        })
    }

    /// Roughly the bytes it occupies in memory, for budgets.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) => text.len(),
                Self::List(items) | Self::Set(items) => items.iter().map(Self::weight).sum(),
                _ => 0,
            }
    }
}

fn compare_all(a: &[Value], b: &[Value]) -> Ordering {
    let unequal = a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|order| order.is_ne());
    unequal.unwrap_or_else(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::Int),
            any::<i64>().prop_map(Value::Long),
            any::<f32>().prop_map(Value::Float),
            any::<f64>().prop_map(Value::Double),
            any::<char>().prop_map(Value::Char),
            any::<String>().prop_map(Value::text),
            (-4_000_000..4_000_000i32).prop_map(|day| Value::Date(Date(day))),
            (-200_000_000_000..200_000_000_000i64).prop_map(|s| Value::DateTime(DateTime(s))),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any_scalar(),
            prop::collection::vec(any_scalar(), 0..5).prop_map(Value::List),
            prop::collection::vec(any_scalar(), 0..5).prop_map(Value::set),
        ]
    }

    proptest! {
        #[test]
        fn encoding_comes_back(value in any_value()) {
            let mut out = Writer::new();
            value.encode(&mut out);
            let mut reader = Reader::new(out.as_slice());
            let back = Value::decode(&mut reader).unwrap();
            prop_assert_eq!(back.total_cmp(&value), Ordering::Equal);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn a_set_ignores_order_and_repeats(mut members in prop::collection::vec(any_scalar(), 0..6)) {
            let one = Value::set(members.clone());
            members.reverse();
            members.extend(members.clone());
            prop_assert_eq!(one.total_cmp(&Value::set(members)), Ordering::Equal);
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let bytes = [11u8, 1].repeat(100_000);
        assert!(Value::decode(&mut Reader::new(&bytes)).is_err());
    }
}
