# SPDX-License-Identifier: Apache-2.0
"""The description in OpenAPI is the one of the applications: paths, methods, statuses, bodies."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

import ppmf_service.api
from ppmf_service.api.page_routes import PageRoute
from ppmf_spec.roles import CSP, RECSYS
from tests.support.every_answer import every_answer
from tests.support.open_api import Description
from tests.support.served import Served, served

FILE = Path(ppmf_service.api.__file__).with_name("openapi.yaml")


@pytest.fixture(scope="module")
def described() -> Description:
    return Description(FILE)


@pytest.mark.req("PPMF-API-003")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_the_routes_are_those_described(servers: Served, described: Description, role: Any) -> None:
    app = servers.apps[role]
    assert isinstance(app, Starlette)
    found = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route) and not isinstance(route, PageRoute)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert found == set(described.operations(role))


def test_every_status_is_answered_as_described(tmp_path: Path, described: Description) -> None:
    """A run in which every operation is answered with every status that the description names."""
    seen: dict[tuple[str, str], set[int]] = defaultdict(set)
    with served(tmp_path, most_under_way=1) as servers:
        for answer in every_answer(servers):
            path = _pattern(answer.request.url.path)
            method = answer.request.method
            described.check(path, method, answer)
            seen[path, method].add(answer.status_code)
    for path, method in described.operations(RECSYS):
        never = {429} if path == "/healthz" else set()
        assert seen[path, method] | never >= described.statuses(path, method), (path, method)
        assert seen[path, method] <= described.statuses(path, method)


def _pattern(path: str) -> str:
    parts = path.split("/")
    for at, name in ((3, "{session}"), (5, "{row}")):
        if len(parts) > at:
            parts[at] = name
    return "/".join(parts)
