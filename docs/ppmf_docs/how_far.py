# SPDX-License-Identifier: Apache-2.0
"""Tables of the page "How far it goes": sizes up to a million users, by the cost model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import ceil

from ppmf import console
from ppmf.evaluation.advice import advise
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.network import Network
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import Estimate, UnitCosts
from ppmf_costs.workers import WorkersEstimate, with_workers
from ppmf_docs import performance
from ppmf_docs.tables import count, seconds, table
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.protocols.suite_choice import LATTICE
from ppmf_secure.protocols.upload import SEAL_BYTES
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS

SIZES = (
    ("MovieLens-100K", 943, 1_682),
    ("MovieLens-1M", 6_040, 3_706),
    ("MovieLens-20M", 138_493, 26_744),
    ("a million users", 1_000_000, 100_000),
)
LONG = 100
"""The iterations of the last column."""

CORES, MEMORY = 64, 512e9
"""Of the machine that is assumed, its cores and its bytes of memory."""

CORE_HOUR, GIGABYTE_HOUR, GIGABYTE_SENT = 0.04, 0.005, 0.05
"""Dollars that are assumed: of a core for an hour, of a GB of memory for an hour, of a GB that one
server sends to the other."""

LINE = Network(1e9, 0.02)


@dataclass(frozen=True, slots=True)
class Run:
    """One size: the set that is nearest to the defaults and works, and what it takes."""

    name: str
    params: Parameters
    changed: str
    size: PublicSize
    tally: Tally
    estimate: Estimate

    @property
    def shared(self) -> WorkersEstimate:
        """The same with workers on the machines that the memory needs: as many on each, at most
        one for each core, as are fastest.
        """
        each = [1 << power for power in range(CORES.bit_length())]
        found = [_shared(self.tally, self.machines * count) for count in each if count <= CORES]
        return min(found, key=lambda one: one.total)

    @property
    def core_hours(self) -> float:
        """Hours of cores that are busy, of each server with its workers."""
        shared = self.shared
        return (shared.server.seconds + shared.count * shared.worker.seconds) / 3600

    @property
    def hours(self) -> float:
        """Hours from the beginning to the end, with workers: computing or sending."""
        return max(self.line_hours, self.shared.total / 3600)

    @property
    def sent(self) -> int:
        """Bytes between the servers, both ways."""
        return sum(number for (party, _), number in self.tally.sent.items() if party in SERVERS)

    @property
    def machines(self) -> int:
        """Machines that a server needs for its memory."""
        return max(1, ceil(self.estimate.memory / MEMORY))

    @property
    def line_hours(self) -> float:
        """Hours of the line between the servers."""
        return sum(LINE.seconds(self.tally).values()) / 3600

    @property
    def dollars(self) -> float:
        """What both servers pay: for cores as long as they are busy, and for the memory of both
        until the end.
        """
        memory = self.estimate.memory / 1e9 * GIGABYTE_HOUR * self.hours
        return 2 * (self.core_hours * CORE_HOUR + memory) + self.sent / 1e9 * GIGABYTE_SENT


SERVERS = (RECSYS, CSP)


@cache
def runs() -> tuple[Run, ...]:
    """All sizes with the default iterations, and the last with many."""
    _, users, items = SIZES[-1]
    default = Parameters()
    found = [_run(name, default, n, m) for name, n, m in SIZES]
    found.append(_run(f"the same, T = {LONG}", replace(default, iterations=LONG), users, items))
    return tuple(found)


def _run(name: str, params: Parameters, users: int, items: int) -> Run:
    advice = advise(params, users, items, LATTICE)
    assert advice.nearest is not None, "the cipher suite holds the size"
    changed = ", ".join(f"`{one.name}` {one.after}" for one in advice.changes) or "none"
    size = PublicSize.numbered(users, items)
    tally = count_run(advice.nearest, size, cipher_suite(LATTICE))
    estimate = UnitCosts.read().estimate(tally, LATTICE)
    return Run(name, advice.nearest, changed, size, tally, estimate)


def sizes() -> str:
    """What every size takes; a column for each."""
    found = runs()
    lines = [
        ("users × items", [f"{count(one.size.users)} × {count(one.size.items)}" for one in found]),
        ("changed from the defaults", [one.changed for one in found]),
        ("bits of the ring", [str(_ring(one)) for one in found]),
        ("an upload", [console.size(_upload(one)) for one in found]),
        ("alone, on one core", [_hours(one.estimate.total / 3600) for one in found]),
        ("of that the set-up", [_hours(one.estimate.seconds["set-up"] / 3600) for one in found]),
        ("memory of each server", [console.size(round(one.estimate.memory)) for one in found]),
        ("between the servers", [console.size(one.sent) for one in found]),
        ("of that the set-up", [console.size(_set_up(one)) for one in found]),
        ("the line alone", [_hours(one.line_hours) for one in found]),
        ("machines of each server", [count(one.machines) for one in found]),
        ("workers of each server", [count(one.shared.count) for one in found]),
        ("a worker computes", [_hours(one.shared.worker.seconds / 3600) for one in found]),
        ("a worker holds", [console.size(round(one.shared.worker.memory)) for one in found]),
        ("a worker is sent and sends", [console.size(round(one.shared.carried)) for one in found]),
        ("the server itself computes", [_hours(one.shared.server.seconds / 3600) for one in found]),
        ("the server itself holds", [_memory(one.shared.server.memory) for one in found]),
        ("from beginning to end", [_hours(one.hours) for one in found]),
        ("dollars, both servers", [_dollars(one.dollars) for one in found]),
    ]
    headings = ["estimated, not measured", *(one.name for one in found)]
    return table(headings, ([what, *values] for what, values in lines), right=range(1, 6))


def assumed() -> str:
    """What is assumed of machines, prices and the line."""
    return (
        f"a machine of {CORES} cores and {MEMORY / 1e9:.0f} GB; ${CORE_HOUR:.2f} for an hour of a "
        f"core, ${GIGABYTE_HOUR:.3f} for an hour of a GB of memory, ${GIGABYTE_SENT:.2f} for a GB "
        f"sent; a line of {LINE.bandwidth or 0:,.0f} bits a second each way and "
        f"{1000 * LINE.latency:.0f} ms there and back"
    )


def model_beside_measurement() -> str:
    """The kept trainings with the lattice suite, and what the model says of them. (Those kept with
    Paillier are extrapolated from small ones.)
    """
    costs, rows = UnitCosts.read(), []
    for run in (run for _, part in performance.parts("training") for run in part):
        if run["suite"] != LATTICE:
            continue
        params = Parameters.from_toml(_toml(run["parameters"]))
        size = PublicSize.numbered(run["users"], run["items"])
        known = costs.estimate(count_run(params, size, cipher_suite(LATTICE)), LATTICE)
        rows.append(
            [
                f"{count(run['users'])} × {count(run['items'])}, rank {run['rank']}, "
                f"T = {run['iterations']}",
                seconds(run["seconds"]),
                seconds(known.total),
                console.size(run["memory_of_a_server"]),
                console.size(round(known.memory)),
            ]
        )
    headings = ["training", "measured", "estimated", "memory measured", "estimated"]
    return table(headings, rows, right=range(1, 5))


def _toml(parameters: dict[str, int | str | bool]) -> str:
    texts = {True: "true", False: "false"}
    return "".join(
        f"{name} = {texts[value] if isinstance(value, bool) else repr(value)}\n"
        for name, value in parameters.items()
    )


def _shared(tally: Tally, count: int) -> WorkersEstimate:
    return with_workers(UnitCosts.read(), tally, LATTICE, count)


def _ring(one: Run) -> int:
    return bounds(one.params, one.size.users, one.size.items).ring_bits


def _upload(one: Run) -> int:
    return RatingCode.of(one.params).row_bytes(one.size.items) + SEAL_BYTES


def _set_up(one: Run) -> int:
    return sum(one.tally.sent[server, "set-up"] for server in SERVERS)


def _hours(hours: float) -> str:
    return console.about(3600 * hours)


def _memory(size: float) -> str:
    return console.size(round(size))


def _dollars(value: float) -> str:
    """Money, in one figure: more would be invented."""
    if value < 1:
        return "less than 1"
    digits = len(str(int(value))) - 1
    return f"about {round(value, -digits):,.0f}"
