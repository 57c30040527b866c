# SPDX-License-Identifier: Apache-2.0
"""The rows of a diagram from a list of messages: exchanges are drawn once, repetitions counted.

The module does not use the protocol. Two messages are alike if they have the same direction, name
and lengths of fields; the lengths of their headers, which grow with the number, are not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ppmf_docs.toy_training import Sent

Kind = tuple[str, str, str, tuple[tuple[str, str, int], ...]]


@dataclass(frozen=True, slots=True)
class Arrow:
    """One or more messages alike: `sent`; `both_ways` if half of them are their mirror images."""

    sent: tuple[Sent, ...]
    both_ways: bool = False

    @property
    def first(self) -> Sent:
        return self.sent[0]

    @property
    def times(self) -> int:
        """The number of messages in each direction."""
        return len(self.sent) // (2 if self.both_ways else 1)

    @property
    def kind(self) -> tuple[Kind, bool]:
        return kind(self.first), self.both_ways


@dataclass(frozen=True, slots=True)
class Loop:
    """Arrows that come `times` times in this order."""

    arrows: tuple[Arrow, ...]
    times: int


Row = Arrow | Loop


def kind(sent: Sent) -> Kind:
    """The features in which messages that are alike agree. The lengths of ids are left out."""
    fields = tuple(
        (name, of_class, 0 if name == "user" else size) for name, of_class, size in sent.fields
    )
    return sent.sender, sent.receiver, sent.name, fields


def shape(sent: Sequence[Sent]) -> tuple[Kind, ...]:
    """The kinds of the messages, by direction: what an observer sees of them."""
    return tuple(sorted((kind(one) for one in sent), key=lambda found: found[:2]))


def folded(sent: Sequence[Sent]) -> list[Row]:
    """The rows of a diagram of these messages, in order; every message is in exactly one row."""
    return _loops(_counted(_exchanges(sent)))


def _exchanges(sent: Sequence[Sent]) -> list[Arrow]:
    """Two messages in a row that are each other's mirror image become one arrow.

    Only if neither answers the other: the second was sent before the first had arrived.
    """
    arrows: list[Arrow] = []
    rest = list(sent)
    while rest:
        one = rest.pop(0)
        if rest and _mirror(kind(one)) == kind(rest[0]) and rest[0].seen <= one.number:
            arrows.append(Arrow((one, rest.pop(0)), both_ways=True))
        else:
            arrows.append(Arrow((one,)))
    return arrows


def _mirror(found: Kind) -> Kind:
    sender, receiver, name, fields = found
    return receiver, sender, name, fields


def _counted(arrows: Sequence[Arrow]) -> list[Arrow]:
    """Arrows alike in a row become one with a count; of an exchange either party may be first."""
    found: list[Arrow] = []
    for arrow in arrows:
        if found and _alike(found[-1], arrow):
            found[-1] = Arrow(found[-1].sent + arrow.sent, arrow.both_ways)
        else:
            found.append(arrow)
    return found


def _alike(one: Arrow, other: Arrow) -> bool:
    if one.both_ways and other.both_ways and one.kind != other.kind:
        return _mirror(kind(one.first)) == kind(other.first)
    return one.kind == other.kind


def _loops(arrows: Sequence[Arrow]) -> list[Row]:
    """Stretches that repeat become loops; at each place the one that covers most arrows."""
    rows: list[Row] = []
    at = 0
    while at < len(arrows):
        best = Loop((arrows[at],), 1)
        for period in range(2, (len(arrows) - at) // 2 + 1):
            times = 1
            while _same(arrows, at, at + times * period, period):
                times += 1
            if times > 1 and times * period > best.times * len(best.arrows):
                best = Loop(_together(arrows[at : at + times * period], period), times)
        rows.append(best if best.times > 1 else arrows[at])
        at += best.times * len(best.arrows)
    return rows


def _same(arrows: Sequence[Arrow], one: int, other: int, period: int) -> bool:
    if other + period > len(arrows):
        return False
    stretches = zip(arrows[one : one + period], arrows[other : other + period], strict=True)
    return all(_alike(a, b) and a.times == b.times for a, b in stretches)


def _together(arrows: Sequence[Arrow], period: int) -> tuple[Arrow, ...]:
    """The arrows of a loop's body, each with the messages of all rounds."""
    return tuple(
        Arrow(
            tuple(sent for arrow in arrows[first::period] for sent in arrow.sent),
            arrows[first].both_ways,
        )
        for first in range(period)
    )
