# SPDX-License-Identifier: Apache-2.0
"""What the adapter of the secure implementation answers, operation by operation and as parties.

Steps and words come from the circuits that are garbled in a run, evaluated in the clear on random
shares; `train.fixed` is a three-party run in this process, with a short key.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ppmf_conformance.adapters import (
    building_blocks,
    enrolment,
    lattice_blocks,
    link,
    party,
    resumed_runs,
    sessions_and_uploads,
    spec_operations,
    values,
)
from ppmf_conformance.adapters.line_server import Given, Operation, introduction, serve
from ppmf_conformance.adapters.oracle import output_shown
from ppmf_secure.effects import Program
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.circuits import training_circuits
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.public_start import public_start
from ppmf_secure.protocols.step_sizes import BIAS_RULE, StepRule, factor_rule
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.set_up import agree
from ppmf_secure.transport.stepper import run_together
from ppmf_spec.bounds import check_rows
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

TEST_SUITE = "paillier-512-insecure"


def init(given: Given) -> dict[str, Any]:
    """`init`: the public start, as both servers expand it (PPMF-CON-046)."""
    params = values.parameters(given["parameters"])
    counts = values.integer(given["users"]), values.integer(given["items"])
    check_rows(*counts)
    sides = public_start(params, *counts)
    found = [values.shown(side.view(np.int64).T.tolist()) for side in sides]
    return {"users": found[0], "items": found[1]}


def _on_shares(made: Circuit, value: int, **labels: int) -> dict[str, list[int]]:
    """The outputs for one number, shared at random, and words that come as labels."""
    width = made.inputs["share0"]
    share = int(Coins.system().words(1)[0]) % (1 << width)
    inputs = {"share0": share, "share1": (value - share) % (1 << width), **labels}
    return building_blocks.evaluate_in_clear(made, {name: [str(n)] for name, n in inputs.items()})


def step(given: Given) -> dict[str, Any]:
    """`step`: by the circuit `reciprocal`, from the unshifted denominator."""
    params = values.parameters(given["parameters"])
    count, squares = values.integer(given["count"]), values.integer(given["squares"])
    rule = factor_rule(params)
    found = _reciprocal(params, rule, count if rule.made_once else squares)
    bias = _reciprocal(params, BIAS_RULE, count)
    return {
        "factors": str(found["step"][0]),
        "bias": str(bias["step"][0]) if params.bias else None,
        "tau": str(found["tau"][0]),
        "theta": str(found["theta"][0]),
    }


def _reciprocal(params: Parameters, rule: StepRule, measure: int) -> dict[str, list[int]]:
    """The step and both thresholds of one row, from the number that the rule measures it by."""
    denominator, drop = (measure << rule.lift(params)) + rule.damping(params), rule.drop(params)
    made = training_circuits.reciprocal(
        width=max(denominator.bit_length(), drop + 1),
        drop=drop,
        numerator_bits=params.step_bits + params.step_guard_bits,
        minimum=params.damping << params.step_guard_bits,
        l1_int=params.l1_int,
        ridge_int=params.ridge_int,
        threshold_shift=params.frac_bits + params.step_bits + 1,
        tau=True,
        theta=True,
    )
    return _on_shares(made, denominator)


def prox(given: Given) -> dict[str, Any]:
    """`prox`: by the circuit `update`, with nothing to drop."""
    params = values.parameters(given["parameters"])
    tau, theta = values.integer(given["tau"]), values.integer(given["theta"])
    regulariser = params.regulariser if given["coordinate"] == "factor" else None
    labels = {"tau": tau, "theta": theta}
    made = training_circuits.update(
        width=48,
        drop=0,
        frac_bits=params.frac_bits,
        box_bits=params.box_bits,
        prox=regulariser,
        tau_bits=max(tau.bit_length(), 1),
        theta_bits=max(theta.bit_length(), 1),
    )
    wanted = {name: labels[name] for name in made.inputs if name in labels}
    found = [_on_shares(made, z, **wanted)["word"][0] for z in values.integers(given["z"])]
    return {"words": values.shown(found)}


def train_fixed(given: Given) -> dict[str, Any]:
    """`train.fixed`: three parties in this process."""
    params = values.parameters(given["parameters"])
    ratings = values.ratings(given, params)
    choice = cipher_suite(TEST_SUITE)
    coins = Coins.system()
    lists = ratings.users, ratings.items
    agreed = agree(params, *lists, choice.name, recsys=coins, csp=coins, trial=True)
    session, keys = agreed.session, agreed.consent_keys
    programs: dict[Role, Program[Any]] = {
        USERS: users(session, user_rows(ratings), keys, Coins.system()),
        RECSYS: recsys(session, choice, Coins.system()),
        CSP: csp(session, choice, Coins.system(), sealing=agreed.sealing, consent_keys=keys),
    }
    results = run_together(programs, session.id)
    profiles = results[RECSYS]
    assert isinstance(profiles, ItemProfiles)
    return output_shown(profiles)


OPERATIONS: dict[str, Operation] = {
    **spec_operations.OPERATIONS,
    **building_blocks.OPERATIONS,
    **lattice_blocks.OPERATIONS,
    **sessions_and_uploads.OPERATIONS,
    **enrolment.OPERATIONS,
    **link.OPERATIONS,
    **resumed_runs.OPERATIONS,
    "init": init,
    "step": step,
    "prox": prox,
    "train.fixed": train_fixed,
}


def answer() -> None:
    """Answer the calls on standard input until it ends."""
    features = {*OPERATIONS, "party.run", "party.trace", "party.resume"}
    hello = introduction("ppmf secure", features, party.ROLES)
    serve(hello, {**OPERATIONS, **party.Parties().operations})
