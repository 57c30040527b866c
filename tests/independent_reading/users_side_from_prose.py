# SPDX-License-Identifier: Apache-2.0
"""The user's side and the file of item profiles, written from the prose of chapter 2.

See f_fix_from_prose.py for what this is about. Everything is exact: numbers are fractions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tests.independent_reading.f_fix_from_prose import in_order, scaled
from tests.independent_reading.parameters_from_prose import (
    RefusedError,
    parameters,
    plain_decimal,
    shortest_decimal,
)

FORMAT = "ppmf-item-profiles/1"
INTEGERS = ("rank", "frac_bits", "box_bits", "rating_frac_bits")
DECIMALS = ("rating_offset", "rating_min", "rating_max", "ridge")
FIELDS = (*INTEGERS, *DECIMALS, "items", "factors", "bias")


@dataclass(frozen=True)
class Profiles:
    """The item profiles of PPMF-FIX-050, with the fields' names; words at scale `frac_bits`."""

    rank: int
    frac_bits: int
    box_bits: int
    rating_frac_bits: int
    rating_offset: Fraction
    rating_min: Fraction
    rating_max: Fraction
    ridge: Fraction
    items: tuple[str, ...]
    factors: list[list[int]]
    bias: list[int] | None

    def row(self, item: str) -> int:
        """The row of a known item (PPMF-FIX-009)."""
        if item not in self.items:
            raise RefusedError("range", f"item {item!r} is not in the profiles")
        return self.items.index(item)

    def real(self, row: int) -> tuple[list[Fraction], Fraction]:
        """The real numbers v_j and b_j of a row."""
        one = 2**self.frac_bits
        v = [Fraction(word, one) for word in self.factors[row]]
        return v, Fraction(self.bias[row], one) if self.bias is not None else Fraction(0)


def malformed(what: str) -> RefusedError:
    """A refusal of PPMF-FIX-052 for the form of the file."""
    return RefusedError("encoding", f"item profiles: {what}")


def is_integer(value: object) -> bool:
    """Whether a value of the file is an integer; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def profiles(given: Mapping[str, object]) -> Profiles:
    """The profiles with these fields, after the checks of PPMF-FIX-052."""
    if set(given) != set(FIELDS):
        raise malformed("a field is missing or unknown")
    for name in INTEGERS:
        if not is_integer(given[name]):
            raise malformed(f"{name} must be an integer")
    decimals: dict[str, Fraction] = {}
    for name in DECIMALS:
        text = given[name]
        number = plain_decimal(text) if isinstance(text, str) else None
        if number is None or shortest_decimal(number) != text:
            raise malformed(f"{name} must be the shortest plain decimal, in a string")
        decimals[name] = number
    items, factors, bias = given["items"], given["factors"], given["bias"]
    if not isinstance(items, list) or not all(isinstance(text, str) for text in items):
        raise malformed("items must be a list of ids")
    rank, frac_bits, box_bits, rating_frac_bits = (as_integer(given[name]) for name in INTEGERS)
    if not isinstance(factors, list) or len(factors) != len(items):
        raise malformed("factors must be a list for each item")
    for row in factors:
        if not isinstance(row, list) or len(row) != rank or not all(map(is_integer, row)):
            raise malformed("factors must be lists of rank integers")
    words = [] if bias is None else bias
    if not isinstance(words, list) or not all(map(is_integer, words)):
        raise malformed("bias must be null or a list of integers")
    if bias is not None and len(words) != len(items):
        raise malformed("bias must have an integer for each item")
    if in_order(items) != tuple(items):
        raise RefusedError("range", "item profiles: ids must be in the order of rows")
    try:
        parameters({name: decimals.get(name, given[name]) for name in (*INTEGERS, *DECIMALS)})
    except RefusedError as refusal:  # no parameter set of chapter 3 has these numbers together
        raise RefusedError("range", f"item profiles: {refusal}") from refusal
    end = 2 ** (box_bits + frac_bits)
    if not all(-end <= word < end for row in (*factors, words) for word in row):
        raise RefusedError("range", "item profiles: a word is outside the box")
    return Profiles(
        rank,
        frac_bits,
        box_bits,
        rating_frac_bits,
        decimals["rating_offset"],
        decimals["rating_min"],
        decimals["rating_max"],
        decimals["ridge"],
        tuple(items),
        factors,
        None if bias is None else words,
    )


def as_integer(value: object) -> int:
    """A value that is known to be an integer, as one."""
    assert isinstance(value, int)
    return value


def string(text: str) -> str:
    r"""A string of the file: `"` and `\` escaped, nothing else (PPMF-FIX-051)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write(p: Profiles) -> str:
    """The one text of a set of profiles (PPMF-FIX-051)."""
    lists = ",\n".join(f"  {json.dumps(row)}" for row in p.factors)
    values = [string(FORMAT)]
    values += [str(getattr(p, name)) for name in INTEGERS]
    values += [string(shortest_decimal(getattr(p, name))) for name in DECIMALS]
    values += [f"[{', '.join(map(string, p.items))}]", f"[\n{lists}\n ]", json.dumps(p.bias)]
    named = zip(("format", *FIELDS), values, strict=True)
    lines = ",\n".join(f' "{name}": {value}' for name, value in named)
    return f"{{\n{lines}\n}}\n"


def read(text: str) -> Profiles:
    """The profiles of a file's text; what PPMF-FIX-052 names is refused."""
    try:
        document = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=without_repetition, parse_int=short
        )
    except ValueError as error:
        raise malformed("no JSON text") from error
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise malformed(f"format must be {FORMAT}")
    return profiles(document)


def short(digits: str) -> int:
    """The integer of a number's text, which has at most 300 digits."""
    if len(digits.lstrip("-")) > 300:
        raise malformed("a number of more than 300 digits")
    return int(digits)


def without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The members of an object, none of which may be given twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise malformed("a field is given twice")
    return members


@dataclass(frozen=True)
class User:
    """A user's profile (u, a), and the rows that the user rated."""

    u: list[Fraction]
    a: Fraction
    rated: frozenset[int]


def profile(p: Profiles, ratings: Iterable[tuple[str, Fraction]]) -> User:
    """The profile that fits a user's own ratings (PPMF-RDG-001 to PPMF-RDG-004)."""
    size = p.rank + (p.bias is not None)
    gram = [[p.ridge * (k == l) for l in range(size)] for k in range(size)]
    right = [Fraction(0)] * size
    rated: set[int] = set()
    for number, (item, rating) in enumerate(ratings):
        place = f"rating number {number}"
        if item not in p.items:
            raise RefusedError("range", f"{place} is of an item that is not in the profiles")
        row = p.row(item)
        if row in rated:
            raise RefusedError("range", f"{place} is a second one of its item")
        rated.add(row)
        scaled(rating, p, place)
        v, b = p.real(row)
        t = rating - p.rating_offset - b
        column = v + [Fraction(1)] * (size - p.rank)
        for k in range(size):
            right[k] += t * column[k]
            for l in range(size):
                gram[k][l] += column[k] * column[l]
    solution = solve(gram, right)
    a = solution[p.rank] if p.bias is not None else Fraction(0)
    return User(solution[: p.rank], a, frozenset(rated))


def solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """The solution of the normal equations; a singular system is refused (PPMF-RDG-003)."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        pivot = next((l for l in range(k, size) if rows[l][k] != 0), None)
        if pivot is None:
            raise RefusedError("parameters", "ridge is 0 and the profile is not determined")
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for l in range(size):
            if l != k and rows[l][k] != 0:
                factor = rows[l][k]
                rows[l] = [x - factor * y for x, y in zip(rows[l], rows[k], strict=True)]
    return [row[size] for row in rows]


def predict(p: Profiles, user: User, row: int) -> Fraction:
    """The prediction for an item, not clipped (PPMF-RDG-005)."""
    v, b = p.real(row)
    inner = sum((x * y for x, y in zip(user.u, v, strict=True)), Fraction(0))
    return p.rating_offset + inner + user.a + b


def clip(p: Profiles, prediction: Fraction) -> Fraction:
    """A prediction on the scale (PPMF-RDG-006)."""
    return max(p.rating_min, min(p.rating_max, prediction))


def counted(count: int) -> int:
    """The N of a list, at least 1."""
    if count < 1:
        raise RefusedError("range", "a list has at least one item")
    return count


def top(p: Profiles, user: User, count: int) -> list[str]:
    """The items of largest prediction that the user has not rated (PPMF-RDG-007)."""
    left = [row for row in range(len(p.items)) if row not in user.rated]
    left.sort(key=lambda row: (-predict(p, user, row), row))
    return [p.items[row] for row in left[: counted(count)]]


def similar(p: Profiles, item: str, count: int) -> list[str]:
    """The items whose factors are nearest to an item's (PPMF-RDG-008)."""
    own = p.row(item)

    def distance(row: int) -> int:
        pairs = zip(p.factors[row], p.factors[own], strict=True)
        return sum((x - y) * (x - y) for x, y in pairs)

    others = [row for row in range(len(p.items)) if row != own]
    others.sort(key=lambda row: (distance(row), row))
    return [p.items[row] for row in others[: counted(count)]]
