# SPDX-License-Identifier: Apache-2.0
"""The worked example's numbers as the two servers of the secure training held them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ppmf_docs.tables import table
from ppmf_docs.toy_training import PARAMETERS, RATINGS, Training, recorded
from ppmf_docs.worked_example import COORDINATES, USER, states
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_spec.bounds import bounds
from ppmf_spec.roles import CSP, RECSYS

_HEADINGS = ["number", "RecSys has", "CSP has", "sum mod 2^k", "that is"]


@cache
def training() -> Training:
    """The secure training of the example; its result is the oracle's, or there is no page."""
    found = recorded(PARAMETERS.iterations)
    if found.profiles.factors.tolist() != [row[:-1] for row in states()[-1].items]:
        raise ValueError("the secure training did not give F_fix")
    return found


def ratings() -> str:
    """The bits of the user that the page follows, item by item, and what they say."""
    code, count = RatingCode.of(PARAMETERS), len(RATINGS.items)
    mine, theirs = (
        np.unpackbits(
            training().ratings[by].planes[:, USER], axis=1, count=count, bitorder="little"
        )
        for by in (RECSYS, CSP)
    )
    both = mine ^ theirs
    values = code.decode(both[1:])
    rows = []
    for item, name in enumerate(RATINGS.items):
        says = f"rated, x = {values[item]}" if both[0, item] else "not rated"
        rows.append([name, *(_bits(bits[:, item]) for bits in (mine, theirs, both)), says])
    headings = ["item", "RecSys has", "CSP has", "exclusive or", "that is"]
    return table(headings, rows, right=range(1, 4))


def weights() -> str:
    """What the bits of the code weigh, the lowest first."""
    found = [str(weight) for weight in RatingCode.of(PARAMETERS).weights]
    return f"{', '.join(found[:-1])} and {found[-1]}"


def _bits(bits: NDArray[np.uint8]) -> str:
    rated, *code = map(str, bits.tolist())
    return f"{rated} {''.join(code)}"


def items() -> str:
    """V after the first iteration, as shares; the last column is the oracle's table."""
    by_server = [training().models[by][1].items.share for by in (RECSYS, CSP)]
    rows = []
    for item, name in enumerate(RATINGS.items):
        for k, coordinate in enumerate(COORDINATES):
            ours, theirs = (int(share[k, item]) for share in by_server)
            line = _line(f"{name}: {coordinate}", ours, theirs)
            if line[-1] != f"{states()[1].items[item][k]:,}":
                raise ValueError("the shares do not add up to the oracle's word")
            rows.append(line)
    return table(_HEADINGS, rows, right=range(1, 5))


def ring_bits() -> str:
    """The width of the ring of the example's run."""
    return str(_ring_bits())


def _ring_bits() -> int:
    return bounds(PARAMETERS, RATINGS.n_users, RATINGS.n_items).ring_bits


def _line(what: str, ours: int, theirs: int) -> list[str]:
    ring = 1 << _ring_bits()
    total = (ours + theirs) % ring
    signed = total - ring if 2 * total >= ring else total
    return [what, str(ours % ring), str(theirs % ring), str(total), f"{signed:,}"]
