# SPDX-License-Identifier: Apache-2.0
"""Edits of messages on their way: one message of a run is changed, lost, repeated or reordered.

The edit is the `tamper` of a case: `from`, `to` and `number` name the message, `edit` the kind of
change, and `field` and `value`, for the edit `field`, the fields and their new contents, separated
by blanks. `also` is one more edit of the same message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields, replace

from ppmf_spec import wire

Link = tuple[str, str]


class Delivery:
    """The delivery of messages, in order by link, with at most one edit (PPMF-CON-033)."""

    def __init__(self, tamper: Mapping[str, str] | None) -> None:
        self._waiting: dict[str, list[tuple[str, bytes | None]]] = defaultdict(list)
        self._tamper = tamper
        self._sent: dict[Link, int] = defaultdict(int)
        self._held: bytes | None = None

    def put(self, sender: str, receiver: str, message: bytes) -> None:
        """Accept a message as it was sent; it arrives as the edit changes it."""
        number = self._sent[sender, receiver]
        self._sent[sender, receiver] += 1
        tamper = self._tamper
        arriving: list[bytes | None] = [message]
        if tamper is not None and (sender, receiver) == (tamper["from"], tamper["to"]):
            at = int(tamper["number"])
            if number == at:
                arriving = self._edited(message, tamper)
            elif number > at and tamper["edit"] in {"gone", "leaves"}:
                arriving = []
            elif self._held is not None:
                arriving, self._held = [message, self._held], None
        self._waiting[receiver] += [(sender, one) for one in arriving]

    def leave(self, sender: str, receiver: str) -> None:
        """Let the receiver know, after all messages, that the sender is gone."""
        self._waiting[receiver].append((sender, None))

    def collect(self, receiver: str) -> list[tuple[str, bytes | None]]:
        """Take all messages that have arrived for a party; None says that a sender is gone."""
        return self._waiting.pop(receiver, [])

    def _edited(self, message: bytes, tamper: Mapping[str, str]) -> list[bytes | None]:
        match tamper["edit"]:
            case "drop":
                return []
            case "gone":
                return [None]
            case "leaves":
                return [message, None]
            case "repeat":
                return [message, message]
            case "swap":
                self._held = message
                return []
            case "extra":  # a bad upload, and then the good one: each user's has the number 0
                return [_copy(message, tamper), message]
            case "again":  # the good upload, and then a changed one
                return [message, _copy(message, tamper)]
            case "field":
                return [_copy(message, tamper)]
        return [changed(message, tamper["edit"])]


def lost(interrupt: Mapping[str, str], sender: str, receiver: str, number: int) -> bool:
    """Whether a message, by its link and number, is the one that an interruption loses, or a later
    one of the link (PPMF-CON-045).
    """
    here = (sender, receiver) == (interrupt["from"], interrupt["to"])
    return here and number >= int(interrupt["number"])


def _copy(message: bytes, tamper: Mapping[str, str]) -> bytes:
    """A copy with changed fields; without a field, with the edit that `value` names."""
    values = tamper["value"].split(" ")
    copy = message
    if tamper["field"]:
        for name, value in zip(tamper["field"].split(" "), values, strict=True):
            copy = field_changed(copy, name, value)
    else:
        copy = changed(copy, *values)
    return changed(copy, tamper["also"]) if "also" in tamper else copy


def changed(message: bytes, edit: str) -> bytes:
    """The bytes of a message after an edit that needs no value (PPMF-CON-033)."""
    envelope = wire.decode(message)
    match edit:
        case "cut":
            return message[:-1]
        case "more":
            return message + b"\0"
        case "longer":
            return message + bytes(100)
        case "session":
            return wire.encode(replace(envelope, session=envelope.session[::-1]))
        case "epoch":
            return wire.encode(replace(envelope, epoch=envelope.epoch + 1))
        case "number":
            return wire.encode(replace(envelope, number=envelope.number + 1))
        case "rename":
            other = wire.OutputShare if envelope.message.name != "output-share" else wire.Admission
            return wire.encode(replace(envelope, message=other(b"")))
    raise ValueError(f"no edit {edit!r}")


def field_changed(message: bytes, name: str, value: str) -> bytes:
    """A message in which a field is cut, lengthened, zeroed (and cut), filled, mirrored
    or replaced; of `ones-8` and `zeros-8`, the last 8 bytes alone.
    """
    envelope = wire.decode(message)
    old = getattr(envelope.message, name)
    assert name in {item.name for item in fields(envelope.message)}
    edit, _, count = value.partition("-")
    if isinstance(old, bytes | memoryview) and count:
        part = int(count)
        new: object = bytes(old)[:-part] + {"ones": b"\xff", "zeros": b"\0"}[edit] * part
    elif isinstance(old, bytes | memoryview):
        old = bytes(old)
        new = {
            "cut": old[:-1],
            "short": bytes(len(old) - 1),
            "more": old + b"\0",
            "zero": bytes(len(old)),
            "ones": b"\xff" * len(old),
            "mirrored": old[::-1],
        }[value]
    else:
        new = int(value) if isinstance(old, int) else value
    return wire.encode(replace(envelope, message=replace(envelope.message, **{name: new})))
