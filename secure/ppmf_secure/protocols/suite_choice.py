# SPDX-License-Identifier: GPL-3.0-or-later
"""The cipher suite of a run for which none is named (chapter 4, "Homomorphic encryption: integer
matrix times encrypted rows").

Which suites hold a run follows from its public sizes alone. A session always names a suite; "auto"
is what a person says to a program, and stands in no session.
"""

from __future__ import annotations

from dataclasses import replace

from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_spec.bounds import MAX_RING_BITS
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import MIN_RING_BITS, Parameters

AUTOMATIC = "auto"
"""Stands for the first suite of `PREFERRED` that holds the run."""

LATTICE, PAILLIER = PREFERRED = ("rlwe-8192", "paillier-3072")
"""The secure suites, the fastest first (PPMF-AHE-014)."""


def suite_for(name: str, params: Parameters, users: int, items: int) -> CipherSuite:
    """The cipher suite of that name or, for AUTOMATIC, the first that holds a run of this size.

    Raises ParametersError on an unknown name, if the ring cannot hold the run, and if no suite of
    `PREFERRED` can. One that is named is not asked.
    """
    if name != AUTOMATIC:
        return cipher_suite(name)
    told = ""
    for each in PREFERRED:
        try:
            check_holds(cipher_suite(each), params, users, items)
        except ParametersError as error:
            told = str(error)
            continue
        return cipher_suite(each)
    raise ParametersError(told)


def check_holds(suite: CipherSuite, params: Parameters, users: int, items: int) -> None:
    """Raise ParametersError, which names the suite, unless it holds a run of this size
    (PPMF-PAR-016, PPMF-SES-003).
    """
    layouts = [each.layout for each in orientations(params, users, items)]
    try:
        suite.products.fit(layouts)
    except ParametersError:
        need, most = layouts[0].ring_bits, widest_ring(suite, params, users, items)
        room = f"holds a ring of {most} bits at most" if most else "holds no ring"
        raise ParametersError(
            f"suite {suite.name}: {users:,} users x {items:,} items need a ring of {need} bits; at "
            f"that size, rank {params.rank} and {params.iterations} iterations it {room}"
        ) from None


def widest_ring(suite: CipherSuite, params: Parameters, users: int, items: int) -> int:
    """The bits of the widest ring in which the suite holds a run of this size; 0 if in none."""
    layouts = [each.layout for each in orientations(params, users, items)]
    for ring_bits in range(MAX_RING_BITS, MIN_RING_BITS - 1, -1):
        try:
            suite.products.fit([replace(each, ring_bits=ring_bits) for each in layouts])
        except ParametersError:
            continue
        return ring_bits
    return 0
