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
- the masked bits: half of them are 1, and half of those of the exclusive or of two users' bits.
  Where there is no mask, or one for both users, few are: most users rate few items.

False alarms: n blocks of a message contain two equal ones with probability below n^2 2^-129, which
for a run of 2^32 blocks in messages of 2^20 is below 2^-76. A share of ones is held against
Hoeffding's bound, which a fair one exceeds with probability ALPHA, over all uploads, over all pairs
of successive ones, and with ALPHA for all together over each pair among the first COMPARED.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from ppmf_audit.finding import Finding
from ppmf_audit.transcript_outline import Direction
from ppmf_spec import wire

BLOCK = 16
COLUMNS = 128
ALPHA = 2.0**-40
"""The probability with which fair bits are found unfair, in each of three comparisons."""

COMPARED = 1 << 8
"""The number of uploads of which each is compared with every other."""

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
        unfair = _unfair(self.masked)
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
                "masked bits fair, alone and between users",
                not unfair,
                unfair or f"{len(self.masked):,} uploads",
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


def _unfair(masked: list[wire.Bulk]) -> str:
    """Which masked bits, of the uploads or of exclusive ors of two, are not half of them 1."""
    if len({len(field) for field in masked}) != 1:
        return ""
    fields = np.stack([np.frombuffer(field, dtype=np.uint8) for field in masked])
    size = 8 * fields.shape[1]
    if not _fair(_ones(fields).sum(), size * len(fields), ALPHA):
        return "the bits of uploads, taken together, are not fair"
    between = _ones(fields[1:] ^ fields[:-1])
    if not _fair(between.sum(), size * len(between), ALPHA):
        return "the exclusive ors of successive uploads are not fair"
    some = fields[:COMPARED]
    for at in range(1, len(some)):
        for other in np.flatnonzero(~_fair(_ones(some[:at] ^ some[at]), size, ALPHA / COMPARED**2)):
            return f"the exclusive or of uploads {other} and {at} is not fair"
    return ""


def _ones(fields: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many bits of each row are 1."""
    ones: NDArray[np.int64] = np.unpackbits(fields, axis=1).sum(axis=1, dtype=np.int64)
    return ones


def _fair(ones: NDArray[np.int64] | np.int64, bits: int, alpha: float) -> NDArray[np.bool_]:
    """Whether so many ones among so many bits are as near to half of them as fair ones would be."""
    return np.asarray(np.abs(ones - bits / 2) <= sqrt(bits * log(2 / alpha) / 2))
