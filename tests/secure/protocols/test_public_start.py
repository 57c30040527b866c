# SPDX-License-Identifier: Apache-2.0
"""The public start that both servers expand."""

from __future__ import annotations

import numpy as np

from ppmf_secure.protocols.public_start import public_start
from ppmf_spec.parameters import Parameters


def test_the_public_start_is_the_oracles() -> None:
    from ppmf_reference import fixed

    params = Parameters(rank=3, frac_bits=9)
    ours = public_start(params, 2, 4)
    for side, theirs in zip(ours, fixed.start(params, 2, 4), strict=True):
        assert side.astype(np.int64).T.tolist() == [list(row) for row in theirs]
