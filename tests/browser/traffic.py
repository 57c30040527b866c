# SPDX-License-Identifier: Apache-2.0
"""What a browser may send on behalf of the page, and nothing else (chapter 8, "The page for
users").

The check is of a closed world: `breaches` knows each request that the page has to make, by method,
path, query, names and values of headers, and body. Whatever else was sent is a breach, whether it
looks like ratings or not. On top of it no request may contain one of the texts that are secret.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from ppmf_secure.session.enrolment import write_code
from ppmf_secure.session.invitations import Invitation
from ppmf_secure.session.session import Session
from ppmf_service.uploads import read_upload
from ppmf_spec.errors import PpmfError
from tests.browser.recording_proxy import Exchange

_PAGE_FILE = re.compile(
    r"/|/service-worker\.js|/titles\.json|/page/[a-z0-9_/-]+\.(css|js|json|mjs|svg)"
)
_SESSION = re.compile(r"/v1/sessions/([0-9a-f]{64})(/status|/profiles|/uploads/(\d+))?")
_SERIAL = re.compile(r"serial=[1-9][0-9]{0,18}")

_TYPE = (
    r"(\*|text|image|application)/"
    r"(\*|html|css|json|cbor|(xhtml\+|svg\+)?xml|jxl|avif|webp|apng|signed-exchange)"
    r"(;q=0\.\d|;v=b\d)*"
)

_HEADERS = {
    "host": r"127\.0\.0\.1:\d+",
    "connection": r"keep-alive",
    "proxy-connection": r"keep-alive",
    "user-agent": r"Mozilla/5\.0 [ -~]{1,120}",
    "accept": rf"{_TYPE}(,{_TYPE})*",
    "accept-encoding": r"gzip, deflate(, br)?(, zstd)?|identity(;q=1, \*;q=0)?",
    "accept-language": r"en-US(,en;q=0\.9)?",
    "cache-control": r"no-cache|max-age=0",
    "pragma": r"no-cache",
    "priority": r"[ui=0-9, ]+",
    "purpose": r"prefetch",
    "upgrade-insecure-requests": r"1",
    "service-worker": r"script",
    "sec-fetch-site": r"same-origin|same-site|none",
    "sec-fetch-mode": r"cors|no-cors|navigate|same-origin",
    "sec-fetch-dest": r"document|empty|script|style|worker|serviceworker|image|manifest",
    "sec-fetch-user": r"\?1",
    "sec-fetch-storage-access": r"none|active|inactive",
    "sec-ch-ua": r'[A-Za-z0-9 ";,.=()/:?_-]{1,150}',
    "sec-ch-ua-mobile": r"\?[01]",
    "sec-ch-ua-platform": r'"Linux"',
}
"""The headers that Chromium adds by itself, and what may stand in them."""


@dataclass
class Allowed:
    """What one user's page may send.

    sessions: that exist. texts: which must be in no request, such as titles that were searched.
    """

    invitation: Invitation
    sessions: Iterable[Session]
    texts: Iterable[str] = ()
    _tags: dict[str, set[str]] = field(default_factory=dict)
    """The tags and times that the servers gave for what is at each address."""

    _there: set[str] = field(default_factory=set)
    """The addresses at which there was something."""

    def breaches(self, exchanges: Iterable[Exchange]) -> list[str]:
        """What was sent and may not be, a line each."""
        exchanges = list(exchanges)
        self._there = {one.url for one in exchanges if one.answer and one.answer.status == 200}
        found = []
        for asked in exchanges:
            where = f"{asked.method} {asked.url[:200]}"
            found += [f"{where}: {what}" for what in self._breaches(asked)]
            for name in ("etag", "last-modified"):
                if asked.answer is not None and (tag := asked.answer.header(name)):
                    self._tags.setdefault(asked.url, set()).add(tag)
        return found

    def _breaches(self, asked: Exchange) -> Iterator[str]:
        to = self.invitation.recsys
        if asked.origin == to.recsys_url:
            yield from self._to_recsys(asked)
        elif asked.origin == to.csp_url:
            yield from self._to_csp(asked)
        else:
            yield "foreign origin"
        yield from self._headers(asked)
        yield from self._secrets(asked)

    def _to_csp(self, asked: Exchange) -> Iterator[str]:
        match = _SESSION.fullmatch(asked.path)
        if asked.method != "GET" or asked.query or asked.body:
            yield "more than a question to CSP"
        if match is None or match[2] or self._session(match[1]) is None:
            yield "something else than a session is asked of CSP"

    def _to_recsys(self, asked: Exchange) -> Iterator[str]:
        match = _SESSION.fullmatch(asked.path)
        session = self._session(match[1]) if match else None
        own = match is not None and match[3] is not None
        if match is None:
            if not _PAGE_FILE.fullmatch(asked.path) and asked.path != "/v1/sessions":
                yield "a path that the page does not need"
            elif asked.url not in self._there and asked.path != "/titles.json":
                yield "a file that there is not"
        elif session is None:
            yield "a session that there is not"
        elif own and int(match[3]) != session.users.index(self.invitation.user):
            yield "another user's upload"
        if asked.method == "PUT" and own and session is not None:
            yield from self._upload(asked, session)
        elif asked.method not in (("GET", "PUT", "DELETE") if own else ("GET",)):
            yield "a method that the page does not need"
        elif asked.body:
            yield "a body"
        if asked.query and not (
            own and asked.method == "DELETE" and _SERIAL.fullmatch(asked.query)
        ):
            yield "a query"

    def _upload(self, asked: Exchange, session: Session) -> Iterator[str]:
        try:
            sent = read_upload(session, asked.body)
        except PpmfError as error:
            yield f"a body that is no upload: {error}"
        else:
            if sent.user != self.invitation.user:
                yield "the upload of another user"

    def _session(self, text: str) -> Session | None:
        return next((one for one in self.sessions if one.id.hex() == text), None)

    def _headers(self, asked: Exchange) -> Iterator[str]:
        own = "/uploads/" in asked.path and asked.origin == self.invitation.recsys.recsys_url
        for raw_name, raw_value in asked.headers:
            name, value = raw_name.decode().lower(), raw_value.decode("latin-1")
            if name == "authorization":
                due = own and value == f"Bearer {self.invitation.recsys.token}"
            elif name == "referer":  # of a service worker that looks for a newer one of itself
                due = asked.path == "/service-worker.js" and value == asked.url
            elif name == "origin":
                due = value == self.invitation.recsys.recsys_url
            elif name == "content-type":
                due = asked.method == "PUT" and value == "application/cbor"
            elif name == "content-length":
                due = value == str(len(asked.body))
            elif name in ("if-none-match", "if-modified-since"):
                due = value in self._tags.get(asked.url, set())
            else:
                due = name in _HEADERS and bool(re.fullmatch(_HEADERS[name], value))
            if not due:
                yield f"the header {name}: {value[:80]}"

    def _secrets(self, asked: Exchange) -> Iterator[str]:
        headers = [pair for pair in asked.headers if pair[0].lower() != b"authorization"]
        everything = b"\n".join([asked.url.encode(), asked.body, *(b": ".join(p) for p in headers)])
        lowered = everything.lower()
        code = self.invitation.csp.code
        letters = write_code(code)
        exact = {
            "token": {self.invitation.recsys.token},
            "consent code": {
                letters,
                letters.replace("-", ""),
                base64.b64encode(code).decode().rstrip("="),
                base64.urlsafe_b64encode(code).decode().rstrip("="),
            },
        }
        for name, forms in exact.items():
            if any(form.encode() in everything for form in forms):
                yield f"the {name}"
        if code in everything or code.hex().encode() in lowered:
            yield "the consent code"
        for text in self.texts:
            forms = {text, quote(text), quote_plus(text), base64.b64encode(text.encode()).decode()}
            if any(form.lower().encode() in lowered for form in forms):
                yield f"the text {text!r}"
