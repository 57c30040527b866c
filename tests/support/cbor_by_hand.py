# SPDX-License-Identifier: Apache-2.0
"""The deterministic encoding of CBOR, written from RFC 8949, section 4.2.1, without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def by_hand(value: object) -> bytes:
    """The one encoding of integers, byte strings, texts, booleans, arrays and maps."""
    match value:
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case Mapping():
            entries = sorted((by_hand(key), by_hand(item)) for key, item in value.items())
            return _head(5, len(value)) + b"".join(key + item for key, item in entries)
        case Sequence():
            return _head(4, len(value)) + b"".join(map(by_hand, value))
    raise TypeError(value)


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for extra, size in enumerate((1, 2, 4, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | 24 + extra]) + argument.to_bytes(size, "big")
    raise ValueError(argument)
