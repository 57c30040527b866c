# SPDX-License-Identifier: Apache-2.0
"""What a user's bits say, in plain integers (chapter 4, "Ratings as bits").

The ideal functionality begins here: whatever bits a user sends, they are a row of valid ratings,
and `row` is that row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ppmf_spec.errors import EncodingError, ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_scale import RatingScale


def ends(params: Parameters) -> tuple[int, int]:
    """The smallest and the largest x of the scale. Raises ParametersError if it holds none
    (PPMF-COD-001).
    """
    scale = RatingScale.of(params)
    low, high = scale.least, scale.most
    if high < low:
        raise ParametersError(f"rating_min, rating_max: {scale} holds no rating")
    return low, high


def weights(params: Parameters) -> list[int]:
    """What each bit of a code weighs, the lowest first (PPMF-COD-002)."""
    low, high = ends(params)
    span = high - low
    size = span.bit_length()
    return [2**bit for bit in range(size - 1)] + [span - 2 ** (size - 1) + 1] if size else []


def encode(x: int, params: Parameters) -> list[int]:
    """The code of x, the lowest bit first. Raises RangeError off the scale (PPMF-COD-003)."""
    low, high = ends(params)
    if not low <= x <= high:
        raise RangeError(f"{x} is none of the ratings {low} to {high}")
    scales = weights(params)
    if not scales:
        return []
    top = int(x - low >= 2 ** (len(scales) - 1))
    rest = x - low - top * scales[-1]
    return [rest // 2**bit % 2 for bit in range(len(scales) - 1)] + [top]


def decode(code: Sequence[int], params: Parameters) -> int:
    """The x of any code (PPMF-COD-004)."""
    low, _ = ends(params)
    return low + sum(weight * bit for weight, bit in zip(weights(params), code, strict=True))


def plain_bits(row: Mapping[int, int], items: int, params: Parameters) -> bytes:
    """The bits of a row, which has the x of each item that is rated, by the item's number
    (PPMF-COD-005).
    """
    planes = 1 + len(weights(params))
    number = 0
    for item, x in row.items():
        for plane, bit in enumerate([1, *encode(x, params)]):
            number |= bit << (plane * items + item)
    return number.to_bytes((planes * items + 7) // 8, "little")


def row(data: bytes, items: int, params: Parameters) -> dict[int, int]:
    """The row that any bits are: x by the number of the item (PPMF-COD-006).

    Raises EncodingError on another length than that of PPMF-COD-005.
    """
    size = ((1 + len(weights(params))) * items + 7) // 8
    if len(data) != size:
        raise EncodingError(f"bits of ratings: {len(data)} bytes where {size} are due")
    bits, planes = int.from_bytes(data, "little"), 1 + len(weights(params))
    found = {}
    for item in range(items):
        rated, *code = [bits >> (plane * items + item) & 1 for plane in range(planes)]
        if rated:
            found[item] = decode(code, params)
    return found
