use super::dialect::Dialect;

/// Appends a field that reads back as `text`, in quotes only where it needs them.
pub(crate) fn write_field(text: &str, dialect: &Dialect, out: &mut Vec<u8>) {
    let (delimiter, quote) = (dialect.delimiter(), dialect.quote());
    let bytes = text.as_bytes();
    let has_quote = quote.find(bytes).is_some();
    // Without quotes an empty field is no value, and a byte order mark may start the file.
    let plain = !has_quote
        && !text.is_empty()
        && !text.starts_with('\u{feff}')
        && memchr::memchr2(b'\n', b'\r', bytes).is_none()
        && delimiter.find(bytes).is_none();
    if plain {
        out.extend_from_slice(bytes);
        return;
    }
    out.extend_from_slice(quote.as_bytes());
    if has_quote {
        out.extend_from_slice(text.replace(quote.as_str(), &quote.as_str().repeat(2)).as_bytes());
    } else {
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(quote.as_bytes());
}
