// SPDX-License-Identifier: Apache-2.0

//! Parameter sets as TOML 1.0 documents (PPMF-PAR-022 and -023).
//!
//! Every top-level name of such a document is a parameter, and no parameter is a table, an array or a date. The
//! reader stops at the first of these, since the set is refused then, whatever follows.

use crate::int::{is_canonical, Int};
use crate::params::Value;

/// The most bytes of a document (PPMF-PAR-022).
const MAX_BYTES: usize = 65_536;

/// Names and values as they stand in the document; an error says what is wrong and in which line.
pub fn read(document: &str) -> Result<Vec<(String, Value)>, String> {
    if document.len() > MAX_BYTES {
        return Err(format!("the document has more than {} bytes (PPMF-PAR-022)", MAX_BYTES));
    }
    // A line may end in U+000D U+000A, also within a text.
    let text = document.strip_prefix('\u{feff}').unwrap_or(document).replace("\r\n", "\n");
    let mut reader = Reader { text: &text, at: 0 };
    let values = reader.document();
    values.map_err(|what| {
        let line = text.as_bytes()[..reader.at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{} in line {} of the TOML document (PPMF-PAR-022)", what, line)
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Whether a comment or a text of one line may hold the byte.
fn is_visible(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.rest().starts_with(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// Takes bytes as long as they are wanted; the bytes of one character are all wanted or none is.
    fn take_while(&mut self, is_wanted: impl Fn(u8) -> bool) -> &'a str {
        let taken = self.rest().bytes().take_while(|byte| is_wanted(*byte)).count();
        self.at += taken;
        &self.text[self.at - taken..self.at]
    }

    fn blank(&mut self) {
        self.take_while(|byte| byte == b' ' || byte == b'\t');
    }

    fn document(&mut self) -> Result<Vec<(String, Value)>, String> {
        let mut values = Vec::new();
        loop {
            self.blank();
            if self.take("[") {
                self.take("[");
                self.blank();
                values.push((self.name()?, Value::Other));
                return Ok(values);
            }
            if !matches!(self.peek(), None | Some(b'\n' | b'#')) {
                let name = self.name()?;
                self.blank();
                if self.take(".") {
                    values.push((name, Value::Other));
                    return Ok(values);
                }
                if !self.take("=") {
                    return Err("a name without =".to_string());
                }
                self.blank();
                let value = self.value()?;
                let is_other = matches!(value, Value::Other);
                values.push((name, value));
                if is_other {
                    return Ok(values);
                }
                self.blank();
            }
            if self.take("#") {
                self.take_while(is_visible);
            }
            if self.at == self.text.len() {
                return Ok(values);
            }
            if !self.take("\n") {
                return Err("something that may not stand there".to_string());
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(b'"') => self.basic(),
            Some(b'\'') => self.literal(),
            _ => match self.take_while(is_name_byte) {
                "" => Err("no name".to_string()),
                name => Ok(name.to_string()),
            },
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some(b'"') if self.rest().starts_with("\"\"\"") => self.basic_lines().map(Value::Text),
            Some(b'"') => self.basic().map(Value::Text),
            Some(b'\'') if self.rest().starts_with("'''") => self.literal_lines().map(Value::Text),
            Some(b'\'') => self.literal().map(Value::Text),
            Some(b'[' | b'{') => Ok(Value::Other),
            _ => match self.take_while(|byte| is_name_byte(byte) || byte == b'+' || byte == b'.') {
                "" => Err("no value".to_string()),
                word => Ok(word_value(word)),
            },
        }
    }

    fn literal(&mut self) -> Result<String, String> {
        self.take("'");
        let text = self.take_while(|byte| is_visible(byte) && byte != b'\'');
        if self.take("'") {
            Ok(text.to_string())
        } else {
            Err("a text that does not end".to_string())
        }
    }

    fn literal_lines(&mut self) -> Result<String, String> {
        self.take("'''");
        self.take("\n");
        let mut text = String::new();
        loop {
            text += self.take_while(|byte| (is_visible(byte) && byte != b'\'') || byte == b'\n');
            if self.ends(b'\'', &mut text)? {
                return Ok(text);
            }
        }
    }

    /// Takes one to five quotation marks: the last three of three or more end a text of several lines.
    fn ends(&mut self, mark: u8, text: &mut String) -> Result<bool, String> {
        let run = self.rest().bytes().take(5).take_while(|byte| *byte == mark).count();
        if run == 0 {
            return Err("a text that does not end".to_string());
        }
        self.at += run;
        let inner = if run < 3 { run } else { run - 3 };
        text.extend(std::iter::repeat(char::from(mark)).take(inner));
        Ok(run >= 3)
    }

    fn basic(&mut self) -> Result<String, String> {
        self.take("\"");
        let mut text = String::new();
        loop {
            text += self.take_while(|byte| is_visible(byte) && byte != b'"' && byte != b'\\');
            if self.take("\"") {
                return Ok(text);
            }
            if !self.take("\\") {
                return Err("a text that does not end".to_string());
            }
            text.push(self.escaped()?);
        }
    }

    fn basic_lines(&mut self) -> Result<String, String> {
        self.take("\"\"\"");
        self.take("\n");
        let mut text = String::new();
        loop {
            text += self.take_while(|byte| (is_visible(byte) && byte != b'"' && byte != b'\\') || byte == b'\n');
            if self.take("\\") {
                let start = self.at;
                self.blank();
                if self.peek() == Some(b'\n') {
                    // A backslash at the end of a line takes away all white space up to what comes next.
                    self.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n'));
                } else {
                    self.at = start;
                    text.push(self.escaped()?);
                }
            } else if self.ends(b'"', &mut text)? {
                return Ok(text);
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let plain = [("b", '\x08'), ("t", '\t'), ("n", '\n'), ("f", '\x0c'), ("r", '\r'), ("\"", '"'), ("\\", '\\')];
        if let Some((_, letter)) = plain.iter().find(|(name, _)| self.rest().starts_with(name)) {
            self.at += 1;
            return Ok(*letter);
        }
        let length = if self.take("u") {
            4
        } else if self.take("U") {
            8
        } else {
            return Err("an unknown escape".to_string());
        };
        let digits = self.rest().get(..length).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += if code.is_some() { length } else { 0 };
        code.and_then(char::from_u32).ok_or_else(|| "an escape that is no character".to_string())
    }
}

/// An integer, a float in decimal or a boolean; everything else is a value that no parameter has.
fn word_value(word: &str) -> Value {
    let unsigned = word.strip_prefix(|sign| sign == '+' || sign == '-').unwrap_or(word);
    let sign = if word.starts_with('-') { "-" } else { "" };
    let whole = unsigned.split('.').next().unwrap_or("");
    match word {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if word.starts_with("0x") => in_base(&word[2..], 16),
        _ if word.starts_with("0o") => in_base(&word[2..], 8),
        _ if word.starts_with("0b") => in_base(&word[2..], 2),
        _ => match without_underscores(unsigned, 10) {
            Some(digits) if is_canonical(&digits) => Value::Integer(Int::from_digits(&format!("{}{}", sign, digits))),
            // No number but 0 begins with the digit 0.
            _ if unsigned.contains('.') && (whole == "0" || !whole.starts_with('0')) => {
                Value::Float(word.to_string())
            }
            _ => Value::Other,
        },
    }
}

/// Digits of the base, each underscore between two of them.
fn without_underscores(text: &str, base: u32) -> Option<String> {
    let parts: Vec<&str> = text.split('_').collect();
    if parts.iter().all(|part| !part.is_empty() && part.chars().all(|digit| digit.is_digit(base))) {
        Some(parts.concat())
    } else {
        None
    }
}

fn in_base(text: &str, base: u32) -> Value {
    match without_underscores(text, base) {
        Some(digits) => {
            let append = |sum: Int, digit: char| {
                &(&sum * &Int::from(i64::from(base))) + &Int::from(i64::from(digit.to_digit(base).unwrap_or(0)))
            };
            Value::Integer(digits.chars().fold(Int::default(), append))
        }
        None => Value::Other,
    }
}
