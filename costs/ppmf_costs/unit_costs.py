# SPDX-License-Identifier: Apache-2.0
"""Unit costs, which turn counts of work into seconds and memory: sums of counts times unit costs.

A primitive has the same unit cost in every phase. Those whose cost depends on the cipher suite
(`KEYED`) have one for each suite. The unit costs are fitted to measured runs, by least squares of
the relative errors of every phase and of every run as a whole.

Runs do not tell all primitives apart: gates, pads, transfers and messages of a phase grow together,
and the products of residues are lost in what surrounds them unless a run is large. Least squares
alone give one of them everything and another one nothing, and are far off where the shares are
other ones, as at larger sizes. Therefore each primitive has a *reference*, which was timed by
itself. How fast the machine is, compared with that of the references, is fitted first, as one
number. Then each unit cost may leave its reference, so multiplied, and pays for it: to be off by
its whole reference counts as much as to miss a phase by `_PULL`. None is less than `_LEAST` of it.
What the runs tell clearly they decide, since they are many; the rest stays as it was timed.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppmf_costs.counts import MEMORY, PHASES
from ppmf_costs.tally import Tally
from ppmf_spec.errors import ParametersError
from ppmf_spec.files import read_text, write_atomically

Floats = NDArray[np.float64]

KEYED = (
    "starts",
    "setups",
    "opens",
    "seals",
    "he_rows",
    "compact_rows",
    "he_tables",
    "first_products",
    "he_terms",
    "compact_terms",
    "he_answers",
)
"""The primitives whose unit cost depends on the cipher suite."""

REFERENCES: Mapping[str, float] = {
    "batches": 3e-5,
    "gate_calls": 5e-5,
    "gates": 5e-8,
    "hash_keys": 8e-6,
    "mac_words": 1.7e-9,
    "masked_bytes": 4e-9,
    "messages": 2e-4,
    "pads": 1.2e-8,
    "planes": 2e-8,
    "transfers": 4e-8,
    "starts/rlwe": 0.45,
    "setups/rlwe": 0.08,
    "opens/rlwe": 6e-5,
    "seals/rlwe": 2e-5,
    "he_rows/rlwe": 7e-9,
    "compact_rows/rlwe": 2e-9,
    "he_tables/rlwe": 4e-10,
    "first_products/rlwe": 0.05,
    "he_terms/rlwe": 2.4e-11,
    "compact_terms/rlwe": 3e-12,
    "he_answers/rlwe": 3.5e-8,
    "starts/paillier": 0.45,
    "setups/paillier": 0.8,
    "opens/paillier": 6e-5,
    "seals/paillier": 2e-5,
    "he_rows/paillier": 1.1e-5,
    "he_tables/paillier": 1e-6,
    "first_products/paillier": 0.4,
    "he_terms/paillier": 4.1e-4,
    "he_answers/paillier": 3e-5,
}
"""The references: seconds a unit on two cores of an AMD EPYC, each primitive timed by itself, or in
runs that consist of little else. Those that depend on the suite are named by its family; of
Paillier, with a key of 3,072 bits. Only their ratios matter."""

SHIPPED = Path(__file__).with_name("unit_costs.toml")
"""The unit costs that come with the package."""

SMALL_MEMORY = 1 << 28
"""Below so many bytes, the interpreter and its libraries decide how much a server holds."""

_NEGLIGIBLE = 0.02
"""The error of a phase is relative to its seconds plus this part of the seconds of the run."""

_PULL = 0.2
"""The error of a phase that counts as much as a unit cost that is off by its whole reference: the
phases of a run scatter by a tenth, and what was timed alone misses by half."""

_LEAST = 0.25
"""The least part of its reference, for this machine, that a unit cost can be."""

_NO_GAIN = 1e-11
"""A derivative that is smaller than this, relative to ||b||, is rounding."""

_ROUNDS = 10
"""The most entries for each column, so that rounding cannot make one enter and leave for ever."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimate of a run: seconds by phase, and bytes of memory at the larger server's peak."""

    seconds: Mapping[str, float]
    memory: float

    @property
    def total(self) -> float:
        """The seconds of all phases."""
        return sum(self.seconds.values())


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured run: its cipher suite, its tally, its seconds by phase, its peak memory."""

    suite: str
    tally: Tally
    seconds: Mapping[str, float]
    memory: float


@dataclass(frozen=True)
class UnitCosts:
    """The unit costs of a machine.

    machine: its description. seconds: by primitive. memory: bytes, by what is held.
    Keyed primitives are named `primitive/suite`.
    """

    machine: str
    seconds: Mapping[str, float]
    memory: Mapping[str, float]

    @cached_property
    def suites(self) -> tuple[str, ...]:
        """The cipher suites that were measured."""
        return tuple(name.split("/")[1] for name in self.seconds if name.startswith("starts/"))

    @classmethod
    def read(cls, path: Path = SHIPPED) -> UnitCosts:
        """The unit costs in a file; ParametersError, which names the file, if it has none."""
        try:
            content = tomllib.loads(read_text(path))
            tables = [
                {str(name): float(value) for name, value in content[table].items()}
                for table in ("seconds", "memory")
            ]
            return cls(str(content["machine"]), *tables)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ParametersError(f"{path}: not a file of unit costs ({error})") from error

    def with_suites_of(self, other: UnitCosts) -> UnitCosts:
        """These unit costs, with those of the other's suites that are not among these.

        What does not depend on the suite stays as it is here.
        """
        lacking = set(other.suites) - set(self.suites)

        def joined(mine: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
            kept = {
                name: value for name, value in theirs.items() if name.partition("/")[2] in lacking
            }
            return {**mine, **kept}

        return UnitCosts(
            self.machine, joined(self.seconds, other.seconds), joined(self.memory, other.memory)
        )

    def write(self, path: Path) -> None:
        """Write the unit costs to a file, as TOML."""
        lines = [
            "# SPDX-License-" + "Identifier: Apache-2.0",
            "# Unit costs for `ppmf estimate`; written by `ppmf bench --calibrate`.",
            f"machine = {json.dumps(self.machine)}",
        ]
        for title, unit, table in (
            ("seconds", "seconds a unit", self.seconds),
            ("memory", "bytes a unit, of one server", self.memory),
        ):
            lines += ["", f"[{title}] # {unit}"]
            lines += [f'"{name}" = {value:.4g}' for name, value in sorted(table.items())]
        write_atomically(path, ("\n".join(lines) + "\n").encode())

    def estimate(self, tally: Tally, suite: str) -> Estimate:
        """The estimate of a run. Raises ParametersError for a suite that was not measured."""
        if suite not in self.suites:
            raise ParametersError(
                f"suite {suite}: its unit costs were not measured, those of "
                f"{', '.join(self.suites)} were; `ppmf bench --calibrate` measures them"
            )
        seconds = dict.fromkeys(PHASES, 0.0)
        memory = 0.0
        for (phase, primitive), amount in tally.work.items():
            name = _name(primitive, suite)
            if phase == MEMORY:
                memory += amount * self.memory.get(name, 0.0)
            elif phase in seconds:
                seconds[phase] += amount * self.seconds.get(name, 0.0)
        return Estimate(seconds, memory)


def fit(samples: Sequence[Sample], machine: str) -> UnitCosts:
    """The unit costs that explain measured runs best."""
    names = sorted({_name(key[1], s.suite) for s in samples for key in s.tally.work})
    place = {name: number for number, name in enumerate(names)}
    rows: list[Floats] = []
    wanted: list[float] = []
    for sample in samples:
        phases = {phase: np.zeros(len(names)) for phase in PHASES}
        for (phase, primitive), amount in sample.tally.work.items():
            if phase in phases:
                phases[phase][place[_name(primitive, sample.suite)]] += amount
        total = sum(sample.seconds.values())
        for phase, row in phases.items():
            scale = 1 / (sample.seconds.get(phase, 0.0) + _NEGLIGIBLE * total)
            rows.append(row * scale)
            wanted.append(sample.seconds.get(phase, 0.0) * scale)
        # the whole run counts as much as all its phases together
        weight = len(PHASES) ** 0.5 / total
        rows.append(sum(phases.values(), start=np.zeros(len(names))) * weight)
        wanted.append(total * weight)
    seconds = _near_references(np.array(rows), np.array(wanted), names)
    return UnitCosts(machine, _table(names, seconds), _fit_memory(samples, names))


def _near_references(a: Floats, b: Floats, names: Sequence[str]) -> Floats:
    """The x with the smallest ||a x - b||, held near the references as the module says.

    names: of the unknowns. One without a reference is only held above 0.
    """
    reference = np.array([REFERENCES.get(_family(name), 0.0) for name in names])
    whole = a @ reference
    speed = float(whole @ b) / max(float(whole @ whole), 1e-300)
    expected = reference * max(speed, 0.0)
    known = expected > 0
    pull = np.diag(_PULL / np.where(known, expected, 1.0))[known]
    least = _LEAST * expected
    rows, wanted = np.vstack([a, pull]), np.concatenate([b, np.full(len(pull), _PULL)])
    found: Floats = least + non_negative_least_squares(rows, wanted - rows @ least)
    return found


def _family(name: str) -> str:
    """The name of a unit cost with the family of its suite alone: what stands before its size."""
    primitive, slash, suite = name.partition("/")
    return primitive + slash + suite.partition("-")[0]


def _fit_memory(samples: Sequence[Sample], names: Sequence[str]) -> dict[str, float]:
    """The unit costs of memory that explain measured runs best."""
    rows = np.zeros((len(samples), len(names)))
    scale = np.array([1 / max(sample.memory, SMALL_MEMORY) for sample in samples])
    for row, sample in zip(rows, samples, strict=True):
        for (phase, primitive), amount in sample.tally.work.items():
            if phase == MEMORY:
                row[names.index(_name(primitive, sample.suite))] = amount
    wanted = np.array([sample.memory for sample in samples])
    found = non_negative_least_squares(rows * scale[:, np.newaxis], wanted * scale)
    return _table(names, found)


def _table(names: Sequence[str], values: Floats) -> dict[str, float]:
    """The unit costs by name, without zeros; `starts` stays, to say which suites were measured."""
    return {
        name: float(value)
        for name, value in zip(names, values, strict=True)
        if value > 0 or name.startswith("starts/")
    }


def non_negative_least_squares(a: Floats, b: Floats) -> Floats:
    """The x >= 0 with the smallest ||a x - b||, by active sets.

    This is the algorithm of Lawson and Hanson, "Solving least squares problems", 1974, chapter 23.
    The column with the largest gain enters; those whose x would turn negative leave, on the way
    from the last x. A column of zeros gets 0.
    """
    length = np.linalg.norm(a, axis=0)
    unit = a / np.where(length > 0, length, 1)
    x = np.zeros(a.shape[1])
    free = np.zeros(a.shape[1], dtype=bool)
    for _ in range(_ROUNDS * x.size):
        gain = np.where(free, 0.0, unit.T @ (b - unit @ x))
        if gain.max(initial=0.0) <= _NO_GAIN * np.linalg.norm(b):
            break
        free[gain.argmax()] = True
        while True:
            target = np.zeros_like(x)
            target[free] = np.linalg.lstsq(unit[:, free], b, rcond=None)[0]
            falling = free & (target <= 0)
            if not falling.any():
                break
            part = (x[falling] / (x[falling] - target[falling])).min(initial=1.0)
            x += part * (target - x)
            free &= ~falling | (x > _NO_GAIN)
            x[~free] = 0
        x = target
    result: Floats = x / np.where(length > 0, length, 1)
    return result


def _name(primitive: str, suite: str) -> str:
    """The name of a primitive's unit cost."""
    return f"{primitive}/{suite}" if primitive in KEYED else primitive


def bytes_sent(tally: Tally) -> Counter[str]:
    """The bytes that all parties send, by phase; those of "keys" count as "start"."""
    sent: Counter[str] = Counter()
    for (_, phase), count in tally.sent.items():
        sent["start" if phase == "keys" else phase] += count
    return sent
