# SPDX-License-Identifier: Apache-2.0
"""What the tests in a browser share: Chromium, the proxy that sees all it sends, and tabs.

`make test-browser` runs the tests; `ARGS=--measure` writes benchmarks/results/browser.json instead,
and `ARGS="--screens DIR"` pictures of every state.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, expect, sync_playwright

from tests.browser.page_servers import PageServers, page_servers
from tests.browser.recording_proxy import RecordingProxy, recording_proxy
from tests.browser.users_page import UsersPage

PATIENCE = 20_000
"""The milliseconds after which a test gives up waiting; nothing is expected to take as long."""

WIDE, PHONE = (1280, 800), (390, 844)
LIGHT, DARK = "light", "dark"
SIZES, SCHEMES = (WIDE, PHONE), (LIGHT, DARK)

_QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-features=AutofillServerCommunication",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
]
"""Chromium itself has nothing to send: whatever the proxy sees is the page's."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two other uses of the same tests."""
    parser.addoption("--measure", action="store_true", help="measure, and write the results")
    parser.addoption("--screens", metavar="DIR", type=Path, help="take pictures of every state")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the use that was asked for."""
    measure, screens = config.getoption("--measure"), config.getoption("--screens")
    wanted = "measured" if measure else "screens" if screens else None
    kept = [one for one in items if _use(one) == wanted]
    config.hook.pytest_deselected(items=[one for one in items if one not in kept])
    items[:] = kept


def _use(item: pytest.Item) -> str | None:
    return next((use for use in ("measured", "screens") if use in item.path.stem), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    assert path, "no chromium on the path"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=_QUIET, chromium_sandbox=os.getuid() != 0
        )
        yield browser
        browser.close()


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    """The proxy that a test's tabs send everything through."""
    with recording_proxy() as made:
        yield made


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[PageServers]:
    """Both servers, with sessions that the test moves by hand."""
    with page_servers(tmp_path / "servers") as made:
        yield made


@dataclass
class Devices:
    """Devices of users: each has a storage of its own, and as many tabs as a test opens.

    said: what the pages said on their consoles, errors and warnings.
    """

    chromium: Browser
    proxy: RecordingProxy
    said: list[str] = field(default_factory=list)
    uncaught: list[str] = field(default_factory=list)
    made: list[BrowserContext] = field(default_factory=list)

    def device(
        self, size: tuple[int, int] = WIDE, scheme: str = LIGHT, **more: Any
    ) -> BrowserContext:
        """A new device."""
        context = self.chromium.new_context(
            proxy={"server": self.proxy.url, "bypass": "<-loopback>"},
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            reduced_motion="reduce",
            has_touch=size is PHONE,
            locale="en-US",
            **more,
        )
        context.set_default_timeout(PATIENCE)
        context.on("console", self._note)
        context.on("weberror", lambda error: self.uncaught.append(str(error.error)))
        self.made.append(context)
        return context

    def tab(self, device: BrowserContext | None = None, **more: Any) -> UsersPage:
        """A new tab, on a new device if none is named."""
        return UsersPage((device or self.device(**more)).new_page())

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


@pytest.fixture
def devices(chromium: Browser, proxy: RecordingProxy) -> Iterator[Devices]:
    """Devices of this test; no page of it may have thrown what it does not catch."""
    made = Devices(chromium, proxy)
    yield made
    for context in made.made:
        context.close()
    assert made.uncaught == []


@pytest.fixture
def page(devices: Devices) -> UsersPage:
    """A tab on a device of its own."""
    return devices.tab()
