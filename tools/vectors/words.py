# SPDX-License-Identifier: Apache-2.0
"""Vectors of single words: rounding, Z, prox, saturation, at and beside every edge."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.oracle import OPERATIONS
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import version_1

BINARY = {"regulariser": "binary-elastic-net", "damping": "32"}


def families() -> list[Family]:
    """The families `words` and `prox`."""
    words = Family("words", "Rounding half up, and Z, the only rounding of a step.", OPERATIONS)
    _rounding(words)
    _descend(words)
    prox = Family("prox", "Both proximal maps and the saturation after them.", OPERATIONS)
    _elastic(prox)
    _binary(prox)
    _saturation(prox)
    _random(prox)
    return [words, prox]


def _rounding(family: Family) -> None:
    for slug, comment, a, b in (
        ("half", "a tie goes up", 1, 2),
        ("minus-half", "a tie goes up, also below zero", -1, 2),
        ("three-halves", "a tie goes up, not to the even neighbour", 3, 2),
        ("five-halves", "a tie goes up, where the even neighbour is below", 5, 2),
        ("minus-three-halves", "a tie goes up, towards zero", -3, 2),
        ("zero", "nothing to round", 0, 7),
        ("below-half", "just below a tie", 2**70 - 1, 2**71),
        ("above-half", "just above a tie", 2**70 + 1, 2**71),
        ("minus-below", "just below a negative tie", -(2**70) - 1, 2**71),
        ("odd", "a denominator without ties", -7, 3),
        ("beyond-64", "beyond every machine word", 2**130 + 3, 8),
        ("exact", "an integer stays", -24, 8),
    ):
        family.add(
            f"round-{slug}",
            "words.round",
            "FIX-001",
            comment,
            {"a": a, "b": b},
            flags="positive unlucky",
        )


def _descend(family: Family) -> None:
    def add(slug: str, comment: str, x: Any, gradient: Any, steps: Any, **more: Any) -> None:
        given = {
            "parameters": version_1(more.pop("parameters", {})),
            "x": x,
            "previous": more.pop("previous", x),
            "gradient": gradient,
            "steps": steps,
        }
        family.add(
            f"descend-{slug}",
            "words.descend",
            more.pop("requirements", "FIX-030 FIX-002"),
            comment,
            given,
            **more,
        )

    unit = 1 << 40  # 2^(2f + q) of version 1
    half = unit >> 1
    unlucky = {"flags": "positive unlucky"}
    add("rest", "no gradient, no move", [5, -5, 0], [0, 0, 0], [4096, 4096, 4096])
    add(
        "tie",
        "half a unit each way: up",
        [7, 7, -7, -7],
        [half, -half, half, -half],
        [1] * 4,
        **unlucky,
    )
    add(
        "beside-tie",
        "one beside the tie",
        [7, 7, -7],
        [half + 1, half - 1, half + 1],
        [1] * 3,
        **unlucky,
    )
    add(
        "zero",
        "ties around zero",
        [0, 0, 1, -1],
        [half, -half, unit + half, -unit + half],
        [1] * 4,
        **unlucky,
    )
    add(
        "floor",
        "the shift of a negative number floors",
        [0, 0],
        [unit + 1, 2 * unit - 1],
        [1, 1],
        **unlucky,
    )
    add(
        "carry",
        "a carry through every lower bit",
        [0, -1],
        [-(unit - 1) + half, unit - half],
        [1, 1],
        **unlucky,
    )
    add("zero-step", "a row that cannot move", [123, -8192], [2**60, -(2**60)], [0, 0], **unlucky)
    add(
        "wide",
        "H G wraps a ring of 64 bits, Z does not",
        [8191, -8192],
        [2**66 + 2**40, -(2**66)],
        [4096, 4096],
        **unlucky,
    )
    small = {"frac_bits": "8", "step_bits": "0", "step_guard_bits": "0"}
    add("no-step-bits", "q = 0", [1, 1], [2**15, 2**15 - 1], [1, 1], parameters=small, **unlucky)
    add(
        "inertia-zero",
        "without inertia the word before is not seen",
        [5, -5],
        [0, 0],
        [4096, 4096],
        previous=[-8192, 8191],
        **unlucky,
    )
    add(
        "inertia-rest",
        "a word that did not move has no inertia",
        [7, -7],
        [0, 0],
        [1, 1],
        parameters={"inertia": "0.5"},
        requirements="FIX-030",
    )
    add(
        "inertia-tie",
        "half an odd move: the tie goes up, either way",
        [8, 8, -8, -8],
        [0] * 4,
        [0] * 4,
        previous=[7, 9, -7, -9],
        parameters={"inertia": "0.5"},
        **unlucky,
    )
    add(
        "inertia-not-rounded",
        "inertia and gradient are rounded together",
        [8, 8],
        [-half, half + 1],
        [1, 1],
        previous=[7, 7],
        parameters={"inertia": "0.5"},
        **unlucky,
    )
    add(
        "inertia-largest",
        "the largest inertia across the whole box",
        [8191, -8192, 8191],
        [0, 0, 2**50],
        [4096] * 3,
        previous=[-8192, 8191, 8191],
        parameters={"inertia": "0.9999847412109375"},
        **unlucky,
    )
    add(
        "inertia-least",
        "the least inertia: 2^-16 of the move, at the tie and beside it",
        [8191, 8191, 8190],
        [0, 0, 0],
        [0] * 3,
        previous=[-24577, -24576, -24579],
        parameters={"inertia": "0.0000152587890625", "box_bits": "3"},
        **unlucky,
    )
    for slug, step_bits in (("inertia-no-step-bits", "0"), ("inertia-few-step-bits", "13")):
        add(
            slug,
            "A is exact where alpha has more places than a step: at the tie and beside it",
            [127, 127, 126],
            [0, 0, 0],
            [0] * 3,
            previous=[-32641, -32640, -32643],
            parameters={
                "inertia": "0.0000152587890625",
                "box_bits": "7",
                "frac_bits": "8",
                "step_bits": step_bits,
            },
            **unlucky,
        )
    for number in range(14):
        label = f"words/descend-random-{number:02}"
        draw = LabelledStream(label)
        f, q = draw.between(8, 16), draw.between(4, 20)
        size = draw.between(1, 6)
        edge = 1 << (f + 1)
        x = [draw.between(-edge, edge - 1) for _ in range(size)]
        gradient = [draw.between(-(1 << (3 * f + 4)), 1 << (3 * f + 4)) for _ in range(size)]
        steps = [draw.between(0, 1 << q) for _ in range(size)]
        previous = [draw.between(-edge, edge - 1) for _ in range(size)]
        table = {"frac_bits": str(f), "step_bits": str(q)}
        if number >= 8:
            table["inertia"] = draw.one_of(["0.5", "0.25", "0.75", "0.0625", "0.31640625"])
        add(
            f"random-{number:02}",
            "drawn at random",
            x,
            gradient,
            steps,
            previous=previous,
            parameters=table,
            flags="positive random",
            seed=label,
        )


def _add(family: Family, slug: str, requirements: str, comment: str, z: Any, **more: Any) -> None:
    given = {
        "parameters": version_1(more.pop("parameters", {})),
        "coordinate": more.pop("coordinate", "factor"),
        "z": z,
        "tau": more.pop("tau", 0),
        "theta": more.pop("theta", 0),
    }
    family.add(slug, "prox", requirements, comment, given, **{"flags": "positive unlucky", **more})


def _elastic(family: Family) -> None:
    for tau in (0, 1, 2, 100, 4095, 8191, 8192, 20000):
        around = sorted({s * (tau + d) for s in (1, -1) for d in (-1, 0, 1)} | {0, 1, -1})
        _add(family, f"elastic-tau-{tau}", "FIX-032", "the dead zone and its ends", around, tau=tau)
    for tau in (1, 64, 4096):
        far = [8191 + tau + d for d in (-1, 0, 1)] + [-8192 - tau + d for d in (1, 0, -1)]
        _add(
            family,
            f"elastic-edge-{tau}",
            "FIX-032 FIX-034",
            "thresholded just onto the edge of the box, and beyond",
            far,
            tau=tau,
        )


def _binary(family: Family) -> None:
    half, one = 2048, 4096
    for tau, theta in (
        (0, 0),
        (1, 0),
        (0, 1),
        (5, 7),
        (100, 1536),
        (2000, 100),
        (3000, 1),
        (0, 2047),
    ):
        jump = half - theta
        _add(
            family,
            f"binary-jump-{tau}-{theta}",
            "FIX-033",
            "the jump: its tie belongs to the branch of 0",
            [jump + d for d in (-2, -1, 0, 1, 2)],
            tau=tau,
            theta=theta,
            parameters=BINARY,
        )
        around_one = sorted({one - 2 * theta + s * (tau + d) for s in (1, -1) for d in (-1, 0, 1)})
        _add(
            family,
            f"binary-one-{tau}-{theta}",
            "FIX-033",
            "the dead zone around 1",
            around_one,
            tau=tau,
            theta=theta,
            parameters=BINARY,
        )
    for tau in (0, 1, 300):
        _add(
            family,
            f"binary-zero-{tau}",
            "FIX-033",
            "the dead zone around 0",
            [-tau - 1, -tau, -tau + 1, -1, 0, 1, tau],
            tau=tau,
            theta=64,
            parameters=BINARY,
        )
    _add(
        family,
        "binary-edge",
        "FIX-033 FIX-034",
        "onto the upper edge of the box",
        [8191 + d for d in (-200, -129, -128, -127, -100, -1, 0, 1, 99, 100, 101)],
        tau=100,
        theta=64,
        parameters=BINARY,
    )
    _add(
        family,
        "binary-lower-edge",
        "FIX-033 FIX-034",
        "onto the lower edge of the box",
        [-8192 - 100 + d for d in (-1, 0, 1)],
        tau=100,
        theta=64,
        parameters=BINARY,
    )


def _saturation(family: Family) -> None:
    for f, b in ((12, 1), (8, 0), (8, 3), (16, 2)):
        top = 1 << (b + f)
        z = [top - 2, top - 1, top, top + 1, -top - 1, -top, -top + 1, 0, 2**40, -(2**40)]
        parameters = {"frac_bits": str(f), "box_bits": str(b), "step_bits": "8"}
        for coordinate in ("factor", "bias"):
            _add(
                family,
                f"saturate-{coordinate}-{f}-{b}",
                "FIX-034",
                "the ends of the box, included",
                z,
                parameters=parameters,
                coordinate=coordinate,
            )
    _add(
        family,
        "bias-no-prox",
        "FIX-034",
        "no prox applies to a bias",
        [-50, -1, 0, 1, 50, 9000],
        coordinate="bias",
        tau=40,
    )
    _add(
        family,
        "bias-no-binary-prox",
        "FIX-034",
        "nor the binary one",
        [-50, 0, 50, 2047, 2048, 2049],
        coordinate="bias",
        tau=40,
        theta=64,
        parameters=BINARY,
    )


def _random(family: Family) -> None:
    for number in range(16):
        label = f"prox/random-{number:02}"
        draw = LabelledStream(label)
        f = draw.between(8, 14)
        binary = number % 2 == 1
        parameters = {"frac_bits": str(f), "step_bits": "10", "box_bits": str(draw.between(1, 3))}
        _add(
            family,
            f"random-{number:02}",
            "FIX-033 FIX-034" if binary else "FIX-032 FIX-034",
            "drawn at random",
            [draw.between(-(4 << f), 4 << f) for _ in range(12)],
            tau=draw.below(1 << f),
            theta=draw.below(1 << (f - 1)),
            parameters=parameters | (BINARY if binary else {}),
            flags="positive random",
            seed=label,
        )
