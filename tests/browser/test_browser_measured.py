# SPDX-License-Identifier: Apache-2.0
"""What the page costs a browser: `make test-browser ARGS=--measure` writes the figures.

Nothing is asserted about time. docs/performance.md shows the file that is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from ppmf.bench.calibration import machine
from ppmf_spec.parameters import Parameters
from tests.browser.conftest import Devices
from tests.browser.page_servers import PageServers, titles_of
from tests.browser.recording_proxy import RecordingProxy
from tests.browser.users_page import UsersPage

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "browser.json"
FORMAT = "ppmf-browser/1"
SUITE = "rlwe-8192"
SIZES = (1_682, 100_000)
RATED = 106
"""The mean of MovieLens-100K."""

REPEATS = 9


def processor_seconds() -> tuple[float, float]:
    """The processor's time that all processes of Chromium have used, and that those of pages have,
    with their workers.
    """
    me = Path("/proc/self").resolve().name
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[entry.name] = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
    everything, pages = 0, 0
    for process in parents:
        if me not in _ancestors(process, parents) or not (command := _chromium(process)):
            continue
        for thread in Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                used = int(thread.read_text().split()[0])
            except OSError:
                continue
            everything += used
            pages += used if b"--type=renderer" in command else 0
    return everything / 1e9, pages / 1e9


def _ancestors(process: str, parents: dict[str, str]) -> Iterator[str]:
    while process in parents:
        process = parents[process]
        yield process


def _chromium(process: str) -> bytes:
    """The command of a process, if it is one of Chromium's."""
    try:
        here = Path(f"/proc/{process}")
        return (here / "cmdline").read_bytes() if "chrom" in (here / "comm").read_text() else b""
    except OSError:
        return b""


def rate_many(page: UsersPage, items: tuple[str, ...], folder: Path) -> None:
    """Rate as many items as a user does, out of a file."""
    generator = np.random.default_rng(3)
    chosen = generator.choice(len(items), RATED, replace=False).tolist()
    lines = [f"{items[row]},{generator.integers(1, 11) / 2}" for row in chosen]
    file = folder / "mine.csv"
    file.write_text("\n".join(["item,rating", *lines]))
    page.view("data")
    page.by("import-file").set_input_files(file)
    page.noticed(str(RATED))
    page.view("rate")
    page.rated(RATED)


def whole_milliseconds(page: UsersPage, name: str) -> float:
    """The most that was measured under a name, of what is done once and then kept."""
    return round(max(page.milliseconds(f"ppmf-{name}")), 2)


def milliseconds(page: UsersPage, name: str) -> float:
    """The least of what the page's worker measured under a name, which other programs that ran on
    the machine at the same time disturbed least.
    """
    found = page.milliseconds(f"ppmf-{name}")
    assert found, name
    return round(min(found), 2)


def measured(count: int, servers: PageServers, devices: Devices, folder: Path) -> dict[str, Any]:
    """The figures for so many items."""
    params = Parameters()
    session = servers.session(titles_of(count), params, nonce=count, suite=SUITE, trial=False)
    page = devices.tab()
    page.open(servers.link())
    rate_many(page, session.items, folder)

    uploads = []
    for repeat in range(REPEATS):
        page.rate(session.items[0], str(1 + repeat % 4))
        page.idle()
        before = processor_seconds()
        page.send()
        after = processor_seconds()
        uploads.append([1000 * (now - then) for now, then in zip(after, before, strict=True)])
    body = devices.proxy.asked("/uploads/0", "PUT")[-1].body

    searches = []
    for words in ("orchard", "signal 7", "the", "quiet", "no such title", "19"):
        script = """words => {
          const input = document.getElementById("search");
          const began = performance.now();
          input.value = words;
          input.dispatchEvent(new Event("input", { bubbles: true }));
          const took = (resolve) => () => resolve(performance.now() - began);
          return new Promise((resolve) => requestAnimationFrame(took(resolve)));
        }"""
        searches.append(page.tab.evaluate(script, words))
    page.search("")

    data = servers.publish(session)
    page.check_now()
    page.phase("finished")
    for repeat in range(REPEATS):
        page.view("rate")
        page.rate(session.items[0], str(1 + repeat % 4))
        page.view("recommendations")
        page.recommended()
        page.idle()
    for button in page.by("recommendations").get_by_test_id("similar").all()[:REPEATS]:
        button.click()
        page.idle()
    return {
        "items": count,
        "rated": RATED,
        "rank": params.rank,
        "upload_bytes": len(body),
        "upload_ms": milliseconds(page, "upload"),
        "upload_browser_cpu_ms": round(min(one for one, _ in uploads), 1),
        "upload_page_cpu_ms": round(min(one for _, one in uploads), 1),
        "session_ms": whole_milliseconds(page, "session"),
        "search_ms": round(min(searches), 2),
        "profiles_bytes": len(data),
        "profiles_ms": whole_milliseconds(page, "profiles"),
        "recommend_ms": milliseconds(page, "recommend"),
        "similar_ms": milliseconds(page, "similar"),
    }


def test_what_the_page_costs(
    servers: PageServers,
    proxy: RecordingProxy,
    devices: Devices,
    chromium: Browser,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    expect.set_options(timeout=120_000)
    result = {
        "format": FORMAT,
        "machine": machine(),
        "browser": f"Chromium {chromium.version}",
        "day": datetime.now(UTC).date().isoformat(),
        "suite": SUITE,
        "repeats": REPEATS,
        "sizes": [measured(count, servers, devices, tmp_path) for count in SIZES],
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
