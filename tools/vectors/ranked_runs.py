# SPDX-License-Identifier: Apache-2.0
"""Vectors of whole runs of rank 2 and 3, whose parameters are all off their defaults.

Every step rule and regulariser occurs with and without biases. No two of the numbers of a set are
equal where one could be taken for the other, and V depends on each of them
(tests/conformance/test_ranked_runs.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_conformance.line_protocol import ROLES
from ppmf_spec.decimals import decimal_text
from tools.vectors import whole_runs
from tools.vectors.family import Family
from tools.vectors.whole_runs import add, lengths, needed_by_roles, output

_FINE: dict[str, Any] = {
    "frac_bits": "10",
    "step_bits": "11",
    "step_guard_bits": "6",
    "box_bits": "2",
    "rating_offset": "2.25",
    "rating_frac_bits": "3",
    "rating_min": "0.125",
    "rating_max": "4.5",
    "ridge": "1.25",
    "curvature_shift": "-2",
    "damping": "3",
    "inertia": "0.625",
    "seed": "fine",
}
_COARSE: dict[str, Any] = {
    "frac_bits": "9",
    "step_bits": "15",
    "step_guard_bits": "5",
    "box_bits": "3",
    "rating_offset": "2",
    "rating_frac_bits": "0",
    "rating_min": "-1",
    "rating_max": "7",
    "ridge": "0.5",
    "curvature_shift": "2",
    "damping": "7",
    "inertia": "0.3125",
    "seed": "coarse",
}
_NARROW: dict[str, Any] = {
    "frac_bits": "11",
    "step_bits": "10",
    "step_guard_bits": "3",
    "box_bits": "0",
    "rating_offset": "2.75",
    "rating_frac_bits": "2",
    "rating_min": "1.25",
    "rating_max": "4.25",
    "ridge": "2",
    "curvature_shift": "2",
    "damping": "9",
    "inertia": "0.75",
    "seed": "narrow",
}
_COUNT = {"step_rule": "count"}
_BINARY = {"regulariser": "binary-elastic-net"}
_NO_BIAS = {"bias": False}
_BOLD = {"ridge": "0.125", "damping": "2", "rating_max": "9.25"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of runs: what is off its default, users and items, and the cipher suite."""

    parameters: dict[str, Any]
    shape: tuple[int, int]
    suite: str


def _kind(
    table: dict[str, Any], shape: tuple[int, int, int], inner: int, iterations: int, suite: str
) -> Kind:
    """A kind of `shape`: users, items and rank."""
    users, items, rank = shape
    size = {"rank": str(rank), "inner_steps": str(inner), "iterations": str(iterations)}
    return Kind({**table, **size}, (users, items), suite)


_PAILLIER, _LATTICE = "paillier-512-insecure", "rlwe-64-insecure"

KINDS: dict[str, Kind] = {
    "plain": _kind({**_FINE}, (3, 4, 2), 2, 2, _PAILLIER),
    "plain-no-bias": _kind({**_COARSE, **_NO_BIAS}, (4, 3, 3), 2, 2, _LATTICE),
    "plain-count": _kind({**_NARROW, **_COUNT, **_BOLD}, (4, 3, 3), 2, 2, _LATTICE),
    "plain-count-no-bias": _kind({**_FINE, **_COUNT, **_NO_BIAS}, (3, 4, 2), 2, 3, _PAILLIER),
    "l1": _kind({**_NARROW, "l1": "0.5"}, (3, 5, 3), 2, 2, _LATTICE),
    "l1-no-bias": _kind(
        {**_FINE, "l1": "0.375", "ring_bits": "60", **_NO_BIAS}, (5, 3, 2), 3, 2, _PAILLIER
    ),
    "l1-count": _kind({**_COARSE, "l1": "0.25", **_COUNT}, (4, 5, 2), 2, 2, _PAILLIER),
    "l1-count-no-bias": _kind(
        {**_NARROW, "l1": "0.25", **_COUNT, **_NO_BIAS}, (4, 5, 3), 2, 2, _LATTICE
    ),
    "binary": _kind({**_COARSE, "l1": "0.25", **_BINARY}, (4, 3, 3), 2, 2, _PAILLIER),
    "binary-no-bias": _kind(
        {**_FINE, "l1": "0.125", **_BINARY, **_NO_BIAS}, (3, 4, 2), 2, 2, _LATTICE
    ),
    "binary-count": _kind(
        {**_FINE, "l1": "0.25", "ring_bits": "55", **_BINARY, **_COUNT}, (4, 5, 3), 2, 2, _LATTICE
    ),
    "binary-count-no-bias": _kind(
        {**_COARSE, "l1": "0.375", **_BINARY, **_COUNT, **_NO_BIAS},
        (5, 3, 2),
        2,
        2,
        _PAILLIER,
    ),
    # in ciphertexts of 64: 5 rows in groups of 2, the last of one row; 20 rows in groups of 8
    "packed": _kind({**_FINE, "l1": "0.25"}, (20, 5, 2), 2, 2, _LATTICE),
    # rows of 67 in two pieces, under four secrets; 67 rows in groups of 8
    "pieces": _kind({**_COARSE, **_COUNT}, (67, 5, 3), 2, 2, _LATTICE),
    # the matrix that packs users has the most rows, and asks for the most primes and fewer kept;
    # the other has the most columns, and asks for the most secrets
    "pieces-of-items": _kind({**_FINE, "ring_bits": "56"}, (3, 67, 2), 2, 2, _LATTICE),
    # the other way about
    "primes-of-users": _kind({**_FINE, "ring_bits": "57"}, (40, 3, 2), 2, 2, _LATTICE),
}

_MORE: dict[str, tuple[tuple[str, ...], ...]] = {
    "plain": (("users",), ROLES),
    "plain-no-bias": (("users",),),
    "l1": (("users",), ("recsys", "csp")),
}
"""The subsets of the parties that are under test besides each server alone."""


def families() -> list[Family]:
    """The family `ranks`."""
    family = Family("ranks", "Three-party runs of rank 2 and 3, off the defaults.", OPERATIONS)
    for name, kind in KINDS.items():
        given = given_of(name, kind)
        expect = {"status": "ok", "out": {**output(given), "refused": []}}
        messages = lengths(given)
        for subset in (("recsys",), ("csp",), *_MORE.get(name, ())):
            users, items = kind.shape
            add(
                family,
                f"{name}-{'-'.join(subset)}",
                needed_by_roles(subset, kind.suite),
                f"{', '.join(subset)} under test, a run of {users} x {items}, off the defaults",
                {**given, "roles": list(subset)},
                expect,
                messages,
                flags="positive",
                seed=f"ranks/{name}",
            )
    return [family]


def given_of(name: str, kind: Kind) -> dict[str, Any]:
    """The input of a run of this kind, whose ratings are anywhere on its scale."""
    scale = stars(kind.parameters)
    rated = whole_runs.each_pair(lambda draw: draw.one_of(scale))
    return whole_runs.given_of(f"ranks/{name}", kind.parameters, kind.shape, kind.suite, rated)


def stars(table: dict[str, Any]) -> list[str]:
    """All ratings of the scale of these parameters, as text."""
    params = values.parameters(table)
    size = 1 << params.rating_frac_bits
    low, high = int(params.rating_min * size), int(params.rating_max * size)
    return [decimal_text(Fraction(x, size), "rating") for x in range(low, high + 1)]
