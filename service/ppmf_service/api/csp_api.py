# SPDX-License-Identifier: GPL-3.0-or-later
"""CSP's interface: it publishes sessions, which users compare with those of RecSys (PPMF-API-010).

A page that RecSys serves has to be able to ask it, hence the header that lets any page do so; there
is nothing here that one caller may see and another may not.
"""

from __future__ import annotations

from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ppmf_service.api.envelope import MOST_UNDER_WAY, READERS, application
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.published import healthy, session_file
from ppmf_service.clock import Clock
from ppmf_service.config import ServerConfig
from ppmf_service.database import Database

ANY_PAGE = {"Access-Control-Allow-Origin": "*"}


def csp_app(
    config: ServerConfig,
    database: Database,
    clock: Clock,
    metrics: Metrics | None = None,
    *,
    most_under_way: int = MOST_UNDER_WAY,
) -> Starlette:
    """CSP's application. metrics: where it counts."""
    del clock
    reading = CapacityLimiter(READERS)

    async def get_session(request: Request) -> Response:
        """The file of a session, with both signatures."""
        call = partial(session_file, database, request, ANY_PAGE)
        return await to_thread.run_sync(call, limiter=reading)

    return application(
        [Route("/healthz", healthy), Route("/v1/sessions/{session}", get_session)],
        metrics or Metrics(),
        most_under_way,
        config.api.proxy,
    )
