# SPDX-License-Identifier: Apache-2.0
"""The figures that the README and the first page of the site begin with, from where they stand.

Measurements come from `benchmarks/results/`, the error on held-out ratings from
`benchmarks/README.md`, the bits of security from chapter 6, and the rest from the code. A test
compares the README with `first`.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from ppmf.demo.command import demo
from ppmf.demo.slices import DemoSize
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts
from ppmf_docs import limits, performance
from ppmf_docs.tables import count, quantity, table
from ppmf_secure.protocols.suite_choice import LATTICE, suite_for
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters

ROOT = Path(__file__).parents[2]


def first() -> str:
    """The table of the README and of the first page: what it costs, how good it is, what is not."""
    run = training()
    size = f"{count(run['users'])} × {count(run['items'])}, rank {run['rank']}"
    private, in_the_clear = errors()
    users, items, suite, training_seconds = demonstration()
    rows = [
        [
            f"a training on MovieLens-100K ({size}, T = {run['iterations']}), `{run['suite']}`",
            f"{run['seconds']:.0f} s, {quantity(run['bytes_sent'])} sent, "
            f"{quantity(run['memory_of_a_server'])} of memory for each server",
        ],
        ["the same function in the clear", f"{run['plain_seconds']:.1f} s, the same bits"],
        [
            "error on ratings held out (RMSE in stars, mean of three splits)",
            f"{private}; {in_the_clear} for alternating least squares that see every rating",
        ],
        [
            f"`make demo` ({users} × {items}, `{suite}`)",
            f"about {training_seconds:.0f} s to train, estimated; then the checks",
        ],
        [
            "most ratings of one user or item, with the default parameters",
            f"{limits.ratings_of_a_row()}; `ppmf params suggest` prints a set for more",
        ],
        ["computational security of the whole", f"about {bits()} bits"],
        [
            "parties on machines of their own",
            "`ppmf serve`, `ppmf submit`; `make serve` starts a pair to try",
        ],
    ]
    return table(["what", "figure"], rows).replace("\N{NO-BREAK SPACE}", " ")


def training() -> dict[str, Any]:
    """The kept measurement of a whole training with the default cipher suite."""
    runs = [run for _, part in performance.parts("training") for run in part]
    return next(run for run in runs if run["suite"] == LATTICE)


def errors() -> tuple[str, str]:
    """RMSE on held-out ratings, the mean of the splits: the private training's with the default
    parameters, and that of the baseline.
    """
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^\| mean \| (\d\.\d+) \| \d\.\d+ \| (\d\.\d+) \|", text, re.M)
    assert found is not None, "benchmarks/README.md states no RMSE"
    return found[1], found[2]


def demonstration() -> tuple[int, int, str, float]:
    """Users, items and cipher suite of `ppmf demo` without options, and the seconds that its
    training is estimated to take.
    """
    named = inspect.signature(demo).parameters["suite"].default
    size = DemoSize.of(named)
    params = Parameters(rank=size.rank, iterations=size.iterations)
    suite = suite_for(named, params, size.rows, size.rows).name
    tally = count_run(params, PublicSize.numbered(size.rows, size.rows), cipher_suite(suite))
    return size.rows, size.rows, suite, UnitCosts.read().estimate(tally, suite).total


def bits() -> str:
    """The bits of computational security that chapter 6 derives."""
    text = (ROOT / "spec" / "06-security.md").read_text(encoding="utf-8")
    found = re.search(r"\*\*(\d+) bits of computational security", text)
    assert found is not None, "chapter 6 states no bits"
    return found[1]
