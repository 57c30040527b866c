# SPDX-License-Identifier: Apache-2.0
"""The part of CBOR that the project uses, read strictly: unsigned integers, byte strings, texts and
arrays, each in its one shortest form (PPMF-WIR-002, -010).

A general decoder does what the bytes ask of it before anybody can look at the result: it computes
bignums and fractions, fills tables with keys that collide, and nests lists as deep as its memory
allows. This one looks at each head, refuses whatever is not of the four kinds, and bounds depth and
number of items. Since no other form is accepted, nothing has to be encoded again to see whether the
bytes were canonical. Byte strings are views of the given bytes, and are not copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ppmf_spec.errors import EncodingError

Item: TypeAlias = "int | str | memoryview | list[Item]"
Encodable: TypeAlias = "int | str | bytes | memoryview | Sequence[Encodable]"

_UNSIGNED, _BYTES, _TEXT, _ARRAY = 0, 2, 3, 4
_EMPTY_TEXT = 32 * _TEXT
"""The head of a text of no bytes; those of up to 23 bytes follow it."""

_REFUSED = {1: "a negative integer", 5: "a map", 6: "a tag", 7: "a float or simple value"}
_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}
"""By the lowest five bits of a head, the bytes of the argument that follows it."""


def decode(data: bytes | memoryview, *, depth: int = 1, items: int = 32) -> Item:
    """The one item that the bytes are.

    depth: how many arrays may stand in one another. items: how many items there may be in all.
    Raises EncodingError, which names the place, for anything else (PPMF-WIR-003, -010).
    """
    item, end = decode_next(data, 0, depth=depth, items=items)
    if end != len(data):
        raise EncodingError(f"byte {end}: bytes after the end")
    return item


def decode_next(
    data: bytes | memoryview, at: int, *, depth: int = 1, items: int = 32
) -> tuple[Item, int]:
    """The item that begins at the place `at`, and the place after it; limits as in `decode`."""
    reader = _Reader(memoryview(data), at, items)
    return reader.item(depth), reader.at


class _Reader:
    """A place in bytes, and the number of items that may still be read."""

    def __init__(self, data: memoryview, at: int, items: int) -> None:
        self._data = data
        self._left = items
        self.at = at

    def item(self, depth: int) -> Item:
        """The next item, in which `depth` arrays may stand in one another."""
        start = self.at
        if not self._left:
            raise EncodingError(f"byte {start}: more items than there can be")
        self._left -= 1
        kind, argument = self._head()
        if kind == _UNSIGNED:
            return argument
        if kind == _ARRAY:
            if not depth:
                raise EncodingError(f"byte {start}: an array where none can be")
            if argument > self._left:  # before a list of that many is begun
                raise EncodingError(f"byte {start}: more items than there can be")
            return self._items(argument, depth - 1)
        body = self._data[self.at : self.at + argument]
        if len(body) != argument:
            raise EncodingError(f"byte {start}: cut short")
        self.at += argument
        if kind == _BYTES:
            return body
        try:
            return str(body, "utf-8")
        except UnicodeDecodeError:
            raise EncodingError(f"byte {start}: a text that is not UTF-8") from None

    def _items(self, count: int, depth: int) -> list[Item]:
        """So many items. Short texts are read here: lists of ids have a great many of them, which a
        peer may send to keep this server busy.
        """
        data, end = self._data, len(self._data)
        found: list[Item] = []
        for _ in range(count):
            at = self.at
            size = data[at] - _EMPTY_TEXT if at < end else -1
            after = at + 1 + size
            if not (0 <= size < 24 and after <= end and self._left):
                found.append(self.item(depth))
                continue
            self._left -= 1
            self.at = after
            try:
                found.append(str(data[at + 1 : after], "utf-8"))
            except UnicodeDecodeError:
                raise EncodingError(f"byte {at}: a text that is not UTF-8") from None
        return found

    def _head(self) -> tuple[int, int]:
        """The kind of the next item, and its value, length or number of items."""
        start = self.at
        if start >= len(self._data):
            raise EncodingError(f"byte {start}: cut short")
        kind, argument = divmod(self._data[start], 32)
        if kind in _REFUSED:
            raise EncodingError(f"byte {start}: {_REFUSED[kind]}")
        self.at = start + 1
        if argument < 24:
            return kind, argument
        if argument not in _SIZES:
            raise EncodingError(f"byte {start}: an indefinite or reserved length")
        size = _SIZES[argument]
        self.at += size
        if self.at > len(self._data):
            raise EncodingError(f"byte {start}: cut short")
        value = int.from_bytes(self._data[start + 1 : self.at], "big")
        if value < (24 if size == 1 else 1 << 4 * size):
            raise EncodingError(f"byte {start}: not in shortest form")
        return kind, value


def encode(value: Encodable) -> bytes:
    """The bytes of an item. Raises OverflowError for an integer outside [0, 2^64)."""
    return b"".join(pieces_of(value))


def pieces_of(value: Encodable) -> list[bytes | memoryview]:
    """The bytes of an item in pieces: those of a byte string are not copied. Raises as `encode`."""
    pieces: list[bytes | memoryview] = []
    _encode(value, pieces)
    return pieces


def head_of_bytes(length: int) -> bytes:
    """The bytes before those of a byte string of that length."""
    return _head_of(_BYTES, length)


def _encode(value: Encodable, pieces: list[bytes | memoryview]) -> None:
    match value:
        case int():
            pieces.append(_head_of(_UNSIGNED, value))
        case str():
            text = value.encode()
            pieces += [_head_of(_TEXT, len(text)), text]
        case bytes() | memoryview():
            pieces += [_head_of(_BYTES, len(value)), value]
        case _:
            pieces.append(_head_of(_ARRAY, len(value)))
            for item in value:
                _encode(item, pieces)


def _head_of(kind: int, argument: int) -> bytes:
    if argument < 0:
        raise OverflowError("a negative integer")
    if argument < 24:
        return bytes([kind * 32 + argument])
    for low, size in _SIZES.items():
        if argument < 1 << 8 * size:
            return bytes([kind * 32 + low]) + argument.to_bytes(size, "big")
    raise OverflowError("an integer of more than 64 bits")
