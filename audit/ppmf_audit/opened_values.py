# SPDX-License-Identifier: Apache-2.0
"""Checks of the values that a party's keys open in the messages it received.

The shares mod 2^k that a party takes from an answer look uniform even under a short mask, or
without a flood, because they come from shares that are uniform themselves. The checks therefore
look at the whole values that the keys open (PPMF-AHE-010, PPMF-RLW-009):

- a slot of a Paillier answer, v + rho, is spread over the range of rho, and all its bits but the
  top one are fair;
- the error of a lattice answer, which is the flood with little added, is spread over the range of
  the flood;
- the seeds of users, and the secrets and candidates of base transfers, have only fair bits, and
  none occurs twice.

No two slots, and no two errors, are as near to each other as two under one mask would be.

False alarms. A bit is fair among n values if its ones are within sqrt(n ln(2 / alpha) / 2) of n/2
(Hoeffding), alpha being ALPHA over the number of bits looked at. Of O masks, O^2 / 2 pairs are as
near as a sum of products with probability 2^-39 / O each at most, so any with 2^-40 O: at most
2^-32 for the first COMPARED.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log, prod, sqrt

import numpy as np
from numpy.typing import NDArray

from ppmf_audit.base_points import PointSecrets
from ppmf_audit.finding import Finding
from ppmf_secure.arrays import Words
from ppmf_secure.primitives.encryption.lattice.layout import AnswerShape
from ppmf_secure.primitives.encryption.lattice.params import Budget, Lattice
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe
from ppmf_secure.primitives.encryption.lattice.wire import read_residues
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.encryption.paillier.slots import Slots, term_bits
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.ratings_product import Orientation

ALPHA = 2.0**-40
"""The largest probability that fair bits of one kind are found unfair."""

COMPARED = 1 << 8
"""The number of values among which two are sought that are near each other."""

FINE = 64
"""The number of bits of a value that are examined, from the top of its range."""


@dataclass
class Secrets:
    """The secrets of a party, by the public keys in its transcript.

    primes: those of a Paillier modulus. polynomials: the secrets of a lattice key, int64
    (secrets, N). seals: the key to sealed seeds. points: what is behind points of base transfers.
    batches: the AES keys that the party derived for hashes, in order.
    values: RecSys' shares of the values of the ratings, by epoch and chunk of the conversion.
    """

    primes: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    polynomials: dict[bytes, NDArray[np.int64]] = field(default_factory=dict)
    seals: dict[bytes, SealingKey] = field(default_factory=dict)
    points: PointSecrets = field(default_factory=PointSecrets)
    batches: list[bytes] = field(default_factory=list)
    values: dict[int, list[Words]] = field(default_factory=dict)


@dataclass
class OpenedValues:
    """Opened numbers of one kind, uniform in [0, 2^bits) but for the small values that they mask.

    near: the distance below which two numbers would be under one mask.
    bare: the number that would be opened if there were neither a mask nor anything masked.
    """

    kind: str
    bits: int
    near: int
    bare: int | None = None
    seen: list[int] = field(default_factory=list)

    def finding(self) -> Finding:
        """Whether the numbers look uniform and independent."""
        check, count = f"{self.kind}: over the whole range", len(self.seen)
        outside = sum(not -self.near <= value < (1 << self.bits) + self.near for value in self.seen)
        if outside:
            return Finding(check, False, f"{outside} of {count} outside the range")
        if self.bare is not None:
            alone = sum(abs(value - self.bare) < self.near for value in self.seen)
            if alone:
                return Finding(check, False, f"{alone} of {count} as near to 0 as without a mask")
        unfair = unfair_bits(self.seen, self.bits)
        if unfair:
            return Finding(
                check, False, f"{count} values, bit {unfair[0]} from the top is not fair"
            )
        some = sorted(self.seen[:COMPARED])
        twins = sum(b - a < self.near for a, b in pairwise(some))
        if twins:
            return Finding(check, False, f"{twins} of {count} as near to another as with one mask")
        return Finding(check, True, f"{count} values")


def unfair_bits(values: Sequence[int], bits: int) -> list[int]:
    """The top bits, counted from 0, that are not fair among values of [0, 2^bits)."""
    wide, count = min(bits, FINE), len(values)
    tops = [max(0, min(value, (1 << bits) - 1)) >> (bits - wide) for value in values]
    places = np.arange(wide - 1, -1, -1, dtype=np.uint64)
    ones = (np.array(tops, dtype=np.uint64)[:, None] >> places & np.uint64(1)).sum(axis=0)
    limit = sqrt(count * log(2 * wide / ALPHA) / 2)
    return [at for at in range(wide) if abs(ones[at] - count / 2) > limit]


def seed_finding(kind: str, seeds: Sequence[bytes]) -> Finding:
    """Whether seeds are all different, and each bit of a byte fair among all bytes."""
    check = f"{kind}: fresh and fair"
    if len(set(seeds)) < len(seeds):
        return Finding(check, False, f"a seed twice among {len(seeds)}")
    unfair = unfair_bits(list(b"".join(seeds)), 8)
    if unfair:
        return Finding(
            check, False, f"{len(seeds)} seeds, bit {7 - unfair[0]} of a byte is not fair"
        )
    return Finding(check, True, f"{len(seeds)} seeds")


def slots(secret: SecretKey, data: bytes, orientation: Orientation, found: OpenedValues) -> None:
    """Add the whole slots of an answer to `found`."""
    layout, uses, key = orientation.layout, orientation.uses, secret.public
    plan = Slots.of(key.bits, layout)
    ciphertexts = iter(key.read(data, len(data) // key.ciphertext_bytes, "answer"))
    for width, use in zip(layout.blocks, uses, strict=True):
        for _ in range(use.stop - use.start):
            for columns in plan.spans(width):
                plaintext = secret.decrypt(next(ciphertexts))
                for slot in range(columns.stop - columns.start):
                    found.seen.append(plaintext >> plan.width * slot & (1 << plan.width) - 1)


def slot_values(bits: int, orientation: Orientation) -> OpenedValues:
    """The collection of an orientation's slots; masks have one bit less than a slot."""
    width = Slots.of(bits, orientation.layout).width
    layout = orientation.layout
    sums = term_bits(layout.ring_bits) + (layout.rows - 1).bit_length()
    return OpenedValues(f"Paillier slots packing {orientation.packing}", width - 1, 1 << sums, 0)


def errors(
    scheme: FittedRlwe,
    secrets: NDArray[np.int64],
    data: bytes,
    orientation: Orientation,
    found: tuple[OpenedValues, OpenedValues],
) -> None:
    """Add to `found` the shares of an answer's numbers, and their errors at scale q plus half their
    range.

    The error is the difference of c0 + c1 s and the nearest encoding, which is that of the share.
    """
    lattice, layout = scheme.lattice, orientation.layout
    kept, modulus = lattice.kept_primes, lattice.kept_modulus
    shape = AnswerShape.of(lattice.degree, layout, orientation.uses)
    sent = read_residues([data], sum(shape.counts), kept, ["answer"])[:, 0]
    first, *seconds = shape.split(sent)
    masks = first.reshape(len(kept), -1, lattice.degree).astype(np.int64)
    shares, floods = found
    for part, second in zip(shape.parts, seconds, strict=True):
        phase = second.reshape(len(kept), *part.shape).astype(np.int64)
        for segment in scheme.context.packing(layout).segments:
            if segment.block == part.block:
                product = masks[:, part.rows] @ _negacyclic(secrets[segment.secret])
                phase[:, :, segment.columns] += product[:, :, : segment.width]
        for number in join(phase.reshape(len(kept), -1), kept):
            share = ((number << shares.bits) + modulus // 2) // modulus
            error = (number << shares.bits) - modulus * share
            shares.seen.append(share % (1 << shares.bits))
            flood = error * lattice.modulus // modulus >> shares.bits
            floods.seen.append(flood + (1 << floods.bits - 1))


def error_values(lattice: Lattice, orientation: Orientation) -> tuple[OpenedValues, OpenedValues]:
    """The collections of an orientation's shares and errors; errors have the range of the flood."""
    budget = Budget.of(lattice, orientation.layout)
    where = f"packing {orientation.packing}"
    rounding = (lattice.degree + 2) * lattice.modulus // lattice.kept_modulus
    return (
        OpenedValues(f"lattice shares {where}", orientation.layout.ring_bits, 1),
        OpenedValues(
            f"lattice errors {where}",
            budget.flood_bits + 1,
            2 * budget.noise + rounding,
            1 << budget.flood_bits,
        ),
    )


def flood_shows(lattice: Lattice, orientation: Orientation) -> bool:
    """Whether the flood is larger than what the rounding to the kept primes adds.

    With the primes of the cipher suites it is not larger in small runs, so tests keep nine of the
    ten.
    """
    _, floods = error_values(lattice, orientation)
    return floods.near << FINE // 2 < 1 << floods.bits


def join(values: NDArray[np.int64], primes: tuple[int, ...]) -> list[int]:
    """The n numbers modulo the product of the primes that have these residues (primes, n)."""
    modulus = prod(primes)
    basis = [modulus // p * pow(modulus // p, -1, p) for p in primes]
    return [
        sum(int(value) * b for value, b in zip(column, basis, strict=True)) % modulus
        for column in values.T
    ]


def _negacyclic(secret: NDArray[np.int64]) -> NDArray[np.int64]:
    """The matrix (N, N) that a row of coefficients is multiplied with for the product with s."""
    degree = len(secret)
    shifts = np.arange(degree)[None, :] - np.arange(degree)[:, None]
    signs = np.where(shifts < 0, -1, 1)
    matrix: NDArray[np.int64] = signs * secret[shifts % degree]
    return matrix
