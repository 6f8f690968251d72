//! JSON bodies and queries, asked field by field, so that every refusal names the field.

use serde_json::{Map, Value as Json};

use super::error::{DataError, ElementList};

/// The most elements in one request.
pub(crate) const MAX_ELEMENTS: usize = 10_000;

/// The fields of an object that is taken apart. Fields that nobody asks for are ignored.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    map: Map<String, Json>,
    /// How to get here: `edges[3].`, nothing for the body itself.
    at: String,
}

impl Fields {
    /// A body. No bytes at all are an object without fields.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, DataError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Json::Object(map)) => Ok(Self { map, at: String::new() }),
            Ok(_) => Err(DataError::NotObject),
            Err(error) => Err(DataError::NotJson { line: error.line(), column: error.column() }),
        }
    }

    fn of(value: Json, at: String) -> Result<Self, DataError> {
        match value {
            Json::Object(map) => Ok(Self { map, at: format!("{at}.") }),
            _ => Err(DataError::Field { field: at, expected: "an object" }),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.at)
    }

    /// The refusal of a field that is there.
    pub(crate) fn wrong(&self, name: &str, expected: &'static str) -> DataError {
        DataError::Field { field: self.path(name), expected }
    }

    /// The refusal of a field that is not there.
    pub(crate) fn missing(&self, name: &str) -> DataError {
        DataError::Missing(self.path(name))
    }

    /// A field as it came; null is the same as nothing.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// All fields that are left.
    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (String, Json)> {
        self.map.into_iter()
    }

    /// Text that may be absent; empty text counts as absent.
    pub(crate) fn optional_text(&mut self, name: &str) -> Result<Option<String>, DataError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// Text that must be there and say something.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, DataError> {
        if self.map.get(name).is_some_and(|value| value == "") {
            return Err(self.wrong(name, "a string that is not empty"));
        }
        self.optional_text(name)?.ok_or_else(|| self.missing(name))
    }

    /// A boolean, also as text.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> Result<bool, DataError> {
        match self.take(name) {
            None => Ok(default),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(Json::String(text)) => flag(&text).ok_or_else(|| self.wrong(name, "true or false")),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// The index of an edge, as text or number.
    pub(crate) fn index(&mut self, name: &str) -> Result<Option<u32>, DataError> {
        let index = match self.take(name) {
            None => return Ok(None),
            Some(Json::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        index.map(Some).ok_or_else(|| self.wrong(name, "the index of an edge"))
    }

    /// An object that may be absent.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, DataError> {
        let path = self.path(name);
        self.take(name).map(|value| Self::of(value, path)).transpose()
    }

    /// A list of objects that may be absent.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Option<Vec<Self>>, DataError> {
        let path = self.path(name);
        let Some(items) = self.list(name)? else { return Ok(None) };
        let items = items.into_iter().enumerate();
        items.map(|(at, item)| Self::of(item, format!("{path}[{at}]"))).collect::<Result<_, _>>().map(Some)
    }

    /// A list of texts that may be absent.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, DataError> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let text = |item| match item {
            Json::String(text) => Ok(text),
            _ => Err(self.wrong(name, "a list of strings")),
        };
        items.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn list(&mut self, name: &str) -> Result<Option<Vec<Json>>, DataError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Array(items)) if items.len() > MAX_ELEMENTS => {
                Err(self.wrong(name, "a list of at most 10000 elements"))
            }
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }

    /// The elements that the request is about.
    pub(crate) fn elements(&mut self, list: ElementList) -> Result<Vec<Self>, DataError> {
        self.objects(list.name())?.ok_or(DataError::NoList(list))
    }
}

/// The parameters after the question mark.
#[derive(Debug, Default)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    /// A parameter that may be absent; empty counts as absent, the first of several counts.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    pub(crate) fn text(&self, name: &str) -> Result<&str, DataError> {
        self.get(name).ok_or_else(|| DataError::Missing(name.into()))
    }

    /// `true`, `false` or absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, DataError> {
        let wrong = || DataError::Field { field: name.into(), expected: "true or false" };
        self.get(name).map_or(Ok(false), |text| flag(text).ok_or_else(wrong))
    }

    /// The index of an edge.
    pub(crate) fn index(&self, name: &str) -> Result<Option<u32>, DataError> {
        let wrong = |_| DataError::Field { field: name.into(), expected: "the index of an edge" };
        self.get(name).map(|text| text.parse().map_err(wrong)).transpose()
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
