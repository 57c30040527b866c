# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated homomorphic answers: the owner of the key can make them without the peer's matrix.

A real answer hides the peer's matrix X behind masks (`primitives.encryption`). Here there is no X:

- Paillier: the answer is (1 + rho N) r^N, where rho is packed from masks that are uniform in
  [0, 2^(width - 1)), and r is uniform. A real answer has rho + v instead of rho, which is within
  2^-41 of it for all slots under one key together, and its randomness is within 2^-41 of uniform
  for all answers under the key. Both are statistical and need no assumption.
- Lattice: c1 is uniform mod q, one for each row of X, and c0 = -c1 s + e + <v> + flood, with v
  uniform mod 2^64, rounded to the kept primes; W and R have secrets s of their own. The c1 of a
  real answer contains a u + e2, which makes it look uniform under RLWE. Of c0 + c1 s its owner sees
  <v> plus a flood that is shifted by the noise, which is within 2^-41 of the flood alone for all
  numbers under one key together: statistical. Here the flood is shifted by e, which is at most 21.
  The rounding comes last in both. A uniform c1 with a c0 that fits it is what the owner's
  encryption of a row makes, so it is used for these.

Chapter 6, "What each party sees", *Answers*, adds these up.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

import numpy as np

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import FittedScheme, Layout, OwnerKey, Uses
from ppmf_secure.primitives.encryption.lattice.layout import AnswerShape, LatticeContext
from ppmf_secure.primitives.encryption.lattice.params import Budget
from ppmf_secure.primitives.encryption.lattice.ring import Residues, reduce
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, flood
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey
from ppmf_secure.primitives.encryption.paillier.scheme import PaillierScheme
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_secure.primitives.shares import words_to_bytes


@singledispatch
def simulated_answer(
    scheme: FittedScheme, owner: OwnerKey, layout: Layout, uses: Uses, coins: Coins
) -> bytes:
    """A simulated answer for a matrix of that layout, under the owner's key."""
    raise NotImplementedError(f"no simulated answers of {type(scheme).__name__}")


@simulated_answer.register
def _paillier(
    scheme: PaillierScheme, owner: OwnerKey, layout: Layout, uses: Uses, coins: Coins
) -> bytes:
    public = PublicKey.parse(owner.public, scheme.bits)
    slots = Slots.of(public.bits, layout)

    def fresh(columns: slice) -> int:
        masks = [slots.mask(coins) for _ in range(columns.stop - columns.start)]
        return int(public.plain(slots.pack(masks)) * public.residue(coins) % public.square)

    return public.write(
        fresh(columns)
        for width, use in zip(layout.blocks, uses, strict=True)
        for _ in range(use.stop - use.start)
        for columns in slots.spans(width)
    )


@simulated_answer.register
def _lattice(
    scheme: FittedRlwe, owner: OwnerKey, layout: Layout, uses: Uses, coins: Coins
) -> bytes:
    context = scheme.context
    primes, kept = context.lattice.primes, context.lattice.kept_primes
    shape, width = AnswerShape.of(context.lattice.degree, layout, uses), sum(layout.blocks)
    count, one = len(shape.rows), replace(layout, rows=1)
    rows = [
        row
        for word in coins.words((count, 1, width))
        for row in owner.encrypt_rows(word, one, coins)
    ]
    first = context.expand([row[:SEED_BYTES] for row in rows]).astype(np.float64)
    places = [f"imagined row {number}" for number in range(count)]
    second = read_residues([row[SEED_BYTES:] for row in rows], width, primes, places)
    flooded = second + _floods(context, layout, count * width, coins).reshape(second.shape)
    starts = np.cumsum([0, *layout.blocks])
    numbers = [first]
    for part in shape.parts:
        start = starts[part.block]
        numbers.append(flooded[:, part.rows, start : start + part.width])
    values = np.concatenate([each.reshape(len(primes), -1) for each in numbers], axis=1)
    for residues, prime in zip(values, primes, strict=True):
        reduce(residues, prime)
    sent = np.empty((len(kept), values.shape[1]), dtype=np.int32)
    context.rounding.switch(values, sent)
    return b"".join(words_to_bytes(pack(row, p)) for row, p in zip(sent, kept, strict=True))


def _floods(context: LatticeContext, layout: Layout, count: int, coins: Coins) -> Residues:
    """The residues (primes, count) of floods that are uniform in [-2^t, 2^t)."""
    bits = Budget.of(context.lattice, layout).flood_bits + 1
    shift_and_limbs = context.rounding.hiding(bits)[:, 3:]
    drawn = shift_and_limbs @ np.concatenate([np.ones((1, count)), flood(coins, bits, count)])
    return np.stack([reduce(row, p) for row, p in zip(drawn, context.lattice.primes, strict=True)])
