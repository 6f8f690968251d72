//! Property columns of a part: for each key, the positions that have it and their values.

use model::{Date, DateTime, DecodeError, KeyId, Props, Reader, Value, Writer};
use rustc_hash::FxHashMap;

use crate::buffer::{SectionWriter, Sections, check_offsets};

/// Sections of one column: positions (none if every position has a value), offsets or fixed
/// words, heap.
const SECTIONS: usize = 3;
/// Values of one type, 8 bytes each.
const FIXED: u32 = 0;
/// UTF-8 between offsets.
const TEXT: u32 = 1;
/// Values of any type in canonical encoding, between offsets.
const MIXED: u32 = 2;

/// Where a column lies in its part. Checked by [`Columns::parse`].
#[derive(Debug, Clone)]
struct Column {
    key: KeyId,
    layout: u32,
    /// The values' tag, for [`FIXED`].
    tag: u8,
    section: usize,
}

/// The columns of a part.
#[derive(Debug, Default)]
pub(crate) struct Columns(Vec<Column>);

impl Columns {
    /// Reads the directory in section `first`; the columns follow it. Every value is decoded
    /// once here, so that later reads cannot fail.
    pub(crate) fn parse(sections: &Sections, first: usize, positions: usize) -> Result<Self, DecodeError> {
        let mut columns = Vec::new();
        for (nr, entry) in sections.slice::<u32>(first).chunks_exact(3).enumerate() {
            let refuse = |expected| DecodeError { offset: nr, expected };
            let key = u16::try_from(entry[0]).map_err(|_| refuse("a property key"))?;
            let tag = u8::try_from(entry[2]).map_err(|_| refuse("a value type"))?;
            let column =
                Column { key: KeyId(key), layout: entry[1], tag, section: first + 1 + nr * SECTIONS };
            column.check(sections, positions)?;
            if columns.last().is_some_and(|last: &Column| last.key >= column.key) {
                return Err(refuse("ascending property keys"));
            }
            columns.push(column);
        }
        Ok(Self(columns))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The properties at one position.
    pub(crate) fn props(&self, sections: &Sections, position: usize) -> Props {
        let value = |column: &Column| Some((column.key, column.value(sections, position)?));
        // Columns are sorted by key, so properties are too.
        let mut pairs = Vec::with_capacity(self.0.len());
        pairs.extend(self.0.iter().filter_map(value));
        Props::from_pairs(pairs)
    }
}

impl Column {
    fn check(&self, sections: &Sections, positions: usize) -> Result<(), DecodeError> {
        let refuse = |expected| DecodeError { offset: self.section, expected };
        let present = sections.slice::<u32>(self.section);
        let ascending = present.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || present.last().is_some_and(|last| *last as usize >= positions) {
            return Err(refuse("ascending positions"));
        }
        let count = if present.is_empty() { positions } else { present.len() };
        if self.layout == FIXED {
            let complete = sections.slice::<u64>(self.section + 1).len() == count;
            let typed = (0..count).all(|nr| complete && self.fixed(sections, nr).is_some());
            return if complete && typed { Ok(()) } else { Err(refuse("fixed-width values")) };
        }
        let heap = sections.bytes(self.section + 2);
        check_offsets(sections.slice(self.section + 1), count, heap.len())?;
        match self.layout {
            TEXT | MIXED if (0..count).all(|nr| self.heaped(sections, nr).is_some()) => Ok(()),
            _ => Err(refuse("values of the announced layout")),
        }
    }

    fn value(&self, sections: &Sections, position: usize) -> Option<Value> {
        let present = sections.slice::<u32>(self.section);
        let nr = match present {
            [] => position,
            _ => present.binary_search(&(position as u32)).ok()?,
        };
        if self.layout == FIXED { self.fixed(sections, nr) } else { self.heaped(sections, nr) }
    }

    fn fixed(&self, sections: &Sections, nr: usize) -> Option<Value> {
        let word = *sections.slice::<u64>(self.section + 1).get(nr)?;
        from_word(self.tag, word)
    }

    fn heaped(&self, sections: &Sections, nr: usize) -> Option<Value> {
        let offsets = sections.slice::<u32>(self.section + 1);
        let bytes = sections.bytes(self.section + 2);
        let bytes = bytes.get(*offsets.get(nr)? as usize..*offsets.get(nr + 1)? as usize)?;
        if self.layout == TEXT {
            return std::str::from_utf8(bytes).ok().map(Value::text);
        }
        let mut reader = Reader::new(bytes);
        let value = Value::decode(&mut reader).ok()?;
        reader.is_empty().then_some(value)
    }
}

/// A value of fixed width as 8 bytes.
fn to_word(value: &Value) -> Option<u64> {
    Some(match value {
        Value::Bool(value) => u64::from(*value),
        Value::Int(value) => i64::from(*value) as u64,
        Value::Long(value) => *value as u64,
        Value::Float(value) => u64::from(value.to_bits()),
        Value::Double(value) => value.to_bits(),
        Value::Char(value) => u64::from(u32::from(*value)),
        Value::Date(day) => i64::from(day.0) as u64,
        Value::DateTime(second) => second.0 as u64,
        Value::Text(_) | Value::List(_) | Value::Set(_) => return None,
    })
}

fn from_word(tag: u8, word: u64) -> Option<Value> {
    let small = i32::try_from(word as i64).ok();
    Some(match tag {
        1 => Value::Bool(word != 0),
        3 => Value::Int(small?),
        4 => Value::Long(word as i64),
        5 => Value::Float(f32::from_bits(u32::try_from(word).ok()?)),
        6 => Value::Double(f64::from_bits(word)),
        7 => Value::Char(char::from_u32(u32::try_from(word).ok()?)?),
        9 => Value::Date(Date(small?)),
        10 => Value::DateTime(DateTime(word as i64)),
        _ => return None,
    })
}

/// `true` and `false` have tags of their own, but share a column.
fn column_tag(value: &Value) -> u8 {
    if matches!(value, Value::Bool(_)) { 1 } else { value.tag() }
}

/// Collects properties by position, in ascending order, and writes them as columns.
#[derive(Debug, Default)]
pub(crate) struct ColumnsBuilder {
    columns: FxHashMap<KeyId, (Vec<u32>, Vec<Value>)>,
}

impl ColumnsBuilder {
    pub(crate) fn push(&mut self, position: usize, props: &Props) {
        for (key, value) in props {
            let (positions, values) = self.columns.entry(*key).or_default();
            positions.push(position as u32);
            values.push(value.clone());
        }
    }

    /// Writes directory and columns after whatever `out` holds.
    pub(crate) fn finish(self, positions: usize, out: &mut SectionWriter) -> Result<(), DecodeError> {
        let mut columns: Vec<_> = self.columns.into_iter().collect();
        columns.sort_unstable_by_key(|(key, _)| *key);
        let layouts: Vec<_> = columns.iter().map(|(_, (_, values))| layout(values)).collect();
        let entries = columns.iter().zip(&layouts);
        let directory =
            entries.flat_map(|((key, _), (layout, tag))| [u32::from(key.0), *layout, u32::from(*tag)]);
        out.push(&directory.collect::<Vec<_>>());
        for ((_, (present, values)), (layout, _)) in columns.iter().zip(&layouts) {
            let all = present.len() == positions;
            out.push::<u32>(if all { &[] } else { present });
            write_values(values, *layout, out)?;
        }
        Ok(())
    }
}

fn layout(values: &[Value]) -> (u32, u8) {
    let tag = values.first().map_or(0, column_tag);
    let uniform = values.iter().all(|value| column_tag(value) == tag);
    match values.first() {
        Some(Value::Text(_)) if uniform => (TEXT, tag),
        Some(first) if uniform && to_word(first).is_some() => (FIXED, tag),
        _ => (MIXED, 0),
    }
}

fn write_values(values: &[Value], layout: u32, out: &mut SectionWriter) -> Result<(), DecodeError> {
    if layout == FIXED {
        out.push(&values.iter().filter_map(to_word).collect::<Vec<u64>>());
        out.push::<u8>(&[]);
        return Ok(());
    }
    let mut heap = Writer::new();
    let mut offsets = vec![0u32];
    for value in values {
        match value {
            Value::Text(text) if layout == TEXT => heap.raw(text.as_bytes()),
            value => value.encode(&mut heap),
        }
        offsets.push(offset(heap.len())?);
    }
    out.push(&offsets);
    out.push(heap.as_slice());
    Ok(())
}

/// Offsets are 32 bits wide: a column of one chunk holds at most 4 GiB.
pub(crate) fn offset(len: usize) -> Result<u32, DecodeError> {
    u32::try_from(len).map_err(|_| DecodeError { offset: len, expected: "at most 4 GiB in a column" })
}
