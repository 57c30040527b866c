# SPDX-License-Identifier: Apache-2.0
"""The worked example's numbers are the oracle's, and the servers' shares add up to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppmf_docs import example_shares, worked_example
from ppmf_docs.toy_training import PARAMETERS, RATINGS
from ppmf_reference import fixed
from ppmf_spec.profiles import loads

PAGE = Path(__file__).resolve().parents[2] / "docs" / "worked-example.md"
F = PARAMETERS.frac_bits


def cells(markdown: str) -> list[list[str]]:
    """The rows of a table, of each cell what stands above a line break."""
    lines = markdown.strip().splitlines()[2:]
    return [[cell.split("<br>")[0].strip() for cell in line.split("|")[1:-1]] for line in lines]


def integers(row: list[str]) -> list[int]:
    return [int(cell.replace(",", "")) for cell in row]


def test_the_row_that_is_followed_is_worked_out_by_the_formulas() -> None:
    """Chapter 2 once more, from the residuals to the new row."""
    row = worked_example.followed()
    ridge = PARAMETERS.ridge_int
    parts = [*zip(*(other[:-1] for other in row.others), strict=True), [1 << F] * len(row.others)]
    gradient = [
        sum(e * y for e, y in zip(row.residuals, part, strict=True)) + ridge * x
        for part, x in zip(parts, row.before, strict=True)
    ]
    assert gradient == row.gradient
    scale = 2 * F + PARAMETERS.step_bits
    z = [
        ((x << scale) - h * g + (1 << (scale - 1))) >> scale
        for x, h, g in zip(row.before, row.steps, gradient, strict=True)
    ]
    assert z == row.z
    edge = 1 << (PARAMETERS.box_bits + F)
    assert row.after == [min(max(value, -edge), edge - 1) for value in row.proxed]
    assert row.after == next(fixed.iterate(RATINGS, PARAMETERS)).users[worked_example.USER]


def test_the_row_shows_what_the_text_says_of_it() -> None:
    """One factor ends at 0 by the prox, the other is shortened, the bias is put back to the box."""
    row = worked_example.followed()
    assert row.after[0] == 0 != row.z[0]
    assert 0 < row.after[1] < row.z[1]
    assert row.after[2] == (1 << (PARAMETERS.box_bits + F)) - 1 < row.z[2]


def test_the_table_of_the_step_holds_these_numbers() -> None:
    row = worked_example.followed()
    columns = (row.before, row.steps, row.gradient, row.z, row.proxed, row.after)
    shown = cells(worked_example.one_step())
    assert [integers(line[1:]) for line in shown] == [list(x) for x in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (worked_example.new_users(), worked_example.states()[0].users),
        (worked_example.new_items(), worked_example.states()[1].items),
        (worked_example.result(), worked_example.states()[-1].items),
    ],
    ids=["users", "items", "result"],
)
def test_the_tables_of_rows_are_the_oracles(table: str, expected: fixed.Matrix) -> None:
    assert [integers(line[1:]) for line in cells(table)] == expected


def test_what_is_published_is_f_fix() -> None:
    text = worked_example.published().removeprefix("```json\n").removesuffix("```\n")
    assert loads(text) == fixed.train(RATINGS, PARAMETERS)


def test_the_shares_of_the_bits_say_the_ratings() -> None:
    """The weights are those that the page names."""
    rated, values = RATINGS.by_user()[worked_example.USER]
    known = dict(zip(list(rated), list(values), strict=True))
    assert example_shares.weights() == "1, 2, 4 and 2"
    for item, line in enumerate(cells(example_shares.ratings())):
        _, ours, theirs, both, says = line
        numbers = [int(bits.replace(" ", ""), 2) for bits in (ours, theirs, both)]
        assert numbers[0] ^ numbers[1] == numbers[2]
        flag, code = both.split()
        assert flag == str(int(item in known))
        if item in known:
            weighed = sum(w * int(bit) for w, bit in zip((1, 2, 4, 2), code, strict=True))
            assert weighed - 5 == known[item]
            assert says == f"rated, x = {known[item]}"
        else:
            assert (code, says) == ("0000", "not rated")


def test_the_shares_of_the_items_add_up_to_the_oracles_words() -> None:
    words = [word for row in worked_example.states()[1].items for word in row]
    for line, word in zip(cells(example_shares.items()), words, strict=True):
        ours, theirs, total, signed = integers(line[1:])
        ring = 2 ** int(example_shares.ring_bits())
        assert (ours + theirs) % ring == total == word % ring
        assert signed == word


def test_the_page_types_no_number_but_public_constants() -> None:
    prose = re.sub(r"```.*?```|PPMF-[A-Z]+-\d+( (to|and) -\d+)?", "", PAGE.read_text(), flags=re.S)
    numbers = set(re.findall(r"\d+(?:\.\d+)?", prose))
    # r0 = 3, fr = 1, SHAKE-256, Apache-2.0, mod 2^k, rated is 1 or 0
    assert numbers <= {"0", "1", "2", "3", "256", "2.0"}
    assert [int(PARAMETERS.rating_offset), PARAMETERS.rating_frac_bits] == [3, 1]
