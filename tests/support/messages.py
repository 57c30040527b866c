# SPDX-License-Identifier: Apache-2.0
"""Messages of any kind, of which a test names the fields that it is about.

All other fields get a placeholder of their type, so that a new field of a message is added here or
nowhere.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar, get_type_hints

from ppmf_spec.wire import Bulk, Envelope, Message, encode

M = TypeVar("M", bound=Message)

SESSION = bytes(32)
OF_TYPE: dict[object, object] = {bytes: b"", Bulk: b"", int: 0, str: "1"}
OF_FIELD: dict[str, object] = {"packing": "users", "suite": "ideal"}


def message_of(kind: type[M], **chosen: Any) -> M:
    """A message with these fields, and a placeholder in every other."""
    types = get_type_hints(kind)
    placeholders = {
        field.name: OF_FIELD.get(field.name, OF_TYPE[types[field.name]]) for field in fields(kind)
    }
    return kind(**placeholders | chosen)


def encoded_message(
    kind: type[Message], *, session: bytes = SESSION, epoch: int = 0, number: int = 0, **chosen: Any
) -> bytes:
    """The bytes of such a message under a header."""
    return encode(Envelope(session, epoch, number, message_of(kind, **chosen)))
