# SPDX-License-Identifier: Apache-2.0
"""The worked example's numbers as the two servers of the secure training held them."""

from __future__ import annotations

from functools import cache

from ppmf_docs.tables import table
from ppmf_docs.toy_training import PARAMETERS, RATINGS, Training, recorded
from ppmf_docs.worked_example import COORDINATES, USER, states
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
    """The rows of the user that the page follows: whether an item is rated, and with what."""
    shares = training().ratings
    rows = []
    for item, name in enumerate(RATINGS.items):
        for what in ("rated", "rating"):
            ours, theirs = (int(getattr(shares[by], what)[USER, item]) for by in (RECSYS, CSP))
            rows.append(_line(f"{name}: {what}", ours, theirs))
    return table(_HEADINGS, rows, right=range(1, 5))


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
