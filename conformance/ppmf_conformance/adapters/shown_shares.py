# SPDX-License-Identifier: Apache-2.0
"""The shares that a server of ppmf_secure shows after each stage, for the trace (PPMF-CON-041).

`ShownShares` is the only observer of a party's program in this project. It is made for a party of a
trial that is asked for a trace, and hands over what it was told in the party's next answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ppmf_conformance.adapters.values import shown
from ppmf_secure.arrays import Bytes, Words
from ppmf_secure.primitives.circuits.wire_labels import colours
from ppmf_secure.primitives.shares import from_bits, ring_mask
from ppmf_secure.protocols.observer import Place
from ppmf_secure.session.session import Session
from ppmf_spec.roles import SIDES

BOOLEAN = frozenset({"factor_steps", "bias_steps", "tau", "theta", "words"})
"""The stages whose shares are bits of words."""


class ShownShares:
    """The stages that one server has finished and not yet shown; it is called as an observer."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stages: list[dict[str, Any]] = []

    def __call__(self, stage: str, place: Place, share: NDArray[Any]) -> None:
        """Note the share of a stage."""
        if stage == "q2" and self._session.parameters.step_rule != "lipschitz":
            return
        if stage == "bits":
            shares: Any = _rows_of_bits(share, len(self._session.items))
        elif stage in ("w", "x"):
            shares = shown((share & self._ring).tolist())
        elif stage in BOOLEAN:
            shares = shown(self._by_row(_numbers(share), stage).tolist())
        else:
            by_row = np.moveaxis(share & self._ring, -1, 0)
            shares = shown(by_row.tolist())
        self._stages.append({"stage": stage, "at": _at(place), "shares": shares})

    def take(self) -> list[dict[str, Any]]:
        """The stages since the last call."""
        found, self._stages = self._stages, []
        return found

    @property
    def _ring(self) -> np.uint64:
        return ring_mask(self._session.bounds.ring_bits)

    def _by_row(self, numbers: Words, stage: str) -> Words:
        """The numbers of a side as rows; those that a row has one of stay a list."""
        if stage != "words":
            return numbers
        return numbers.reshape(self._session.parameters.row_rank, -1).T


def _numbers(share: NDArray[Any]) -> Words:
    """The numbers from 0 of bits (width, n), or of the colours of labels (width, n, 2)."""
    bits = colours(share) if share.ndim == 3 else share
    return from_bits(bits, signed=False)


def _rows_of_bits(planes: Bytes, items: int) -> list[str]:
    """The bytes of each user's row, from planes (1 + t, users, ceil(items / 8)) packed apart."""
    bits = np.unpackbits(planes, axis=2, count=items, bitorder="little")
    rows = bits.transpose(1, 0, 2).reshape(bits.shape[1], -1)
    return [row.tobytes().hex() for row in np.packbits(rows, axis=1, bitorder="little")]


def _at(place: Place) -> list[str]:
    """The place of a stage: the number of a half-step becomes iteration and side."""
    if not place or isinstance(place[0], str):
        return [str(one) for one in place]
    half_step, *inner = place
    iteration, side = divmod(int(half_step), 2)
    return [str(iteration + 1), str(SIDES[side]), *map(str, inner)]
