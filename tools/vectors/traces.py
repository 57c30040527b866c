# SPDX-License-Identifier: Apache-2.0
"""Vectors of traced runs: every stage of a run under test, and sessions that are not traced."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_conformance.adapters.toy_runs import toy_run
from ppmf_conformance.trace import FEATURE, SERVERS
from tools.vectors import toy_inputs
from tools.vectors.family import Family
from tools.vectors.labelled_stream import LabelledStream

_ALL: dict[str, Any] = {
    "rank": "2",
    "iterations": "2",
    "inner_steps": "2",
    "frac_bits": "9",
    "step_bits": "12",
    "step_guard_bits": "5",
    "box_bits": "1",
    "rating_frac_bits": "2",
    "inertia": "0.375",
    "damping": "4",
    "seed": "traced",
}
"""Off the defaults in all that every stage depends on."""

RUNS: dict[str, tuple[dict[str, Any], tuple[int, int], str]] = {
    "lipschitz": ({"l1": "0.5", "curvature_shift": "1"}, (3, 2), "paillier-512-insecure"),
    "count-binary": (
        {
            "step_rule": "count",
            "curvature_shift": "-1",
            "regulariser": "binary-elastic-net",
            "l1": "0.25",
            "ridge": "1.5",
            "damping": "8",
        },
        (2, 3),
        "rlwe-64-insecure",
    ),
    "no-bias": ({"bias": False, "rank": "3", "curvature_shift": "-2"}, (2, 3), "rlwe-64-insecure"),
}
"""Traced runs: parameters, users and items, suite."""


def families() -> list[Family]:
    """The family `trace`."""
    family = Family("trace", "Runs whose shares are shown after each stage.", OPERATIONS)
    for name, (table, shape, suite) in RUNS.items():
        label = f"trace/{name}"
        params = values.parameters({**_ALL, **table})
        drawn = toy_inputs.ratings(LabelledStream(label), *shape, part=2, of=3)
        found = toy_run(params, values.ratings(drawn, params), suite, label)
        for server in SERVERS:
            family.add(
                f"{name}-{server}",
                "party.run",
                "CON-040 CON-041 CON-042 RUN-001",
                f"{server} under test shows its shares after each stage",
                {**found.given, "roles": [server]},
                expect={"status": "ok", "out": {**found.output, "refused": []}},
                shows={"messages": found.messages},
                seed=label,
                needs=[FEATURE],
            )
    _not_of_a_trial(family)
    return [family]


def _not_of_a_trial(family: Family) -> None:
    table, shape, suite = RUNS["lipschitz"]
    label = "trace/no-trial"
    params = values.parameters({**_ALL, **table})
    drawn = toy_inputs.ratings(LabelledStream(label), *shape)
    given = toy_run(params, values.ratings(drawn, params), suite, label).given
    session = {**given["session"], "suite": "paillier-3072", "trial": False}
    for server in SERVERS:
        family.add(
            f"refused-no-trial-{server}",
            "party.run",
            "CON-043 CON-034",
            f"{server} under test is asked for a trace of a session that is no trial",
            {**given, "session": session, "roles": [server], "trace": True},
            expect={"status": "reject", "class": "state"},
            shows={"messages": {}},
            flags="negative",
            seed=label,
            needs=[FEATURE],
        )
