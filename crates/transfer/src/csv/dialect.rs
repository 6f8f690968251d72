use memchr::memmem;
use model::Kind;

/// The two characters that give a file its shape: one between fields, one around a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    delimiter: Mark,
    quote: Mark,
}

/// One character as its bytes in UTF-8, which is what files are searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    text: Box<str>,
    first: u8,
}

/// Characters that cannot shape a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DialectError {
    #[error("[{field}] must be exactly one character, not [{value}]")]
    NotOneCharacter { field: &'static str, value: String },
    #[error("[{field}] cannot be a line break")]
    LineBreak { field: &'static str },
    #[error("[delimiter] and [trim_quote] cannot be the same character [{character}]")]
    Same { character: char },
}

impl DialectError {
    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

const DELIMITER: &str = "delimiter";
const QUOTE: &str = "trim_quote";

impl Dialect {
    /// From two characters.
    pub fn new(delimiter: char, quote: char) -> Result<Self, DialectError> {
        for (field, character) in [(DELIMITER, delimiter), (QUOTE, quote)] {
            if matches!(character, '\n' | '\r') {
                return Err(DialectError::LineBreak { field });
            }
        }
        if delimiter == quote {
            return Err(DialectError::Same { character: quote });
        }
        Ok(Self { delimiter: Mark::new(delimiter), quote: Mark::new(quote) })
    }

    /// From the fields of a request; an absent one means the usual character.
    pub fn parse(delimiter: Option<&str>, trim_quote: Option<&str>) -> Result<Self, DialectError> {
        Self::new(
            one_character(DELIMITER, delimiter.unwrap_or(","))?,
            one_character(QUOTE, trim_quote.unwrap_or("\""))?,
        )
    }

    pub(crate) fn delimiter(&self) -> &Mark {
        &self.delimiter
    }

    pub(crate) fn quote(&self) -> &Mark {
        &self.quote
    }
}

impl Default for Dialect {
    /// A comma between fields, double quotes around them.
    fn default() -> Self {
        Self { delimiter: Mark::new(','), quote: Mark::new('"') }
    }
}

fn one_character(field: &'static str, value: &str) -> Result<char, DialectError> {
    let mut characters = value.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(character),
        _ => Err(DialectError::NotOneCharacter { field, value: value.chars().take(64).collect() }),
    }
}

impl Mark {
    fn new(character: char) -> Self {
        let text: Box<str> = character.to_string().into();
        Self { first: text.as_bytes()[0], text }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn first_byte(&self) -> u8 {
        self.first
    }

    /// Whether it stands at this offset.
    pub(crate) fn stands_at(&self, bytes: &[u8], at: usize) -> bool {
        bytes.get(at) == Some(&self.first) && bytes[at..].starts_with(self.text.as_bytes())
    }

    /// Where it stands first.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self.len() {
            1 => memchr::memchr(self.first, bytes),
            _ => memmem::find(bytes, self.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_different_characters_shape_a_file() {
        let check = |delimiter, quote| Dialect::parse(delimiter, quote).map_err(|error| error.to_string());
        assert_eq!(check(None, None), Ok(Dialect::default()));
        assert!(check(Some("\t"), Some("'")).is_ok());
        assert!(check(Some("，"), Some("“")).is_ok());
        for (delimiter, quote, named) in [
            (Some(""), None, "[delimiter]"),
            (Some("||"), None, "[delimiter]"),
            (None, Some("''"), "[trim_quote]"),
            (Some("\n"), None, "[delimiter]"),
            (None, Some("\r"), "[trim_quote]"),
            (Some("\""), None, "same"),
        ] {
            assert!(check(delimiter, quote).unwrap_err().contains(named), "{delimiter:?} {quote:?}");
        }
    }
}
