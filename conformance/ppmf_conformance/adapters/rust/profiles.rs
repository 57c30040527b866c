// SPDX-License-Identifier: Apache-2.0

//! Chapter 2, "The file of item profiles".

use crate::fault::Fault;
use crate::int::{is_canonical, Fraction, Int};
use crate::json::Json;
use crate::ratings::{check_ids, in_row_order, Scale};

const FORMAT: &str = "ppmf-item-profiles/1";
const INTEGERS: [&str; 4] = ["rank", "frac_bits", "box_bits", "rating_frac_bits"];
const DYADICS: [&str; 4] = ["rating_offset", "rating_min", "rating_max", "ridge"];

/// The most digits of an integer (PPMF-FIX-052).
const MAX_DIGITS: usize = 300;

pub struct Profiles {
    pub rank: usize,
    pub frac_bits: u32,
    pub box_bits: u32,
    pub rating_frac_bits: u32,
    pub rating_offset: Fraction,
    pub rating_min: Fraction,
    pub rating_max: Fraction,
    pub ridge: Fraction,
    pub items: Vec<String>,
    pub factors: Vec<Vec<Int>>,
    pub bias: Option<Vec<Int>>,
}

fn encoding(what: impl std::fmt::Display) -> Fault {
    Fault::encoding(format!("item profiles: {} (PPMF-FIX-052)", what))
}

fn range(what: impl std::fmt::Display) -> Fault {
    Fault::range(format!("item profiles: {} (PPMF-FIX-052)", what))
}

/// Whether the text is the shortest plain decimal of its number (PPMF-PAR-020 and -023).
fn is_shortest_decimal(text: &str) -> bool {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "1"));
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    (is_canonical(unsigned) && !unsigned.starts_with('-'))
        && !decimals.ends_with('0')
        && text != "-0"
        && Fraction::parse_decimal(text).is_some()
}

impl Profiles {
    /// Reads a file (PPMF-FIX-050 and -052).
    pub fn read(text: &str) -> Result<Profiles, Fault> {
        let file = Json::parse(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(encoding)?;
        let integer = |value: &Json| match value {
            Json::Number(digits)
                if digits.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
                    && digits.trim_start_matches('-').len() <= MAX_DIGITS =>
            {
                Some(Int::from_digits(digits))
            }
            _ => None,
        };
        if file.get("format") != Some(&Json::text(FORMAT)) {
            return Err(encoding(format!("the field format is not \"{}\"", FORMAT)));
        }
        Profiles::from_fields(&file, 1, &integer)
    }

    /// The member `profiles` of a call, in which integers are texts.
    pub fn from_call(call: &Json) -> Result<Profiles, Fault> {
        let integer = |value: &Json| match value {
            Json::Text(digits) if digits.len() <= MAX_DIGITS => Int::parse(digits),
            _ => None,
        };
        Profiles::from_fields(call.member("profiles")?, 0, &integer)
    }

    /// From an object with `more` fields beside those that are read here.
    fn from_fields(file: &Json, more: usize, integer: &dyn Fn(&Json) -> Option<Int>) -> Result<Profiles, Fault> {
        let field = |name: &str| file.get(name).ok_or_else(|| encoding(format!("there is no field {}", name)));
        let whole = |name: &str| integer(field(name)?).ok_or_else(|| encoding(format!("{} is no integer", name)));
        let integers = |name: &str, value: &Json| match value {
            Json::List(entries) => entries
                .iter()
                .map(|entry| {
                    integer(entry).ok_or_else(|| encoding(format!("{} has an entry that is no integer", name)))
                })
                .collect::<Result<Vec<Int>, Fault>>(),
            _ => Err(encoding(format!("{} is no list of integers", name))),
        };
        // What can be said of the form alone comes first.
        let numbers = INTEGERS.iter().map(|name| whole(name)).collect::<Result<Vec<Int>, Fault>>()?;
        let mut decimals = Vec::new();
        for name in DYADICS {
            match field(name)? {
                Json::Text(text) if is_shortest_decimal(text) => decimals.extend(Fraction::parse_decimal(text)),
                _ => return Err(encoding(format!("{} is not the shortest plain decimal, as a text", name))),
            }
        }
        let mut items = Vec::new();
        match field("items")? {
            Json::List(entries) => {
                for entry in entries {
                    match entry {
                        Json::Text(id) => items.push(id.clone()),
                        _ => return Err(encoding("items has an entry that is no text")),
                    }
                }
            }
            _ => return Err(encoding("items is no list")),
        }
        let factors = match field("factors")? {
            Json::List(rows) => rows.iter().map(|row| integers("factors", row)).collect::<Result<Vec<_>, _>>()?,
            _ => return Err(encoding("factors is no list")),
        };
        if factors.len() != items.len() || factors.iter().any(|row| Int::from(row.len()) != numbers[0]) {
            return Err(encoding("factors is not a list of rank integers for each item"));
        }
        let bias = match field("bias")? {
            Json::Null => None,
            value => Some(integers("bias", value)?),
        };
        if bias.iter().any(|bias| bias.len() != items.len()) {
            return Err(encoding("bias is not a list of an integer for each item"));
        }
        match file {
            Json::Object(members) if members.len() == INTEGERS.len() + DYADICS.len() + 3 + more => (),
            _ => return Err(encoding("there is an unknown field")),
        }
        // Malformed ids are refused with `encoding`, an empty list and ids that are repeated with `range`.
        check_ids("items", &items)?;
        if in_row_order(&items) != items {
            return Err(range("the items are not in row order"));
        }
        let small = |i: usize, least: i64, most: i64| {
            let value = numbers[i].to_i64().filter(|value| (least..=most).contains(value));
            value.ok_or_else(|| range(format!("{} is not from {} to {}", INTEGERS[i], least, most)))
        };
        let (rank, frac_bits) = (small(0, 1, 1024)? as usize, small(1, 8, 24)? as u32);
        let (box_bits, rating_frac_bits) = (small(2, 0, 16)? as u32, small(3, 0, 24)? as u32);
        for (name, value) in DYADICS.iter().zip(&decimals) {
            let is_ridge = *name == "ridge";
            let most = Fraction::from(Int::power_of_two(if is_ridge { 32 } else { 16 }));
            let least = if is_ridge { Int::default() } else { -&Int::power_of_two(16) };
            if value.scaled(64).is_none() || *value < Fraction::from(least) || *value > most {
                return Err(range(format!("{} is outside its domain", name)));
            }
        }
        let ridge = decimals.remove(3);
        let (rating_max, rating_min, rating_offset) = (decimals.remove(2), decimals.remove(1), decimals.remove(0));
        if rating_frac_bits > 2 * frac_bits || ridge.scaled(2 * frac_bits).is_none() || rating_min >= rating_max {
            return Err(range("the numbers are those of no parameter set (PPMF-PAR-008, -009 and -010)"));
        }
        let end = Int::power_of_two(box_bits + frac_bits);
        let is_outside = |word: &Int| *word < -&end || *word >= end;
        if factors.iter().flatten().any(is_outside) || bias.iter().flatten().any(is_outside) {
            return Err(range("a word is outside its range (PPMF-FIX-034)"));
        }
        Ok(Profiles {
            rank,
            frac_bits,
            box_bits,
            rating_frac_bits,
            rating_offset,
            rating_min,
            rating_max,
            ridge,
            items,
            factors,
            bias,
        })
    }

    fn numbers(&self) -> [String; 8] {
        [
            self.rank.to_string(),
            self.frac_bits.to_string(),
            self.box_bits.to_string(),
            self.rating_frac_bits.to_string(),
            self.rating_offset.to_decimal(),
            self.rating_min.to_decimal(),
            self.rating_max.to_decimal(),
            self.ridge.to_decimal(),
        ]
    }

    /// As in the member `profiles` of a call.
    pub fn to_json(&self) -> Json {
        let numbers = self.numbers();
        let names = INTEGERS.iter().chain(&DYADICS);
        let mut members: Vec<(&str, Json)> =
            names.zip(&numbers).map(|(name, text)| (*name, Json::text(text))).collect();
        members.push(("items", Json::texts(&self.items)));
        members.push(("factors", Json::rows(&self.factors)));
        members.push(("bias", self.bias.as_ref().map_or(Json::Null, |bias| Json::texts(bias))));
        Json::object(members)
    }

    /// The text of the file (PPMF-FIX-051).
    pub fn write(&self) -> String {
        let numbers = self.numbers();
        let mut lines = vec![format!("\"format\": \"{}\"", FORMAT)];
        lines.extend(INTEGERS.iter().zip(&numbers[..4]).map(|(name, text)| format!("\"{}\": {}", name, text)));
        lines.extend(DYADICS.iter().zip(&numbers[4..]).map(|(name, text)| format!("\"{}\": \"{}\"", name, text)));
        let quoted = |id: &String| format!("\"{}\"", id.replace('\\', "\\\\").replace('"', "\\\""));
        let items: Vec<String> = self.items.iter().map(quoted).collect();
        lines.push(format!("\"items\": [{}]", items.join(", ")));
        let rows: Vec<String> = self.factors.iter().map(|row| format!("  {}", list(row))).collect();
        lines.push(format!("\"factors\": [\n{}\n ]", rows.join(",\n")));
        lines.push(format!("\"bias\": {}", self.bias.as_ref().map_or("null".to_string(), |bias| list(bias))));
        format!("{{\n {}\n}}\n", lines.join(",\n "))
    }

    pub fn scale(&self) -> Scale<'_> {
        Scale {
            offset: &self.rating_offset,
            frac_bits: self.rating_frac_bits,
            least: &self.rating_min,
            most: &self.rating_max,
        }
    }

    /// b of an item as a word, 0 without biases.
    pub fn bias_of(&self, row: usize) -> Int {
        self.bias.as_ref().map_or(Int::default(), |bias| bias[row].clone())
    }
}

fn list(words: &[Int]) -> String {
    let texts: Vec<String> = words.iter().map(Int::to_string).collect();
    format!("[{}]", texts.join(", "))
}
