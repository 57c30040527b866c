# SPDX-License-Identifier: GPL-3.0-or-later
"""Work between messages that is done range by range, by workers or here (chapter 4, "Workers").

A range is some chunks of elements. What is computed for it is a function of what was received and
of ends of transfers (`Transfers.part`), so that a worker can compute it, and another one again.
What is sent goes in the order of the ranges, whoever has computed it (PPMF-WRK-002).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ppmf_secure.effects import Program
from ppmf_secure.primitives.workers import Answer, Call, Workers, ask

T = TypeVar("T")


def ranges(count: int, size: int) -> list[range]:
    """The numbers below `count` in ranges of `size`, the last possibly shorter."""
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def by_ranges(
    workers: Workers | None,
    parts: Sequence[T],
    question: Callable[[T], Program[Call]],
    deliver: Callable[[T, Any], Program[None]],
    *,
    under_way: int,
) -> Program[None]:
    """For each range take in what its question needs, have it answered, and go on with the answer,
    in their order.

    under_way: the most ranges that are with workers at once, at least 1. Without workers each one
    is ended before the next is begun.
    """
    asked: deque[tuple[T, Answer]] = deque()
    most = 1 if workers is None else under_way
    for part in parts:
        asked.append((part, ask(workers, (yield from question(part)))))
        if len(asked) == most:
            first, answer = asked.popleft()
            yield from deliver(first, answer.get())
    for last, answer in asked:
        yield from deliver(last, answer.get())
