use model::{DEFAULT_LABEL, Kind, Label, LabelKind, Property, Schema, SchemaError};
use rustc_hash::FxHashMap;

/// A label that a graph and a metadata file define differently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Contradiction {
    #[error("property [{property}] of label [{label}] has another type or cardinality in the graph")]
    Property { label: String, property: String },
    #[error("label [{label}] is for {graph:?} elements in the graph, not for {file:?}")]
    LabelKind { label: String, graph: LabelKind, file: LabelKind },
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl Contradiction {
    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Schema(error) => error.kind(),
            _ => Kind::Invalid,
        }
    }
}

/// Takes the labels of a metadata file into a graph's schema: new labels are added, known ones
/// get the properties they miss. Nothing that is there changes; if something contradicts it,
/// the schema stays as it was.
pub fn merge_labels(schema: &mut Schema, labels: Vec<Label>) -> Result<(), Contradiction> {
    let mut merged = schema.clone();
    for label in labels {
        let known = merged.label_id(&label.name).and_then(|id| merged.label(id));
        match known {
            None => merged.add_label(label).map(|_| ())?,
            Some(known) => {
                check_kind(known, &label)?;
                let missing = missing_properties(known, label.properties)?;
                merged.set_properties(&label.name, missing, false)?;
            }
        }
    }
    *schema = merged;
    Ok(())
}

/// Files need not say what a label is for, so only a plain contradiction counts.
fn check_kind(known: &Label, label: &Label) -> Result<(), Contradiction> {
    if label.kind == LabelKind::All || label.kind == known.kind || label.name == DEFAULT_LABEL {
        return Ok(());
    }
    Err(Contradiction::LabelKind { label: label.name.clone(), graph: known.kind, file: label.kind })
}

fn missing_properties(known: &Label, properties: Vec<Property>) -> Result<Vec<Property>, Contradiction> {
    let by_name: FxHashMap<&str, &Property> =
        known.properties.iter().map(|property| (property.name.as_str(), property)).collect();
    let mut missing = Vec::new();
    for property in properties {
        match by_name.get(property.name.as_str()) {
            None => missing.push(property),
            Some(same) if **same == property => {}
            Some(_) => {
                let label = known.name.clone();
                return Err(Contradiction::Property { label, property: property.name });
            }
        }
    }
    Ok(missing)
}
