# SPDX-License-Identifier: Apache-2.0
"""The adapter of the oracle: every pure operation of chapters 2, 3 and 5."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

import numpy as np

from ppmf_conformance.adapters import spec_operations, values
from ppmf_conformance.adapters.line_server import Given, Operation, introduction, serve
from ppmf_reference import certified, fixed, rating_code, ridge
from ppmf_spec import netlists, words
from ppmf_spec.bounds import check_rows
from ppmf_spec.decimals import parse_decimal
from ppmf_spec.errors import RangeError
from ppmf_spec.netlists import Netlist
from ppmf_spec.profiles import ItemProfiles


def init(given: Given) -> dict[str, Any]:
    """`init`: the start of both sides (PPMF-CON-046)."""
    params = values.parameters(given["parameters"])
    counts = values.integer(given["users"]), values.integer(given["items"])
    check_rows(*counts)
    users, items = fixed.start(params, *counts)
    return {"users": values.shown(users), "items": values.shown(items)}


def step(given: Given) -> dict[str, Any]:
    """`step`: steps and thresholds of a row."""
    params = values.parameters(given["parameters"])
    count, squares = values.integer(given["count"]), values.integer(given["squares"])
    found = fixed.step(count, squares, params)
    return {
        "curvature": str(fixed.curvature(count, squares, params)),
        "factors": str(found.factors),
        "bias": None if found.bias is None else str(found.bias),
        "tau": str(found.tau),
        "theta": str(found.theta),
    }


def descend(given: Given) -> dict[str, Any]:
    """`words.descend`: Z of each coordinate."""
    params = values.parameters(given["parameters"])
    names = ("x", "previous", "gradient", "steps")
    x, previous, slope, steps = (values.integers(given[name]) for name in names)
    return {"z": values.shown(fixed.descend(x, previous, slope, steps, params))}


def prox(given: Given) -> dict[str, Any]:
    """`prox`: prox and saturation of factors' Z, or the saturation of biases'."""
    params = values.parameters(given["parameters"])
    f, b = params.frac_bits, params.box_bits
    tau, theta = values.integer(given["tau"]), values.integer(given["theta"])
    found = values.integers(given["z"])
    if given["coordinate"] == "factor" and params.regulariser == "elastic-net":
        found = [words.prox_elastic_net(z, tau) for z in found]
    elif given["coordinate"] == "factor":
        found = [words.prox_binary(z, tau, theta, f) for z in found]
    return {"words": values.shown(words.saturate(z, b, f) for z in found)}


def half_step(given: Given) -> dict[str, Any]:
    """`half_step`: the new rows of a side and those before them, with all that leads to them."""
    params = values.parameters(given["parameters"])
    rated = [
        (values.integers(one["rows"]), values.integers(one["values"])) for one in given["rated"]
    ]
    rows, previous, other = (values.matrix(given[name]) for name in ("rows", "previous", "other"))
    done = fixed.half_step(rows, rated, other, params, previous)
    found = {"rows": values.shown(done.rows), "previous": values.shown(done.previous)}
    return {**found, **steps_shown(done)}


def steps_shown(done: fixed.HalfStep) -> dict[str, Any]:
    """The intermediate values of a half-step, a list over its rows each; z by inner step."""
    return {
        "counts": values.shown(step.count for step in done.steps),
        "squares": values.shown(step.squares for step in done.steps),
        "factor_steps": values.shown(step.factors for step in done.steps),
        "bias_steps": values.shown(step.bias for step in done.steps),
        "taus": values.shown(step.tau for step in done.steps),
        "thetas": values.shown(step.theta for step in done.steps),
        "z": values.shown(done.z),
    }


def train_fixed(given: Given) -> dict[str, Any]:
    """`train.fixed`: F_fix."""
    params = values.parameters(given["parameters"])
    found = fixed.train(values.ratings(given, params), params)
    return output_shown(found)


def output_shown(found: ItemProfiles) -> dict[str, Any]:
    """V as `train.fixed` answers it."""
    return {
        "items": list(found.items),
        "factors": values.shown(found.factors.tolist()),
        "bias": None if found.bias is None else values.shown(found.bias.tolist()),
    }


def train_real(given: Given) -> dict[str, Any]:
    """`train.real`: F_real, each number as a midpoint and a radius."""
    params = values.parameters(given["parameters"])
    found = certified.train(values.ratings(given, params), params)
    claims = [_claim(low, high) for low, high in found.endpoints()]
    width = params.row_rank
    rows = [claims[at : at + width] for at in range(0, len(claims), width)]
    return {
        "factors": [row[: params.rank] for row in rows],
        "bias": [row[params.rank] for row in rows] if params.bias else None,
    }


def _claim(low: Fraction, high: Fraction) -> dict[str, str]:
    return {"mid": str((low + high) / 2), "rad": str((high - low) / 2)}


def distance(given: Given) -> dict[str, Any]:
    """`distance`: an upper bound of how far given profiles are from F_real."""
    params = values.parameters(given["parameters"])
    ratings = values.ratings(given, params)
    rows = np.array(values.matrix(given["factors"]), dtype=np.int64)
    bias = None if given["bias"] is None else np.array(values.integers(given["bias"]))
    found = ItemProfiles.of(ratings.items, rows, bias, params)
    return {"largest": str(certified.distance(found, certified.train(ratings, params)).largest)}


def predict_ridge(given: Given) -> dict[str, Any]:
    """`predict.ridge`: a user's profile, predictions, and the best of what is left."""
    found = values.profiles(given["profiles"])
    row_of = {item: row for row, item in enumerate(found.items)}
    rated: dict[int, Fraction] = {}
    for number, (item, text) in enumerate(given["ratings"], start=1):
        row = _row(row_of, item, f"rating number {number}")
        if row in rated:
            raise RangeError(f"rating number {number}: the item is rated twice")
        rated[row] = parse_decimal(text, f"rating number {number}")
    user = ridge.profile(rated, found)
    predictions = [
        ridge.predict(user, found, _row(row_of, item, "prediction")) for item in given["items"]
    ]
    top = ridge.top_n(user, found, rated, values.integer(given["count"]))
    return {
        "factors": values.shown(user.factors),
        "bias": str(user.bias),
        "predictions": values.shown(predictions),
        "clipped": values.shown(ridge.clip(rating, found) for rating in predictions),
        "top": [found.items[one.row] for one in top],
    }


def predict_similar(given: Given) -> dict[str, Any]:
    """`predict.similar`: the items nearest to one."""
    found = values.profiles(given["profiles"])
    row_of = {item: row for row, item in enumerate(found.items)}
    row = _row(row_of, given["item"], "similar items")
    near = ridge.similar(found, row, values.integer(given["count"]))
    return {"items": [found.items[one.row] for one in near]}


def _row(row_of: dict[str, int], item: str, where: str) -> int:
    if item not in row_of:
        raise RangeError(f"{where}: no such item")
    return row_of[item]


def code_weights(given: Given) -> dict[str, Any]:
    """`code.weights`: the least rating of a scale, and what each bit of a code weighs."""
    params = values.parameters(given["parameters"])
    least, _ = rating_code.ends(params)
    return {"least": str(least), "weights": values.shown(rating_code.weights(params))}


def code_encode(given: Given) -> dict[str, Any]:
    """`code.encode`: the codes of ratings, each a text of 0 and 1, the lowest bit first."""
    params = values.parameters(given["parameters"])
    codes = [rating_code.encode(x, params) for x in values.integers(given["values"])]
    return {"codes": ["".join(map(str, code)) for code in codes]}


def code_decode(given: Given) -> dict[str, Any]:
    """`code.decode`: the ratings of any codes."""
    params = values.parameters(given["parameters"])
    codes = [[int(bit) for bit in code] for code in given["codes"]]
    return {"values": values.shown(rating_code.decode(code, params) for code in codes)}


def upload_plain(given: Given) -> dict[str, Any]:
    """`upload.plain`: the bits of a row, from the number and the x of each item that is rated."""
    params = values.parameters(given["parameters"])
    row = {values.integer(item): values.integer(x) for item, x in given["ratings"]}
    return {"plain": rating_code.plain_bits(row, values.integer(given["items"]), params).hex()}


def upload_row(given: Given) -> dict[str, Any]:
    """`upload.row`: the row that any bits are, as the number and the x of each item."""
    params = values.parameters(given["parameters"])
    found = rating_code.row(bytes.fromhex(given["plain"]), values.integer(given["items"]), params)
    return {"ratings": values.shown(found.items())}


def circuit_evaluate(given: Given) -> dict[str, Any]:
    """`circuit.evaluate`: the integer function that a circuit of chapter 4 computes."""
    plan, shares = given["plan"], given["inputs"]
    width, drop = values.integer(plan["width"]), values.integer(plan["drop"])
    sums = [
        (one + other) % (1 << width)
        for one, other in zip(
            values.integers(shares["share0"]), values.integers(shares["share1"]), strict=True
        )
    ]
    if given["circuit"] == "reciprocal":
        return {"outputs": _reciprocals(plan, [total >> drop for total in sums])}
    signed = [(total - (total >> (width - 1) << width)) >> drop for total in sums]
    return {"outputs": {"word": _updates(plan, shares, signed)}}


def _reciprocals(plan: Given, divisors: list[int]) -> dict[str, list[str]]:
    exponent, shift = values.integer(plan["exponent"]), values.integer(plan["shift"])
    steps = [(1 << exponent) // divisor for divisor in divisors]
    found = {"step": values.shown(steps)}
    for name, weight in plan["weights"].items():
        scaled = (step * values.integer(weight) for step in steps)
        found[name] = values.shown(words.round_half_up(one, 1 << shift) for one in scaled)
    return found


def _updates(plan: Given, shares: Given, z: list[int]) -> list[str]:
    f, b = values.integer(plan["frac_bits"]), values.integer(plan["box_bits"])
    if plan["prox"] == "elastic-net":
        z = [words.soft(one, t) for one, t in zip(z, values.integers(shares["tau"]), strict=True)]
    elif plan["prox"] is not None:
        thresholds = zip(
            z, values.integers(shares["tau"]), values.integers(shares["theta"]), strict=True
        )
        z = [words.prox_binary(one, tau, theta, f) for one, tau, theta in thresholds]
    found: list[str] = values.shown(words.saturate(one, b, f) for one in z)
    return found


def circuit_netlist(given: Given) -> dict[str, Any]:
    """`circuit.netlist`: the digest of the netlist that the program of chapter 4 makes."""
    net = _netlist(given["circuit"], given["plan"])
    digest = hashlib.sha256(_normal_form(net).encode()).hexdigest()
    return {"and_gates": str(len(net.ands())), "sha256": digest}


def _netlist(circuit: str, plan: Given) -> Netlist:
    if circuit == "reciprocal":
        width, drop, exponent, minimum, shift = (
            values.integer(plan[name]) for name in ("width", "drop", "exponent", "minimum", "shift")
        )
        weights = {name: values.integer(weight) for name, weight in plan["weights"].items()}
        return netlists.reciprocal(width, drop, exponent, minimum, weights, shift)
    width, drop, f, b, tau_bits, theta_bits = (
        values.integer(plan[name])
        for name in ("width", "drop", "frac_bits", "box_bits", "tau_bits", "theta_bits")
    )
    return netlists.update(width, drop, f, b, plan["prox"], tau_bits, theta_bits)


def _normal_form(net: Netlist) -> str:
    """The normal form of a netlist (PPMF-CON-044)."""
    inputs, gates = sum(net.inputs.values()), net.ands()
    source = {node: 1 + inputs + number for number, node in enumerate(gates)}

    def sources(literal: int) -> frozenset[int]:
        negated = frozenset({0}) if literal & 1 else frozenset[int]()
        return negated ^ of_node[literal >> 1]

    of_node: list[frozenset[int]] = [frozenset()]
    of_node += [frozenset({bit}) for bit in range(1, 1 + inputs)]
    for node, gate in enumerate(net.nodes[1 + inputs :], start=1 + inputs):
        assert gate is not None, "inputs stand before gates"
        kind, a, b = gate
        if kind == "and":
            of_node.append(frozenset({source[node]}) if node in source else frozenset())
        else:
            of_node.append(sources(a) ^ sources(b))
    ands = (net.nodes[node] for node in gates)
    lines = [[gate[1], gate[2]] for gate in ands if gate] + list(net.outputs.values())
    shown = (["+".join(map(str, sorted(sources(bit)))) or "-" for bit in line] for line in lines)
    return "".join(" ".join(line) + "\n" for line in shown)


OPERATIONS: dict[str, Operation] = {
    **spec_operations.OPERATIONS,
    "init": init,
    "step": step,
    "words.descend": descend,
    "prox": prox,
    "half_step": half_step,
    "train.fixed": train_fixed,
    "train.real": train_real,
    "distance": distance,
    "predict.ridge": predict_ridge,
    "predict.similar": predict_similar,
    "code.weights": code_weights,
    "code.encode": code_encode,
    "code.decode": code_decode,
    "upload.plain": upload_plain,
    "upload.row": upload_row,
    "circuit.evaluate": circuit_evaluate,
    "circuit.netlist": circuit_netlist,
}


if __name__ == "__main__":
    serve(introduction("ppmf oracle", OPERATIONS), OPERATIONS)
