# SPDX-License-Identifier: Apache-2.0
"""Vectors of chapter 3: domain, bounds, canonical text, TOML."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_spec.decimals import decimal_text
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import DYADIC_DOMAIN, INTEGER_DOMAIN
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import version_1

# What keeps a set inside its domain while one integer parameter is at an end of its range.
_COMPANIONS: dict[tuple[str, int], dict[str, Any]] = {
    ("step_bits", 32): {"step_guard_bits": "0"},
    ("curvature_shift", 32): {"step_guard_bits": "4"},
    ("frac_bits", 8): {},
    ("rating_frac_bits", 24): {"frac_bits": "12"},
}


def families() -> list[Family]:
    """The families `params` and `bounds`."""
    params = Family("params", "Parameter sets: domain, canonical text, digest, TOML.", OPERATIONS)
    _integers(params)
    _dyadic(params)
    _others(params)
    _relations(params)
    _toml(params)
    _random(params)
    found = Family("bounds", "Which sizes fit the ring, exactly at the edge.", OPERATIONS)
    _bounds(found)
    return [params, found]


def _valid(
    family: Family, name: str, requirements: str, comment: str, table: Any, **more: Any
) -> None:
    family.add(name, "params.validate", requirements, comment, {"parameters": table}, **more)


def _refused(
    family: Family, name: str, requirement: str, comment: str, table: Any, named: str
) -> None:
    _valid(
        family,
        name,
        f"{requirement} PAR-024",
        comment,
        table,
        refuse="parameters",
        names=[named],
    )


def _integers(family: Family) -> None:
    _valid(family, "defaults", "PAR-001 PAR-020 PAR-021", "the default set", {})
    for name, (low, high) in INTEGER_DOMAIN.items():
        for end, value in (("lowest", low), ("highest", high)):
            table = {name: value, **_COMPANIONS.get((name, value), {})}
            text = f"the {end} {name}"
            slug = f"{name.replace('_', '-')}-{end}"
            if name == "curvature_shift" and end == "lowest":
                table["step_rule"] = "count"
            _valid(family, slug, "PAR-001 PAR-020 PAR-021", text, table)
        for end, value in (("below", low - 1), ("above", high + 1)):
            slug = f"{name.replace('_', '-')}-{end}"
            _refused(family, slug, "PAR-001", f"{name} just {end} its range", {name: value}, name)
    for slug, wrong in (("boolean", True), ("text", "ten"), ("fraction", "1.5"), ("empty", "")):
        _refused(family, f"rank-{slug}", "PAR-002", f"rank as {slug}", {"rank": wrong}, "rank")


def _dyadic(family: Family) -> None:
    base: dict[str, dict[str, Any]] = {
        "rating_offset": {},
        "rating_min": {},
        "rating_max": {"rating_min": "-65536"},
        "ridge": {},
        "l1": {},
        "inertia": {},
    }
    for name, (low, high) in DYADIC_DOMAIN.items():
        slug = name.replace("_", "-")
        for end, value in (("lowest", low), ("highest", high)):
            table: dict[str, Any] = {**base[name], name: decimal_text(Fraction(value), name)}
            if (name, end) == ("rating_max", "lowest"):
                table = {name: "-65535.5", "rating_min": "-65536"}
            if (name, end) == ("rating_min", "highest"):
                table = {name: "65535.5", "rating_max": "65536"}
            _valid(family, f"{slug}-{end}", "PAR-005 PAR-020", f"the {end} {name}", table)
        for end, value in (("below", low - 1), ("above", high + 1)):
            _refused(
                family,
                f"{slug}-{end}",
                "PAR-005",
                f"{name} just {end} its range",
                {name: decimal_text(Fraction(value), name)},
                name,
            )
        _refused(family, f"{slug}-tenth", "PAR-004", "a tenth is not dyadic", {name: "0.1"}, name)
        _refused(family, f"{slug}-exponent", "PAR-023", "no exponents", {name: "1e2"}, name)
    fine = "0." + str(5**65).rjust(65, "0")
    _refused(family, "inertia-one", "PAR-005", "inertia is below 1", {"inertia": "1"}, "inertia")
    _refused(family, "offset-65-bits", "PAR-005", "2^-65", {"rating_offset": fine}, "rating_offset")
    fine = "0." + str(5**64).rjust(64, "0")
    _valid(family, "offset-64-bits", "PAR-005 PAR-020", "2^-64", {"rating_offset": fine})
    for slug, text in (("minus-zero", "-0"), ("trailing", "3.500"), ("leading", "003")):
        _valid(
            family,
            f"decimal-{slug}",
            "PAR-020 PAR-023",
            "read as a number, written canonically",
            {"rating_offset": text},
            flags="positive unlucky",
        )


def _others(family: Family) -> None:
    for name in ("regulariser", "step_rule"):
        slug = name.replace("_", "-")
        _refused(family, f"{slug}-unknown", "PAR-003", "no such choice", {name: "none"}, name)
        _refused(family, f"{slug}-case", "PAR-003", "case counts", {name: "Count"}, name)
    _refused(family, "bias-text", "PAR-003", "a text is no boolean", {"bias": "true"}, "bias")
    _valid(family, "bias-false", "PAR-003 PAR-020", "without biases", {"bias": False})
    _valid(family, "count", "PAR-003 PAR-020", "the other rule", {"step_rule": "count"})
    binary = {"regulariser": "binary-elastic-net", "damping": "64"}
    _valid(family, "binary", "PAR-003 PAR-013 PAR-014", "the other regulariser", binary)
    for slug, seed in (
        ("empty", ""),
        ("quotes", 'a"b\\c'),
        ("controls", "tab\tnewline\nnull\u0000delete\u007f"),
        ("unicode", "Größe 数 \U0001f30d \u0080"),
        ("256-bytes", "é" * 128),
    ):
        _valid(
            family,
            f"seed-{slug}",
            "PAR-006 PAR-020 PAR-021",
            "how a seed is written",
            {"seed": seed},
            flags="positive unlucky",
        )
    _refused(
        family,
        "seed-257-bytes",
        "PAR-006",
        "128 characters and a byte",
        {"seed": "é" * 128 + "x"},
        "seed",
    )
    _refused(family, "seed-boolean", "PAR-006", "not a string", {"seed": True}, "seed")
    _refused(family, "unknown", "PAR-022", "no such parameter", {"ranks": "3"}, "ranks")


def _relations(family: Family) -> None:
    edges: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
        (
            "step-width",
            "PAR-007",
            "step_bits",
            {"step_bits": "28", "step_guard_bits": "4"},
            {"step_bits": "28", "step_guard_bits": "5"},
        ),
        (
            "rating-bits",
            "PAR-008",
            "rating_frac_bits",
            {"frac_bits": "8", "rating_frac_bits": "16"},
            {"frac_bits": "8", "rating_frac_bits": "17"},
        ),
        (
            "scale",
            "PAR-009",
            "rating_min",
            {"rating_min": "1", "rating_max": "1.5"},
            {"rating_min": "1", "rating_max": "1"},
        ),
        (
            "ridge-grid",
            "PAR-010",
            "ridge",
            {"frac_bits": "8", "ridge": "0.0000152587890625"},
            {"frac_bits": "8", "ridge": "0.00000762939453125"},
        ),
        (
            "l1-grid",
            "PAR-010",
            "l1",
            {"frac_bits": "8", "l1": "0.0000152587890625"},
            {"frac_bits": "8", "l1": "0.00000762939453125"},
        ),
        (
            "count-shift",
            "PAR-011",
            "curvature_shift",
            {"step_rule": "count", "curvature_shift": "4"},
            {"step_rule": "count", "curvature_shift": "5"},
        ),
        (
            "lipschitz-shift",
            "PAR-012",
            "curvature_shift",
            {"frac_bits": "8", "step_guard_bits": "4", "curvature_shift": "-12"},
            {"frac_bits": "8", "step_guard_bits": "4", "curvature_shift": "-13"},
        ),
        (
            "binary-box",
            "PAR-013",
            "box_bits",
            {"regulariser": "binary-elastic-net", "damping": "64", "box_bits": "1"},
            {"regulariser": "binary-elastic-net", "damping": "64", "box_bits": "0"},
        ),
        (
            "binary-theta",
            "PAR-014",
            "ridge",
            {"regulariser": "binary-elastic-net", "ridge": "15.99603271484375", "damping": "16"},
            {"regulariser": "binary-elastic-net", "ridge": "16", "damping": "16"},
        ),
        ("ring", "PAR-026", "ring_bits", {"ring_bits": "32"}, {"ring_bits": "31"}),
        (
            "inertia-grid",
            "PAR-025",
            "inertia",
            {"inertia": "0.0000152587890625"},
            {"inertia": "0.00000762939453125"},
        ),
    ]
    for slug, requirement, named, inside, outside in edges:
        _valid(
            family,
            f"{slug}-edge",
            requirement,
            "the last that is allowed",
            version_1(inside),
            flags="positive unlucky",
        )
        _refused(
            family,
            f"{slug}-beyond",
            requirement,
            "the first that is not",
            version_1(outside),
            named,
        )


def _toml(family: Family) -> None:
    def good(slug: str, requirements: str, comment: str, text: str) -> None:
        family.add(f"toml-{slug}", "params.toml", requirements, comment, {"toml": text})

    def bad(slug: str, requirements: str, comment: str, text: str, named: str = "") -> None:
        family.add(
            f"toml-{slug}",
            "params.toml",
            f"{requirements} PAR-024",
            comment,
            {"toml": text},
            refuse="parameters",
            names=[named] if named else [],
        )

    good("empty", "PAR-022", "every name has its default", "")
    good("comment", "PAR-022", "comments and blank lines", "# a set\n\nrank = 3 # factors\n")
    good("order", "PAR-020 PAR-022", "any order in, one order out", 'seed = "s"\nrank = 2\n')
    good("forms", "PAR-022", "integers of TOML", "rank = 0x1F\niterations = 1_000\n")
    good("literal", "PAR-022", "a literal string", "seed = 'a\\b'\n")
    good("escape", "PAR-022", "escapes", 'seed = "\\u00e9\\t\\""\n')
    for slug, text in (
        ("integer", "3"),
        ("float", "3.0"),
        ("string", '"3.00"'),
        ("half", "0.5"),
        ("minus", "-2.25"),
    ):
        good(f"dyadic-{slug}", "PAR-023", "as it is written", f"rating_offset = {text}\n")
    for slug, text in (
        ("tenth", "0.1"),
        ("exponent", "1e1"),
        ("inf", "inf"),
        ("nan", "nan"),
        ("boolean", "true"),
        ("text", '"three"'),
        ("plus", '"+3"'),
        ("point", '"3."'),
        ("blank", '" 3"'),
        ("list", "[3]"),
    ):
        bad(
            f"dyadic-{slug}",
            "PAR-023",
            "not plain decimal, or not dyadic",
            f"rating_offset = {text}\n",
            "rating_offset",
        )
    bad("unknown", "PAR-022", "no such name", "ranks = 2\n", "ranks")
    bad("table", "PAR-022", "a table is no parameter", "[rank]\nvalue = 2\n", "rank")
    bad("repeated", "PAR-022", "a name twice", "rank = 2\nrank = 2\n")
    bad("broken", "PAR-022", "not TOML", "rank 2\n")
    bad("boolean", "PAR-002", "a boolean is no integer", "rank = true\n", "rank")
    bad("text", "PAR-002", "a text is no integer", 'rank = "2"\n', "rank")
    bad("float", "PAR-002", "a float is no integer", "rank = 2.0\n", "rank")
    lines = 'rank = 3\r\nseed = """\r\na\r\nb"""\r\n'
    good("lines", "PAR-022", "a string of two lines that end in U+000D and U+000A", lines)
    mark = "\ufeff"
    good("mark", "PAR-022", "a byte-order mark is passed over", f"{mark}rank = 3\n")
    good("mark-alone", "PAR-022", "a byte-order mark and nothing else", mark)
    bad(
        "mark-later", "PAR-022", "a byte-order mark in the second line", f"rank = 3\n{mark}l1 = 1\n"
    )
    bad("mark-twice", "PAR-022", "two byte-order marks", f"{mark}{mark}rank = 3\n")
    good("mark-longest", "PAR-022", "65,536 bytes with the mark", f"{mark}{'#' * 65532}\n")
    bad("mark-long", "PAR-022", "65,537 bytes with the mark", f"{mark}{'#' * 65533}\n")
    good("longest", "PAR-022", "65,536 bytes", "#" * 65535 + "\n")
    bad("long", "PAR-022", "65,537 bytes", "#" * 65536 + "\n")
    longest = "0." + "0" * 300
    good("dyadic-longest", "PAR-023", "300 digits", f"l1 = '{longest}'\n")
    bad("dyadic-long", "PAR-023", "301 digits", f"l1 = '{longest}0'\n", "l1")


def _random(family: Family) -> None:
    for number in range(12):
        label = f"params/random-{number:02}"
        draw = LabelledStream(label)
        f = draw.between(8, 16)
        table = {
            "rank": draw.between(1, 40),
            "iterations": draw.between(1, 100),
            "inner_steps": draw.between(1, 5),
            "frac_bits": f,
            "step_bits": draw.between(8, 20),
            "step_guard_bits": draw.between(2, 8),
            "box_bits": draw.between(1, 3),
            "bias": draw.chance(1, 2),
            "rating_frac_bits": draw.between(0, 4),
            "rating_offset": f"{draw.between(0, 5)}.{draw.one_of(['5', '25', '0', '125'])}",
            "ridge": f"{draw.between(1, 30)}.5",
            "step_rule": draw.one_of(["lipschitz", "count"]),
            "curvature_shift": draw.between(-2, 2),
            "damping": draw.between(1, 64),
            "seed": draw.bytes(4).hex(),
        }
        _valid(
            family,
            f"random-{number:02}",
            "PAR-020 PAR-021",
            "a set drawn at random",
            table,
            flags="positive random",
            seed=label,
        )


def _fits(table: dict[str, Any], rows: int) -> bool:
    given = {"parameters": table, "users": str(rows), "items": "1"}
    try:
        OPERATIONS["params.bound"](given)
    except ParametersError:
        return False
    return True


def _last_that_fits(table: dict[str, Any]) -> int:
    """The largest number of users that fits beside one item."""
    low, high = 1, 2**31 - 1
    if _fits(table, high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _fits(table, middle) else (low, middle)
    return low


_LONGEST = {
    "rank": "3",
    "bias": False,
    "step_bits": "8",
    "curvature_shift": "1",
    "damping": "16",
}
"""Of a row of 640 ratings the step is 2^8 / (640 * 3 / 8 + 16) = 1, of a longer one 0."""


def _bounds(family: Family) -> None:
    def bound(
        slug: str, requirements: str, comment: str, table: Any, users: int, items: int, **more: Any
    ) -> None:
        given = {"parameters": table, "users": users, "items": items}
        family.add(slug, "params.bound", requirements, comment, given, **more)

    bound("defaults-1682", "PAR-016", "943 users, 1682 items", {}, 943, 1682)
    bound("defaults-10000", "PAR-016", "10,000 rows", {}, 10000, 10000)
    old = version_1({})
    bound("version-1-1682", "PAR-016", "the numbers of version 1", old, 943, 1682)
    bound("version-1-10000", "PAR-016", "the numbers of version 1", old, 10000, 10000)
    bound("smallest", "PAR-015 PAR-016", "one user, one item", {}, 1, 1, flags="positive unlucky")
    automatic = {**old, "ring_bits": "0"}
    for slug, table, users, items in (
        ("ring", {}, 943, 1682),
        ("ring-of-two", {}, 2, 1),
        ("ring-version-1", automatic, 943, 1682),
        ("ring-after-shift", {"l1": "65536", "step_bits": "4", "ridge": "1"}, 100, 1),
        ("ring-denominator", {"step_rule": "count", "step_bits": "0"}, 2**31 - 1, 1),
        ("ring-smallest", {"frac_bits": "8", "step_bits": "0", "rank": "1", "ridge": "0"}, 1, 1),
    ):
        bound(slug, "PAR-027 PAR-016 PAR-017 PAR-018", "the least ring", table, users, items)
    bound(
        "ring-none",
        "PAR-027",
        "64 bits are not enough",
        {**automatic, "step_bits": "20"},
        10**6,
        10**6,
        refuse="parameters",
    )
    for slug, users, items in (("no-users", 0, 1), ("no-items", 1, 0), ("too-many", 2**31, 1)):
        bound(
            slug,
            "PAR-015",
            "a number of rows outside its range",
            {},
            users,
            items,
            refuse="parameters",
        )
    sets: list[tuple[str, str, dict[str, Any]]] = [
        ("lipschitz", "PAR-016", {"step_bits": "18"}),
        ("lipschitz-rank-1", "PAR-016", {"rank": "1", "step_bits": "20"}),
        ("lipschitz-box-0", "PAR-016", {"box_bits": "0", "step_bits": "19"}),
        ("lipschitz-shift", "PAR-016", {"curvature_shift": "-1", "step_bits": "19"}),
        ("count", "PAR-016", {"step_rule": "count", "step_bits": "20", "curvature_shift": "1"}),
        ("count-no-shift", "PAR-016", {"step_rule": "count", "step_bits": "21"}),
        ("count-no-bias", "PAR-016", {"step_rule": "count", "bias": False, "step_bits": "21"}),
        ("fine-ratings", "PAR-016", {"rating_min": "-100", "rating_max": "100", "step_bits": "17"}),
        ("inertia", "PAR-016", {"inertia": "0.9999847412109375", "step_bits": "18"}),
        ("ring-48", "PAR-016", {"ring_bits": "48", "frac_bits": "8", "step_bits": "12"}),
        (
            "binary",
            "PAR-016 PAR-017",
            {"regulariser": "binary-elastic-net", "damping": "32", "step_bits": "17"},
        ),
        (
            "after-shift",
            "PAR-017",
            {"ring_bits": "56", "l1": "65536", "step_bits": "4", "ridge": "1"},
        ),
    ]
    for slug, requirements, changes in sets:
        table = version_1(changes)
        last = _last_that_fits(table)
        if last < 2**31 - 1:
            bound(
                f"{slug}-edge",
                requirements,
                "the last size that fits",
                table,
                last,
                1,
                flags="positive unlucky",
            )
            bound(
                f"{slug}-beyond",
                requirements,
                "the first size that does not fit",
                table,
                last + 1,
                1,
                flags="negative unlucky",
                refuse="parameters",
            )
    wide = {
        **version_1({}),
        "ring_bits": "32",
        "frac_bits": "8",
        "step_bits": "0",
        "step_guard_bits": "0",
        "rank": "1",
        "box_bits": "0",
        "ridge": "0",
        "damping": "65534",
    }
    bound("denominator-fits", "PAR-018", "c0 2^(2f) + 2^(2f), just inside 2^32", wide, 1, 1)
    bound(
        "denominator-beyond",
        "PAR-018",
        "the same, 2^32",
        {**wide, "damping": "65535"},
        1,
        1,
        flags="negative unlucky",
        refuse="parameters",
    )
    for slug, changes, users in (
        ("moves", {}, 1000),
        ("idle", {"step_bits": "4", "ring_bits": "64"}, 1000),
        ("idle-count", {"step_rule": "count", "step_bits": "8"}, 1000),
        ("moves-count", {"step_rule": "count", "step_bits": "8"}, 10),
        ("moves-longest", _LONGEST, 640),
        ("idle-longest", _LONGEST, 641),
        ("moves-longest-bias", {**_LONGEST, "rank": "1", "bias": True}, 240),
        ("idle-longest-bias", {**_LONGEST, "rank": "1", "bias": True}, 241),
    ):
        given = {"parameters": version_1(changes), "users": users, "items": 10}
        family.add(
            f"warn-{slug}",
            "params.warn",
            "PAR-019",
            "whether a count leaves a step of 0",
            given,
            level="SHOULD",
        )
