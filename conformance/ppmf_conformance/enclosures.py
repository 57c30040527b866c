# SPDX-License-Identifier: Apache-2.0
"""Approximate answers, judged by rigorous enclosures and never by a tolerance (PPMF-CON-013).

The true value lies in the case's interval [lower, upper]. An answer claims a number, or an interval
{"mid", "rad"}. A claim is wrong exactly when it has no point in common with the case's interval, or
when its radius is above the one that the case allows.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

_NUMBER = re.compile(r"-?[0-9]{1,2000}(?:\.[0-9]{1,2000}|/[1-9][0-9]{0,1999})?").fullmatch


def number(text: object) -> Fraction | None:
    """The exact value of decimal or `p/q` text, None for anything else."""
    return Fraction(text) if isinstance(text, str) and _NUMBER(text) else None


def refutation(expected: Any, answer: Any, largest: Fraction, at: str) -> str | None:
    """The reason why an answer is wrong, or None. `at` names the place in a message."""
    if isinstance(expected, dict) and set(expected) == {"lower", "upper"}:
        return _interval(expected, answer, largest, at)
    if isinstance(expected, list):
        if not isinstance(answer, list) or len(answer) != len(expected):
            return f"{at}: not a list of {len(expected)}"
        pairs = (
            (f"{at}[{k}]", e, a) for k, (e, a) in enumerate(zip(expected, answer, strict=True))
        )
    elif isinstance(expected, dict):
        if not isinstance(answer, dict) or not set(expected) <= set(answer):
            return f"{at}: without {', '.join(sorted(expected))}"
        pairs = ((f"{at}.{name}", entry, answer[name]) for name, entry in expected.items())
    else:
        return None if expected == answer else f"{at}: {answer!r}, not {expected!r}"
    for place, entry, claimed in pairs:
        wrong = refutation(entry, claimed, largest, place)
        if wrong:
            return wrong
    return None


def _interval(expected: dict[str, str], answer: Any, largest: Fraction, at: str) -> str | None:
    lower, upper = Fraction(expected["lower"]), Fraction(expected["upper"])
    radius: Fraction | None = Fraction(0)
    mid = number(answer)
    if isinstance(answer, dict) and set(answer) == {"mid", "rad"}:
        mid, radius = number(answer["mid"]), number(answer["rad"])
    if mid is None or radius is None or radius < 0:
        return f"{at}: neither a number nor {{mid, rad}}"
    if radius > largest:
        return f"{at}: a radius of {_short(radius)} where at most {_short(largest)} is an answer"
    if mid + radius < lower or mid - radius > upper:
        away = max(lower - mid, mid - upper) - radius
        return f"{at}: beyond the enclosure by {_short(away)}"
    return None


def _short(value: Fraction) -> str:
    return f"{float(value):.3g}"
