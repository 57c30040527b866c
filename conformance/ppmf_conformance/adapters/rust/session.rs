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

enum Suite {
    /// The bits of the moduli.
    Paillier(u32),
    /// The degree.
    Lattice(i64),
}

/// PPMF-AHE-001
static SUITES: [(&str, Suite); 7] = [
    ("rlwe-8192", Suite::Lattice(8192)),
    ("paillier-3072", Suite::Paillier(3072)),
    ("paillier-2048", Suite::Paillier(2048)),
    ("paillier-1024-insecure", Suite::Paillier(1024)),
    ("paillier-768-insecure", Suite::Paillier(768)),
    ("paillier-512-insecure", Suite::Paillier(512)),
    ("rlwe-64-insecure", Suite::Lattice(64)),
];

/// PPMF-RLW-001
const PRIMES: [i64; 10] = [2641921, 2641153, 2639873, 2638849, 2636033, 2634241, 2633473, 2626817, 2626049, 2624513];

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
        let (suite, kind) = SUITES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| Fault::parameters(format!("there is no suite {} (PPMF-AHE-001)", shown(name))))?;
        let ring = bound(&params, &Int::from(users.len()), &Int::from(items.len()))?.ring;
        // The number of rows J of one matrix is that of the users, of the other that of the items.
        let outputs = outputs(&params, users.len() + items.len());
        let rows = users.len().max(items.len());
        let fits = match kind {
            Suite::Paillier(bits) => 2 * ring + 43 + log2(&Int::from(rows)) + log2(&outputs) < *bits,
            Suite::Lattice(degree) => fits_lattice(*degree, ring, &Int::from(rows), &outputs),
        };
        if !fits {
            return Err(Fault::parameters(format!("the matrices do not fit the suite {} (PPMF-SES-003)", suite)));
        }
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

/// The least a with 2^a >= value, which is at least 1.
fn log2(value: &Int) -> u32 {
    (value - &Int::from(1)).bit_length()
}

/// O of PPMF-PRD-002; `rows` is n + m.
fn outputs(params: &Params, rows: usize) -> Int {
    let length = params.row_length();
    let products: usize = (0..params.rank).map(|j| length - j).sum();
    let wanted = products + if params.bias { length } else { 0 };
    &Int::from((wanted + params.rank) * rows) * &Int::from(i64::from(params.iterations))
}

/// Whether some of the moduli satisfy the budget (PPMF-RLW-007 and -017). It is harder to satisfy with more rows,
/// so that of the two matrices the one with more is looked at.
fn fits_lattice(degree: i64, ring: u32, rows: &Int, outputs: &Int) -> bool {
    let noise = &(&(&Int::from(22) * rows) << (ring - 1)) + &Int::from(21 * (2 * degree + 1) + 1);
    let flood = Int::power_of_two(log2(&noise) + 40 + log2(outputs));
    let product = |primes: &[i64]| primes.iter().fold(Int::from(1), |product, prime| &product * &Int::from(*prime));
    (2..=PRIMES.len()).any(|l| {
        (1..l).any(|fewer| {
            let (q, q_after) = (product(&PRIMES[..l]), product(&PRIMES[..fewer]));
            // Both sides times 2 q q' 2^(k + 41).
            let fresh = &(&(&noise + &flood) * &q_after) << 1;
            let rounded = &Int::from(degree + 2) * &q;
            let most = &(&Int::power_of_two(40) - &Int::from(1)) * &(&(&q * &q_after) << 1);
            &(&fresh + &rounded) << (ring + 41) < most
        })
    })
}

fn setting(kind: &Kind, text: &str) -> Vec<u8> {
    match (kind, text.parse::<i64>()) {
        (Kind::Integer(..), Ok(value)) if value < 0 => cbor::head(cbor::NEGATIVE, (-1 - value) as u64),
        (Kind::Integer(..), Ok(value)) => cbor::head(cbor::UNSIGNED, value as u64),
        (Kind::Flag, _) => vec![if text == "true" { 0xf5 } else { 0xf4 }],
        _ => cbor::text(text),
    }
}
