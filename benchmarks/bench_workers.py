# SPDX-License-Identifier: Apache-2.0
"""A training with workers: CPU seconds and memory of each process, beside what the model says.

Usage: nice python benchmarks/bench_workers.py [--users 6040] [--items 3706] [--workers 2]
       [--rank R] [--iterations T] [--matrices-on-disk] [--data-limit MB]
       [--check] [--out results/workers.json] | --table results/workers.json

One training on this machine, of made-up ratings and with the parameters that `ppmf params suggest`
prints for the size (or a smaller rank and fewer iterations), with so many workers of each server; 0
is a server without workers. V is compared with the oracle with --check. The figures are appended
to a file with --out, and `--table FILE` prints those of a file, with ratios to the run without
workers: the slope of a worker's CPU and memory on logarithmic axes between two runs, and what all
processes of a server took more than a server without workers. Asserts nothing about time.

With --data-limit no process may have more private memory than that, as on a machine that has no
more: a run that needs more fails, and passes with --matrices-on-disk, since mapped files do not
count.

A server without workers of 6,040 x 3,706 takes about 6.4 GB, and with workers as much in all; both
servers run on this machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

from ppmf.bench.measured_runs import made_up
from ppmf.evaluation import suggestion
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts
from ppmf_costs.workers import WORKER_MEMORY, with_workers
from ppmf_reference import fixed
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.transport import processes
from ppmf_secure.transport.dask_workers import DaskWorkers, local_cluster
from ppmf_spec.parameters import Parameters

SUITE = "rlwe-8192"


def measured(given: argparse.Namespace) -> dict[str, Any]:
    """One training."""
    params = suggestion.fitted(Parameters(), given.users, given.items)
    params = replace(
        params,
        rank=given.rank or params.rank,
        iterations=given.iterations or params.iterations,
    )
    ratings = made_up(given.users, given.items, params)
    if given.data_limit:
        resource.setrlimit(resource.RLIMIT_DATA, (given.data_limit << 20,) * 2)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        workers = processes.LocalWorkers(given.workers, Path(folder) / "workers")
        matrices = Path(folder) / "matrices"
        started = time.perf_counter()
        found = processes.train(
            ratings,
            params,
            suite=SUITE,
            workers=workers if given.workers else None,
            matrices=matrices if given.matrices_on_disk else None,
        )
        wall = time.perf_counter() - started
    idle = at_rest(given.folder) if given.workers else None
    if given.check:
        assert found.profiles == fixed.train(ratings, params), "V is not the oracle's"
    costs = UnitCosts.read()
    tally = count_run(params, PublicSize.of(ratings.users, ratings.n_items), cipher_suite(SUITE))
    estimated = with_workers(costs, tally, SUITE, given.workers) if given.workers else None
    whole = costs.estimate(tally, SUITE)
    return {
        "users": ratings.n_users,
        "items": ratings.n_items,
        "rank": params.rank,
        "iterations": params.iterations,
        "workers": given.workers,
        "matrices_on_disk": given.matrices_on_disk,
        "checked": given.check,
        "wall_seconds": round(wall, 2),
        "idle_worker": idle,
        "servers": {
            str(party): {
                "cpu_seconds": round(one.server.cpu_seconds, 2),
                "memory_bytes": one.server.most_memory,
                "workers": [
                    {
                        "cpu_seconds": round(worker.process.cpu_seconds, 2),
                        "memory_bytes": worker.process.memory,
                        "most_memory_bytes": worker.process.most_memory,
                    }
                    for worker in one.workers
                ],
            }
            for party, one in found.health.items()
        },
        "estimated": {
            "server_cpu_seconds": round(estimated.server.seconds if estimated else whole.total, 2),
            "server_memory_bytes": round(estimated.server.memory if estimated else whole.memory),
            "worker_cpu_seconds": round(estimated.worker.seconds, 2) if estimated else None,
            "worker_memory_bytes": round(estimated.worker.memory) if estimated else None,
        },
    }


def at_rest(folder: Path | None) -> dict[str, float]:
    """What a worker takes that was started and has done nothing."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as place,
        processes.starting_servers(),
        local_cluster(1, Path(place) / "idle") as cluster,
        DaskWorkers(cluster) as workers,
    ):
        (found,) = workers.health()
        return {
            "cpu_seconds": round(found.process.cpu_seconds, 2),
            "memory_bytes": found.process.memory,
        }


def table(runs: list[dict[str, Any]]) -> None:
    """Print runs of one size; the last of each number of workers counts."""
    by_count = {
        (run["users"], run["items"], run["rank"], run["matrices_on_disk"], run["workers"]): run
        for run in runs
    }
    before: dict[str, Any] = {}
    for (*size, count), run in sorted(by_count.items()):
        alone = by_count.get((*size, 0))
        for party, found in run["servers"].items():
            workers = found["workers"]
            start = run["idle_worker"] or {"cpu_seconds": 0.0, "memory_bytes": 0}
            all_cpu = found["cpu_seconds"] + sum(
                one["cpu_seconds"] - start["cpu_seconds"] for one in workers
            )
            line = (
                f"{size[0]} x {size[1]} rank {size[2]}{' on disk' if size[3] else ''}, "
                f"{count} workers, {party}: server {found['cpu_seconds']:.1f} s CPU "
                f"(model {run['estimated']['server_cpu_seconds']:.1f}), "
                f"{found['memory_bytes'] / 1e9:.2f} GB "
                f"(model {run['estimated']['server_memory_bytes'] / 1e9:.2f})"
            )
            if workers:
                cpu = max(one["cpu_seconds"] for one in workers) - start["cpu_seconds"]
                memory = max(one["memory_bytes"] for one in workers) - start["memory_bytes"]
                line += (
                    f"; a worker beside its start ({start['cpu_seconds']:.1f} s, "
                    f"{start['memory_bytes'] / 1e9:.2f} GB) {cpu:.1f} s "
                    f"(model {run['estimated']['worker_cpu_seconds']:.1f}), "
                    f"{memory / 1e9:.2f} GB "
                    f"(model {(run['estimated']['worker_memory_bytes'] - WORKER_MEMORY) / 1e9:.2f})"
                )
                if party in before and before[party][0][:-1] == (*size,):
                    (*_, fewer), old_cpu, old_memory = before[party]
                    step = log(count / fewer)
                    line += (
                        f"; slopes from {fewer} workers: CPU {log(cpu / old_cpu) / step:+.2f}, "
                        f"memory {log(memory / old_memory) / step:+.2f}"
                    )
                before[party] = ((*size, count), cpu, memory)
            if alone is not None and workers:
                own = alone["servers"][party]["cpu_seconds"]
                line += f"; all together {all_cpu / own - 1:+.0%} CPU of a server without workers"
            print(line)


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--users", type=int, default=6040)
    parser.add_argument("--items", type=int, default=3706)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--matrices-on-disk", action="store_true")
    parser.add_argument("--data-limit", type=int, help="MB that each process may allocate")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder", type=Path, help="where files of shards and matrices lie")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    if given.table:
        table([json.loads(line) for line in given.table.read_text().splitlines()])
        return
    found = measured(given)
    print(json.dumps(found, indent=1))
    if given.out:
        with given.out.open("a") as file:
            file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
