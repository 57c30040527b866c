# SPDX-License-Identifier: Apache-2.0
"""A few of the hostile inputs that `make fuzz ARGS=--link` lets the servers hear on their link."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.engines import World
from tools.fuzz.link import HostileLink


@pytest.mark.req("PPMF-LNK-004", "PPMF-LNK-005", "PPMF-LNK-013")
def test_servers_live_through_hostile_bytes_on_their_link(tmp_path: Path) -> None:
    world = World(tmp_path)
    hostile, source = HostileLink(world), random.Random(2)
    for _ in range(1500):
        hostile.try_one(source)
    assert set(hostile.seen.refused) == {"encoding", "state"}
    assert hostile.seen.passed > 300
    world.servers.close()
