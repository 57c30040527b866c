# SPDX-License-Identifier: Apache-2.0
"""The trace of a run: both servers' shares put together after each stage, and held against F_fix.

The first number that differs says at which stage of the protocol, in which iteration, of which row,
a party under test goes wrong (PPMF-CON-040 to -042).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ppmf_conformance.adapters.stages import Sharing, Stage, stages
from ppmf_conformance.adapters.values import integer
from ppmf_conformance.line_protocol import ProtocolError
from ppmf_conformance.visible_text import visible
from ppmf_spec.errors import EncodingError

FEATURE = "party.trace"
SERVERS = ("recsys", "csp")
_SHOWN_ID = 40
"""The characters of an id that are shown."""

Key = tuple[str, tuple[str, ...]]


class Trace:
    """The stages of one run that both servers have shown so far."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        """given: the `in` of the case."""
        self._ids = {side: given["session"][side] for side in ("users", "items")}
        self._due = list(stages(given))
        self._known = {(stage.name, stage.at) for stage in self._due}
        self._shares: dict[str, dict[Key, Any]] = {server: {} for server in SERVERS}
        self._held = 0

    @property
    def held(self) -> int:
        """How many stages were put together and are right."""
        return self._held

    @property
    def total(self) -> int:
        """How many stages the run has."""
        return len(self._due)

    def take(self, server: str, shown: Sequence[Mapping[str, Any]]) -> None:
        """Note what a server shows. Raises ProtocolError for a stage that the run does not have, or
        has had.
        """
        for one in shown:
            key = one["stage"], tuple(one["at"])
            if key not in self._known or key in self._shares[server]:
                why = "twice" if key in self._known else "where the run has none"
                raise ProtocolError(f"trace of {server}: {_name(*key)}, {why}")
            self._shares[server][key] = one["shares"]

    def difference(self, *, ended: bool = False) -> str:
        """What is wrong with the first stage that differs, in one line; empty if none does.

        ended: whether the run is over, so that the stages that both have not shown are passed over.
        Raises ProtocolError for shares that are no numbers, or of another form than is due.
        """
        for stage in self._due[self._held :]:
            key = stage.name, stage.at
            both = [self._shares[server].get(key) for server in SERVERS]
            if None in both:
                if ended:
                    continue
                return ""
            wrong = _difference(stage, both, self._ids)
            if wrong:
                return f"{_name(*key)}, {wrong}"
            self._held += not ended
        return ""

    def missing(self) -> str:
        """The first stage that a server has not shown, in one line; empty if both showed all."""
        for stage in self._due:
            for server in SERVERS:
                if (stage.name, stage.at) not in self._shares[server]:
                    return f"trace of {server}: {_name(stage.name, stage.at)} is missing"
        return ""


def _name(stage: str, at: tuple[str, ...]) -> str:
    """A stage and its place in words, whatever it is."""
    match at:
        case (side,):
            where = f" of the {side}"
        case (iteration, side):
            where = f" of the {side} in iteration {iteration}"
        case (iteration, side, inner):
            where = f" of the {side} in iteration {iteration}, inner step {inner}"
        case _:
            where = ""
    return f"{stage}{where}"


def _difference(stage: Stage, both: Sequence[Any], ids: Mapping[str, Sequence[str]]) -> str:
    """The first number of a stage that is not the one that is due; empty if all are."""
    due = list(_leaves(stage.due))
    shares = [list(_leaves(one)) for one in both]
    for server, found in zip(SERVERS, shares, strict=True):
        if [place for place, _ in found] != [place for place, _ in due]:
            raise ProtocolError(f"trace of {server}: {_name(stage.name, stage.at)}: not its lists")
    for (place, wanted), (_, one), (_, other) in zip(due, *shares, strict=True):
        if stage.sharing is Sharing.BYTES:
            wrong = _bit(stage, wanted, _bytes(one, stage), _bytes(other, stage))
        else:
            number = _together(stage, _number(one, stage), _number(other, stage))
            wrong = "" if number == wanted else f"{number}, not {wanted}"
        if wrong:
            inside = "".join(f"[{number}]" for number in place[1:])
            row = visible(ids[_side_of_rows(stage)][place[0]], _SHOWN_ID)
            return f"row {place[0]} ({row}){inside and f', {inside}'}: {wrong}"
    return ""


def _side_of_rows(stage: Stage) -> str:
    """The side over whose rows the lists of a stage run."""
    side = stage.at[min(1, len(stage.at) - 1)] if stage.at else "users"
    fixed = {"users": "items", "items": "users"}
    return fixed[side] if stage.name == "Phi" else side


def _together(stage: Stage, one: int, other: int) -> int:
    """The number that two shares make."""
    if stage.sharing is Sharing.XOR:
        return one ^ other
    size = 1 << stage.bits
    found = (one + other if stage.sharing is Sharing.SUM else one ^ other) % size
    return found - size if 2 * found >= size else found


def _bit(stage: Stage, due: str, one: bytes, other: bytes) -> str:
    """The first bit of a user's row that is not the one that is due; empty if all are."""
    wanted = bytes.fromhex(due)
    if not len(one) == len(other) == len(wanted):
        return f"{len(one)} and {len(other)} bytes, not {len(wanted)}"
    wrong = int.from_bytes(wanted, "little")
    wrong ^= int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    wrong &= (1 << (8 * len(wanted) - stage.spare)) - 1
    if not wrong:
        return ""
    at = (wrong & -wrong).bit_length() - 1
    plane, item = divmod(at, stage.bits)
    bit = wanted[at // 8] >> at % 8 & 1
    return f"plane {plane} of item {item}: {1 - bit}, not {bit}"


def _number(share: Any, stage: Stage) -> int:
    try:
        return integer(share)
    except EncodingError as error:
        raise ProtocolError(f"trace: {_name(stage.name, stage.at)}: {error}") from None


def _bytes(share: Any, stage: Stage) -> bytes:
    try:
        return bytes.fromhex(share)
    except ValueError:
        raise ProtocolError(f"trace: {_name(stage.name, stage.at)}: not hexadecimal") from None


def _leaves(value: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The entries of nested lists that are no lists, each with its place."""
    if not isinstance(value, list):
        yield place, value
        return
    for number, entry in enumerate(value):
        yield from _leaves(entry, (*place, number))
