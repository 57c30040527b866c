# SPDX-License-Identifier: GPL-3.0-or-later
"""The 128 base oblivious transfers over Paillier (chapter 4, "Base transfers").

The sender gets 128 pairs of random seeds of 16 bytes. The chooser gets one seed of each pair: the
one that its choice bit names. `transfer_extension` makes millions of transfers of them. There are
two messages:

- The request is Enc(b_0), ..., Enc(b_127): the choice bits under the chooser's own key.
- The answer is Enc(sum_i 2^(128 i) s_i) with fresh randomness, where the chosen seed
  s_i = m_i0 + b_i (m_i1 - m_i0) is a little-endian integer. As many seeds share a ciphertext as
  slots of 128 bits fit below N: 23 at 3072 bits. A sum is below 2^(128 slots) < N, so no slot runs
  into the next and nothing wraps.

The sender learns nothing of the choices under DCR, which makes encryptions of 0 and of 1 look
alike. DCR is random self-reducible, so that it is no matter that there are 128 (chapter 6, "The
proof").

The chooser learns nothing but the chosen seeds, and this needs no assumption. Any c_i in
Z_(N^2)^* is (1 + N)^x_i y_i^N for one x_i in Z_N and one y_i in Z_N^*. The answer

    prod_i c_i^(2^(128 i) (m_i1 - m_i0)) * (1 + N)^(sum_i 2^(128 i) m_i0) * r^N

is (1 + N)^s (y r)^N with s = sum_i 2^(128 i) (m_i0 + x_i (m_i1 - m_i0)) mod N and y a product of
powers of the y_i. Since r is fresh and uniform in Z_N^*, so is y r. So the answer is exactly a
fresh encryption of s, whatever randomness is in the request; and with x_i = b_i in {0, 1}, s is the
chosen seeds and nothing else. (A chooser that encrypts other numbers than bits gets another
combination of the seeds. It departs from the protocol, which chapter 6, "The model", excludes.)
"""

from __future__ import annotations

import gmpy2
import numpy as np
from gmpy2 import mpz

from ppmf_secure.arrays import Bits, Bytes
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_spec.errors import RangeError

TRANSFERS = 128
"""The number of base transfers: one for each bit of an offset."""

SEED_BYTES = 16
_SEED_BITS = 8 * SEED_BYTES


def request_bytes(public: PublicKey) -> int:
    """The length of a request under the chooser's key."""
    return TRANSFERS * public.ciphertext_bytes


def answer_bytes(public: PublicKey) -> int:
    """The length of an answer under the chooser's key."""
    return len(_groups(public)) * public.ciphertext_bytes


def choose(secret: SecretKey, choices: Bits, coins: Coins) -> bytes:
    """The chooser's request for choice bits (128,) (PPMF-OTE-002)."""
    return secret.public.write(secret.encrypt(int(bit), coins) for bit in choices)


def answer(public: PublicKey, request: bytes, coins: Coins) -> tuple[bytes, Bytes]:
    """The sender's answer under the chooser's key, and the pairs of seeds (128, 2, 16) it drew.

    Raises EncodingError on a request of the wrong length, RangeError on a ciphertext outside its
    group (PPMF-OTE-003).
    """
    chosen = public.read(request, TRANSFERS, "base OT request")
    drawn = np.frombuffer(coins.bytes(TRANSFERS * 2 * SEED_BYTES), dtype=np.uint8)
    seeds = drawn.reshape(TRANSFERS, 2, SEED_BYTES)
    answers = [
        _select(public, chosen[group], seeds[group]) * public.residue(coins) % public.square
        for group in _groups(public)
    ]
    return public.write(answers), seeds


def reveal(secret: SecretKey, answered: bytes) -> Bytes:
    """The chooser's seeds (128, 16) from the answer to its request (PPMF-OTE-003).

    Raises EncodingError on an answer of the wrong length, RangeError on a ciphertext outside its
    group or on a plaintext that is too large for its seeds, as one under another key is.
    """
    groups = _groups(secret.public)
    where = "base OT answer"
    ciphertexts = secret.public.read(answered, len(groups), where)
    seeds = np.empty((TRANSFERS, SEED_BYTES), dtype=np.uint8)
    for number, (group, ciphertext) in enumerate(zip(groups, ciphertexts, strict=True)):
        message, size = secret.decrypt(ciphertext), seeds[group].size
        if message >> 8 * size:
            raise RangeError(f"{where}: the plaintext of ciphertext {number} is too large")
        row = np.frombuffer(message.to_bytes(size, "little"), dtype=np.uint8)
        seeds[group] = row.reshape(-1, SEED_BYTES)
    return seeds


def _groups(public: PublicKey) -> list[slice]:
    """The transfers that share a ciphertext of the answer, as many as slots fit below N."""
    slots = (public.bits - 1) // _SEED_BITS
    return [slice(at, min(at + slots, TRANSFERS)) for at in range(0, TRANSFERS, slots)]


def _select(public: PublicKey, chosen: list[mpz], seeds: Bytes) -> mpz:
    """An encryption of the seeds (slots, 2, 16) that Enc(b_i) choose, not yet re-randomised."""
    power = mpz(1)
    # Horner's rule in the exponent, highest slot first
    for bit, (zero, one) in zip(reversed(chosen), reversed(seeds), strict=True):
        difference = _integer(one) - _integer(zero)
        power = gmpy2.powmod(power, 1 << _SEED_BITS, public.square)
        power = power * gmpy2.powmod(bit, difference, public.square) % public.square
    return power * public.plain(_integer(seeds[:, 0])) % public.square


def _integer(seeds: Bytes) -> int:
    """Seeds as one little-endian integer, the lowest slot first."""
    return int.from_bytes(seeds.tobytes(), "little")
