use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::ids::{KeyId, LabelId};
use crate::kind::Kind;
use crate::record::Props;
use crate::value::Value;

/// The label of elements that were given none.
pub const DEFAULT_LABEL: &str = "__DEFAULT__";

/// Whether labels and properties must be declared before they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemaMode {
    /// Declared first, as in GES.
    Closed,
    /// They appear as they are used, as openCypher users expect.
    Open,
}

/// What may carry a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelKind {
    /// Vertices only.
    Vertex,
    /// Edges only.
    Edge,
    /// Both.
    All,
}

/// How many values a property has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cardinality {
    /// One.
    Single,
    /// Any number, ordered, repeats kept.
    List,
    /// Any number, no order, no repeats.
    Set,
}

/// The type of a property's values (`dataType` in GES metadata).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// One character.
    Char,
    /// Text of at most this many characters.
    CharArray(u32),
    /// Text.
    String,
    /// True or false.
    Bool,
    /// 32-bit signed.
    Int,
    /// 64-bit signed.
    Long,
    /// 32-bit IEEE 754.
    Float,
    /// 64-bit IEEE 754.
    Double,
    /// A day, or a second of a day.
    Date,
    /// One of these names.
    Enum(Vec<String>),
}

/// A declared property of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Unique in its label.
    pub name: String,
    /// Type of each value.
    pub data_type: DataType,
    /// How many values.
    pub cardinality: Cardinality,
}

/// A label with its properties, in the order of their columns in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Unique in the graph.
    pub name: String,
    /// What may carry it.
    pub kind: LabelKind,
    /// Declared properties; empty in open mode, where any may appear.
    pub properties: Vec<Property>,
}

/// Labels and property keys of one graph. Names get numbers when they first appear and keep
/// them for good; nothing is ever renumbered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredSchema", into = "StoredSchema")]
pub struct Schema {
    mode: SchemaMode,
    labels: Vec<Label>,
    keys: Vec<String>,
    label_ids: FxHashMap<String, LabelId>,
    key_ids: FxHashMap<String, KeyId>,
}

/// What a schema refuses. `Display` names the offender, so that it can be shown to users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SchemaError {
    #[error("label [{label}] does not exist")]
    UnknownLabel { label: String },
    #[error("label [{label}] already exists")]
    LabelExists { label: String },
    #[error("label [{label}] is for {kind:?} elements only")]
    WrongKind { label: String, kind: LabelKind },
    #[error("property [{property}] of label [{label}] does not exist")]
    UnknownProperty { label: String, property: String },
    #[error("property [{property}] of label [{label}] is declared twice")]
    PropertyTwice { label: String, property: String },
    #[error("property [{property}] of label [{label}] is no {expected:?} of cardinality {cardinality:?}")]
    WrongType { label: String, property: String, expected: DataType, cardinality: Cardinality },
    #[error("label name [{name}] is not legal: 1 to 256 letters, digits, blanks or %@#$:?*.+-_")]
    LabelName { name: String },
    #[error("property name [{name}] is not legal: 1 to 256 characters without <, >, & and control codes")]
    PropertyName { name: String },
    #[error("a graph has at most 65,535 {what}")]
    TooMany { what: &'static str },
}

impl SchemaError {
    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::LabelExists { .. } => Kind::Conflict,
            Self::TooMany { .. } => Kind::Quota,
            _ => Kind::Invalid,
        }
    }
}

impl Schema {
    /// Only the default label.
    pub fn new(mode: SchemaMode) -> Self {
        let default = Label { name: DEFAULT_LABEL.into(), kind: LabelKind::All, properties: Vec::new() };
        Self {
            mode,
            label_ids: [(default.name.clone(), LabelId(0))].into_iter().collect(),
            labels: vec![default],
            keys: Vec::new(),
            key_ids: FxHashMap::default(),
        }
    }

    /// Closed or open.
    pub fn mode(&self) -> SchemaMode {
        self.mode
    }

    /// All labels; the position is the number.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The number of a label.
    pub fn label_id(&self, name: &str) -> Option<LabelId> {
        self.label_ids.get(name).copied()
    }

    /// The definition behind a number.
    pub fn label(&self, id: LabelId) -> Option<&Label> {
        self.labels.get(id.index())
    }

    /// The name behind a number; `?` for a number this schema never gave.
    pub fn label_name(&self, id: LabelId) -> &str {
        self.labels.get(id.index()).map_or("?", |label| &label.name)
    }

    /// The number of a property key.
    pub fn key_id(&self, name: &str) -> Option<KeyId> {
        self.key_ids.get(name).copied()
    }

    /// The name behind a number; `?` for a number this schema never gave.
    pub fn key_name(&self, id: KeyId) -> &str {
        self.keys.get(id.index()).map_or("?", String::as_str)
    }

    /// All property keys; the position is the number.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Declares a label.
    pub fn add_label(&mut self, label: Label) -> Result<LabelId, SchemaError> {
        check_label_name(&label.name)?;
        if self.label_ids.contains_key(&label.name) {
            return Err(SchemaError::LabelExists { label: label.name });
        }
        let id = u16::try_from(self.labels.len()).ok().filter(|id| *id < u16::MAX);
        let id = LabelId(id.ok_or(SchemaError::TooMany { what: "labels" })?);
        self.intern_properties(&label)?;
        self.label_ids.insert(label.name.clone(), id);
        self.labels.push(label);
        Ok(id)
    }

    /// Replaces the properties of a label, or appends those it does not have yet. Numbers and
    /// stored values stay as they are.
    pub fn set_properties(
        &mut self,
        name: &str,
        properties: Vec<Property>,
        replace: bool,
    ) -> Result<(), SchemaError> {
        let unknown = || SchemaError::UnknownLabel { label: name.into() };
        let id = self.label_id(name).ok_or_else(unknown)?;
        let mut label = self.labels[id.index()].clone();
        if replace {
            label.properties.clear();
        }
        label.properties.extend(properties);
        self.intern_properties(&label)?;
        self.labels[id.index()] = label;
        Ok(())
    }

    fn intern_properties(&mut self, label: &Label) -> Result<(), SchemaError> {
        let mut names = FxHashSet::default();
        for property in &label.properties {
            check_property_name(&property.name)?;
            if !names.insert(property.name.as_str()) {
                let property = property.name.clone();
                return Err(SchemaError::PropertyTwice { label: label.name.clone(), property });
            }
        }
        label.properties.iter().try_for_each(|property| self.intern_key(&property.name).map(|_| ()))
    }

    /// The number of a label, given now if it is new. For open mode and for decoding.
    pub fn intern_label(&mut self, name: &str) -> Result<LabelId, SchemaError> {
        match self.label_id(name) {
            Some(id) => Ok(id),
            None => self.add_label(Label { name: name.into(), kind: LabelKind::All, properties: Vec::new() }),
        }
    }

    /// The number of a property key, given now if it is new.
    pub fn intern_key(&mut self, name: &str) -> Result<KeyId, SchemaError> {
        if let Some(id) = self.key_id(name) {
            return Ok(id);
        }
        check_property_name(name)?;
        let id = u16::try_from(self.keys.len()).ok().filter(|id| *id < u16::MAX);
        let id = KeyId(id.ok_or(SchemaError::TooMany { what: "property keys" })?);
        self.key_ids.insert(name.into(), id);
        self.keys.push(name.into());
        Ok(id)
    }

    /// The declaration of `property` under the first of `labels` that has it.
    pub fn property(&self, labels: &[LabelId], property: &str) -> Option<&Property> {
        let declared = labels.iter().filter_map(|id| self.label(*id));
        declared.flat_map(|label| &label.properties).find(|p| p.name == property)
    }

    /// Checks an element against a closed schema; in open mode everything passes.
    pub fn check(&self, kind: LabelKind, labels: &[LabelId], props: &Props) -> Result<(), SchemaError> {
        if self.mode == SchemaMode::Open {
            return Ok(());
        }
        for id in labels {
            let unknown = || SchemaError::UnknownLabel { label: format!("#{}", id.0) };
            let label = self.label(*id).ok_or_else(unknown)?;
            if label.kind != LabelKind::All && label.kind != kind {
                return Err(SchemaError::WrongKind { label: label.name.clone(), kind: label.kind });
            }
        }
        props.iter().try_for_each(|(key, value)| self.check_value(labels, *key, value))
    }

    fn check_value(&self, labels: &[LabelId], key: KeyId, value: &Value) -> Result<(), SchemaError> {
        let label = labels.first().map_or_else(String::new, |id| self.label_name(*id).into());
        let name = self.key_name(key);
        let Some(property) = self.property(labels, name) else {
            return Err(SchemaError::UnknownProperty { label, property: name.into() });
        };
        if property.accepts(value) {
            return Ok(());
        }
        Err(SchemaError::WrongType {
            label,
            property: name.into(),
            expected: property.data_type.clone(),
            cardinality: property.cardinality,
        })
    }
}

impl Property {
    /// Whether `value` has the declared type and cardinality.
    pub fn accepts(&self, value: &Value) -> bool {
        match (self.cardinality, value) {
            (Cardinality::Single, value) => self.data_type.accepts(value),
            (Cardinality::List, Value::List(items)) | (Cardinality::Set, Value::Set(items)) => {
                items.iter().all(|item| self.data_type.accepts(item))
            }
            _ => false,
        }
    }
}

impl DataType {
    fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Char, Value::Char(_))
            | (Self::String, Value::Text(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Int, Value::Int(_))
            | (Self::Long, Value::Long(_))
            | (Self::Float, Value::Float(_))
            | (Self::Double, Value::Double(_))
            | (Self::Date, Value::Date(_) | Value::DateTime(_)) => true,
            (Self::CharArray(max), Value::Text(text)) => text.chars().count() <= *max as usize,
            (Self::Enum(names), Value::Text(text)) => names.iter().any(|name| **name == **text),
            _ => false,
        }
    }
}

fn check_label_name(name: &str) -> Result<(), SchemaError> {
    let legal = |c: char| c.is_alphanumeric() || " %@#$:?*.+-_".contains(c);
    let fits = !name.is_empty() && name.chars().count() <= 256 && name.chars().all(legal);
    if fits { Ok(()) } else { Err(SchemaError::LabelName { name: name.into() }) }
}

fn check_property_name(name: &str) -> Result<(), SchemaError> {
    let legal = |c: char| !matches!(c, '<' | '>' | '&' | '\u{e}' | '\u{f}' | '\u{1e}');
    let fits = !name.is_empty() && name.chars().count() <= 256 && name.chars().all(legal);
    if fits { Ok(()) } else { Err(SchemaError::PropertyName { name: name.into() }) }
}

/// The stored form: the maps are derived again, so a file cannot contradict itself.
#[derive(Clone, Serialize, Deserialize)]
struct StoredSchema {
    mode: SchemaMode,
    labels: Vec<Label>,
    keys: Vec<String>,
}

impl From<Schema> for StoredSchema {
    fn from(schema: Schema) -> Self {
        Self { mode: schema.mode, labels: schema.labels, keys: schema.keys }
    }
}

impl TryFrom<StoredSchema> for Schema {
    type Error = SchemaError;

    fn try_from(stored: StoredSchema) -> Result<Self, SchemaError> {
        let mut schema = Self::new(stored.mode);
        for key in &stored.keys {
            schema.intern_key(key)?;
        }
        for label in stored.labels {
            if label.name == DEFAULT_LABEL {
                schema.set_properties(DEFAULT_LABEL, label.properties, true)?;
            } else {
                schema.add_label(label)?;
            }
        }
        Ok(schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Label {
        let property =
            |name: &str, data_type, cardinality| Property { name: name.into(), data_type, cardinality };
        Label {
            name: "person".into(),
            kind: LabelKind::Vertex,
            properties: vec![
                property("age", DataType::Int, Cardinality::Single),
                property("nick", DataType::CharArray(3), Cardinality::Single),
                property("mood", DataType::Enum(vec!["good".into()]), Cardinality::Set),
            ],
        }
    }

    #[test]
    fn a_closed_schema_names_what_it_refuses() {
        let mut schema = Schema::new(SchemaMode::Closed);
        let label = schema.add_label(person()).unwrap();
        assert_eq!(schema.add_label(person()).unwrap_err().kind(), Kind::Conflict);
        let check = |name: &str, value: Value| {
            let key = schema.key_id(name).unwrap();
            let props = Props::from_pairs(vec![(key, value)]);
            schema.check(LabelKind::Vertex, &[label], &props).map_err(|e| e.to_string())
        };
        assert_eq!(check("age", Value::Int(3)), Ok(()));
        assert_eq!(check("nick", Value::text("abc")), Ok(()));
        assert_eq!(check("mood", Value::set(vec![Value::text("good")])), Ok(()));
        assert!(check("age", Value::Long(3)).unwrap_err().contains("[age]"));
        assert!(check("nick", Value::text("abcd")).unwrap_err().contains("[nick]"));
        assert!(check("mood", Value::set(vec![Value::text("bad")])).unwrap_err().contains("[mood]"));
        assert!(schema.check(LabelKind::Edge, &[label], &Props::new()).is_err());
    }

    #[test]
    fn labels_without_elements_can_be_extended_but_not_contradicted() {
        let mut schema = Schema::new(SchemaMode::Closed);
        schema.add_label(person()).unwrap();
        let more = vec![Property {
            name: "age".into(),
            data_type: DataType::Long,
            cardinality: Cardinality::Single,
        }];
        assert!(schema.set_properties("person", more.clone(), false).is_err());
        schema.set_properties("person", more, true).unwrap();
        assert_eq!(schema.labels()[1].properties.len(), 1);
        assert!(schema.set_properties("nobody", vec![], true).is_err());
    }
}
