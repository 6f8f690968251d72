use std::fmt;

use model::{Cardinality, DataType, KeyId, Label, LabelId, Property, Props, Schema, Value};
use rustc_hash::FxHashMap;

use super::column_labels;
use super::values::{ColumnType, narrowest, widen};

/// What the properties of a graph's elements are, by the labels of the elements. The result does
/// not depend on the order in which elements are seen, so chunks can be looked at in parallel.
#[derive(Debug, Default)]
pub(super) struct Observations(FxHashMap<Vec<LabelId>, FxHashMap<KeyId, Seen>>);

/// All values of one property under one set of labels.
#[derive(Debug)]
struct Seen {
    /// What takes all of them; `None` while they are empty lists.
    column: Option<ColumnType>,
    /// Whether each of them reads back from `column` as it was.
    exact: bool,
    /// Whether each of them reads back as it was from the column that the labels declare.
    fits_declared: bool,
    empty_lists: u64,
}

/// The columns of every label, as exported.
#[derive(Debug)]
pub(super) struct Shape {
    labels: Vec<Vec<Property>>,
    /// The columns of elements by their labels, for all that have properties.
    columns: FxHashMap<Vec<LabelId>, Vec<(KeyId, Cardinality)>>,
}

/// Something that exported files do not carry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Values that no type of files takes, or of several types, were written as another type.
    Retyped {
        /// The label.
        label: String,
        /// Its property.
        property: String,
        /// The type they were written as.
        written_as: DataType,
    },
    /// Empty lists and sets read back as no value.
    EmptyLists {
        /// The label.
        label: String,
        /// Its property.
        property: String,
        /// How many.
        count: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retyped { label, property, written_as } => {
                write!(
                    out,
                    "label [{label}], property [{property}]: some values changed as they were written as {written_as:?}"
                )
            }
            Self::EmptyLists { label, property, count } => {
                write!(out, "label [{label}], property [{property}]: {count} empty lists were left out")
            }
        }
    }
}

impl Observations {
    /// Takes note of one element.
    pub(super) fn see(&mut self, schema: &Schema, labels: &[LabelId], props: &Props) {
        if props.is_empty() {
            return;
        }
        let labels = column_labels(labels);
        if !self.0.contains_key(labels) {
            self.0.insert(labels.to_vec(), FxHashMap::default());
        }
        let Some(seen) = self.0.get_mut(labels) else { return };
        for (key, value) in props {
            let one = Seen::of(value, schema.property(labels, schema.key_name(*key)));
            match seen.get_mut(key) {
                Some(seen) => seen.merge(one),
                None => {
                    seen.insert(*key, one);
                }
            }
        }
    }

    /// Both together.
    pub(super) fn merge(mut self, other: Self) -> Self {
        for (labels, keys) in other.0 {
            let known = self.0.entry(labels).or_default();
            for (key, seen) in keys {
                match known.get_mut(&key) {
                    Some(known) => known.merge(seen),
                    None => {
                        known.insert(key, seen);
                    }
                }
            }
        }
        self
    }

    /// Settles the columns of every label, and says what they cannot carry.
    pub(super) fn resolve(self, schema: &Schema) -> (Shape, Vec<Difference>) {
        let mut all: Vec<(Vec<LabelId>, KeyId, Seen)> = Vec::new();
        for (labels, keys) in self.0 {
            all.extend(keys.into_iter().map(|(key, seen)| (labels.clone(), key, seen)));
        }
        all.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut shape = Shape::declared(schema);
        for (labels, key, seen) in &all {
            shape.give_column(schema, labels, *key, seen);
        }
        for (labels, key, seen) in &all {
            shape.fit(schema, labels, *key, seen);
        }
        let differences = shape.differences(schema, &all);
        for labels in all.into_iter().map(|(labels, ..)| labels) {
            if !shape.columns.contains_key(&labels) {
                let columns = shape.united(schema, &labels);
                shape.columns.insert(labels, columns);
            }
        }
        (shape, differences)
    }
}

impl Seen {
    fn of(value: &Value, declared: Option<&Property>) -> Self {
        match narrowest(value) {
            None => Self { column: None, exact: true, fits_declared: true, empty_lists: 1 },
            Some((column, exact)) => {
                let fits_declared = exact && declared.is_some_and(|property| property.accepts(value));
                Self { column: Some(column), exact, fits_declared, empty_lists: 0 }
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.fits_declared &= other.fits_declared;
        self.exact &= other.exact;
        self.empty_lists += other.empty_lists;
        self.column = match (self.column.take(), other.column) {
            (Some(one), Some(other)) if one == other => Some(one),
            (Some(one), Some(other)) => {
                self.exact = false;
                Some(widen(one, other))
            }
            (one, other) => one.or(other),
        };
    }

    /// Whether every value reads back from a column as it was.
    fn reads_back(&self, column: &Property, declared: Option<&Property>) -> bool {
        let same = self.column.as_ref().is_none_or(|seen| *seen == type_of(column));
        self.exact && same || self.fits_declared && declared == Some(column)
    }
}

impl Shape {
    fn declared(schema: &Schema) -> Self {
        let labels = schema.labels().iter().map(|label| label.properties.clone()).collect();
        Self { labels, columns: FxHashMap::default() }
    }

    /// Where elements with these labels have a property: under the first label with a column for
    /// it, which is where an import looks too.
    fn home(&self, labels: &[LabelId], name: &str) -> Option<(LabelId, usize)> {
        labels.iter().find_map(|label| {
            let at = self.labels[label.index()].iter().position(|property| property.name == name)?;
            Some((*label, at))
        })
    }

    /// Makes sure that a property with values has a column somewhere.
    fn give_column(&mut self, schema: &Schema, labels: &[LabelId], key: KeyId, seen: &Seen) {
        let name = schema.key_name(key);
        if let (None, Some(column), Some(first)) = (self.home(labels, name), &seen.column, labels.first()) {
            let ColumnType { data_type, cardinality } = column.clone();
            self.labels[first.index()].push(Property { name: name.into(), data_type, cardinality });
        }
    }

    /// Widens a column until it takes the values. All columns are given by now: a property may
    /// have got one under an earlier label than the one that declares it.
    fn fit(&mut self, schema: &Schema, labels: &[LabelId], key: KeyId, seen: &Seen) {
        let name = schema.key_name(key);
        let (Some((label, at)), Some(column)) = (self.home(labels, name), &seen.column) else { return };
        let declared = schema.property(&[label], name);
        if seen.fits_declared && declared.is_some() {
            return;
        }
        let home = &mut self.labels[label.index()][at];
        let widened = widen(type_of(home), column.clone());
        (home.data_type, home.cardinality) = (widened.data_type, widened.cardinality);
    }

    fn differences(&self, schema: &Schema, all: &[(Vec<LabelId>, KeyId, Seen)]) -> Vec<Difference> {
        let mut differences: Vec<Difference> = Vec::new();
        for (labels, key, seen) in all {
            let property = schema.key_name(*key).to_owned();
            let home = self.home(labels, &property);
            let label = home.map(|(label, _)| label).or(labels.first().copied());
            let label = label.map_or("", |label| schema.label_name(label)).to_owned();
            if seen.empty_lists > 0 {
                let (label, property) = (label.clone(), property.clone());
                differences.push(Difference::EmptyLists { label, property, count: seen.empty_lists });
            }
            let Some((at_label, at)) = home else { continue };
            let column = &self.labels[at_label.index()][at];
            if !seen.reads_back(column, schema.property(labels, &property)) {
                let written_as = column.data_type.clone();
                differences.push(Difference::Retyped { label, property, written_as });
            }
        }
        differences.dedup();
        differences
    }

    /// The columns of elements with these labels, as an import of their lines sees them.
    fn united(&self, schema: &Schema, labels: &[LabelId]) -> Vec<(KeyId, Cardinality)> {
        let mut united: Vec<(KeyId, Cardinality)> = Vec::new();
        for property in labels.iter().flat_map(|label| &self.labels[label.index()]) {
            let Some(key) = schema.key_id(&property.name) else { continue };
            if united.iter().all(|(earlier, _)| *earlier != key) {
                united.push((key, property.cardinality));
            }
        }
        united
    }

    /// The columns of an element with properties.
    pub(super) fn columns(&self, labels: &[LabelId]) -> &[(KeyId, Cardinality)] {
        self.columns.get(column_labels(labels)).map_or(&[], Vec::as_slice)
    }

    /// All labels with their columns.
    pub(super) fn labels(&self, schema: &Schema) -> Vec<Label> {
        let columns = self.labels.iter().zip(schema.labels());
        columns.map(|(columns, label)| Label { properties: columns.clone(), ..label.clone() }).collect()
    }
}

fn type_of(property: &Property) -> ColumnType {
    ColumnType { data_type: property.data_type.clone(), cardinality: property.cardinality }
}
