# SPDX-License-Identifier: Apache-2.0
"""The operations of `ppmf_spec`, which the oracle and the secure implementation share."""

from __future__ import annotations

from typing import Any, get_type_hints

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_spec import profiles as profile_files
from ppmf_spec import wire, words
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters


def validate(given: Given) -> dict[str, Any]:
    """`params.validate`: the canonical text of a set, and its digest."""
    return _named(values.parameters(given["parameters"]))


def toml(given: Given) -> dict[str, Any]:
    """`params.toml`: the same, from a TOML document."""
    return _named(Parameters.from_toml(given["toml"]))


def _named(params: Parameters) -> dict[str, Any]:
    return {"canonical": params.to_toml(), "digest": params.digest().hex()}


def bound(given: Given) -> dict[str, Any]:
    """`params.bound`: the bound before the shift, or the refusal of a run that does not fit."""
    params = values.parameters(given["parameters"])
    found = bounds(params, values.integer(given["users"]), values.integer(given["items"]))
    return {
        "bound": str(found.bound),
        "width": str(found.z_bits),
        "ring": str(found.ring_bits),
    }


def warn(given: Given) -> dict[str, Any]:
    """`params.warn`: whether some count of ratings leaves a row that cannot move."""
    params = values.parameters(given["parameters"])
    found = bounds(params, values.integer(given["users"]), values.integer(given["items"]))
    return {"idle": bool(found.warnings)}


def ratings_parse(given: Given) -> dict[str, Any]:
    """`ratings.parse`: lists in row order, and each rating as row, column and integer."""
    found = values.ratings(given, values.parameters(given["parameters"]))
    cells = zip(found.user.tolist(), found.item.tolist(), found.value.tolist(), strict=True)
    return {"users": found.users, "items": found.items, "values": values.shown(cells)}


def rounded(given: Given) -> dict[str, Any]:
    """`words.round`: the integer nearest to a fraction."""
    value = words.round_half_up(values.integer(given["a"]), values.integer(given["b"]))
    return {"value": str(value)}


def profiles_write(given: Given) -> dict[str, Any]:
    """`profiles.write`: the file's text."""
    return {"text": profile_files.dumps(values.profiles(given["profiles"]))}


def profiles_read(given: Given) -> dict[str, Any]:
    """`profiles.read`: what a file's text holds."""
    return {"profiles": values.profiles_shown(profile_files.loads(given["text"]))}


def wire_encode(given: Given) -> dict[str, Any]:
    """`wire.encode`: the bytes of a message, unless no message has such a header or field
    (PPMF-CON-046).
    """
    kind = wire.MESSAGES[given["name"]]
    hints = get_type_hints(kind)
    fields = {
        name: bytes.fromhex(value)
        if hints[name] in {bytes, wire.Bulk}
        else _number(value)
        if hints[name] is int
        else value
        for name, value in given["fields"].items()
    }
    session = bytes.fromhex(given["session"])
    if len(session) != wire.SESSION_BYTES:
        raise EncodingError(f"session: {len(session)} bytes, not {wire.SESSION_BYTES}")
    epoch, number = _number(given["epoch"]), _number(given["number"])
    envelope = wire.Envelope(session, epoch, number, kind(**fields))
    return {"bytes": wire.encode(envelope).hex()}


def _number(text: str) -> int:
    """A number of a message. Raises EncodingError for one that is not below 2^64."""
    found = values.integer(text)
    if not 0 <= found < 1 << 64:
        raise EncodingError(f"{found}: a message holds numbers from 0 to 2^64 - 1")
    return found


def wire_decode(given: Given) -> dict[str, Any]:
    """`wire.decode`: what the bytes of a message say, or the refusal."""
    envelope = wire.decode(_bytes(given["bytes"]))
    fields = {name: value for name, _, value in envelope.message.fields_with_class()}
    return {
        "name": envelope.message.name,
        "session": envelope.session.hex(),
        "epoch": str(envelope.epoch),
        "number": str(envelope.number),
        "fields": values.shown(fields),
    }


def wire_receive(given: Given) -> dict[str, Any]:
    """`wire.receive`: take messages of one direction in turn, each of the type that is due."""
    session, epoch = bytes.fromhex(given["session"]), values.integer(given["epoch"])
    link = wire.Link(session, epoch, given["sender"], given["receiver"])
    for due, message in zip(given["due"], given["messages"], strict=True):
        link.decode(_bytes(message), wire.MESSAGES[due])
    return {"accepted": str(len(given["messages"]))}


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise EncodingError("not bytes in hexadecimal") from None


OPERATIONS: dict[str, Operation] = {
    "params.validate": validate,
    "params.toml": toml,
    "params.bound": bound,
    "params.warn": warn,
    "ratings.parse": ratings_parse,
    "words.round": rounded,
    "profiles.write": profiles_write,
    "profiles.read": profiles_read,
    "wire.encode": wire_encode,
    "wire.decode": wire_decode,
    "wire.receive": wire_receive,
}
