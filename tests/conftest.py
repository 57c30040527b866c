# SPDX-License-Identifier: Apache-2.0
"""What every test shares: hypothesis profiles, readable arrays in failures, one trained run, what
is not waited for or not computed twice, and where coverage looks.
"""

from __future__ import annotations

import gc
import os
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.trained_run import Run

# `ci` finds the same examples on every machine; `dev` looks for new ones; neither times anything.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", settings.get_profile("ci"), derandomize=False)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

np.set_printoptions(threshold=200, linewidth=100, suppress=True)

BROWSER = Path(__file__).parent / "browser"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests in a browser, whose driver is not installed, unless they are named."""
    if collection_path != BROWSER:
        return None
    named = [(config.invocation_params.dir / one.partition("::")[0]) for one in config.args]
    return None if any(BROWSER in (path, *path.parents) for path in named) else True


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One real run of the command, for all who need results."""
    from tests.support.trained_run import train_in  # only they need the whole command

    return train_in(tmp_path_factory.mktemp("trained"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector rest while nine thousand tests are collected, and not look through
    them afterwards: they stay until the end.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# -- what is not waited for ------------------------------------------------------------------------


class _QuickConnection(sqlite3.Connection):
    """A connection that leaves it to the system when its file reaches the disk."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *parameters)


@pytest.fixture(scope="session", autouse=True)
def no_disk_is_waited_for() -> Iterator[None]:
    """Let `fsync` and SQLite return at once in this process, a hundred thousand times in all.

    What has been written and not synchronised survives all but the end of the machine, and no test
    ends that. Processes that tests start do wait.
    """
    connect = sqlite3.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)  # which still fails on what is no file
        patch.setattr(sqlite3, "connect", partial(connect, factory=_QuickConnection))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_point_is_computed_twice() -> Iterator[None]:
    """Let base transfers remember the points that P-256 gave in this process.

    Most toy runs have coins of one label, hence the same points, which took a third of their time.
    """
    from tests.support import remembered_points

    with pytest.MonkeyPatch.context() as patch:
        remembered_points.apply(patch)
        yield


# -- where coverage looks --------------------------------------------------------------------------

COVERED_EXAMPLES = 10
"""Of a property, the examples in which coverage looks. It takes as long as the tests themselves,
and nearly every line that a property reaches is reached in its first examples.
"""

_OF_NUMBERS = ("formal", "independent_reading")
"""The folders of tests that prove or compare numbers; the lines that they reach, others do too."""


_OF_WHOLE_RUNS = (
    "test_engine.py",
    "test_interrupted_runs.py",
    "test_later_epochs.py",
    "test_lattice_from_prose.py",
    "test_resumed_runs.py",
    "test_seeded_leaks.py",
    "test_simulated_views.py",
    "test_trace.py",
)
"""The modules of tests whose parameters all lead through one long run, and so through its lines."""

_COVERED_PARAMETERS = 2
"""Of each test in these, the parameters under which coverage looks."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let coverage rest in the tests of numbers, and in whole runs after the first ones."""
    seen: Counter[tuple[Path, str]] = Counter()
    for item in items:
        test = item.path, getattr(item, "originalname", item.name)
        seen[test] += 1
        repeated = item.path.name in _OF_WHOLE_RUNS and seen[test] > _COVERED_PARAMETERS
        if repeated or item.path.parent.name in _OF_NUMBERS:
            item.add_marker("no_cover")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Let coverage rest from a property's eleventh example to its end.

    So a line that only a later example reaches counts as not covered. Single tests in which
    coverage rests are marked `no_cover` (of pytest-cov).
    """
    plugin: Any = item.config.pluginmanager.getplugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    property_ = getattr(getattr(item, "obj", None), "hypothesis", None)
    if controller is None or property_ is None:
        yield
        return
    inner, examples, resting = property_.inner_test, 0, False

    @wraps(inner)  # the examples follow from the source of what is wrapped
    def watched(*arguments: Any, **named: Any) -> Any:
        nonlocal examples, resting
        examples += 1
        if examples > COVERED_EXAMPLES and controller.started:
            controller.pause()
            resting = True
        return inner(*arguments, **named)

    property_.inner_test = watched
    try:
        yield
    finally:
        property_.inner_test = inner
        if resting:
            controller.resume()
