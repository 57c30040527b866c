# SPDX-License-Identifier: Apache-2.0
"""The page for users as RecSys serves it: what it may do, how it is kept, and that it is whole."""

from __future__ import annotations

import json
import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

import ppmf_conformance.adapters
from ppmf_service.api.page_routes import security_policy
from ppmf_service.page import TITLES, page_files, write_titles
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.served import URLS, Served

FILES = page_files()
HTML = FILES[""].content.decode()
SCRIPTS = {path: file.content.decode() for path, file in FILES.items() if path.endswith("js")}


class Tags(HTMLParser):
    """The tags of a page, and the text that stands in each script and style."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style") and data.strip():
            self.inline.append(data)


def got(
    servers: Served, role: Role, path: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    return servers.http().get(URLS[role] + path, headers=headers)


def tags() -> Tags:
    found = Tags()
    found.feed(HTML)
    return found


@pytest.mark.req("PPMF-PAGE-004")
def test_every_file_of_the_page_has_the_policy_and_its_type(servers: Served) -> None:
    http = servers.http()
    for path, file in FILES.items():
        answer = http.get(f"{URLS[RECSYS]}/{path}")
        assert answer.status_code == 200, path
        assert answer.content == file.content
        assert answer.headers["content-type"] == file.media_type
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; connect-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.req("PPMF-PAGE-004", "PPMF-PAGE-012")
def test_the_page_may_ask_csp_for_sessions_and_for_nothing_else() -> None:
    def connections(url: str) -> str:
        return security_policy(url).split("; ")[1]

    assert connections("") == "connect-src 'self'"
    assert connections("https://c.example:8444") == (
        "connect-src 'self' https://c.example:8444/v1/sessions/"
    )
    # a policy can name no address of IPv6, and "https:" would let the page reach everybody
    assert connections("https://[2001:db8::1]:8444") == "connect-src 'self'"
    odd = security_policy("https://c.example/a;script-src,*")
    assert odd.split("; ")[1].endswith(" https://c.example/a%3Bscript-src%2C*/v1/sessions/")
    assert [part.split(" ")[0] for part in odd.split("; ")].count("script-src") == 0


@pytest.mark.req("PPMF-PAGE-004")
def test_nothing_of_the_page_stands_in_the_page_itself() -> None:
    found = tags()
    assert found.inline == []
    for tag, attributes in found.found:
        assert "style" not in attributes, tag
        assert [name for name in attributes if name.startswith("on")] == [], tag


def test_no_script_makes_html_or_programs_of_text() -> None:
    words = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|parseHTML"
    )
    for path, text in SCRIPTS.items():
        assert re.findall(words, text) == [], path


def test_all_that_the_page_and_its_scripts_load_is_served() -> None:
    loaded = [
        value for _, one in tags().found for name in ("src", "href") if (value := one.get(name))
    ]
    assert {path for path in loaded if not path.startswith("#")} <= set(FILES)
    for path, text in SCRIPTS.items():
        for source in re.findall(r'from "([^"]+)"', text):
            assert source.startswith("."), (path, source)
            assert posixpath.normpath(posixpath.join(posixpath.dirname(path), source)) in FILES
    listed = json.loads(FILES["page/files.json"].content)
    assert set(listed) == (set(FILES) - {"page/files.json"}) | {TITLES}


def test_the_page_computes_by_the_modules_that_the_suite_checks() -> None:
    folder = Path(ppmf_conformance.adapters.__path__[0]) / "node" / "users"
    own = {path.name: path.read_bytes() for path in folder.glob("*.mjs")}
    start = "page/users/"
    served = {path[len(start) :]: file for path, file in FILES.items() if path.startswith(start)}
    assert {name: file.content for name, file in served.items()} == own


def test_a_browser_is_told_if_it_has_a_file_already(servers: Served) -> None:
    first = got(servers, RECSYS, "/page/style.css")
    assert first.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": first.headers["etag"]}
    again = got(servers, RECSYS, "/page/style.css", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = got(servers, RECSYS, "/page/check.js", headers=tag)
    assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/page/", "/page/nothing.js", "/page/../users_api.py", "/page/index.html", "/index.html"],
)
def test_there_is_nothing_beside_the_files(servers: Served, path: str) -> None:
    assert got(servers, RECSYS, path).status_code == 404


def test_csp_has_no_page(servers: Served) -> None:
    assert got(servers, CSP, "/").status_code == 404


@pytest.mark.req("PPMF-PAGE-006")
def test_titles_are_those_that_the_operator_gave(servers: Served) -> None:
    none = got(servers, RECSYS, f"/{TITLES}")
    assert none.json() == {"format": "ppmf-titles/1", "titles": {}}
    given = {"1": "Amélie", "2": '<script>alert("x")</script>'}
    folder = servers.folder / RECSYS
    write_titles(folder, given)
    found = got(servers, RECSYS, f"/{TITLES}")
    assert found.json() == {"format": "ppmf-titles/1", "titles": given}
    tag = {"If-None-Match": found.headers["etag"]}
    assert got(servers, RECSYS, f"/{TITLES}", headers=tag).status_code == 304
    write_titles(folder, {"1": "Other"})
    assert got(servers, RECSYS, f"/{TITLES}", headers=tag).status_code == 200


@pytest.mark.req("PPMF-PAGE-008", "PPMF-PAGE-009")
def test_the_page_says_whom_one_trusts_and_lets_everything_be_erased() -> None:
    words = " ".join(re.sub(r"<[^>]*>", "", HTML).split())
    assert "whoever serves a page could serve another one" in words
    assert "use the program ppmf submit" in words
    assert "Erase everything here" in words
    assert URLS[RECSYS] not in HTML
