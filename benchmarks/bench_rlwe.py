# SPDX-License-Identifier: Apache-2.0
"""Seconds, of CPU time, and bytes of each step of the lattice suite, at one matrix size.

Usage: OPENBLAS_NUM_THREADS=1 python benchmarks/bench_rlwe.py [--users 943] [--items 1682]
       [--rank 10] [--iterations 20] [--repeat 3]

For each orientation: what one server does to encrypt its own rows, to take in its peer's, and, an
iteration, to multiply and to decrypt (the best of `repeat`). The sums are for both servers.
Asserts nothing about time; checks each product.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import TypeVar

import numpy as np

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.params import Budget
from ppmf_secure.primitives.encryption.lattice.scheme import rlwe_scheme

Result = TypeVar("Result")
SCHEME = rlwe_scheme("rlwe-8192")


@dataclass
class Figures:
    """Of one server and one orientation: seconds, bytes."""

    encrypt: float
    take_in: float
    multiply: float
    decrypt: float
    rows_bytes: int
    answer_bytes: int


def timed(action: Callable[[], Result]) -> tuple[float, Result]:
    start = process_time()
    result = action()
    return process_time() - start, result


def orientation(rows: int, packed: int, rank: int, iterations: int, repeat: int) -> Figures:
    coins = Coins.seeded(f"bench/{rows}")
    columns = rank + 1 + rank * (rank + 3) // 2
    uses = [slice(0, columns), slice(0, rank)]
    outputs = iterations * (columns + rank) * (rows + packed)
    layout = Layout(rows, (packed, packed), outputs)
    budget = Budget.of(SCHEME.lattice, layout)
    print(f"{rows} rows packing 2 x {packed}, {columns} + {rank} columns, {outputs} outputs:")
    print(f"  noise 2^{budget.noise.bit_length()}, flood 2^{budget.flood_bits}")
    scheme = SCHEME.fit([layout])
    owner = scheme.generate(coins)
    peer = scheme.peer(owner.public)
    matrix, x = coins.words((rows, 2 * packed)), coins.words((columns, rows))
    own = coins.words(matrix.shape)
    encrypt, encrypted = timed(lambda: list(owner.encrypt_rows(matrix - own, layout, coins)))
    print(f"  encrypt  {encrypt:8.2f} s  {sum(map(len, encrypted)) / 1e6:8.1f} MB")
    take_in, taken = timed(lambda: peer.rows(encrypted, layout, own))
    print(f"  take in  {take_in:8.2f} s")
    times = []
    for _ in range(repeat):
        multiply, (answer, kept) = timed(partial(taken.multiply, x, uses, coins))
        decrypt, given = timed(partial(owner.decrypt, answer, layout, uses))
        times.append((multiply, decrypt))
        for block, use in enumerate(uses):
            part = matrix[:, block * packed : (block + 1) * packed]
            assert np.array_equal(kept[block] + given[block], x[use] @ part)
    multiply, decrypt = map(min, zip(*times, strict=True))
    print(f"  multiply {multiply:8.2f} s  {scheme.answer_bytes(layout, uses) / 1e6:8.1f} MB")
    print(f"  decrypt  {decrypt:8.2f} s")
    sent, answers = sum(scheme.group_bytes(layout)), scheme.answer_bytes(layout, uses)
    return Figures(encrypt, take_in, multiply, decrypt, sent, answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=943)
    parser.add_argument("--items", type=int, default=1682)
    parser.add_argument("--rank", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    wanted = parser.parse_args()
    scheme = SCHEME.fit([Layout(wanted.users, (wanted.items, wanted.items), 1)])
    seconds, owner = timed(lambda: scheme.generate(Coins.seeded("bench")))
    print(f"key generation {seconds:.3f} s, public key {len(owner.public)} bytes")
    both = [
        orientation(rows, packed, wanted.rank, wanted.iterations, wanted.repeat)
        for rows, packed in ((wanted.items, wanted.users), (wanted.users, wanted.items))
    ]
    set_up = 2 * sum(each.encrypt + each.take_in for each in both)
    iteration = 2 * sum(each.multiply + each.decrypt for each in both)
    print("both servers:")
    print(f"  set-up       {set_up:8.2f} s  {2 * sum(e.rows_bytes for e in both) / 1e6:8.1f} MB")
    print(
        f"  an iteration {iteration:8.2f} s  {2 * sum(e.answer_bytes for e in both) / 1e6:8.1f} MB"
    )


if __name__ == "__main__":
    main()
