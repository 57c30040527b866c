# SPDX-License-Identifier: Apache-2.0
"""What a user's bits say, in the oracle: every string of bits is a row of ratings."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from ppmf_reference import rating_code
from ppmf_spec.errors import EncodingError, ParametersError, RangeError
from ppmf_spec.parameters import Parameters


def scale(span: int) -> Parameters:
    """Parameters whose ratings are the integers from -2 to `span` - 2."""
    return Parameters(
        rating_offset=Fraction(2),
        rating_frac_bits=0,
        rating_min=Fraction(-1, 2),
        rating_max=span + Fraction(1, 2),
    )


@pytest.mark.req("PPMF-COD-002", "PPMF-COD-003", "PPMF-COD-004")
@pytest.mark.parametrize("span", [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 100])
def test_every_string_is_a_rating_and_every_rating_has_a_code(span: int) -> None:
    params, ratings = scale(span), range(-2, span - 1)
    size = len(rating_code.weights(params))
    assert size == span.bit_length()
    said = {rating_code.decode(code, params) for code in product((0, 1), repeat=size)}
    assert said == set(ratings)
    for x in ratings:
        code = rating_code.encode(x, params)
        assert rating_code.decode(code, params) == x
        assert code[-1:] == ([int(x + 2 >= 2 ** (size - 1))] if size else [])
    for x in (-3, span - 1):
        with pytest.raises(RangeError, match=f"^{x} is none of the ratings -2 to {span - 2}$"):
            rating_code.encode(x, params)


@pytest.mark.req("PPMF-COD-001")
def test_half_stars_and_a_scale_without_a_rating() -> None:
    assert rating_code.ends(Parameters()) == (-5, 4)
    assert rating_code.weights(Parameters()) == [1, 2, 4, 2]
    none = Parameters(rating_frac_bits=0, rating_min=Fraction(13, 4), rating_max=Fraction(15, 4))
    with pytest.raises(ParametersError, match=r"^rating_min, rating_max: .* holds no rating$"):
        rating_code.ends(none)


@pytest.mark.req("PPMF-COD-005", "PPMF-COD-006")
def test_a_row_by_hand() -> None:
    """Three items of five bits; v = 0 is 0000, v = 9 is 1111, v = 8 is 0111 (2 + 4 + 2)."""
    planes = ["110", "010", "011", "011", "011"]
    bits = "".join(planes)
    number = sum(int(bit) << at for at, bit in enumerate(bits))
    plain = number.to_bytes(2, "little")
    assert rating_code.row(plain, 3, Parameters()) == {0: -5, 1: 4}
    spare = (number | 1 << 15).to_bytes(2, "little")
    assert rating_code.row(spare, 3, Parameters()) == {0: -5, 1: 4}
    assert rating_code.row(b"\xff\xff", 3, Parameters()) == {0: 4, 1: 4, 2: 4}
    written = rating_code.plain_bits({0: -5, 1: 4}, 3, Parameters())
    assert rating_code.row(written, 3, Parameters()) == {0: -5, 1: 4}
    assert int.from_bytes(written, "little") == sum(0b010 << 3 * plane for plane in range(5)) + 1


@pytest.mark.req("PPMF-COD-005", "PPMF-ERR-003")
@pytest.mark.parametrize("size", [1, 3])
def test_bits_of_another_length_are_no_row(size: int) -> None:
    with pytest.raises(EncodingError, match=f"^bits of ratings: {size} bytes where 2 are due$"):
        rating_code.row(bytes(size), 3, Parameters())
