use std::borrow::Cow;

use model::{
    Cardinality, KeyId, Label, LabelId, LabelKind, Property, Props, Schema, SchemaError, TextError, Value,
};
use rustc_hash::FxHashMap;

use super::reject::Reject;
use crate::csv::{Row, split_items};

/// Which column of a line is which property, by label.
pub(super) struct Layout {
    labels: Vec<Columns>,
}

/// The property columns of one label, in the order of the files.
struct Columns {
    kind: LabelKind,
    columns: Vec<Column>,
}

/// A column that holds a property.
#[derive(Debug, Clone)]
struct Column {
    key: KeyId,
    property: Property,
    /// The property as it would be with one value: what an item of a list must be.
    item: Property,
}

impl Layout {
    /// The order of columns is that of the metadata that came with the files; labels it does not
    /// have are in the order of the graph.
    pub(super) fn new(schema: &Schema, with_files: &[Label]) -> Self {
        let with_files: FxHashMap<&str, &Label> =
            with_files.iter().map(|label| (label.name.as_str(), label)).collect();
        let columns = |label: &Label| {
            let defined = with_files.get(label.name.as_str()).copied().unwrap_or(label);
            Columns::new(label, defined, schema)
        };
        Self { labels: schema.labels().iter().map(columns).collect() }
    }

    /// Takes in labels that are new in the schema.
    pub(super) fn extend(&mut self, schema: &Schema) {
        let new = &schema.labels()[self.labels.len()..];
        self.labels.extend(new.iter().map(|label| Columns::new(label, label, schema)));
    }

    /// Whether elements of this kind may carry a label.
    pub(super) fn allows(&self, label: LabelId, kind: LabelKind) -> bool {
        let allowed = self.labels[label.index()].kind;
        allowed == LabelKind::All || allowed == kind
    }

    /// The properties in a line from column `first` on. A vertex with several labels has the
    /// columns of the first one, then those of the next that are not there yet, and so on.
    pub(super) fn props(
        &self,
        row: &Row<'_, '_>,
        first: usize,
        labels: &[LabelId],
        label_text: &str,
    ) -> Result<Props, Reject> {
        if row.len() <= first {
            return Ok(Props::new());
        }
        let columns = match labels {
            [label] => Cow::Borrowed(&self.labels[label.index()].columns),
            labels => Cow::Owned(self.united(labels)),
        };
        let mut pairs = Vec::new();
        for at in first..row.len() {
            let Some(text) = row.value(at) else { continue };
            let Some(column) = columns.get(at - first) else {
                return Err(Reject::Undeclared { column: at + 1, label: label_text.into() });
            };
            let value = column.value(&text).map_err(|error| Reject::Value {
                column: at + 1,
                property: column.property.name.clone(),
                error,
            });
            pairs.push((column.key, value?));
        }
        Ok(if pairs.is_empty() { Props::new() } else { Props::from_pairs(pairs) })
    }

    /// What several labels declare differently is what the first of them in the schema says, as
    /// in [`Schema::property`].
    fn united(&self, labels: &[LabelId]) -> Vec<Column> {
        let mut united: Vec<(LabelId, Column)> = Vec::new();
        for label in labels {
            for column in &self.labels[label.index()].columns {
                match united.iter_mut().find(|(_, earlier)| earlier.key == column.key) {
                    None => united.push((*label, column.clone())),
                    Some(earlier) if *label < earlier.0 => *earlier = (*label, column.clone()),
                    Some(_) => {}
                }
            }
        }
        united.into_iter().map(|(_, column)| column).collect()
    }
}

impl Columns {
    fn new(label: &Label, defined: &Label, schema: &Schema) -> Self {
        let column = |property: &Property| {
            // Declared properties have their keys from the moment they are declared.
            let key = schema.key_id(&property.name)?;
            let item = Property { cardinality: Cardinality::Single, ..property.clone() };
            Some(Column { key, property: property.clone(), item })
        };
        Self { kind: label.kind, columns: defined.properties.iter().filter_map(column).collect() }
    }
}

impl Column {
    fn value(&self, text: &str) -> Result<Value, TextError> {
        let parse = |item: Cow<'_, str>| model::parse_text(&self.item, &item);
        let items = || split_items(text).map(parse).collect::<Result<_, _>>();
        match self.property.cardinality {
            Cardinality::Single => model::parse_text(&self.property, text),
            Cardinality::List => items().map(Value::List),
            Cardinality::Set => items().map(Value::set),
        }
    }
}

/// Why a schema does not take a label that is not in it.
pub(super) fn unknown_label(schema: &Schema, name: &str) -> SchemaError {
    if schema.mode() == model::SchemaMode::Closed {
        return SchemaError::UnknownLabel { label: name.into() };
    }
    let tried = Schema::new(schema.mode()).intern_label(name);
    tried.err().unwrap_or(SchemaError::TooMany { what: "labels" })
}
