# SPDX-License-Identifier: Apache-2.0
"""`ppmf estimate`: time, memory and bytes that a training of a given size will take."""

from __future__ import annotations

from typing import Annotated

import typer

from ppmf import console, options
from ppmf_costs.counts import PHASES, PublicSize, count_run
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import SHIPPED, Estimate, UnitCosts, bytes_sent
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import bounds
from ppmf_spec.roles import CSP, RECSYS, USERS


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
            help="A cipher suite; may be repeated. [default: all whose costs were measured]",
            show_default=False,
        ),
    ] = None,
    costs: options.CostsFile = SHIPPED,
    as_json: console.Json = False,
) -> None:
    """Estimate the time, the memory and the bytes of a training.

    The bytes are exact: they follow from the public sizes (with users called 1, 2, 3, ...). Time
    and memory are those of a machine like the one the unit costs were measured on;
    `ppmf bench --calibrate` measures them on yours.

    Examples:
      ppmf estimate --users 943 --items 1682
      ppmf estimate --users 6040 --items 3706 --rank 8 --iterations 10 --suite rlwe-8192
      ppmf estimate --users 943 --items 1682 --json
    """
    parameters = options.parameters(params, rank, iterations)
    measured = UnitCosts.read(costs)
    for warning in bounds(parameters, users, items).warnings:
        console.note(warning)
    size = PublicSize.numbered(users, items)
    found: dict[str, tuple[Tally, Estimate | None]] = {}
    for name in suites or measured.suites:
        tally = count_run(parameters, size, cipher_suite(name))
        known = measured.estimate(tally, name) if name in measured.suites else None
        found[name] = tally, known
    if as_json:
        console.put_json(
            "estimate",
            {
                "users": users,
                "items": items,
                "parameters": parameters.as_dict(),
                "machine": measured.machine,
                "suites": [_members(name, *one) for name, one in found.items()],
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
        _show(*one)
    console.say()
    console.say(f"Time and memory as on: {measured.machine}. Bytes are exact.")


def _members(name: str, tally: Tally, known: Estimate | None) -> dict[str, object]:
    """The members of one suite in the JSON; null is what was not measured."""
    sent = bytes_sent(tally)
    return {
        "suite": name,
        "seconds": known and known.total,
        "memory_bytes": known and round(known.memory),
        "bytes_sent": sum(sent.values()),
        "bytes_sent_by_party": _by_party(tally),
        "phases": [
            {
                "phase": phase,
                "seconds": known and known.seconds[phase],
                "bytes_sent": sent[phase],
            }
            for phase in PHASES
        ],
    }


def _by_party(tally: Tally) -> dict[str, int]:
    """The bytes that each party sends."""
    by_party: dict[str, int] = dict.fromkeys((USERS, RECSYS, CSP), 0)
    for (party, _), count in tally.sent.items():
        by_party[party] += count
    return by_party


def _show(tally: Tally, known: Estimate | None) -> None:
    """Print one row for each phase; without unit costs the bytes alone."""
    sent = bytes_sent(tally)
    by_party = _by_party(tally)
    rows = [
        [
            phase,
            "" if known is None else console.seconds(known.seconds[phase]),
            console.size(sent[phase]),
        ]
        for phase in PHASES
    ]
    total = "" if known is None else console.seconds(known.total)
    rows.append(["all", total, console.size(sum(sent.values()))])
    console.table(["phase", "time", "sent by all"], rows, right="time,sent by all")
    console.say(f"sent: RecSys {by_party[RECSYS]:,} bytes, CSP {by_party[CSP]:,} bytes")
    if known is None:
        console.say("time and memory: not known, this suite's unit costs were not measured")
    else:
        console.say(f"memory of each server: {console.size(round(known.memory))}")
