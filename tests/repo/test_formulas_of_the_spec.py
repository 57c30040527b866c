# SPDX-License-Identifier: Apache-2.0
"""The tables of costs and lengths: their formulas, evaluated as they stand in the text.

They are held against tests/support/lengths.py, which tests/secure holds against transcripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import ceil
from pathlib import Path

import pytest

from ppmf_spec.wire import MESSAGES
from tests.support.derived_numbers import DEFAULTS, sizes
from tests.support.formulas import Value, evaluate
from tests.support.lengths import (
    CSP,
    LATTICE,
    RECSYS,
    Message,
    Sizes,
    columns,
    conversion,
    garbled,
    half_step,
    messages,
    products,
    resumption,
    uploads,
)
from tests.support.text_of_the_spec import sections

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL, WIRE = "spec/04-protocol.md", "spec/05-wire.md"


def table(file: str, columns: str) -> list[list[str]]:
    """The cells of the table with that head, row by row."""
    below = (ROOT / file).read_text(encoding="utf-8").partition(f"| {columns} |\n")[2]
    lines = [line for line in below.partition("\n\n")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def formulas(cell: str) -> list[str]:
    return re.findall(r"\$(.+?)\$", cell) or re.findall(r"^\d+$", cell)


def payload(ring: int, width: Fraction) -> int:
    """Pl of chapter 4: bytes of corrections for one entry and all bits of a word."""
    return sum(-(-(ring - bit) // 8) for bit in range(int(width)))


def ciphertexts(size: Sizes, side: str, columns: Fraction) -> int:
    """Ct of chapter 4, for a block that packs a side."""
    assert columns == size.rows(side)
    return size.ciphertexts(side)


def of_fields(messages: Iterable[Message]) -> dict[str, int]:
    """Bytes of the fields, by sender."""
    found = {RECSYS: 0, CSP: 0}
    for sender, _, _, fields in messages:
        found[sender] += sum(len(field) for field in fields if isinstance(field, bytes))
    return found


@pytest.mark.parametrize("side", ["users", "items"])
@pytest.mark.parametrize("suite", ["rlwe-8192", "paillier-3072"])
def test_the_table_of_a_half_step_adds_up(suite: str, side: str) -> None:
    """Its formulas, evaluated as they stand there, are the bytes that tests/support predicts."""
    size, other = sizes(suite), "items" if side == "users" else "users"
    width, ands, widths = size.step(side, "lipschitz")
    z_width, z_ands = size.update({}, prox=False)
    names: dict[str, Value] = {
        "n": size.rows(side),
        "m": size.rows(other),
        "d": DEFAULTS.rank,
        "D": DEFAULTS.row_rank,
        "ell_0": DEFAULTS.word_bits,
        "ell_1": widths["step"],
        "ell_2": size.step(side, "bias")[2]["step"],
        "a_W": size.wanted[0],
        "a_R": size.wanted[1],
        "L": 3072,
        "pl": partial(payload, size.ring),
        "col": lambda v: 2048 * ceil(v / 128),
    }
    if suite == "rlwe-8192":
        names["A_n"], names["l_prime"] = size.lattice_numbers(side), size.moduli[1]
    else:
        names["ct"] = partial(ciphertexts, size, side)
    total, times = {RECSYS: 0, CSP: 0}, 1
    for label, *cells in table(PROTOCOL, "message | RecSys to CSP | CSP to RecSys"):
        times = DEFAULTS.inner_steps if label == "gradient" else times  # from there on
        if label.startswith("`product-answer`") and ("lattice" in label) != ("A_n" in names):
            continue
        names["ell"], names["A"] = (z_width, z_ands) if "update" in label else (width, ands)
        for sender, cell in zip((RECSYS, CSP), cells, strict=True):
            formula = formulas(cells[0] if cell == "the same" else cell)[:1]
            for names["j"] in range(DEFAULTS.rank if "j < d" in label else 1):
                total[sender] += times * sum(evaluate(one, names) for one in formula)
    assert total == of_fields(half_step(size, 2 if side == "users" else 3))


def bytes_of(messages: Iterable[Message], name: str) -> list[int]:
    """The lengths of the fields of bytes of the first message of that name."""
    fields = next(fields for _, _, named, fields in messages if named == name)
    return [len(field) for field in fields if isinstance(field, bytes)]


def test_the_cost_of_the_conversion_is_what_is_sent() -> None:
    """Chapter 4's formulas for a chunk, RecSys' bytes first, as they stand there."""
    size = Sizes(DEFAULTS, 50, 80, "rlwe-8192")
    section = sections(ROOT / PROTOCOL)["From bits to shares"]
    cost = section.partition("*Cost.*")[2].partition("1. RecSys")[0]
    names: dict[str, Value] = {
        "col": lambda v: 2048 * ceil(v / 128),
        "E": 4000,
        "k": size.ring,
        "t": size.planes - 1,
    }
    said = [evaluate(one, names) for one in re.findall(r"\$(\\mathit\{col\}\(\(?[1E].+?)\$", cost)]
    assert dict(zip((RECSYS, CSP), said, strict=True)) == of_fields(conversion(size))


@pytest.mark.parametrize("suite", ["rlwe-8192", "rlwe-64-insecure", "paillier-2048"])
def test_the_table_of_lengths_says_what_is_sent(suite: str) -> None:
    """Chapter 5's formulas, evaluated as they stand there, against tests/support's predictions.

    The first rows pack users; the first answer is for the items, the users' start being public.
    """
    users, items, lattice = 300, 500, suite in LATTICE
    size = Sizes(replace(DEFAULTS, iterations=2), users, items, suite)
    degree = LATTICE[suite] if lattice else 0
    names: dict[str, Value] = {
        "n": users,
        "n_prime": users,
        "m": items,
        "D": DEFAULTS.row_rank,
        "ell_0": DEFAULTS.word_bits,
        "L": 0 if lattice else 8 * size.modulus,
        "N": degree,
        "a_W": size.wanted[0],
        "a_R": size.wanted[1],
        "mu": max(1, (1 << 20) // size.group_bytes("users")[0]),
        "g": size.group("users"),
        "S": 2 * ceil(items / degree) if lattice else 0,
        "l": size.moduli[0] if lattice else 0,
        "l_prime": size.moduli[1] if lattice else 0,
        "v": 1000,
        "A": 97,
        "E": 300,
        "Lambda": 11,
        "ell": 14,
        "k": size.ring,
        "t": size.planes - 1,
    }

    sent = [
        *uploads(size, tuple(map(str, range(users)))),
        *resumption(1, users),
        (RECSYS, CSP, "transfer-columns", (columns(1000),)),
        *products(300, 11, 14, size.ring),
        *garbled(300, 41, 97),
        *messages(size, 0),
    ]
    said: dict[str, list[int]] = {}
    name = ""
    for message, field, cell in table(WIRE, "message | field | bytes"):
        name = message.strip("`") or name
        found = formulas(cell)
        if "conversion" in field:
            converted = (one for one in conversion(size) if one[0] == field.split()[-1].lower())
            of_a_chunk = {**names, "E": 4096}
            assert [evaluate(found[0], of_a_chunk)] == bytes_of(converted, name)
            continue
        side = "items" if name == "product-answer" else "users"
        names["nu"] = size.rows(side)
        if lattice:
            names["A_nu"] = size.lattice_numbers(side)
        else:
            names["ct"] = partial(ciphertexts, size, side)
        said.setdefault(name, []).append(evaluate(found[-1 if lattice else 0], names))
    assert said == {name: bytes_of(sent, name) for name in said}
    assert set(said) == set(MESSAGES)
