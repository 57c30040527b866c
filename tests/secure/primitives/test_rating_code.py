# SPDX-License-Identifier: Apache-2.0
"""Ratings as bits: every string of bits is a rating, and a row of bits is a row of ratings."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_reference import rating_code as in_integers
from ppmf_secure.primitives.rating_code import RatingCode, Row
from ppmf_spec.errors import EncodingError, ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from tests.support.sessions import session_of
from tests.support.strategies import parameter_sets

SPANS = range(400)


def _scale(span: int) -> Parameters:
    """Parameters whose ratings are the integers from -7 to `span` - 7."""
    return Parameters(
        rating_offset=Fraction(7),
        rating_frac_bits=0,
        rating_min=Fraction(-1, 4),
        rating_max=span + Fraction(1, 4),
    )


@pytest.mark.req("PPMF-COD-002", "PPMF-COD-003", "PPMF-COD-004")
@pytest.mark.no_cover  # 40,000 codes, whose lines the other tests reach
@pytest.mark.parametrize("make", ["secure", "oracle"])
def test_every_string_is_a_rating_and_every_rating_has_a_code(make: str) -> None:
    for span in SPANS:
        params = _scale(span)
        code = RatingCode.of(params)
        assert (code.least, code.span) == (-7, span)
        values = np.arange(-7, span - 6)
        strings = np.array(list(product((0, 1), repeat=code.bits)), dtype=np.uint8).T
        strings = strings.reshape(code.bits, 1 << code.bits)
        if make == "secure":
            encoded, decoded = code.encode(values), code.decode(strings)
            assert encoded.dtype == np.uint8
            back = code.decode(encoded).tolist()
        else:
            codes = [in_integers.encode(int(x), params) for x in values]
            encoded = np.array(codes, dtype=np.uint8).reshape(len(codes), code.bits).T
            decoded = np.array([in_integers.decode(one, params) for one in strings.T.tolist()])
            back = [in_integers.decode(one, params) for one in codes]
        assert set(decoded.tolist()) == set(values.tolist()), "all of the scale, and nothing else"
        assert back == values.tolist()
        assert encoded.shape == (code.bits, span + 1)
        if code.bits:
            assert encoded[-1].tolist() == [int(v >= 2 ** (code.bits - 1)) for v in range(span + 1)]
        assert list(code.weights) == in_integers.weights(params)


@pytest.mark.req("PPMF-COD-001", "PPMF-COD-002")
def test_half_stars_have_four_bits() -> None:
    code = RatingCode.of(Parameters())
    assert (code.least, code.weights) == (-5, (1, 2, 4, 2))


@pytest.mark.req("PPMF-COD-001")
@given(params=parameter_sets())
def test_the_ends_are_the_ratings_that_chapter_2_allows(params: Parameters) -> None:
    code = RatingCode.of(params)
    low, high = code.least, code.least + code.span
    assert (low, high) == in_integers.ends(params)
    size = 1 << params.rating_frac_bits
    for x in (low, high):
        assert params.rating_min <= params.rating_offset + Fraction(x, size) <= params.rating_max
    for x in (low - 1, high + 1):
        stars = params.rating_offset + Fraction(x, size)
        assert not params.rating_min <= stars <= params.rating_max


@pytest.mark.req("PPMF-COD-003")
@given(span=st.sampled_from(SPANS), data=st.data())
def test_a_rating_off_the_scale_has_no_code(span: int, data: st.DataObject) -> None:
    params, code = _scale(span), RatingCode.of(_scale(span))
    off = data.draw(st.integers(-(2**50), -8) | st.integers(span - 6, 2**50))
    with pytest.raises(RangeError, match=f"none of -7 to {span - 7}$"):
        code.encode(np.array([-7, off]))
    with pytest.raises(RangeError, match="is none of the ratings"):
        in_integers.encode(off, params)


NONE = Parameters(rating_frac_bits=0, rating_min=Fraction(13, 4), rating_max=Fraction(15, 4))


@pytest.mark.req("PPMF-COD-001")
def test_a_scale_without_a_rating_is_refused() -> None:
    with pytest.raises(ParametersError, match="rating_min = 13/4, rating_max = 15/4: no rating"):
        session_of(NONE, ("1", "2"), ("7",))
    with pytest.raises(ParametersError, match="holds no rating"):
        in_integers.ends(NONE)


@st.composite
def _rows(draw: st.DrawFn) -> tuple[Parameters, int, dict[int, int]]:
    params, items = _scale(draw(st.sampled_from(SPANS))), draw(st.integers(1, 40))
    least, most = in_integers.ends(params)
    row = draw(st.dictionaries(st.integers(0, items - 1), st.integers(least, most)))
    return params, items, row


@pytest.mark.req("PPMF-COD-005", "PPMF-COD-006")
@given(drawn=_rows())
def test_the_bits_of_a_row_say_the_row(drawn: tuple[Parameters, int, dict[int, int]]) -> None:
    params, items, row = drawn
    code = RatingCode.of(params)
    pairs = np.array(sorted(row.items()), dtype=np.int64).reshape(-1, 2).T
    plain = code.plain_bits(Row(*pairs), items)
    assert plain == in_integers.plain_bits(row, items, params)
    assert len(plain) == code.row_bytes(items)
    assert in_integers.row(plain, items, params) == row
    number = int.from_bytes(plain, "little")
    assert number >> (1 + code.bits) * items == 0
    for item in range(items):
        assert number >> item & 1 == (item in row)


@pytest.mark.req("PPMF-COD-006")
@given(span=st.sampled_from(SPANS), items=st.integers(1, 40), data=st.data())
def test_any_bytes_are_a_row(span: int, items: int, data: st.DataObject) -> None:
    params = _scale(span)
    code = RatingCode.of(params)
    size = code.row_bytes(items)
    plain = data.draw(st.binary(min_size=size, max_size=size))
    row = in_integers.row(plain, items, params)
    assert all(-7 <= x <= span - 7 for x in row.values())
    planes = code.planes(plain, items)
    assert planes.shape == (1 + code.bits, (items + 7) // 8)
    bits = np.unpackbits(planes, axis=1, bitorder="little")
    assert not bits[:, items:].any(), "spare bits are dropped"
    rated, codes = bits[0, :items], bits[1:, :items]
    found = code.decode(codes)
    assert {item: int(found[item]) for item in np.flatnonzero(rated)} == row


@pytest.mark.req("PPMF-ERR-003", "PPMF-COD-005")
@pytest.mark.parametrize("size", [24, 26])
def test_bits_of_another_length_are_refused(size: int) -> None:
    code = RatingCode.of(Parameters())
    assert code.row_bytes(40) == 25
    with pytest.raises(EncodingError, match=f"^bits of ratings: {size} bytes where 25 are due$"):
        code.planes(bytes(size), 40)
    with pytest.raises(EncodingError, match=f"^bits of ratings: {size} bytes where 25 are due$"):
        in_integers.row(bytes(size), 40, Parameters())


@pytest.mark.req("PPMF-COD-002", "PPMF-COD-006")
def test_where_one_rating_alone_is_possible_a_row_says_who_rated_what() -> None:
    params = _scale(0)
    code = RatingCode.of(params)
    assert (code.bits, code.weights, code.row_bytes(9)) == (0, (), 2)
    assert code.plain_bits(Row(np.array([8]), np.array([-7])), 9) == b"\x00\x01"
    assert in_integers.row(b"\x01\xff", 9, params) == {0: -7, 8: -7}
