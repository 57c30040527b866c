# SPDX-License-Identifier: Apache-2.0
"""Formulas of the specification, evaluated as they stand in its text.

What the chapters use: sums, differences, products by juxtaposition, quotients, integer powers,
floors and ceilings, calls such as `pl(ell)`, and one sum over t below a bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor

Value = int | Fraction | Callable[[Fraction], int]
Names = Mapping[str, Value]

_SPELT = {
    r"\,": " ",
    r"\lceil": "ceil(",
    r"\rceil": ")",
    r"\lfloor": "floor(",
    r"\rfloor": ")",
    r"\mathit{ct}": "ct",
    r"\mathit{pl}": "pl",
    r"\mathit{col}": "col",
    r"\ell": "ell",
    r"\Lambda": "Lambda",
    r"\mu": "mu",
    r"\nu": "nu",
    "'": "_prime",
}
_SUM = re.compile(r"\\sum_\{t ?< ?\\ell\}(.*)")
_TOKEN = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*|\d+|[-+/^()])")


def evaluate(formula: str, names: Names) -> int:
    """The integer that a formula stands for; ValueError for what cannot be read."""
    value = _value(formula, {"ceil": ceil, "floor": floor, **names})
    if value.denominator != 1:
        raise ValueError(f"{formula} is {value}, no integer")
    return int(value)


def _value(formula: str, names: Names) -> Fraction:
    if found := _SUM.search(formula):
        bound = Fraction(names["ell"])  # type: ignore[arg-type]
        terms = sum(_value(found[1], {**names, "t": t}) for t in range(int(bound)))
        return _value(formula[: found.start()] + " total", {**names, "total": terms})
    for spelling, meaning in _SPELT.items():
        formula = formula.replace(spelling, meaning)
    code = ""
    before = ""
    at = 0
    while at < len(formula.rstrip()):
        token = _TOKEN.match(formula, at)
        if token is None:
            raise ValueError(f"{formula!r} cannot be read from {formula[at:]!r} on")
        at, text = token.end(), token[1]
        factor_ends = before == ")" or before[:1].isalnum()
        if factor_ends and (text == "(" or text[0].isalnum()) and not callable(names.get(before)):
            code += "*"
        code += f"Fraction({text})" if text.isdigit() else "**" if text == "^" else text
        before = text
    used = {name: value if callable(value) else Fraction(value) for name, value in names.items()}
    return Fraction(eval(code, {"__builtins__": {}, "Fraction": Fraction}, used))
