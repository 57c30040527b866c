# SPDX-License-Identifier: Apache-2.0
"""`make fuzz`: so many mutated requests to the users' interface, or, with `ARGS=--link`, so many
inputs on the servers' link, and what came of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import tempfile
from pathlib import Path
from time import perf_counter

from ppmf_service import logs
from ppmf_spec.files import write_atomically
from tests.support.engines import World
from tests.support.fuzzed import opened_interface
from tools.fuzz.link import HostileLink

EVERY = 10_000


async def run(folder: Path, requests: int, seed: int) -> None:
    """Send the requests, one after the other. Raises BrokenError at the first that breaks
    something.
    """
    with opened_interface(folder) as interface:
        source, began = random.Random(seed), perf_counter()
        for number in range(1, requests + 1):
            await interface.try_one(source)
            if number % EVERY == 0 or number == requests:
                seen = interface.seen
                statuses = ", ".join(
                    f"{key}: {seen.statuses[key]:,}" for key in sorted(seen.statuses)
                )
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                print(
                    f"{number:,} requests in {perf_counter() - began:,.0f} s; {statuses}; the "
                    f"longest took {1000 * seen.longest:.0f} ms; at most {seen.most_read:,} bytes "
                    f"of a body were read; {memory} MiB",
                    flush=True,
                )


def run_link(folder: Path, inputs: int, seed: int) -> None:
    """Let the servers hear so many inputs on their link. Raises as `run` does."""
    world = World(folder)
    hostile, source, began = HostileLink(world), random.Random(seed), perf_counter()
    for number in range(1, inputs + 1):
        hostile.try_one(source)
        if number % EVERY == 0 or number == inputs:
            seen = hostile.seen
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            refused = ", ".join(f"{kind}: {seen.refused[kind]:,}" for kind in sorted(seen.refused))
            print(
                f"{number:,} inputs in {perf_counter() - began:,.0f} s; refused {refused}; passed "
                f"{seen.passed:,}; the longest took {1000 * seen.longest:.0f} ms; {memory} MiB",
                flush=True,
            )
    world.servers.close()


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--link", action="store_true", help="the servers' link")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--total", type=Path, metavar="FILE", help="count all runs there, each with another seed"
    )
    given = parser.parse_args()
    kind = "link" if given.link else "requests"
    before = json.loads(given.total.read_text()) if given.total and given.total.is_file() else {}
    seed = given.seed + before.get(kind, {}).get("runs", 0)
    logs.use(logs.Log(least=100))
    with tempfile.TemporaryDirectory() as folder:
        if given.link:
            run_link(Path(folder), given.requests, seed)
        else:
            asyncio.run(run(Path(folder), given.requests, seed))
    if given.total:
        was = before.get(kind, {"runs": 0, "inputs": 0})
        before[kind] = {"runs": was["runs"] + 1, "inputs": was["inputs"] + given.requests}
        write_atomically(given.total, json.dumps(before, indent=1).encode())
        print(f"in all {before[kind]['inputs']:,} in {before[kind]['runs']} runs")


if __name__ == "__main__":
    main()
