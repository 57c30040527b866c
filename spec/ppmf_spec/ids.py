# SPDX-License-Identifier: Apache-2.0
"""Ids of users and items, and the order of rows (chapter 2, "Rows and ratings")."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable

from ppmf_spec.errors import EncodingError, RangeError

_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000\ud800-\uf8ff\ufeff\ufff9-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0001\U000e0020-\U000e007f\U000f0000-\U000ffffd\U00100000-\U0010fffd]"
).search
"""A character that no id has: the list of PPMF-FIX-005, not what this Python's Unicode says, and
surrogates, so that every id has a UTF-8 form."""

_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]*").fullmatch


def check_id(text: str, where: str) -> None:
    """Refuse an id that is empty, padded with blanks, or holds a character one cannot see.

    `where` begins the message. The message does not repeat the id, because it is secret which items
    a user rated (PPMF-FIX-005).
    """
    if not text or _HIDDEN(text) or text != text.strip(" "):
        raise EncodingError(f"{where} is empty, padded with blanks, or has unprintable characters")


def id_text(given: object, where: str) -> str:
    """An id as text: text as it is, and an integer of any library in decimal digits.

    Raises EncodingError, which begins with `where`, for anything else: 1.0 and "1" would be two
    ids, and True none.
    """
    if isinstance(given, str):
        return str(given)
    if not isinstance(given, bool):
        try:
            return str(operator.index(given))  # type: ignore[arg-type]
        except (TypeError, ValueError):  # ValueError: more digits than Python converts
            pass
    raise EncodingError(f"{where} is of type {type(given).__name__}; ids are text or integers")


def id_texts(given: Iterable[object], where: str) -> tuple[str, ...]:
    """Every id of a list, tuple, array or column as text; `where` names the ids in a message.

    Raises EncodingError for what is no such series: a text, a table, a single number.
    """
    if isinstance(given, tuple | list) and all(type(each) is str for each in given):
        return tuple(given)
    if isinstance(given, str | bytes) or hasattr(given, "columns") or not _iterable(given):
        raise EncodingError(f"{where}: {type(given).__name__} where a list of ids belongs")
    return tuple(
        id_text(each, f"{where}: id number {number}") for number, each in enumerate(given, start=1)
    )


def _iterable(given: object) -> bool:
    try:
        iter(given)  # type: ignore[call-overload]
    except TypeError:  # a zero-dimensional array too
        return False
    return True


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


def in_canonical_order(ids: tuple[str, ...]) -> bool:
    """Whether these ids are in row order and none is there twice, as `canonical_order` has them.

    A list that somebody else made may be long, and is not sorted to see this. Texts of Unicode
    compare by their code points, and so as their UTF-8 bytes do.
    """
    if not all(map(_CANONICAL_INTEGER, ids)):
        return all(map(operator.lt, ids, ids[1:]))
    negative = next((at for at, text in enumerate(ids) if text[0] != "-"), len(ids))
    if any(text[0] == "-" for text in ids[negative:]):
        return False
    falling = [(len(text), text) for text in ids[:negative]]
    rising = [(len(text), text) for text in ids[negative:]]
    return all(map(operator.gt, falling, falling[1:])) and all(map(operator.lt, rising, rising[1:]))


def check_catalogue(ids: Iterable[object], what: str) -> tuple[str, ...]:
    """A public list of ids in row order; `what` is "user" or "item" (PPMF-FIX-003, -005).

    Integers are ids in decimal digits. Raises EncodingError for an id that `id_text` or `check_id`
    refuses, RangeError for one listed twice.
    """
    listed = id_texts(ids, f"{what} catalogue")
    seen: set[str] = set()
    for number, text in enumerate(listed, start=1):
        check_id(text, f"{what} catalogue: id number {number}")
        if text in seen:
            raise RangeError(f"{what} catalogue: id number {number}, {text}, is listed twice")
        seen.add(text)
    return canonical_order(listed)
