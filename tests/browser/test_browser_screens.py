# SPDX-License-Identifier: Apache-2.0
"""Pictures of every state, for people to look at: `make test-browser ARGS="--screens DIR"`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import SCHEMES, SIZES, WIDE, Devices
from tests.browser.page_servers import PageServers
from tests.browser.recording_proxy import RecordingProxy
from tests.browser.states import every_state


def row(name: str) -> str:
    """All pictures of a state, beside each other."""
    pictures = [f"{name}-{size[0]}-{scheme}.png" for size in SIZES for scheme in SCHEMES]
    shown = " ".join(f'<img src="{one}" alt="{one}" height="420">' for one in pictures)
    return f"<h2>{name}</h2><p>{shown}</p>\n"


def test_pictures_of_every_state(
    servers: PageServers,
    proxy: RecordingProxy,
    devices: Devices,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    folder: Path = request.config.getoption("--screens")
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for name, page in every_state(servers, proxy, devices.tab, tmp_path):
        names.append(name)
        for size in SIZES:
            page.tab.set_viewport_size({"width": size[0], "height": size[1]})
            for scheme in SCHEMES:
                page.tab.emulate_media(color_scheme=scheme)
                page.tab.screenshot(path=folder / f"{name}-{size[0]}-{scheme}.png")
        page.tab.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    (folder / "index.html").write_text("".join(map(row, names)))
