# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for users over HTTP, at RecSys (chapter 8, "The page for users")."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ppmf_service.api.problems import Problem
from ppmf_service.config import ServerConfig
from ppmf_service.page import TITLES, TITLES_FORMAT, PageFile, page_files
from ppmf_spec.errors import RangeError

_ASK_AGAIN = "no-cache"
"""A browser may keep a file, and asks whether it has changed: a mended page is used at once."""

_NO_TITLES = f'{{"format": "{TITLES_FORMAT}", "titles": {{}}}}'.encode()


class PageRoute(Route):
    """A route for browsers, which the description of the interface for programs does not have."""


def page_routes(config: ServerConfig) -> list[PageRoute]:
    """The routes of the page of a RecSys."""
    page = _Page(config)
    return [
        PageRoute("/", page.get_file),
        PageRoute("/service-worker.js", page.get_file),
        PageRoute(f"/{TITLES}", page.get_titles),
        PageRoute("/page/{path:path}", page.get_file),
    ]


class _Page:
    """The answers with the page's files."""

    def __init__(self, config: ServerConfig) -> None:
        self._files = page_files()
        self._titles = config.folder / TITLES
        self._headers = {
            "Cache-Control": _ASK_AGAIN,
            "Content-Security-Policy": security_policy(config.link.peer_url),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }

    async def get_file(self, request: Request) -> Response:
        """A file of the page, or nothing if the browser has it."""
        found = self._files.get(request.url.path.lstrip("/"))
        if found is None:
            raise Problem(404, RangeError("there is nothing at this path"))
        return self._answer(request, found)

    async def get_titles(self, request: Request) -> Response:
        """The titles that the operator has given (`ppmf session titles`), if there are any."""
        found = await to_thread.run_sync(_stamp, self._titles)
        if found is None:
            return Response(_NO_TITLES, 200, self._headers, "application/json")
        headers = {**self._headers, "ETag": f'"{found}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, 304, headers)
        return FileResponse(self._titles, 200, headers, "application/json")

    def _answer(self, request: Request, found: PageFile) -> Response:
        headers = {**self._headers, "ETag": f'"{found.tag}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, 304, headers)
        return Response(found.content, 200, {**headers, "Content-Type": found.media_type})


def security_policy(peer_url: str) -> str:
    """The policy by which the page may ask RecSys, and CSP for sessions, and nobody else
    (PPMF-PAGE-004).

    peer_url: under what users reach CSP, "" if nobody does.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"connect-src 'self' {_source(peer_url)}".rstrip(),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types ppmf",
        )
    )


def page_reaches(peer_url: str) -> bool:
    """Whether a page can be let to CSP: a policy can name no address of IPv6, and a browser passes
    over one that it names.

    >>> page_reaches("https://csp.example"), page_reaches("https://[2001:db8::1]:8444")
    (True, False)
    """
    return "[" not in urlsplit(peer_url).netloc


def _source(url: str) -> str:
    """Where CSP's sessions are, with the marks escaped that divide a policy; "" where a policy can
    name it in no way but one that lets the page reach everybody (PPMF-PAGE-012).
    """
    if not url or not page_reaches(url):
        return ""
    parts = urlsplit(url)
    path = parts.path.replace(";", "%3B").replace(",", "%2C")
    return f"{parts.scheme}://{parts.netloc}{path}/v1/sessions/"


def _stamp(path: Path) -> str | None:
    """By which it is known whether a file has changed; None if it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return f"{found.st_mtime_ns:x}-{found.st_size:x}"
