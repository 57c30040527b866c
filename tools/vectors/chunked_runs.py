# SPDX-License-Identifier: Apache-2.0
"""Vectors of whole runs that are long enough for several chunks, batches and messages of rows."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.oracle import OPERATIONS
from tools.vectors import whole_runs
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.ranked_runs import Kind, stars
from tools.vectors.whole_runs import add, lengths, needed_by_roles, output

_SHORT: dict[str, Any] = {
    "step_rule": "count",
    "frac_bits": "9",
    "step_bits": "7",
    "step_guard_bits": "2",
    "box_bits": "0",
    "rating_offset": "0",
    "rating_frac_bits": "0",
    "rating_min": "0",
    "rating_max": "1",
    "ridge": "1",
    "curvature_shift": "1",
    "damping": "3",
    "inertia": "0.75",
    "inner_steps": "1",
    "iterations": "2",
    "seed": "chunks",
}
"""Numbers of so few bits that the messages, which the suite carries as text, are not long."""


def _kind(shape: tuple[int, int], **more: Any) -> Kind:
    return Kind({**_SHORT, **more}, shape, "rlwe-64-insecure")


_RUNS: dict[str, tuple[str, Kind]] = {
    "items": (
        "two chunks of steps, thresholds, updates, products and gradients",
        _kind((2, 4100), rank="1", bias=False, l1="0.25"),
    ),
    "batches": (
        "gradients of three entries in four batches, and products of three in two",
        _kind((2, 2054), rank="2"),
    ),
    "entries": (
        "33 chunks of the conversion, and several messages of encrypted rows",
        _kind((363, 363), rank="1", bias=False, iterations="1"),
    ),
}
_OF_CHUNKS = "GCB-006 GCB-011 BIT-005 BIT-008 CNV-001 CNV-004 CNV-010 HSH-005 HSH-007 HSH-008"


def families() -> list[Family]:
    """The family `chunks`."""
    family = Family("chunks", "Three-party runs above 4,096 elements.", OPERATIONS)
    for name, (comment, kind) in _RUNS.items():
        given = given_of(name, kind)
        expect = {"status": "ok", "out": {**output(given), "refused": []}}
        messages = lengths(given)
        for role in ("recsys", "csp"):
            add(
                family,
                f"{name}-{role}",
                f"{_OF_CHUNKS} {needed_by_roles((role,), kind.suite)}",
                f"{role} under test; {comment}",
                {**given, "roles": [role]},
                expect,
                messages,
                flags="positive",
                seed=f"chunks/{name}",
            )
    return [family]


def given_of(name: str, kind: Kind) -> dict[str, Any]:
    """The input of a run in which about one pair in 16 is rated, or one in 85 of many users'."""
    scale = stars(kind.parameters)
    part = 3 if kind.shape[0] > 2 else 16

    def rated(draw: LabelledStream, users: list[str], items: list[str]) -> list[list[str]]:
        drawn = draw.bytes(2 * len(users) * len(items))  # at once: a stream is slow in small parts
        pairs = [(user, item) for user in users for item in items]
        return [
            [user, item, scale[value % len(scale)]]
            for (user, item), there, value in zip(pairs, drawn[::2], drawn[1::2], strict=True)
            if there < part
        ]

    return whole_runs.given_of(f"chunks/{name}", kind.parameters, kind.shape, kind.suite, rated)
