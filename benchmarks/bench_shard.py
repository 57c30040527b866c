# SPDX-License-Identifier: Apache-2.0
"""One real shard of a session that no machine here can run: set up, multiplied, checked.

Usage: OMP_NUM_THREADS=1 nice python benchmarks/bench_shard.py [--users 138493] [--items 26744]
       [--side users] [--gigabytes 3] [--on-disk] [--folder DIR]

The session is that of the size, with the nearest parameters that fit it, all its primes and the
whole width of its rows. Of the encrypted matrix of one orientation (--side: whose rows are updated
with it) so many rows are taken as fill a shard of that size. The owner of the key encrypts them; a
worker's own code loads them from files and makes its sums for one half-step, in memory or, with
--on-disk, in files that are mapped; the peer finishes the answer, the owner decrypts it, and
entries of the product are compared with Python's integers. What is printed beyond this shard is
extrapolated: times the number of shards, and what the model says. Asserts nothing about time.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ppmf.evaluation.advice import advise
from ppmf_costs.unit_costs import UnitCosts
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.scheme import rlwe_scheme
from ppmf_secure.primitives.room import MEMORY, Files
from ppmf_secure.primitives.shares import ring_mask
from ppmf_secure.primitives.workers import Call, OneProcess
from ppmf_secure.protocols.ratings_product import group_batches, orientations
from ppmf_secure.transport.process_health import health_here
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import Side

SUITE = "rlwe-8192"
COLUMNS = 100
"""So many columns of each block are compared, for every row of the answer."""


class Timed(OneProcess):
    """One worker that is this process; seconds of the processor by what it is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(1, folder)
        self.cpu: dict[str, float] = {}
        self.wall: dict[str, float] = {}

    def load(self, shards: Mapping[str, Call]) -> None:
        """Load, and note how long that took."""
        self._note("load", lambda: super(Timed, self).load(shards))

    def multiply(self, questions: Mapping[str, Call]) -> Iterator[Any]:
        """Multiply, and note how long that took."""
        yield from self._note("sums", lambda: list(super(Timed, self).multiply(questions)))

    def _note(self, name: str, work: Any) -> Any:
        cpu, wall = time.process_time(), time.perf_counter()
        found = work()
        self.cpu[name] = time.process_time() - cpu
        self.wall[name] = time.perf_counter() - wall
        return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--users", type=int, default=138_493)
    parser.add_argument("--items", type=int, default=26_744)
    parser.add_argument("--side", choices=("users", "items"), default="users")
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--on-disk", action="store_true")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    params = advise(Parameters(), given.users, given.items, SUITE).nearest
    assert params is not None, "the suite holds the size"
    found = orientations(params, given.users, given.items)
    orientation = next(one for one in found if one.packing is Side(given.side))
    scheme = rlwe_scheme(SUITE).fit([one.layout for one in found])
    whole, uses = orientation.layout, orientation.uses
    packing = scheme.context.packing(whole)
    each = scheme.stored_bytes(whole) / packing.groups
    groups = max(1, min(packing.groups, int(given.gigabytes * 1e9 / each)))
    rows = packing.rows_of(slice(0, groups)).stop
    layout = Layout(rows, whole.blocks, whole.outputs, whole.ring_bits)
    primes = len(scheme.lattice.primes)
    print(
        f"session {given.users} x {given.items}, rank {params.rank}, T = {params.iterations}, ring "
        f"of {whole.ring_bits} bits, {primes} primes; shard of {rows} of {whole.rows} rows of "
        f"{sum(whole.blocks)} numbers ({groups} of {packing.groups} groups): "
        f"{scheme.stored_bytes(layout) / 1e9:.2f} GB of residues, "
        f"{'on disk' if given.on_disk else 'in memory'}"
    )
    coins = Coins.seeded("bench-shard")
    share, own = coins.words(layout.shape), coins.words(layout.shape)
    x = coins.words((max(use.stop for use in uses), rows))
    owner = scheme.generate(coins)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        (folder / "shards").mkdir()
        workers = Timed(folder / "shards")
        room = Files(folder / "matrices") if given.on_disk else MEMORY
        cpu = {"encrypt": 0.0}
        intake = scheme.peer(owner.public, workers, room).intake(layout, own)
        encrypted = owner.encrypt_rows(share, layout, coins)
        for batch in group_batches(scheme.group_bytes(layout)):
            started = time.process_time()
            some = [next(encrypted) for _ in batch]
            cpu["encrypt"] += time.process_time() - started
            intake.add(some)
        taken = intake.finish()
        started = time.process_time()
        answer, ours = taken.multiply(x, uses, coins)
        cpu["answer without sums"] = time.process_time() - started - workers.cpu["sums"]
        started = time.process_time()
        theirs = owner.decrypt(answer, layout, uses)
        cpu["decrypt"] = time.process_time() - started
    compared = check(share + own, x, uses, ours, theirs, ring_mask(whole.ring_bits))
    cpu |= workers.cpu
    print(f"{compared} entries of the product are those of Python's integers")
    print("CPU seconds of this shard: " + ", ".join(f"{a} {b:.1f}" for a, b in cpu.items()))
    print("wall: " + ", ".join(f"{name} {value:.1f}" for name, value in workers.wall.items()))
    health = health_here()
    print(f"this process had at most {health.most_memory / 1e9:.2f} GB, both servers' shares in it")
    shards = packing.groups / groups
    costs = UnitCosts.read().seconds
    terms, stored = scheme.answer_terms(layout, uses), scheme.stored_bytes(layout)
    compact = scheme.is_compact(layout)
    by_model = {
        "set-up": costs[f"he_rows/{SUITE}"] * stored,
        "sums": terms
        * (costs[f"he_terms/{SUITE}"] + compact * costs.get(f"compact_terms/{SUITE}", 0.0)),
    }
    print(
        f"the model says of this shard: set-up {by_model['set-up']:.1f} s (encrypt + load here: "
        f"{cpu['encrypt'] + cpu['load']:.1f}), sums {by_model['sums']:.1f} s (here: "
        f"{cpu['sums']:.1f})"
    )
    print(
        f"EXTRAPOLATED to all {shards:.0f} such shards of this orientation: encrypt and load "
        f"{(cpu['encrypt'] + cpu['load']) * shards / 3600:.1f} h, sums of one half-step "
        f"{cpu['sums'] * shards / 60:.1f} min of one core, divided by the number of workers; the "
        f"rest of an answer and its decryption do not grow with the shards"
    )


def check(
    matrix: np.ndarray[Any, Any],
    x: np.ndarray[Any, Any],
    uses: tuple[slice, slice],
    ours: list[Any],
    theirs: list[Any],
    mask: Any,
) -> int:
    """Compare entries of X M with Python's integers; how many. Raises AssertionError."""
    draw, before, compared = random.Random(1), 0, 0
    modulus = int(mask) + 1
    for use, one, other in zip(uses, ours, theirs, strict=True):
        width = one.shape[1]
        chosen = {0, width - 1, *(draw.randrange(width) for _ in range(COLUMNS))}
        for column in sorted(chosen):
            entries = [int(value) for value in matrix[:, before + column]]
            for place, row in enumerate(range(use.start, use.stop)):
                due = sum(int(a) * b for a, b in zip(x[row].tolist(), entries, strict=True))
                got = int(one[place, column]) + int(other[place, column])
                assert (got - due) % modulus == 0, (row, column)
                compared += 1
        before += width
    return compared


if __name__ == "__main__":
    main()
