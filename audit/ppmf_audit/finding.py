# SPDX-License-Identifier: Apache-2.0
"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One check, whether it held, and one line on what was seen (never a secret)."""

    check: str
    ok: bool
    detail: str
