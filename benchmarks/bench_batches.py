# SPDX-License-Identifier: Apache-2.0
"""The cost of the size of a batch of the hash: circuits and bit products with other sizes.

    python benchmarks/bench_batches.py

For batches of 2^10 to 2^14 calls it prints the processor seconds of one chunk of 4,096 elements in
an inner step under the default parameters: an update is garbled and evaluated, and words are
multiplied with two vectors of 11 entries and with one of 1, the work of both servers added up.
Every size is measured in a process of its own, in turn, three times; the fastest counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial
from itertools import product
from time import process_time

from ppmf_secure.primitives import hashing
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import RECSYS

SIZES = range(10, 15)
TURNS, ROUNDS = 3, 8
LENGTHS = (11, 11, 1)
RING_BITS = 46  # that of MovieLens-100K


def measure(bits: int) -> float:
    """The processor seconds of a chunk with batches of 2^bits calls, in the fastest round."""
    hashing.MAX_CALLS = 1 << bits
    # these make the sizes of their batches from it when they are imported
    from ppmf_secure.primitives.circuits.half_gates import Evaluator, Garbler
    from ppmf_secure.primitives.shares import CHUNK
    from ppmf_secure.primitives.transfer_extension import fresh_offset
    from ppmf_secure.protocols.bit_products import Choosing, Hashing, Sending, corrections, taken
    from ppmf_secure.protocols.half_step import update_circuit
    from ppmf_secure.protocols.transfers import Site

    params, coins = Parameters(), Coins.seeded("bench_batches")
    offset, keys = fresh_offset(coins, odd=True), hashing.BatchKeys(bytes(32), 0)
    circuit = update_circuit(params, RING_BITS, None, 0, 0)
    garbler, evaluator = Garbler(circuit, offset), Evaluator(circuit)
    labels = {name: coins.words((width, CHUNK, 2)) for name, width in circuit.inputs.items()}
    sent, chosen = coins.words((2, params.word_bits, CHUNK, 2))
    choices, of_server = coins.bits((params.word_bits, CHUNK)), Hashing(RECSYS, RING_BITS, keys)
    vectors = [coins.words((CHUNK, length)) for length in LENGTHS]
    rounds = []
    for number in range(ROUNDS):
        started = process_time()
        cipher_of_batch = partial(keys.cipher, "update/gates", number)
        tables, _ = garbler.garble(labels, cipher_of_batch)
        evaluator.evaluate(labels, tables, cipher_of_batch)
        for place, vector in enumerate(vectors):
            site = Site("gradient", (number, place))
            made = corrections(
                of_server, [Sending(choices, sent, offset, vector, site, signed=True)]
            )
            ((payload, _),) = made
            length = vector.shape[1]
            taken(of_server, [Choosing(choices, chosen, length, payload, site, signed=True)])
        rounds.append(process_time() - started)
    return min(rounds)


def main() -> None:
    """Print the table; with --one, the seconds of one size alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", type=int, metavar="BITS", help="measure this size alone")
    only = parser.parse_args().one
    if only is not None:
        print(measure(only))
        return
    found: dict[int, list[float]] = {bits: [] for bits in SIZES}
    for _, bits in product(range(TURNS), SIZES):
        command = [sys.executable, __file__, "--one", str(bits)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[bits].append(float(done.stdout))
    own = min(found[hashing.MAX_CALLS.bit_length() - 1])
    print("calls of a batch   ms of a chunk   slowest/fastest turn   to that of the protocol")
    for bits, seconds in found.items():
        best, worst = min(seconds), max(seconds)
        print(f"2^{bits:<16}{1000 * best:14.1f}{worst / best:23.2f}{best / own:26.2f}")


if __name__ == "__main__":
    main()
