# SPDX-License-Identifier: Apache-2.0
"""Small inputs that several families share: parameter tables, ratings, sides."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters import values
from tools.vectors.labelled_stream import LabelledStream

VERSION_1: dict[str, Any] = {
    "iterations": "20",
    "inner_steps": "1",
    "frac_bits": "12",
    "step_bits": "16",
    "curvature_shift": "0",
    "inertia": "0",
    "ring_bits": "64",
}
"""The values that version 1 had as defaults, where the defaults are others now."""


def version_1(table: dict[str, Any]) -> dict[str, Any]:
    """A table of parameters, with version 1's values where it gives none."""
    return {**VERSION_1, **table}


_OVERRIDES: dict[str, dict[str, Any]] = {
    "lipschitz": {},
    "count": {"step_rule": "count", "curvature_shift": "3", "damping": "32"},
    "l1": {"l1": "8"},
    "binary": {
        "regulariser": "binary-elastic-net",
        "l1": "2",
        "ridge": "4",
        "damping": "8",
        "curvature_shift": "-1",
    },
    "no-bias": {"bias": False},
    "inner": {"inner_steps": "3"},
    "coarse": {"frac_bits": "8", "step_bits": "10", "step_guard_bits": "2"},
    "wide-box": {"box_bits": "3", "ridge": "1", "damping": "4"},
    "binary-count": {
        "regulariser": "binary-elastic-net",
        "step_rule": "count",
        "l1": "1",
        "ridge": "3",
        "damping": "8",
    },
    "fine-ratings": {"rating_frac_bits": "4", "rating_offset": "2.75"},
    "inertia": {"inertia": "0.5", "inner_steps": "2", "curvature_shift": "2"},
    "inertia-count": {
        "inertia": "0.75",
        "step_rule": "count",
        "curvature_shift": "3",
        "damping": "32",
    },
    "inertia-l1": {"inertia": "0.25", "inner_steps": "3", "l1": "8"},
    "inertia-binary": {
        "inertia": "0.375",
        "inner_steps": "2",
        "regulariser": "binary-elastic-net",
        "l1": "2",
        "ridge": "4",
        "damping": "16",
        "curvature_shift": "-3",
    },
    "inertia-binary-count": {
        "inertia": "0.5",
        "regulariser": "binary-elastic-net",
        "step_rule": "count",
        "l1": "1",
        "ridge": "3",
        "damping": "8",
    },
    "inertia-no-bias": {"inertia": "0.5", "bias": False},
    "inertia-largest": {"inertia": "0.9999847412109375", "inner_steps": "2"},
    "inertia-least": {"inertia": "0.0000152587890625", "box_bits": "3", "damping": "4"},
}

KINDS = {name: version_1(table) for name, table in _OVERRIDES.items()} | {"defaults": {}}
"""Every rule and regulariser, named, with the numbers of version 1; and the default set."""

STARS = [f"{half // 2}.5" if half % 2 else str(half // 2) for half in range(1, 11)]


def ratings(
    draw: LabelledStream, users: int, items: int, part: int = 1, of: int = 2
) -> dict[str, Any]:
    """Lists of ids and about `part` in `of` of all ratings, in no order."""
    user_ids = [str(1 + 3 * i) for i in range(users)]
    item_ids = [f"{'abcdefghij'[j % 10]}{j}" for j in range(items)]
    found = [
        [user, item, draw.one_of(STARS)]
        for item in item_ids
        for user in user_ids
        if draw.chance(part, of)
    ]
    return {"users": user_ids, "items": item_ids, "ratings": found}


def side(draw: LabelledStream, rows: int, table: dict[str, Any]) -> list[list[int]]:
    """Rows of words anywhere in the box."""
    params = values.parameters(table)
    edge = 1 << (params.box_bits + params.frac_bits)
    return [[draw.between(-edge, edge - 1) for _ in range(params.row_rank)] for _ in range(rows)]


def rated(
    draw: LabelledStream, rows: int, others: int, table: dict[str, Any]
) -> list[dict[str, Any]]:
    """For each row, the counterparts it is rated with, and the integers of the ratings."""
    params = values.parameters(table)
    scale = 1 << params.rating_frac_bits
    low = int((params.rating_min - params.rating_offset) * scale)
    high = int((params.rating_max - params.rating_offset) * scale)
    found = []
    for _ in range(rows):
        counterparts = [other for other in range(others) if draw.chance(2, 3)]
        numbers = [draw.between(low, high) for _ in counterparts]
        found.append({"rows": counterparts, "values": numbers})
    return found
