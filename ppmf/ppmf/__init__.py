# SPDX-License-Identifier: Apache-2.0
"""Private proximal matrix factorisation: the library that people import, and the command `ppmf`.

Five lines go from ratings to recommendations. The ratings may be a data frame of pandas, polars or
pyarrow (with the extra `ppmf[frames]`), a matrix of scipy, triples, or a file:

>>> import ppmf
>>> ratings = [("ann", 7, 5), ("ann", 8, 1.5), ("bob", 7, 4.5), ("bob", 9, 4), ("eve", 8, 2)]
>>> model = ppmf.PrivateMF(rank=2, ridge=1).fit(ratings)
>>> [one.item for one in model.recommend("eve", top=2)]
[7, 9]

`help(ppmf.PrivateMF)` says more. The other names come from the packages that do the work, each of
which is loaded when one of its names is first used:

- `ppmf_spec`: `Parameters`, `Ratings`, `ItemProfiles`, and `quantise`, `read_profiles`,
  `write_profiles`, which convert, read and write them; `read_ratings` of this package reads any
  table of ratings that the command reads, and `ppmf_spec.ratings.read` the specification's four;
- `ppmf_reference`, the oracle in the clear: `train_fixed`, and `ratings_from` for arrays; it has
  more, enclosures of the real numbers and a user's own recommendations among it;
- `ppmf_secure`, the protocol: `train_secure`, with all three parties on this machine;
- `ppmf_audit`: `audit`, of the transcripts of such a training.

The last two need the extra `ppmf[secure]` and raise MissingExtraError, an ImportError, without it.
The other modules of this package are the command's: `main`, `commands`, `demo`, `bench` and `data`.

>>> import numpy as np
>>> params = ppmf.Parameters(rank=1, iterations=2)
>>> stars = np.array([[4.5, 2.0], [5.0, np.nan]])
>>> ratings = ppmf.ratings_from(stars, params, users=("1", "2"), items=("7", "8"))
>>> profiles = ppmf.train_fixed(ratings, params)
>>> profiles.items
('7', '8')
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from ppmf_spec.errors import PpmfError
from ppmf_spec.extras import MissingExtraError, needed_by

__all__ = [
    "ItemProfiles",
    "MissingExtraError",
    "Parameters",
    "PpmfError",
    "PrivateMF",
    "Ratings",
    "audit",
    "quantise",
    "ratings_from",
    "read_profiles",
    "read_ratings",
    "train_fixed",
    "train_secure",
    "write_profiles",
]

if TYPE_CHECKING:
    from ppmf.estimator import PrivateMF
    from ppmf.reading import read_ratings
    from ppmf_audit import audit
    from ppmf_reference import ratings_from
    from ppmf_reference.fixed import train as train_fixed
    from ppmf_secure.transport.processes import train as train_secure
    from ppmf_spec.parameters import Parameters
    from ppmf_spec.profiles import ItemProfiles
    from ppmf_spec.profiles import read as read_profiles
    from ppmf_spec.profiles import write as write_profiles
    from ppmf_spec.ratings import Ratings, quantise
else:  # a type checker would take this function for a promise of every name
    _PLACES = {
        "ItemProfiles": "ppmf_spec.profiles:ItemProfiles",
        "Parameters": "ppmf_spec.parameters:Parameters",
        "PrivateMF": "ppmf.estimator:PrivateMF",
        "Ratings": "ppmf_spec.ratings:Ratings",
        "audit": "ppmf_audit:audit",
        "quantise": "ppmf_spec.ratings:quantise",
        "ratings_from": "ppmf_reference:ratings_from",
        "read_profiles": "ppmf_spec.profiles:read",
        "read_ratings": "ppmf.reading:read_ratings",
        "train_fixed": "ppmf_reference.fixed:train",
        "train_secure": "ppmf_secure.transport.processes:train",
        "write_profiles": "ppmf_spec.profiles:write",
    }

    def __getattr__(name: str) -> object:
        """Load a name when it is first used (PEP 562)."""
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with needed_by(f"ppmf.{name}"):
            found = resolve_name(_PLACES[name])
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
