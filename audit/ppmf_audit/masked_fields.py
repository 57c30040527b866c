# SPDX-License-Identifier: Apache-2.0
"""Checks that masked fields, transfers, garbled tables and labels look uniform and never repeat."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ppmf_audit import uniformity
from ppmf_audit.finding import Finding
from ppmf_audit.transcript_outline import Direction
from ppmf_spec import wire

CLASSES = (
    wire.FieldClass.MASKED,
    wire.FieldClass.OT,
    wire.FieldClass.GARBLED_TABLE,
    wire.FieldClass.LABEL,
)
FALSE_ALARM = 2.0**-30
"""The largest probability that an audit of a faultless run finds bytes that look not uniform."""

_FRESH_BYTES = 24
"""The least length in bytes of a field that cannot repeat by chance."""

Name = tuple[str, str, Direction]
"""Class, message.field, direction."""


@dataclass(slots=True)
class Masks:
    """The checks of all masked fields of a run; every message is added in the order of sending."""

    streams: dict[Name, uniformity.Stream] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)
    repeated: str = ""

    def add(self, direction: Direction, message: wire.Message) -> None:
        """Count the fields of a message whose bytes must look uniform."""
        for name, field_class, value in message.fields_with_class():
            if field_class not in CLASSES or not isinstance(value, bytes):
                continue
            what = f"{message.name}.{name}"
            key = (str(field_class), what, direction)
            self.streams.setdefault(key, uniformity.Stream()).add(value)
            if len(value) >= _FRESH_BYTES:
                digest = hashlib.sha256(value).digest()
                if digest in self.seen:
                    where = f"{what}, {direction[0]} to {direction[1]}"
                    self.repeated = self.repeated or f"{where}: a field is repeated"
                self.seen.add(digest)

    def findings(self) -> list[Finding]:
        """The findings, one for each stream, after all messages were added."""
        tests = uniformity.TESTS * max(1, len(self.streams))
        found = [
            Finding("no masked field repeated", not self.repeated, self.repeated or _fields(self))
        ]
        for field_class, what, (sender, receiver) in sorted(self.streams):
            stream = self.streams[field_class, what, (sender, receiver)]
            check = f"{what} looks uniform ({field_class})"
            failed = uniformity.suspicious(stream, FALSE_ALARM / tests)
            seen = f"{sender} to {receiver}, {stream.size:,} bytes"
            if failed:
                seen += f": not uniform in {', '.join(failed[:3])}"
            elif stream.size < uniformity.MIN_BYTES:
                seen += ": too few to tell"
            found.append(Finding(check, not failed, seen))
        return found


def _fields(masks: Masks) -> str:
    return f"{len(masks.seen):,} fields"
