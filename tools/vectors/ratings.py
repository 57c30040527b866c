# SPDX-License-Identifier: Apache-2.0
"""Vectors of chapter 2, "Rows and ratings": order, scale, grid, pairs, ids."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.oracle import OPERATIONS
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import version_1


def families() -> list[Family]:
    """The family `ratings`."""
    family = Family("ratings", "Rows in order, ratings to integers, what is refused.", OPERATIONS)
    _orders(family)
    _ids(family)
    _values(family)
    _pairs(family)
    _random(family)
    return [family]


def _given(users: Any, items: Any, ratings: Any, **parameters: Any) -> dict[str, Any]:
    return {"parameters": version_1(parameters), "users": users, "items": items, "ratings": ratings}


def _orders(family: Family) -> None:
    for slug, comment, ids in (
        ("integers", "numbers, not text", ["10", "9", "2", "100"]),
        ("negative", "minus signs are numbers too", ["1", "-2", "0", "-10"]),
        ("negatives", "the larger number is not the larger text", ["-2", "-3"]),
        ("long", "more digits than any word holds", ["9" * 40, "1" + "0" * 40, "8"]),
        ("one-is-text", "one id that is no number makes all of them text", ["10", "9", "a"]),
        ("leading-zero", "007 is no canonical integer", ["10", "9", "007"]),
        ("plus", "+1 is no canonical integer", ["10", "9", "+1"]),
        ("minus-zero", "-0 is no canonical integer", ["10", "9", "-0"]),
        ("other-digits", "digits of another script are text", ["10", "9", "٣"]),
        ("utf8", "bytes of UTF-8, not units of UTF-16", ["\U0001f600", "\uffee", "é", "z"]),
        ("prefix", "a prefix comes first", ["ab", "a", "abc", "B"]),
        ("blank", "a blank inside an id counts", ["a b", "a", "ab"]),
        ("blanks", "two of them too", ["a  b", "a b"]),
        ("unassigned", "a code point that is not assigned", ["a\u0378", "a"]),
        ("beside", "code points beside those that no id has", ["\x7e\xa1", "\u1344\U00013440"]),
    ):
        for side, users, items in (("users", ids, ["1"]), ("items", ["1"], ids)):
            rating = [[users[0], items[-1], "4"]]
            family.add(
                f"order-{side}-{slug}",
                "ratings.parse",
                "FIX-003 FIX-004",
                comment,
                _given(users, items, rating),
                flags="positive unlucky",
            )
    family.add(
        "order-apart",
        "ratings.parse",
        "FIX-003",
        "each list has its own order",
        _given(["10", "9"], ["10", "9", "x"], [["9", "9", "3"]]),
    )


def _ids(family: Family) -> None:
    for slug, text in (
        ("empty", ""),
        ("leading-blank", " a"),
        ("trailing-blank", "a "),
        ("tab", "a\tb"),
        ("newline", "a\n"),
        ("no-break", "a\u00a0b"),
        ("zero-width", "a\u200bb"),
        ("format", "\ufeff1"),
        ("line-separator", "a\u2028b"),
        ("private", "\ue000"),
        ("nul", "\u0000"),
        ("isolate", "\u2066"),
        ("hieroglyphs", "a\U00013439"),
        ("language-tag", "a\U000e0001"),
        ("private-last", "\U0010fffd"),
    ):
        family.add(
            f"id-{slug}",
            "ratings.parse",
            "FIX-005",
            "a character that no id may have, or none",
            _given(["1"], [text, "b"], []),
            refuse="encoding",
        )
    family.add(
        "id-twice",
        "ratings.parse",
        "FIX-005",
        "an id twice in its list",
        _given(["1", "2", "1"], ["1"], []),
        refuse="range",
    )
    family.add(
        "id-composed",
        "ratings.parse",
        "FIX-003 FIX-005",
        "two ids that only look alike",
        _given(["e\u0301", "é"], ["1"], [["é", "1", "5"]]),
        flags="positive unlucky",
    )
    for slug, rating in (("user", ["3", "1", "4"]), ("item", ["1", "3", "4"])):
        family.add(
            f"unknown-{slug}",
            "ratings.parse",
            "FIX-009",
            f"no such {slug}",
            _given(["1", "2"], ["1", "2"], [rating]),
            refuse="range",
        )


def _values(family: Family) -> None:
    for text in ("0.5", "1", "2.5", "3", "3.0", "5", "5.000"):
        family.add(
            f"value-{text.replace('.', '-')}",
            "ratings.parse",
            "FIX-006 FIX-007",
            "on the scale and on the grid",
            _given(["1"], ["1"], [["1", "1", text]]),
        )
    for slug, text, requirement, parameters in (
        ("below", "0", "FIX-007", {}),
        ("above", "5.5", "FIX-007", {}),
        ("just-above", "5.0000000000000000000001", "FIX-007", {}),
        ("negative", "-1", "FIX-007", {}),
        ("quarter", "4.25", "FIX-006", {}),
        ("tenth", "3.1", "FIX-006", {}),
        ("near-half", "3.4999999999999999999999", "FIX-006", {}),
        ("half", "3.5", "FIX-006", {"rating_frac_bits": "0"}),
        ("off-grid", "3.5", "FIX-006", {"rating_offset": "3.25"}),
    ):
        family.add(
            f"value-{slug}",
            "ratings.parse",
            f"{requirement} ERR-002",
            "off the scale or the grid",
            _given(["1"], ["1"], [["1", "1", text]], **parameters),
            refuse="range",
            hides=[text] if len(text) > 2 else [],
        )
    for slug, text in (("exponent", "3e0"), ("text", "three"), ("comma", "3,5"), ("empty", "")):
        family.add(
            f"value-{slug}",
            "ratings.parse",
            "ERR-001",
            "not a decimal number",
            _given(["1"], ["1"], [["1", "1", text]]),
            refuse="encoding",
        )
    family.add(
        "value-fine",
        "ratings.parse",
        "FIX-006",
        "24 fractional bits",
        _given(["1"], ["1"], [["1", "1", "3.000000059604644775390625"]], rating_frac_bits="24"),
    )
    family.add(
        "value-offset",
        "ratings.parse",
        "FIX-006",
        "an offset off the ratings' grid of halves",
        _given(["1"], ["1"], [["1", "1", "3.5"]], rating_offset="3.25", rating_frac_bits="2"),
    )


def _pairs(family: Family) -> None:
    twice = [["1", "2", "4"], ["1", "1", "3"], ["1", "2", "4"]]
    family.add(
        "pair-equal",
        "ratings.parse",
        "FIX-008",
        "a pair twice, with the same rating",
        _given(["1"], ["1", "2"], twice),
        refuse="range",
    )
    family.add(
        "pair-different",
        "ratings.parse",
        "FIX-008",
        "a pair twice, with two ratings",
        _given(["1"], ["1", "2"], [*twice[:2], ["1", "2", "5"]]),
        refuse="range",
    )
    family.add(
        "none",
        "ratings.parse",
        "FIX-004",
        "no ratings at all, and a row for every id",
        _given(["1", "2"], ["a", "b"], []),
        flags="positive unlucky",
    )
    for slug, users, items in (("users", [], ["1"]), ("items", ["1"], [])):
        family.add(
            f"no-{slug}",
            "ratings.parse",
            "FIX-004",
            "an empty list",
            _given(users, items, []),
            refuse="range",
        )


def _random(family: Family) -> None:
    for number in range(10):
        label = f"ratings/random-{number:02}"
        draw = LabelledStream(label)
        users = _names(draw, draw.between(1, 8), number % 3)
        items = _names(draw, draw.between(1, 8), (number + 1) % 3)
        ratings = [
            [user, item, str(draw.between(1, 10) * 5 // 10) + draw.one_of([".0", ""])]
            for user in users
            for item in items
            if draw.chance(1, 2)
        ]
        scaled = [[user, item, text] for user, item, text in ratings if text not in ("0", "0.0")]
        family.add(
            f"random-{number:02}",
            "ratings.parse",
            "FIX-003 FIX-004 FIX-006",
            "lists and ratings in any order",
            _given(users, items, scaled),
            flags="positive random",
            seed=label,
        )


def _names(draw: LabelledStream, count: int, kind: int) -> list[str]:
    """Distinct ids: numbers, text, or a mixture."""
    found: list[str] = []
    while len(found) < count:
        number = str(draw.between(-20, 200))
        text = draw.one_of(["u", "é", "\U0001f3ac", "Z", "0"]) + number
        name = number if kind == 0 else text if kind == 1 else draw.one_of([number, text])
        if name not in found:
            found.append(name)
    return found
