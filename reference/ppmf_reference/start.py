# SPDX-License-Identifier: Apache-2.0
"""The public start, before any scaling (PPMF-FIX-010)."""

from __future__ import annotations

from hashlib import shake_256

from ppmf_spec.parameters import Parameters

START_LABEL = b"ppmf/v1/init/"


def start_entries(
    params: Parameters, users: int, items: int
) -> tuple[list[list[int]], list[list[int]]]:
    """The factors of the start (U, V) in 256ths: byte - 128, of SHAKE-256, U then V, row-major.

    Returns `users` x rank and `items` x rank integers in [-128, 127]. Biases start at 0.
    """
    count = (users + items) * params.rank
    stream = shake_256(START_LABEL + params.seed.encode("utf-8")).digest(count)
    rows = [
        [byte - 128 for byte in stream[at : at + params.rank]]
        for at in range(0, count, params.rank)
    ]
    return rows[:users], rows[users:]
