# SPDX-License-Identifier: Apache-2.0
"""Drawings made by hand, set into pages so that they take the page's colours."""

from __future__ import annotations

from pathlib import Path

from ppmf_docs.computed import Svg


def parties() -> Svg:
    """The three kinds of parties."""
    return Svg(Path(__file__).parents[1].joinpath("parties.svg").read_text(encoding="utf-8"))
