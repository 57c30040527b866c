// SPDX-License-Identifier: Apache-2.0

//! Chapter 3: parameter sets, their domain, bound, text and digest.

use crate::digest::sha256;
use crate::fault::{shown, Fault};
use crate::fixed;
use crate::int::{Fraction, Int};
use crate::json::Json;
use crate::ratings::Scale;

/// A value as it is read, before it is known to be of its parameter's type.
#[derive(Clone, Debug)]
pub enum Value {
    Integer(Int),
    /// A float of TOML, as it is written.
    Float(String),
    Text(String),
    Bool(bool),
    /// Something else, such as a list.
    Other,
}

#[derive(Debug)]
pub enum Kind {
    /// The ends of the range.
    Integer(i64, i64),
    /// The ends of the range; those of `inertia` have the denominator 2^16.
    Dyadic(i64, i64, i64),
    Flag,
    Choice(&'static [&'static str]),
    Seed,
}

use Kind::{Choice, Dyadic, Flag, Integer, Seed};

const BILLIONS: i64 = 1 << 32;

/// Name, domain and default of every parameter, in the order of the table of chapter 3.
static TABLE: [(&str, Kind, &str); 21] = [
    ("rank", Integer(1, 1024), "10"),
    ("iterations", Integer(1, 1_000_000), "6"),
    ("inner_steps", Integer(1, 1000), "2"),
    ("frac_bits", Integer(8, 24), "8"),
    ("step_bits", Integer(0, 32), "13"),
    ("step_guard_bits", Integer(0, 16), "4"),
    ("box_bits", Integer(0, 16), "1"),
    ("bias", Flag, "true"),
    ("rating_offset", Dyadic(-65536, 65536, 1), "3"),
    ("rating_frac_bits", Integer(0, 24), "1"),
    ("rating_min", Dyadic(-65536, 65536, 1), "0.5"),
    ("rating_max", Dyadic(-65536, 65536, 1), "5"),
    ("ridge", Dyadic(0, BILLIONS, 1), "12"),
    ("l1", Dyadic(0, BILLIONS, 1), "0"),
    ("regulariser", Choice(&["elastic-net", "binary-elastic-net"]), "elastic-net"),
    ("step_rule", Choice(&["lipschitz", "count"]), "lipschitz"),
    ("curvature_shift", Integer(-16, 32), "1"),
    ("damping", Integer(1, BILLIONS), "16"),
    ("inertia", Dyadic(0, 65535, 65536), "0.5"),
    ("ring_bits", Integer(0, 64), "0"),
    ("seed", Seed, "ppmf"),
];

/// A parameter set inside its domain (PPMF-PAR-001 to -014, -025 and -026).
#[derive(Clone, Debug)]
pub struct Params {
    pub rank: usize,
    pub iterations: u32,
    pub inner_steps: u32,
    /// f
    pub frac_bits: u32,
    /// q
    pub step_bits: u32,
    /// g
    pub guard_bits: u32,
    /// b
    pub box_bits: u32,
    pub bias: bool,
    pub rating_offset: Fraction,
    pub rating_frac_bits: u32,
    pub rating_min: Fraction,
    pub rating_max: Fraction,
    pub ridge: Fraction,
    pub l1: Fraction,
    pub is_binary: bool,
    pub counts: bool,
    /// s
    pub curvature_shift: i64,
    /// c0
    pub damping: Int,
    pub inertia: Fraction,
    pub ring_bits: u32,
    pub seed: String,
    /// Name, kind and value of every parameter, in the order of the table.
    pub settings: Vec<(&'static str, &'static Kind, String)>,
}

fn wrong(name: &str, rule: &str, value: &dyn std::fmt::Display) -> Fault {
    Fault::parameters(format!("{} is {}, but {}", name, shown(&value.to_string()), rule))
}

impl Value {
    fn described(&self) -> String {
        match self {
            Value::Integer(value) => value.to_string(),
            Value::Float(text) => text.clone(),
            Value::Text(text) => format!("\"{}\"", text),
            Value::Bool(value) => value.to_string(),
            Value::Other => "of another type".to_string(),
        }
    }

    /// The value, if it is one of its parameter: as a number, which is 0 if it is none, and as a text.
    fn checked(&self, name: &str, kind: &Kind) -> Result<(Fraction, String), Fault> {
        let refuse = |rule: &str| Err(wrong(name, rule, &self.described()));
        let number = match (kind, self) {
            (Integer(..) | Dyadic(..), Value::Integer(value)) => Some(Fraction::from(value.clone())),
            (Dyadic(..), Value::Float(text) | Value::Text(text)) => Fraction::parse_decimal(text),
            _ => None,
        };
        let zero = Fraction::from(Int::default());
        match (kind, self, number) {
            (Integer(least, most), _, Some(value)) => {
                if value < Fraction::from(Int::from(*least)) || value > Fraction::from(Int::from(*most)) {
                    return refuse(&format!("must be from {} to {} (PPMF-PAR-001)", least, most));
                }
                let text = value.to_string();
                Ok((value, text))
            }
            (Dyadic(least, most, denominator), _, Some(value)) => {
                if value.scaled(64).is_none() {
                    return refuse("must be an integer divided by a power of two, 2^64 at most (PPMF-PAR-004, -005)");
                }
                let end = |end: &i64| Fraction::new(&Int::from(*end), &Int::from(*denominator));
                if value < end(least) || value > end(most) {
                    return refuse(&format!("must be from {} to {} (PPMF-PAR-005)", end(least), end(most)));
                }
                let text = value.to_decimal();
                Ok((value, text))
            }
            (Flag, Value::Bool(value), _) => Ok((zero, value.to_string())),
            (Choice(names), Value::Text(text), _) if names.contains(&text.as_str()) => Ok((zero, text.clone())),
            (Seed, Value::Text(text), _) if text.len() <= 256 => Ok((zero, text.clone())),
            (Integer(..), ..) => refuse("must be an integer (PPMF-PAR-002)"),
            (Dyadic(..), ..) => refuse("must be a plain decimal number (PPMF-PAR-023)"),
            (Flag, ..) => refuse("must be true or false (PPMF-PAR-003)"),
            (Choice(names), ..) => refuse(&format!("must be {} (PPMF-PAR-003)", names.join(" or "))),
            (Seed, ..) => refuse("must be a text of at most 256 bytes (PPMF-PAR-006)"),
        }
    }
}

impl Params {
    /// The member `parameters` of a call: booleans as booleans, all others as strings.
    pub fn from_call(call: &Json) -> Result<Params, Fault> {
        let members = match call.member("parameters")? {
            Json::Object(members) => members,
            _ => return Err(Fault::error("parameters is no object")),
        };
        let values = members.iter().map(|(name, value)| {
            let is_integer = TABLE.iter().any(|(known, kind, _)| known == name && matches!(kind, Integer(..)));
            let value = match value {
                Json::Bool(value) => Value::Bool(*value),
                Json::Text(text) => match Int::parse(text) {
                    Some(value) if is_integer && text.len() <= 300 => Value::Integer(value),
                    _ => Value::Text(text.clone()),
                },
                _ => Value::Other,
            };
            (name.clone(), value)
        });
        Params::new(values.collect())
    }

    /// The set with the given values and defaults for what is not given.
    pub fn new(given: Vec<(String, Value)>) -> Result<Params, Fault> {
        for (i, (name, _)) in given.iter().enumerate() {
            if TABLE.iter().all(|(known, ..)| known != name) {
                return Err(Fault::parameters(format!("{} is no parameter (PPMF-PAR-022)", shown(name))));
            }
            if given[..i].iter().any(|(other, _)| other == name) {
                return Err(Fault::parameters(format!("{} is given twice (PPMF-PAR-022)", name)));
            }
        }
        let mut checked = Vec::new();
        for (name, kind, default) in &TABLE {
            let default = match kind {
                Integer(..) => Value::Integer(Int::from_digits(default)),
                Flag => Value::Bool(*default == "true"),
                _ => Value::Text(default.to_string()),
            };
            let value = given.iter().find(|(other, _)| other == name).map_or(&default, |(_, value)| value);
            checked.push(value.checked(name, kind)?);
        }
        let row = |name: &str| TABLE.iter().position(|(known, ..)| *known == name).expect("the name of a parameter");
        let dyadic = |name: &str| checked[row(name)].0.clone();
        let integer = |name: &str| dyadic(name).numerator.to_i64().expect("an integer in its range");
        let natural = |name: &str| integer(name) as u32; // in range, and not negative
        let text = |name: &str| checked[row(name)].1.clone();
        let params = Params {
            rank: natural("rank") as usize,
            iterations: natural("iterations"),
            inner_steps: natural("inner_steps"),
            frac_bits: natural("frac_bits"),
            step_bits: natural("step_bits"),
            guard_bits: natural("step_guard_bits"),
            box_bits: natural("box_bits"),
            bias: text("bias") == "true",
            rating_offset: dyadic("rating_offset"),
            rating_frac_bits: natural("rating_frac_bits"),
            rating_min: dyadic("rating_min"),
            rating_max: dyadic("rating_max"),
            ridge: dyadic("ridge"),
            l1: dyadic("l1"),
            is_binary: text("regulariser") == "binary-elastic-net",
            counts: text("step_rule") == "count",
            curvature_shift: integer("curvature_shift"),
            damping: dyadic("damping").numerator,
            inertia: dyadic("inertia"),
            ring_bits: natural("ring_bits"),
            seed: text("seed"),
            settings: TABLE
                .iter()
                .zip(&checked)
                .map(|((name, kind, _), (_, text))| (*name, kind, text.clone()))
                .collect(),
        };
        params.check_together()?;
        Ok(params)
    }

    /// The rules of the domain that are not about one type or range.
    fn check_together(&self) -> Result<(), Fault> {
        let (f, q, g, s) = (self.frac_bits, self.step_bits, self.guard_bits, self.curvature_shift);
        let refuse = |name: &str, rule: &str, value: &dyn std::fmt::Display| Err(wrong(name, rule, value));
        if (1..32).contains(&self.ring_bits) {
            return refuse("ring_bits", "must be 0 or at least 32 (PPMF-PAR-026)", &self.ring_bits);
        }
        if q + g > 32 {
            return refuse("step_bits", "must be at most 32 together with step_guard_bits (PPMF-PAR-007)", &q);
        }
        if self.rating_frac_bits > 2 * f {
            let rule = "must be at most twice frac_bits (PPMF-PAR-008)";
            return refuse("rating_frac_bits", rule, &self.rating_frac_bits);
        }
        if self.rating_min >= self.rating_max {
            let rule = "must be below rating_max (PPMF-PAR-009)";
            return refuse("rating_min", rule, &self.rating_min.to_decimal());
        }
        for (name, weight) in [("ridge", &self.ridge), ("l1", &self.l1)] {
            if weight.scaled(2 * f).is_none() {
                let rule = "must be an integer when multiplied by 2^(2 frac_bits) (PPMF-PAR-010)";
                return refuse(name, rule, &weight.to_decimal());
            }
        }
        if self.inertia.scaled(16).is_none() {
            let rule = "must be an integer when multiplied by 2^16 (PPMF-PAR-025)";
            return refuse("inertia", rule, &self.inertia.to_decimal());
        }
        if self.counts && s > i64::from(g) {
            let rule = "must be at most step_guard_bits under the step rule count (PPMF-PAR-011)";
            return refuse("curvature_shift", rule, &s);
        }
        if !self.counts && 2 * i64::from(f) - i64::from(g) + s < 0 {
            let rule = "must be at least step_guard_bits - 2 frac_bits under the step rule lipschitz (PPMF-PAR-012)";
            return refuse("curvature_shift", rule, &s);
        }
        if self.is_binary && self.box_bits < 1 {
            return refuse("box_bits", "must be at least 1 under binary-elastic-net (PPMF-PAR-013)", &self.box_bits);
        }
        if self.is_binary && fixed::thresholds_at_rest(self).1 >= Int::power_of_two(f - 1) {
            let rule = "must give a theta below 2^(frac_bits - 1) under binary-elastic-net (PPMF-PAR-014)";
            return refuse("ridge", rule, &self.ridge.to_decimal());
        }
        Ok(())
    }

    pub fn scale(&self) -> Scale<'_> {
        Scale {
            offset: &self.rating_offset,
            frac_bits: self.rating_frac_bits,
            least: &self.rating_min,
            most: &self.rating_max,
        }
    }

    /// D: the trainable numbers of a row.
    pub fn row_length(&self) -> usize {
        self.rank + usize::from(self.bias)
    }

    /// PPMF-PAR-020
    pub fn canonical(&self) -> String {
        let line = |(name, kind, text): &(&str, &Kind, String)| match kind {
            Integer(..) | Flag => format!("{} = {}\n", name, text),
            _ => format!("{} = \"{}\"\n", name, text.chars().map(escaped).collect::<String>()),
        };
        self.settings.iter().map(line).collect()
    }

    /// PPMF-PAR-021
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.canonical().as_bytes())
    }
}

fn escaped(letter: char) -> String {
    match letter {
        '"' | '\\' => format!("\\{}", letter),
        '\0'..='\x1f' | '\x7f' => format!("\\u{:04X}", letter as u32),
        _ => letter.to_string(),
    }
}
