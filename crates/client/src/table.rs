//! Tables for people.

/// Rows under a heading; each column is as wide as what it holds.
pub(crate) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

const GAP: &str = "  ";

impl Table {
    pub(crate) fn new<const N: usize>(heading: [&'static str; N]) -> Self {
        Self { heading: heading.into(), rows: Vec::new() }
    }

    /// A row with a cell for each column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| plain(cell)).collect());
    }

    /// The lines, none with spaces at its end.
    pub(crate) fn lines(&self) -> String {
        let heading = self.heading.iter().map(|name| (*name).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&heading).chain(&self.rows).collect();
        let width = |column: usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..heading.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for line in &lines {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text.push_str(cells.join(GAP).trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names and values, a line each.
pub(crate) fn facts(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:<width$}{GAP}{}\n", plain(value))).collect()
}

/// Without what would control a terminal: names may come from anybody.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `411,096`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["NAME", "N", "WHAT"]);
        table.row(["längst".into(), "1".into(), String::new()]);
        table.row(["b".into(), "1,000".into(), "x\u{1b}[31m\n".into()]);
        let expected = "NAME    N      WHAT\nlängst  1\nb       1,000  x\u{fffd}[31m\u{fffd}\n";
        assert_eq!(table.lines(), expected);
        assert_eq!(Table::new(["NAME"]).lines(), "NAME\n");
    }

    #[test]
    fn facts_stand_in_two_columns() {
        assert_eq!(facts(&[("a", "1".into()), ("name", "x".into())]), "a     1\nname  x\n");
    }

    #[test]
    fn numbers_are_easy_to_read() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_000_007, "1,000,007")] {
            assert_eq!(grouped(number), text);
        }
    }
}
