# SPDX-License-Identifier: Apache-2.0
"""Checks that nothing is repeated inside fields that look uniform.

A pad, a label or a keystream that is used twice leaves every byte uniform, and shows only when two
places are compared. The checks compare

- the blocks of garbled tables and of columns, which are 128 uniform bits each and all different
  within a message. A hash repeated under one tweak gives equal blocks in tables (the label of a
  threshold serves all factors of a row); columns that are not masked are all equal.
- two successive messages of columns: column i has its own keystream, so the 128 differences of
  their first blocks are all different; if the keystreams were used again, all differences would
  be that of the choices.
- the masked rows: words of two users at one place differ by a uniform word; under one mask they
  differ by their ratings.

False alarms: n blocks of a message contain two equal ones with probability below n^2 2^-129, which
for a run of 2^32 blocks in messages of 2^20 is below 2^-76. Of N masked words, N n / 2 pairs stand
at one place for n users, each closer than NEAR with probability 2^-59; two such pairs are wanted:
(N n 2^-60)^2 is below 2^-58 for a thousand users and items.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ppmf_audit.finding import Finding
from ppmf_audit.transcript_outline import Direction
from ppmf_spec import wire

BLOCK = 16
COLUMNS = 128
NEAR = 16
"""Masked words this near to each other, or to 0, are suspicious: ratings are, at their scale."""

Words = NDArray[np.uint64]


@dataclass(slots=True)
class Repetition:
    """The checks of one run; every message is added in the order of sending."""

    blocks: int = 0
    block_twice: str = ""
    stream_twice: str = ""
    masked: list[wire.Bulk] = field(default_factory=list)
    last: dict[Direction, Words] = field(default_factory=dict)

    def add(self, direction: Direction, message: wire.Message) -> None:
        """Compare the blocks of a message."""
        if isinstance(message, wire.GarbledTables):
            self._distinct(message.tables, message.name)
        elif isinstance(message, wire.TransferColumns):
            self._distinct(message.columns, message.name)
            self._streams(direction, message.columns)
        elif isinstance(message, wire.Upload):
            self.masked.append(message.masked)

    def _distinct(self, data: wire.Bulk, name: str) -> None:
        blocks = _blocks(data)
        self.blocks += len(blocks)
        if not self.block_twice and _repeated(blocks):
            self.block_twice = f"{name}: a block of 16 bytes is repeated within a message"

    def _streams(self, direction: Direction, data: wire.Bulk) -> None:
        """Compare the first block of each column with those of the message before."""
        size = len(data) // COLUMNS // BLOCK
        first = _blocks(data)[::size][:COLUMNS] if size else np.empty((0, 2), dtype=np.uint64)
        before = self.last.get(direction)
        if before is not None and before.shape == first.shape and _repeated(first ^ before):
            self.stream_twice = f"{direction[0]} to {direction[1]}: a keystream is used again"
        self.last[direction] = first

    def findings(self) -> list[Finding]:
        """The findings, after all messages were added."""
        near = _near(self.masked)
        seen = f"{len(self.masked):,} uploads"
        return [
            Finding(
                "no block repeated within a message",
                not self.block_twice,
                self.block_twice or f"{self.blocks:,} blocks",
            ),
            Finding(
                "columns under fresh keystreams",
                not self.stream_twice,
                self.stream_twice or f"{len(self.last)} directions",
            ),
            Finding(
                "masked rows far from 0 and from each other",
                near < 2,
                f"{near} words near 0 or another's" if near >= 2 else seen,
            ),
        ]


def _blocks(data: wire.Bulk) -> Words:
    """The whole blocks of the data, as words (n, 2)."""
    whole = len(data) // BLOCK * BLOCK
    return np.frombuffer(data[:whole], dtype="<u8").reshape(-1, 2).astype(np.uint64, copy=False)


def _repeated(blocks: Words) -> bool:
    """Whether two blocks are equal. Sorting by one half first tells most of them apart."""
    halves = np.sort(blocks[:, 0])
    twice = halves[1:][halves[1:] == halves[:-1]]
    if not twice.size:
        return False
    some = blocks[np.isin(blocks[:, 0], twice)]
    return len(np.unique(some, axis=0)) < len(some)


def _near(masked: list[wire.Bulk]) -> int:
    """The number of masked words near 0, or near the next larger word at the same place."""
    if len({len(field) for field in masked}) != 1:
        return 0
    rows = np.stack([np.frombuffer(field, dtype="<u8") for field in masked])
    sizes = np.minimum(rows, np.negative(rows))
    gaps = np.diff(np.sort(rows, axis=0), axis=0)
    return int((sizes < NEAR).sum() + (gaps < NEAR).sum())
