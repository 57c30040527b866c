// SPDX-License-Identifier: Apache-2.0

//! Chapter 4: the id of a session, what is refused as a session, and the opening of the output.

use crate::bound::bound;
use crate::cbor;
use crate::code::Code;
use crate::curves::{is_of_small_order, is_point_of_p256};
use crate::digest::sha256;
use crate::fault::{shown, Fault};
use crate::int::Int;
use crate::json::Json;
use crate::params::Params;
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
    pub items: Vec<String>,
    proposal: Vec<u8>,
    acceptance: Vec<u8>,
}

impl Session {
    /// A session of a call, unless it is one that a party refuses (PPMF-SES-003 and -009).
    pub fn from_call(call: &Json) -> Result<Session, Fault> {
        let params = Params::from_call(call)?;
        let (users, items) = (call.member("users")?.as_texts()?, call.member("items")?.as_texts()?);
        for (what, ids) in [("users", &users), ("items", &items)] {
            check_ids(what, ids)?;
            if in_row_order(ids) != *ids {
                return Err(Fault::range(format!("the list of {} is not in row order (PPMF-SES-009)", what)));
            }
        }
        let suite = call.member("suite")?.as_text()?;
        if !SUITES.contains(&suite) {
            return Err(Fault::parameters(format!("there is no suite {} (PPMF-AHE-001)", shown(suite))));
        }
        let number = |name: &str| {
            let value = call.member(name)?.as_int()?.to_u64();
            value.ok_or_else(|| Fault::parameters(format!("{} is not from 0 to 2^64 - 1 (PPMF-SES-008)", name)))
        };
        let (least, closes, expires) = (number("least")?, number("closes")?, number("expires")?);
        let most = users.len() as u64;
        if !(most.min(2)..=most).contains(&least) {
            return Err(Fault::parameters(format!("least is {}, of {} users (PPMF-SES-009)", least, most)));
        }
        if expires != 0 && expires <= closes {
            return Err(Fault::parameters("the session expires before its intake closes (PPMF-SES-009)"));
        }
        let is_trial = match call.member("trial")? {
            Json::Bool(value) => *value,
            _ => return Err(Fault::error("trial is no boolean")),
        };
        if suite.ends_with("-insecure") && !is_trial {
            return Err(Fault::parameters("the suite is for trials alone (PPMF-SES-009)"));
        }
        Code::new(&params)?;
        let addresses = call.member("addresses")?.as_texts()?;
        if users.len().max(items.len()) > 1 << 20 || addresses.len() > 16 {
            return Err(Fault::encoding("more ids or addresses than there may be (PPMF-SES-016)"));
        }
        let nonce = |name: &str| of_length(call, name, 16);
        let signing_key = |name: &str| {
            let key = of_length(call, name, 33)?;
            if is_point_of_p256(&key) {
                Ok(key)
            } else {
                Err(Fault::range(format!("{} is no point of P-256 (PPMF-OTE-009)", name)))
            }
        };
        let sealing_key = of_length(call, "sealing_key", 32)?;
        if is_of_small_order(&sealing_key) {
            return Err(Fault::range("sealing_key is a point of small order (PPMF-SES-009)"));
        }
        // Whether the matrices fit the suite is for the parties.
        bound(&params, &Int::from(users.len()), &Int::from(items.len()))?;
        let texts = |list: &[String]| cbor::array(&list.iter().map(|text| cbor::text(text)).collect::<Vec<_>>());
        let bytes = |content: &[u8]| cbor::string(cbor::BYTES, content);
        let unsigned = |value: u64| cbor::head(cbor::UNSIGNED, value);
        // PPMF-SES-008
        let proposal = cbor::array(&[
            cbor::text(&params.canonical()),
            texts(&users),
            texts(&items),
            cbor::text(suite),
            unsigned(least),
            unsigned(closes),
            unsigned(expires),
            texts(&addresses),
            unsigned(u64::from(is_trial)),
            bytes(&signing_key("recsys_key")?),
            bytes(&nonce("recsys_nonce")?),
        ]);
        let acceptance =
            cbor::array(&[bytes(&signing_key("csp_key")?), bytes(&nonce("csp_nonce")?), bytes(&sealing_key)]);
        Ok(Session { params, items, proposal, acceptance })
    }

    /// PPMF-SES-007
    pub fn id(&self) -> [u8; 32] {
        let both = cbor::array(&[self.proposal.clone(), self.acceptance.clone()]);
        sha256(&[&b"ppmf/v2/session/"[..], &both].concat())
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

/// The bytes of a member of a session, which have one length (PPMF-SES-009).
fn of_length(call: &Json, name: &str, due: usize) -> Result<Vec<u8>, Fault> {
    let bytes = call.member(name)?.as_bytes()?;
    if bytes.len() != due {
        return Err(Fault::encoding(format!("{} has {} bytes, not {} (PPMF-SES-009)", name, bytes.len(), due)));
    }
    Ok(bytes)
}
