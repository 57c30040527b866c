# SPDX-License-Identifier: Apache-2.0
"""Processor seconds of circuits and products, made by the servers themselves and by workers.

    PYTHONPATH=. python benchmarks/bench_by_workers.py [--elements 40960] [--workers 1] [--rounds 3]

Both servers are in one process, and share the workers. The least of some rounds is printed; what
the processes spend while nothing is asked of them is taken off, as it was measured. Asserts nothing
about time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import psutil

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.bit_products import times_vectors
from ppmf_secure.protocols.half_step import update_circuit
from ppmf_secure.protocols.shared_circuits import run_circuit, share_outputs
from ppmf_secure.protocols.transfers import Site
from ppmf_secure.transport.dask_workers import Cluster, DaskWorkers, local_cluster
from ppmf_spec.parameters import Parameters
from tests.support.two_servers import ideal_transfers, run_both

LENGTH = 10
IDLE = 5.0


def measure(cluster: Cluster, elements: int, rounds: int) -> None:
    """Print the table. The scheduler is in the parent of this process."""
    circuit = update_circuit(Parameters(), 61, None, 0, 0)
    total, mine = (Coins.seeded(label).words(elements) for label in ("total", "mine"))
    vectors = Coins.seeded("vectors").words((elements, LENGTH))
    with DaskWorkers(cluster) as workers:
        helpers = [psutil.Process(pid) for pid in workers._client.run(os.getpid).values()]
        processes = [[psutil.Process()], [psutil.Process(os.getppid())], helpers]

        def spent() -> np.ndarray[Any, Any]:
            cpu = [sum(sum(each.cpu_times()[:2]) for each in group) for group in processes]
            return np.array([perf_counter(), *cpu])

        def timed(work: Callable[[], Any]) -> tuple[Any, np.ndarray[Any, Any]]:
            before = spent()
            result = work()
            return result, spent() - before

        _, idle = timed(lambda: sleep(IDLE))
        print("seconds                  both servers   scheduler   workers")
        for name, some in (("alone", None), ("by workers", workers)):
            found: dict[str, list[np.ndarray[Any, Any]]] = {}
            for _ in range(rounds):
                ends = [replace(each, workers=some) for each in ideal_transfers("bench")]
                shares = (mine, total - mine)
                site = Site("update")
                labels, took = timed(
                    lambda ends=ends, shares=shares, site=site: run_both(
                        *(
                            run_circuit(end, circuit, share, {}, site)
                            for end, share in zip(ends, shares, strict=True)
                        )
                    )
                )
                found.setdefault("circuits", []).append(took)
                words = run_both(
                    *(
                        share_outputs(end, each["word"])
                        for end, each in zip(ends, labels, strict=True)
                    )
                )
                _, took = timed(
                    lambda ends=ends, words=words: run_both(
                        *(
                            times_vectors(end, each, vectors, Site("gradient"), signed=True)
                            for end, each in zip(ends, words, strict=True)
                        )
                    )
                )
                found.setdefault("products", []).append(took)
            for what, rows in found.items():
                net = [row[1:] - idle[1:] / idle[0] * row[0] for row in rows]
                print(
                    f"{what:12}{name:12}" + "".join(f"{one:12.2f}" for one in np.min(net, axis=0))
                )


def main() -> None:
    """Start a cluster of this machine and measure with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=40_960)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        local_cluster(given.workers, Path(folder) / "cluster") as cluster,
    ):
        process = multiprocessing.get_context("spawn").Process(
            target=measure, args=(cluster, given.elements, given.rounds)
        )
        process.start()
        process.join()


if __name__ == "__main__":
    main()
