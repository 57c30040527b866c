// SPDX-License-Identifier: Apache-2.0

//! Chapter 4: the id of a session, what is refused as a session, and shares.

use std::convert::TryInto;

use crate::bound::bound;
use crate::cbor;
use crate::digest::{sha256, shake256};
use crate::fault::{shown, Fault};
use crate::int::Int;
use crate::json::Json;
use crate::params::{Kind, Params};
use crate::ratings::{check_ids, in_row_order};

/// PPMF-AHE-001
const SUITES: [&str; 7] = [
    "rlwe-8192",
    "paillier-3072",
    "paillier-2048",
    "paillier-1024-insecure",
    "paillier-768-insecure",
    "paillier-512-insecure",
    "rlwe-64-insecure",
];

pub struct Session {
    pub params: Params,
    pub users: Vec<String>,
    pub items: Vec<String>,
    suite: &'static str,
    nonce: Vec<u8>,
}

impl Session {
    /// A session of a call, unless it is one that a party refuses (PPMF-SES-002 and -003).
    pub fn from_call(call: &Json) -> Result<Session, Fault> {
        let params = Params::from_call(call)?;
        let (users, items) = (call.member("users")?.as_texts()?, call.member("items")?.as_texts()?);
        for (what, ids) in [("users", &users), ("items", &items)] {
            check_ids(what, ids)?;
            if in_row_order(ids) != *ids {
                return Err(Fault::range(format!("the list of {} is not in row order (PPMF-SES-002)", what)));
            }
        }
        let nonce = call.member("nonce")?.as_bytes()?;
        if nonce.len() != 16 {
            return Err(Fault::parameters(format!("the nonce has {} bytes, not 16 (PPMF-SES-002)", nonce.len())));
        }
        let name = call.member("suite")?.as_text()?;
        let suite = SUITES.iter().find(|known| **known == name);
        let suite =
            suite.ok_or_else(|| Fault::parameters(format!("there is no suite {} (PPMF-AHE-001)", shown(name))))?;
        // Whether the matrices fit the suite is for the parties.
        bound(&params, &Int::from(users.len()), &Int::from(items.len()))?;
        Ok(Session { params, users, items, suite, nonce })
    }

    /// PPMF-SES-001
    pub fn id(&self) -> [u8; 32] {
        let mut settings: Vec<(Vec<u8>, Vec<u8>)> =
            self.params.settings.iter().map(|(name, kind, text)| (cbor::text(name), setting(kind, text))).collect();
        settings.sort();
        let mut text = b"ppmf/v2/session/".to_vec();
        text.extend(cbor::head(cbor::ARRAY, 5));
        text.extend(cbor::head(cbor::MAP, settings.len() as u64));
        for (name, value) in settings {
            text.extend(name);
            text.extend(value);
        }
        for ids in [&self.users, &self.items] {
            text.extend(cbor::head(cbor::ARRAY, ids.len() as u64));
            text.extend(ids.iter().flat_map(|id| cbor::text(id)));
        }
        text.extend(cbor::text(self.suite));
        text.extend(cbor::string(cbor::BYTES, &self.nonce));
        sha256(&text)
    }

    /// CSP's shares of a user's two rows (PPMF-UPL-002).
    pub fn expand(&self, user: &str, seed: &[u8]) -> Result<Vec<u64>, Fault> {
        if !self.users.iter().any(|id| id == user) {
            return Err(Fault::range("the user is not on the list"));
        }
        if seed.len() != 32 {
            return Err(Fault::encoding("the seed has not 32 bytes (PPMF-UPL-002)"));
        }
        let text = [b"ppmf/v2/upload/", &self.id()[..], user.as_bytes(), seed].concat();
        let bytes = shake256(&text, 16 * self.items.len());
        Ok(bytes.chunks(8).map(|element| u64::from_le_bytes(element.try_into().expect("8 bytes"))).collect())
    }

    /// The rows of V from both servers' shares (PPMF-OUT-001 and -003).
    pub fn open(&self, csp: &[u8], recsys: &[u8]) -> Result<Vec<Vec<Int>>, Fault> {
        let width = (1 + self.params.box_bits + self.params.frac_bits) as usize;
        let (length, rows) = (self.params.row_length(), self.items.len());
        let elements = length * rows;
        let due = (width * elements + 7) / 8;
        for (name, share) in [("csp", csp), ("recsys", recsys)] {
            if share.len() != due {
                let message = format!("the share {} has {} bytes, not {} (PPMF-ERR-003)", name, share.len(), due);
                return Err(Fault::encoding(message));
            }
        }
        let bit = |position: usize| i64::from((csp[position / 8] ^ recsys[position / 8]) >> (position % 8) & 1);
        let word = |element: usize| {
            let unsigned = (0..width).map(|t| bit(t * elements + element) << t).sum::<i64>();
            Int::from(unsigned - (bit((width - 1) * elements + element) << width))
        };
        Ok((0..rows).map(|row| (0..length).map(|number| word(number * rows + row)).collect()).collect())
    }
}

fn setting(kind: &Kind, text: &str) -> Vec<u8> {
    match (kind, text.parse::<i64>()) {
        (Kind::Integer(..), Ok(value)) if value < 0 => cbor::head(cbor::NEGATIVE, (-1 - value) as u64),
        (Kind::Integer(..), Ok(value)) => cbor::head(cbor::UNSIGNED, value as u64),
        (Kind::Flag, _) => vec![if text == "true" { 0xf5 } else { 0xf4 }],
        _ => cbor::text(text),
    }
}
