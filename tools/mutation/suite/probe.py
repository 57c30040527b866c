# SPDX-License-Identifier: Apache-2.0
"""Runs that hold a survivor against the original: does it change any byte or any number?

The runs have rank 3, two inner steps and two iterations, and every parameter off its default. They
belong to no vectors. An adapter plays the roles that it declares, and this project's parties the
others, all with fixed coins; what is compared is every message that the adapter's parties send, and
V. An adapter that plays no role is asked for F_fix and for every half-step on the way.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ppmf_conformance import json_text
from ppmf_conformance.adapter_process import AdapterProcess, CrashError, HangError
from ppmf_conformance.adapters.values import shown
from ppmf_conformance.deadline import Deadlines
from ppmf_conformance.line_protocol import ROLES, Answer, ProtocolError
from ppmf_conformance.our_parties import OwnParties
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.sessions_and_uploads import keys_of_servers, sealing_secret

_COMMON: dict[str, Any] = {
    "rank": "3",
    "iterations": "2",
    "inner_steps": "2",
    "frac_bits": "9",
    "step_bits": "14",
    "step_guard_bits": "5",
    "box_bits": "2",
    "rating_frac_bits": "2",
    "rating_offset": "2.75",
    "curvature_shift": "2",
    "damping": "18",
    "ridge": "5",
    "l1": "2",
    "inertia": "0.375",
    "seed": "probe",
}
RUNS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("lipschitz", "rlwe-64-insecure", {"regulariser": "binary-elastic-net"}),
    ("count", "paillier-512-insecure", {"step_rule": "count", "bias": False}),
)
"""The name of a run, its cipher suite, and its parameters besides those of all."""

_USERS, _ITEMS = [str(10 + at) for at in range(5)], [f"i{at}" for at in range(4)]
_TURNS = 10_000
DONE = "done"
"""The last line of a run that comes to its end."""


def given(name: str, suite: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """What the parties of a run are given."""
    label = f"mutation/probe/{name}"
    draw = LabelledStream(label)
    ratings = [
        [user, item, draw.one_of(["0.5", "1.25", "2.75", "3.5", "5"])]
        for user in _USERS
        for item in _ITEMS
        if draw.chance(2, 3)
    ]
    session = {
        "parameters": {**_COMMON, **table},
        "users": _USERS,
        "items": _ITEMS,
        "suite": suite,
        "least": "2",
        "closes": "0",
        "expires": "0",
        "addresses": [],
        "trial": True,
        **keys_of_servers(label),
    }
    return {
        "session": session,
        "sealing_secret": sealing_secret(label).hex(),
        "consent_keys": [draw.bytes(32).hex() for _ in _USERS],
        "ratings": ratings,
        "coins": label,
    }


def digest(command: Sequence[str], deadlines: Deadlines, *, ends: bool = False) -> str:
    """The digest of all that an adapter sends and computes in the runs, and of how they end.

    ends: whether every run has to come to its end, as those of the original do; ValueError if not.
    """
    whole = hashlib.sha256()
    process = AdapterProcess(command, deadlines)
    try:
        hello = process.hello()
        for run in RUNS:
            lines = _lines(process, hello.features, hello.roles, given(*run))
            if ends and lines[-1] != DONE:
                raise ValueError(f"the probe {run[0]} ends with {lines[-1][:200]}")
            for line in lines:
                whole.update(line.encode() + b"\n")
    except (CrashError, HangError, ProtocolError) as ending:
        if ends:
            raise ValueError(f"the probe ends with {ending}") from None
        whole.update(type(ending).__name__.encode())
    finally:
        process.close()
    return whole.hexdigest()


def _lines(
    process: AdapterProcess,
    features: frozenset[str],
    roles: Sequence[str],
    case: Mapping[str, Any],
) -> list[str]:
    """What an adapter answers in one run."""
    if "train.fixed" in features and not roles:
        table = {key: case["session"][key] for key in ("parameters", "users", "items")}
        answer = process.run("probe", "train.fixed", {**table, "ratings": case["ratings"]})
        return [_shown(answer), *([DONE] if answer.status == "ok" else [])]
    ours = OwnParties()
    handles: dict[str, str] = {}
    waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    done: set[str] = set()
    lines: list[str] = []

    def ask(role: str, op: str, asked: Mapping[str, Any]) -> Answer:
        answer = (process if role in roles else ours).run("probe", op, shown(asked))
        if role in roles:
            lines.append(_shown(answer))
        return answer

    for role in ROLES:
        names = ("session", "ratings", "sealing_secret", "consent_keys")
        asked = {name: case[name] for name in names} | {"role": role}
        answer = ask(role, "party.new", asked | {"coins": f"{case['coins']}/{role}"})
        if answer.status != "ok":
            return lines
        handles[role] = answer.out["handle"]
    for _ in range(_TURNS):
        for role in ROLES:
            if role in done:
                continue
            inbox = waiting.pop(role, [])
            answer = ask(role, "party.step", {"handle": handles[role], "inbox": inbox})
            if answer.status != "ok":
                return lines
            for one in answer.out["outbox"]:
                waiting[one["to"]].append({"from": role, "message": one["message"]})
            if answer.out["done"]:
                done.add(role)
                if role == "users":
                    waiting["recsys"].append({"from": role, "message": None})
        if len(done) == len(ROLES):
            lines.append(DONE)
            break
        if not any(waiting.values()):
            break
    return lines


def _shown(answer: Answer) -> str:
    return json_text.line([answer.status, answer.kind, answer.out])
