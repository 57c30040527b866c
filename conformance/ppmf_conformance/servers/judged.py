# SPDX-License-Identifier: Apache-2.0
"""What an answer of a server has to be, whatever was asked: its status, its form, its headers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ppmf_conformance import json_text
from ppmf_conformance.servers.calls import Answer
from ppmf_conformance.visible_text import visible
from ppmf_spec.errors import KINDS, EncodingError

CBOR = "application/cbor"
JSON = "application/json"
PROBLEM = "application/problem+json"
TYPE = "tag:ppmf.invalid,2026:problems/"
"""What the type of a problem document begins with (PPMF-API-004)."""

_CLASSES = frozenset(kind.kind for kind in KINDS)
_MEMBERS = frozenset({"type", "title", "status", "detail", "class"})
_RECEIPT = frozenset({"format", "serial", "digest", "withdrawn", "admitted"})
_YEAR = 31_536_000
_AGE = re.compile(r"max-age=([0-9]{1,12})")
_HEX = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_MOST_SERIAL = (1 << 64) - 1


class WrongError(Exception):
    """An answer that is not the one that is due; `str()` says in what."""


class NotSeenError(Exception):
    """What a check is about cannot be seen at this server, now; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a server says that it has of a user (PPMF-API-013). digest: hexadecimal, or None."""

    serial: int
    digest: str | None
    withdrawn: bool
    admitted: bool | None


def demand(held: object, what: str) -> None:
    """Raise WrongError, with what is wrong, unless that holds."""
    if not held:
        raise WrongError(what)


def status(answer: Answer, *due: int) -> None:
    """Require one of these statuses."""
    wanted = " or ".join(map(str, due))
    demand(answer.status in due, f"status {answer.status}, not {wanted}")


def problem(answer: Answer, due: int, kind: str) -> str:
    """Require a refusal of that status and class; its detail (PPMF-API-004)."""
    status(answer, due)
    demand(answer.media_type == PROBLEM, f"no {PROBLEM}: {visible(answer.media_type)}")
    content = object_of(answer.body)
    demand(content.keys() == _MEMBERS, f"members {sorted(map(visible, content))}")
    found, detail = content["class"], content["detail"]
    demand(isinstance(found, str) and found in _CLASSES, f"class {visible(str(found))}")
    demand(found == kind, f"class {found}, not {kind}")
    demand(content["type"] == TYPE + kind, f"type {visible(str(content['type']))}")
    demand(content["status"] == due, f"member status {visible(str(content['status']))}, not {due}")
    demand(isinstance(content["title"], str), "a title that is no text")
    demand(
        isinstance(detail, str) and detail and detail.isprintable(),
        "a detail that is no line of text",
    )
    return str(detail)


def come_again(answer: Answer) -> int:
    """Require a refusal for now; the seconds of its `Retry-After` (PPMF-API-008)."""
    problem(answer, answer.status, "peer")
    after = answer.one("retry-after")
    demand(_SECONDS.fullmatch(after), f"Retry-After: {visible(after)!r} where seconds are due")
    return int(after)


def object_of(body: bytes) -> dict[str, Any]:
    """Require a JSON object."""
    try:
        found = json_text.loads(body, "answer")
    except (EncodingError, ValueError, RecursionError):
        raise WrongError("no JSON") from None
    if not isinstance(found, dict):
        raise WrongError("no JSON object")
    return found


def json_of(answer: Answer, kind: str, members: set[str]) -> dict[str, Any]:
    """Require a JSON object of that format, with these members beside it."""
    status(answer, 200, 201)
    demand(answer.media_type == JSON, f"no {JSON}: {visible(answer.media_type)}")
    content = object_of(answer.body)
    demand(content.keys() == members | {"format"}, f"members {sorted(map(visible, content))}")
    found = content["format"]
    demand(found == kind, f"format {visible(str(found))}, not {kind}")
    return content


def for_ever(answer: Answer) -> None:
    """Require an answer that may be kept without end."""
    found = answer.one("cache-control").lower()
    age = _AGE.search(found)
    held = age is not None and int(age[1]) >= _YEAR
    held = held and not any(word in found for word in ("no-store", "no-cache", "private"))
    demand(held, f"Cache-Control: {visible(found)!r}, which does not let it be kept")


def never_kept(answer: Answer) -> None:
    """Require an answer that must not be kept."""
    found = answer.one("cache-control").lower()
    demand("no-store" in found, f"Cache-Control: {visible(found)!r}, which lets it be kept")


def receipt(answer: Answer) -> Receipt:
    """Require a receipt (PPMF-API-013)."""
    content = json_of(answer, "ppmf-receipt/1", set(_RECEIPT - {"format"}))
    serial, digest = content["serial"], content["digest"]
    withdrawn, admitted = content["withdrawn"], content["admitted"]
    demand(type(serial) is int and 1 <= serial <= _MOST_SERIAL, "a serial that is none")
    text = isinstance(digest, str) and _HEX.fullmatch(digest)
    demand(digest is None or text, "a digest that is none")
    demand(type(withdrawn) is bool, "withdrawn is neither true nor false")
    demand(admitted is None or type(admitted) is bool, "admitted is not null, true or false")
    demand(digest is None or not withdrawn, "a digest of what was withdrawn")
    never_kept(answer)
    return Receipt(serial, digest, withdrawn, admitted)
