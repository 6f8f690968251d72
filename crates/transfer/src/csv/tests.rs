use std::io::Read;

use proptest::prelude::*;

use super::blocks::Limits;
use super::*;

/// What a file holds: values by record, or why a record is bad, with its line number from 1.
type Rows = Vec<(u64, Result<Vec<Option<String>>, String>)>;

/// Gives out a few bytes at a time, as networks do.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.step.min(self.bytes.len()).min(buffer.len());
        buffer[..len].copy_from_slice(&self.bytes[..len]);
        self.bytes = &self.bytes[len..];
        Ok(len)
    }
}

fn read(bytes: &[u8], dialect: &Dialect, limits: Limits, step: usize) -> Rows {
    let mut blocks = Blocks::with_limits(Trickle { bytes, step }, dialect, limits);
    let (mut rows, mut lines) = (Rows::new(), 0);
    while let Some(block) = blocks.next().unwrap() {
        if let Some(defect) = block.defect {
            lines += 1;
            rows.push((lines, Err(defect.to_string())));
            continue;
        }
        let mut records = Records::new(&block.bytes, dialect);
        while let Some(line) = records.next() {
            let values =
                line.row.map(|row| (0..row.len()).map(|at| row.value(at).map(String::from)).collect());
            rows.push((lines + line.number + 1, values.map_err(|defect| defect.to_string())));
        }
        lines += records.lines();
    }
    rows
}

fn read_whole(bytes: &[u8], dialect: &Dialect) -> Rows {
    read(bytes, dialect, Limits::default(), usize::MAX)
}

/// The same rules, one character after the other, for text of which every quote closes.
fn naive(text: &str, delimiter: char, quote: char) -> Option<Rows> {
    let mut input = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let (mut rows, mut line) = (Rows::new(), 1);
    while input.peek().is_some() {
        let (first_line, mut values, mut bad, mut raw) = (line, Vec::new(), None, 0);
        loop {
            let (mut value, mut tail) = (String::new(), String::new());
            let quoted = input.next_if_eq(&quote).is_some();
            let mut open = quoted;
            while open {
                let character = input.next()?;
                line += u64::from(character == '\n');
                open = character != quote || input.next_if_eq(&quote).is_some();
                if open {
                    value.push(character);
                }
            }
            while let Some(character) = input.next_if(|next| ![delimiter, '\n'].contains(next)) {
                tail.push(character);
            }
            let stop = input.next();
            if stop != Some(delimiter) && tail.ends_with('\r') {
                tail.pop();
            }
            raw += usize::from(quoted) + tail.len();
            if quoted && !tail.is_empty() {
                bad.get_or_insert(format!(
                    "column {}: there is text after the closing quote",
                    values.len() + 1
                ));
            }
            value.push_str(&tail);
            values.push((quoted || !value.is_empty()).then_some(value));
            if stop != Some(delimiter) {
                line += u64::from(stop.is_some());
                break;
            }
        }
        if values.len() > 1 || raw > 0 {
            rows.push((first_line, bad.map_or(Ok(values), Err)));
        }
    }
    Some(rows)
}

#[test]
fn records_of_a_file() {
    type Expected<'a> = &'a [(u64, Result<&'a [Option<&'a str>], &'a str>)];
    let cases: &[(&[u8], Expected<'_>)] = &[
        (b"a,b\nc,d", &[(1, Ok(&[Some("a"), Some("b")])), (2, Ok(&[Some("c"), Some("d")]))]),
        (b"a,,\"\",", &[(1, Ok(&[Some("a"), None, Some(""), None]))]),
        (b"\xef\xbb\xbfa\r\n\r\n\nb\r", &[(1, Ok(&[Some("a")])), (4, Ok(&[Some("b")]))]),
        (b"\"a\nb\",c\nd", &[(1, Ok(&[Some("a\nb"), Some("c")])), (3, Ok(&[Some("d")]))]),
        (b"\"a\"\"b\"\r\n5\" pipe", &[(1, Ok(&[Some("a\"b")])), (2, Ok(&[Some("5\" pipe")]))]),
        (
            b"\"a\"b,\"c\nd\"\ne",
            &[(1, Err("column 1: there is text after the closing quote")), (3, Ok(&[Some("e")]))],
        ),
        (
            b"x,\"a\nb\nc",
            &[(1, Err("a quote is opened but never closed")), (2, Ok(&[Some("b")])), (3, Ok(&[Some("c")]))],
        ),
        (b"ab\xff,c\nd", &[(1, Err("byte 3 of the line is not UTF-8")), (2, Ok(&[Some("d")]))]),
    ];
    for (bytes, expected) in cases {
        let expected: Rows = expected
            .iter()
            .map(|(line, row)| {
                let row = row.map(|values| values.iter().map(|value| value.map(String::from)).collect());
                (*line, row.map_err(String::from))
            })
            .collect();
        assert_eq!(read_whole(bytes, &Dialect::default()), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn memory_stays_bounded() {
    let limits = Limits { block: 8, record: 16 };
    let check = |text: &str| read(text.as_bytes(), &Dialect::default(), limits, 5);
    let long = "x".repeat(100);
    assert_eq!(
        check(&format!("a\n{long}\nb")),
        vec![
            (1, Ok(vec![Some("a".into())])),
            (2, Err(Defect::LineTooLong.to_string())),
            (3, Ok(vec![Some("b".into())])),
        ]
    );
    assert_eq!(check(&format!("a,{long}")), vec![(1, Err(Defect::LineTooLong.to_string()))]);
    let rows = check(&format!("a,\"b\n{}", "c\n".repeat(20)));
    assert_eq!(rows.len(), 21);
    assert_eq!(rows[0], (1, Err(Defect::QuoteNeverClosed.to_string())));
    assert_eq!(rows[20], (21, Ok(vec![Some("c".into())])));
    let commas = ",".repeat(70_000);
    assert_eq!(
        read_whole(commas.as_bytes(), &Dialect::default()),
        vec![(1, Err(Defect::TooManyColumns.to_string()))]
    );
}

fn dialects() -> impl Strategy<Value = (char, char)> {
    prop_oneof![Just((',', '"')), Just(('\t', '\'')), Just(('，', '“')), Just((';', '，'))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_splitter_agrees_with_the_naive_one(
        text in "([ab,\"“，\t';\u{feff}]|\n|\r\n|\r|\"\"|,\"|\",|“，){0,24}",
        (delimiter, quote) in dialects(),
        block in 4..12usize,
        step in 1..7usize,
    ) {
        let dialect = Dialect::new(delimiter, quote).unwrap();
        if let Some(expected) = naive(&text, delimiter, quote) {
            prop_assert_eq!(&read_whole(text.as_bytes(), &dialect), &expected);
            let limits = Limits { block, record: 1 << 20 };
            prop_assert_eq!(read(text.as_bytes(), &dialect, limits, step), expected);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), any::<u8>()], 0..64),
        block in 4..12usize,
    ) {
        read(&bytes, &Dialect::default(), Limits { block, record: 16 }, 3);
        let whole = read_whole(&bytes, &Dialect::default());
        let pieces = read(&bytes, &Dialect::default(), Limits { block, record: 1 << 20 }, 3);
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn written_records_come_back(
        rows in prop::collection::vec(prop::collection::vec(
            prop::option::of("([a,\"“，\t';\u{feff}\r\n]|é){0,5}"), 2..5), 0..5),
        (delimiter, quote) in dialects(),
    ) {
        let dialect = Dialect::new(delimiter, quote).unwrap();
        let mut bytes = Vec::new();
        for row in &rows {
            for (at, value) in row.iter().enumerate() {
                if at > 0 {
                    bytes.extend_from_slice(dialect.delimiter().as_bytes());
                }
                if let Some(value) = value {
                    write_field(value, &dialect, &mut bytes);
                }
            }
            bytes.push(b'\n');
        }
        let back: Vec<_> = read_whole(&bytes, &dialect).into_iter().map(|(_, row)| row).collect();
        prop_assert_eq!(back, rows.into_iter().map(Ok).collect::<Vec<_>>());
    }
}
