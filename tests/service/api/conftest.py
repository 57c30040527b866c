# SPDX-License-Identifier: Apache-2.0
"""Both servers' interfaces, for every test of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import Served, served


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as made:
        yield made
