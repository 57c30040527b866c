# SPDX-License-Identifier: Apache-2.0
"""Bytes by which somebody could ask a reader for work, and a count of what a reader does of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from ppmf_spec import strict_cbor
from tests.support.cbor_by_hand import by_hand

ATTACKS = {
    "tag 30, a fraction of two bignums": b"\xd8\x1e\x82"
    + 2 * (b"\xc2\x5a\x00\x06\x1a\x80" + b"\xff" * 400_000),
    "a map of keys that collide": b"\xb9\xea\x60" + b"".join(
        by_hand(k * (2**61 - 1) % 2**64) + b"\x00" for k in range(60_000)
    ),
    "arrays in arrays": b"\x81" * 20_000_000,
    "arrays beside each other": b"\x9a\x01\x31\x2d\x00" + b"\x80" * 20_000_000,
    "a length beyond all memory": b"\x5b\x7f" + b"\xff" * 7,
    "an array beyond all memory": b"\x9b\x7f" + b"\xff" * 7,
}  # fmt: skip
"""Each of these takes a general decoder seconds or gigabytes."""


@dataclass
class Work:
    """What was done within `counted`.

    heads: how many heads of CBOR items were looked at. memory: the most bytes that were allocated
    at a time.
    """

    heads: int = 0
    memory: int = 0


@contextmanager
def counted(patch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Count the heads that are parsed, and the memory that is taken."""
    work, parse = Work(), strict_cbor._Reader._head

    def watched(reader: strict_cbor._Reader) -> tuple[int, int]:
        work.heads += 1
        return parse(reader)

    with patch.context() as within:
        within.setattr(strict_cbor._Reader, "_head", watched)
        tracemalloc.start()
        try:
            yield work
        finally:
            work.memory = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
