# SPDX-License-Identifier: Apache-2.0
"""Item profiles: their file to the character, what is refused in it, and the class."""

from __future__ import annotations

import dataclasses
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec import profiles
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.ids import canonical_order
from ppmf_spec.profiles import ItemProfiles
from tests.support.parameter_sets import version_1

SMALL = ItemProfiles(
    items=("3", "20"),
    frac_bits=12,
    factors=np.array([[1, -8192, 8191], [0, 2, -3]]),
    bias=np.array([-5, 7]),
    rating_offset=Fraction(3),
    rating_min=Fraction(1, 2),
    rating_max=Fraction(5),
    rating_frac_bits=1,
    ridge=Fraction(12),
)
# The file, character for character: what other implementations must read and write.
TEXT = """{
 "format": "ppmf-item-profiles/1",
 "rank": 3,
 "frac_bits": 12,
 "box_bits": 1,
 "rating_frac_bits": 1,
 "rating_offset": "3",
 "rating_min": "0.5",
 "rating_max": "5",
 "ridge": "12",
 "items": ["3", "20"],
 "factors": [
  [1, -8192, 8191],
  [0, 2, -3]
 ],
 "bias": [-5, 7]
}
"""


@st.composite
def item_profiles(draw: st.DrawFn) -> ItemProfiles:
    names = st.text(
        st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Z")), min_size=1, max_size=8
    )
    items = canonical_order(draw(st.lists(names, min_size=1, max_size=6)))
    frac_bits, box_bits, rank = draw(
        st.tuples(st.integers(8, 24), st.integers(0, 16), st.integers(1, 4))
    )
    entry = st.integers(-(2 ** (box_bits + frac_bits)), 2 ** (box_bits + frac_bits) - 1)
    row = st.lists(entry, min_size=rank, max_size=rank)
    rows = draw(st.lists(row, min_size=len(items), max_size=len(items)))
    column = st.lists(entry, min_size=len(items), max_size=len(items))
    bias = draw(st.none() | column)
    dyadic = st.integers(-9 << 16, 9 << 16).map(lambda numerator: Fraction(numerator, 1 << 16))
    low, high = sorted(draw(st.lists(dyadic, min_size=2, max_size=2, unique=True)))
    return ItemProfiles(
        items=items,
        frac_bits=frac_bits,
        factors=np.array(rows, dtype=np.int64),
        bias=None if bias is None else np.array(bias, dtype=np.int64),
        rating_offset=draw(dyadic),
        rating_min=low,
        rating_max=high,
        rating_frac_bits=draw(st.integers(0, min(24, 2 * frac_bits))),
        ridge=abs(draw(dyadic)),
        box_bits=box_bits,
    )


# --- the file ---


@pytest.mark.req("PPMF-FIX-050", "PPMF-FIX-051")
def test_the_file_is_exactly_this_text(tmp_path: Path) -> None:
    path = tmp_path / "profiles.json"
    profiles.write(path, SMALL)
    assert path.read_bytes() == TEXT.encode()
    assert profiles.read(path) == SMALL
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.req("PPMF-FIX-050", "PPMF-FIX-051")
@given(item_profiles())
def test_written_profiles_are_read_back_and_written_identically(some: ItemProfiles) -> None:
    text = profiles.dumps(some)
    again = profiles.loads(text)
    assert again == some
    assert profiles.dumps(again) == text
    assert isinstance(json.loads(text), dict)


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(TEXT) | fields)


def without(name: str) -> str:
    return json.dumps({key: value for key, value in json.loads(TEXT).items() if key != name})


@pytest.mark.req("PPMF-FIX-050", "PPMF-FIX-052")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: not JSON: Expecting value"),
        (TEXT[:-10], "line 16: not JSON"),
        ("[" * 100_000, "not JSON of this format: too deep"),
        (TEXT.replace("8191", "1" * 301), "a number of more than 300 digits"),
        (TEXT.replace("8191", "1" * 5000), "a number of more than 300 digits"),
        ("[]", 'format: not a file of item profiles, "ppmf-item-profiles/1"'),
        (changed(format="ppmf-item-profiles/2"), "format: not a file of item profiles"),
        (TEXT.replace('"rank"', '"frac_bits"'), "a field is given twice"),
        (TEXT.replace("8191", "8191.0"), "a number with a point or an exponent"),
        (TEXT.replace("8191", "8e3"), "a number with a point or an exponent"),
        (TEXT.replace("8191", "NaN"), "a number with a point or an exponent"),
        *((without(name), f"{name}: missing") for name in json.loads(TEXT) if name != "format"),
        (changed(colour=1), "colour: unknown field"),
        (changed(frac_bits="12"), "frac_bits: not an integer"),
        (changed(frac_bits=True), "frac_bits: not an integer"),
        (changed(ridge=12), "ridge: not a decimal number in a string"),
        (changed(ridge="1e1"), "ridge is not a plain decimal number"),
        (changed(items={"3": 0}), "items: not a list"),
        (changed(items=[3, 20]), "items: not a list of strings"),
        (changed(items=["3", ""]), "id number 2 is empty"),
        (changed(factors=7), "factors: not a list"),
        (changed(factors=[[1, 2, 3], 7]), "factors[1]: not a list"),
        (changed(factors=[[1, 2, 3], [1, 2]]), "factors[1]: 2 entries, expected 3"),
        (changed(factors=[[1, 2, 3], [1, None, 2]]), "factors[1][1]: not an integer"),
        (changed(factors=[[1, 2, 3], [1, 2, True]]), "factors[1][2]: not an integer"),
        (changed(factors=[[1, 2, 3]]), "factors: 1 rows for 2 items"),
        *(
            (changed(ridge=text), f"ridge: not the shortest decimal, {shortest}")
            for text, shortest in (("012", "12"), ("12.0", "12"), ("-0", "0"), ("0.50", "0.5"))
        ),
        (changed(bias=[1]), "bias: 1 entries, expected 2"),
        (changed(bias=[1, "2"]), "bias[1]: not an integer"),
        # a fault of the form comes before a value outside its set
        (changed(bias=[1], factors=[[2**64, 2, 3], [1, 2, 3]]), "bias: 1 entries, expected 2"),
        (changed(items=["3", ""], factors=[[2**64, 2, 3], [1, 2, 3]]), "items: id number 2 is"),
        (changed(items=["20", "3"], bias=[1]), "bias: 1 entries, expected 2"),
    ],
)
def test_a_malformed_file_of_profiles_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "profiles.json"
    path.write_text(text)
    with pytest.raises(EncodingError) as refusal:
        profiles.read(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.req("PPMF-FIX-052")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            changed(factors=[[1, 2, 3], [1, 8192, 2]]),
            "factors[1][1]: 8192 is outside -8192 to 8191",
        ),
        (changed(factors=[[1, 2, 3], [1, 2, -8193]]), "factors[1][2]: -8193 is outside -8192"),
        (changed(bias=[0, 8192]), "bias[1]: 8192 is outside"),
        (changed(bias=[0, 2**63]), "bias[1]: outside the box"),
        (changed(bias=[0, -(10**299)]), "bias[1]: outside the box"),
        (changed(rank=10**30, items=[], factors=[], bias=[]), "items: no ids"),
        (changed(box_bits=0), "factors[0][1]: -8192 is outside -4096 to 4095"),
        (changed(items=[], factors=[], bias=[]), "items: no ids"),
        (changed(items=["20", "3"]), "items: not in canonical order"),
        (changed(items=["3", "3"]), "id number 2, 3, is listed twice"),
        (changed(rank=0, factors=[[], []]), "factors: not a table of at least one column"),
        (changed(frac_bits=7), "frac_bits = 7: must be between 8 and 24"),
        (changed(box_bits=17), "box_bits = 17: must be between 0 and 16"),
        (changed(rating_frac_bits=25), "rating_frac_bits = 25: must be between 0 and 24"),
        (changed(rating_min="6"), "rating_min = 6: must be below rating_max = 5"),
        (changed(ridge="-1"), "ridge = -1: must be between 0 and 4294967296"),
    ],
)
def test_values_of_profiles_outside_their_range_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "profiles.json"
    path.write_text(text)
    with pytest.raises(RangeError) as refusal:
        profiles.read(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert message in str(refusal.value)


def test_a_negative_rank_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match=r"factors\[0\]: 3 entries, expected -3"):
        profiles.loads(changed(rank=-3))
    with pytest.raises(EncodingError, match="cannot be read"):
        profiles.read(tmp_path / "none.json")


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "profiles.json"
    profiles.write(path, SMALL)

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        profiles.write(path, dataclasses.replace(SMALL, bias=None))
    assert path.read_text() == TEXT
    assert list(tmp_path.iterdir()) == [path]


# --- the class ---


def test_profiles_of_a_run_carry_its_parameters() -> None:
    params = version_1(rank=3)
    assert SMALL.bias is not None
    assert ItemProfiles.of(SMALL.items, SMALL.factors, SMALL.bias, params) == SMALL
    assert SMALL.rank == 3
    with pytest.raises(RangeError, match=r"factors: shape \(2, 3\), not 4 \(rank\) columns"):
        ItemProfiles.of(SMALL.items, SMALL.factors, SMALL.bias, version_1(rank=4))
    with pytest.raises(RangeError, match="bias: missing against parameters"):
        ItemProfiles.of(SMALL.items, SMALL.factors, None, params)
    with pytest.raises(RangeError, match="bias: present against parameters"):
        ItemProfiles.of(SMALL.items, SMALL.factors, SMALL.bias, version_1(rank=3, bias=False))


def test_profiles_compare_by_content_and_cannot_change() -> None:
    assert SMALL.bias is not None
    same = dataclasses.replace(SMALL, factors=SMALL.factors.astype(np.int32))
    assert same == SMALL
    assert same.factors.dtype == np.int64
    for other in (
        dataclasses.replace(SMALL, factors=SMALL.factors // 2),
        dataclasses.replace(SMALL, bias=SMALL.bias + 1),
        dataclasses.replace(SMALL, bias=None),
        dataclasses.replace(SMALL, items=("3", "21")),
        dataclasses.replace(SMALL, frac_bits=13),
        dataclasses.replace(SMALL, box_bits=2),
        dataclasses.replace(SMALL, ridge=Fraction(1)),
        dataclasses.replace(SMALL, rating_offset=Fraction(1)),
        dataclasses.replace(SMALL, rating_min=Fraction(1)),
        dataclasses.replace(SMALL, rating_max=Fraction(4)),
        dataclasses.replace(SMALL, rating_frac_bits=2),
        "profiles",
    ):
        assert other != SMALL
    with pytest.raises(ValueError, match="read-only"):
        SMALL.factors[0, 0] = 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"factors": SMALL.factors.astype(np.uint64)}, "factors: uint64 where signed integers"),
        ({"factors": SMALL.factors / 2}, "factors: float64 where signed integers"),
        ({"factors": SMALL.factors[0]}, "factors: not a table"),
        ({"bias": SMALL.factors}, "bias: not a list"),
        ({"bias": np.zeros(3, dtype=np.int64)}, "bias: 3 rows for 2 items"),
        ({"factors": SMALL.factors[:1]}, "factors: 1 rows for 2 items"),
        ({"ridge": Fraction(1, 3)}, "ridge = 1/3: must be dyadic"),
    ],
)
def test_malformed_arrays_of_profiles_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RangeError, match=message):
        dataclasses.replace(SMALL, **fields)


ONE = ItemProfiles(
    items=("é",),
    frac_bits=12,
    factors=np.array([[1]]),
    bias=None,
    rating_offset=Fraction(3),
    rating_min=Fraction(1),
    rating_max=Fraction(5),
    rating_frac_bits=0,
    ridge=Fraction(12),
)


def test_ids_are_written_unescaped() -> None:
    assert ' "items": ["é"],\n' in profiles.dumps(ONE)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: "[" * 100_000, "not JSON of this format: too deep"),
        (lambda text: text.replace('["é"]', "[7]"), "items: not a list of strings"),
        (lambda text: text.replace('"rank"', '"box_bits"'), "a field is given twice"),
        (
            lambda text: text.replace("[1]", "[1.0]"),
            "a number with a point or an exponent: only integers and strings belong",
        ),
    ],
)
def test_refusals_of_profiles_are_whole_sentences(edit: Any, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        profiles.loads(edit(profiles.dumps(ONE)))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"items": ()}, "items: no ids"),
        ({"items": ("b", "a")}, "items: not in canonical order"),
        ({"items": ("",)}, "item catalogue: id number 1 is empty, padded"),
        ({"factors": np.zeros((1, 0), np.int64)}, "factors: not a table of at least one column"),
        ({"bias": np.zeros((1, 1), np.int64)}, "bias: not a list"),
        ({"rating_min": Fraction(6)}, "rating_min = 6: must be below rating_max = 5"),
        ({"ridge": Fraction(-1)}, "ridge = -1: must be between 0 and 4294967296"),
    ],
)
def test_refusals_of_arrays_begin_with_the_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((RangeError, EncodingError)) as caught:
        dataclasses.replace(ONE, **fields)
    assert str(caught.value).startswith(message)


def test_the_box_of_a_run_is_that_of_its_parameters() -> None:
    params = version_1(rank=1, bias=False, box_bits=3)
    some = ItemProfiles.of(("1",), np.array([[2**15 - 1]]), None, params)
    assert some.box_bits == 3


def test_arrays_of_profiles_cannot_be_written_to() -> None:
    some = dataclasses.replace(ONE, bias=np.array([1]))
    for table in (some.factors, some.bias):
        assert table is not None
        with pytest.raises(ValueError, match="read-only"):
            table[0] = 0


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (-(2**63), f"factors[0][0]: {-(2**63)} is outside -8192 to 8191"),
        (-(2**63) - 1, "factors[0][0]: outside the box"),
        (-(2**64), "factors[0][0]: outside the box"),
        (2**63, "factors[0][0]: outside the box"),
    ],
)
def test_an_entry_beyond_64_bits_is_refused_like_any_other(entry: int, message: str) -> None:
    fields = json.loads(profiles.dumps(ONE)) | {"factors": [[entry]]}
    with pytest.raises(RangeError) as caught:
        profiles.loads(json.dumps(fields))
    assert str(caught.value) == message
