# SPDX-License-Identifier: Apache-2.0
"""Whether CSP could test a guess of a user's ratings (PPMF-SEC-004).

CSP knows every mask. If it got a digest of a user's masked bits, it could guess a row, mask it and
compare. The check does just that: it guesses the row without a rating and every row with one, and
looks for the masked bits, and for usual digests of them, in all that CSP received.

False alarms: a digest is found by its first 16 bytes. With 2^20 guesses and 2^40 bytes the
probability is below 2^-64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from ppmf_audit.finding import Finding
from ppmf_secure.primitives.rating_code import RatingCode, Row

CHECK = "no digest of masked bits"
_HASHES = (hashlib.sha256, hashlib.sha512, hashlib.sha3_256, hashlib.blake2b, hashlib.sha1)
_LENGTH = 16
_WORD = 8


def finding(
    code: RatingCode, items: int, masks: Sequence[bytes], received: Sequence[bytes]
) -> Finding:
    """Whether the masked bits of a guess, or a digest of them, stand in what CSP received.

    masks: those of the users, as CSP expands them. received: the messages to CSP.
    """
    rows = [
        np.frombuffer(code.plain_bits(row, items), np.uint8) for row in _short_rows(code, items)
    ]
    guesses: set[bytes] = set()
    for mask in masks:
        own = np.frombuffer(mask, dtype=np.uint8)
        for row in rows:
            masked = (row ^ own).tobytes()
            guesses.update(make(masked).digest()[:_LENGTH] for make in _HASHES)
            if len(masked) >= _LENGTH:
                guesses.add(masked[:_LENGTH])
    words = np.array(sorted({int.from_bytes(one[:_WORD], "little") for one in guesses}), np.uint64)
    hits = sum(_found(data, words, guesses) for data in received) if guesses else 0
    seen = f"{len(guesses):,} guesses, {hits} found in {len(received):,} messages"
    return Finding(CHECK, not hits, seen)


def _short_rows(code: RatingCode, items: int) -> Iterator[Row]:
    """The row without a rating, and those with one rating, from the lowest up."""
    nothing = np.zeros(0, dtype=np.int64)
    yield Row(nothing, nothing)
    for item in range(items):
        for value in range(code.least, code.least + min(code.span, 15) + 1):
            yield Row(np.array([item]), np.array([value]))


def _found(
    data: bytes, words: np.ndarray[tuple[int], np.dtype[np.uint64]], guesses: set[bytes]
) -> int:
    """How many guesses begin somewhere in the data. `words` are their first 8 bytes, sorted."""
    hits = 0
    for first in range(min(_WORD, len(data) - _WORD + 1)):
        count = (len(data) - first) // _WORD
        here = np.frombuffer(data, dtype="<u8", count=count, offset=first)
        at = np.minimum(np.searchsorted(words, here), len(words) - 1)
        for place in np.flatnonzero(words[at] == here):
            start = first + _WORD * int(place)
            hits += data[start : start + _LENGTH] in guesses
    return hits
