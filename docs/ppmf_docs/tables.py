# SPDX-License-Identifier: Apache-2.0
"""Markdown tables and numbers as the pages show them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

_GAP = "\N{NO-BREAK SPACE}"


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()
) -> str:
    """A Markdown table; the columns numbered in `right` are set to the right."""
    rule = ["---:" if number in right else "---" for number in range(len(headings))]
    lines = [headings, rule, *rows]
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped) + "\n"


def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,.0f}"


def quantity(size: float) -> str:
    """Bytes, in the decimal unit that reads best."""
    for unit, limit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= limit:
            value = size / limit
            return f"{value:.{0 if value >= 100 else 1}f}{_GAP}{unit}"
    return f"{size:.0f}{_GAP}B"


def seconds(spent: float) -> str:
    """Seconds, with as many digits as are worth reading."""
    digits = 0 if spent >= 100 else 1 if spent >= 10 else 2
    return f"{spent:.{digits}f}{_GAP}s"
