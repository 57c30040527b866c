# SPDX-License-Identifier: Apache-2.0
"""Milliseconds of each step of the Paillier suite, of CPU time. Asserts nothing.

Usage: python benchmarks/bench_paillier.py [--bits 2048 3072] [--terms 100 943]

"an output" is one answer ciphertext of `terms` products of powers, without mask and randomiser;
`classic` is Pippenger's method without stored powers, `powmod` one exponentiation a term.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from time import process_time

import numpy as np
from gmpy2 import mpz, powmod

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.multiexp import FixedBases, digits
from ppmf_secure.primitives.encryption.paillier.randomisers import Randomisers, pool_shape
from ppmf_secure.primitives.encryption.paillier.slots import Slots

OUTPUTS = 1 << 20


def milliseconds(action: Callable[[], object], repetitions: int) -> float:
    start = process_time()
    for _ in range(repetitions):
        action()
    return 1000 * (process_time() - start) / repetitions


def classic(bases: list[mpz], exponents: np.ndarray, window: int, modulus: mpz) -> mpz:
    """Pippenger's method with separate buckets for each digit, for comparison."""
    total = mpz(1)
    for level in digits(exponents[None, :], window)[0][::-1]:
        for _ in range(window):
            total = total * total % modulus
        buckets = [mpz(1)] * (1 << window)
        for base, digit in zip(bases, level.tolist(), strict=True):
            if digit:
                buckets[digit] = buckets[digit] * base % modulus
        running = mpz(1)
        for bucket in buckets[:0:-1]:
            running = running * bucket % modulus
            total = total * running % modulus
    return total


def keys(bits: int, coins: Coins) -> SecretKey:
    start = process_time()
    secret = SecretKey.generate(bits, coins)
    print(f"paillier-{bits}")
    print(f"  key generation {1000 * (process_time() - start):10.0f}")
    public, message = secret.public, coins.below(1 << (bits - 1))
    ciphertext = public.encrypt(message, coins)
    print(f"  encryption     {milliseconds(lambda: public.encrypt(message, coins), 5):10.2f}")
    print(f"  by the owner   {milliseconds(lambda: secret.encrypt(message, coins), 20):10.2f}")
    print(f"  decryption     {milliseconds(lambda: secret.decrypt(ciphertext), 20):10.2f}")
    return secret


def randomisers(public: PublicKey, coins: Coins) -> None:
    pool, shape = Randomisers(public, OUTPUTS), pool_shape(public.bits, OUTPUTS)
    print(f"  randomiser, the first {shape.bases}", end="")
    print(f"{milliseconds(lambda: pool.draw(coins), shape.bases):9.2f}")
    print(f"  building the tables      {milliseconds(lambda: pool.draw(coins), 1):10.0f}")
    print(f"  randomiser, from tables  {milliseconds(lambda: pool.draw(coins), 50):10.2f}")


def products(public: PublicKey, terms: int, coins: Coins) -> None:
    bases = [mpz(coins.below(int(public.square))) for _ in range(terms)]
    exponents, square = coins.words((4, terms)), public.square
    fixed = FixedBases(bases, square)
    slots = Slots.of(public.bits, Layout(terms, (1,), OUTPUTS))
    print(f"  s = {terms}: {slots.count} slots of {slots.width} bits, window {fixed.window}")
    first = milliseconds(lambda: fixed.products(exponents[:1]), 1)
    each = milliseconds(lambda: fixed.products(exponents), 1) / len(exponents)
    print(f"    stored powers      {first - each:10.0f}")
    print(f"    an output          {each:10.1f}")
    best = min(
        milliseconds(partial(classic, bases, exponents[0], window, square), 1)
        for window in (4, 5, 6, 7)
    )
    print(f"    an output, classic {best:10.1f}")
    few = min(terms, 20)
    exponent = int(exponents[0, 0]) | 1 << 63
    term = milliseconds(lambda: powmod(bases[0], exponent, square), few)
    print(f"    an output, powmod  {term * terms:10.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bits", type=int, nargs="*", default=[2048, 3072])
    parser.add_argument("--terms", type=int, nargs="*", default=[100, 943])
    arguments = parser.parse_args()
    print("milliseconds of CPU time")
    for bits in arguments.bits:
        coins = Coins.seeded(f"bench/{bits}")
        secret = keys(bits, coins)
        randomisers(secret.public, coins)
        for terms in arguments.terms:
            products(secret.public, terms, coins)


if __name__ == "__main__":
    main()
