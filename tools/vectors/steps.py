# SPDX-License-Identifier: Apache-2.0
"""Vectors of the start, and of steps and thresholds."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.oracle import OPERATIONS
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import version_1

COUNT = {"step_rule": "count"}


def families() -> list[Family]:
    """The families `init` and `step`."""
    init = Family("init", "The public start of both sides.", OPERATIONS)
    _start(init)
    step = Family("step", "Curvature, step and thresholds of a row.", OPERATIONS)
    _curvatures(step)
    _thresholds(step)
    _random(step)
    return [init, step]


def _start(family: Family) -> None:
    for slug, comment, table, users, items in (
        ("defaults", "rank 10 with biases", {}, 2, 2),
        ("rank-1", "a factor a row", {"rank": "1"}, 3, 4),
        ("no-bias", "without biases", {"rank": "2", "bias": False}, 2, 3),
        ("frac-8", "the bytes as they are", {"rank": "4", "frac_bits": "8"}, 1, 1),
        ("frac-20", "the bytes shifted", {"rank": "2", "frac_bits": "20", "step_bits": "8"}, 2, 1),
        ("one-user", "one user, many items", {"rank": "3"}, 1, 5),
        ("one-item", "many users, one item", {"rank": "3"}, 5, 1),
        ("box-0", "the start does not depend on the box", {"rank": "3", "box_bits": "0"}, 2, 2),
        ("seed-empty", "an empty seed", {"rank": "2", "seed": ""}, 2, 2),
        ("seed-utf8", "a seed in UTF-8", {"rank": "2", "seed": "Größe \U0001f30d"}, 2, 2),
        ("seed-quote", "a seed is not escaped when hashed", {"rank": "2", "seed": 'a"\\\n'}, 2, 2),
        ("beyond-a-block", "more bytes than one block of SHAKE-256", {"rank": "16"}, 6, 6),
        ("rank-not-row", "the bias is not drawn", {"rank": "5", "bias": True}, 2, 2),
    ):
        family.add(
            slug,
            "init",
            "FIX-010 FIX-011",
            comment,
            {
                "parameters": table if slug == "defaults" else version_1(table),
                "users": users,
                "items": items,
            },
        )

    for slug, users, items in (
        ("no-users", 0, 1),
        ("no-items", 1, 0),
        ("negative", -1, 2),
        ("too-many-users", 2**31, 1),
        ("too-many-items", 1, 2**31),
    ):
        family.add(
            slug,
            "init",
            "PAR-015 CON-046",
            "a number of rows outside its range",
            {"parameters": {}, "users": users, "items": items},
            refuse="parameters",
        )


def _add(
    family: Family,
    slug: str,
    requirements: str,
    comment: str,
    table: Any,
    count: int,
    squares: int = 0,
    **more: Any,
) -> None:
    given = {"parameters": version_1(table), "count": count, "squares": squares}
    family.add(slug, "step", requirements, comment, given, steps=["curvature"], **more)


def _curvatures(family: Family) -> None:
    unlucky: dict[str, Any] = {"flags": "positive unlucky"}
    _add(
        family,
        "empty-row",
        "FIX-020 FIX-024",
        "a row without ratings: the longest step",
        {},
        0,
        **unlucky,
    )
    _add(family, "empty-row-count", "FIX-020 FIX-024", "the same under count", COUNT, 0, **unlucky)
    for slug, squares in (("below", (1 << 20) - 1), ("at", 1 << 20), ("above", (1 << 20) + 1)):
        _add(
            family,
            f"lipschitz-{slug}-a-unit",
            "FIX-023 FIX-024",
            "q2 is floored at scale g",
            {},
            1,
            squares,
            **unlucky,
        )
    for s in (-2, -1, 1, 3):
        _add(
            family,
            f"lipschitz-shift-{s}",
            "FIX-023",
            "s shifts the factors; the bias only if negative",
            {"curvature_shift": str(s)},
            5,
            123456789,
        )
    for s in (-3, -1, 0, 2, 4):
        _add(
            family,
            f"count-shift-{s}",
            "FIX-023",
            "s shifts the factors; the bias only if negative",
            {**COUNT, "curvature_shift": str(s)},
            37,
        )
    for c in (1, 2, 1000, 1 << 20):
        _add(family, f"count-{c}", "FIX-023 FIX-024", "a step from a count", COUNT, c)
        _add(family, f"lipschitz-{c}", "FIX-023 FIX-024", "a step from squares", {}, c, c << 22)
    _add(
        family,
        "exact-division",
        "FIX-024",
        "2^(q+g) divides evenly",
        {**COUNT, "damping": "1"},
        15,
        **unlucky,
    )
    _add(
        family,
        "floored",
        "FIX-024",
        "a quotient of .99…: floored, not rounded",
        {**COUNT, "damping": "1", "step_guard_bits": "0", "step_bits": "16"},
        3 * 7 * 13 - 1,
        **unlucky,
    )
    _add(
        family,
        "zero-step",
        "FIX-024",
        "a step of 0",
        {**COUNT, "step_bits": "4", "step_guard_bits": "0"},
        100,
        **unlucky,
    )
    _add(family, "no-guard", "FIX-023 FIX-024", "g = 0", {"step_guard_bits": "0"}, 3, 3 << 23)
    _add(
        family,
        "no-bias",
        "FIX-024",
        "without biases there is one step",
        {"bias": False},
        3,
        3 << 23,
    )
    _add(
        family,
        "largest-width",
        "FIX-024",
        "q + g = 32",
        {"step_bits": "28", "damping": "1"},
        0,
        **unlucky,
    )
    _add(family, "zero-squares", "FIX-022 FIX-023", "rated, and all factors 0", {}, 9, 0, **unlucky)


def _thresholds(family: Family) -> None:
    unlucky: dict[str, Any] = {"flags": "positive unlucky"}
    half = {
        "frac_bits": "8",
        "step_bits": "0",
        "step_guard_bits": "0",
        "damping": "1",
        "ridge": "0",
    }
    for slug, l1 in (
        ("tie", "0.00390625"),
        ("below", "0.0038909912109375"),
        ("odd-tie", "0.01171875"),
    ):
        _add(
            family,
            f"tau-{slug}",
            "FIX-001 FIX-025",
            "H kappa 2^f / 2 at and beside a tie",
            {**half, "l1": l1},
            0,
            **unlucky,
        )
        table = {**half, "ridge": l1, "l1": "0"}
        _add(
            family,
            f"theta-{slug}",
            "FIX-001 FIX-025",
            "H lambda 2^f / 2 at and beside a tie",
            table,
            0,
            **unlucky,
        )
    for l1 in ("0", "0.5", "4", "100"):
        slug = l1.replace(".", "-")
        _add(family, f"tau-l1-{slug}", "FIX-025", "a threshold", {"l1": l1}, 4, 77777777)
    _add(family, "theta-large", "FIX-025", "a heavy ridge", {"ridge": "4096"}, 4, 77777777)
    _add(
        family,
        "tau-exact",
        "FIX-025",
        "weights finer than 2^-f enter exactly",
        {"l1": "0.00000005960464477539062500"[:26], "step_bits": "20"},
        0,
    )


def _random(family: Family) -> None:
    for number in range(24):
        label = f"step/random-{number:02}"
        draw = LabelledStream(label)
        f = draw.between(8, 14)
        rule = draw.one_of(["lipschitz", "count"])
        table = {
            "frac_bits": str(f),
            "step_bits": str(draw.between(4, 20)),
            "step_guard_bits": str(draw.between(2, 8)),
            "step_rule": rule,
            "curvature_shift": str(draw.between(-3, 2)),
            "damping": str(draw.between(1, 50)),
            "ridge": f"{draw.between(0, 30)}.{draw.one_of(['5', '25', '0'])}",
            "l1": f"{draw.between(0, 3)}.{draw.one_of(['5', '125', '0'])}",
            "bias": draw.chance(2, 3),
        }
        count = draw.below(200)
        squares = draw.below((count * 10 << (2 * f)) + 1)
        _add(
            family,
            f"random-{number:02}",
            "FIX-023 FIX-024 FIX-025",
            "drawn at random",
            table,
            count,
            squares,
            flags="positive random",
            seed=label,
        )
