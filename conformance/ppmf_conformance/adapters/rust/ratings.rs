// SPDX-License-Identifier: Apache-2.0

//! Chapter 2, "Rows and ratings".

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use crate::fault::{shown, Fault};
use crate::int::{is_canonical, Fraction, Int};

/// First and last of the code points that no id has (PPMF-FIX-005).
#[rustfmt::skip]
const HIDDEN: [(u32, u32); 28] = [
    (0x0, 0x1f), (0x7f, 0xa0), (0xad, 0xad), (0x600, 0x605), (0x61c, 0x61c), (0x6dd, 0x6dd), (0x70f, 0x70f),
    (0x890, 0x891), (0x8e2, 0x8e2), (0x1680, 0x1680), (0x180e, 0x180e), (0x2000, 0x200f), (0x2028, 0x202f),
    (0x205f, 0x2064), (0x2066, 0x206f), (0x3000, 0x3000), (0xe000, 0xf8ff), (0xfeff, 0xfeff), (0xfff9, 0xfffb),
    (0x110bd, 0x110bd), (0x110cd, 0x110cd), (0x13430, 0x1343f), (0x1bca0, 0x1bca3), (0x1d173, 0x1d17a),
    (0xe0001, 0xe0001), (0xe0020, 0xe007f), (0xf0000, 0xffffd), (0x100000, 0x10fffd),
];

/// Refuses a list with a malformed id, one twice, or none (PPMF-FIX-005); `what` names the list.
pub fn check_ids(what: &str, ids: &[String]) -> Result<(), Fault> {
    for id in ids {
        let is_hidden = |letter: char| HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&(letter as u32)));
        if id.is_empty() || id.starts_with(' ') || id.ends_with(' ') || id.chars().any(is_hidden) {
            return Err(Fault::encoding(format!(
                "the list of {} has the malformed id \"{}\" (PPMF-FIX-005)",
                what,
                shown(id)
            )));
        }
    }
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(Fault::range(format!(
                "the list of {} has the id \"{}\" twice (PPMF-FIX-005)",
                what,
                shown(id)
            )));
        }
    }
    if ids.is_empty() {
        return Err(Fault::range(format!("the list of {} is empty (PPMF-FIX-005)", what)));
    }
    Ok(())
}

/// The ids in row order (PPMF-FIX-003).
pub fn in_row_order(ids: &[String]) -> Vec<String> {
    let mut sorted = ids.to_vec();
    if ids.iter().all(|id| is_canonical(id)) {
        sorted.sort_by(|a, b| compare_integers(a, b));
    } else {
        sorted.sort();
    }
    sorted
}

/// Canonical integers by their text, which may be of any length.
fn compare_integers(a: &str, b: &str) -> Ordering {
    let magnitudes = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
    match (a.starts_with('-'), b.starts_with('-')) {
        (false, false) => magnitudes,
        (true, true) => magnitudes.reverse(),
        (a_is_negative, b_is_negative) => b_is_negative.cmp(&a_is_negative),
    }
}

/// Offset, scale and grid of ratings, which parameters and item profiles have.
pub struct Scale<'a> {
    pub offset: &'a Fraction,
    pub frac_bits: u32,
    pub least: &'a Fraction,
    pub most: &'a Fraction,
}

impl Scale<'_> {
    /// x of a rating (PPMF-FIX-006 and -007). A rating is secret, so that the message does not show it.
    pub fn scaled(&self, rating: &str, place: &str) -> Result<Int, Fault> {
        let value = Fraction::parse_decimal(rating)
            .ok_or_else(|| Fault::encoding(format!("{} is no plain decimal number (PPMF-PAR-023)", place)))?;
        if value < *self.least || value > *self.most {
            return Err(Fault::range(format!("{} is off the scale (PPMF-FIX-007)", place)));
        }
        (&value - self.offset)
            .scaled(self.frac_bits)
            .ok_or_else(|| Fault::range(format!("{} is off the grid (PPMF-FIX-006)", place)))
    }
}

/// The number of each id.
pub fn numbers(ids: &[String]) -> HashMap<&str, usize> {
    ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect()
}

/// Row, column and x of each rating, by row, then column; `users` and `items` are in row order
/// (PPMF-FIX-006 to -009).
pub fn entries(
    scale: &Scale,
    users: &[String],
    items: &[String],
    ratings: &[Vec<String>],
) -> Result<Vec<(usize, usize, Int)>, Fault> {
    let (rows, columns) = (numbers(users), numbers(items));
    let mut entries = Vec::new();
    let mut seen = HashSet::new();
    for (i, rating) in ratings.iter().enumerate() {
        let place = format!("rating number {}", i);
        let (user, item, value) = match rating.as_slice() {
            [user, item, value] => (user, item, value),
            _ => return Err(Fault::error("a rating in the call is no triple")),
        };
        let unknown =
            |side: &str| Fault::range(format!("{} is of {} that is not listed (PPMF-FIX-009)", place, side));
        let row = *rows.get(user.as_str()).ok_or_else(|| unknown("a user"))?;
        let column = *columns.get(item.as_str()).ok_or_else(|| unknown("an item"))?;
        if !seen.insert((row, column)) {
            return Err(Fault::range(format!("{} is the second of one pair (PPMF-FIX-008)", place)));
        }
        entries.push((row, column, scale.scaled(value, &place)?));
    }
    entries.sort();
    Ok(entries)
}
