# SPDX-License-Identifier: Apache-2.0
"""The sizes of the runs that `ppmf bench` measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ppmf.evaluation.tried_sets import VERSION_1
from ppmf_spec.parameters import Parameters

DEFAULTS = Parameters()
DIMENSIONS = ("users", "items", "rank", "iterations")


@dataclass(frozen=True, slots=True)
class RunSize:
    """The size of a run; all other parameters are those of `others`, the defaults unless given."""

    users: int
    items: int
    rank: int
    iterations: int
    others: Parameters = DEFAULTS

    @property
    def params(self) -> Parameters:
        """The parameter set of a run of this size."""
        return replace(self.others, rank=self.rank, iterations=self.iterations)

    def times(self, dimension: str, factor: int) -> RunSize:
        """The size with one dimension multiplied by `factor`."""
        return self.changed({dimension: factor * getattr(self, dimension)})

    def changed(self, values: Mapping[str, int]) -> RunSize:
        """The size with these values of `DIMENSIONS`."""
        dimensions = {name: getattr(self, name) for name in DIMENSIONS}
        return RunSize(**{**dimensions, **values}, others=self.others)

    def __str__(self) -> str:
        size = f"{self.users:,} x {self.items:,}, rank {self.rank}, T = {self.iterations}"
        return f"{size}, version 1's parameters" if self.others == VERSION_1 else size


@dataclass(frozen=True, slots=True)
class BenchmarkSizes:
    """The sizes of the runs of every part of a benchmark.

    training: the full trainings. small: the training with Paillier, whose products take hours at
    the full size. spu: the full training that is compared with SPU, which has one inner step and no
    inertia. paper: the founding paper's size, and `paper_defaults` the same with the defaults;
    `paper` is compared with SPU. base, factors: the sizes of "cost against
    size". calibration, checks: the runs that unit costs are fitted to, and those that estimates are
    compared with, each for a lattice suite and for Paillier. load: of the session whose users all
    upload at once.
    """

    training: tuple[RunSize, ...]
    small: RunSize
    spu: RunSize
    paper: RunSize
    paper_defaults: RunSize
    base: RunSize
    factors: tuple[int, ...]
    calibration: tuple[tuple[RunSize, ...], tuple[RunSize, ...]]
    checks: tuple[tuple[RunSize, ...], tuple[RunSize, ...]]
    load: RunSize

    def of(self, suite: str) -> tuple[RunSize, ...]:
        """The sizes of the trainings with this cipher suite."""
        return (self.small,) if is_paillier(suite) else (*self.training, self.spu)

    def with_training(
        self, users: int | None, items: int | None, rank: int | None, iterations: int | None
    ) -> BenchmarkSizes:
        """These sizes with another size of the full trainings, in the dimensions that are given.

        With a rank that is given there is one full training with the defaults.
        """
        given = zip(DIMENSIONS, (users, items, rank, iterations), strict=True)
        changes = {name: value for name, value in given if value is not None}
        changed = dict.fromkeys(size.changed(changes) for size in self.training)
        return replace(self, training=tuple(changed), spu=self.spu.changed(changes))


def is_paillier(suite: str) -> bool:
    """Whether the cipher suite's products use Paillier."""
    return suite.startswith("paillier")


FULL = BenchmarkSizes(
    training=(
        RunSize(943, 1682, 10, DEFAULTS.iterations),
        RunSize(943, 1682, 6, DEFAULTS.iterations),
    ),
    small=RunSize(60, 60, 5, 3),
    spu=RunSize(943, 1682, 10, 20, VERSION_1),
    paper=RunSize(940, 40, 8, 10, VERSION_1),
    paper_defaults=RunSize(940, 40, 8, DEFAULTS.iterations),
    base=RunSize(240, 240, 4, 3),
    factors=(1, 2, 4),
    calibration=(
        (
            RunSize(50, 50, 2, 4),
            RunSize(100, 100, 3, 8),
            RunSize(400, 60, 5, 3),
            RunSize(60, 400, 8, 3),
            RunSize(300, 300, 10, 2),
            RunSize(300, 300, 10, 4, VERSION_1),
            RunSize(943, 200, 10, 3),
            RunSize(2000, 30, 7, 4),
            RunSize(300, 1200, 6, 2),
            RunSize(943, 1682, 10, 2),
            RunSize(60, 4000, 3, 2),
            RunSize(500, 6000, 6, 2),
        ),
        (
            RunSize(20, 20, 2, 2),
            RunSize(40, 20, 4, 2),
            RunSize(20, 40, 3, 4),
            RunSize(60, 40, 3, 2),
        ),
    ),
    checks=(
        (
            RunSize(150, 250, 4, 6),
            RunSize(500, 300, 7, 4),
            RunSize(700, 1200, 10, 3),
            RunSize(940, 40, 8, 10, VERSION_1),
            RunSize(940, 40, 8, DEFAULTS.iterations),
            RunSize(943, 1682, 10, DEFAULTS.iterations),
            RunSize(300, 5000, 8, 3),
        ),
        (RunSize(30, 50, 4, 2), RunSize(70, 70, 3, 2)),
    ),
    load=RunSize(1000, 1682, 10, 1),
)

_TINY = RunSize(12, 9, 2, 2)

QUICK = BenchmarkSizes(
    training=(_TINY,),
    small=_TINY,
    spu=replace(_TINY, others=VERSION_1),
    paper=RunSize(14, 6, 2, 2, VERSION_1),
    paper_defaults=RunSize(14, 6, 2, 2),
    base=RunSize(6, 5, 1, 1),
    factors=(1, 2),
    calibration=((_TINY, RunSize(8, 12, 3, 1)), (_TINY, RunSize(8, 12, 3, 1))),
    checks=((RunSize(10, 10, 2, 2),), (RunSize(10, 10, 2, 2),)),
    load=RunSize(20, 9, 1, 1),
)
"""Toy sizes, to see that everything runs; their figures have no meaning."""

REPORTED_HOURS, REPORTED_GIGABYTES, REPORTED_CORES = 29, 1330, 32
"""The founding paper's system at `paper`, as reported by Nudge (USENIX Security 2026)."""
