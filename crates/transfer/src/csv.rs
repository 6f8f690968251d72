//! CSV as GES files have it: no header, one character between fields, one around those that
//! need it (doubled inside), list items separated by `;`.
//!
//! A field opens with a quote or it is plain; a quote inside a plain field is text. Only so can
//! an empty plain field mean "no value" and `""` the empty string. [`Blocks`] cuts a stream at
//! line breaks outside of quotes and [`Records`] takes a block apart; both ask
//! [`closing_quote`] where a quoted field ends, so they cannot disagree.

mod blocks;
mod dialect;
mod items;
mod records;
mod write;

pub(crate) use blocks::{Block, Blocks};
pub use dialect::{Dialect, DialectError};
pub(crate) use items::{join_items, split_items};
pub(crate) use records::{Defect, Records, Row};
pub(crate) use write::write_field;

use dialect::Mark;

/// The offset behind the quote that ends the field whose text starts at `from`.
fn closing_quote(bytes: &[u8], from: usize, quote: &Mark) -> Option<usize> {
    let mut at = from;
    while let Some(found) = quote.find(&bytes[at..]) {
        let behind = at + found + quote.len();
        if !quote.stands_at(bytes, behind) {
            return Some(behind);
        }
        at = behind + quote.len();
    }
    None
}

#[cfg(test)]
mod tests;
