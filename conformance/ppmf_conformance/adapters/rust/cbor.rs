// SPDX-License-Identifier: Apache-2.0

//! The part of CBOR (RFC 8949, section 4.2.1) that messages and session ids are made of.

use std::convert::{TryFrom, TryInto};

pub const UNSIGNED: u8 = 0;
pub const BYTES: u8 = 2;
pub const TEXT: u8 = 3;
pub const ARRAY: u8 = 4;

/// The head of a data item: its major type and its argument, in the shortest form.
pub fn head(major: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    let (short, length) = match argument {
        0..=23 => return vec![major << 5 | argument as u8],
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    let mut head = vec![major << 5 | short];
    head.extend(&bytes[8 - length..]);
    head
}

/// A byte string or a text.
pub fn string(major: u8, content: &[u8]) -> Vec<u8> {
    let mut item = head(major, content.len() as u64);
    item.extend(content);
    item
}

pub fn text(text: &str) -> Vec<u8> {
    string(TEXT, text.as_bytes())
}

/// An array of items that are encoded.
pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    let mut array = head(ARRAY, items.len() as u64);
    array.extend(items.concat());
    array
}

/// An entry of the array of a message.
pub enum Item {
    Unsigned(u64),
    Bytes(Vec<u8>),
    Text(String),
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.rest.len() {
            return Err("it ends too soon".to_string());
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(taken)
    }

    /// Major type and argument of a head, which is one that messages have and in its shortest form (PPMF-WIR-010).
    fn head(&mut self) -> Result<(u8, u64), String> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 31);
        if ![UNSIGNED, BYTES, TEXT, ARRAY].contains(&major) || short > 27 {
            return Err("it has an item that no message has".to_string());
        }
        if short < 24 {
            return Ok((major, u64::from(short)));
        }
        let argument = self.take(1 << (short - 24))?.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        if head(major, argument)[0] != first {
            return Err("it has a head that is not in the shortest form".to_string());
        }
        Ok((major, argument))
    }

    fn item(&mut self) -> Result<Item, String> {
        let (major, argument) = self.head()?;
        match major {
            UNSIGNED => Ok(Item::Unsigned(argument)),
            BYTES => Ok(Item::Bytes(self.take(argument)?.to_vec())),
            TEXT => match std::str::from_utf8(self.take(argument)?) {
                Ok(text) => Ok(Item::Text(text.to_string())),
                Err(_) => Err("it has a text that is not UTF-8".to_string()),
            },
            _ => Err("it has an array in its array".to_string()),
        }
    }
}

/// The entries of an array of `most` items or fewer, which is all there is.
pub fn read_array(bytes: &[u8], most: u64) -> Result<Vec<Item>, String> {
    let mut reader = Reader { rest: bytes };
    let (major, length) = reader.head()?;
    if major != ARRAY || length > most {
        return Err("it is no array, or has more items than a message".to_string());
    }
    let items = (0..length).map(|_| reader.item()).collect::<Result<Vec<_>, _>>()?;
    if !reader.rest.is_empty() {
        return Err("something follows its array".to_string());
    }
    Ok(items)
}

/// The 32 bytes of an id.
pub fn id(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}
