# SPDX-License-Identifier: Apache-2.0
"""Conversion between values of vectors, in which every number is a string, and those of Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ppmf_spec.decimals import decimal_text, parse_decimal
from ppmf_spec.errors import EncodingError, ParametersError
from ppmf_spec.parameters import DYADIC_DOMAIN, INTEGER_DOMAIN, Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.rating_files import RawRatings
from ppmf_spec.ratings import Ratings, quantise

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,3999}").fullmatch
_NAMES = [*Parameters.__dataclass_fields__]


def integer(text: Any, where: str = "integer") -> int:
    """The integer of a decimal string. Raises EncodingError for anything else."""
    if not isinstance(text, str) or not _INTEGER(text):
        raise EncodingError(f"{where}: not a decimal integer in a string")
    return int(text)


def integers(texts: Sequence[Any]) -> list[int]:
    """The integers of a list of decimal strings."""
    return [integer(text) for text in texts]


def matrix(rows: Sequence[Sequence[Any]]) -> list[list[int]]:
    """The integers of a list of rows of decimal strings."""
    return [integers(row) for row in rows]


def shown(value: Any) -> Any:
    """A value for a vector: numbers become strings, lists and tables entry by entry."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: shown(entry) for name, entry in value.items()}
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Iterable):
        return [shown(entry) for entry in value]
    raise TypeError(f"{type(value).__name__}: no value of a vector")


def parameters(table: Mapping[str, Any]) -> Parameters:
    """The set that a case's `parameters` name, defaults elsewhere.

    Raises ParametersError, naming parameter, rule and value, as chapter 3 asks.
    """
    found: dict[str, Any] = {}
    for name, value in table.items():
        if name not in _NAMES:
            raise ParametersError(f"unknown parameter {name[:60]!r}")
        found[name] = value
        if isinstance(value, str) and name in INTEGER_DOMAIN and _INTEGER(value):
            found[name] = int(value)
        elif isinstance(value, str) and name in DYADIC_DOMAIN:
            try:
                found[name] = parse_decimal(value, name)
            except EncodingError:
                raise ParametersError(
                    f"{name} = {value[:60]!r}: must be a number in plain decimal notation"
                ) from None
    return Parameters(**found)


def ratings(given: Mapping[str, Any], params: Parameters) -> Ratings:
    """The ratings of a case: `users`, `items`, and `ratings` as [user, item, number]."""
    rows = given["ratings"]
    raw = RawRatings(
        tuple(row[0] for row in rows),
        tuple(row[1] for row in rows),
        tuple(
            parse_decimal(row[2], f"rating number {number}")
            for number, row in enumerate(rows, start=1)
        ),
    )
    return quantise(raw, params, users=given["users"], items=given["items"])


def profiles(table: Mapping[str, Any]) -> ItemProfiles:
    """Item profiles from their table."""
    rank = integer(table["rank"])
    bias = table["bias"]
    return ItemProfiles(
        items=tuple(table["items"]),
        factors=np.array(matrix(table["factors"]), dtype=np.int64).reshape(-1, rank),
        bias=None if bias is None else np.array(integers(bias), dtype=np.int64),
        frac_bits=integer(table["frac_bits"]),
        box_bits=integer(table["box_bits"]),
        rating_frac_bits=integer(table["rating_frac_bits"]),
        rating_offset=parse_decimal(table["rating_offset"], "rating_offset"),
        rating_min=parse_decimal(table["rating_min"], "rating_min"),
        rating_max=parse_decimal(table["rating_max"], "rating_max"),
        ridge=parse_decimal(table["ridge"], "ridge"),
    )


def profiles_shown(found: ItemProfiles) -> dict[str, Any]:
    """The table of item profiles: the fields of the file but `format` (PPMF-FIX-050)."""
    return {
        "rank": str(found.rank),
        "frac_bits": str(found.frac_bits),
        "box_bits": str(found.box_bits),
        "rating_frac_bits": str(found.rating_frac_bits),
        "rating_offset": decimal_text(found.rating_offset, "rating_offset"),
        "rating_min": decimal_text(found.rating_min, "rating_min"),
        "rating_max": decimal_text(found.rating_max, "rating_max"),
        "ridge": decimal_text(found.ridge, "ridge"),
        "items": list(found.items),
        "factors": shown(found.factors.tolist()),
        "bias": None if found.bias is None else shown(found.bias.tolist()),
    }
