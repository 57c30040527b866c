# SPDX-License-Identifier: Apache-2.0
"""Exact numbers as decimal text: parsed to and printed from `Fraction`, never through a float."""

from __future__ import annotations

import re
from fractions import Fraction

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
