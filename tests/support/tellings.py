# SPDX-License-Identifier: Apache-2.0
"""Texts that are searched for secret bytes, of which there may be very many.

Every part of a text that may be bytes is read as bytes: hexadecimal, base64, lists of numbers,
whole words in decimal, and literals of Python. A secret is found where fifteen of its bytes stand
together, in whatever way.
"""

from __future__ import annotations

import ast
import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

PIECE = 8
"""The bytes that are compared at once."""

_HEX = re.compile(r"[0-9a-f]{16,}|[0-9A-F]{16,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{11,}|[A-Za-z0-9_-]{11,}")
_NUMBERS = re.compile(r"\d{1,3}(?:[,; ]+\d{1,3}){7,}")
_WORDS = re.compile(r"-?\d{12,20}")
_LITERALS = re.compile(r"b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\"")
_FEW = 3
"""A piece of so few different bytes is a filling or a small number, and nobody's secret."""


class Secrets:
    """Bytes that must not be told. public: bytes that may be, also where a secret has them."""

    def __init__(self, secrets: Iterable[bytes], public: Iterable[bytes] = ()) -> None:
        self._pieces = {
            one[at : at + PIECE]
            for one in secrets
            for at in range(0, len(one) - PIECE + 1, PIECE)
            if _secret(one[at : at + PIECE])
        }
        for one in public:
            self._pieces -= {one[at : at + PIECE] for at in range(len(one) - PIECE + 1)}

    def __len__(self) -> int:
        return len(self._pieces)

    def found(self, text: str) -> list[str]:
        """The pieces, in hexadecimal, that a text tells."""
        return sorted(
            {
                data[at : at + PIECE].hex()
                for data in _read(text)
                for at in range(len(data) - PIECE + 1)
                if data[at : at + PIECE] in self._pieces
            }
        )


def _secret(piece: bytes) -> bool:
    return len(set(piece)) > _FEW and not (piece.isascii() and piece.decode().isprintable())


def _read(text: str) -> Iterator[bytes]:
    """What a text may hold as bytes."""
    yield text.encode("utf-8", "surrogateescape")
    for run in _HEX.findall(text):
        for begin in (0, 1):
            even = run[begin : begin + (len(run) - begin) // 2 * 2]
            yield bytes.fromhex(even)
    for run in _BASE64.findall(text):
        plain = run.replace("-", "+").replace("_", "/")
        for begin in range(4):
            part = plain[begin : begin + (len(plain) - begin) // 4 * 4]
            with suppress(binascii.Error):
                yield base64.b64decode(part)
    for run in _NUMBERS.findall(text):
        numbers = [int(one) for one in re.findall(r"\d+", run)]
        yield bytes(one if one < 256 else 0 for one in numbers)
    for run in _WORDS.findall(text):
        word = int(run) % (1 << 64)
        yield word.to_bytes(8, "little")
        yield word.to_bytes(8, "big")
    for run in _LITERALS.findall(text):
        with suppress(SyntaxError, ValueError):
            yield ast.literal_eval(run)
