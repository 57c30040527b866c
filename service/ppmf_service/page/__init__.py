# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for users: its files, and the titles of items that it shows.

The page is plain HTML, CSS and JavaScript modules, and what it computes is computed by the modules
of the conformance suite's adapter in JavaScript (`users/`), which the suite holds to the vectors:
the very same files, of which there is no copy here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ppmf_spec.files import write_atomically

TITLES_FORMAT = "ppmf-titles/1"
TITLES = "titles.json"
"""The file of the titles in a server's folder, which is public."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
_AT_THE_ROOT = {"index.html": "", "service-worker.js": "service-worker.js"}
"""Files that do not stand below page/, by name. A service worker sees what is below its address."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page. tag: its entity tag, which another content does not have."""

    content: bytes
    media_type: str
    tag: str


def page_files() -> Mapping[str, PageFile]:
    """All files of the page by their path below the page's own address, "" being the page."""
    found = {path: _file(path, content) for path, content in _contents()}
    listed = json.dumps(sorted([*found, TITLES])).encode()
    return {**found, "page/files.json": _file("page/files.json", listed)}


def write_titles(folder: Path, titles: Mapping[str, str]) -> Path:
    """Write the titles of items, by their ids, that the page of the RecSys of this folder shows.

    Titles are for display alone, and everybody may fetch them.
    """
    path = folder / TITLES
    content = json.dumps({"format": TITLES_FORMAT, "titles": dict(titles)}, ensure_ascii=False)
    write_atomically(path, content.encode())
    return path


def _contents() -> Iterator[tuple[str, bytes]]:
    own = resources.files(__name__)
    computing = resources.files("ppmf_conformance.adapters") / "node" / "users"
    for folder, at in ((own, "page/"), (own / "app", "page/app/"), (computing, "page/users/")):
        for one in sorted(folder.iterdir(), key=_name):
            if one.is_file() and Path(one.name).suffix in _TYPES:
                yield _AT_THE_ROOT.get(one.name, at + one.name), one.read_bytes()


def _name(one: Traversable) -> str:
    return one.name


def _file(path: str, content: bytes) -> PageFile:
    suffix = Path(path).suffix or ".html"
    return PageFile(content, _TYPES[suffix], hashlib.sha256(content).hexdigest())
