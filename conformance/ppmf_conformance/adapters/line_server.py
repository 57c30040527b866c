# SPDX-License-Identifier: Apache-2.0
"""The adapter's side of the plug-in protocol: one line is read and one line answers it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ppmf_conformance import json_text, version
from ppmf_conformance.line_protocol import PROTOCOL
from ppmf_spec.errors import PpmfError

Given = Mapping[str, Any]
Operation = Callable[[Given], Mapping[str, Any]]
"""A function from the `in` of a call to its `out`; it raises a PpmfError to refuse."""


def introduction(name: str, features: Iterable[str], roles: Iterable[str] = ()) -> dict[str, Any]:
    """The answer to `hello` of an adapter of this project."""
    about = {"name": name, "version": version(), "language": "Python", "issues": ""}
    return {
        "protocol": PROTOCOL,
        "implementation": about,
        "features": sorted(features),
        "roles": sorted(roles),
    }


def answer(call: Mapping[str, Any], operations: Mapping[str, Operation]) -> dict[str, Any]:
    """The answer to one `run` call (PPMF-CON-007, -008)."""
    seq = call["seq"]
    if call["op"] not in operations:
        return {"seq": seq, "status": "unsupported"}
    try:
        return {"seq": seq, "status": "ok", "out": operations[call["op"]](call["in"])}
    except PpmfError as refusal:
        message = " ".join(str(refusal).split()) or refusal.kind
        return {"seq": seq, "status": "reject", "class": refusal.kind, "message": message}
    except Exception as fault:  # a fault of this program, which must still answer the next call
        text = " ".join(f"{type(fault).__name__}: {fault}".split())
        return {"seq": seq, "status": "error", "message": text}


def write(value: Mapping[str, Any]) -> None:
    """Write one line and flush it, because the suite waits for it (PPMF-CON-002)."""
    sys.stdout.buffer.write(json_text.line(value).encode("utf-8", "surrogatepass") + b"\n")
    sys.stdout.buffer.flush()


def serve(hello: Mapping[str, Any], operations: Mapping[str, Operation]) -> None:
    """Answer every line until the input ends (PPMF-CON-006, -009)."""
    for line in sys.stdin.buffer:
        call = json_text.loads(line, "call")
        write(hello if call["call"] == "hello" else answer(call, operations))
