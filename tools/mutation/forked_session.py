# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin for the sessions that mutmut forks, one a mutant.

mutmut forks every session from a process that has run the tests before. The caches of that process
were filled by the unchanged code and would hide a mutant, so every cache is emptied first. The
tests that are likeliest to fail go first, and hypothesis does not shrink what it finds, because a
mutant is dead at the first failure. A session stops at a budget of seconds, so that a survivor of a
module that every test uses does not cost the whole suite.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
from functools import _lru_cache_wrapper
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tools.packages import PACKAGES

for name, examples in {"mutation": 10, "mutation-more": 100}.items():
    settings.register_profile(
        name,
        derandomize=True,
        deadline=None,
        max_examples=examples,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

BUDGET = float(os.environ.get("PPMF_MUTATION_BUDGET", "inf"))
FIRST = os.environ.get("PPMF_MUTATION_FIRST", "").split(",")
CACHES: list[_lru_cache_wrapper[object]] = []
MEMORY = 4 << 30  # bytes; a mutant that shifts the wrong way may ask for any amount


def mutant() -> str | None:
    """The mutant that this session is about: package.module.x_function__mutmut_number."""
    name = os.environ.get("MUTANT_UNDER_TEST", "")
    return name if "__mutmut_" in name else None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse code that is not the mutated copy; forget what unchanged code has computed."""
    for name in PACKAGES:
        where = getattr(sys.modules.get(name), "__file__", None)
        if where is not None and session.config.rootpath not in Path(where).parents:
            raise pytest.UsageError(f"{name} comes from {where}, not from the mutated copy")
    for cache in CACHES:
        cache.cache_clear()
    coins = sys.modules.get("ppmf_secure.primitives.coins")
    if (
        coins is not None
    ):  # the coins of test modules were made before the fork, which refuse to go on
        vars(coins)["_forks"] = 0


def pytest_sessionfinish() -> None:
    """After a session of mutmut's own process: find the caches, and spare its forks the rest."""
    if mutant() is None:
        CACHES[:] = [thing for thing in gc.get_objects() if isinstance(thing, _lru_cache_wrapper)]
        gc.freeze()  # or every fork would walk, and so copy, all that was ever imported


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests, and keep as many as the budget allows.

    The tests of the mutant's own module come first, then those that the target puts first, then the
    quickest.
    """
    under_test = mutant()
    if under_test is None:
        return
    recorded = json.loads(Path("mutmut-stats.json").read_text(encoding="utf-8"))
    seconds = {item: float(recorded["duration_by_test"].get(item.nodeid, 0)) for item in items}
    module = under_test.split(".")[-2]

    def order(item: pytest.Item) -> tuple[bool, bool, float]:
        stem = item.path.stem
        return not about(stem, module), stem not in FIRST, seconds[item]

    items.sort(key=order)
    kept, spent = 0, 0.0
    while kept < len(items) and (kept == 0 or spent + seconds[items[kept]] <= BUDGET):
        spent += seconds[items[kept]]
        kept += 1
    config.hook.pytest_deselected(items=items[kept:])
    del items[kept:]
    limit(spent)


def about(test_file: str, module: str) -> bool:
    """Whether a test file is named for a module: test_paillier_scheme and paillier."""
    subject = test_file.removeprefix("test_")
    return module in subject or subject in module


def limit(expected: float) -> None:
    """End the process when it has used far more than the seconds that the tests have needed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = used.ru_utime + used.ru_stime
    cpu = int(spent + 5 + 2 * expected)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.alarm(int(60 + 10 * expected))  # for one that waits and computes nothing
