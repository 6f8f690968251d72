use crate::codec::{DecodeError, Reader, Writer};
use crate::ids::{KeyId, LabelId};
use crate::value::Value;

/// The longest vertex id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 4096;

/// The properties of one element: at most one value a key, sorted by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Props(Vec<(KeyId, Value)>);

/// A vertex as a row: everything about it but its edges.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexRecord {
    /// Unique in the graph; 1 to [`MAX_ID_BYTES`] bytes.
    pub id: Box<str>,
    /// Sorted, without repeats. Empty only in graphs with an open schema.
    pub labels: Vec<LabelId>,
    /// Typed values.
    pub props: Props,
}

impl Props {
    /// No properties.
    pub fn new() -> Self {
        Self::default()
    }

    /// From pairs in any order; of equal keys the last one counts.
    pub fn from_pairs(mut pairs: Vec<(KeyId, Value)>) -> Self {
        if pairs.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Self(pairs);
        }
        pairs.sort_by_key(|(key, _)| *key);
        let mut props: Vec<(KeyId, Value)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match props.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => props.push(pair),
            }
        }
        Self(props)
    }

    /// The value of `key`.
    pub fn get(&self, key: KeyId) -> Option<&Value> {
        let at = self.0.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets one value, replacing the one that was there.
    pub fn set(&mut self, key: KeyId, value: Value) {
        match self.0.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// Takes one value out.
    pub fn remove(&mut self, key: KeyId) -> Option<Value> {
        let at = self.0.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(self.0.remove(at).1)
    }

    /// All pairs, by key.
    pub fn iter(&self) -> std::slice::Iter<'_, (KeyId, Value)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Roughly the bytes they occupy in memory, for budgets.
    pub fn weight(&self) -> usize {
        self.0.iter().map(|(_, value)| size_of::<KeyId>() + value.weight()).sum()
    }

    /// Appends count, then key and value of each.
    pub fn encode(&self, out: &mut Writer) {
        out.varint(self.0.len() as u64);
        for (key, value) in &self.0 {
            out.varint(u64::from(key.0));
            value.encode(out);
        }
    }

    /// Reads them back; keys must ascend.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.count(2)?;
        let mut pairs: Vec<(KeyId, Value)> = Vec::with_capacity(count);
        for _ in 0..count {
            let key = KeyId(input.number()?);
            if pairs.last().is_some_and(|(last, _)| *last >= key) {
                return Err(input.error("ascending property keys"));
            }
            pairs.push((key, Value::decode(input)?));
        }
        Ok(Self(pairs))
    }
}

impl<'a> IntoIterator for &'a Props {
    type Item = &'a (KeyId, Value);
    type IntoIter = std::slice::Iter<'a, (KeyId, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl VertexRecord {
    /// Appends id, labels and properties.
    pub fn encode(&self, out: &mut Writer) {
        out.str(&self.id);
        out.varint(self.labels.len() as u64);
        self.labels.iter().for_each(|label| out.varint(u64::from(label.0)));
        self.props.encode(out);
    }

    /// Reads one back; labels must ascend and the id must have a legal length.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = input.str()?;
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(input.error("an id of 1 to 4096 bytes"));
        }
        let count = input.count(1)?;
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            let label = LabelId(input.number()?);
            if labels.last().is_some_and(|last| *last >= label) {
                return Err(input.error("ascending labels"));
            }
            labels.push(label);
        }
        Ok(Self { id: id.into(), labels, props: Props::decode(input)? })
    }

    /// Roughly the bytes it occupies in memory, for budgets.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.id.len() + 2 * self.labels.len() + self.props.weight()
    }
}
