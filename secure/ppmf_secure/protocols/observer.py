# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer of a server's shares, for the trace of a conformance adapter (chapter 7, "The
trace").

A server's program tells its observer the shares that it holds after each stage. Both servers'
shares together are the secret, so the only observer that sees anything is the one that a
conformance adapter gives to a party of a trial. Nobody else gives one: no transport, driver or
command knows of it, and a program refuses an observer in a session that is no trial
(PPMF-CON-043).
"""

from __future__ import annotations

from collections.abc import Callable

from ppmf_secure.arrays import Bits, Labels, Words
from ppmf_spec.errors import StateError

Place = tuple[int | str, ...]
"""The place of a stage: () for the ratings, (side,) for steps from counts, (half-step,) or
(half-step, inner step)."""

Observer = Callable[[str, Place, Words | Bits | Labels], None]
"""Is told a stage's name, its place, and this server's share: ring elements, bits (width, n), or
labels (width, n, 2), of which the lowest bit of each is the share."""


def nobody(stage: str, place: Place, share: Words | Bits | Labels) -> None:
    """The observer of every run but that of a conformance adapter: it does nothing."""


def check_observer(observer: Observer, *, trial: bool) -> None:
    """Raise StateError if anybody observes a session that is no trial (PPMF-CON-043)."""
    if observer is not nobody and not trial:
        raise StateError("trace: shares are shown in a trial alone, and this session is none")
