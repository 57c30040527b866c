# SPDX-License-Identifier: Apache-2.0
"""Exact numbers: decimal text and the numbers of other libraries as `Fraction`, never rounded."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np

from ppmf_spec.errors import EncodingError, RangeError

# Plain digits with an optional point: no exponent (1e999999 would be a very long integer), no
# blanks, no underscores, and few enough digits that no conversion is slow.
_DECIMAL = re.compile(r"(-?)([0-9]{1,300})(?:\.([0-9]{1,300}))?").fullmatch


def parse_decimal(text: str, where: str) -> Fraction:
    """The exact value of plain decimal text such as `3`, `-0.5` or `4.50`.

    Raises EncodingError, its message beginning with `where` and not repeating the text.
    """
    match = _DECIMAL(text)
    if match is None:
        raise EncodingError(f"{where} is not a plain decimal number")
    sign, whole, digits = match.group(1), match.group(2), match.group(3) or ""
    value = Fraction(int(whole + digits), 10 ** len(digits))
    return -value if sign else value


def decimal_text(value: Fraction, where: str) -> str:
    """The shortest plain decimal of `value`: `3`, `-0.5`; the inverse of `parse_decimal`.

    Raises RangeError, beginning with `where`, if no finite decimal equals it (1/3).
    """
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise RangeError(f"{where}: {value} has no finite decimal form")
    places = max(twos, fives)
    scaled = abs(value.numerator) * (10**places // value.denominator)
    digits = str(scaled).rjust(places + 1, "0")
    text = digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return f"-{text}" if value < 0 else text


def exact_number(value: object, where: str) -> Fraction:
    """A number of Python or numpy as the exact rational it is: 4.5 is 9/2, and 4.1 no tenth.

    Raises RangeError, which begins with `where` and does not repeat the number, for what is not
    finite, wider than 64 bits (it could not be converted exactly), or no real number: a truth value
    or a text.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, np.floating) and value.dtype.itemsize <= 8:
        value = float(value)
    elif isinstance(value, np.integer):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RangeError(f"{where} is of type {type(value).__name__}, not a number")
    try:
        return Fraction(value)
    except (ValueError, OverflowError):
        raise RangeError(f"{where} is not a finite number") from None
