# SPDX-License-Identifier: Apache-2.0
"""A machine that loses power in the middle of a run."""

from __future__ import annotations

from typing import Any

from ppmf_secure.effects import Phase, Program
from ppmf_spec import wire


class PowerCutError(Exception):
    """The machine stops here."""


def cut_at(program: Program[Any], half_step: int | None) -> Program[Any]:
    """The same program, on a machine that loses power when that half-step begins."""
    reply: wire.Message | int | None = None
    while True:
        try:
            effect = program.send(reply)
        except StopIteration as end:
            return end.value
        if isinstance(effect, Phase) and effect.name == "updates" and effect.done == half_step:
            raise PowerCutError
        reply = yield effect
