# SPDX-License-Identifier: Apache-2.0
"""What stops a training of a given size, and the nearest parameter set with which it works.

Advice names the limit once and one set that passes `ppmf params check` and `ppmf estimate` as it
is, so that nobody is sent from one limit to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ppmf.evaluation import nearest
from ppmf.evaluation.nearest import Change
from ppmf_spec.bounds import bounds, check_rows
from ppmf_spec.errors import ParametersError
from ppmf_spec.extras import needed_by
from ppmf_spec.parameters import Parameters

AUTOMATIC = "auto"
"""What is said for the suite that `ppmf_secure.protocols.suite_choice` chooses."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether a set works at a size with a cipher suite, and what to do if not.

    suite: its name, or None if the ring alone was looked at.
    limit: why the run is refused, in one line; None if it is not.
    warnings: why it can be run but some row might not move.
    nearest: the nearest set that works, perhaps `params`; None if there is none near.
    """

    suite: str | None
    params: Parameters
    limit: str | None
    warnings: tuple[str, ...]
    nearest: Parameters | None

    @property
    def fits(self) -> bool:
        """Whether a run is not refused."""
        return self.limit is None

    @property
    def changes(self) -> list[Change]:
        """What the nearest set has in place of the set's own values."""
        return [] if self.nearest is None else nearest.changes(self.params, self.nearest)

    def remedy(self) -> str:
        """What to do, as a clause; "" if the set works."""
        if self.nearest is None:
            with_suite = "" if self.suite is None else f" with {self.suite}"
            return f"no parameter set near this one works at this size{with_suite}"
        return f"the nearest set that works has {listed(self.changes)}" if self.changes else ""

    def members(self) -> dict[str, object]:
        """The facts for the JSON of commands."""
        return {
            "fits": self.fits,
            "limit": self.limit,
            "nearest": None if self.nearest is None else [members(one) for one in self.changes],
        }


def advise(params: Parameters, users: int, items: int, suite: str | None = None) -> Advice:
    """Advice for a run of this size, with a cipher suite if one is named.

    Raises ParametersError for a number of rows that no run can have (PPMF-PAR-015) and for an
    unknown suite, and MissingExtraError if a suite is named without the extra `secure`.
    """
    check_rows(users, items)
    holds = None if suite is None else held_by(suite, users, items)
    limit: str | None = None
    warnings: tuple[str, ...] = ()
    try:
        warnings = bounds(params, users, items).warnings
        if suite is not None:
            limit = why_not(suite, params, users, items)
    except ParametersError as error:
        limit = str(error)
    found = nearest.nearest(params, users, items, holds)
    return Advice(suite, params, limit, warnings, found)


def others(one: Advice, users: int, items: int) -> list[Parameters]:
    """Other sets that work, which keep what the nearest one changes."""
    if one.nearest is None:
        return []
    holds = None if one.suite is None else held_by(one.suite, users, items)
    return list(nearest.alternatives(one.params, one.nearest, users, items, holds))


def held_by(suite: str, users: int, items: int) -> nearest.Holds:
    """Whether a suite holds a run of this size, by the parameters."""
    return lambda params: why_not(suite, params, users, items) is None


def why_not(suite: str, params: Parameters, users: int, items: int) -> str | None:
    """Why a suite does not hold a run that the ring holds, in one line; None if it does.

    Raises ParametersError for an unknown suite.
    """
    with needed_by("the limits of a cipher suite"):
        from ppmf_secure.protocols.suite_choice import check_holds
        from ppmf_secure.session.cipher_suites import cipher_suite
    chosen = cipher_suite(suite)
    try:
        check_holds(chosen, params, users, items)
    except ParametersError as error:
        return str(error)
    return None


def listed(changes: Sequence[Change]) -> str:
    """The new values, with "and" before the last."""
    *first, last = map(str, changes)
    return f"{', '.join(first)} and {last}" if first else last


def members(change: Change) -> dict[str, object]:
    """One change in the JSON of commands."""
    return {
        "parameter": change.name,
        "from": change.before,
        "to": change.after,
        "rmse_difference": change.difference,
    }


def costs_of(changes: Sequence[Change]) -> str:
    """What changes cost in accuracy, as sentences: by the sweep, or that it does not say."""
    told = []
    for one in changes:
        if one.name in ("step_bits", "ring_bits"):
            continue
        if one.difference is None:
            told.append(f"what {one} changes is not known")
        else:
            figures = " and ".join(
                f"{round(each, 4) + 0.0:+.4f} ({data})" for data, each in one.difference.items()
            )
            told.append(f"{one} changed the error on held-out ratings by {figures} stars")
    return "; ".join(told)
