# SPDX-License-Identifier: Apache-2.0
"""The nearest parameter set that works where one does not fit its size.

A set *works* if the ring holds the run (PPMF-PAR-015 to -018), no row has step 0 at the start
(PPMF-PAR-019), and whatever else is asked of it holds too, such as a cipher suite.

The search begins with all parameters at the values that leave the most room, and takes them back to
the set's own, those first whose change would change the model most; one that cannot be taken back
stays, at the nearest value that works. So no parameter is changed that need not be, given the
others, and widths of numbers, on which results hardly depend, are changed before the rank, the
iterations and the regularisers are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from ppmf.evaluation import suggestion, tried_sets
from ppmf.evaluation.tried_sets import NAMES
from ppmf_spec.bounds import bounds, every_row_moves
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import INTEGER_DOMAIN, MAX_STEP_WIDTH, Parameters

Holds = Callable[[Parameters], bool]
"""Whether a set is held by what the ring is not all of, such as a cipher suite."""

_DEFAULT = Parameters()

LONGEST_SHIFT = 2
"""The largest `curvature_shift` that is put in the place of a smaller one: longer steps than those
were not tried beside all others in the sweep.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter of the nearest set that is not the set's own.

    before, after: its values, as `Parameters.as_dict` writes them. difference: how much larger the
    error on held-out ratings was in the sweep with the new value than with the old, in stars, by
    data set; None where the sweep does not say.
    """

    name: str
    before: int | str | bool
    after: int | str | bool
    difference: dict[str, float] | None

    def __str__(self) -> str:
        return f"{self.name} = {self.after}"


def works(params: Parameters, users: int, items: int, holds: Holds | None = None) -> bool:
    """Whether a run of this size fits and every row can move."""
    try:
        fit = bounds(params, users, items)
    except ParametersError:
        return False
    return not fit.warnings and (holds is None or holds(params))


def nearest(
    params: Parameters,
    users: int,
    items: int,
    holds: Holds | None = None,
    kept: Collection[str] = (),
) -> Parameters | None:
    """The nearest set that works, which may be `params` itself; None if the search finds none.

    kept: the names of parameters that have to stay as they are, besides those of ratings.
    """
    if works(params, users, items, holds):
        return params
    search = _Search(params, users, items, holds, "step_bits" in kept)
    chosen = {name: value for name, value in _widest(params) if name not in kept}
    if search.at(chosen) is None:
        return None
    for name in sorted(chosen, key=_HARM.index):
        best, relaxed = search.at(chosen), chosen.pop(name)
        found = search.at(chosen)
        if found is None:
            chosen[name] = search.closest(chosen, name, relaxed)
        elif name == "ring_bits" and best is not None and found.step_bits != best.step_bits:
            chosen[name] = relaxed  # on the width of the ring no result depends
    return search.at(chosen)


def changes(params: Parameters, other: Parameters) -> list[Change]:
    """What differs in the other set, in the order of chapter 3."""
    old, new = params.as_dict(), other.as_dict()
    return [
        Change(name, old[name], new[name], _difference(name, str(old[name]), str(new[name])))
        for name in old
        if old[name] != new[name]
    ]


def alternatives(
    params: Parameters, found: Parameters, users: int, items: int, holds: Holds | None = None
) -> Iterator[Parameters]:
    """Other sets that work: for each parameter that was changed, one that keeps it if there is one.

    `step_bits` and `ring_bits` are not among them, since both go with the size.
    """
    seen = {found}
    for change in changes(params, found):
        if change.name in ("step_bits", "ring_bits"):
            continue
        other = nearest(params, users, items, holds, kept=(change.name,))
        if other is not None and other not in seen:
            seen.add(other)
            yield other


_HARM = (
    "ridge",
    "l1",
    "damping",
    "iterations",
    "rank",
    "curvature_shift",
    "frac_bits",
    "box_bits",
    "step_guard_bits",
    "ring_bits",
)
"""The parameters that may be changed, those first whose change changes the model most."""


def _widest(params: Parameters) -> Iterator[tuple[str, Any]]:
    """For each parameter the value that leaves the most room, if that is not the set's own."""
    binary = params.regulariser == "binary-elastic-net"
    least_guard = max(0, LONGEST_SHIFT) if params.step_rule == "count" else 0
    wanted: dict[str, Any] = {
        "ring_bits": 0,
        "step_guard_bits": min(params.step_guard_bits, least_guard),
        "box_bits": min(params.box_bits, int(binary)),
        "frac_bits": INTEGER_DOMAIN["frac_bits"][0],
        "curvature_shift": LONGEST_SHIFT,
        "rank": 1,
        "iterations": 1,
        "damping": min(params.damping, _DEFAULT.damping),
        "l1": Fraction(0),
        "ridge": min(params.ridge, _DEFAULT.ridge),
    }
    so_far = params
    for name, value in wanted.items():
        for tried in _towards(value, getattr(params, name)):
            try:
                so_far = replace(so_far, **{name: tried})
            except ParametersError:
                continue  # another parameter of the set forbids it
            yield name, tried
            break


def _towards(value: Any, own: Any) -> Iterator[Any]:
    """`value` and, for numbers of bits, all between it and the set's own."""
    if value == own:
        return
    yield value
    if isinstance(value, int) and 0 < abs(own - value) <= 64:
        step = 1 if own > value else -1
        yield from range(value + step, own, step)


@dataclass(frozen=True, slots=True)
class _Search:
    params: Parameters
    users: int
    items: int
    holds: Holds | None
    keep_step_bits: bool

    def at(self, chosen: dict[str, Any]) -> Parameters | None:
        """The set with these values and the `step_bits` nearest to its own with which it works;
        None if it does with none.
        """
        try:
            tried = replace(self.params, **chosen)
        except ParametersError:
            return None
        if self._works(tried):
            return tried
        if self.keep_step_bits:
            return None
        fewest = min(suggestion.LEAST_STEP_BITS, tried.step_bits)
        with_bits = map(partial(_with_step_bits, tried), range(fewest, MAX_STEP_WIDTH + 1))
        found = next((one for one in with_bits if one is not None and self._moves(one)), None)
        if found is None or not self._works(found):
            return None
        low, high = found.step_bits, tried.step_bits
        while high - low > 1:
            middle = (low + high) // 2
            other = _with_step_bits(tried, middle)
            if other is not None and self._works(other):
                found, low = other, middle
            else:
                high = middle
        return found

    def closest(self, chosen: dict[str, Any], name: str, relaxed: Any) -> Any:
        """The value nearest to the set's own with which, beside those chosen, it works."""
        own, found = getattr(self.params, name), relaxed
        if not isinstance(relaxed, int) or name == "ring_bits":
            return found
        low, high = relaxed, own
        while abs(high - low) > 1:
            middle = (low + high) // 2
            if self.at({**chosen, name: middle}) is None:
                high = middle
            else:
                found = low = middle
        return found

    def _moves(self, params: Parameters) -> bool:
        rows = max(self.users, self.items)
        return every_row_moves(params, rows) and suggestion.moves_when_trained(params, rows)

    def _works(self, params: Parameters) -> bool:
        if not every_row_moves(params, max(self.users, self.items)):
            return False
        return works(params, self.users, self.items, self.holds)


def _with_step_bits(params: Parameters, step_bits: int) -> Parameters | None:
    """The set with another `step_bits`; None if its domain does not allow that."""
    try:
        return replace(params, step_bits=step_bits)
    except ParametersError:
        return None


def _difference(name: str, before: str, after: str) -> dict[str, float] | None:
    """The sweep's difference between two values of one parameter, all others at their defaults."""
    if name not in NAMES or name == "step_bits":
        return None
    rows = {row.value(name): row for row in tried_sets.differing(_DEFAULT, name)}
    if before not in rows or after not in rows:
        return None
    return {
        data: rows[after].rmse[data] - rows[before].rmse[data]
        for data in suggestion.DATA
        if data in rows[after].rmse
    }
