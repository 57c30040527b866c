# SPDX-License-Identifier: Apache-2.0
"""The numbers that the prose of the specification derives from others, each computed anew.

They are as the text writes them: rounded to its digits, with its separators of thousands.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from itertools import count
from math import log2, prod
from typing import Any

import cbor2
import gmpy2

from ppmf.evaluation import suggestion
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.params import LARGE_PRIMES, STANDARD, Budget
from ppmf_secure.primitives.encryption.paillier.randomisers import distance_squared, pool_shape
from ppmf_secure.primitives.hashing import MAX_CALLS
from ppmf_secure.protocols.suite_choice import check_holds
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tests.support.lengths import CSP, RECSYS, Message, Sizes, conversion, half_step

MOVIELENS = 943, 1682
DEFAULTS = Parameters()
WHOLE_STARS = replace(DEFAULTS, rating_min=Fraction(1))


def bits(rows: int) -> str:
    return f"{bounds(WHOLE_STARS, rows, rows).bits:.1f}"


def most_ratings() -> str:
    """The most ratings of a row whose step is never 0."""
    idle = first(lambda rows: bool(bounds(WHOLE_STARS, rows, rows).warnings), 1, 1 << 20)
    return f"{idle - 1:,}"


@cache
def largest_run() -> list[int]:
    """What the ten primes hold at 1,000,000 x 100,000: `step_bits` with which every row can move,
    bits of the ring and most iterations, with three parameter sets.
    """
    found: list[int] = []
    closer = replace(DEFAULTS, box_bits=0)
    for base in (DEFAULTS, closer, replace(closer, curvature_shift=2)):
        params = suggestion.fitted(base, 10**6, 10**5)
        ring = bounds(params, 10**6, 10**5).ring_bits
        most = first(partial(_too_long, params), 1, 1 << 12) - 1
        found += [params.step_bits, ring, most] if len(found) != 3 else [ring, most]
    return found


def _too_long(params: Parameters, iterations: int) -> bool:
    longer = replace(params, iterations=iterations)
    try:
        check_holds(cipher_suite("rlwe-8192"), longer, 10**6, 10**5)
    except ParametersError:
        return True
    return False


def amplification() -> int:
    """L of chapter 2, its logarithm rounded, with the defaults at 1,682 rows."""
    p, rows = WHOLE_STARS, 1682
    box = 2**p.box_bits
    error = p.rank * box**2 + 2 * box + p.xmax
    largest = rows * box * error + p.ridge * box
    linear = (p.ridge + rows * (2 * p.rank * box**2 + 2 * box + error)) / p.damping
    slope = Fraction(2) ** (1 - p.curvature_shift) * rows * p.rank * box
    steps = slope / p.damping**2 * (largest + p.l1 / 2)
    return round(log2(1 + 2 * p.inertia + linear + steps))


def first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The least number in [low, high] for which that holds which goes on holding."""
    return bisect_left(range(low, high), True, key=holds) + low


def close_enough(modulus: int, bases: int, exponent: int, answers: int) -> bool:
    """Whether the randomisers of so many answers are within 2^-41 of uniform."""
    return distance_squared(modulus, bases, exponent) <= Fraction(1, (answers << 41) ** 2)


def least_bases(modulus: int, answers: int) -> int:
    """The fewest bases that do with exponents that are long enough."""
    return first(lambda bases: close_enough(modulus, bases, 256, answers), 13, 256)


def margin_of_exponents(answers: int) -> int:
    """By how much all exponents together are longer than the modulus, with plenty of bases."""
    bases, exponent = 256, 16
    total = bases * exponent
    return first(lambda more: close_enough(total - more, bases, exponent, answers), 0, total)


def pool() -> list[int]:
    shape = pool_shape(3072, 2**13)
    exponent = 8 * shape.exponent_bytes
    return [shape.bases, exponent, shape.bases * exponent, least_bases(3072, 1) - 1]


def one_prime_more() -> str:
    """log2 of q and the next smaller prime."""
    below = count(min(LARGE_PRIMES) - 256, -256)
    prime = next(p for p in below if gmpy2.is_prime(p))
    return f"{log2(STANDARD.modulus * prime):.1f}"


def flood_over_noise() -> int:
    """The k with noise times outputs at most 2^-k of the flood, whatever the layout."""
    found = []
    for layout in (
        Layout(rows, (1,), outputs) for rows in (1, 7, 943) for outputs in (1, 2, 86_000)
    ):
        budget = Budget.of(STANDARD, layout)
        found.append(budget.flood_bits - log2(budget.noise) - log2(layout.outputs))
    return int(min(found))


def bits_of_the_hash() -> list[float]:
    """What chapter 6's lemma leaves of CSP's offset, of which a bit is known, and of RecSys'."""
    mu = log2(MAX_CALLS // 2)
    return [128 - log2(3) - mu, 128 - 1 - mu]


def hash_calls() -> int:
    """Hashes under CSP's offset in a run on MovieLens-100K, all half-steps taken as full ones."""
    d, D, w = DEFAULTS.rank, DEFAULTS.row_rank, DEFAULTS.word_bits
    calls = 0
    for side, other in (("users", "items"), ("items", "users")):
        size = sizes()
        n, m = size.rows(side), size.rows(other)
        _, ands, widths = size.step(side, "lipschitz")
        (h, of_bias), updates = (widths["step"], size.step(side, "bias")[2]["step"]), size.update
        calls += 4 * (ands * n + updates({}, prox=False)[1] * D * n)  # both labels of two wires
        lengths = [(m * w, D - k) for k in range(d)]
        lengths += [(D * n * w, D), (n * h, d), (n * of_bias, 1), (D * n * w, 1)]
        calls += sum(2 * bits * -(-length // 2) for bits, length in lengths)  # both keys of a bit
    of_bits = 2 * sizes().planes * prod(MOVIELENS)  # both keys of a bit, once
    return DEFAULTS.iterations * calls + of_bits


def keystream_blocks() -> int:
    """AES blocks that one keystream of RecSys' columns takes in that run, half-steps as above."""
    half_steps = (message for number in (2, 3) for message in half_step(sizes(), number))
    columns = DEFAULTS.iterations * _columns_of_recsys(half_steps)
    return (columns + _columns_of_recsys(conversion(sizes()))) // (128 * 16)


def _columns_of_recsys(messages: Iterable[Message]) -> int:
    """The bytes of RecSys' columns among messages."""
    return sum(
        len(field)
        for sender, _, name, fields in messages
        if (sender, name) == (RECSYS, "transfer-columns")
        for field in fields
        if isinstance(field, bytes)
    )


def rows_of_columns() -> int:
    """A of chapter 6: rows of X in the answers of a server; W wants them all."""
    answers = 2 * DEFAULTS.iterations - 1
    return answers * max(sizes().wanted)


def sizes(suite: str = "rlwe-8192", **change: Any) -> Sizes:
    return Sizes(replace(DEFAULTS, **change), *MOVIELENS, suite)


def ands_of_updates() -> list[int]:
    """Of the update without a prox, with that of the elastic net, with the binary one."""
    found = [sizes().update({}, prox=False)[1]]
    for regulariser in ("elastic-net", "binary-elastic-net"):
        size = sizes(l1=Fraction(1), regulariser=regulariser)
        found.append(size.update(size.step("users", "lipschitz")[2], prox=True)[1])
    return found


def traffic(suite: str) -> list[str]:
    """Megabytes of an iteration after the first, from RecSys to CSP and back."""
    return _megabytes(message for number in (2, 3) for message in half_step(sizes(suite), number))


def traffic_of_the_conversion() -> list[str]:
    """Megabytes from RecSys to CSP and back."""
    return _megabytes(conversion(sizes()))


def _megabytes(messages: Iterable[Message]) -> list[str]:
    sent = {RECSYS: 0, CSP: 0}
    for sender, _, _, fields in messages:
        sent[sender] += sum(len(field) for field in fields if isinstance(field, bytes))
    return [f"{sent[sender] / 1e6:.1f}" for sender in (RECSYS, CSP)]


def set_up(suite: str) -> str:
    size = sizes(suite)
    return f"{sum(size.group_bytes('users') + size.group_bytes('items')) / 1e6:.1f}"


def example() -> list[object]:
    size = sizes()
    steps = [size.step(side, "lipschitz") for side in ("users", "items")]
    widths = {step[2]["step"] for step in steps}
    widths |= {size.step(side, "bias")[2]["step"] for side in ("users", "items")}
    (width,) = widths
    ands = [step[1] for step in steps]
    return [DEFAULTS.word_bits, *size.wanted, width, *ands, *ands_of_updates()]


def rounds() -> int:
    """Of an iteration: see tests/secure/parties/test_rounds.py, which counts them in runs."""
    products, inner_step = 1 + 1, 1 + 1 + 1
    return 2 * (products + DEFAULTS.inner_steps * inner_step)


def head(length: int) -> int:
    """Bytes in front of a CBOR byte string."""
    return len(cbor2.dumps(bytes(length))) - length


def limits() -> list[str]:
    """The least numbers for which CBOR takes 2, 3 and 5 bytes."""
    found = []
    for size in (2, 3, 5):
        power = next(2**n for n in range(33) if len(cbor2.dumps(2**n)) >= size)
        at_least = range(power // 2 + 1, power + 1)
        found.append(next(n for n in at_least if len(cbor2.dumps(n)) >= size))
    return [f"{limit:,}" for limit in found]
