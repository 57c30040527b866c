# SPDX-License-Identifier: Apache-2.0
"""AND gates a second of garbling and evaluating, at the size of one iteration's element circuits.

    python benchmarks/bench_garbling.py [--elements 26000] [--rounds 5]

Prints the AND gates of the circuits at the default parameters and MovieLens-100K sizes, and the
best round of each side on one core; asserts nothing about time.
"""

from __future__ import annotations

import argparse
from functools import partial
from time import perf_counter

import numpy as np

from ppmf_secure.primitives.circuits.half_gates import Evaluator, Garbler
from ppmf_secure.primitives.circuits.training_circuits import Circuit, reciprocal, update
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.shares import chunks
from ppmf_spec.parameters import Regulariser

OFFSET = np.array([0x0123456789ABCDEF, 0xFEDCBA9876543210], dtype=np.uint64)


def element(prox: Regulariser | None) -> Circuit:
    """The circuit of an element; thresholds of 10 bits stand for a typical l1 and ridge."""
    return update(
        width=61, drop=40, frac_bits=12, box_bits=1, prox=prox, tau_bits=10, theta_bits=10
    )


def row() -> Circuit:
    """The circuit of a row: the step alone."""
    return reciprocal(
        width=41,
        drop=20,
        numerator_bits=20,
        minimum=256,
        l1_int=0,
        ridge_int=0,
        threshold_shift=29,
        tau=False,
        theta=False,
    )


def measure(circuit: Circuit, elements: int, keys: BatchKeys) -> tuple[float, float]:
    """Seconds to garble and to evaluate the circuit for all elements, on random labels."""
    garbler, evaluator = Garbler(circuit, OFFSET), Evaluator(circuit)
    coins = Coins.seeded("bench_garbling")
    garbling = evaluating = 0.0
    for chunk, part in enumerate(chunks(elements)):
        count = part.stop - part.start
        zero = {name: coins.words((width, count, 2)) for name, width in circuit.inputs.items()}
        cipher_of_batch = partial(keys.cipher, "bench", chunk)
        started = perf_counter()
        tables, _ = garbler.garble(zero, cipher_of_batch)
        garbled = perf_counter()
        evaluator.evaluate(zero, tables, cipher_of_batch)
        evaluating += perf_counter() - garbled
        garbling += garbled - started
    return garbling, evaluating


def main() -> None:
    """Garble and evaluate each circuit `--rounds` times and print the best rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=26_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    keys = BatchKeys(b"bench_garbling", 0)
    print(f"{options.elements:,} elements         AND gates   garbling M/s   evaluating M/s")
    for name, circuit in (
        ("reciprocal", row()),
        ("update, no prox", element(None)),
        ("update, elastic-net", element("elastic-net")),
        ("update, binary", element("binary-elastic-net")),
    ):
        times = [measure(circuit, options.elements, keys) for _ in range(options.rounds)]
        ands = circuit.and_count * options.elements / 1e6
        garbling, evaluating = (ands / min(side) for side in zip(*times, strict=True))
        print(f"{name:22}{circuit.and_count:12}{garbling:15.1f}{evaluating:17.1f}")


if __name__ == "__main__":
    main()
