# SPDX-License-Identifier: GPL-3.0-or-later
"""Cipher suites: the homomorphic schemes that a session may name.

Chapter 4, "Homomorphic encryption: integer matrix times encrypted rows", has the table of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ppmf_secure.primitives.encryption.interface import ProductScheme
from ppmf_secure.primitives.encryption.lattice.scheme import rlwe_scheme
from ppmf_secure.primitives.encryption.paillier.scheme import SCHEMES as PAILLIER_SCHEMES
from ppmf_spec.errors import ParametersError, told


@dataclass(frozen=True, slots=True)
class CipherSuite:
    """A cipher suite.

    products: the scheme of the homomorphic matrix product. Nothing else of the protocol depends on
        the suite.
    """

    products: ProductScheme

    @property
    def name(self) -> str:
        """The name of the suite, as sessions have it."""
        return self.products.name

    @property
    def secure(self) -> bool:
        """Whether its keys are long enough for use; False for those of tests and trials."""
        return self.products.secure


def cipher_suite(name: str) -> CipherSuite:
    """The cipher suite of that name. Raises ParametersError, which lists the names, on any other
    (PPMF-AHE-001).
    """
    if name not in _SUITES:
        raise ParametersError(f"no suite {told(name)}: choose from {', '.join(_SUITES)}")
    return _SUITES[name]


_SUITES = {
    choice.name: choice
    for choice in (
        CipherSuite(rlwe_scheme("rlwe-8192")),
        *(CipherSuite(products) for products in PAILLIER_SCHEMES),
        CipherSuite(rlwe_scheme("rlwe-64-insecure")),
    )
}
