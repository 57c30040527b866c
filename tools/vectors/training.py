# SPDX-License-Identifier: Apache-2.0
"""Vectors of half-steps, of whole runs, and of F_real."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.oracle import OPERATIONS, output_shown
from ppmf_reference import certified, fixed
from ppmf_spec.parameters import Parameters
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import KINDS, rated, ratings, side, version_1

_STEPS = ("counts", "squares", "factor_steps", "bias_steps", "taus", "thetas", "z")
_HALF_STEP = (
    "FIX-020 FIX-021 FIX-022 FIX-023 FIX-024 FIX-026 FIX-027 FIX-028 FIX-030 FIX-031 FIX-034 "
    "FIX-035 FIX-036"
)


def families() -> list[Family]:
    """The families `half-step`, `train` and `real`."""
    half = Family("half-step", "One side moved, the other held, with all on the way.", OPERATIONS)
    _drawn(half)
    _edges(half)
    train = Family("train", "Whole runs of F_fix, half-step by half-step.", OPERATIONS)
    _runs(train)
    _corners(train)
    real = Family("real", "F_real, by rigorous enclosures, and distances to it.", OPERATIONS)
    _real(real)
    return [half, train, real]


def _half(
    family: Family,
    slug: str,
    comment: str,
    table: dict[str, Any],
    rows: Any,
    other: Any,
    found: Any,
    **more: Any,
) -> None:
    """Add a half-step; without `previous` it is the side's first, and begins at rest."""
    requirements = [more.pop("requirements", _HALF_STEP)]
    if table.get("bias", True):
        requirements.append("FIX-029")
    binary = table.get("regulariser") == "binary-elastic-net"
    requirements += ["FIX-033 FIX-025"] if binary else ["FIX-032"]
    previous = more.pop("previous", rows)
    given = {
        "parameters": table,
        "rows": rows,
        "previous": previous,
        "other": other,
        "rated": found,
    }
    names = dict.fromkeys(" ".join(requirements).split())
    family.add(slug, "half_step", " ".join(names), comment, given, steps=_STEPS, **more)


def _drawn(family: Family) -> None:
    for kind, table in KINDS.items():
        for number in range(4):
            label = f"half-step/{kind}-{number}"
            draw = LabelledStream(label)
            given = {**table, "rank": str(draw.between(1, 3))}
            rows, others = draw.between(1, 4), draw.between(1, 5)
            moved, held = side(draw, rows, given), side(draw, others, given)
            found = rated(draw, rows, others, given)
            _half(
                family,
                f"{kind}-{number}",
                "drawn at random, in the whole box",
                given,
                moved,
                held,
                found,
                previous=side(draw, rows, given),
                flags="positive random",
                seed=label,
            )


def _edges(family: Family) -> None:
    one = version_1({"rank": "1"})
    unlucky = {"flags": "positive unlucky"}
    nobody: list[Any] = [{"rows": [], "values": []}] * 2
    for kind in ("lipschitz", "count", "l1", "binary"):
        table = {**KINDS[kind], "rank": "1"}
        _half(
            family,
            f"nobody-{kind}",
            "rows without a rating shrink all the same",
            table,
            [[4000, 100], [-1, -4000]],
            [[1, 2]],
            nobody,
            **unlucky,
        )
        _half(
            family,
            f"corner-{kind}",
            "all numbers at the ends of the box",
            table,
            [[8191, -8192], [-8192, 8191]],
            [[-8192, 8191], [8191, -8192], [8191, 8191]],
            [{"rows": [0, 1, 2], "values": [4, -5, 4]}, {"rows": [0, 2], "values": [-5, -5]}],
            **unlucky,
        )
        _half(
            family,
            f"zeros-{kind}",
            "nothing but zeros",
            table,
            [[0, 0]],
            [[0, 0]],
            [{"rows": [0], "values": [0]}],
            **unlucky,
        )
    _half(
        family,
        "all-at-once",
        "coordinates that would meet if they moved in turn",
        version_1({"rank": "3"}),
        [[4096, 4096, 4096, 0]],
        [[4096, -4096, 4096, 0], [4096, 4096, -4096, 0]],
        [{"rows": [0, 1], "values": [4, 4]}],
        **unlucky,
    )
    _half(
        family,
        "inner-fixed-step",
        "the step is that of the half-step's beginning",
        {**one, "inner_steps": "2"},
        [[8000, 0]],
        [[8191, 0], [8191, 0]],
        [{"rows": [0, 1], "values": [-5, 4]}],
        **unlucky,
    )
    _half(
        family,
        "bias-not-squared",
        "a bias does not count among the squares",
        one,
        [[0, 0]],
        [[0, 8191], [0, -8192]],
        [{"rows": [0, 1], "values": [1, 2]}],
        **unlucky,
    )
    _half(
        family,
        "one-and-one",
        "one row, one counterpart",
        {**one, "bias": False},
        [[1]],
        [[1]],
        [{"rows": [0], "values": [1]}],
        **unlucky,
    )
    _half(
        family,
        "ridge-once",
        "the ridge enters the gradient once",
        {**one, "ridge": "32"},
        [[4096, 4096]],
        [[0, 0]],
        [{"rows": [0], "values": [0]}],
        **unlucky,
    )
    half: dict[str, Any] = {
        **one,
        "bias": False,
        "ridge": "0",
        "inertia": "0.5",
        "inner_steps": "2",
    }
    _half(
        family,
        "inertia-at-rest",
        "a first half-step begins at rest, and its second inner step with the first one's move",
        half,
        [[1000]],
        [[4096]],
        [{"rows": [0], "values": [4]}],
        **unlucky,
    )
    _half(
        family,
        "inertia-unmoved",
        "a step that changed nothing leaves no inertia: the wall held the word",
        {**half, "ridge": "4"},
        [[8191]],
        [[0]],
        nobody[:1],
        previous=[[-8192]],
        **unlucky,
    )
    _half(
        family,
        "inertia-of-biases",
        "a bias has inertia too",
        {**one, "inertia": "0.5"},
        [[0, 1000]],
        [[0, 0]],
        nobody[:1],
        previous=[[0, 0]],
        **unlucky,
    )
    _half(
        family,
        "inertia-gradient-at-x",
        "residuals are taken at the word, and not where its inertia would bring it",
        {**half, "inner_steps": "1"},
        [[4096]],
        [[4096], [4096]],
        [{"rows": [0, 1], "values": [2, 2]}],
        previous=[[0]],
        **unlucky,
    )
    for fr in ("0", "8", "24"):
        table = {**one, "rating_frac_bits": fr}
        _half(
            family,
            f"rating-bits-{fr}",
            "the rating's lift by 2f - fr",
            table,
            [[100, 5]],
            [[300, 7]],
            [{"rows": [0], "values": [1 << int(fr)]}],
            **unlucky,
        )


def _train(family: Family, slug: str, comment: str, given: dict[str, Any], **more: Any) -> None:
    params = values.parameters(given["parameters"])
    table = values.ratings(given, params)
    half_steps = [
        {
            "iteration": state.iteration,
            "side": state.side,
            "rows": state.users if state.side == "users" else state.items,
        }
        for state in fixed.iterate(table, params)
    ]
    requirements = more.pop("requirements", "FIX-040 FIX-041 FIX-042 FIX-043 FIX-062")
    family.add(
        slug, "train.fixed", requirements, comment, given, shows={"half_steps": half_steps}, **more
    )


def _runs(family: Family) -> None:
    for kind, table in KINDS.items():
        for number, (users, items, iterations) in enumerate(((2, 3, 1), (4, 3, 2), (5, 6, 3))):
            label = f"train/{kind}-{number}"
            draw = LabelledStream(label)
            parameters = {**table, "rank": str(1 + number), "iterations": str(iterations)}
            given = {"parameters": parameters, **ratings(draw, users, items)}
            _train(
                family,
                f"{kind}-{number}",
                "drawn at random",
                given,
                flags="positive random",
                seed=label,
            )


def _corners(family: Family) -> None:
    two = version_1({"rank": "2", "iterations": "2"})
    unlucky = {"flags": "positive unlucky"}

    def lists(users: int, items: int, found: Any) -> dict[str, Any]:
        return {
            "users": [str(i + 1) for i in range(users)],
            "items": [str(j + 1) for j in range(items)],
            "ratings": found,
        }

    for kind in ("lipschitz", "count", "binary"):
        table = {**KINDS[kind], "rank": "2", "iterations": "2"}
        _train(
            family,
            f"single-{kind}",
            "one user, one item, one rating",
            {"parameters": table, **lists(1, 1, [["1", "1", "5"]])},
            **unlucky,
        )
        _train(
            family,
            f"nothing-{kind}",
            "no rating at all",
            {"parameters": table, **lists(2, 2, [])},
            **unlucky,
        )
        _train(
            family,
            f"unrated-{kind}",
            "an item nobody rated, a user who rated nothing",
            {"parameters": table, **lists(2, 3, [["1", "1", "5"], ["1", "3", "0.5"]])},
            **unlucky,
        )
        _train(
            family,
            f"single-user-{kind}",
            "one user, several items",
            {"parameters": table, **lists(1, 3, [["1", "3", "4"], ["1", "1", "1"]])},
            **unlucky,
        )
        _train(
            family,
            f"single-item-{kind}",
            "several users, one item",
            {"parameters": table, **lists(3, 1, [["3", "1", "4"], ["1", "1", "1"]])},
            **unlucky,
        )
    full = [[str(i), str(j), "5"] for i in (1, 2, 3) for j in (1, 2, 3)]
    _train(
        family,
        "all-fives",
        "every pair rated, all at the top of the scale",
        {"parameters": two, **lists(3, 3, full)},
        **unlucky,
    )
    lowest = [[user, item, "0.5"] for user, item, _ in full]
    fast = {**two, "ridge": "0", "damping": "1", "box_bits": "0", "iterations": "4"}
    _train(
        family,
        "saturates",
        "a small box, and steps that run into its walls",
        {"parameters": fast, **lists(3, 3, lowest)},
        **unlucky,
    )
    dead = {**two, "l1": "512"}
    _train(
        family,
        "all-zero",
        "a threshold that sends every factor to 0",
        {"parameters": dead, **lists(2, 2, full[:2])},
        **unlucky,
    )
    stiff = {**two, "step_bits": "2", "step_guard_bits": "0"}
    _train(
        family,
        "stiff",
        "steps of 0: nothing moves",
        {"parameters": stiff, **lists(2, 2, [["1", "1", "5"]])},
        **unlucky,
    )
    order: dict[str, Any] = {
        "users": ["10", "9", "2"],
        "items": ["b", "a", "é"],
        "ratings": [["9", "é", "4"], ["10", "b", "2"], ["2", "a", "1.5"]],
    }
    _train(
        family,
        "order-of-rows",
        "rows in the order of ids, not of the lists",
        {"parameters": two, **order},
        requirements="FIX-003 FIX-010 FIX-040 FIX-041 FIX-043",
        **unlucky,
    )
    order["ratings"] = order["ratings"][::-1]
    _train(
        family,
        "order-of-ratings",
        "the same ratings in another order, and the same output",
        {"parameters": two, **order},
        requirements="FIX-003 FIX-041 FIX-043",
        **unlucky,
    )
    alternate = version_1(
        {"rank": "1", "iterations": "1", "seed": "alternate", "ridge": "0", "damping": "1"}
    )
    _train(
        family,
        "alternation",
        "the items see the users' new rows",
        {"parameters": alternate, **lists(2, 2, [full[0], ["2", "2", "1"]])},
        requirements="FIX-040 FIX-021",
        **unlucky,
    )
    for inner in ("1", "2"):
        _train(
            family,
            f"inertia-carries-{inner}",
            "the first inner step of a half-step goes on with the last move on its side",
            {
                "parameters": {**two, "iterations": "3", "inertia": "0.5", "inner_steps": inner},
                **lists(2, 2, [full[0], ["2", "2", "1"]]),
            },
            requirements="FIX-030 FIX-036 FIX-040 FIX-041",
            **unlucky,
        )
    walls = {**two, "box_bits": "0", "damping": "1"}
    held: dict[str, dict[str, Any]] = {
        "inertia-wall": {"inner_steps": "3", "iterations": "3", "inertia": "0.5", "seed": "a"}
        | {"curvature_shift": "1", "ridge": "0", "bias": False},
        "inertia-wall-l1": {"inner_steps": "2", "inertia": "0.75", "seed": "g"}
        | {"rank": "1", "ridge": "4", "l1": "32"},
    }
    for slug, changes in held.items():
        _train(
            family,
            slug,
            "walls hold rows: p is the word in the box, also where a step changed nothing",
            {
                "parameters": {**walls, **changes},
                **lists(2, 2, [["1", "1", "5"], ["1", "2", "5"], ["2", "1", "0.5"]]),
            },
            requirements="FIX-030 FIX-034 FIX-036 FIX-040 FIX-041",
            **unlucky,
        )
    coarse = {"frac_bits": "8", "step_bits": "3", "damping": "2", "inertia": "0.984375"}
    _train(
        family,
        "inertia-few-step-bits",
        "A is exact where alpha has more places than a step",
        {"parameters": {**two, "iterations": "3", **coarse}, **lists(2, 2, full[:2])},
        requirements="FIX-030 FIX-036 FIX-040 FIX-041",
        **unlucky,
    )
    family.add(
        "too-large",
        "train.fixed",
        "PAR-016",
        "a set that could leave the ring",
        {"parameters": {**two, "step_bits": "28"}, **lists(2, 2, full[:1])},
        refuse="parameters",
    )


_BEYOND: dict[str, Any] = version_1(
    {
        "regulariser": "binary-elastic-net",
        "bias": False,
        "l1": "0.25",
        "ridge": "0.25",
        "damping": "1",
        "rating_offset": "0.5",
        "seed": "a",
    }
)
"""Parameters under which a run has factors on both sides of the jump, and at the end of the box."""

_EXACT: dict[str, Any] = {
    **_BEYOND,
    "rank": "1",
    "iterations": "1",
    "inner_steps": "1",
    "inertia": "0",
    "step_rule": "count",
    "curvature_shift": "0",
    "damping": "3",
    "rating_frac_bits": "10",
    "rating_min": "-2",
    "rating_max": "2",
    "rating_offset": "0",
    "seed": "tie 253",
}
"""Of one rating the step is 1/4, so that all numbers of a run are dyadic. The seed starts the user
at 61/128 and the item at -1/4."""

_OF_REAL = {
    **KINDS,
    "binary-beyond": _BEYOND,
    "binary-beyond-count": {**_BEYOND, "step_rule": "count"},
}


def _real(family: Family) -> None:
    for kind in (
        "lipschitz",
        "count",
        "l1",
        "binary",
        "no-bias",
        "inner",
        "wide-box",
        "inertia",
        "inertia-count",
        "binary-beyond",
        "binary-beyond-count",
    ):
        label = f"real/{kind}"
        draw = LabelledStream(label)
        table = {**_OF_REAL[kind], "rank": "2", "iterations": "3"}
        given = {"parameters": table, **ratings(draw, 3, 4, 2, 3)}
        params = values.parameters(table)
        table_of = values.ratings(given, params)
        enclosure = certified.train(table_of, params, radius_bits=80)
        family.add(
            f"train-{kind}",
            "train.real",
            "FIX-060",
            "F_real, enclosed to 2^-64",
            given,
            expect=_enclosed(enclosure, params),
            flags="positive random",
            seed=label,
        )
        profiles = fixed.train(table_of, params)
        found = certified.distance(profiles, enclosure)
        output = output_shown(profiles)
        low, high = found.largest - 2 * found.radius, found.largest + Fraction(1, 1 << 40)
        family.add(
            f"distance-{kind}",
            "distance",
            "FIX-061",
            "an upper bound, and not far above",
            {**given, "factors": output["factors"], "bias": output["bias"]},
            expect={
                "status": "ok",
                "enclosure": {"largest": _outwards(low, high)},
                "radius": Fraction(0),
            },
            flags="positive random",
            seed=label,
        )

    for kind, comment, changes in (
        ("binary-tie", "z is at the jump itself, exactly: the tie goes to 0", {}),
        ("threshold-one", "a threshold of exactly 1", {"regulariser": "elastic-net", "l1": "8"}),
    ):
        given = {
            "parameters": {**_EXACT, **changes},
            "users": ["1"],
            "items": ["1"],
            "ratings": [["1", "1", "-0.470703125"]],
        }
        params = values.parameters(given["parameters"])
        enclosure = certified.train(values.ratings(given, params), params, radius_bits=80)
        assert not enclosure.undecided
        family.add(
            f"train-{kind}",
            "train.real",
            "FIX-060",
            comment,
            given,
            expect=_enclosed(enclosure, params),
            flags="positive unlucky",
        )


def _enclosed(enclosure: certified.Enclosure, params: Parameters) -> dict[str, Any]:
    """What is due of F_real: item profiles within 2^-30 of these ends."""
    ends = [_outwards(low, high) for low, high in enclosure.endpoints()]
    rows = [ends[at : at + params.row_rank] for at in range(0, len(ends), params.row_rank)]
    expect: dict[str, Any] = {
        "status": "ok",
        "enclosure": {"factors": [row[: params.rank] for row in rows]},
        "radius": Fraction(1, 1 << 30),
    }
    if params.bias:
        expect["enclosure"]["bias"] = [row[params.rank] for row in rows]
    else:
        expect["out"] = {"bias": None}
    return expect


def _outwards(low: Fraction, high: Fraction) -> dict[str, Fraction]:
    """The ends of an interval, moved a little apart to 72 fractional bits."""
    unit = 1 << 72
    return {
        "lower": Fraction(low.numerator * unit // low.denominator, unit),
        "upper": Fraction(-(-high.numerator * unit // high.denominator), unit),
    }
