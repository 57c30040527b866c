# SPDX-License-Identifier: Apache-2.0
"""One change that an operator can make of a file's text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """`old` at `offset` becomes `new`; `apply` makes the whole text with the change."""

    offset: int
    old: str
    new: str
    apply: Callable[[], str]
