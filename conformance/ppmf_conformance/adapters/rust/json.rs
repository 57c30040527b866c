// SPDX-License-Identifier: Apache-2.0

//! JSON (RFC 8259), as far as the lines of chapter 7 and the files of item profiles need it. A number stays the text
//! that it is written as, so that nothing is rounded.

use crate::fault::Fault;
use crate::int::Int;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// How deep lists and objects may stand in each other: more than any line needs, and far from the end of the stack.
const MAX_DEPTH: usize = 64;

/// The most digits of a number in a call. The time to read a number grows with the square of its digits.
const MAX_DIGITS: usize = 10_000;

impl Json {
    pub fn text(text: impl ToString) -> Json {
        Json::Text(text.to_string())
    }

    /// A list of the entries, each as the text that it displays.
    pub fn texts<T: std::fmt::Display>(entries: &[T]) -> Json {
        Json::List(entries.iter().map(Json::text).collect())
    }

    /// A list of lists of texts: the rows of a side.
    pub fn rows<T: std::fmt::Display>(rows: &[Vec<T>]) -> Json {
        Json::List(rows.iter().map(|row| Json::texts(row)).collect())
    }

    pub fn object(members: Vec<(&str, Json)>) -> Json {
        Json::Object(members.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
    }

    pub fn parse(text: &str) -> Result<Json, String> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(MAX_DEPTH)?;
        parser.blank();
        if parser.at < text.len() {
            return Err(parser.wrong("something after the value"));
        }
        Ok(value)
    }

    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|member| member.0 == name).map(|member| &member.1),
            _ => None,
        }
    }

    // What follows reads the members of a call. A call that does not have the form of chapter 7 is no input that the
    // implementation refuses: it is answered with `error`.

    pub fn member(&self, name: &str) -> Result<&Json, Fault> {
        self.get(name).ok_or_else(|| Fault::Error(format!("the call has no member {}", name)))
    }

    pub fn as_text(&self) -> Result<&str, Fault> {
        match self {
            Json::Text(text) => Ok(text),
            _ => Err(Fault::error("a text was due in the call")),
        }
    }

    pub fn as_int(&self) -> Result<Int, Fault> {
        let text = self.as_text()?;
        if text.len() > MAX_DIGITS {
            return Err(Fault::error("a number in the call is too long"));
        }
        Int::parse(text).ok_or_else(|| Fault::error("a number in decimal was due in the call"))
    }

    pub fn as_index(&self) -> Result<usize, Fault> {
        let value = self.as_int()?.to_i64().and_then(|value| usize::try_from(value).ok());
        value.ok_or_else(|| Fault::error("a small number was due in the call"))
    }

    pub fn as_list(&self) -> Result<&[Json], Fault> {
        match self {
            Json::List(entries) => Ok(entries),
            _ => Err(Fault::error("a list was due in the call")),
        }
    }

    pub fn as_ints(&self) -> Result<Vec<Int>, Fault> {
        self.as_list()?.iter().map(Json::as_int).collect()
    }

    pub fn as_texts(&self) -> Result<Vec<String>, Fault> {
        self.as_list()?.iter().map(|entry| entry.as_text().map(str::to_string)).collect()
    }

    /// A list of lists of integers, each of the given length.
    pub fn as_rows(&self, length: usize) -> Result<Vec<Vec<Int>>, Fault> {
        let rows: Vec<Vec<Int>> = self.as_list()?.iter().map(Json::as_ints).collect::<Result<_, _>>()?;
        if rows.iter().any(|row| row.len() != length) {
            return Err(Fault::error("a row in the call has not the length that the parameters make due"));
        }
        Ok(rows)
    }

    pub fn as_bytes(&self) -> Result<Vec<u8>, Fault> {
        let text = self.as_text()?.as_bytes();
        let nibble = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let byte = |pair: &[u8]| Some(nibble(pair[0])? << 4 | nibble(*pair.get(1)?)?);
        let bytes: Option<Vec<u8>> = text.chunks(2).map(byte).collect();
        bytes.ok_or_else(|| Fault::error("bytes in hexadecimal were due in the call"))
    }
}

/// Bytes as they stand in a line: lowercase hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> Json {
    Json::Text(bytes.iter().map(|byte| format!("{:02x}", byte)).collect())
}

impl std::fmt::Display for Json {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Bool(value) => write!(out, "{}", value),
            Json::Number(text) => out.write_str(text),
            Json::Text(text) => write_text(out, text),
            Json::List(entries) => {
                out.write_str("[")?;
                for (i, entry) in entries.iter().enumerate() {
                    write!(out, "{}{}", if i > 0 { "," } else { "" }, entry)?;
                }
                out.write_str("]")
            }
            Json::Object(members) => {
                out.write_str("{")?;
                for (i, (name, value)) in members.iter().enumerate() {
                    out.write_str(if i > 0 { "," } else { "" })?;
                    write_text(out, name)?;
                    write!(out, ":{}", value)?;
                }
                out.write_str("}")
            }
        }
    }
}

fn write_text(out: &mut std::fmt::Formatter<'_>, text: &str) -> std::fmt::Result {
    out.write_str("\"")?;
    for letter in text.chars() {
        match letter {
            '"' | '\\' => write!(out, "\\{}", letter)?,
            '\0'..='\x1f' => write!(out, "\\u{:04x}", letter as u32)?,
            _ => write!(out, "{}", letter)?,
        }
    }
    out.write_str("\"")
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("{} at byte {}", what, self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes the word if it is next.
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn due(&mut self, word: &str) -> Result<(), String> {
        self.blank();
        if self.take(word) {
            Ok(())
        } else {
            Err(self.wrong(&format!("no {}", word)))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        self.blank();
        match self.peek() {
            Some(b'{' | b'[') if depth == 0 => Err(self.wrong("a list or an object too deep")),
            Some(b'{') => self.object(depth - 1),
            Some(b'[') => self.list(depth - 1),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take("null") => Ok(Json::Null),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ => Err(self.wrong("no value")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.due("[")?;
        let mut entries = Vec::new();
        self.blank();
        if self.take("]") {
            return Ok(Json::List(entries));
        }
        loop {
            entries.push(self.value(depth)?);
            self.blank();
            if self.take("]") {
                return Ok(Json::List(entries));
            }
            self.due(",")?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.due("{")?;
        let mut members = Vec::new();
        let mut names = std::collections::HashSet::new();
        self.blank();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.blank();
            let name = self.string()?;
            if !names.insert(name.clone()) {
                return Err(self.wrong("a name twice"));
            }
            self.due(":")?;
            members.push((name, self.value(depth)?));
            self.blank();
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            self.due(",")?;
        }
    }

    fn digits(&mut self) -> Result<(), String> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.wrong("no digit"))
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        self.take("-");
        if !self.take("0") {
            self.digits()?;
        }
        if self.take(".") {
            self.digits()?;
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("+") || self.take("-");
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.at].to_string()))
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.take("\"") {
            return Err(self.wrong("no text"));
        }
        let mut text = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            text.push_str(&self.text[start..self.at]);
            if self.take("\"") {
                return Ok(text);
            }
            if !self.take("\\") {
                return Err(self.wrong("a text that does not end, or a control character in it"));
            }
            text.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let kind = self.peek();
        self.at += usize::from(kind.is_some());
        match kind {
            Some(letter @ (b'"' | b'\\' | b'/')) => Ok(char::from(letter)),
            Some(b'b') => Ok('\x08'),
            Some(b'f') => Ok('\x0c'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => {
                let mut code = self.four_digits()?;
                if (0xd800..0xdc00).contains(&code) && self.take("\\u") {
                    let low = self.four_digits()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(self.wrong("half of a character"));
                    }
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                }
                // What is left of the surrogates is no character (PPMF-CON-024).
                char::from_u32(code).ok_or_else(|| self.wrong("half of a character"))
            }
            _ => Err(self.wrong("an unknown escape")),
        }
    }

    fn four_digits(&mut self) -> Result<u32, String> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or(&[]);
        let mut code = 0;
        for digit in digits {
            code = code * 16 + char::from(*digit).to_digit(16).ok_or_else(|| self.wrong("no hexadecimal digit"))?;
        }
        if digits.len() < 4 {
            return Err(self.wrong("an escape cut short"));
        }
        self.at += 4;
        Ok(code)
    }
}
