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
def owner_of(chosen: RlweScheme, label: str = "Q") -> RlweOwner:
    """A key pair, the same for a label."""
    return chosen.generate(Coins.seeded(label))


def take_in(
    chosen: RlweScheme, matrix: Words, layout: Layout, label: str = "rows"
) -> EncryptedRows:
    """The matrix: that owner encrypted a share of it, and the peer took it in with the rest."""
    own = Coins.seeded(f"{label}/own").words(matrix.shape)
    encrypted = list(owner_of(chosen).encrypt_rows(matrix - own, layout, Coins.seeded(label)))
    assert {len(row) for row in encrypted} == {chosen.row_bytes(layout)}
    return chosen.peer(owner_of(chosen).public).rows(encrypted, layout, own)


def secret_of(chosen: RlweScheme) -> list[int]:
    """The secret of that owner, as its product with 1."""
    owner, degree = owner_of(chosen), chosen.lattice.degree
    one = np.zeros((1, degree), dtype=np.int32)
    one[0, 0] = 1
    return [int(value) for value in owner._times_secret(one)[0]]
