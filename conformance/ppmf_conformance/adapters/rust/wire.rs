// SPDX-License-Identifier: Apache-2.0

//! Chapter 5: messages.

use crate::cbor::{self, Item};
use crate::fault::{shown, Fault};
use crate::json::{hexadecimal, Json};

#[derive(Clone, Copy)]
enum Type {
    Bytes,
    Text,
    Unsigned,
    Side,
}

/// Name, the links on which it goes, as pairs of sender and receiver, and the fields.
type Rule = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, Type)]);

const BOTH: &[(&str, &str)] = &[("recsys", "csp"), ("csp", "recsys")];

/// The rules of wire.cddl.
static RULES: [Rule; 13] = [
    (
        "upload",
        &[("users", "recsys")],
        &[("user", Type::Text), ("serial", Type::Unsigned), ("masked", Type::Bytes), ("sealed", Type::Bytes)],
    ),
    ("closing", &[("recsys", "csp")], &[("presence", Type::Bytes), ("seals", Type::Bytes)]),
    ("admission", &[("csp", "recsys")], &[("admitted", Type::Bytes)]),
    ("resume", BOTH, &[("last", Type::Unsigned), ("checkpoints", Type::Bytes), ("decision", Type::Bytes)]),
    ("server-key", BOTH, &[("suite", Type::Text), ("product_key", Type::Bytes)]),
    ("base-request", BOTH, &[("points", Type::Bytes)]),
    ("base-answer", BOTH, &[("point", Type::Bytes)]),
    ("encrypted-rows", BOTH, &[("packing", Type::Side), ("first", Type::Unsigned), ("rows", Type::Bytes)]),
    ("product-answer", BOTH, &[("answer", Type::Bytes)]),
    ("transfer-columns", BOTH, &[("columns", Type::Bytes)]),
    ("transfer-payload", BOTH, &[("payload", Type::Bytes)]),
    ("garbled-tables", &[("csp", "recsys")], &[("tables", Type::Bytes)]),
    ("output-share", &[("csp", "recsys")], &[("bits", Type::Bytes)]),
];

/// Name, session, epoch and number stand before the fields, of which there are at most 4.
const HEADER: usize = 4;
const MOST_ITEMS: u64 = 8;

pub struct Message {
    rule: &'static Rule,
    session: [u8; 32],
    epoch: u64,
    number: u64,
    fields: Vec<Item>,
}

fn malformed(what: impl std::fmt::Display) -> Fault {
    Fault::encoding(format!("the message is malformed: {} (PPMF-WIR-003)", what))
}

fn rule(name: &str) -> Result<&'static Rule, Fault> {
    RULES.iter().find(|rule| rule.0 == name).ok_or_else(|| malformed(format!("{} is no message", shown(name))))
}

impl Message {
    fn checked(
        rule: &'static Rule,
        session: &[u8],
        epoch: u64,
        number: u64,
        fields: Vec<Item>,
    ) -> Result<Message, Fault> {
        if fields.len() != rule.2.len() {
            return Err(malformed("it has not as many items as its name makes due"));
        }
        for ((name, kind), field) in rule.2.iter().zip(&fields) {
            let fits = match (kind, field) {
                (Type::Bytes, Item::Bytes(_)) | (Type::Text, Item::Text(_)) | (Type::Unsigned, Item::Unsigned(_)) => {
                    true
                }
                (Type::Side, Item::Text(side)) => side == "users" || side == "items",
                _ => false,
            };
            if !fits {
                return Err(malformed(format!("{} is not of its type", name)));
            }
        }
        let session = cbor::id(session).ok_or_else(|| malformed("the id of the session has not 32 bytes"))?;
        Ok(Message { rule, session, epoch, number, fields })
    }

    /// PPMF-WIR-001 to -003 and -010
    pub fn decode(bytes: &[u8]) -> Result<Message, Fault> {
        let mut items = cbor::read_array(bytes, MOST_ITEMS).map_err(malformed)?;
        if items.len() < HEADER {
            return Err(malformed("it has no header"));
        }
        let fields = items.split_off(HEADER);
        match items.as_slice() {
            [Item::Text(name), Item::Bytes(session), Item::Unsigned(epoch), Item::Unsigned(number)] => {
                Message::checked(rule(name)?, session, *epoch, *number, fields)
            }
            _ => Err(malformed("its header is not of its types")),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = cbor::head(cbor::ARRAY, (HEADER + self.fields.len()) as u64);
        bytes.extend(cbor::text(self.rule.0));
        bytes.extend(cbor::string(cbor::BYTES, &self.session));
        bytes.extend(cbor::head(cbor::UNSIGNED, self.epoch));
        bytes.extend(cbor::head(cbor::UNSIGNED, self.number));
        for field in &self.fields {
            bytes.extend(match field {
                Item::Bytes(content) => cbor::string(cbor::BYTES, content),
                Item::Text(text) => cbor::text(text),
                Item::Unsigned(value) => cbor::head(cbor::UNSIGNED, *value),
            });
        }
        bytes
    }

    /// From a call of `wire.encode`.
    pub fn from_call(call: &Json) -> Result<Message, Fault> {
        let number = |value: &Json| {
            let value = value.as_int()?;
            value.to_u64().ok_or_else(|| malformed("a number is not from 0 to 2^64 - 1"))
        };
        let rule = rule(call.member("name")?.as_text()?)?;
        let given = call.member("fields")?;
        let mut fields = Vec::new();
        for (name, kind) in rule.2 {
            let value = given.member(name)?;
            fields.push(match kind {
                Type::Bytes => Item::Bytes(value.as_bytes()?),
                Type::Text | Type::Side => Item::Text(value.as_text()?.to_string()),
                Type::Unsigned => Item::Unsigned(number(value)?),
            });
        }
        let (epoch, count) = (number(call.member("epoch")?)?, number(call.member("number")?)?);
        Message::checked(rule, &call.member("session")?.as_bytes()?, epoch, count, fields)
    }

    /// As the answer to `wire.decode`.
    pub fn to_json(&self) -> Json {
        let field = |((name, _), field): (&(&'static str, Type), &Item)| {
            let value = match field {
                Item::Bytes(content) => hexadecimal(content),
                Item::Text(text) => Json::text(text),
                Item::Unsigned(value) => Json::text(value),
            };
            (*name, value)
        };
        Json::object(vec![
            ("name", Json::text(self.rule.0)),
            ("session", hexadecimal(&self.session)),
            ("epoch", Json::text(self.epoch)),
            ("number", Json::text(self.number)),
            ("fields", Json::object(self.rule.2.iter().zip(&self.fields).map(field).collect())),
        ])
    }
}

/// What a receiver waits for on one link.
pub struct Link<'a> {
    pub session: &'a [u8],
    pub epoch: u64,
    pub sender: &'a str,
    pub receiver: &'a str,
}

impl Link<'_> {
    /// Takes messages in the order of their arrival, of the types that are due in turn (PPMF-WIR-004, -007, -011).
    pub fn receive(&self, due: &[String], messages: &[Vec<u8>]) -> Result<(), Fault> {
        let mut epoch = self.epoch;
        for (number, bytes) in messages.iter().enumerate() {
            let state =
                |what: &str| Err(Fault::Reject("state", format!("message {}: {} (PPMF-WIR-004)", number, what)));
            let message = Message::decode(bytes)?;
            if message.session[..] != *self.session {
                return state("it is of another session");
            }
            // The epoch of a `resume` follows from its field `last` alone (PPMF-RES-016).
            let last = match (message.rule.0, message.fields.first()) {
                ("resume", Some(Item::Unsigned(last))) => Some(*last),
                _ => None,
            };
            if last.map_or(Some(epoch), |last| last.checked_add(1)) != Some(message.epoch) {
                return state("it is of another epoch");
            }
            if message.number != number as u64 {
                return state("its number is not the next");
            }
            let (name, links, _) = message.rule;
            if due.get(number).map(String::as_str) != Some(*name) || !links.contains(&(self.sender, self.receiver)) {
                return state("its type is not due");
            }
            if last.map_or(false, |last| last >= 1 << 63) {
                return Err(Fault::range(format!("message {}: last is not below 2^63 (PPMF-RES-016)", number)));
            }
            epoch = epoch.max(message.epoch);
        }
        Ok(())
    }
}
