# SPDX-License-Identifier: Apache-2.0
"""Ids of users and items, and the order of rows (chapter 2, "Rows and ratings")."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ppmf_spec.errors import EncodingError, RangeError

# Control, format, surrogate and private characters, and separators. Unassigned code points (Cn) are
# allowed: which code points are unassigned depends on the version of Unicode.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"))
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]*").fullmatch


def check_id(text: str, where: str) -> None:
    """Refuse an id that is empty, padded with blanks, or holds a character one cannot see.

    `where` begins the message. The message does not repeat the id, because it is secret which items
    a user rated (PPMF-FIX-005).
    """
    # A lone surrogate is unseen too, so every id that passes has a UTF-8 form.
    unseen = any(mark != " " and unicodedata.category(mark) in _UNSEEN for mark in text)
    if not text or unseen or text != text.strip(" "):
        raise EncodingError(f"{where} is empty, padded with blanks, or has unprintable characters")


def canonical_order(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids in row order, each once (PPMF-FIX-003).

    Ascending as integers if every id is a canonical decimal integer (no leading zero, no plus
    sign, no minus zero), else ascending by UTF-8 bytes. Repeated ids are merged.
    """
    distinct = set(ids)
    if not all(map(_CANONICAL_INTEGER, distinct)):
        return tuple(sorted(distinct, key=lambda text: text.encode("utf-8")))
    # Canonical integers compare by length, then by digits: no conversion, so no limit on digits.
    negative = [text for text in distinct if text.startswith("-")]
    positive = [text for text in distinct if not text.startswith("-")]
    negative.sort(key=lambda text: (len(text), text), reverse=True)
    positive.sort(key=lambda text: (len(text), text))
    return (*negative, *positive)


def check_catalogue(ids: Iterable[str], what: str) -> tuple[str, ...]:
    """A public list of ids in row order; `what` is "user" or "item" (PPMF-FIX-003, -005).

    Raises EncodingError for an id that `check_id` refuses, RangeError for one listed twice.
    """
    listed = tuple(ids)
    seen: set[str] = set()
    for number, text in enumerate(listed, start=1):
        check_id(text, f"{what} catalogue: id number {number}")
        if text in seen:
            raise RangeError(f"{what} catalogue: id number {number}, {text}, is listed twice")
        seen.add(text)
    return canonical_order(listed)
