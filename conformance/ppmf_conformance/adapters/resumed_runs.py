# SPDX-License-Identifier: Apache-2.0
"""The operation of chapter 4, "Interruption": what two servers agree on, by ppmf_secure."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters import values
from ppmf_conformance.adapters.line_server import Given, Operation
from ppmf_secure.protocols.resumption import (
    checkpoint_name,
    common_name,
    next_epoch,
    write_names,
)


def agree(given: Given) -> dict[str, Any]:
    """`resume.agree`: the number of the new epoch, the names that a server sends, and the
    checkpoint that both hold.
    """
    epoch = next_epoch(values.integer(given["last"]), values.integer(given["received_last"]))
    mine = [
        checkpoint_name(values.integer(iterations), bytes.fromhex(lineage))
        for iterations, lineage in given["held"]
    ]
    chosen = common_name(mine, bytes.fromhex(given["received"]))
    return {
        "epoch": str(epoch),
        "sent": write_names(mine).hex(),
        "chosen": None if chosen is None else chosen.hex(),
    }


OPERATIONS: dict[str, Operation] = {"resume.agree": agree}
