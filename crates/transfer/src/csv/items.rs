//! The items of a list or set inside one field: `a;b;c`. A backslash before `;` or `\` takes
//! away its meaning; before anything else it is text, so that other programs' files read as
//! they did.

use std::borrow::Cow;

/// The items of a field's text; there is always at least one.
pub(crate) fn split_items(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (item, behind) = first_item(text);
        rest = behind;
        Some(item)
    })
}

fn first_item(text: &str) -> (Cow<'_, str>, Option<&str>) {
    let Some(mark) = memchr::memchr2(b';', b'\\', text.as_bytes()) else {
        return (Cow::Borrowed(text), None);
    };
    if text.as_bytes()[mark] == b';' {
        return (Cow::Borrowed(&text[..mark]), Some(&text[mark + 1..]));
    }
    let mut item = String::from(&text[..mark]);
    let mut characters = text[mark..].char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            ';' => return (Cow::Owned(item), Some(&text[mark + at + 1..])),
            '\\' => {
                let escaped = characters.next_if(|(_, next)| matches!(next, ';' | '\\'));
                item.push(escaped.map_or('\\', |(_, next)| next));
            }
            _ => item.push(character),
        }
    }
    (Cow::Owned(item), None)
}

/// Text from which [`split_items`] gives the same items.
pub(crate) fn join_items(items: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(';');
        }
        for character in item.chars() {
            if matches!(character, ';' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn items_of_a_field() {
        for (text, items) in [
            ("1;1;1", &["1", "1", "1"][..]),
            ("", &[""]),
            (";", &["", ""]),
            (r"a\;b;c", &["a;b", "c"]),
            (r"a\\;c", &[r"a\", "c"]),
            (r"C:\dir;x", &[r"C:\dir", "x"]),
            (r"end\", &[r"end\"]),
            (r"a;b\;", &["a", "b;"]),
        ] {
            assert_eq!(split_items(text).collect::<Vec<_>>(), items, "{text}");
        }
    }

    proptest! {
        #[test]
        fn items_come_back(items in prop::collection::vec(r"[a;\\é]{0,4}", 1..5)) {
            let text = join_items(items.iter().cloned());
            prop_assert_eq!(split_items(&text).collect::<Vec<_>>(), items);
        }
    }
}
