// SPDX-License-Identifier: Apache-2.0

//! A conformance adapter in Rust, written from chapters 2 to 5 and 7 of the specification alone, with nothing but the
//! standard library. It answers the calls of the suite, lines of JSON on standard input, on standard output:
//!
//!     rustc --edition 2021 -O -o ppmf-adapter conformance/ppmf_conformance/adapters/rust/main.rs
//!     ppmf conformance run -- ./ppmf-adapter

#![forbid(unsafe_code)]

mod bound;
mod cbor;
mod code;
mod curves;
mod digest;
mod fault;
mod fixed;
mod hash;
mod int;
mod json;
mod netlists;
mod operations;
mod params;
mod profiles;
mod ratings;
mod session;
mod toml;
mod user;
mod wire;

use std::io::{BufRead, Read, Write};

use fault::Fault;
use json::Json;

/// The most bytes of a line: far more than any case has.
const MAX_LINE: u64 = 1 << 24;

fn main() {
    if let Err(message) = answer_lines() {
        eprintln!("ppmf-adapter: {}", message);
        std::process::exit(1);
    }
}

/// Answers line after line, each at once, until the input ends (PPMF-CON-002, -006 and -009).
fn answer_lines() -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    loop {
        let mut line = Vec::new();
        let length = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line).map_err(|fault| fault.to_string())?;
        if length == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            return Err("a line that does not end, or is too long".to_string());
        }
        let text = std::str::from_utf8(&line).map_err(|fault| fault.to_string())?;
        let answer = answer(&Json::parse(text)?)?;
        writeln!(output, "{}", answer).and_then(|()| output.flush()).map_err(|fault| fault.to_string())?;
    }
}

fn answer(call: &Json) -> Result<Json, String> {
    match call.get("call") {
        Some(Json::Text(name)) if name == "hello" => Ok(introduction()),
        Some(Json::Text(name)) if name == "run" => {
            let seq = call.get("seq").ok_or("a call without seq")?;
            let mut members = vec![("seq", seq.clone())];
            members.extend(result(call));
            Ok(Json::object(members))
        }
        _ => Err("a call that chapter 7 does not know".to_string()),
    }
}

/// PPMF-CON-004
fn introduction() -> Json {
    let implementation = Json::object(vec![
        ("name", Json::text("ppmf adapter in Rust")),
        ("version", Json::text("1")),
        ("language", Json::text("Rust")),
        ("issues", Json::text("")),
    ]);
    let features: Vec<&str> = operations::OPERATIONS.iter().map(|(name, _)| *name).collect();
    Json::object(vec![
        ("protocol", Json::Number("1".to_string())),
        ("implementation", implementation),
        ("features", Json::texts(&features)),
        ("roles", Json::List(Vec::new())),
    ])
}

/// What the answer to a call has beside its `seq` (PPMF-CON-006 to -008).
fn result(call: &Json) -> Vec<(&'static str, Json)> {
    let status = |status: &str| ("status", Json::text(status));
    let operation = operations::OPERATIONS.iter().find(|(name, _)| call.get("op") == Some(&Json::text(name)));
    let run = match operation {
        Some((_, run)) => run,
        None => return vec![status("unsupported")],
    };
    match call.member("in").and_then(run) {
        Ok(out) => vec![status("ok"), ("out", out)],
        Err(Fault::Reject(class, message)) => {
            vec![status("reject"), ("class", Json::text(class)), ("message", Json::Text(message))]
        }
        Err(Fault::Error(message)) => vec![status("error"), ("message", Json::Text(message))],
    }
}
