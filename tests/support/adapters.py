# SPDX-License-Identifier: Apache-2.0
"""Commands of adapters for the conformance suite: the right one, broken ones, scripts."""

from __future__ import annotations

import json
import sys

ADAPTERS = (sys.executable, "-m")
ORACLE = (*ADAPTERS, "ppmf_conformance.adapters.oracle")

HELLO = json.dumps(
    {
        "protocol": 1,
        "implementation": {"name": "x", "version": "1", "language": "x", "issues": ""},
        "features": ["init"],
        "roles": [],
    }
)
"""The line with which a script introduces itself."""


def broken(name: str) -> tuple[str, ...]:
    """The oracle's adapter with that fault."""
    return (*ADAPTERS, "ppmf_conformance.adapters.broken_oracle", name)


def script(text: str) -> tuple[str, ...]:
    """An adapter that is a few lines of Python."""
    return (sys.executable, "-c", text)
