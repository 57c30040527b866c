# SPDX-License-Identifier: Apache-2.0
"""The lattice schemes with an owner each, for the tests of what they send."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import EncryptedRows, Layout
from ppmf_secure.primitives.encryption.lattice.owner import RlweOwner
from ppmf_secure.primitives.encryption.lattice.scheme import RlweScheme, rlwe_scheme

Words = NDArray[np.uint64]
FULL, SMALL = rlwe_scheme("rlwe-8192"), rlwe_scheme("rlwe-64-insecure")


@cache
def owner_of(chosen: RlweScheme, layout: Layout, label: str = "Q") -> RlweOwner:
    """A key pair for that layout, the same for a label."""
    return chosen.fit([layout]).generate(Coins.seeded(label))


def take_in(
    chosen: RlweScheme, matrix: Words, layout: Layout, label: str = "rows"
) -> EncryptedRows:
    """The matrix: that owner encrypted a share of it, and the peer took it in with the rest."""
    scheme, owner = chosen.fit([layout]), owner_of(chosen, layout)
    own = Coins.seeded(f"{label}/own").words(matrix.shape)
    encrypted = list(owner.encrypt_rows(matrix - own, layout, Coins.seeded(label)))
    assert [len(group) for group in encrypted] == scheme.group_bytes(layout)
    return scheme.peer(owner.public).rows(encrypted, layout, own)


def secrets_of(owner: RlweOwner) -> NDArray[np.int64]:
    """The secrets of an owner (secrets, N), as their products with 1."""
    negacyclic, degree = owner._context.negacyclic, owner._context.lattice.degree
    one = negacyclic.transform(np.eye(1, degree))
    return negacyclic.product(owner._secrets, one).astype(np.int64)
