# SPDX-License-Identifier: Apache-2.0
"""Item profiles: the matrix V, which is the only output of a run and enough for predictions.

The file is JSON, format "ppmf-item-profiles/1" (PPMF-FIX-050 to -052). Every number is an integer
or a decimal string, so nothing passes through a float, and equal profiles make equal files, byte
for byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ppmf_spec.decimals import decimal_text, parse_decimal
from ppmf_spec.errors import EncodingError, ParametersError, RangeError
from ppmf_spec.files import read_text, write_atomically
from ppmf_spec.ids import check_catalogue, check_id
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_scale import RatingScale

FORMAT = "ppmf-item-profiles/1"
_INTEGERS = ("rank", "frac_bits", "box_bits", "rating_frac_bits")
_DECIMALS = ("rating_offset", "rating_min", "rating_max", "ridge")
_FIELDS = ("format", *_INTEGERS, *_DECIMALS, "items", "factors", "bias")
_MOST_DIGITS = 300


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ItemProfiles:
    """V in the integers of F_fix, with the public numbers a prediction needs (PPMF-FIX-050).

    `items` (m) are ids in canonical order; row j of `factors`, int64 (m, rank), and entry j of
    `bias`, int64 (m,) or None, are those of `items[j]`, at scale 2^frac_bits, within the signed
    word of 1 + box_bits + frac_bits bits. A rating of r stars is x = r - rating_offset here;
    `ridge` is the weight with which users fit their own profiles. The arrays are copied and made
    read-only. Raises RangeError naming the field that does not fit.
    """

    items: tuple[str, ...]
    frac_bits: int
    factors: NDArray[np.int64]
    bias: NDArray[np.int64] | None
    rating_offset: Fraction
    rating_min: Fraction
    rating_max: Fraction
    rating_frac_bits: int
    ridge: Fraction
    box_bits: int = 1

    def __post_init__(self) -> None:
        if not self.items:
            raise RangeError("items: no ids")
        if check_catalogue(self.items, "item") != self.items:
            raise RangeError("items: not in canonical order")
        if self.factors.ndim != 2 or self.factors.shape[1] < 1:
            raise RangeError("factors: not a table of at least one column")
        self._check_numbers()
        self._freeze("factors", self.factors)
        if self.bias is not None:
            if self.bias.ndim != 1:
                raise RangeError("bias: not a list")
            self._freeze("bias", self.bias)

    def _check_numbers(self) -> None:
        """Refuse numbers that no parameter set has together (PPMF-FIX-052)."""
        try:
            Parameters(**{name: getattr(self, name) for name in (*_INTEGERS, *_DECIMALS)})
        except ParametersError as error:
            raise RangeError(str(error)) from error

    def _freeze(self, name: str, table: NDArray[np.int64]) -> None:
        """Check rows, type and range of an array, and keep a read-only copy of it."""
        if len(table) != len(self.items):
            raise RangeError(f"{name}: {len(table)} rows for {len(self.items)} items")
        if not np.issubdtype(table.dtype, np.signedinteger):
            raise RangeError(f"{name}: {table.dtype} where signed integers belong")
        bound = 2 ** (self.box_bits + self.frac_bits)
        outside = np.argwhere((table < -bound) | (table >= bound))
        if len(outside):
            place = "".join(f"[{index}]" for index in outside[0])
            raise RangeError(
                f"{name}{place}: {table[tuple(outside[0])]} is outside {-bound} to {bound - 1}"
            )
        copy = table.astype(np.int64)
        copy.setflags(write=False)
        object.__setattr__(self, name, copy)

    @classmethod
    def of(
        cls,
        items: tuple[str, ...],
        factors: NDArray[np.int64],
        bias: NDArray[np.int64] | None,
        params: Parameters,
    ) -> ItemProfiles:
        """The profiles that a run with `params` ends in; RangeError if V is not of its shape."""
        if factors.ndim != 2 or factors.shape[1] != params.rank:
            raise RangeError(f"factors: shape {factors.shape}, not {params.rank} (rank) columns")
        if (bias is not None) != params.bias:
            raise RangeError(f"bias: {'missing' if bias is None else 'present'} against parameters")
        return cls(
            items=items,
            frac_bits=params.frac_bits,
            factors=factors,
            bias=bias,
            rating_offset=params.rating_offset,
            rating_min=params.rating_min,
            rating_max=params.rating_max,
            rating_frac_bits=params.rating_frac_bits,
            ridge=params.ridge,
            box_bits=params.box_bits,
        )

    @property
    def rank(self) -> int:
        """The number of factors of an item, without the bias."""
        return int(self.factors.shape[1])

    @property
    def scale(self) -> RatingScale:
        """The scale of the ratings that these profiles predict."""
        return RatingScale(
            offset=self.rating_offset,
            frac_bits=self.rating_frac_bits,
            lowest=self.rating_min,
            highest=self.rating_max,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ItemProfiles):
            return NotImplemented
        return self._scalars() == other._scalars() and np.array_equal(self.factors, other.factors)

    def _scalars(self) -> tuple[object, ...]:
        return (
            self.items,
            None if self.bias is None else self.bias.tolist(),
            self.frac_bits,
            self.box_bits,
            self.rating_offset,
            self.rating_min,
            self.rating_max,
            self.rating_frac_bits,
            self.ridge,
        )


def dumps(profiles: ItemProfiles) -> str:
    """The text of the file: fields in a fixed order, a line for each field and each item's row
    (PPMF-FIX-051).
    """
    fields = {"format": json.dumps(FORMAT)}
    fields |= {name: str(getattr(profiles, name)) for name in _INTEGERS}
    fields |= {name: f'"{decimal_text(getattr(profiles, name), name)}"' for name in _DECIMALS}
    fields["items"] = json.dumps(profiles.items, ensure_ascii=False)
    rows = ",\n".join(f"  {json.dumps(row)}" for row in profiles.factors.tolist())
    fields["factors"] = f"[\n{rows}\n ]"
    fields["bias"] = json.dumps(None if profiles.bias is None else profiles.bias.tolist())
    return "{\n" + ",\n".join(f' "{name}": {fields[name]}' for name in _FIELDS) + "\n}\n"


def write(path: str | Path, profiles: ItemProfiles) -> None:
    """Write the file, UTF-8, all or nothing: an interrupted run leaves the old file or none."""
    write_atomically(Path(path), dumps(profiles).encode("utf-8"))


def read(path: str | Path) -> ItemProfiles:
    """The profiles of a file.

    Raises EncodingError for what is not such a file, its fields each of their type, and RangeError
    for values that do not fit; the message is one line, FILE: FIELD: what is wrong.
    """
    source = Path(path)
    text = read_text(source)
    try:
        return loads(text)
    except (EncodingError, RangeError) as error:
        raise type(error)(f"{source}: {error}") from error


def loads(text: str) -> ItemProfiles:
    """The profiles of the text of a file; errors as `read`, without the file's name
    (PPMF-FIX-052).
    """
    try:
        fields = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_once,
            parse_int=_short_integer,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except json.JSONDecodeError as error:
        raise EncodingError(f"line {error.lineno}: not JSON: {error.msg}") from error
    except RecursionError as error:
        raise EncodingError("not JSON of this format: too deep") from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise EncodingError(f'format: not a file of item profiles, "{FORMAT}"')
    for name in (*_FIELDS, *fields):
        if name not in fields or name not in _FIELDS:
            raise EncodingError(f"{name}: {'unknown field' if name in fields else 'missing'}")
    rank, frac_bits, box_bits, rating_frac_bits = (
        _integer(fields[name], name) for name in _INTEGERS
    )
    rating_offset, rating_min, rating_max, ridge = (
        _decimal(fields[name], name) for name in _DECIMALS
    )
    items = _list(fields["items"], "items")
    if not all(isinstance(text, str) for text in items):
        raise EncodingError("items: not a list of strings")
    for number, text in enumerate(items, start=1):
        check_id(text, f"items: id number {number}")
    rows = [
        _integers(row, f"factors[{number}]", rank)
        for number, row in enumerate(_list(fields["factors"], "factors"))
    ]
    if len(rows) != len(items):
        raise EncodingError(f"factors: {len(rows)} rows for {len(items)} items")
    bias = None if fields["bias"] is None else _integers(fields["bias"], "bias", len(items))
    return ItemProfiles(
        items=tuple(items),
        factors=np.array(
            [_array(row, f"factors[{number}]") for number, row in enumerate(rows)], dtype=np.int64
        ).reshape(len(rows), len(rows[0]) if rows else 0),
        bias=None if bias is None else _array(bias, "bias"),
        frac_bits=frac_bits,
        box_bits=box_bits,
        rating_offset=rating_offset,
        rating_min=rating_min,
        rating_max=rating_max,
        rating_frac_bits=rating_frac_bits,
        ridge=ridge,
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise EncodingError("a field is given twice")
    return fields


def _short_integer(text: str) -> int:
    if len(text.removeprefix("-")) > _MOST_DIGITS:
        raise EncodingError(f"a number of more than {_MOST_DIGITS} digits")
    return int(text)


def _no_float(_: str) -> NoReturn:
    raise EncodingError("a number with a point or an exponent: only integers and strings belong")


def _integer(value: Any, where: str) -> int:
    if type(value) is not int:  # a JSON true is a Python int too
        raise EncodingError(f"{where}: not an integer")
    return value


def _decimal(value: Any, where: str) -> Fraction:
    if not isinstance(value, str):
        raise EncodingError(f"{where}: not a decimal number in a string")
    number = parse_decimal(value, where)
    if decimal_text(number, where) != value:  # one text for one number (PPMF-PAR-020)
        raise EncodingError(f"{where}: not the shortest decimal, {decimal_text(number, where)}")
    return number


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise EncodingError(f"{where}: not a list")
    return value


def _integers(value: Any, where: str, length: int) -> list[int]:
    """A list of `length` integers, of any size."""
    row = _list(value, where)
    if len(row) != length:
        raise EncodingError(f"{where}: {len(row)} entries, expected {length}")
    return [_integer(entry, f"{where}[{number}]") for number, entry in enumerate(row)]


def _array(row: list[int], where: str) -> NDArray[np.int64]:
    """The integers of a list as int64; the box is checked by ItemProfiles."""
    for number, entry in enumerate(row):
        if not -(2**63) <= entry < 2**63:
            raise RangeError(f"{where}[{number}]: outside the box")
    return np.array(row, dtype=np.int64)
