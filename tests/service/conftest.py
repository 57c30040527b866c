# SPDX-License-Identifier: Apache-2.0
"""Both servers' storage for the tests of the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ppmf_service import logs
from tests.support.services import Pair, pair


@pytest.fixture(autouse=True)
def log_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a log of its own, since a log leaves lines out after many in a minute."""
    monkeypatch.setattr(logs, "_log", logs.Log())


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Pair]:
    """The storage of both servers, with three users enrolled."""
    made = pair(tmp_path)
    yield made
    made.close()
