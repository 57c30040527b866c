# SPDX-License-Identifier: Apache-2.0
"""Vectors of netlists, by the digest of their normal form, and the netlists themselves as text."""

from __future__ import annotations

from typing import Any

from ppmf_conformance import json_text
from ppmf_conformance.adapters import building_blocks
from ppmf_conformance.adapters.oracle import OPERATIONS
from ppmf_conformance.adapters.values import shown
from ppmf_secure.primitives.circuits.bristol import to_bristol
from tools.vectors.family import Family

_UPDATE = {"width": 44, "drop": 28, "frac_bits": 9, "box_bits": 1, "tau_bits": 6, "theta_bits": 5}
_RECIPROCAL = {"width": 23, "drop": 14, "exponent": 15, "minimum": 32, "shift": 20}

PLANS: dict[str, tuple[str, dict[str, Any]]] = {
    "reciprocal-plain": ("reciprocal", {**_RECIPROCAL, "drop": 0, "weights": {}}),
    "reciprocal-tau": ("reciprocal", {**_RECIPROCAL, "weights": {"tau": 1 << 17}}),
    "reciprocal-both": (
        "reciprocal",
        {**_RECIPROCAL, "weights": {"tau": 3 << 15, "theta": 5 << 16}},
    ),
    "update-plain": ("update", {**_UPDATE, "prox": None}),
    "update-elastic": ("update", {**_UPDATE, "prox": "elastic-net"}),
    "update-binary": ("update", {**_UPDATE, "prox": "binary-elastic-net"}),
}
"""One plan of every kind of circuit that a run has: which circuit, and its plan."""

INDEX = "netlists.json"


def families() -> list[Family]:
    """The family `netlists`."""
    family = Family("netlists", "AND gates of circuits, their order and operands.", OPERATIONS)
    for name, (circuit, plan) in PLANS.items():
        family.add(
            name,
            "circuit.netlist",
            f"CIR-001 CIR-002 {'CIR-003' if circuit == 'reciprocal' else 'CIR-004'} CON-044",
            f"the netlist of {name}, which stands as text in transcript/{name}.txt",
            {"circuit": circuit, "plan": plan},
        )
    return [family]


def files() -> dict[str, bytes]:
    """The netlists in Bristol Fashion, by name of file, and their index."""
    found, index = {}, []
    for name, (circuit, plan) in PLANS.items():
        given = shown({"circuit": circuit, "plan": plan})
        made = building_blocks.circuit(given)
        found[f"{name}.txt"] = to_bristol(made).encode()
        index.append(
            {
                "name": name,
                "file": f"{name}.txt",
                **given,
                "inputs": shown(made.inputs),
                "outputs": shown(made.widths),
                **building_blocks.circuit_netlist(given),
            }
        )
    lines = ",\n".join(f"  {json_text.line(one)}" for one in index)
    head = f' "format": "ppmf-netlists/1",\n "netlists": [\n{lines}\n ]\n'
    found[INDEX] = f"{{\n{head}}}\n".encode()
    return found
