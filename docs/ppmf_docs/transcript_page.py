# SPDX-License-Identifier: Apache-2.0
"""The page "A run with all its secrets": tables from the data of the worked transcript.

Nothing is computed anew: what the page shows stands in the files that come with the suite, and
only long values are cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ppmf_conformance import worked
from ppmf_docs.tables import count, table

SHOWN = 16
"""The characters of bytes or lists that are shown."""

_RELATED = {
    "bits": "PPMF-UPL-011",
    "w": "PPMF-CNV-002",
    "x": "PPMF-CNV-002",
    "factor_steps": "PPMF-STP-001",
    "bias_steps": "PPMF-STP-001",
    "tau": "PPMF-STP-002",
    "Phi": "PPMF-PRD-004",
    "S": "PPMF-HST-001",
    "o": "PPMF-HST-001",
    "q2": "PPMF-HST-001",
    "G": "PPMF-HST-002",
    "HG": "PPMF-HST-003",
    "Z": "PPMF-HST-004",
    "words": "PPMF-GCB-008",
    "shares": "PPMF-HST-005",
}


@cache
def transcript() -> dict[str, Any]:
    """The transcript."""
    found: dict[str, Any] = json.loads(worked.read("transcript.json"))
    return found


@cache
def sequence() -> list[dict[str, Any]]:
    """The messages of the run, from the message plan."""
    found: list[dict[str, Any]] = json.loads(worked.read("messages.json"))["messages"]
    return found


def agreement() -> str:
    """What both servers agreed on, and the private keys behind it."""
    found, session = transcript(), transcript()["session"]
    public = [
        (
            "RecSys' key for signatures",
            "PPMF-SES-008",
            session["recsys_key"],
            found["recsys_secret"],
        ),
        ("CSP's key for signatures", "PPMF-SES-008", session["csp_key"], found["csp_secret"]),
        ("key for seals", "PPMF-SES-011", session["sealing_key"], found["sealing_secret"]),
        ("RecSys' nonce", "PPMF-SES-010", session["recsys_nonce"], ""),
        ("CSP's nonce", "PPMF-SES-010", session["csp_nonce"], ""),
        ("id of the session", "PPMF-SES-007", found["session_id"], ""),
        ("RecSys' signature", "PPMF-SES-012", found["by_recsys"], ""),
        ("CSP's signature", "PPMF-SES-012", found["by_csp"], ""),
    ]
    rows = [[what, rule, _cut(value), _cut(secret)] for what, rule, value, secret in public]
    return table(["what", "requirement", "public", "private key"], rows)


def users() -> str:
    """What each user drew, and the upload that follows from it."""
    found = transcript()
    uploads = [one for one in found["messages"] if one["name"] == "upload"]
    rows = [
        [
            one["user"],
            *(_cut(one[name]) for name in ("seed", "mask", "consent", "material")),
            _cut(found["consent_keys"][number]),
            f"{uploads[number]['length']} bytes",
        ]
        for number, one in enumerate(found["draws"]["users"])
    ]
    headings = ["user", "seed", "mask", "consent", "material of the seal", "consent key", "upload"]
    return table(headings, rows)


def recsys() -> str:
    """What RecSys drew, in its order."""
    return _drawn("recsys")


def csp() -> str:
    """What CSP drew, in its order."""
    return _drawn("csp")


def _drawn(server: str) -> str:
    """A line for each value, but one for all base transfers."""
    rows: list[list[str]] = []
    for one in transcript()["draws"][server]:
        base = one["name"].startswith(("base secret", "candidates"))
        if base and not one["name"].endswith(" 0"):
            continue
        more = ", and so for 127 more" if base else ""
        values = list(_leaves(one["values"]))
        rows.append(
            [
                one["name"] + more,
                one["requirement"],
                one["form"],
                count(len(values)),
                _cut(" ".join(values)),
            ]
        )
    return table(["name", "requirement", "form", "values", "the first"], rows, right=(3,))


def stages() -> str:
    """The first number of every stage, as both servers hold it and as it is."""
    rows = []
    for one in transcript()["stages"]:
        place = " ".join(one["at"]) or "all"
        first = [next(_leaves(one[name])) for name in ("recsys", "csp", "value")]
        rows.append([one["stage"], place, _RELATED[one["stage"]], *map(_cut, first)])
    headings = ["stage", "at", "requirement", "RecSys' share", "CSP's share", "value"]
    return table(headings, rows, right=(3, 4, 5))


def messages() -> str:
    """Every message of the run in the order of the message plan, with the lengths of its fields."""
    recorded: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in transcript()["messages"]:
        recorded.setdefault((one["from"], one["to"]), []).append(one)
    rows = []
    for one in sequence():
        sent = recorded[one["from"], one["to"]].pop(0)
        if (sent["name"], sent["length"]) != (one["name"], one["length"]):
            raise ValueError("the run did not keep to the message plan")
        fields = ", ".join(f"{name} {size}" for name, size in one["fields"].items())
        sizes = ", ".join(f"{name} {size}" for name, size in one["sizes"].items())
        half_step = "" if one["half_step"] is None else str(int(one["half_step"]) + 1)
        rows.append(
            [
                half_step,
                f"{one['from']} → {one['to']}",
                one["name"],
                one["section"],
                sizes.replace("_", " "),
                fields.replace("_", " "),
                one["length"],
            ]
        )
    headings = ["half-step", "way", "message", "section", "public sizes", "fields", "bytes"]
    return table(headings, rows, right=(0, 6))


def total() -> str:
    """How many messages of how many bytes, in a sentence."""
    size = sum(int(one["length"]) for one in sequence())
    return f"{count(len(sequence()))} messages of {count(size)} bytes"


def netlists() -> str:
    """The netlists that come as text."""
    found = json.loads(worked.read("netlists.json"))["netlists"]
    rows = [
        [
            one["file"],
            _plan(one["plan"]),
            one["and_gates"],
            f"`{one['sha256'][:SHOWN]}…`",
        ]
        for one in found
    ]
    return table(["file", "plan", "AND gates", "digest"], rows, right=(2,))


def _plan(plan: Mapping[str, Any]) -> str:
    parts = []
    for name, value in plan.items():
        if isinstance(value, Mapping):
            value = " ".join(f"{key} {one}" for key, one in value.items()) or "none"
        parts.append(f"{name.replace('_', ' ')} {value if value is not None else 'none'}")
    return ", ".join(parts)


def _leaves(values: Any) -> Iterator[str]:
    if not isinstance(values, list):
        yield values
        return
    for one in values:
        yield from _leaves(one)


def _cut(text: str) -> str:
    if not text:
        return ""
    return f"`{text}`" if len(text) <= SHOWN + 4 else f"`{text[:SHOWN]}…`"
