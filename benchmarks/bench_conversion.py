# SPDX-License-Identifier: Apache-2.0
"""Seconds and bytes of the conversion of the users' bits into shares, between two processes.

    python benchmarks/bench_conversion.py [--users 943] [--items 1682] [--span 4] [--ring 46]
        [--workers 0]

The default size is that of MovieLens-100K with whole stars; the bits are made up. Prints for each
server the wall time of the conversion, the processor time of its process in it, its largest
resident size until then, and what it sent; with workers, which are local ones, also their processor
time and what they have in memory. Checks some of the shares, and asserts nothing about time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from ppmf_secure.driver import Driver
from ppmf_secure.effects import Phase, Program
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols.conversion import convert
from ppmf_secure.protocols.transfers import open_transfers
from ppmf_secure.session.checkpoint import RatingBits
from ppmf_secure.transport.pipes import PipeEnds
from ppmf_secure.transport.recorded_ends import Account
from ppmf_secure.transport.server_process import workers_of
from ppmf_spec.roles import CSP, RECSYS, Role

SESSION = bytes(32)
CHECKED = 1000
"""The entries whose shares are compared with the bits."""

# as `ppmf train` starts its servers
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
}


def main() -> None:
    """Convert made-up bits once, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=943)
    parser.add_argument("--items", type=int, default=1682)
    parser.add_argument("--span", type=int, default=4, help="S: the largest rating less the least")
    parser.add_argument("--ring", type=int, default=46)
    parser.add_argument("--workers", type=int, default=0, help="of each server")
    options = parser.parse_args()
    code = RatingCode(1, options.span)
    with ExitStack() as held:
        clusters: dict[Role, Any] = {}
        if options.workers:
            from ppmf_secure.transport.dask_workers import local_cluster

            folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
            for server in (RECSYS, CSP):
                cluster = local_cluster(options.workers, folder / server)
                clusters[server] = held.enter_context(cluster)
        measure(options, code, clusters)


def measure(options: argparse.Namespace, code: RatingCode, clusters: dict[Role, Any]) -> None:
    """Run both servers, and print what they say."""
    context = multiprocessing.get_context("spawn")
    ends = dict(zip((RECSYS, CSP), context.Pipe(), strict=True))
    reports = {server: context.Pipe(duplex=False) for server in ends}
    processes = [
        context.Process(
            target=serve,
            args=(server, options, code, pipe, reports[server][1], clusters.get(server)),
        )
        for server, pipe in ends.items()
    ]
    for process in processes:
        process.start()
    total = np.zeros((2, CHECKED), dtype=np.uint64)
    sent = 0
    for server in ends:
        seconds, own, memory, size, shares, health = reports[server][0].recv()
        print(
            f"{server:7} {seconds:6.2f} s, {own:5.2f} s of its processor, "
            f"{memory >> 20:,} MiB, {size:,} bytes sent"
        )
        for cpu, resident in health:
            print(f"  worker {cpu:17.2f} s of its processor, {resident >> 20:,} MiB")
        sent += size
        total[:, : shares.shape[1]] += shares
    for process in processes:
        process.join()
    entries = options.users * options.items
    print(f"{entries:,} entries of {1 + code.bits} bits: {sent:,} bytes, {sent / entries:.1f} each")
    bits = np.unpackbits(plain(options, code)[:, 0], axis=1, bitorder="little")[:, :CHECKED]
    values = code.least + np.tensordot(np.array(code.weights, dtype=np.int64), bits[1:], 1)
    count = min(CHECKED, options.items)
    found = (total % np.uint64(1 << options.ring))[:, :count].astype(np.int64)
    if not (found == np.stack([bits[0], bits[0] * values])[:, :count]).all():
        raise SystemExit("the shares are not those of the bits")


def plain(options: argparse.Namespace, code: RatingCode) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The bits, the same at both servers: packed planes (1 + t, users, ceil(items / 8))."""
    shape = 1 + code.bits, options.users, -(-options.items // 8)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def serve(
    me: Role,
    options: argparse.Namespace,
    code: RatingCode,
    pipe: Connection,
    report: Connection,
    cluster: Any,
) -> None:
    """A server: base transfers, and then the conversion, whose time is taken."""
    mask = np.random.default_rng(2).integers(0, 256, plain(options, code).shape, dtype=np.uint8)
    bits = RatingBits(mask if me is CSP else mask ^ plain(options, code))
    started = [0.0, 0.0]

    def program(workers: Workers | None) -> Program[Any]:
        coins = Coins.seeded(f"bench_conversion/{me}")
        transfers = yield from open_transfers(me, SESSION, 0, options.ring, coins, workers)
        yield Phase("conversion", 0, 1)
        started[:] = perf_counter(), process_time()
        return (yield from convert(transfers, bits, options.items, code))

    account = Account(me)
    with ExitStack() as held:
        workers = held.enter_context(workers_of(cluster)) if cluster else None
        before = (
            {one.address: one.process.cpu_seconds for one in workers.health()} if workers else {}
        )
        ends = held.enter_context(PipeEnds(account, {me.peer: pipe}))
        driver = Driver(me, program(workers), ends, SESSION)
        driver.advance()
        seconds, own = perf_counter() - started[0], process_time() - started[1]
        memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        health = [
            (one.process.cpu_seconds - before[one.address], one.process.memory)
            for one in (workers.health() if workers else [])
        ]
    sent = sum(each.bytes_sent for each in account.measures() if each.phase == "conversion")
    shares = driver.result
    some = np.stack([each[0, :CHECKED] for each in (shares.rated, shares.rating)])
    report.send((seconds, own, memory, sent, some, health))


if __name__ == "__main__":
    main()
