# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals over HTTP: problem documents (RFC 9457) of the five classes of chapter 4 (PPMF-API-004).

A `Problem` is an error with the status that it is answered with. `of` says which status each class
of `PpmfError` has where nothing more is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from ppmf_spec.errors import (
    EncodingError,
    ParametersError,
    PeerError,
    PpmfError,
    RangeError,
    StateError,
)

MEDIA_TYPE = "application/problem+json"
TYPE = "tag:ppmf.invalid,2026:problems/"
"""What the type of a problem begins with; its class follows."""

STATUS: Mapping[type[PpmfError], int] = {
    EncodingError: 400,
    RangeError: 422,
    StateError: 409,
    ParametersError: 422,
    PeerError: 503,
}
"""The status of a refusal by its class, where the interface names no other one."""


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A refusal with its status and headers. The text of the error is what the caller is told."""

    def __init__(
        self, status: int, error: PpmfError, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error
        self.headers = dict(headers or {})


def busy(text: str, seconds: int, status: int = 429) -> Problem:
    """The refusal of a request that may be tried again after so many seconds (PPMF-API-008)."""
    return Problem(status, PeerError(text), {"Retry-After": str(max(1, seconds))})


def of(error: PpmfError) -> Problem:
    """The problem of a refusal that says nothing of HTTP."""
    found = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return busy(str(error), 5, found) if found == 503 else Problem(found, error)


def response(problem: Problem) -> Response:
    """The answer: type, title, status, detail, and the class of the refusal once more by itself."""
    content = {
        "type": TYPE + problem.error.kind,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": str(problem),
        "class": problem.error.kind,
    }
    return Response(json.dumps(content), problem.status, problem.headers, MEDIA_TYPE)
