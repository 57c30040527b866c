# SPDX-License-Identifier: GPL-3.0-or-later
"""The cipher suites that a session may name: their products, and the length of Paillier keys."""

from __future__ import annotations

from dataclasses import dataclass

from ppmf_secure.primitives.encryption.interface import ProductScheme
from ppmf_secure.primitives.encryption.lattice.scheme import rlwe_scheme
from ppmf_secure.primitives.encryption.paillier.scheme import SCHEMES as PAILLIER_SCHEMES
from ppmf_spec.errors import ParametersError


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """A cipher suite by its name.

    products: the homomorphic matrix product.
    transfer_bits: the Paillier modulus of the base transfers.
    """

    products: ProductScheme
    transfer_bits: int

    @property
    def name(self) -> str:
        return self.products.name

    @property
    def secure(self) -> bool:
        """False for the small keys that only tests may use."""
        return self.products.secure


def cipher_suite(name: str) -> CipherSuite:
    """The suite of that name; ParametersError for any other, naming those there are
    (PPMF-AHE-001).
    """
    if name not in _SUITES:
        raise ParametersError(f"no suite {name!r}: choose from {', '.join(_SUITES)}")
    return _SUITES[name]


_SUITES = {
    choice.name: choice
    for choice in (
        CipherSuite(rlwe_scheme("rlwe-8192"), 3072),
        *(CipherSuite(products, products.bits) for products in PAILLIER_SCHEMES),
        CipherSuite(rlwe_scheme("rlwe-64-insecure"), 512),
    )
}
