# SPDX-License-Identifier: Apache-2.0
"""A proxy that loses, repeats and delays requests and answers, as a schedule says."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import httpx


class Fault(Enum):
    """What happens to one request."""

    NONE = "none"
    LOSE_REQUEST = "the request is lost"
    LOSE_ANSWER = "the answer is lost"
    TWICE = "the request arrives twice"
    LATE = "the request arrives once more, after the ones that follow"
    HELD = "the request arrives after the ones that follow, and nobody waits for its answer"
    BUSY = "the proxy refuses"
    CUT = "the answer is cut short"


class FaultyProxy(httpx.BaseTransport):
    """A proxy in front of a server. faults: one for each request; none once they are used up."""

    def __init__(self, inner: httpx.BaseTransport, faults: Iterator[Fault]) -> None:
        self._inner = inner
        self._faults = faults
        self._late: list[httpx.Request] = []
        self.acknowledged: list[bytes] = []
        """The bodies of the uploads that the user saw acknowledged."""
        self.requests: list[httpx.Request] = []
        """All requests, as the user sent them."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, if it arrives."""
        request.read()
        self.requests.append(request)
        fault = next(self._faults, Fault.NONE)
        if fault is Fault.LOSE_REQUEST:
            raise httpx.ConnectError(fault.value, request=request)
        if fault is Fault.BUSY:
            body = httpx.ByteStream(b"")
            return httpx.Response(503, headers={"Retry-After": "1"}, stream=body)
        if fault is Fault.HELD:
            self._late.append(request)
            raise httpx.ReadTimeout(fault.value, request=request)
        if fault is Fault.TWICE:
            self._inner.handle_request(request)
        answer = self._inner.handle_request(request)
        if fault is Fault.LATE:
            self._late.append(request)
        if fault is Fault.LOSE_ANSWER:
            raise httpx.ReadError(fault.value, request=request)
        if fault is Fault.CUT:
            raise httpx.RemoteProtocolError(fault.value, request=request)
        if request.method == "PUT" and answer.status_code in (200, 201):
            self.acknowledged.append(request.content)
        return answer

    def deliver_late(self) -> list[httpx.Response]:
        """Let the requests that were held back arrive, the last first."""
        found = [self._inner.handle_request(one) for one in reversed(self._late)]
        self._late.clear()
        return found
