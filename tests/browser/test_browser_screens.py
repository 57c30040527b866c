# SPDX-License-Identifier: Apache-2.0
"""Pictures of every state, for people to look at: `make test-browser ARGS="--screens DIR"`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import SCHEMES, SIZES, Devices
from tests.browser.page_servers import PageServers
from tests.browser.recording_proxy import RecordingProxy
from tests.browser.states import every_state


def test_pictures_of_every_state(
    servers: PageServers,
    proxy: RecordingProxy,
    devices: Devices,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    folder: Path = request.config.getoption("--screens")
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in every_state(servers, proxy, devices.tab, tmp_path):
        for size in SIZES:
            page.tab.set_viewport_size({"width": size[0], "height": size[1]})
            for scheme in SCHEMES:
                page.tab.emulate_media(color_scheme=scheme)
                page.tab.screenshot(path=folder / f"{name}-{size[0]}-{scheme}.png")
