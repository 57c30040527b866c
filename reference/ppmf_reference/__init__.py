# SPDX-License-Identifier: Apache-2.0
"""The oracle: what a training run must compute, in code that reads like the formulas.

- `fixed`: F_fix in plain integers, bit for bit what the protocol must output;
- `exact`: F_real, the same algorithm over the reals, in rationals, for toys;
- `certified`: F_real in balls, a rigorous enclosure at any size, and the `distance` to it;
- `ridge`: what a user computes alone from the published item profiles;
- `ratings_from`: ratings out of a numpy array or a matrix of scipy.sparse.

There is no cryptography here, and nothing is hidden from the one who runs it.

>>> import numpy as np
>>> from ppmf_spec.parameters import Parameters
>>> params = Parameters(rank=1, iterations=2)
>>> stars = np.array([[4.5, 2.0], [5.0, np.nan]])
>>> ratings = ratings_from(stars, params, users=("1", "2"), items=("7", "8"))
>>> profiles = fixed.train(ratings, params)
>>> enclosure = certified.train(ratings, params)
>>> certified.distance(profiles, enclosure).largest < 2**-12
True
"""

from __future__ import annotations

from ppmf_reference import certified, exact, fixed, ridge
from ppmf_reference.arrays import ratings_from
from ppmf_reference.certified import Distance, Enclosure
from ppmf_reference.fixed import HalfStep, State, Step
from ppmf_reference.real import HalfStep as RealHalfStep
from ppmf_reference.real import RealState, Undecided
from ppmf_reference.ridge import Neighbour, Prediction, UserProfile

__all__ = [
    "Distance",
    "Enclosure",
    "HalfStep",
    "Neighbour",
    "Prediction",
    "RealHalfStep",
    "RealState",
    "State",
    "Step",
    "Undecided",
    "UserProfile",
    "certified",
    "exact",
    "fixed",
    "ratings_from",
    "ridge",
]
