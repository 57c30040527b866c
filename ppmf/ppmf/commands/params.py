# SPDX-License-Identifier: Apache-2.0
"""`ppmf params check`: whether a parameter set fits the ring for a run of a given size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options
from ppmf_spec.bounds import bounds


def check(
    users: Annotated[
        int, typer.Option("--users", metavar="N", help="How many users.", show_default=False)
    ],
    items: Annotated[
        int, typer.Option("--items", metavar="M", help="How many items.", show_default=False)
    ],
    params: Annotated[
        Path | None,
        typer.Argument(
            metavar="[P.toml]", help="A parameter set. [default: the defaults]", show_default=False
        ),
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Check that a run of a given size cannot overflow.

    The set is checked against its domain, and the largest intermediate against the ring. The bound
    is exact and holds for all ratings on the public scale. Exit status 2, with the rule
    that is broken, if a run could overflow.

    Examples:
      ppmf params check P.toml --users 943 --items 1682
      ppmf params check --users 100000 --items 20000
      ppmf params check P.toml --users 943 --items 1682 --json
    """
    parameters = options.parameters(params)
    fit = bounds(parameters, users, items)
    unit = 1 << parameters.frac_bits
    if as_json:
        console.put_json(
            "params-check",
            {
                "users": users,
                "items": items,
                "bits": fit.bits,
                "ring_bits": parameters.ring_bits,
                "z_bits": fit.z_bits,
                "max_step": fit.max_step / (1 << parameters.step_bits),
                "max_tau": fit.max_tau / unit,
                "max_theta": fit.max_theta / unit,
                "warnings": list(fit.warnings),
                "parameters": parameters.as_dict(),
                "sha256": parameters.digest().hex(),
            },
        )
        return
    console.table(
        ["parameter", "value"], [[name, str(value)] for name, value in parameters.as_dict().items()]
    )
    console.say()
    console.table(
        ["for any ratings of this size", ""],
        [
            ["users x items", f"{users:,} x {items:,}"],
            ["largest intermediate", f"{fit.bits:.1f} of {parameters.ring_bits} bits"],
            ["width of Z before its shift", f"{fit.z_bits} bits"],
            ["longest step", f"{fit.max_step} / 2^{parameters.step_bits}"],
            ["largest thresholds", f"tau {fit.max_tau / unit:g}, theta {fit.max_theta / unit:g}"],
        ],
    )
    console.say()
    console.say(f"sha256 {parameters.digest().hex()}")
    for warning in fit.warnings:
        console.note(warning)
