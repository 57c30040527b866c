# SPDX-License-Identifier: Apache-2.0
"""`ppmf estimate`: time, memory and bytes that a training of a given size will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from ppmf import console, options
from ppmf.evaluation.advice import AUTOMATIC, Advice, advise, costs_of
from ppmf_costs import network
from ppmf_costs.counts import PHASES, PublicSize, count_run
from ppmf_costs.network import Network
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import SHIPPED, Estimate, UnitCosts, bytes_sent
from ppmf_costs.workers import ProcessEstimate, WorkersEstimate, with_workers
from ppmf_secure.protocols.suite_choice import LATTICE, suite_for
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import check_rows
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is foreseen of a training with one cipher suite.

    params: the set that was estimated, which is the nearest that works where the one that was asked
        for does not fit; None if there is none near.
    tally: its messages and work. known: its seconds and memory, if the unit costs are known.
    network: the seconds of the line between the servers by phase. workers: the same with workers,
        if they were asked for.
    """

    advice: Advice
    params: Parameters | None
    tally: Tally | None
    known: Estimate | None
    network: dict[str, float]
    workers: WorkersEstimate | None = None

    @property
    def seconds(self) -> float | None:
        """The seconds of the computation and of the line between the servers."""
        return None if self.known is None else self.known.total + sum(self.network.values())


def estimate(
    users: Annotated[
        int, typer.Option("--users", metavar="N", min=1, help="How many users.", show_default=False)
    ],
    items: Annotated[
        int, typer.Option("--items", metavar="M", min=1, help="How many items.", show_default=False)
    ],
    rank: options.Rank = None,
    iterations: options.Iterations = None,
    params: options.ParametersFile = None,
    suites: Annotated[
        list[str] | None,
        typer.Option(
            "--suite",
            metavar="SUITE",
            help="A cipher suite, or auto for the fastest that holds the size; may be repeated. "
            "[default: all whose costs were measured]",
            show_default=False,
        ),
    ] = None,
    bandwidth: Annotated[
        str | None,
        typer.Option(
            "--bandwidth",
            metavar="B",
            help="Of the line between the servers, each way: 1Gbit, 100Mbit. [default: bytes take "
            "no time]",
            show_default=False,
        ),
    ] = None,
    latency: Annotated[
        str,
        typer.Option("--latency", metavar="L", help="Of the same line, there and back: 20ms."),
    ] = "0ms",
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            metavar="W",
            min=0,
            help="Also with W workers of each server, a core each. [default: none]",
            show_default=False,
        ),
    ] = 0,
    costs: options.CostsFile = SHIPPED,
    as_json: console.Json = False,
) -> None:
    """Estimate the time, the memory and the bytes of a training.

    The bytes are exact: they follow from the public sizes (with users called 1, 2, 3, ...). Time
    and memory are those of a machine like the one the unit costs were measured on;
    `ppmf bench --calibrate` measures them on yours. With --bandwidth and --latency the time of the
    line between the servers is added, as if nothing were computed meanwhile.

    A set that does not fit the size is not refused: the limit is named, and the nearest set that
    works is estimated in its place.

    Examples:
      ppmf estimate --users 943 --items 1682
      ppmf estimate --users 6040 --items 3706 --rank 8 --iterations 10 --suite rlwe-8192
      ppmf estimate --users 138493 --items 26744 --bandwidth 1Gbit --latency 20ms
      ppmf estimate --users 138493 --items 26744 --bandwidth 1Gbit --workers 64
      ppmf estimate --users 943 --items 1682 --json
    """
    parameters = options.parameters(params, rank, iterations)
    check_rows(users, items)
    measured = UnitCosts.read(costs)
    line = Network(
        None if bandwidth is None else network.bandwidth(bandwidth), network.latency(latency)
    )
    size = PublicSize.numbered(users, items)
    named = [_name(one, parameters, users, items) for one in suites or measured.suites]
    found = {
        name: _foreseen(name, parameters, size, measured, line, workers)
        for name in dict.fromkeys(named)
    }
    for one in found.values():
        if one.advice.fits and one.advice.warnings:
            told = "; ".join((*one.advice.warnings, one.advice.remedy()))
            console.note(f"{one.advice.suite}: {told}")
    automatic = _automatic(parameters, users, items)
    if as_json:
        console.put_json(
            "estimate",
            {
                "users": users,
                "items": items,
                "parameters": parameters.as_dict(),
                "machine": measured.machine,
                "bandwidth": line.bandwidth,
                "latency": line.latency,
                "automatic": automatic,
                "suites": [_members(name, one) for name, one in found.items()],
            },
        )
        return
    console.say(
        f"{users:,} users x {items:,} items, rank {parameters.rank}, "
        f"{parameters.iterations} iterations"
    )
    for name, one in found.items():
        console.say()
        console.say(name, style="bold")
        _show(one)
    console.say()
    if automatic is not None and len(found) > 1:
        console.say(f"A training of which no suite is named takes {automatic}.")
    console.say(f"Time and memory as on: {measured.machine}. Bytes are exact.")


def _name(name: str, params: Parameters, users: int, items: int) -> str:
    """The name of a suite; of the fastest if none holds the size, so that its limit is shown."""
    if name != AUTOMATIC:
        return cipher_suite(name).name
    return _automatic(params, users, items) or LATTICE


def _automatic(params: Parameters, users: int, items: int) -> str | None:
    """The suite that a training takes if none is named; None if it would be refused."""
    try:
        return suite_for(AUTOMATIC, params, users, items).name
    except ParametersError:
        return None


def _foreseen(
    name: str,
    params: Parameters,
    size: PublicSize,
    measured: UnitCosts,
    line: Network,
    workers: int,
) -> Foreseen:
    advice = advise(params, size.users, size.items, name)
    used = params if advice.fits else advice.nearest
    if used is None:
        return Foreseen(advice, None, None, None, {})
    tally = count_run(used, size, cipher_suite(name))
    known = measured.estimate(tally, name) if name in measured.suites else None
    shared = with_workers(measured, tally, name, workers) if known and workers else None
    return Foreseen(advice, used, tally, known, line.seconds(tally), shared)


def _members(name: str, one: Foreseen) -> dict[str, object]:
    """The members of one suite in the JSON; null is what was not measured or cannot be."""
    known, sent = one.known, {} if one.tally is None else bytes_sent(one.tally)
    return {
        "suite": name,
        **one.advice.members(),
        "seconds": one.seconds,
        "memory_bytes": known and round(known.memory),
        "workers": one.workers and _workers(one.workers, one.network),
        "bytes_sent": None if one.tally is None else sum(sent.values()),
        "bytes_sent_by_party": None if one.tally is None else _by_party(one.tally),
        "phases": []
        if one.tally is None
        else [
            {
                "phase": phase,
                "seconds": known and known.seconds[phase] + one.network.get(phase, 0.0),
                "network_seconds": one.network.get(phase, 0.0),
                "bytes_sent": sent[phase],
            }
            for phase in PHASES
        ],
    }


def _workers(shared: WorkersEstimate, line: dict[str, float]) -> dict[str, object]:
    """The members of a run with workers."""
    return {
        "count": shared.count,
        "seconds": shared.total + sum(line.values()),
        "server": {
            "cpu_seconds": shared.server.seconds,
            "memory_bytes": round(shared.server.memory),
        },
        "worker": {
            "cpu_seconds": shared.worker.seconds,
            "memory_bytes": round(shared.worker.memory),
            "bytes": round(shared.carried),
        },
    }


def _by_party(tally: Tally) -> dict[str, int]:
    """The bytes that each party sends."""
    by_party: dict[str, int] = dict.fromkeys((USERS, RECSYS, CSP), 0)
    for (party, _), count in tally.sent.items():
        by_party[party] += count
    return by_party


def _show(one: Foreseen) -> None:
    """Print one row for each phase; without unit costs the bytes alone."""
    advice = one.advice
    if not advice.fits:
        console.say(f"does not fit: {advice.limit}")
        console.say(f"{advice.remedy()}{'' if one.params is None else ', estimated here'}")
        if told := costs_of(advice.changes):
            console.say(f"in the sweep behind the defaults: {told}")
    if one.tally is None:
        return
    known, sent, by_party = one.known, bytes_sent(one.tally), _by_party(one.tally)
    timed = any(one.network.values())
    rows = []
    for phase in (*PHASES, "all"):
        whole = phase == "all"
        spent = None if known is None else known.total if whole else known.seconds[phase]
        on_line = sum(one.network.values()) if whole else one.network.get(phase, 0.0)
        rows.append(
            [
                phase,
                "" if spent is None else console.seconds(spent),
                *([console.seconds(on_line)] if timed else []),
                console.size(sum(sent.values()) if whole else sent[phase]),
            ]
        )
    headings = ["phase", "time", *(["on the line"] if timed else []), "sent by all"]
    console.table(headings, rows, right="time,on the line,sent by all")
    if timed and one.seconds is not None:
        console.say(f"at most {console.seconds(one.seconds)} with the line between the servers")
    console.say(
        f"sent: RecSys {by_party[RECSYS]:,} bytes, CSP {by_party[CSP]:,} bytes "
        f"({console.size(by_party[RECSYS])} and {console.size(by_party[CSP])})"
    )
    if known is None:
        console.say("time and memory: not known, this suite's unit costs were not measured")
    else:
        console.say(f"memory of each server: {console.size(round(known.memory))}")
    if one.workers is not None:
        _show_workers(one.workers, sum(one.network.values()))


def _show_workers(shared: WorkersEstimate, line: float) -> None:
    """Say what a run with workers takes, and each of its processes."""
    count = f"{shared.count:,} worker{'s' if shared.count > 1 else ''} of each server"
    with_line = f", at most {console.seconds(shared.total + line)} with the line" if line else ""
    console.say(f"with {count}: {console.seconds(shared.total)}{with_line}")
    rows: list[tuple[str, ProcessEstimate, int]] = [
        ("server", shared.server, round(shared.count * shared.carried)),
        ("each worker", shared.worker, round(shared.carried)),
    ]
    console.table(
        ["process", "of a core", "memory", "between them"],
        [
            [
                name,
                console.seconds(taken.seconds),
                console.size(round(taken.memory)),
                console.size(carried),
            ]
            for name, taken, carried in rows
        ],
        right="of a core,memory,between them",
    )
