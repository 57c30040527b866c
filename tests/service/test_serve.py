# SPDX-License-Identifier: Apache-2.0
"""Servers as processes: killed, stopped, cut off; after nothing but a restart, the right V."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf_reference import fixed
from ppmf_service.states import State
from ppmf_spec.parameters import Parameters
from tests.support.ratings import ratings_of
from tests.support.real_servers import real_servers

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=3)
SUITE = "paillier-512-insecure"


@pytest.mark.req("PPMF-LNK-015")
def test_two_servers_train_as_the_oracle_does(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, PARAMETERS, SUITE) as servers:
        servers.start()
        key = servers.propose()
        servers.until_both(key, State.OPEN)
        servers.upload_all(key)
        servers.until_both(key, State.FINISHED)
        assert servers.profiles(key) == fixed.train(RATINGS, PARAMETERS)
