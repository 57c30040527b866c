# SPDX-License-Identifier: Apache-2.0
"""Counters of messages and of work, by phase."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from dataclasses import fields as fields_of

from ppmf_spec.wire import SESSION_BYTES, Message


@dataclass(slots=True)
class Tally:
    """What a run sends and does.

    sent: bytes by (party, phase). work: units of a primitive by (phase, primitive).
    """

    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    work: Counter[tuple[str, str]] = field(default_factory=Counter)
    _numbers: Counter[tuple[str, str]] = field(default_factory=Counter)

    def send(
        self,
        phase: str,
        sender: str,
        receiver: str,
        kind: type[Message],
        *lengths: int,
        integers: tuple[int, ...] = (),
    ) -> None:
        """One message of epoch 0: the lengths of its byte and text fields, its integer fields."""
        if len(lengths) + len(integers) != len(fields_of(kind)):
            raise ValueError(f"{kind.name} has other fields")
        # each user is a sender of her own, and sends one message
        number = 0 if sender == "users" else self._numbers[sender, receiver]
        self._numbers[sender, receiver] += 1
        # an array of fewer than 24 items: the name, the session, the epoch, the number, the fields
        size = 1 + _string(len(kind.name)) + _string(SESSION_BYTES) + _head(0) + _head(number)
        self.sent[sender, phase] += size + sum(map(_string, lengths)) + sum(map(_head, integers))
        self.work[phase, "messages"] += 1

    def do(self, phase: str, **work: int) -> None:
        """Units of primitives worked in a phase."""
        for primitive, amount in work.items():
            self.work[phase, primitive] += amount


def _head(value: int) -> int:
    """Bytes of a CBOR head that carries `value` (RFC 8949, section 3)."""
    for size, limit in ((1, 24), (2, 1 << 8), (3, 1 << 16), (5, 1 << 32)):
        if value < limit:
            return size
    return 9


def _string(length: int) -> int:
    return _head(length) + length
