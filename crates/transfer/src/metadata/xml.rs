use std::borrow::Cow;

use model::Label;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::definition::{self, Attributes};
use super::{Labels, MAX_BYTES, MetadataError, Place, Problem};

/// Which element stands in which: each in the one before it.
const NESTING: [&str; 5] = ["PMML", "labels", "label", "properties", "property"];
const LABEL: usize = 2;
const PROPERTY: usize = 4;

/// Reads a metadata file.
pub fn from_xml(bytes: &[u8]) -> Result<Vec<Label>, MetadataError> {
    if bytes.len() > MAX_BYTES {
        return Err(MetadataError::TooLarge { bytes: bytes.len() });
    }
    let text = decode(bytes)?;
    let mut document = Document { labels: Labels::new(), open: None, depth: 0, seen_root: false };
    let mut reader = Reader::from_str(&text);
    loop {
        let place = |offset: u64| place(&text, usize::try_from(offset).unwrap_or(text.len()));
        let start = reader.buffer_position();
        let event = reader.read_event();
        let event = event.map_err(|e| MetadataError::At {
            place: place(reader.error_position()),
            problem: Problem::Xml(e),
        })?;
        let more = document.take(event).map_err(|problem| MetadataError::At { place: place(start), problem });
        if !more? {
            return Ok(document.labels.accepted);
        }
    }
}

/// The labels of a file as its elements come by.
struct Document {
    labels: Labels,
    /// The label whose properties are being read.
    open: Option<Label>,
    depth: usize,
    seen_root: bool,
}

impl Document {
    /// False at the end.
    fn take(&mut self, event: Event<'_>) -> Result<bool, Problem> {
        let found = match event {
            Event::Start(element) => return self.enter(&element).map(|()| true),
            Event::Empty(element) => {
                self.enter(&element)?;
                return self.leave().map(|()| true);
            }
            Event::End(_) => return self.leave().map(|()| true),
            Event::Eof if self.depth == 0 && self.seen_root => return Ok(false),
            Event::Eof => "the end".into(),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => return Ok(true),
            Event::Text(text) if text.trim().is_empty() => return Ok(true),
            Event::Text(text) => format!("the text [{}]", text.trim().chars().take(64).collect::<String>()),
            Event::CData(_) => "a CDATA section".into(),
            Event::DocType(_) => "a document type".into(),
            Event::GeneralRef(_) => "an entity".into(),
        };
        Err(Problem::Unexpected { found, expected: self.expected() })
    }

    fn expected(&self) -> &'static str {
        NESTING.get(self.depth).copied().unwrap_or("the end of the element")
    }

    fn enter(&mut self, element: &BytesStart<'_>) -> Result<(), Problem> {
        let name = element.local_name();
        let name: &str = name.as_ref();
        if self.expected() != name {
            let found = format!("the element [{}]", name.chars().take(64).collect::<String>());
            return Err(Problem::Unexpected { found, expected: self.expected() });
        }
        match (self.depth, &mut self.open) {
            (LABEL, open) => *open = Some(definition::label(&attributes(element)?)?),
            (PROPERTY, Some(label)) => label.properties.push(definition::property(&attributes(element)?)?),
            _ => {}
        }
        self.depth += 1;
        self.seen_root = true;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Problem> {
        self.depth = self.depth.saturating_sub(1);
        match self.open.take_if(|_| self.depth == LABEL) {
            Some(label) => self.labels.push(label),
            None => Ok(()),
        }
    }
}

fn attributes(element: &BytesStart<'_>) -> Result<Attributes, Problem> {
    let mut attributes = Attributes::default();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(quick_xml::Error::from)?;
        let name: &str = attribute.key.as_ref();
        attributes.insert(name.into(), unescape(name, &attribute.value)?);
    }
    Ok(attributes)
}

/// Resolves character references and the five entities of XML. Unlike XML itself it takes
/// references to control characters, which names may contain and [`to_xml`] so writes.
fn unescape(name: &str, raw: &str) -> Result<String, Problem> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(start) = rest.find('&') {
        text.push_str(&rest[..start]);
        let illegal = || Problem::Illegal {
            name: name.into(),
            value: rest[start..].chars().take(64).collect(),
            expected: "text with entities of XML only",
        };
        let (entity, behind) = rest[start + 1..].split_once(';').ok_or_else(illegal)?;
        text.push(resolve(entity).ok_or_else(illegal)?);
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

fn resolve(entity: &str) -> Option<char> {
    let code = match entity {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => entity.strip_prefix('#')?,
    };
    let code = match code.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => code.parse(),
    };
    char::from_u32(code.ok()?)
}

/// Real files say ISO-8859-1 in their first line, whatever they are: UTF-8 is tried first.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, MetadataError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let declared = declared_encoding(bytes);
    if ["iso-8859-1", "iso8859-1", "latin1"].contains(&declared.to_ascii_lowercase().as_str()) {
        return Ok(bytes.iter().copied().map(char::from).collect());
    }
    Err(MetadataError::Encoding { declared })
}

fn declared_encoding(bytes: &[u8]) -> String {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]);
    let declaration = head.split("?>").next().unwrap_or_default();
    let value = declaration.split_once("encoding").map_or("", |(_, rest)| rest.trim_start());
    let value = value.strip_prefix('=').map_or("", str::trim_start);
    value.split(['"', '\'']).nth(1).unwrap_or_default().into()
}

fn place(text: &str, offset: usize) -> Place {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    Place::Line { line, column }
}

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<PMML version="3.0" xmlns="http://www.dmg.org/PMML-3-0" xmlns:xsi="http://www.w3.org/2001/XMLSchema_instance">
  <labels>
"#;

/// Writes the file that [`from_xml`] reads.
pub fn to_xml(labels: &[Label]) -> String {
    let mut out = String::from(HEAD);
    for label in labels {
        out.push_str("    ");
        open_tag("label", &definition::of_label(label), &mut out);
        if label.properties.is_empty() {
            out.push_str("/>\n");
            continue;
        }
        out.push_str(">\n      <properties>\n");
        for property in &label.properties {
            out.push_str("        ");
            open_tag("property", &definition::of_property(property), &mut out);
            out.push_str("/>\n");
        }
        out.push_str("      </properties>\n    </label>\n");
    }
    out.push_str("  </labels>\n</PMML>\n");
    out
}

fn open_tag(name: &str, attributes: &[(String, String)], out: &mut String) {
    out.push('<');
    out.push_str(name);
    for (name, value) in attributes {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        for character in value.chars() {
            match character {
                '&' | '<' | '>' | '"' => out.push_str(&format!("&#{};", u32::from(character))),
                control if control.is_control() => out.push_str(&format!("&#{};", u32::from(control))),
                other => out.push(other),
            }
        }
        out.push('"');
    }
}
