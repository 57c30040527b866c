# SPDX-License-Identifier: Apache-2.0
"""The oracle: the function that a training must compute, in code that follows the formulas.

- `fixed`: F_fix in plain integers, which the protocol must output bit for bit;
- `exact`: F_real, the same algorithm over the reals, in rationals, for toy sizes;
- `certified`: F_real in balls, a rigorous enclosure at any size, and the `distance` to it;
- `real`: the algorithm of F_real, written once for both of these;
- `start`: the public start of both sides;
- `ridge`: the user's side, which needs nothing but the published item profiles;
- `rating_code`: what the bits that a user sends say;
- `arrays`: `ratings_from`, ratings from a numpy array or a matrix of scipy.sparse.

Begin with `fixed`, beside chapter 2 of the specification. The package uses no cryptography, and
whoever runs it sees all ratings.

>>> import numpy as np
>>> from ppmf_spec.parameters import Parameters
>>> params = Parameters(rank=1, iterations=2)
>>> stars = np.array([[4.5, 2.0], [5.0, np.nan]])
>>> ratings = ratings_from(stars, params, users=("1", "2"), items=("7", "8"))
>>> profiles = fixed.train(ratings, params)
>>> enclosure = certified.train(ratings, params)
>>> certified.distance(profiles, enclosure).largest < 2**-8
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
