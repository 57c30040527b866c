# SPDX-License-Identifier: Apache-2.0
"""The public start that both servers expand."""

from __future__ import annotations

import numpy as np
import pytest

from ppmf_secure.parties import training
from ppmf_secure.protocols.public_start import public_start
from ppmf_secure.protocols.server_state import Server, SharedSide
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import SIDES, Side
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy


def test_the_public_start_is_the_oracles() -> None:
    from ppmf_reference import fixed

    params = Parameters(rank=3, frac_bits=9)
    ours = public_start(params, 2, 4)
    for side, theirs in zip(ours, fixed.start(params, 2, 4), strict=True):
        assert side.astype(np.int64).T.tolist() == [list(row) for row in theirs]


@pytest.mark.req("PPMF-RUN-009")
def test_csp_has_the_public_start_and_recsys_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: dict[bool, dict[Side, SharedSide]] = {}
    begin = training._start

    def watched(server: Server) -> dict[Side, SharedSide]:
        sides = begin(server)
        begun[server.transfers.garbles] = dict(sides)
        return sides

    monkeypatch.setattr(training, "_start", watched)
    params = Parameters(rank=2, iterations=1)
    run_toy(ratings_of(2, 3, {(0, 0): 4, (1, 2): -5}), params, ideal_suite())
    for side, start in zip(SIDES, public_start(params, 2, 3), strict=True):
        for share, due in ((begun[True][side], start), (begun[False][side], 0 * start)):
            assert share.share.tolist() == share.previous.tolist() == due.tolist()
            assert share.public is not None
            assert share.public.tolist() == start.tolist()
