# SPDX-License-Identifier: Apache-2.0
"""Checks of the types, routes, numbers and order of messages (chapters 4 and 5)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields

from ppmf_audit.finding import Finding
from ppmf_audit.transcript_outline import Direction, Entry
from ppmf_spec import wire
from ppmf_spec.roles import Role


def check(entries: Sequence[Entry], session_id: bytes) -> list[Finding]:
    """The findings of all checks that need no contents, on a run of that session."""
    return [
        _known(entries),
        _one_session(entries, session_id),
        _numbering(entries),
        _delivery(entries),
        _one_opening(entries),
        _lengths(entries),
    ]


def check_view(party: Role, entries: Sequence[Entry], session_id: bytes) -> list[Finding]:
    """The findings of those checks that one party's transcript alone allows."""
    checks = [_known(entries), _one_session(entries, session_id), _numbering(entries)]
    return checks if party == Role.USERS else [*checks, _one_opening(entries, (party,))]


def _known(entries: Sequence[Entry]) -> Finding:
    """Known types on their routes, so that every field has a class that may be on the wire."""
    check = "known messages and classes, on their routes"
    used: set[str] = set()
    for entry in entries:
        if entry.header is None:
            return Finding(check, False, f"{entry.where}: {entry.problem}")
        kind = entry.header.kind
        if entry.direction not in kind.routes:
            sender, receiver = entry.direction
            return Finding(check, False, f"{entry.where}: {kind.name} from {sender} to {receiver}")
        used |= {wire.FieldClass(item.metadata["class"]) for item in fields(kind)}
    return Finding(check, bool(entries), f"{len(entries):,} records, {len(used)} classes")


def _one_session(entries: Sequence[Entry], session_id: bytes) -> Finding:
    sessions = {entry.header.session for entry in entries if entry.header is not None}
    detail = next(iter(sessions)).hex()[:16] + "..." if len(sessions) == 1 else f"{len(sessions)}"
    return Finding("one session", sessions == {session_id}, detail)


def _numbering(entries: Sequence[Entry]) -> Finding:
    """Each file numbers each direction 0, 1, 2, ... anew in each epoch; epochs do not go back.

    Each user is a sender of their own, and sends one message. What follows a `resume` goes on after
    its number, also where its epoch is a larger one.
    """
    check = "numbers without gaps or repetitions"
    last: dict[tuple[str, Direction], tuple[int, int, type[wire.Message] | None]] = {}
    for entry in entries:
        if entry.header is None:
            continue
        key = (entry.owner, entry.direction)
        epoch, number, kind = last.get(key, (entry.header.epoch, -1, None))
        alone = entry.direction[0] == Role.USERS
        begins = entry.header.epoch > epoch and kind is not wire.Resume
        alone = alone or entry.header.kind is wire.Resume
        expected = 0 if alone or begins else number + 1
        if entry.header.epoch < epoch or entry.header.number != expected:
            sender, receiver = entry.direction
            return Finding(
                check,
                False,
                f"{entry.where}, {sender} to {receiver}: number {entry.header.number} of epoch "
                f"{entry.header.epoch} where {expected} was due",
            )
        last[key] = (entry.header.epoch, entry.header.number, entry.header.kind)
    return Finding(check, True, f"{len({direction for _, direction in last})} directions")


def _delivery(entries: Sequence[Entry]) -> Finding:
    """Whether all that one party recorded as sent was received, byte for byte and in order.

    The end of an interrupted epoch may be missing in either transcript.
    """
    check = "received is what was sent"
    sent: dict[tuple[Direction, int], list[Entry]] = defaultdict(list)
    received: dict[tuple[Direction, int], list[Entry]] = defaultdict(list)
    last = max((entry.header.epoch for entry in entries if entry.header is not None), default=0)
    for entry in entries:
        epoch = last if entry.header is None else entry.header.epoch
        (sent if entry.sent else received)[entry.direction, epoch].append(entry)
    for direction, epoch in sorted(sent.keys() | received.keys()):
        name = f"{direction[0]} to {direction[1]}"
        left, right = sent[direction, epoch], received[direction, epoch]
        for number, (one, other) in enumerate(zip(left, right, strict=False)):
            if one.digest != other.digest:
                return Finding(check, False, f"{name}: message {number} differs")
        if len(left) != len(right) and epoch == last:
            return Finding(check, False, f"{name}: {len(left)} sent, {len(right)} received")
    total = sum(entry.length for entry in entries if entry.sent)
    count = sum(entry.sent for entry in entries)
    return Finding(check, True, f"{count:,} messages, {total:,} bytes")


def _one_opening(
    entries: Sequence[Entry], parties: tuple[Role, ...] = (Role.CSP, Role.RECSYS)
) -> Finding:
    """One output share, from CSP to RecSys, and nothing after it.

    An epoch that was interrupted has no output share, or was interrupted after sending one; the
    next epoch sends its own.
    """
    check = "V alone is opened, once, at the end"
    last = max((entry.header.epoch for entry in entries if entry.header is not None), default=0)
    for party in parties:
        by_epoch: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.owner == party:
                by_epoch[last if entry.header is None else entry.header.epoch].append(entry)
        for epoch in range(last + 1):
            mine = by_epoch[epoch]
            opened = [position for position, entry in enumerate(mine) if _opens(entry)]
            if len(opened) != 1 and (opened or epoch == last):
                return Finding(check, False, f"{party}: {len(opened)} output shares")
            after = len(mine) - 1 - opened[0] if opened else 0
            if after:
                return Finding(check, False, f"{party}: {after} messages after the output share")
            if opened and mine[-1].direction != (Role.CSP, Role.RECSYS):
                return Finding(check, False, f"{party}: the output share goes the wrong way")
    if any(_opens(entry) for entry in entries if entry.owner == Role.USERS):
        return Finding(check, False, "users: an output share")
    return Finding(check, True, "one output share, csp to recsys")


def _opens(entry: Entry) -> bool:
    return entry.header is not None and any(
        item.metadata["class"] == wire.FieldClass.OUTPUT_SHARE for item in fields(entry.header.kind)
    )


def _lengths(entries: Sequence[Entry]) -> Finding:
    """A figure to compare: it is equal for two runs of equal public sizes, whatever the ratings."""
    return Finding("sequence of types and lengths", True, f"sha256 {length_digest(entries)[:32]}")


def length_digest(entries: Iterable[Entry]) -> str:
    """SHA-256 (hex) of (sender, receiver, type, length) of every message, direction by direction.

    Within a direction messages are in order; directions are sorted, because timing decides how two
    of them interleave.
    """
    lines: dict[Direction, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.sent:
            name = "?" if entry.header is None else entry.header.kind.name
            line = f"{entry.direction[0]} {entry.direction[1]} {name} {entry.length}\n"
            lines[entry.direction].append(line)
    text = "".join(line for direction in sorted(lines) for line in lines[direction])
    return hashlib.sha256(text.encode()).hexdigest()
