# SPDX-License-Identifier: Apache-2.0
"""Vectors of the user's side, and of the file of item profiles."""

from __future__ import annotations

import json
from typing import Any

from ppmf_conformance.adapters.oracle import OPERATIONS
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream
from tools.vectors.toy_inputs import STARS

_TOP = "RDG-001 RDG-004 RDG-005 RDG-006 RDG-007 RDG-009"


def families() -> list[Family]:
    """The families `profiles` and `ridge`."""
    files = Family("profiles", "The file of item profiles, written and read.", OPERATIONS)
    _written(files)
    _refused(files)
    ridge = Family("ridge", "A user's profile, predictions, lists: exact rationals.", OPERATIONS)
    _drawn(ridge)
    _corners(ridge)
    _similar(ridge)
    return [files, ridge]


def _profiles(
    items: list[str], factors: list[list[int]], bias: list[int] | None, **more: str
) -> Any:
    return {
        "rank": str(len(factors[0])),
        "frac_bits": "12",
        "box_bits": "1",
        "rating_frac_bits": "1",
        "rating_offset": "3",
        "rating_min": "0.5",
        "rating_max": "5",
        "ridge": "12",
        "items": items,
        "factors": factors,
        "bias": bias,
        **more,
    }


def _written(family: Family) -> None:
    for slug, comment, table in (
        (
            "example",
            "the file of chapter 2",
            _profiles(["2", "10"], [[1024, -77], [0, 8191]], [-512, 3]),
        ),
        ("no-bias", "without biases", _profiles(["a"], [[1]], None)),
        ("edges", "the ends of the box", _profiles(["1", "2"], [[8191], [-8192]], [-8192, 8191])),
        ("quotes", "two characters are escaped", _profiles(['a"b', "c\\d"], [[1], [2]], [0, 0])),
        (
            "unicode",
            "nothing else is escaped",
            _profiles(["é/ü", "数", "\U0001f3ac"], [[1], [2], [3]], None),
        ),
        ("blank", "blanks inside ids", _profiles(["a b"], [[0]], [0])),
        (
            "decimals",
            "decimal numbers",
            _profiles(
                ["1"],
                [[0]],
                None,
                rating_offset="-2.75",
                rating_min="-4",
                rating_max="0.125",
                ridge="0",
            ),
        ),
        (
            "box-3",
            "another box",
            _profiles(["1"], [[-2048, 2047]], None, frac_bits="8", box_bits="3"),
        ),
    ):
        family.add(
            f"write-{slug}", "profiles.write", "FIX-050 FIX-051", comment, {"profiles": table}
        )
        text = OPERATIONS["profiles.write"]({"profiles": _strings(table)})["text"]
        family.add(f"read-{slug}", "profiles.read", "FIX-050", comment, {"text": text})
    text = OPERATIONS["profiles.write"](
        {"profiles": _strings(_profiles(["2", "10"], [[1024, -77], [0, 8191]], [-512, 3]))}
    )["text"]
    loose = json.dumps(json.loads(text), ensure_ascii=True)
    family.add(
        "read-one-line",
        "profiles.read",
        "FIX-050",
        "a reader takes any JSON of that form",
        {"text": loose},
        flags="positive unlucky",
    )
    turned = json.dumps(dict(reversed(json.loads(text).items())), indent=3)
    family.add(
        "read-any-order",
        "profiles.read",
        "FIX-050",
        "and fields in any order",
        {"text": turned},
        flags="positive unlucky",
    )
    family.add(
        "read-mark",
        "profiles.read",
        "FIX-052",
        "a byte-order mark, and escapes",
        {"text": "\ufeff" + turned.replace('"rank"', '"r\\u0061nk"')},
        flags="positive unlucky",
    )


def _strings(table: Any) -> Any:
    if isinstance(table, dict):
        return {name: _strings(value) for name, value in table.items()}
    if isinstance(table, list):
        return [_strings(value) for value in table]
    return table if table is None or isinstance(table, str) else str(table)


def _refused(family: Family) -> None:
    good = json.loads(
        OPERATIONS["profiles.write"](
            {"profiles": _strings(_profiles(["2", "10"], [[1024, -77], [0, 8191]], [-512, 3]))}
        )["text"]
    )

    def bad(slug: str, comment: str, kind: str, text: str) -> None:
        family.add(
            f"refuse-{slug}",
            "profiles.read",
            "FIX-052",
            comment,
            {"text": text},
            refuse=kind,
        )

    for name in good:
        rest = {key: value for key, value in good.items() if key != name}
        bad(f"without-{name.replace('_', '-')}", "a field is missing", "encoding", json.dumps(rest))
    changes: list[tuple[str, str, str, dict[str, Any]]] = [
        ("unknown", "a field too many", "encoding", {"users": []}),
        ("format", "another format", "encoding", {"format": "ppmf-item-profiles/2"}),
        ("rank-float", "a float", "encoding", {"rank": 2.0}),
        ("rank-text", "a text for an integer", "encoding", {"rank": "2"}),
        ("rank-boolean", "a boolean for an integer", "encoding", {"rank": True}),
        ("decimal-number", "a number for a decimal string", "encoding", {"ridge": 12}),
        ("decimal-long", "not the shortest decimal", "encoding", {"ridge": "12.0"}),
        ("decimal-plus", "a plus sign", "encoding", {"rating_max": "+5"}),
        (
            "factor-float",
            "a float among the factors",
            "encoding",
            {"factors": [[1024, -77.5], [0, 8191]]},
        ),
        (
            "factor-text",
            "a text among the factors",
            "encoding",
            {"factors": [["1024", -77], [0, 1]]},
        ),
        ("row-short", "a row with a factor too few", "encoding", {"factors": [[1024], [0, 8191]]}),
        ("row-missing", "a row too few", "encoding", {"factors": [[1024, -77]]}),
        ("bias-short", "a bias too few", "encoding", {"bias": [-512]}),
        ("bias-zero", "zero where null or a list belongs", "encoding", {"bias": 0}),
        ("item-number", "an id that is a number", "encoding", {"items": [2, 10]}),
        ("item-empty", "an empty id", "encoding", {"items": ["", "10"]}),
        ("item-order", "ids out of order", "range", {"items": ["10", "2"]}),
        ("item-twice", "an id twice", "range", {"items": ["2", "2"]}),
        ("word-above", "a word above the box", "range", {"factors": [[8192, -77], [0, 8191]]}),
        ("word-below", "a word below the box", "range", {"factors": [[0, -8193], [0, 8191]]}),
        ("bias-above", "a bias above the box", "range", {"bias": [8192, 3]}),
        ("scale", "words at a scale beyond chapter 3", "range", {"frac_bits": 25}),
        ("box", "a box beyond chapter 3", "range", {"box_bits": 17}),
        ("rating-bits", "a grid of ratings beyond chapter 3", "range", {"rating_frac_bits": 25}),
        ("one-rating", "a scale of one rating", "range", {"rating_min": "5"}),
        ("ridge-negative", "a negative weight", "range", {"ridge": "-1"}),
        ("ridge-tenth", "a weight that is not dyadic", "range", {"ridge": "0.1"}),
        (
            "decimal-300",
            "a weight of 300 digits after the point that is not dyadic",
            "range",
            {"ridge": "0." + "0" * 299 + "1"},
        ),
        (
            "decimal-301",
            "a weight of 301 digits after the point",
            "encoding",
            {"ridge": "0." + "0" * 300 + "1"},
        ),
        ("no-items", "no items", "range", {"items": [], "factors": [], "bias": []}),
        ("word-huge", "a word beyond 64 bits", "range", {"factors": [[2**64, -77], [0, 8191]]}),
        ("word-300", "a word of 300 digits", "range", {"factors": [[10**299, -77], [0, 8191]]}),
        ("word-301", "a word of 301 digits", "encoding", {"factors": [[10**300, -77], [0, 8191]]}),
        (
            "form-first",
            "a word beyond 64 bits, and a bias too few",
            "encoding",
            {"factors": [[2**64, -77], [0, 8191]], "bias": [-512]},
        ),
        (
            "id-first",
            "a word beyond 64 bits, and a malformed id",
            "encoding",
            {"factors": [[2**64, -77], [0, 8191]], "items": ["2 ", "10"]},
        ),
    ]
    for slug, comment, kind, change in changes:
        bad(slug, comment, kind, json.dumps({**good, **change}))
    text = json.dumps(good)
    for slug, comment, broken in (
        ("comma-list", "a comma after the last bias", text.replace("-512, 3]", "-512, 3,]")),
        ("comma-object", "a comma after the last field", f"{text[:-1]},}}"),
        ("comma-first", "a comma before the first bias", text.replace("[-512, 3]", "[,-512, 3]")),
        ("zero-before", "a zero before a number", text.replace("[-512, 3]", "[-0512, 3]")),
    ):
        bad(slug, comment, "encoding", broken)
    bad("twice", "a field twice", "encoding", text[:-1] + ', "rank": 2}')
    bad("cut", "a text cut short", "encoding", text[:-1])
    bad("more", "something after the object", "encoding", text + "1")
    bad("list", "a list", "encoding", f"[{text}]")
    bad("empty", "nothing", "encoding", "")
    bad("exponent", "an integer with an exponent", "encoding", text.replace("8191", "8e3"))


def _predict(
    family: Family,
    slug: str,
    requirements: str,
    comment: str,
    profiles: Any,
    ratings: Any,
    count: int = 3,
    **more: Any,
) -> None:
    given = {"profiles": profiles, "ratings": ratings, "items": profiles["items"], "count": count}
    family.add(slug, "predict.ridge", requirements, comment, given, **more)


def _drawn(family: Family) -> None:
    for number in range(12):
        label = f"ridge/random-{number:02}"
        draw = LabelledStream(label)
        items = [str(j) for j in range(1, draw.between(3, 8))]
        rank = draw.between(1, 3)
        bias = draw.chance(2, 3)
        factors = [[draw.between(-8192, 8191) for _ in range(rank)] for _ in items]
        profiles = _profiles(
            items,
            factors,
            [draw.between(-3000, 3000) for _ in items] if bias else None,
            ridge=f"{draw.between(0, 12)}.5",
        )
        ratings = [[item, draw.one_of(STARS)] for item in items if draw.chance(1, 2)]
        requirements = _TOP if bias else _TOP.replace("RDG-001", "RDG-002")
        _predict(
            family,
            f"random-{number:02}",
            requirements,
            "drawn at random",
            profiles,
            ratings,
            draw.between(1, 4),
            flags="positive random",
            seed=label,
        )


def _corners(family: Family) -> None:
    unlucky: dict[str, Any] = {"flags": "positive unlucky"}
    three = _profiles(["1", "2", "3"], [[4096, 0], [0, 4096], [4096, 4096]], [100, -100, 0])
    _predict(
        family,
        "no-ratings",
        "RDG-001 RDG-005",
        "nothing rated: the biases alone",
        three,
        [],
        **unlucky,
    )
    _predict(
        family,
        "all-rated",
        "RDG-007",
        "nothing left to recommend",
        three,
        [["1", "5"], ["2", "1"], ["3", "3"]],
        **unlucky,
    )
    _predict(
        family,
        "fewer-left",
        "RDG-007",
        "fewer left than asked for",
        three,
        [["2", "4.5"]],
        9,
        **unlucky,
    )
    ties = _profiles(["a", "b", "c", "d"], [[1000], [2000], [2000], [1000]], None)
    _predict(
        family,
        "ties",
        "RDG-007 RDG-009",
        "of equal ones the lower row first",
        ties,
        [],
        4,
        **unlucky,
    )
    _predict(
        family, "ties-rated", "RDG-007", "ties among what is left", ties, [["c", "5"]], 3, **unlucky
    )
    high = _profiles(["1", "2", "3"], [[8190], [8191], [8191]], [8191, 8191, 8000], ridge="0.125")
    _predict(
        family,
        "beyond-scale",
        "RDG-006 RDG-007",
        "ordered before they are clipped",
        high,
        [["3", "5"]],
        2,
        **unlucky,
    )
    low = _profiles(["1", "2", "3"], [[8191], [8190], [8191]], [-8192, -8192, -8000], ridge="0.125")
    _predict(
        family,
        "below-scale",
        "RDG-006 RDG-007",
        "clipped at the lower end, after they are ordered",
        low,
        [["3", "0.5"]],
        **unlucky,
    )
    close = _profiles(["1", "2", "3"], [[8191], [8190], [1]], None, rating_max="5")
    _predict(
        family,
        "close",
        "RDG-007 RDG-009",
        "predictions that no float tells apart",
        close,
        [["3", "3.5"]],
        2,
        **unlucky,
    )
    free = _profiles(["1", "2"], [[4096], [8000]], None, ridge="0")
    _predict(
        family,
        "no-ridge",
        "RDG-002 RDG-003",
        "no ridge, and one profile is best",
        free,
        [["1", "4"]],
        **unlucky,
    )
    flat = _profiles(["1", "2"], [[0], [4096]], None, ridge="0")
    for slug, profiles, ratings in (
        ("nothing", free, []),
        ("flat", flat, [["1", "4"]]),
        ("too-few", _profiles(["1", "2"], [[4096], [8000]], [0, 0], ridge="0"), [["1", "4"]]),
    ):
        _predict(
            family,
            f"undetermined-{slug}",
            "RDG-003",
            "several profiles are best",
            profiles,
            ratings,
            refuse="parameters",
        )
    for slug, ratings, requirement in (
        ("off-scale", [["1", "5.5"]], "FIX-007"),
        ("off-grid", [["1", "4.25"]], "FIX-006"),
        ("unknown", [["9", "4"]], "FIX-009"),
        ("twice", [["1", "4"], ["1", "4"]], "FIX-008"),
    ):
        _predict(
            family,
            f"refuse-{slug}",
            f"RDG-004 {requirement}",
            "refused as in a training",
            three,
            ratings,
            refuse="range",
        )
    _predict(
        family,
        "refuse-no-list",
        "RDG-007",
        "a list of no items",
        three,
        [],
        0,
        refuse="range",
    )


def _similar(family: Family) -> None:
    def add(slug: str, comment: str, profiles: Any, item: str, count: int, **more: Any) -> None:
        given = {"profiles": profiles, "item": item, "count": count}
        family.add(f"similar-{slug}", "predict.similar", "RDG-008 RDG-009", comment, given, **more)

    grid = _profiles(
        ["1", "2", "3", "4", "5"], [[0, 0], [3, 4], [5, 0], [-3, -4], [1, 1]], [0, 500, 0, 0, 0]
    )
    add(
        "ties",
        "three at one distance: the lower rows first",
        grid,
        "1",
        5,
        flags="positive unlucky",
    )
    add("one", "the nearest alone", grid, "2", 1)
    add(
        "bias",
        "biases do not count",
        _profiles(["1", "2", "3"], [[0], [1], [2]], [0, 8000, 0]),
        "1",
        2,
        flags="positive unlucky",
    )
    add(
        "same",
        "at distance 0",
        _profiles(["a", "b", "c"], [[7], [9], [7]], None),
        "c",
        2,
        flags="positive unlucky",
    )
    add("alone", "no other item", _profiles(["1"], [[7]], None), "1", 3, flags="positive unlucky")
    add(
        "near",
        "distances that no float tells apart",
        _profiles(["1", "2", "3"], [[0, 0], [33554431, 1], [33554431, 0]], None, frac_bits="24"),
        "1",
        2,
        flags="positive unlucky",
    )
    add("unknown", "no such item", grid, "9", 1, refuse="range")
    add("no-list", "a list of no items", grid, "1", 0, refuse="range")
    for number in range(6):
        label = f"ridge/similar-{number}"
        draw = LabelledStream(label)
        items = [str(j) for j in range(1, 9)]
        factors = [[draw.between(-3, 3) for _ in range(2)] for _ in items]
        add(
            f"random-{number}",
            "drawn from few points, so that there are ties",
            _profiles(items, factors, None),
            draw.one_of(items),
            draw.between(1, 8),
            flags="positive random",
            seed=label,
        )
