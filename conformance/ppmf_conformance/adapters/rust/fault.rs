// SPDX-License-Identifier: Apache-2.0

//! Why a call has no result.

pub enum Fault {
    /// The input is refused, with one of the classes of PPMF-ERR-001.
    Reject(&'static str, String),
    /// The call is not of the form of chapter 7, or more than this adapter computes (PPMF-CON-007).
    Error(String),
}

impl Fault {
    pub fn encoding(message: impl ToString) -> Fault {
        Fault::Reject("encoding", message.to_string())
    }

    pub fn range(message: impl ToString) -> Fault {
        Fault::Reject("range", message.to_string())
    }

    pub fn parameters(message: impl ToString) -> Fault {
        Fault::Reject("parameters", message.to_string())
    }

    pub fn error(message: impl ToString) -> Fault {
        Fault::Error(message.to_string())
    }
}

/// Text of somebody else as it may stand in a message: its first 40 characters, those that are not printable ASCII
/// as escapes (PPMF-ERR-009).
pub fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}
