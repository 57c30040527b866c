# SPDX-License-Identifier: Apache-2.0
"""The plug-in protocol, version 1: one JSON object a line, each way (chapter 7).

The suite calls, the adapter answers every call with one line:

    {"call":"hello","protocol":1}
    {"protocol":1,"implementation":{…},"features":["init","step",…],"roles":[]}
    {"call":"run","seq":1,"id":"init/seed-empty","op":"init","in":{…}}
    {"seq":1,"status":"ok","out":{…}}

`schemas/protocol.schema.json` gives the form of every line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ppmf_conformance import json_text, schema
from ppmf_spec.errors import EncodingError

PROTOCOL = 1
ROLES = ("users", "recsys", "csp")
MAX_LINE = 1 << 26
"""The bytes of the longest line, more than any case needs; it bounds a faulty program."""

_SHOWN = 120
"""The bytes of a line that are shown when it is not allowed."""


class ProtocolError(Exception):
    """A line that the protocol does not allow, which is a fault of the adapter."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The introduction of an adapter: its implementation, features and roles."""

    name: str
    version: str
    language: str
    issues: str
    features: frozenset[str]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one call: `out` with ok, `kind` (the class of the refusal) with reject."""

    status: str
    out: dict[str, Any]
    kind: str = ""
    message: str = ""


def hello_line() -> str:
    """The call that begins every conversation."""
    return json_text.line({"call": "hello", "protocol": PROTOCOL})


def run_line(seq: int, case_id: str, op: str, given: Mapping[str, Any]) -> str:
    """The call of one operation (PPMF-CON-002, -006)."""
    return json_text.line({"call": "run", "seq": seq, "id": case_id, "op": op, "in": given})


def parse_hello(line: bytes) -> Hello:
    """The introduction in the adapter's first line (PPMF-CON-004). Raises ProtocolError."""
    found = _checked(line, "hello")
    about = found["implementation"]
    return Hello(
        about["name"],
        about["version"],
        about["language"],
        about["issues"],
        frozenset(found["features"]),
        tuple(role for role in ROLES if role in found["roles"]),
    )


def parse_answer(line: bytes, seq: int) -> Answer:
    """The answer to call `seq` (PPMF-CON-006).

    Raises ProtocolError when the line is of another form or answers another call.
    """
    found = _checked(line, "answer")
    if found["seq"] != seq:
        raise ProtocolError(f"an answer to call {found['seq']} where {seq} was asked")
    return Answer(
        found["status"], found.get("out", {}), found.get("class", ""), found.get("message", "")
    )


def _checked(line: bytes, form: str) -> dict[str, Any]:
    try:
        found = json_text.loads(line, f"{form} line")
    except EncodingError as error:
        raise ProtocolError(f"{error}: {line[:_SHOWN]!r}") from None
    wrong = schema.faults(found, schema.named("protocol"), form)
    if wrong:
        raise ProtocolError(f"{form} line: {wrong[0]}: {line[:_SHOWN]!r}")
    checked: dict[str, Any] = found
    return checked
