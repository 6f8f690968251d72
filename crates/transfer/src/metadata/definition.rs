//! One label or property as the attributes that both forms give it.

use model::{Cardinality, DataType, Label, LabelKind, Property};
use rustc_hash::FxHashMap;

use super::Problem;

/// The attributes of one element, in either form.
pub(super) type Attributes = FxHashMap<String, String>;

const KINDS: &[(&str, LabelKind)] = &[
    ("vertex", LabelKind::Vertex),
    ("edge", LabelKind::Edge),
    ("all", LabelKind::All),
    ("both", LabelKind::All),
];

const CARDINALITIES: &[(&str, Cardinality)] =
    &[("single", Cardinality::Single), ("list", Cardinality::List), ("set", Cardinality::Set)];

const SIMPLE_TYPES: &[(&str, DataType)] = &[
    ("char", DataType::Char),
    ("string", DataType::String),
    ("bool", DataType::Bool),
    ("int", DataType::Int),
    ("long", DataType::Long),
    ("float", DataType::Float),
    ("double", DataType::Double),
    ("date", DataType::Date),
];

const CHAR_ARRAY: &str = "char array";
const ENUM: &str = "enum";
const MAX_ENUM_NAMES: usize = 65_535;

/// A label without its properties.
pub(super) fn label(attributes: &Attributes) -> Result<Label, Problem> {
    let kind = attributes
        .get("labelType")
        .map_or(Ok(LabelKind::All), |text| one_of("labelType", text, KINDS, "vertex, edge or all"));
    Ok(Label { name: required(attributes, "name")?.into(), kind: kind?, properties: Vec::new() })
}

/// The attributes of a label, in the order in which they are written.
pub(super) fn of_label(label: &Label) -> Vec<(String, String)> {
    let mut attributes = vec![("name".into(), label.name.clone())];
    if label.kind != LabelKind::All {
        attributes.push(("labelType".into(), name_of(&label.kind, KINDS)));
    }
    attributes
}

/// A property.
pub(super) fn property(attributes: &Attributes) -> Result<Property, Problem> {
    let cardinality = attributes.get("cardinality").map_or(Ok(Cardinality::Single), |text| {
        one_of("cardinality", text, CARDINALITIES, "single, list or set")
    })?;
    let data_type = data_type(attributes)?;
    if matches!(data_type, DataType::CharArray(_)) && cardinality != Cardinality::Single {
        return Err(illegal("cardinality", &attributes["cardinality"], "single for a char array"));
    }
    Ok(Property { name: required(attributes, "name")?.into(), data_type, cardinality })
}

/// The attributes of a property, in the order in which they are written.
pub(super) fn of_property(property: &Property) -> Vec<(String, String)> {
    let type_name = match &property.data_type {
        DataType::CharArray(_) => CHAR_ARRAY.into(),
        DataType::Enum(_) => ENUM.into(),
        simple => name_of(simple, SIMPLE_TYPES),
    };
    let mut attributes = vec![
        ("name".into(), property.name.clone()),
        ("cardinality".into(), name_of(&property.cardinality, CARDINALITIES)),
        ("dataType".into(), type_name),
    ];
    match &property.data_type {
        DataType::CharArray(max) => attributes.push(("maxDataSize".into(), max.to_string())),
        DataType::Enum(names) => {
            attributes.push(("typeNameCount".into(), names.len().to_string()));
            let names = names.iter().enumerate();
            attributes.extend(names.map(|(at, name)| (type_name_key(at), name.clone())));
        }
        _ => {}
    }
    attributes
}

fn data_type(attributes: &Attributes) -> Result<DataType, Problem> {
    let text = required(attributes, "dataType")?;
    if text.eq_ignore_ascii_case(CHAR_ARRAY) {
        let size = required(attributes, "maxDataSize")?;
        let max = size.parse().ok().filter(|max| *max > 0);
        return max
            .map(DataType::CharArray)
            .ok_or_else(|| illegal("maxDataSize", size, "a number of characters"));
    }
    if text.eq_ignore_ascii_case(ENUM) {
        return enum_names(attributes).map(DataType::Enum);
    }
    let expected = "char, char array, string, bool, int, long, float, double, date or enum";
    one_of("dataType", text, SIMPLE_TYPES, expected)
}

fn enum_names(attributes: &Attributes) -> Result<Vec<String>, Problem> {
    let name = |at: usize| attributes.get(&type_name_key(at));
    let names: Vec<String> = (0..MAX_ENUM_NAMES).map_while(|at| name(at).cloned()).collect();
    let count = attributes.get("typeNameCount").map(|text| (text, text.parse::<usize>()));
    match count {
        _ if names.is_empty() => Err(Problem::Missing { name: type_name_key(0) }),
        Some((text, parsed)) if parsed != Ok(names.len()) || name(names.len()).is_some() => {
            Err(illegal("typeNameCount", text, "the number of typeName attributes, at most 65,535"))
        }
        _ => Ok(names),
    }
}

fn type_name_key(at: usize) -> String {
    format!("typeName{}", at + 1)
}

fn required<'a>(attributes: &'a Attributes, name: &str) -> Result<&'a str, Problem> {
    let value = attributes.get(name).map(String::as_str);
    value.ok_or_else(|| Problem::Missing { name: name.into() })
}

fn one_of<T: Clone>(
    name: &str,
    text: &str,
    table: &[(&str, T)],
    expected: &'static str,
) -> Result<T, Problem> {
    let row = table.iter().find(|(known, _)| known.eq_ignore_ascii_case(text));
    row.map(|(_, value)| value.clone()).ok_or_else(|| illegal(name, text, expected))
}

fn name_of<T: PartialEq>(value: &T, table: &[(&str, T)]) -> String {
    table.iter().find(|(_, known)| known == value).map_or_else(String::new, |(name, _)| (*name).into())
}

fn illegal(name: &str, value: &str, expected: &'static str) -> Problem {
    Problem::Illegal { name: name.into(), value: value.chars().take(64).collect(), expected }
}
