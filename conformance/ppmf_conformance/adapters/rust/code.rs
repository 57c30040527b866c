// SPDX-License-Identifier: Apache-2.0

//! Chapter 4, "Ratings as bits". A rating is secret, so that no message shows one.

use crate::fault::Fault;
use crate::int::{Fraction, Int};
use crate::params::Params;

pub struct Code {
    /// lo
    pub least: Int,
    /// S
    span: Int,
    /// Of t bits
    pub weights: Vec<Int>,
}

impl Code {
    /// The code of a set of parameters, unless they allow no rating (PPMF-COD-001 and -002).
    pub fn new(params: &Params) -> Result<Code, Fault> {
        let floor = |end: &Fraction| (&end.numerator << params.rating_frac_bits).div_floor(&end.denominator);
        let least = -&floor(&(&params.rating_offset - &params.rating_min));
        let span = &floor(&(&params.rating_max - &params.rating_offset)) - &least;
        if span.is_negative() {
            return Err(Fault::parameters("no rating lies between rating_min and rating_max (PPMF-COD-001)"));
        }
        let size = span.bit_length();
        let mut weights: Vec<Int> = (0..size).map(Int::power_of_two).collect();
        if let Some(top) = weights.last_mut() {
            *top = &(&span - top) + &Int::from(1);
        }
        Ok(Code { least, span, weights })
    }

    /// PPMF-COD-003
    pub fn encode(&self, x: &Int) -> Result<Vec<bool>, Fault> {
        let above = x - &self.least;
        if above.is_negative() || above > self.span {
            return Err(Fault::range("a rating has no code (PPMF-COD-003)"));
        }
        let digit = |number: &Int, bit: usize| (number >> bit as u32).low_64_bits() & 1 == 1;
        let top = match self.weights.len().checked_sub(1) {
            Some(top) => top,
            None => return Ok(Vec::new()),
        };
        let is_high = digit(&above, top);
        let rest = if is_high { &above - &self.weights[top] } else { above };
        Ok((0..top).map(|bit| digit(&rest, bit)).chain(Some(is_high)).collect())
    }

    /// PPMF-COD-004
    pub fn decode(&self, bits: impl Iterator<Item = bool>) -> Int {
        let ones = self.weights.iter().zip(bits).filter(|(_, bit)| *bit);
        ones.fold(self.least.clone(), |sum, (weight, _)| &sum + weight)
    }

    /// Planes of a row: 1 + t.
    pub fn planes(&self) -> usize {
        1 + self.weights.len()
    }

    fn row_bytes(&self, items: usize) -> usize {
        (self.planes() * items + 7) / 8
    }

    /// The bits of a row (PPMF-COD-005); each item is below `items`.
    pub fn plain(&self, items: usize, ratings: &[(usize, Int)]) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; self.row_bytes(items)];
        for (item, x) in ratings {
            for (plane, bit) in Some(true).into_iter().chain(self.encode(x)?).enumerate() {
                let position = plane * items + item;
                bytes[position / 8] |= u8::from(bit) << (position % 8);
            }
        }
        Ok(bytes)
    }

    /// The row that any bytes of the right length are (PPMF-COD-006).
    pub fn row(&self, items: usize, bytes: &[u8]) -> Result<Vec<(usize, Int)>, Fault> {
        let due = self.row_bytes(items);
        if bytes.len() != due {
            let message = format!("the bits of a row have {} bytes, not {} (PPMF-ERR-003)", bytes.len(), due);
            return Err(Fault::encoding(message));
        }
        let bit = |position: usize| bytes[position / 8] >> (position % 8) & 1 == 1;
        let rating = |item: usize| (item, self.decode((1..self.planes()).map(|plane| bit(plane * items + item))));
        Ok((0..items).filter(|item| bit(*item)).map(rating).collect())
    }
}
